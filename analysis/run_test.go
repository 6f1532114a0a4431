package analysis_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/analysis/rfm"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// memory is a shop in memory: orders, and the membership that stands.
type memory struct {
	shop      analysis.Shop
	orders    []order
	standing  map[int64]analysis.Member
	places    map[int64]analysis.Standing
	rules     map[string]string
	traits    map[int64]segment.Person
	asked     []string        // traits
	costs     map[int64]int64 // of everything a person bought, where known
	asOf      time.Time       // of the aggregates
	refreshes []bool          // full or not
	saves     int
	fail      error
}

type order struct {
	person     int64
	at         time.Time
	gross, net int64
	counted    bool // false: refunded to zero, so that it is no purchase
}

func (m *memory) Shop(context.Context) (analysis.Shop, error) { return m.shop, nil }

func (m *memory) Refresh(_ context.Context, asOf time.Time, full bool) (int, error) {
	m.asOf = asOf
	m.refreshes = append(m.refreshes, full)
	return len(m.orders), m.fail
}

func (m *memory) Customers(ctx context.Context) ([]analysis.Customer, error) {
	all, err := m.CustomersAsOf(ctx, m.asOf)
	for i := range all {
		all[i].Standing = m.places[all[i].Person]
	}
	return all, err
}

func (m *memory) Rules(context.Context) (map[string]string, error) { return m.rules, nil }

func (m *memory) Traits(_ context.Context, fields []string, _ time.Time, each func(int64, *segment.Person)) error {
	m.asked = fields
	for person, traits := range m.traits {
		each(person, &traits)
	}
	return nil
}

func (m *memory) TraitsOf(_ context.Context, person int64, fields []string, _ time.Time) (segment.Person, error) {
	m.asked = fields
	return m.traits[person], nil
}

func (m *memory) CustomersAsOf(_ context.Context, asOf time.Time) ([]analysis.Customer, error) {
	people := map[int64]*analysis.Customer{}
	var last int64
	for _, o := range m.orders {
		if !o.at.Before(asOf) {
			continue
		}
		c := people[o.person]
		if c == nil {
			member := m.standing[o.person]
			c = &analysis.Customer{Person: o.person, Score: member.Score, Segment: member.Segment}
			people[o.person] = c
			last = max(last, o.person)
		}
		if o.counted {
			m.bought(c, o)
		}
		c.Gross += o.gross
		c.Net += o.net
	}
	var all []analysis.Customer
	for person := int64(0); person <= last; person++ {
		if c := people[person]; c != nil {
			all = append(all, *c)
		}
	}
	return all, nil
}

// bought adds a purchase; those of one person come in any order, no two on a day.
func (m *memory) bought(c *analysis.Customer, o order) {
	day := analysis.Day(o.at, m.shop.Location)
	c.Orders++
	c.Days++
	c.Bought += o.net
	switch {
	case c.Days == 1:
		c.FirstDay, c.LastDay, c.FirstBought = day, day, o.net
	case day > c.LastDay:
		c.PreviousDay, c.LastDay = c.LastDay, day
	case day < c.FirstDay:
		c.FirstDay, c.FirstBought = day, o.net
		c.PreviousDay = max(c.PreviousDay, day)
	default:
		c.PreviousDay = max(c.PreviousDay, day)
	}
}

func (m *memory) Save(_ context.Context, r analysis.Result) (analysis.Saved, error) {
	m.saves++
	saved := analysis.Saved{Left: len(r.Left)}
	for _, member := range r.Members {
		switch stands, ok := m.standing[member.Person]; {
		case !ok:
			saved.Entered++
		case stands.Segment != member.Segment:
			saved.Moved++
		default:
			saved.Scored++
		}
		m.standing[member.Person] = member
	}
	for _, person := range r.Left {
		delete(m.standing, person)
	}
	for _, placed := range r.Standings {
		m.places[placed.Person] = placed.Standing
	}
	m.rules[r.Scheme.Name] = r.Scheme.Rule
	for _, d := range r.Divisions {
		m.rules[d.Scheme.Name] = d.Scheme.Rule
	}
	saved.Placed = len(r.Standings)
	return saved, nil
}

var berlin = func() *time.Location {
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return loc
}()

// invented is a shop of n customers: person i ordered i times, the last time i days before 20 March 2026.
func invented(n int) *memory {
	m := &memory{
		shop:     analysis.Shop{Name: "Example", Currency: "EUR", Location: berlin, Loaded: true},
		standing: map[int64]analysis.Member{}, places: map[int64]analysis.Standing{}, rules: map[string]string{},
	}
	last := time.Date(2026, 3, 20, 18, 0, 0, 0, berlin)
	for i := 1; i <= n; i++ {
		for k := range 1 + i%7 {
			m.orders = append(m.orders, order{
				person: int64(i), at: last.AddDate(0, 0, -i-10*k), gross: int64(i) * 10_000, net: int64(n-i) * 10_000, counted: true,
			})
		}
	}
	return m
}

func clock(year int, month time.Month, day, hour int) func() time.Time {
	return func() time.Time { return time.Date(year, month, day, hour, 0, 0, 0, berlin) }
}

func run(t *testing.T, m *memory, o analysis.Options) analysis.Outcome {
	t.Helper()
	if o.Now == nil {
		o.Now = clock(2026, 3, 21, 3)
	}
	out, err := analysis.Run(t.Context(), m, o)
	require.NoError(t, err)
	return out
}

func TestANightScoresEverybodyAndTheSecondRunChangesNothing(t *testing.T) {
	m := invented(200)
	out := run(t, m, analysis.Options{})
	require.Equal(t, time.Date(2026, 3, 21, 0, 0, 0, 0, berlin).UTC(), out.Result.AsOf.UTC())
	require.Equal(t, "2026-03-21", analysis.Date(out.Result.Day).Format(time.DateOnly))
	require.Equal(t, 200, out.Customers)
	require.Equal(t, analysis.Saved{Entered: 200, Placed: 200}, out.Saved)
	require.Len(t, out.Result.Members, 200)
	require.Len(t, out.Result.Groups, len(segment.Definitions()))
	total := 0
	for i, g := range out.Result.Groups {
		require.Equal(t, segment.Definitions()[i].ID, g.Segment)
		total += g.Customers
	}
	require.Equal(t, 200, total)
	require.EqualValues(t, 2, out.Thresholds.Recency[4].Min, "person 1 bought on the 19th, two days before the 21st")

	again := run(t, m, analysis.Options{})
	require.Empty(t, again.Result.Members)
	require.Equal(t, analysis.Saved{}, again.Saved)
	require.Equal(t, out.Result.Groups, again.Result.Groups)
	require.Equal(t, out.Result.Scheme, again.Result.Scheme)
	for _, move := range again.Moves {
		require.Equal(t, move.From, move.To)
	}
}

func TestAShopThatIsNotLoadedIsRefusedAndLeftAlone(t *testing.T) {
	m := invented(5)
	m.shop.Loaded = false
	_, err := analysis.Run(t.Context(), m, analysis.Options{Now: clock(2026, 3, 21, 3)})
	require.ErrorIs(t, err, analysis.ErrNotLoaded)
	require.ErrorContains(t, err, "shop Example")
	require.Zero(t, m.saves)
	require.Empty(t, m.refreshes)
}

func TestThePastSavesNothingAndListsEverybody(t *testing.T) {
	m := invented(200)
	run(t, m, analysis.Options{})
	out := run(t, m, analysis.Options{AsOf: time.Date(2025, 12, 31, 15, 30, 0, 0, berlin)})
	require.True(t, out.Past)
	require.Equal(t, 1, m.saves)
	require.Len(t, m.refreshes, 1)
	require.Equal(t, out.Customers, len(out.Result.Members))
	require.Less(t, out.Customers, 200)
	require.Nil(t, out.Moves)
	require.Equal(t, time.Date(2025, 12, 31, 0, 0, 0, 0, berlin).Unix(), out.Result.AsOf.Unix())

	today := run(t, m, analysis.Options{Past: true})
	require.True(t, today.Past)
	require.Equal(t, 1, m.saves)
}

func TestTheFutureIsRefused(t *testing.T) {
	_, err := analysis.Run(t.Context(), invented(1), analysis.Options{Now: clock(2026, 3, 21, 3), AsOf: clock(2026, 3, 22, 3)()})
	require.ErrorIs(t, err, analysis.ErrFuture)
	require.ErrorContains(t, err, "2026-03-21")
}

func TestAPersonWithoutCountedOrdersIsLeftOut(t *testing.T) {
	m := invented(120)
	run(t, m, analysis.Options{})
	for i := range m.orders {
		if m.orders[i].person == 7 {
			m.orders[i].counted = false
		}
	}
	before := m.standing[7].Segment
	require.Empty(t, run(t, m, analysis.Options{Past: true}).Result.Left, "a look back takes nobody's membership away")
	out := run(t, m, analysis.Options{})
	require.Equal(t, 119, out.Customers)
	require.Equal(t, []int64{7}, out.Result.Left)
	require.Equal(t, 1, out.Saved.Left)
	require.Contains(t, out.Moves, segment.Move{From: before, To: "", Customers: 1})
	require.Empty(t, run(t, m, analysis.Options{}).Result.Left, "gone is gone")
}

func TestTheBasisDecidesTheMonetaryScore(t *testing.T) {
	m := invented(200)
	net := run(t, m, analysis.Options{Past: true})
	gross := run(t, m, analysis.Options{Past: true, Basis: analysis.Gross})
	require.EqualValues(t, 5, net.Result.Members[5].Score.M)
	require.EqualValues(t, 1, gross.Result.Members[5].Score.M)
	require.Equal(t, net.Result.Members[5].Score.R, gross.Result.Members[5].Score.R)
}

func TestTheVersionChangesWithWhatDecidesMembershipAndWithNothingElse(t *testing.T) {
	m := invented(120)
	version := func(o analysis.Options) string {
		o.Past = true
		return run(t, m, o).Result.Scheme.Version
	}
	base := version(analysis.Options{})
	require.Len(t, base, 12)
	require.Equal(t, base, version(analysis.Options{Rule: rfm.Rule{Convention: rfm.RankMin, Bins: 5}}), "asking for what is used anyway")
	require.Equal(t, base, version(analysis.Options{Segments: map[string]string{"555": "champions"}}), "an override that says what the map says")
	require.Equal(t, base, version(analysis.Options{AsOf: time.Date(2026, 3, 20, 0, 0, 0, 0, berlin)}), "another day")
	seen := map[string]string{base: "default"}
	for name, o := range map[string]analysis.Options{
		"convention": {Rule: rfm.Rule{Convention: rfm.QuantileCut}},
		"bins":       {Rule: rfm.Rule{Bins: 3}},
		"basis":      {Basis: analysis.Gross},
		"map":        {Segments: map[string]string{"555": "loyal"}},
		"preset":     {Preset: "klaviyo"},
		"thresholds": {Rule: rfm.Rule{Convention: rfm.Thresholds, Recency: []int{9}, Frequency: []int{2}, Monetary: []int64{1}}},
	} {
		v := version(o)
		require.Empty(t, seen[v], "%s has the version of %s", name, seen[v])
		seen[v] = name
	}
}

func TestTheRuleReadsBackFromItsJSON(t *testing.T) {
	out := run(t, invented(50), analysis.Options{Past: true, Segments: map[string]string{"5*4": "loyal"}, Basis: analysis.Gross})
	rule, err := analysis.ParseRule(out.Result.Scheme.Rule)
	require.NoError(t, err)
	require.Equal(t, out.Rule, rule)
	require.Equal(t, 3, rule.Used)
	require.Equal(t, "3 scores instead of 5, because there are only 50 customers; five begin at 100. "+
		`4 of the 11 groups of "The usual eleven", because there are only 50 customers; all begin at 110, 10 for each.`, out.Note)
	definitions, err := analysis.Definitions(analysis.SchemeRFM, out.Result.Scheme.Rule)
	require.NoError(t, err)
	require.Equal(t, out.Preset.Groups, definitions)
	_, err = analysis.ParseRule("{")
	require.ErrorContains(t, err, "scheme rule")
}

func TestOptionsThatMakeNoSenseStopBeforeAnythingIsRead(t *testing.T) {
	m := invented(5)
	for want, o := range map[string]analysis.Options{
		`revenue "profit"`:               {Basis: "profit"},
		`rfm convention "best"`:          {Rule: rfm.Rule{Convention: "best"}},
		`"whales" is not a segment; the`: {Segments: map[string]string{"555": "whales"}},
	} {
		o.Now = clock(2026, 3, 21, 3)
		_, err := analysis.Run(t.Context(), m, o)
		require.ErrorContains(t, err, want)
	}
	require.Empty(t, m.refreshes)
}

func TestAFailedRefreshIsPassedOnAndNothingIsSaved(t *testing.T) {
	m := invented(5)
	m.fail = errors.New("connection lost")
	_, err := analysis.Run(t.Context(), m, analysis.Options{Now: clock(2026, 3, 21, 3), Full: true})
	require.ErrorIs(t, err, m.fail)
	require.Equal(t, []bool{true}, m.refreshes)
	require.Zero(t, m.saves)
}

func TestDaysBeginWhereTheShopIs(t *testing.T) {
	for _, c := range []struct{ zone, day, want string }{
		{"Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z"},
		{"Europe/Berlin", "2026-03-30", "2026-03-29T22:00:00Z"},
		{"Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00Z"},      // midnight is skipped: the day begins at 01:00
		{"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"},   // the hour after midnight comes twice: the first
		{"America/Asuncion", "2023-03-26", "2023-03-26T04:00:00Z"}, // the hour before midnight comes twice
		{"Pacific/Kiritimati", "2026-01-01", "2025-12-31T10:00:00Z"},
		{"Asia/Kathmandu", "2026-01-01", "2025-12-31T18:15:00Z"},
	} {
		t.Run(fmt.Sprint(c.zone, " ", c.day), func(t *testing.T) {
			loc, err := time.LoadLocation(c.zone)
			require.NoError(t, err)
			date, err := time.Parse(time.DateOnly, c.day)
			require.NoError(t, err)
			start := analysis.StartOfDay(analysis.Day(date, time.UTC), loc)
			require.Equal(t, c.want, start.UTC().Format(time.RFC3339))
			require.Equal(t, c.day, analysis.Date(analysis.Day(start, loc)).Format(time.DateOnly))
			require.NotEqual(t, c.day, start.Add(-time.Second).In(loc).Format(time.DateOnly))
		})
	}
}

// fixed hands out the same customers again and again.
type fixed struct {
	memory
	customers []analysis.Customer
}

func (f *fixed) Customers(context.Context) ([]analysis.Customer, error) { return f.customers, nil }

func (f *fixed) Save(context.Context, analysis.Result) (analysis.Saved, error) {
	return analysis.Saved{}, nil
}

func BenchmarkRunOfAMillionCustomers(b *testing.B) {
	f := &fixed{memory: *invented(0), customers: make([]analysis.Customer, 1_000_000)}
	for i := range f.customers {
		days := 1 + i%13*(i%3)
		f.customers[i] = analysis.Customer{
			Person: int64(i), Orders: days, Days: days, FirstDay: 19_500, LastDay: 19_500 + min(days-1, 1)*(20+i*7919%1000), PreviousDay: 19_500,
			Net: int64(i) * 104_729 % 9_999_991, Bought: int64(i) * 104_729 % 9_999_991, FirstBought: int64(i) * 104_729 % 9_999_991 / int64(days),
			Segment: segment.Definitions()[i%11].ID,
		}
	}
	worth := &analysis.Worth{
		Kind: clv.BGNBD, AnnualRate: 0.1, Horizon: 365, Spend: clv.SpendFit{GammaGamma: clv.GammaGamma{P: 6.25, Q: 3.74, Gamma: 15.44}, Identified: true, Converged: true},
		Fit: &analysis.Fit{Kind: clv.BGNBD, Params: []clv.Param{
			{Name: "r", Value: 0.2425945}, {Name: "alpha", Value: 4.413602}, {Name: "a", Value: 0.792922}, {Name: "b", Value: 2.425907},
		}},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := analysis.Run(b.Context(), f, analysis.Options{Now: clock(2026, 3, 21, 3), Worth: worth}); err != nil {
			b.Fatal(err)
		}
	}
}
