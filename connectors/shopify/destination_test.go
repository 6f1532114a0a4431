package shopify

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-json"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
)

// writing is a destination whose shop answers by a function.
func writing(t *testing.T, answer func(asked question) string) (*destination, *wire) {
	t.Helper()
	a, w := wired(t, legacy(), func(h heard) told {
		var q question
		require.NoError(t, json.Unmarshal([]byte(h.body), &q))
		return told{body: answer(q)}
	})
	d, err := newDestination(a, "perennial")
	require.NoError(t, err)
	d.types = map[string]string{"segment": textType, "rfm": textType}
	return d, w
}

// question is what the destination asks of a shop.
type question struct {
	Query     string         `json:"query"`
	Variables map[string]any `json:"variables"`
}

func TestPrefixMustFitANamespace(t *testing.T) {
	for prefix, fits := range map[string]bool{
		"": true, "perennial": true, "my-shop_2": true, "abc": true,
		"ab": false, "Perennial": false, "a b": false, "shopify": false, "shopify_x": false, "protected": false, "a:b": false,
		"per,ennial": false, strings.Repeat("a", 41): false,
	} {
		_, err := newDestination(&api{}, prefix)
		require.Equal(t, fits, err == nil, prefix)
		if err != nil {
			require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
			require.NotEmpty(t, connectors.Remedy(err))
		}
	}
}

func TestWishes(t *testing.T) {
	d := &destination{prefix: "perennial"}
	person := connectors.Person{ID: 1, CustomerID: "7"}
	tests := map[string]struct {
		change connectors.Change
		state  connectors.OutcomeState
		reason string
		wish   wish
	}{
		"guest":          {change: connectors.Change{Person: connectors.Person{ID: 1}, Audiences: []string{"a"}}, state: connectors.Withheld, reason: connectors.ReasonNoAccount},
		"foreign id":     {change: connectors.Change{Person: connectors.Person{ID: 1, CustomerID: "12a"}, Audiences: []string{"a"}}, state: connectors.Refused},
		"negative id":    {change: connectors.Change{Person: connectors.Person{ID: 1, CustomerID: "-1"}, Audiences: []string{"a"}}, state: connectors.Refused},
		"nothing":        {change: connectors.Change{Person: person}, state: connectors.Unchanged},
		"comma":          {change: connectors.Change{Person: person, Audiences: []string{"a,b"}}, state: connectors.Refused},
		"comma leaving":  {change: connectors.Change{Person: person, Leave: []string{"vip,perennial"}}, state: connectors.Refused},
		"too long":       {change: connectors.Change{Person: person, Audiences: []string{strings.Repeat("a", 246)}}, state: connectors.Refused},
		"odd attribute":  {change: connectors.Change{Person: person, Attributes: map[string]string{"a.b": "1"}}, state: connectors.Refused},
		"joins once":     {change: connectors.Change{Person: person, Audiences: []string{"b", "a", "b"}}, wish: wish{join: []string{"a", "b"}}},
		"stays":          {change: connectors.Change{Person: person, Audiences: []string{"a"}, Leave: []string{"a", "b"}}, wish: wish{join: []string{"a"}, leave: []string{"b"}}},
		"blank goes":     {change: connectors.Change{Person: person, Attributes: map[string]string{"x": "", "y": "1"}}, wish: wish{set: map[string]string{"y": "1"}, drop: []string{"x"}}},
		"set not drop":   {change: connectors.Change{Person: person, Attributes: map[string]string{"y": "1"}, Drop: []string{"y"}}, wish: wish{set: map[string]string{"y": "1"}}},
		"drop only":      {change: connectors.Change{Person: person, Drop: []string{"y", "x"}}, wish: wish{drop: []string{"x", "y"}}},
		"leave only":     {change: connectors.Change{Person: person, Leave: []string{"a"}}, wish: wish{leave: []string{"a"}}},
		"longest allows": {change: connectors.Change{Person: person, Audiences: []string{strings.Repeat("a", 245)}}, wish: wish{join: []string{strings.Repeat("a", 245)}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, said := d.wishFor(tt.change)
			if tt.state != "" {
				require.NotNil(t, said)
				require.Equal(t, tt.state, said.State)
				require.Contains(t, said.Reason, tt.reason)
				return
			}
			require.Nil(t, said)
			require.Equal(t, []any{int64(1), "7"}, []any{got.person, got.customer})
			for _, pair := range [][2][]string{{tt.wish.join, got.join}, {tt.wish.leave, got.leave}, {tt.wish.drop, got.drop}} {
				require.ElementsMatch(t, pair[0], pair[1])
			}
			require.True(t, maps.Equal(tt.wish.set, got.set), "%v", got.set)
		})
	}
}

func TestKeysOfMetafieldsGoThereAndBack(t *testing.T) {
	for _, key := range []string{"r", "f", "m", "segment", "score_board", "predicted_value", "rfm"} {
		field := fieldOf(key)
		require.GreaterOrEqual(t, len(field), 2)
		require.Equal(t, key, attributeOf(field))
	}
	require.Equal(t, []string{integerType, decimalType, dateType, textType}, []string{
		fieldType("r"), fieldType("predicted_value"), fieldType("since"), fieldType("shoe_size"),
	})
	require.Equal(t, []string{"120", "1.5", "0", "120.0", "x"}, []string{
		plain("120.0", decimalType), plain("1.50", decimalType), plain("0.0", decimalType), plain("120.0", textType), plain("x", decimalType),
	})
}

// drawWishes makes people of whom some share nothing and some have more metafields than one mutation takes.
func drawWishes(t *rapid.T) []wish {
	keys := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,6}`), 0, 30, rapid.ID[string])
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) wish {
		w := wish{customer: fmt.Sprint(rapid.IntRange(1, 1e9).Draw(t, "customer")), set: map[string]string{}}
		w.join, w.leave, w.drop = keys.Draw(t, "join"), keys.Draw(t, "leave"), keys.Draw(t, "drop")
		for _, key := range keys.Draw(t, "set") {
			w.set[key] = "v"
		}
		return w
	}), 1, 12).Draw(t, "wishes")
}

func TestCallsHoldEverythingOnceInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &destination{prefix: "perennial"}
		wishes := drawWishes(t)
		joined, left := make([]int, len(wishes)), make([]int, len(wishes))
		fields, keys := 0, 0
		order := steplist()
		for _, c := range d.calls(wishes) {
			order = order[slices.Index(order, c.step):] // panics where a step comes back
			require.LessOrEqual(t, len(c.fields), perCall)
			require.LessOrEqual(t, len(c.keys), perCall)
			require.True(t, len(c.tags) > 0 || len(c.fields) > 0 || len(c.keys) > 0)
			switch c.step {
			case adding:
				joined[c.wishes[0]] += len(c.tags)
			case removing:
				left[c.wishes[0]] += len(c.tags)
			}
			fields += len(c.fields)
			keys += len(c.keys)
		}
		for place, w := range wishes {
			require.Equal(t, []int{len(w.join), len(w.leave)}, []int{joined[place], left[place]})
			fields -= len(w.set)
			keys -= len(w.drop)
		}
		require.Equal(t, []int{0, 0}, []int{fields, keys})
		require.InDelta(t, mutations(wishes), len(d.calls(wishes)), float64(2*len(wishes)))
	})
}

func TestJobsGoThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "people")
		place := rapid.Int64Range(0, int64(n-1))
		j := job{Version: jobVersion, People: rapid.SliceOfN(rapid.Int64(), n, n).Draw(t, "ids")}
		j.Failed = []failure{{State: connectors.Refused, Reason: "why", Places: rapid.SliceOfN(place, 1, 9).Draw(t, "failed")}}
		j.Files = []sheet{
			{Step: removing, Path: "tmp/1", Lines: rapid.SliceOfN(place, 1, 300).Draw(t, "lines"), Operation: "gid://shopify/BulkOperation/1"},
			{Step: adding, Path: "tmp/2", Lines: connectors.Numbers{0}},
		}
		text, err := j.text()
		require.NoError(t, err)
		back, err := openJob(text)
		require.NoError(t, err)
		require.Equal(t, j, back)
	})
}

// Each file costs two calls, and tagging a hundred thousand customers shall take ten at most, definitions included.
func TestEverybodyHandedOverFitsIntoOneFile(t *testing.T) {
	d := &destination{prefix: "perennial", types: map[string]string{}}
	w := wish{customer: "7000000000001", set: map[string]string{
		"segment": "potential_loyalist", "segment_name": "Potential Loyalist", "rfm": "545", "r": "5", "f": "4", "m": "5",
		"since": "2026-11-02", "lifecycle": "first_time", "value_tier": "middle", "predicted_value": "12000.00",
		"next_order_week": "2026-12-07", "churn_risk": "medium",
	}}
	for key := range w.set {
		d.types[fieldOf(key)] = fieldType(key)
	}
	calls := d.callsOf(setting, 0, w)
	require.Len(t, calls, 1)
	line, err := json.Marshal(calls[0].variables())
	require.NoError(t, err)
	require.Less(t, (len(line)+1)*peopleAtOnce, fileSize, "%s", line)
	require.Less(t, fileSize+1<<20, maxUpload)
}

func TestJobOfManyPeopleIsSmall(t *testing.T) {
	j := job{Version: jobVersion}
	person := int64(4_000_000)
	var lines connectors.Numbers
	for place := range int64(100_000) {
		person += 1 + rand.Int64N(3)
		j.People = append(j.People, person)
		lines = append(lines, place)
	}
	for _, s := range steplist() {
		j.Files = append(j.Files, sheet{Step: s, Path: "tmp/92891250994/bulk/42fee3d2-c083-49c9-8f1f-efced2ac3bba/x.jsonl", Lines: lines})
	}
	text, err := j.text()
	require.NoError(t, err)
	require.Less(t, len(text), 50_000)
}

func TestJobsThatAreNotOursArePushedAnew(t *testing.T) {
	d := &destination{}
	for _, text := range []connectors.Job{
		"", "x", "{}", `{"v":1}`, `{"v":2,"people":"!!"}`, `{"v":2,"people":"AAAA","files":[{"path":"a","lines":"AAAA"}]}`,
		`{"v":2,"people":"","files":[{"step":"bulk_tags_add","path":"a","lines":"MgAAAP__"}]}`,
	} {
		_, err := d.Resume(t.Context(), text)
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err), "%s: %v", text, err)
	}
}

// resultFile is a result as Shopify writes it.
func resultFile(lines ...string) []byte { return []byte(strings.Join(lines, "\n")) }

func TestResultsAreReadLineByLine(t *testing.T) {
	good := func(line int) string {
		return fmt.Sprintf(`{"data":{"tagsAdd":{"node":{"id":"gid://shopify/Customer/1"},"userErrors":[]}},"__lineNumber":%d}`, line)
	}
	content := resultFile(
		good(5), good(0),
		`{"data":{"tagsAdd":{"node":null,"userErrors":[{"field":["id"],"message":"Customer does not exist"}]}},"__lineNumber":1}`,
		`{"data":{"tagsAdd":{"node":null,"userErrors":[{"field":["tags"],"message":"Tags cannot be more than 250"}]}},"__lineNumber":3}`,
		`{"errors":[{"message":"Internal error"}],"__lineNumber":4}`,
		`{"data":{"tagsAdd":null},"__lineNumber":6}`, `{"data":{"tagsAdd":{"userErrors":[]}},"__lineNumber":99}`,
		`{"data":{"tagsAdd":{"node":null,"userErrors":null}},"__lineNumber":8}`, `{"data":{"tagsAdd":{"node":{"id":"x"}}},"__lineNumber":"2"}`, `{"data":`, ``,
		good(7), // without a line end
	)
	for _, size := range []int64{1, 7, 100, 1 << 20} {
		a, _ := wired(t, legacy(), func(h heard) told {
			var from, to int
			_, err := fmt.Sscanf(h.ranged, "bytes=%d-%d", &from, &to)
			require.NoError(t, err)
			to = min(to+1, len(content))
			return told{
				status: 206, kind: "application/jsonl", body: string(content[from:to]),
				header: map[string]string{"Content-Range": fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(content))},
			}
		})
		d, err := newDestination(a, "")
		require.NoError(t, err)
		d.set.BulkChunk = size
		verdicts := slices.Repeat([]verdict{later("none")}, 9)
		require.NoError(t, d.results(t.Context(), "https://files.example/result", adding, verdicts))
		require.Equal(t, []verdict{
			{},
			gone(),
			later("none"),
			{state: connectors.Refused, reason: "Tags cannot be more than 250"},
			later("Internal error"),
			{},
			later("Shopify gave no answer for this customer"),
			{},
			unconfirmed(),
		}, verdicts, "parts of %d bytes", size)
	}
}

func TestAFailingNeighbourFailsAlone(t *testing.T) {
	var batches []string
	d, _ := writing(t, func(q question) string {
		batches = append(batches, q.Query)
		var out []string
		for i := range len(q.Variables) {
			fields, ok := q.Variables[fmt.Sprintf("m%d", i)].([]any)
			require.True(t, ok)
			text, err := json.Marshal(fields)
			require.NoError(t, err)
			answer := fmt.Sprintf(`{"metafields":[%s],"userErrors":[]}`, strings.TrimSuffix(strings.Repeat(`{"key":"rfm"},`, len(fields)), ","))
			if bytes.Contains(text, []byte("Customer/3\"")) {
				answer = `{"metafields":[],"userErrors":[{"field":["metafields","2","ownerId"],"message":"Owner does not exist.","code":"INVALID"}]}`
			}
			out = append(out, fmt.Sprintf(`"c%d":%s`, i, answer))
		}
		return `{"data":{` + strings.Join(out, ",") + `}}`
	})
	var changes []connectors.Change
	for id := range int64(5) {
		changes = append(changes, connectors.Change{
			Person: connectors.Person{ID: id + 1, CustomerID: fmt.Sprint(id + 1)}, Attributes: map[string]string{"rfm": "555"},
		})
	}
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	require.Len(t, batches, 2, "one for all, one with each of them alone")
	for _, o := range result.Outcomes {
		want := connectors.Delivered
		if o.PersonID == 3 {
			want = connectors.Withheld
		}
		require.Equal(t, want, o.State, "person %d: %s", o.PersonID, o.Reason)
	}
}

func TestWhatIsNotConfirmedIsNotDelivered(t *testing.T) {
	d := &destination{prefix: "perennial", api: &api{}}
	add := call{step: adding, tags: []string{"perennial:a"}}
	remove := call{step: removing, tags: []string{"perennial:a"}}
	set := call{step: setting, fields: []metafield{{}, {}}}
	for name, tt := range map[string]struct {
		call   call
		answer string
		good   bool
	}{
		"added":                    {add, `{"node":{"tags":["VIP","perennial:a"]}}`, true},
		"stands in another case":   {add, `{"node":{"tags":["Perennial:A"]}}`, true},
		"not added":                {add, `{"node":{"tags":["VIP"]}}`, false},
		"no node":                  {add, `{"node":null}`, false},
		"removed":                  {remove, `{"node":{"tags":["VIP"]}}`, true},
		"the merchant's own stays": {remove, `{"node":{"tags":["Perennial:A"]}}`, true},
		"still there":              {remove, `{"node":{"tags":["perennial:a"]}}`, false},
		"set":                      {set, `{"metafields":[{"key":"a"},{"key":"b"}]}`, true},
		"set in part":              {set, `{"metafields":[{"key":"a"}]}`, false},
		"dropped":                  {call{step: dropping}, `{"userErrors":[]}`, true},
		"silent":                   {add, `null`, false},
	} {
		var p *payload
		require.NoError(t, json.Unmarshal([]byte(tt.answer), &p))
		v := d.confirm(tt.call, p)
		require.Equal(t, tt.good, v.good(), name)
		if !tt.good {
			require.Equal(t, connectors.RetryLater, v.state, name)
		}
	}
}

func TestSegmentsOfOthersAreNotTaken(t *testing.T) {
	d := &destination{prefix: "perennial"}
	a := connectors.Audience{Key: "champions", Name: "Champions"}
	ours := "customer_tags CONTAINS 'perennial:champions'"
	for name, tt := range map[string]struct {
		listed segment
		found  string
	}{
		"ours":                 {segment{ID: "gid://shopify/Segment/1", Name: "Perennial: Champions", Query: ours}, "1"},
		"ours, name was taken": {segment{ID: "gid://shopify/Segment/2", Name: "Perennial: Champions (2)", Query: ours}, "2"},
		"their name":           {segment{ID: "gid://shopify/Segment/3", Name: "My best", Query: ours}, ""},
		"their condition":      {segment{ID: "gid://shopify/Segment/4", Name: "Perennial: Champions", Query: ours + " AND number_of_orders > 1"}, ""},
	} {
		require.Equal(t, tt.found, d.found([]segment{tt.listed}, a), name)
	}
}

func TestNamespacesOfOthersAreNoPrefix(t *testing.T) {
	for _, prefix := range []string{"custom", "global", "reviews", "shopify", "ab", "A-b"} {
		_, err := newDestination(&api{}, prefix)
		require.ErrorContains(t, err, "not fit for the namespace", prefix)
	}
}

// TestBulkFromHoldsForWriting: the setting that makes reading use files makes writing use them too, and never later than by
// itself.
func TestBulkFromHoldsForWriting(t *testing.T) {
	for from, above := range map[int]int{0: -1, 10: 9, 5000: bulkAbove} {
		a, err := newAPI(settings{Shop: "alder.myshopify.com", URL: "https://alder.myshopify.com", BulkFrom: from}, connectors.Deps{}, nil)
		require.NoError(t, err)
		d, err := newDestination(a, "perennial")
		require.NoError(t, err)
		require.Equal(t, above, d.bulkAbove)
	}
}
