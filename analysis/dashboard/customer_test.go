package dashboard

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// analysed is what an explanation reads of the tea shop beside the person.
type analysed struct {
	Facts
	asOf  time.Time
	rules map[string]string
}

func (a analysed) Rules(context.Context) (map[string]string, error) { return a.rules, nil }

func (a analysed) Groups(_ context.Context, scheme string) (report.Snapshot, error) {
	return report.Snapshot{Scheme: scheme, AsOf: a.asOf, Rule: a.rules[scheme]}, nil
}

func (a analysed) Worth(context.Context) (analysis.Worth, bool, error) {
	return analysis.Worth{
		Day: a.today() - 4, Customers: 2357, Kind: clv.MBGNBD, Horizon: 365, AnnualRate: 0.1, Spend: clv.SpendFit{Converged: true, Average: 60},
		Fit: &analysis.Fit{Kind: clv.MBGNBD, Params: []clv.Param{{Name: "r", Value: 0.52}, {Name: "alpha", Value: 6.18}, {Name: "a", Value: 0.89}, {Name: "b", Value: 1.61}}},
	}, true, nil
}

func (a analysed) today() int {
	return analysis.Day(a.asOf, time.FixedZone("", 3600))
}

func (a analysed) HistoryOf(context.Context, int64, time.Time) (analysis.History, bool, error) {
	return analysis.History{Person: 17, Days: 3, FirstDay: int32(a.today() - 293), LastDay: int32(a.today() - 20), LogGaps: 4, Net: 1_802_500, FirstNet: 600_000}, true, nil
}

func (a analysed) CustomerOf(context.Context, int64) (analysis.Customer, bool, error) {
	return analysis.Customer{
		Person: 17, Orders: 2, Days: 2, FirstDay: a.today() - 293, PreviousDay: a.today() - 293, LastDay: a.today() - 20, Net: 1_002_500, Bought: 1_002_500, FirstBought: 414_300,
		Standing: analysis.Standing{Place: &analysis.Place{Stage: "won_back", Tier: "middle", Churn: "low", Own: []string{"regulars"}}, Valued: true, Value: 1_200_000, NextWeek: a.today() + 9},
	}, true, nil
}

func (a analysed) Course(context.Context, string) (analysis.Course, bool, error) {
	return analysis.Course{}, false, nil
}

func (a analysed) Span(context.Context, string) (analysis.Span, bool, error) {
	return analysis.Span{}, false, nil
}

func (a analysed) Shop(context.Context) (analysis.Shop, error) {
	return analysis.Shop{Name: "tea", Currency: "EUR", Location: time.FixedZone("CET", 3600), Loaded: true}, nil
}

// oneDrinker is the tea shop with a person of whom there is something of everything to tell.
func oneDrinker(t *testing.T) *shopFacts {
	t.Helper()
	f := teaShop(t)
	f.Facts = analysed{asOf: f.report.Segments.AsOf, rules: map[string]string{
		analysis.SchemeRFM: `{"convention":"rank_min","bins":0,"used":5,"basis":"net"}`, segment.SchemeLifecycle: `{"interval":41,"weight":2,"slipping":1.6,"lapsed":3,"lost":6}`,
		segment.SchemeTier: `{"cuts":[1000000,2500000,9000000.4],"basis":"whole"}`, segment.SchemeChurn: `{"cuts":[0.3,0.7]}`,
		"own:regulars": `{"id":"regulars","name":"Regulars","rule":"orders >= 2","action":"Thank them."}`,
	}}
	for i := range f.report.Grid {
		f.report.Grid[i].Spread = report.Spread{
			LastDay: report.Extent{Min: 20500, Max: 20520}, Orders: report.Extent{Min: 1, Max: 4}, Net: report.Extent{Min: 820_000, Max: 1_180_000},
		}
	}
	f.person = ana()
	return f
}

func ana() report.Person {
	day := func(month time.Month, d int) time.Time { return time.Date(2026, month, d, 0, 0, 0, 0, time.UTC) }
	amount := decimal.RequireFromString
	return report.Person{
		ID: 17, Email: "ana@example.com", CustomerID: "1201", Name: "Ana <script>alert(1)</script>", Counted: 2, FirstDay: day(-5, 1), LastDay: day(3, 1),
		Gross: amount("120.5"), Net: amount("100.25"), R: 5, F: 4, M: 3, Segment: "loyal", Consent: "unsubscribed",
		Orders: []report.PersonOrder{
			{ID: "1", Number: "5012", PlacedAt: time.Date(2026, 2, 28, 23, 30, 0, 0, time.UTC), Status: "completed", Currency: "EUR", Total: amount("70"), Net: amount("58.82"), Counted: true},
			{ID: "2", Number: "4888", PlacedAt: time.Date(2025, 12, 24, 10, 0, 0, 0, time.UTC), Status: "cancelled", Currency: "JPY", Total: amount("3000"), Why: "its status"},
		},
		Refunds: []report.PersonRefund{{Order: "5012", At: day(3, 4), Currency: "EUR", Amount: amount("9"), Reason: `"><img src=x>`}},
		Reviews: []report.PersonReview{{At: day(3, 2), Product: "Assam & <i>Honey</i>", Rating: 4, Text: "Good <script>tea</script>"}, {Rating: 1, Text: "undated"}},
		History: []report.Interval{
			{Scheme: "rfm", Segment: "loyal", First: day(3, 10)},
			{Scheme: "rfm", Segment: "loyal", First: day(3, 2), Last: day(3, 9)}, // another version of the rule
			{Scheme: "rfm", Segment: "new_customers", First: day(-5, 2), Last: day(3, 1)},
			{Scheme: "lifecycle", Segment: "won_back", First: day(3, 2)},
			{Scheme: "own:regulars", Segment: "regulars", First: day(1, 2), Last: day(1, 9)},
		},
		Deliveries: []report.PersonDelivery{
			{Destination: "newsletter", State: "withheld", Reason: "unsubscribed", At: readAt},
			{Destination: "shop", State: "delivered", At: readAt, Audiences: []string{"loyal", "lifecycle_won_back"}, Attributes: map[string]string{"rfm": "543", "since": "2026-03-02"}},
		},
		Sides: []report.PersonSide{{Audience: "loyal", Since: "2026-03-02", Held: true}, {Audience: "lifecycle_won_back", Since: "2026-03-03", Over: true}},
	}
}

func TestCustomer(t *testing.T) {
	s := served(t, oneDrinker(t))
	goldenPage(t, s, "/shops/tea/people/17", "customer.html")
	page := got(t, s, "/shops/tea/people/17").Body.String()
	for _, markup := range []string{"<script>alert", "<script>tea", "<img", "<i>"} {
		require.NotContains(t, page, markup)
	}
	require.NotContains(t, page, "undated")
}

func TestCustomersOfWhomLittleIsKnown(t *testing.T) {
	f := oneDrinker(t)
	f.person = report.Person{ID: 17}
	page := got(t, served(t, f), "/shops/tea/people/17").Body.String()
	require.Contains(t, page, "Somebody whose data were erased")
	require.Contains(t, page, "no order of this person counts as a purchase")
	f.Facts = analysed{}
	f.report = report.Report{Overview: report.Overview{Store: "new", Currency: "JPY"}}
	f.person = report.Person{ID: 17, CustomerID: "8"}
	page = got(t, served(t, f), "/shops/tea/people/17").Body.String()
	require.Contains(t, page, "<h1>Customer 8</h1>")
	require.Contains(t, page, "Nothing was analysed yet.")
}

func TestCustomersWhomThereAreNot(t *testing.T) {
	s := served(t, oneDrinker(t))
	cookie := logIn(t, s)
	for _, person := range []string{"18", "0", "-17", "1e3", "99999999999999999999", "ana@example.com", "%3Cscript%3E"} {
		w := asks(s, http.MethodGet, "/shops/tea/people/"+person, "", with(cookie))
		require.Equal(t, http.StatusNotFound, w.Code, person)
		require.NotContains(t, w.Body.String(), "<script>a")
	}
}
