package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/analysis/experiment"
	"github.com/perennial-cvo/perennial/analysis/product"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/retention"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/analysis/value"
	"github.com/perennial-cvo/perennial/sync/activation"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to write it")
	require.Equal(t, string(want), string(got))
}

// facts is a shop in memory.
type facts struct {
	overview    report.Overview
	bridge      []report.BridgeLine
	snapshot    report.Snapshot
	deliveries  []report.Delivery
	runs        []report.Run
	quarantined []report.Quarantined
	person      report.Person
	err         error
	bridgeAsOf  time.Time
	customers   []analysis.Customer
	worth       analysis.Worth
	foretold    []report.Foretold
	history     analysis.History
	trials      []experiment.Facts
	cells       []report.Cell
	sold        product.Summary
	spread      value.Summary
	movement

	analysis.Facts // what nobody here may call: Refresh, CustomersAsOf, Save
}

// errEverybody is returned where everybody would be counted.
var errEverybody = errors.New("everybody is counted")

func (f *facts) Overview(context.Context) (report.Overview, error) { return f.overview, f.err }
func (f *facts) Bridge(_ context.Context, asOf time.Time) ([]report.BridgeLine, error) {
	f.bridgeAsOf = asOf
	return f.bridge, nil
}
func (f *facts) Deliveries(context.Context) ([]report.Delivery, error) { return f.deliveries, nil }

func (f *facts) Worth(context.Context) (analysis.Worth, bool, error) {
	return f.worth, f.worth.Customers > 0, nil
}

func (f *facts) Foretold(context.Context) ([]report.Foretold, error) { return f.foretold, nil }

func (f *facts) HistoryOf(context.Context, int64, time.Time) (analysis.History, bool, error) {
	return f.history, f.history.Days > 0, nil
}

func (f *facts) Runs(context.Context, int) ([]report.Run, error) { return f.runs, nil }
func (f *facts) Quarantine(context.Context, int) ([]report.Quarantined, error) {
	return f.quarantined, nil
}

func (f *facts) PersonOf(_ context.Context, id int64) (report.Person, bool, error) {
	return f.person, id == f.person.ID, nil
}

func (f *facts) Person(_ context.Context, email string) (report.Person, bool, error) {
	return f.person, email == f.person.Email, nil
}

func amount(text string) decimal.Decimal { return decimal.RequireFromString(text) }

var (
	midnight = time.Date(2026, 3, 20, 23, 0, 0, 0, time.UTC) // 21 March in Berlin
	now      = time.Date(2026, 3, 21, 2, 14, 0, 0, time.UTC)
)

func day(text string) time.Time {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return at
}

func TestBridgeEndsAtTheSegments(t *testing.T) {
	shop := teaShop()
	last := report.BridgeLine{Key: "customers", Label: "Net revenue of known customers", Sum: true}
	for _, g := range shop.snapshot.Groups {
		last.Orders, last.Amount = last.Orders+g.Orders, last.Amount.Add(g.Net)
	}
	shop.bridge = append(shop.bridge, last)
	r, err := report.Collect(context.Background(), shop, report.Options{Now: now})
	require.NoError(t, err)
	require.Equal(t, "customers", r.Bridge[len(r.Bridge)-1].Key, "no step where there is no difference")

	given := last
	given.Orders, given.Amount = last.Orders+3, last.Amount.Sub(amount("5"))
	shop.bridge[len(shop.bridge)-1] = given
	r, err = report.Collect(context.Background(), shop, report.Options{Now: now})
	require.NoError(t, err)
	step, sum := r.Bridge[len(r.Bridge)-2], r.Bridge[len(r.Bridge)-1]
	require.Equal(t, "given_back", step.Key)
	require.Equal(t, 3, step.Orders)
	require.Equal(t, "5", step.Amount.String())
	require.True(t, sum.Sum)
	require.Equal(t, last.Orders, sum.Orders)
	require.True(t, sum.Amount.Equal(last.Amount))

	r, err = report.Collect(context.Background(), shop, report.Options{Now: now, AsOf: now})
	require.NoError(t, err)
	require.Equal(t, "customers", r.Bridge[len(r.Bridge)-1].Key, "the segments are those of another moment")
}

// teaShop is a shop with something of everything to tell.
func teaShop() *facts {
	groups := []report.Group{}
	for i, d := range segment.Definitions() {
		if d.ID == "promising" {
			continue // a segment without a row in the snapshot is empty
		}
		n := (11 - i) * 13
		groups = append(groups, report.Group{
			Segment: d.ID, Customers: n, Orders: n * (1 + i%3),
			Gross: decimal.New(int64(n*n)*1234, -2), Net: decimal.New(int64(n*n)*1200, -2),
		})
	}
	return &facts{
		overview: report.Overview{
			Store: "tea", Shop: "Teehaus \x1b[31mKöln\x07 茶の家", Platform: "WooCommerce 11.0.1", Currency: "EUR", TimeZone: "Europe/Berlin",
			Loaded: true, LoadedAt: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC),
			Resources: []report.Resource{
				{Name: "products", Records: 120, Done: true, SyncedAt: now},
				{Name: "orders", Records: 6012, Read: 300, Total: 1200, SyncedAt: now},
				{Name: "reviews", Records: 0, Read: 25},
			},
			People: 2011, Guests: 412, Unattributed: 3, Quarantined: 22,
			UnknownStatuses: map[string]int{"shipped\x1b]0;owned\x07": 4, "awaiting-label": 1}, SetAside: map[string]int{"USD": 2, "JPY": 1},
			NextRun: time.Date(2026, 3, 22, 2, 0, 0, 0, time.UTC),
		},
		bridge: []report.BridgeLine{
			{Key: "shop", Label: "Revenue as the shop shows it", Orders: 6012, Amount: amount("1234567.89"), Sum: true},
			{Key: "cancelled", Label: "Orders that do not count: cancelled", Orders: 31, Amount: amount("-2310.5")},
			{Key: "tax", Label: "Tax", Amount: amount("-197000.004")},
			{Key: "refunds", Label: "Refunds", Orders: 140, Amount: amount("-20311.11")},
			{Key: "net", Label: "Net revenue", Orders: 5981, Amount: amount("1014946.276"), Sum: true},
		},
		snapshot: report.Snapshot{
			AsOf: midnight, Scheme: "rfm", Groups: groups,
			Rule: `{"convention":"rank_min","bins":0,"used":5,"basis":"net","segments":{"5*4":"loyal"}}`,
		},
		deliveries: []report.Delivery{
			{
				Destination: "shop", Delivered: 1599, PushedAt: now, Withheld: map[string]int{"guest without a shop account": 412},
				Audiences: []report.AudienceCount{{Key: "champions", Name: "Champions", Members: 143}, {Key: "loyal", Name: "Loyal", Members: 130}},
			},
			{
				Destination: "newsletter", Delivered: 600, Unchanged: 588, Waiting: 12, Pending: 3, PushedAt: now, Behind: true,
				Retries:  []activation.Retry{{Reason: "no answer", People: 4, NextTry: now.Add(time.Hour)}, {People: 1}},
				Withheld: map[string]int{"not in the platform": 1200, "unsubscribed": 41}, Refused: map[string]int{"invalid e-mail": 2},
				Audiences: []report.AudienceCount{{Key: "champions", Name: "perennial: Champions", Members: 70}},
				Held:      []report.Held{{Key: "champions", Name: "Champions", Before: 143, After: 20}, {Key: "owners_list", Name: "Owner's list", Before: 1, After: 0}},
			},
		},
		runs: []report.Run{
			{
				Kind: "nightly", State: "failed", Started: now.Add(-14 * time.Minute), Ended: now, Counts: map[string]int{"orders": 12, "changed_customers": 3, "none": 0},
				Error: "the shop answered 503 for ten minutes; what was read is kept", Remedy: "Nothing to do: the next run goes on from there.",
			},
			{Kind: "nightly", State: "running", Started: now.AddDate(0, 0, -1)},
		},
		quarantined: []report.Quarantined{
			{Resource: "orders", ID: "4711", Reason: "line 2: quantity \"\x00many\" is not a number", Tries: 3, Since: now},
			{Resource: "customers", ID: "12", Reason: strings.Repeat("a very long reason ", 12), Tries: 1, Since: now},
		},
		person:    teaDrinker(),
		customers: drinkers(),
		cells:     teaGrid(),
		movement:  teaMovement(),
	}
}

func teaDrinker() report.Person {
	return report.Person{
		ID: 17, Email: "ana@example.com", CustomerID: "1201", Name: "Ana Geheim", Counted: 2, FirstDay: day("2025-06-01"), LastDay: day("2026-03-01"),
		Gross: amount("120.5"), Net: amount("100.25"), R: 5, F: 4, M: 3, Segment: "loyal", Consent: "subscribed",
		Orders: []report.PersonOrder{
			{Number: "5012", PlacedAt: time.Date(2026, 2, 28, 23, 30, 0, 0, time.UTC), Status: "completed", Currency: "EUR", Total: amount("70"), Net: amount("58.82"), Counted: true},
			{Number: "4888", PlacedAt: time.Date(2025, 12, 24, 10, 0, 0, 0, time.UTC), Status: "cancelled", Currency: "JPY", Total: amount("3000"), Why: "status cancelled"},
			{Number: "4011", PlacedAt: time.Date(2025, 6, 1, 10, 0, 0, 0, time.UTC), Status: "completed", Currency: "EUR", Total: amount("60"), Net: amount("41.43"), Refunded: amount("9"), Counted: true},
		},
		History: []report.Interval{
			{Scheme: "rfm", Segment: "loyal", First: day("2026-03-02")},
			{Scheme: "own:tea_lovers", Segment: "tea_lovers", First: day("2026-03-01")},
			{Scheme: "lifecycle", Segment: "won_back", First: day("2026-03-10")},
			{Scheme: "lifecycle", Segment: "won_back", First: day("2026-03-02"), Last: day("2026-03-09")},
			{Scheme: "lifecycle", Segment: "lapsed", First: day("2025-10-03"), Last: day("2026-03-01")},
			{Scheme: "rfm", Segment: "new_customers", First: day("2025-06-02"), Last: day("2026-03-01")},
		},
		Deliveries: []report.PersonDelivery{
			{Destination: "shop", State: "delivered", At: now, Audiences: []string{"loyal"}, Attributes: map[string]string{"rfm": "543", "since": "2026-03-02"}},
			{Destination: "newsletter", State: "withheld", Reason: "not in the platform", At: now},
		},
	}
}

// drinkers are the customers behind the segments of the tea shop, person 17 among them.
func drinkers() []analysis.Customer {
	today := analysis.Day(midnight, time.UTC) + 1
	var all []analysis.Customer
	for i := range 100 {
		all = append(all, analysis.Customer{
			Person: int64(i), Orders: 1 + max(0, i-40)/20, LastDay: today - 3 - 5*i, Net: int64(i) * 20_000, Gross: int64(i) * 25_000,
		})
	}
	ana := &all[17]
	ana.Orders, ana.Days, ana.FirstDay, ana.PreviousDay, ana.LastDay, ana.Net = 2, 2, today-293, today-293, today-20, 1_002_500
	ana.Standing = analysis.Standing{Place: &analysis.Place{Stage: "won_back", Tier: "middle", Churn: "low", Own: []string{"tea_lovers"}}, Valued: true, Value: 1_200_000, NextWeek: today + 9}
	return all
}

func (f *facts) Shop(context.Context) (analysis.Shop, error) {
	return analysis.Shop{Name: f.overview.Store, Currency: f.overview.Currency, Location: berlin(), Loaded: f.overview.Loaded}, nil
}

func (f *facts) Customers(context.Context) ([]analysis.Customer, error) { return f.customers, nil }

func (f *facts) CustomerOf(_ context.Context, person int64) (analysis.Customer, bool, error) {
	for _, c := range f.customers {
		if c.Person == person {
			return c, true, nil
		}
	}
	return analysis.Customer{}, false, nil
}

// Cells are those of the customers by the rule of the usual scores, as the database counts them.
func (f *facts) Cells(context.Context) ([]report.Cell, error) { return f.cells, nil }

func berlin() *time.Location { return time.FixedZone("CET", 60*60) }

func collect(t *testing.T, f *facts) report.Report {
	t.Helper()
	r, err := report.Collect(t.Context(), f, report.Options{Now: now})
	require.NoError(t, err)
	return r
}

func TestReport(t *testing.T) {
	r := collect(t, teaShop())
	for name, width := range map[string]int{"report_80.txt": 80, "report_120.txt": 120, "report_narrow.txt": 20} {
		var b bytes.Buffer
		require.NoError(t, report.Terminal(&b, r, width, false))
		golden(t, name, b.Bytes())
	}
	var b bytes.Buffer
	require.NoError(t, report.Full(&b, r, 80, false))
	golden(t, "report_full.txt", b.Bytes())
	b.Reset()
	require.NoError(t, report.Terminal(&b, r, 80, true))
	golden(t, "report_colour.txt", b.Bytes())
	b.Reset()
	require.NoError(t, report.JSON(&b, r))
	golden(t, "report.json", b.Bytes())
}

func TestReportOfAShopThatWasNeverAnalysed(t *testing.T) {
	f := &facts{overview: report.Overview{Store: "new", Currency: "JPY", Loaded: true}}
	r := collect(t, f)
	require.Equal(t, now, f.bridgeAsOf)
	require.Equal(t, []string{"Nothing was analysed yet. `perennial analyze` does it now; the next nightly run does it by itself."}, r.Warnings)
	var b bytes.Buffer
	require.NoError(t, report.Terminal(&b, r, 80, false))
	golden(t, "report_new.txt", b.Bytes())
	b.Reset()
	require.NoError(t, report.JSON(&b, r))
	require.NotContains(t, b.String(), "null", "an empty list is []")

	f.overview.Loaded = false
	require.Contains(t, collect(t, f).Warnings[0], "The first load is not complete")
}

func TestReportOfFewCustomersSaysSo(t *testing.T) {
	f := &facts{overview: report.Overview{Store: "small", Currency: "BHD", TimeZone: "Asia/Bahrain", Loaded: true}}
	f.snapshot = report.Snapshot{
		AsOf: midnight, Rule: `{"convention":"rank_min","bins":0,"used":2,"basis":"gross"}`,
		Groups: []report.Group{{Segment: "loyal", Customers: 12, Orders: 20, Gross: amount("1234.5678"), Net: amount("-5")}},
	}
	r := collect(t, f)
	require.Equal(t, "2 scores instead of 5, because there are only 12 customers; five begin at 100.", r.Segments.Note)
	require.Contains(t, r.Warnings, r.Segments.Note)
	require.Equal(t, "61.7284", r.Segments.Rows[1].AverageOrder.String(), "a non-terminating quotient is rounded to four places")
	var b bytes.Buffer
	require.NoError(t, report.Terminal(&b, r, 80, false))
	golden(t, "report_small.txt", b.Bytes())
}

func TestSegmentsThatLoseMoneyHaveNoShares(t *testing.T) {
	f := teaShop()
	for i := range f.snapshot.Groups {
		f.snapshot.Groups[i].Net = amount("-1")
	}
	r := collect(t, f)
	for _, row := range r.Segments.Rows {
		require.Zero(t, row.RevenueShare)
	}
	require.NoError(t, report.Terminal(&bytes.Buffer{}, r, 80, false))

	for i := range f.snapshot.Groups {
		f.snapshot.Groups[i].Net = amount("1000")
	}
	f.snapshot.Groups[0].Net = amount("-0.01")
	var b bytes.Buffer
	require.NoError(t, report.Terminal(&b, collect(t, f), 80, false))
	require.Contains(t, b.String(), "-0.01   0.0 %", "nothing has no sign")
}

func TestStatus(t *testing.T) {
	s, err := report.CollectStatus(t.Context(), teaShop(), now)
	require.NoError(t, err)
	fresh := report.StoreStatus{Now: now, Overview: report.Overview{Store: "new", Resources: []report.Resource{{Name: "orders"}}}}
	var b bytes.Buffer
	require.NoError(t, report.Status(&b, []report.StoreStatus{s, fresh}, 80, false))
	golden(t, "status.txt", b.Bytes())
	b.Reset()
	require.NoError(t, report.JSON(&b, []report.StoreStatus{s}))
	golden(t, "status.json", b.Bytes())
	b.Reset()
	require.NoError(t, report.Status(&b, nil, 80, false))
	require.Equal(t, "No shop is configured. `perennial init` adds one.\n", b.String())
}

func TestExplain(t *testing.T) {
	e, ok, err := report.CollectPerson(t.Context(), teaShop(), " Ana@Example.COM ")
	require.NoError(t, err)
	require.True(t, ok)
	var b bytes.Buffer
	require.NoError(t, report.Explain(&b, e, 80, false))
	golden(t, "explain.txt", b.Bytes())
	require.NotContains(t, b.String(), "Geheim")
	b.Reset()
	require.NoError(t, report.JSON(&b, e))
	golden(t, "explain.json", b.Bytes())
	require.NotContains(t, b.String(), "Geheim")

	_, ok, err = report.CollectPerson(t.Context(), teaShop(), "nobody@example.com")
	require.NoError(t, err)
	require.False(t, ok)
}

func TestOrdersSinceTheLastAnalysisAreToldApart(t *testing.T) {
	e, _, err := report.CollectPerson(t.Context(), teaShop(), "ana@example.com")
	require.NoError(t, err)
	e.Person.Orders[0].PlacedAt = e.AsOf
	var b bytes.Buffer
	require.NoError(t, report.Explain(&b, e, 120, false))
	require.Contains(t, b.String(), "Orders: 2 counted")
	require.Regexp(t, "5012 .* next time\n", b.String(), "it is no part of the two yet")
	require.Regexp(t, "4011 .* yes\n", b.String())
}

func TestExplainSomebodyWithoutAScore(t *testing.T) {
	f := teaShop()
	f.person = report.Person{Email: "bo@example.com"}
	e, ok, err := report.CollectPerson(t.Context(), f, "bo@example.com")
	require.NoError(t, err)
	require.True(t, ok)
	var b bytes.Buffer
	require.NoError(t, report.Explain(&b, e, 80, false))
	golden(t, "explain_unscored.txt", b.Bytes())
	b.Reset()
	require.NoError(t, report.JSON(&b, e))
	require.NotContains(t, b.String(), "null", "an empty list is []")
}

func TestSegments(t *testing.T) {
	s, err := report.CollectSegments(t.Context(), teaShop(), "")
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.Segments(&b, s, 80, false))
	golden(t, "segments.txt", b.Bytes())
	b.Reset()
	require.NoError(t, report.JSON(&b, s))
	golden(t, "segments.json", b.Bytes())
}

func TestOutcome(t *testing.T) {
	f := teaShop()
	f.customers[3].Segment, f.customers[4].Segment, f.customers[99].Segment = "lost", "loyal", "at_risk"
	f.customers[99].Orders = 0
	refreshed := runnable{f}
	out, err := analysis.Run(t.Context(), refreshed, analysis.Options{Now: func() time.Time { return now }, Segments: map[string]string{"*5*": "lost"}})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.Outcome(&b, out, 80, false))
	golden(t, "outcome.txt", b.Bytes())
	s := report.FromOutcome(out)
	require.Equal(t, 99, s.Customers)
	require.Equal(t, "2026-03-21", s.Day)
}

// runnable lets a run go through.
type runnable struct{ *facts }

func (runnable) Rules(context.Context) (map[string]string, error) { return nil, nil }

func (runnable) Refresh(context.Context, time.Time, bool) (int, error) { return 0, nil }

func (runnable) Save(context.Context, analysis.Result) (analysis.Saved, error) {
	return analysis.Saved{}, nil
}

func TestExplainDuringANewFirstLoadLeavesThresholdsOut(t *testing.T) {
	f := teaShop()
	f.overview.Loaded = false
	e, ok, err := report.CollectPerson(t.Context(), f, "ana@example.com")
	require.NoError(t, err)
	require.True(t, ok)
	require.Nil(t, e.Thresholds)
	require.NoError(t, report.Explain(&bytes.Buffer{}, e, 80, false))
}

func TestMoneyIsWrittenAsTheCurrencyIs(t *testing.T) {
	for _, c := range []struct{ amount, currency, want string }{
		{"1234567.891", "EUR", "1,234,567.89"},
		{"1234.5", "JPY", "1,235"},
		{"1234.5678", "BHD", "1,234.568"},
		{"-999.995", "USD", "-1,000.00"},
		{"0", "EUR", "0.00"},
		{"100", "", "100.00"},
		{"-100000", "KWD", "-100,000.000"},
	} {
		require.Equal(t, c.want, report.Money(amount(c.amount), c.currency), "%s %s", c.amount, c.currency)
	}
}

func TestErrorsNameWhatWasRead(t *testing.T) {
	f := &facts{err: errors.New("connection lost")}
	_, err := report.Collect(t.Context(), f, report.Options{Now: now})
	require.EqualError(t, err, "overview: connection lost")
	_, err = report.CollectStatus(t.Context(), f, now)
	require.EqualError(t, err, "overview: connection lost")
	require.ErrorContains(t, report.Terminal(full{}, collect(t, teaShop()), 80, false), "write report: disk full")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// TestNoTextFromAShopSteersTheTerminal puts arbitrary text wherever a shop's words appear.
func TestNoTextFromAShopSteersTheTerminal(t *testing.T) {
	width := &runewidth.Condition{EastAsianWidth: false}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\x1b[2J", "\u202egnp", "a\r\nb", "\xff\xfe", "日本語のお店", "\u009b31m"}))
		f := teaShop()
		f.overview.Shop, f.overview.Platform = text.Draw(t, "shop"), text.Draw(t, "platform")
		f.deliveries[1].Destination, f.deliveries[1].Held[0].Name = text.Draw(t, "destination"), text.Draw(t, "audience")
		f.deliveries[1].Refused = map[string]int{text.Draw(t, "refusal"): 2}
		f.quarantined[0].Reason, f.quarantined[0].ID = text.Draw(t, "reason"), text.Draw(t, "id")
		f.overview.UnknownStatuses = map[string]int{text.Draw(t, "status"): 1}
		f.person.Email = "ana@example.com"
		f.person.Orders[0].Status, f.person.Orders[1].Why = text.Draw(t, "order status"), text.Draw(t, "why")
		f.person.Deliveries[0].Attributes = map[string]string{"segment": text.Draw(t, "attribute")}
		f.runs[0].Error = text.Draw(t, "error")

		var b bytes.Buffer
		r, err := report.Collect(context.Background(), f, report.Options{Now: now})
		require.NoError(t, err)
		require.NoError(t, report.Terminal(&b, r, 80, false))
		s, err := report.CollectStatus(context.Background(), f, now)
		require.NoError(t, err)
		require.NoError(t, report.Status(&b, []report.StoreStatus{s}, 80, false))
		e, _, err := report.CollectPerson(context.Background(), f, f.person.Email)
		require.NoError(t, err)
		require.NoError(t, report.Explain(&b, e, 80, false))
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			for _, r := range line {
				if unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
					t.Fatalf("%q holds %U", line, r)
				}
			}
			if w := width.StringWidth(line); w > 80 && strings.Contains(strings.TrimSpace(line), "  ") {
				t.Fatalf("a table line is %d columns wide: %q", w, line)
			}
		}
	})
}

// TestEmptyListsAreNeverNull holds the promise to machines: [] where there is nothing.
func TestEmptyListsAreNeverNull(t *testing.T) {
	shop := teaShop()
	shop.deliveries = []report.Delivery{{Destination: "shop"}}
	status, err := report.CollectStatus(t.Context(), shop, now)
	require.NoError(t, err)
	sets, err := report.CollectSegments(t.Context(), shop, "tier")
	require.NoError(t, err)
	person, _, err := report.CollectPerson(t.Context(), shop, "ana@example.com")
	require.NoError(t, err)
	for _, what := range []any{collect(t, shop), status, sets, person} {
		var b bytes.Buffer
		require.NoError(t, report.JSON(&b, what))
		require.NotContains(t, b.String(), "null")
	}
}

// TestDaysAndAmountsOfAnExplanationAreWrittenAsElsewhere: a machine cannot know what 20704 or 400000 is.
func TestDaysAndAmountsOfAnExplanationAreWrittenAsElsewhere(t *testing.T) {
	e, _, err := report.CollectPerson(t.Context(), appraised(clv.MBGNBD), "ana@example.com")
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.JSON(&b, e))
	var got struct {
		Thresholds struct {
			Monetary []struct{ Min, Max string }
		}
		Standing struct {
			NextWeek  string `json:"next_week"`
			Lifecycle struct{ Until, Slipping, Lapsed, Lost string }
		}
		Outlook struct {
			Day, Fitted string
			FirstDay    string                            `json:"first_day"`
			LastDay     string                            `json:"last_day"`
			NextOrder   struct{ Day, Early, Late string } `json:"next_order"`
		}
		Person struct {
			FirstDay string `json:"first_day"`
			LastDay  string `json:"last_day"`
			History  []struct{ First, Last string }
		}
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &got), b.String())
	require.Equal(t, "40", got.Thresholds.Monetary[0].Max)
	require.Equal(t, "2026-09-07", got.Standing.Lifecycle.Until)
	require.Equal(t, "2026-09-08", got.Standing.Lifecycle.Slipping)
	require.Equal(t, "2026-03-30", got.Standing.NextWeek)
	require.Equal(t, "2026-03-21", got.Outlook.Day)
	require.Equal(t, "2026-03-17", got.Outlook.Fitted)
	require.Equal(t, "2026-03-01", got.Outlook.LastDay)
	require.NotEmpty(t, got.Outlook.NextOrder.Early)
	require.Equal(t, "2025-06-01", got.Person.FirstDay)
	require.Equal(t, "2026-03-02", got.Person.History[0].First)
	require.Empty(t, got.Person.History[0].Last)
}

// TestScoresOfAMapOfThreesAreItsOwn: Klaviyo's map is drawn on scores from 1 to 3, and is so in the documentation.
func TestScoresOfAMapOfThreesAreItsOwn(t *testing.T) {
	shop := teaShop()
	shop.person.R, shop.person.F, shop.person.M, shop.person.Segment = 3, 2, 3, "champions"
	shop.snapshot.Rule = `{"convention":"rank_min","bins":3,"used":3,"basis":"net","preset":"klaviyo"}`
	e, _, err := report.CollectPerson(t.Context(), shop, "ana@example.com")
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.Explain(&b, e, 80, false))
	require.Contains(t, b.String(), "The map sends 323 here.")
	require.NotContains(t, b.String(), "map of fives")
}

// TestReportOfAShopWithoutCustomersIsShort: no tables of zeros.
func TestReportOfAShopWithoutCustomersIsShort(t *testing.T) {
	shop := appraised(clv.SimpleFormula)
	shop.worth.Evaluation, shop.worth.Customers = nil, 0
	for scheme, s := range shop.sets {
		s.Groups = nil
		shop.sets[scheme] = s
	}
	r, err := report.Collect(t.Context(), remembered{shop, retention.Summary{}}, report.Options{Now: now})
	require.NoError(t, err)
	r.Worth = &report.Appraisal{}
	var b bytes.Buffer
	require.NoError(t, report.Terminal(&b, r, 80, false))
	for _, table := range []string{"Stages of the lifecycle\n", "Tiers of value\n", "Risk to be gone\n", "Worth as of"} {
		require.NotContains(t, b.String(), table)
	}
	require.Contains(t, b.String(), "Nobody has bought yet.")
}

// TestMonthsInWhichNobodyBoughtAreNoTable: a shop whose last order is long ago.
func TestMonthsInWhichNobodyBoughtAreNoTable(t *testing.T) {
	day := int32(analysis.Day(midnight, berlin()))
	q := retention.Question{Unit: retention.Month, Within: retention.Within, Window: retention.Window{AsOf: day}}
	c := retention.Count([]retention.Order{{Person: 1, Day: day - 400, Revenue: 1_000_000}}, q)
	summary, err := retention.Summarise(retention.Facts{Months: c.Cells, Visits: c.Visits, Sales: c.Sales, Tallies: c.Tallies, Waits: c.Waits}, q.Window, "net")
	require.NoError(t, err)
	r, err := report.Collect(t.Context(), remembered{teaShop(), summary}, report.Options{Now: now})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.Terminal(&b, r, 80, false))
	require.Contains(t, b.String(), "0 of 1 customer ordered again")
	require.NotContains(t, b.String(), "later orders")
}

// TestProspectsOfAPresetAreCountedBesideTheCustomers: they have no score, and are no zero customers.
func TestProspectsOfAPresetAreCountedBesideTheCustomers(t *testing.T) {
	shop := teaShop()
	shop.snapshot.Rule = `{"convention":"rank_min","bins":0,"used":5,"basis":"net","preset":"shopify"}`
	s, err := report.CollectSegments(t.Context(), shop, "rfm")
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.Segments(&b, s, 80, false))
	require.Contains(t, b.String(), "Prospects (prospects)\n  12 people beside the customers.\n")
	require.Equal(t, 12, s.Rows[len(s.Rows)-1].Customers)

	b.Reset()
	require.NoError(t, report.Terminal(&b, collect(t, shop), 80, false))
	require.NotContains(t, b.String(), "Prospects")
	require.Contains(t, b.String(), "Prospect ")
}
