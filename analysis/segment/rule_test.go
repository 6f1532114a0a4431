package segment_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

func dayOf(t require.TestingT, text string) int {
	at, err := time.Parse(time.DateOnly, text)
	require.NoError(t, err)
	return int(at.Unix() / 86_400)
}

// alma is a fictional customer of whom everything is known.
func alma(t require.TestingT) *segment.Person {
	return &segment.Person{
		AsOf: dayOf(t, "2026-11-22"), Orders: 4, PurchaseDays: 3, FirstDay: dayOf(t, "2025-01-31"), LastDay: dayOf(t, "2026-11-02"),
		Gross: 4_009_900, Net: 3_999_900, Interval: 61.5,
		Products: []string{"Green Tea", "TEA-01"}, Categories: []string{"Tea", "Gifts"}, Brands: []string{"Hedgerow"}, Coupons: []string{"WELCOME10"},
		FirstSource: "newsletter", FirstMedium: "email", FirstCampaign: "Spring 2025", Sources: []string{"newsletter"}, Campaigns: []string{"Spring 2025", "Autumn"},
		Country: "DE", Region: "Bayern", City: "Bamberg", Postcode: "96047", Consent: "subscribed", Role: "customer", Tags: []string{"vip"},
		R: 4, F: 5, M: 3, Segment: "loyal", Stage: segment.Active, Tier: "high",
		Predicted: true, PredictedValue: 120.5, PredictedOrders: 2.25, Alive: 0.93, Churn: "low", NextOrder: dayOf(t, "2026-12-24"),
	}
}

func compile(t require.TestingT, rule string) segment.Rule {
	r, err := segment.Compile(segment.Own{ID: "test", Rule: rule}, nil)
	require.NoError(t, err, rule)
	return r
}

func TestRulesAreTrueOfWhomTheyAreTrueOf(t *testing.T) {
	known, stranger := alma(t), &segment.Person{AsOf: dayOf(t, "2026-11-22")}
	for rule, want := range map[string][2]bool{ // of Alma, of somebody of whom nothing is known
		`orders >= 2 and country == "DE"`:                                {true, false},
		`orders == 0`:                                                    {false, true},
		`days_since == 20`:                                               {true, false},
		`90 <= days_since_first <= 700`:                                  {true, false},
		`days_since > 90`:                                                {false, false},
		`not (days_since > 90)`:                                          {true, false},
		`days_since > 90 or orders == 0`:                                 {false, true},
		`first_day < "2025-02-01" and first_day >= "2025-01-31"`:         {true, false},
		`"2026-11-02" == last_day`:                                       {true, false},
		`last_day != "2026-11-02"`:                                       {false, false},
		`next_order <= "2026-12-24" and days_to_next_order == 32`:        {true, false},
		`next_order > last_day`:                                          {true, false},
		`net == 399.99 and gross == 400.99 and refunded == 1`:            {true, false},
		`average_order > 99.99 and average_order < 100`:                  {true, false},
		`net / orders == average_order`:                                  {true, false},
		`net * 2 - gross + 1 >= -5.5`:                                    {true, true},
		`net / 0 == 1 or true`:                                           {true, true},
		`net / (orders - 4) > 0`:                                         {false, false},
		`interval < 62`:                                                  {true, false},
		`country in ["AT", "de"]`:                                        {true, false},
		`country not in ["AT", "CH"]`:                                    {true, false},
		`city startsWith "bam" and city endsWith "BERG"`:                 {true, false},
		`region contains "yer"`:                                          {true, false},
		`not (city contains "x")`:                                        {true, false},
		`postcode == '96047'`:                                            {true, false},
		`"tea" in categories`:                                            {true, false},
		`"coffee" not in categories`:                                     {true, true},
		`categories contains "TEA"`:                                      {true, false},
		`categories not contains "tea"`:                                  {false, true},
		`has_any(categories, ["coffee", "Gifts"])`:                       {true, false},
		`has_all(categories, ["tea", "gifts"])`:                          {true, false},
		`has_all(categories, ["tea", "coffee"])`:                         {false, false},
		`has_any(products, ["tea-01"]) and has_any(brands,["hedgerow"])`: {true, false},
		`"welcome10" in coupons && "vip" in tags`:                        {true, false},
		`first_source == "newsletter" and first_medium == "email"`:       {true, false},
		`first_campaign == "spring 2025" or "x" in sources`:              {true, false},
		`"autumn" in campaigns`:                                          {true, false},
		`consent == "subscribed"`:                                        {true, false},
		`consent != "subscribed"`:                                        {false, false},
		`role != "wholesale"`:                                            {true, false},
		`r in [4, 5] and f == 5 and m < 4`:                               {true, false},
		`rfm_segment in ["champions", "loyal"]`:                          {true, false},
		`lifecycle == "active" and tier == "high"`:                       {true, false},
		`predicted_value >= 120.5 and predicted_orders > 2`:              {true, false},
		`p_alive > 0.9 and churn == "low"`:                               {true, false},
		`p_alive > 0.5 or churn == "high" or orders >= 0`:                {true, true},
		`known(country) and known(p_alive) and known(tags)`:              {true, false},
		`not known(country) and !known(p_alive) and not known(last_day)`: {false, true},
		`purchase_days < orders`:                                         {true, false},
		`true`:                                                           {true, true},
		`false || !true`:                                                 {false, false},
		"orders > 1 // often\n and\n net > 1 /* and well */":             {true, false},
	} {
		r := compile(t, rule)
		require.Equal(t, want[0], r.Matches(known), rule)
		require.Equal(t, want[1], r.Matches(stranger), "a stranger: %s", rule)
	}
}

func TestWhatIsWrongWithARuleIsSaidWithItsPlace(t *testing.T) {
	for rule, want := range map[string]string{
		``:                                   `line 1, column 1: empty; write what has to be true`,
		`days_sinc > 9`:                      `line 1, column 1: "days_sinc" is not something a rule can ask about; did you mean days_since?`,
		"orders > 1\n  and contry == \"DE\"": `line 2, column 7: "contry" is not something a rule can ask about; did you mean country?`,
		`weather == "nice"`:                  `the names are orders, purchase_days, first_day`,
		`segment == "loyal"`:                 `did you mean rfm_segment?`,
		`rfm_segment == "champion"`:          `line 1, column 13: rfm_segment is never "champion"; did you mean "champions"?`,
		`lifecycle in ["active", "asleep"]`:  `lifecycle is never "asleep"; it can be prospect, first_time, active, won_back, slipping, lapsed, lost`,
		`consent == true`:                    `consent, a text cannot be compared with a question`,
		`orders = 2`:                         `line 1, column 8: one = is not enough; == compares`,
		`orders > "2"`:                       `line 1, column 8: orders, a number cannot be compared with a text`,
		`orders >`:                           `cannot be read here`,
		`orders > 1 and`:                     `cannot be read here`,
		`(orders > 1`:                        `cannot be read here`,
		`"unclosed`:                          `cannot be read here`,
		`orders + 1`:                         `a number is no answer; ask something that is true or false`,
		`country`:                            `country, a text is no answer`,
		`not orders == 2`:                    `not needs a question after it, and orders, a number is none; parentheses may help`,
		`-country == "x"`:                    `- needs a number after it`,
		`orders and net > 5`:                 `and joins questions, and orders, a number is none`,
		`first_day > "31.1.2026"`:            `"31.1.2026" is not a day; write it as year, month and day`,
		`first_day > 5`:                      `first_day, a day cannot be compared with a number`,
		`country > "DE"`:                     `country, a text, has no order`,
		`country == city`:                    `compare a field with a text in quotes`,
		`"a" == "a"`:                         `compare a field with a text in quotes`,
		`categories == "tea"`:                `== does not work with a list; write "x" in a list`,
		`categories in ["tea"]`:              `categories, a list cannot be in a list of texts`,
		`country in "DE"`:                    `in needs a list after it`,
		`"DE" in ["DE"]`:                     `write a field before in`,
		`country in categories`:              `write a text in quotes before "in categories"`,
		`country in []`:                      `an empty list`,
		`country in ["DE", 5]`:               `a list has either texts or numbers`,
		`country in [city]`:                  `a list has either texts or numbers`,
		`orders in ["1"]`:                    `orders, a number cannot be in a list of texts`,
		`city contains 5`:                    `contains needs a text in quotes after it`,
		`orders contains "5"`:                `contains needs a field that is a text before it`,
		`city matches "B.*"`:                 `matches is not possible in a rule; compare with`,
		`orders ** 2 > 4`:                    `** is not possible in a rule`,
		`orders in 1..5`:                     `.. is not possible in a rule`,
		`net + country > 1`:                  `+ reckons with numbers, and country, a text is none`,
		`has_any(country, ["x"])`:            `has_any() takes a field that is a list`,
		`has_all(tags, "x")`:                 `has_all() takes a field that is a list, and texts`,
		`has_all(tags, tags)`:                `has_all() takes a field that is a list, and texts`,
		`has_al(tags, ["x"])`:                `has_al() is no function; did you mean has_all()?`,
		`fetch("x")`:                         `fetch() is no function; the functions are known(field)`,
		`known(5)`:                           `known() takes one field`,
		`len(tags) > 1`:                      `len() is not possible in a rule; the functions are known(field)`,
		`any(tags, # == "x")`:                `any() is not possible in a rule`,
		`all(tags, {# == "x"})`:              `all() is not possible in a rule`,
		`country ?? "x" == "y"`:              `cannot be read here`,
		`orders > 1 ? true : false`:          `not possible in a rule; join questions`,
		`if orders > 1 {true} else {false}`:  `not possible in a rule`,
		`let x = 1; x > 0`:                   `not possible in a rule`,
		`country.foo == "x"`:                 `not possible in a rule`,
		`(country ?? "x") == "y"`:            `?? is not possible`,
		`tags[0] == "x"`:                     `not possible in a rule`,
		`tags[0:1] == "x"`:                   `not possible in a rule`,
		`{"a": 1} == 1`:                      `not possible in a rule`,
		`country == nil`:                     `not possible in a rule`,
		`orders > 1; true`:                   `not possible in a rule`,
		`tags | has_any(["x"]) `:             ``, // another way to write a call, harmless
		`country.lower() == "x"`:             `not possible in a rule; the functions are`,
		strings.Repeat(" ", 10_001):          `empty`,
		strings.Repeat("x", 10_001):          `10001 bytes long, at most 10000`,
		"orders > 1" + strings.Repeat(" or orders > 1", 600): `more than 1000 parts`,
	} {
		_, err := segment.Compile(segment.Own{ID: "test", Rule: rule}, nil)
		if rule == `tags | has_any(["x"]) ` {
			require.NoError(t, err)
			continue
		}
		var located *segment.RuleError
		require.ErrorAs(t, err, &located, rule)
		require.ErrorContains(t, err, want, rule)
	}
}

func TestAnythingThatIsWrittenIsEitherARuleOrRefused(t *testing.T) {
	words := []string{
		"orders", "country", "tags", "first_day", "net", "and", "or", "not", "in", "==", "=", "<", ">=", "(", ")", "[", "]", "{", "}", ",",
		`"DE"`, `"2026-01-31"`, "'", `"`, "5", "-1", "1e400", "0x1F", "99999999999999999999", "known", "has_any", "contains", "matches", "+", "/", "*", "?", ":",
		"??", ".", "..", "#", "|", ";", "let", "if", "nil", "true", "map", "filter", "reduce", "len", "now", "\n", "$env", "é", "\x00", "::", "%", "^", "@",
	}
	person, stranger := alma(t), &segment.Person{}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 30).Draw(t, "words"), rapid.SampledFrom([]string{" ", ""}).Draw(t, "space"))
		r, err := segment.Compile(segment.Own{ID: "test", Rule: text}, nil)
		if err != nil {
			var located *segment.RuleError
			require.True(t, errors.As(err, &located), "%T", err)
			require.Positive(t, located.Line)
			require.Positive(t, located.Column)
			return
		}
		require.Equal(t, r.Matches(person), r.Matches(person))
		r.Matches(stranger)
		again, err := segment.Compile(segment.Own{ID: "test", Rule: text}, nil)
		require.NoError(t, err)
		require.Equal(t, r.Version, again.Version)
	})
}

func TestNotKnownIsNeitherTrueNorFalse(t *testing.T) {
	atoms := []string{`orders == 0`, `orders > 0`, `country == "DE"`, `days_since > 90`, `p_alive > 0.5`, `"vip" in tags`}
	stranger := &segment.Person{}
	rapid.Check(t, func(t *rapid.T) {
		pick := rapid.SampledFrom(atoms)
		a, b := pick.Draw(t, "a"), pick.Draw(t, "b")
		is := func(rule string) bool { r := compile(t, rule); return r.Matches(stranger) }
		require.False(t, is(a) && is("not ("+a+")"))
		require.Equal(t, is("not ("+a+" and "+b+")"), is("not ("+a+") or not ("+b+")"), "De Morgan")
		require.Equal(t, is("not ("+a+" or "+b+")"), is("not ("+a+") and not ("+b+")"), "De Morgan")
		require.Equal(t, is(a+" and "+b), is(b+" and "+a))
		require.Equal(t, is(a+" or "+b), is(b+" or "+a))
	})
}

func TestTheVersionFollowsTheMeaning(t *testing.T) {
	plain := compile(t, `orders >= 2 and country == "DE"`)
	require.Regexp(t, `^[0-9a-f]{12}$`, plain.Version)
	require.Equal(t, "75c791ee7f9c", plain.Version, "a new version would open a new membership for everybody")
	for _, same := range []string{"orders>=2 and\n\tcountry=='DE'", `(orders >= 2) and (country == "DE") // the neighbours`} {
		require.Equal(t, plain.Version, compile(t, same).Version, same)
	}
	for _, other := range []string{`orders >= 3 and country == "DE"`, `orders >= 2 or country == "DE"`, `orders >= 2 and country == "AT"`} {
		require.NotEqual(t, plain.Version, compile(t, other).Version, other)
	}
	_, err := segment.Compile(segment.Own{ID: "test", Rule: `rfm_segment == "soulmates"`}, []string{"champions", "loyal"})
	require.ErrorContains(t, err, `rfm_segment is never "soulmates"; it can be champions, loyal`)
}

func TestARuleSaysWhatItAskedAndFound(t *testing.T) {
	r, err := segment.Compile(segment.Own{
		ID: "tea_lovers", Action: "Send the tea calendar.",
		Rule: ` "tea" in categories and country == "DE" and (net > 100 or orders > 3) and last_day > "2026-01-01" and orders < 90 `,
	}, nil)
	require.NoError(t, err)
	require.Equal(t, "Tea lovers", r.Name)
	require.Equal(t, "Send the tea calendar.", r.Action)
	require.Equal(t, strings.TrimSpace(r.Meaning), r.Meaning)
	require.Equal(t, []string{"orders", "last_day", "net", "categories", "country"}, r.Uses())
	require.Equal(t, []segment.Input{
		{Field: "orders", Value: "4"},
		{Field: "last_day", Value: `"2026-11-02"`},
		{Field: "net", Value: "399.99"},
		{Field: "categories", Value: `["Tea", "Gifts"]`},
		{Field: "country", Value: `"DE"`},
	}, r.Inputs(alma(t)))
	require.Equal(t, []segment.Input{
		{Field: "orders", Value: "0"}, {Field: "last_day"}, {Field: "net", Value: "0"}, {Field: "categories", Value: "[]"}, {Field: "country"},
	}, r.Inputs(&segment.Person{}))
}

func TestEveryFieldCanBeAsked(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range segment.Fields() {
		require.False(t, seen[f.Name], f.Name)
		seen[f.Name] = true
		require.NotEmpty(t, f.Meaning)
		require.NotEmpty(t, f.Group)
		rule := map[segment.Kind]string{
			segment.Number: " > -1e9", segment.Text: ` != "?"`, segment.List: ` not contains "?"`, segment.Day: ` > "1990-01-01"`,
		}[f.Kind]
		if len(f.Values) > 0 {
			rule = ` in ["` + strings.Join(f.Values, `", "`) + `"]`
		}
		if f.Name == "rfm_segment" {
			rule = ` == "loyal"`
		}
		r := compile(t, f.Name+rule)
		require.True(t, r.Matches(alma(t)), f.Name)
		require.Equal(t, []string{f.Name}, r.Uses())
		require.Equal(t, f.Kind == segment.List || strings.Contains(" orders purchase_days gross net refunded ", " "+f.Name+" "),
			r.Matches(&segment.Person{}), "%s of a stranger", f.Name)
	}
}

func TestOwnSegmentsHaveProperIDs(t *testing.T) {
	rules, err := segment.CompileAll([]segment.Own{
		{ID: "germans", Name: "Our Germans", Rule: `country == "DE"`}, {ID: "big_2", Rule: `net > 1000`},
	}, nil)
	require.NoError(t, err)
	require.Equal(t, "Our Germans", rules[0].Name)
	require.Equal(t, "big_2", rules[1].ID)
	_, err = segment.CompileAll([]segment.Own{
		{ID: "a", Rule: `true`},
		{ID: "a", Rule: `true`},
		{ID: "Big Ones", Rule: `true`},
		{ID: "vip_", Rule: `true`},
		{ID: "very__loyal", Rule: `true`},
		{ID: "loyal", Rule: `true`},
		{ID: "don_juan", Rule: `true`},
		{ID: "customers", Rule: `true`},
		{ID: "tier_top", Rule: `true`},
		{ID: "broken", Rule: "orders >"},
		{ID: "typo", Rule: "order > 2"},
	}, nil)
	for _, want := range []string{
		`segment id "a": given twice`, `segment id "Big Ones": must begin with a letter`, `segment id "vip_": must`, `segment id "very__loyal": must`, `segment id "loyal": already the id of a built-in segment`,
		`segment id "don_juan": already`, `segment id "customers": already`, `segment id "tier_top": already`,
		`segment "broken": rule: line 1, column`, `segment "typo": rule: line 1, column 1: "order" is not something a rule can ask about; did you mean orders?`,
	} {
		require.ErrorContains(t, err, want)
	}
	require.Equal(t, "lifecycle_lost", segment.Key(segment.SchemeLifecycle, "lost"))
	require.Equal(t, "lost", segment.Key("rfm", "lost"))
}

func BenchmarkRule(b *testing.B) {
	person := alma(b)
	for name, rule := range map[string]string{
		"simple": `orders >= 2 and country == "DE"`,
		"rich": `orders >= 2 and days_since <= 90 and country in ["DE", "AT", "CH"] and has_any(categories, ["coffee", "gifts"])
			and p_alive > 0.5 and consent == "subscribed" and not (lifecycle == "lost") and net / orders > 50`,
	} {
		b.Run(name, func(b *testing.B) {
			r := compile(b, rule)
			b.ReportAllocs()
			for b.Loop() {
				if !r.Matches(person) {
					b.Fatal("no match")
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "people/s")
		})
	}
}
