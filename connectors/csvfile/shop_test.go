package csvfile_test

import (
	"cmp"
	"compress/gzip"
	"database/sql"
	"encoding/csv"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/rfm"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/csvfile"
	"github.com/perennial-cvo/perennial/sync/ingest"
	"github.com/perennial-cvo/perennial/sync/postgres"
	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// shop is a shop of files in a real database.
type shop struct {
	*testing.T
	store *postgres.Store
	sql   *sql.DB
	zone  *time.Location
	end   time.Time         // the day after the last
	name  string            // in the expected answers
	who   map[int64]string  // customer ids by person
	want  map[string]answer // by customer id
	cells map[string]string // segment ids by label, in the reference's own map
}

// answer is one row of the expected scores.
type answer struct {
	recency, frequency int
	monetary           decimal.Decimal
	labels             map[rfm.Convention]string
}

// openShop reads the files into a fresh database, as the daemon would.
func openShop(t *testing.T, name, end string, settings connectors.Settings) *shop {
	t.Helper()
	address := postgrestest.URL(t)
	db := postgrestest.Open(t, address)
	ctx := t.Context()
	source := newSource(t, settings)
	report, err := source.Check(ctx)
	require.NoError(t, err)
	require.True(t, report.OK(), findings(report))
	id, err := db.Register(ctx, name, csvfile.Kind)
	require.NoError(t, err)
	require.NoError(t, db.SetShop(ctx, id, report.Shop))
	_, err = db.SavePolicy(ctx, id, postgres.Policy{Statuses: csvfile.New().Statuses, Revenue: "net", Currency: report.Shop.Currency})
	require.NoError(t, err)
	epoch, won, err := db.Acquire(ctx, id, "test", time.Hour)
	require.NoError(t, err)
	require.True(t, won)
	s := &shop{T: t, store: db.Store(id, epoch), sql: postgrestest.SQL(t, address), name: name}
	s.zone, err = report.Shop.Location()
	require.NoError(t, err)
	s.end, err = time.ParseInLocation(time.DateOnly, end, s.zone)
	require.NoError(t, err)
	s.sync(settings, false)
	s.readPersons()
	return s
}

// sync does what a night does, and returns what it changed.
func (s *shop) sync(settings connectors.Settings, sweep bool) ingest.Written {
	s.Helper()
	summary, err := ingest.Run(s.Context(), ingest.Options{
		Source: newSource(s.T, settings), Records: s.store, Now: func() time.Time { return now }, Sweep: sweep,
	})
	require.NoError(s, err)
	require.Empty(s, summary.Warnings)
	require.True(s, summary.Loaded)
	require.Zero(s, summary.Written().Quarantined)
	return summary.Written()
}

func (s *shop) readPersons() {
	s.who = map[int64]string{}
	rows, err := s.sql.QueryContext(s.Context(), `SELECT person_id, customer_id FROM persons`)
	require.NoError(s, err)
	defer rows.Close()
	for rows.Next() {
		var person int64
		var customer string
		require.NoError(s, rows.Scan(&person, &customer))
		s.who[person] = customer
	}
	require.NoError(s, rows.Err())
}

// asOf analyses the shop as of a day, saving nothing.
func (s *shop) asOf(day time.Time, convention rfm.Convention) analysis.Outcome {
	s.Helper()
	out, err := analysis.Run(s.Context(), s.store, analysis.Options{
		Now: func() time.Time { return now }, AsOf: day, Past: true, Rule: rfm.Rule{Convention: convention},
	})
	require.NoError(s, err)
	return out
}

// each reads a table of the reference row by row.
func each(t *testing.T, path string, do func(row map[string]string)) {
	t.Helper()
	f, err := os.Open(filepath.Join(reference(t), path))
	require.NoError(t, err)
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		in, err = gzip.NewReader(f)
		require.NoError(t, err)
	}
	rows, err := csv.NewReader(in).ReadAll()
	require.NoError(t, err)
	for _, cells := range rows[1:] {
		row := map[string]string{}
		for i, name := range rows[0] {
			row[name] = cells[i]
		}
		do(row)
	}
}

func integer(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

var conventions = []rfm.Convention{rfm.RankMin, rfm.QuantileCut}

func (s *shop) readScores(path string) {
	s.want = map[string]answer{}
	each(s.T, path, func(row map[string]string) {
		a := answer{
			recency: integer(s.T, row["R"]), frequency: integer(s.T, row["F"]), labels: map[rfm.Convention]string{},
			monetary: decimal.RequireFromString(row["M"]),
		}
		for _, convention := range conventions {
			a.labels[convention] = row["rfm_"+string(convention)]
		}
		s.want[row["cid"]] = a
	})
}

// TestRealShopsGoThroughTheDatabase sends two real shops through files, database and analysis, and holds every person's
// values, scores and segment, the sizes of the segments and the movements between them against known answers.
func TestRealShopsGoThroughTheDatabase(t *testing.T) {
	for _, tt := range []struct {
		name, end, scores string
		settings          connectors.Settings
		orders            int
	}{
		{"cdnow_full", "1998-07-01", "rfm_scores_cdnow_full.csv.gz", cdnow(t, "cdnow_full.csv.gz"), 69659},
		{"online_retail", "2011-12-10", "rfm_scores_online_retail.csv", onlineRetail(t, "leave_out"), 18532},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if testing.Short() && tt.orders > 50_000 {
				t.Skip("the short run takes the smaller shop only: both go the same way")
			}
			s := openShop(t, tt.name, tt.end, tt.settings)
			s.readScores("expected/" + tt.scores)
			s.readMap()
			s.comparePeople()
			s.compareSizes()
			s.compareMovement()
			s.compareRepeats(tt.orders)
			s.compareSecondRead(tt.settings)
		})
	}
}

func (s *shop) comparePeople() {
	customers, err := s.store.CustomersAsOf(s.Context(), s.end)
	require.NoError(s, err)
	require.Len(s, customers, len(s.want))
	last := int(s.end.Sub(time.Date(1970, 1, 1, 0, 0, 0, 0, s.zone)).Round(24*time.Hour) / (24 * time.Hour))
	for _, c := range customers {
		want, known := s.want[s.who[c.Person]]
		require.True(s, known, "person %d", c.Person)
		require.Equal(s, want.recency, last-c.LastDay, "recency of %s", s.who[c.Person])
		require.Equal(s, want.frequency, c.Orders, "frequency of %s", s.who[c.Person])
		got := decimal.New(c.Net, -4) // the answers are rounded to pennies, a few prices are not
		require.Equal(s, want.monetary.StringFixed(2), got.StringFixed(2), "monetary of %s: %s", s.who[c.Person], got)
	}
	for _, convention := range conventions {
		out := s.asOf(s.end, convention)
		require.Len(s, out.Result.Members, len(s.want))
		for _, m := range out.Result.Members {
			want := s.want[s.who[m.Person]].labels[convention]
			require.Equal(s, want, m.Score.Label(), "%s of %s", convention, s.who[m.Person])
			require.Equal(s, s.cells[want], m.Segment)
		}
	}
}

func (s *shop) readMap() {
	ids := map[string]string{}
	for _, d := range segment.Definitions() {
		ids[d.Name] = d.ID
	}
	s.cells = map[string]string{}
	each(s.T, "expected/rfm_125_to_11_segments.csv", func(row map[string]string) { s.cells[row["rfm"]] = ids[row["segment"]] })
	require.Len(s, s.cells, 125)
}

func (s *shop) compareSizes() {
	compared := 0
	outcomes := map[string]analysis.Outcome{}
	for _, convention := range conventions {
		outcomes[string(convention)] = s.asOf(s.end, convention)
	}
	each(s.T, "expected/rfm_segment_sizes.csv", func(row map[string]string) {
		out, ok := outcomes[row["convention"]]
		if row["dataset"] != s.name || !ok {
			return
		}
		i := slices.IndexFunc(out.Result.Groups, func(g analysis.Group) bool {
			d, _ := segment.Find(g.Segment)
			return d.Name == row["segment"]
		})
		g := out.Result.Groups[i]
		require.Equal(s, integer(s.T, row["customers"]), g.Customers, row)
		require.Equal(s, integer(s.T, row["orders"]), g.Orders, row)
		require.Equal(s, decimal.RequireFromString(row["revenue"]).StringFixed(2), decimal.New(g.Net, -4).StringFixed(2), row)
		compared++
	})
	require.Equal(s, 22, compared)
	for _, out := range outcomes {
		require.Contains(s, page(s.T), sizes(out), "docs/csv.md shows another table")
	}
}

// english writes numbers with commas between thousands.
func english() *message.Printer { return message.NewPrinter(language.English) }

// sizes writes the table of segments as docs/csv.md has it.
func sizes(out analysis.Outcome) string {
	text := "| segment | customers | orders | revenue |\n|---|---:|---:|---:|\n"
	for _, g := range out.Result.Groups {
		text += english().Sprintf("| %s | %d | %d | %.2f |\n", nameOf(g.Segment), g.Customers, g.Orders, float64(g.Net)/10_000)
	}
	return text
}

// movements writes the table of movements as docs/csv.md has it: who stayed, and where most of the others went.
func movements(got map[segment.Move]int) string {
	text := "| from | stay | most of the others go to |\n|---|---:|---|\n"
	for _, from := range segment.Definitions() {
		total, stay, most, to := 0, 0, 0, ""
		for _, d := range segment.Definitions() {
			n := got[segment.Move{From: from.Name, To: d.Name}]
			total += n
			switch {
			case d.Name == from.Name:
				stay = n
			case n > most:
				most, to = n, d.Name
			}
		}
		text += english().Sprintf("| %s (%d) | %d | %s (%d) |\n", from.Name, total, stay, to, most)
	}
	return text
}

// compareMovement goes through the firsts of the months, as the expected answers do.
func (s *shop) compareMovement() {
	want := map[string]map[segment.Move]int{}
	each(s.T, "expected/segment_migration_monthly_rank_min.csv", func(row map[string]string) {
		if row["dataset"] != s.name {
			return
		}
		if want[row["as_of"]] == nil {
			want[row["as_of"]] = map[segment.Move]int{}
		}
		want[row["as_of"]][segment.Move{From: row["from"], To: row["to"]}] = integer(s.T, row["customers"])
	})
	days := make([]string, 0, len(want))
	for day := range want {
		days = append(days, day)
	}
	slices.Sort(days)
	first, err := time.ParseInLocation(time.DateOnly, days[0], s.zone)
	require.NoError(s, err)
	before := s.segments(first.AddDate(0, -1, 0))
	for _, day := range days {
		at, err := time.ParseInLocation(time.DateOnly, day, s.zone)
		require.NoError(s, err)
		after := s.segments(at)
		got := map[segment.Move]int{}
		for _, m := range segment.Compare(before, after) {
			got[segment.Move{From: nameOf(m.From), To: nameOf(m.To)}] = m.Customers
		}
		require.Equal(s, want[day], got, "as of %s", day)
		if s.name == "online_retail" && day == "2011-12-01" {
			require.Contains(s, page(s.T), movements(got), "docs/csv.md shows another table")
		}
		before = after
	}
}

func (s *shop) segments(day time.Time) map[int64]string {
	all := map[int64]string{}
	for _, m := range s.asOf(day, rfm.RankMin).Result.Members {
		all[m.Person] = m.Segment
	}
	return all
}

func nameOf(id string) string {
	if d, ok := segment.Find(id); ok {
		return d.Name
	}
	return "(new)"
}

func (s *shop) compareRepeats(wantOrders int) {
	customers, err := s.store.CustomersAsOf(s.Context(), s.end)
	require.NoError(s, err)
	got := map[string]float64{"customers": float64(len(customers))}
	reached := make([]float64, 8)
	var revenue, top int64
	spent := make([]int64, 0, len(customers))
	for _, c := range customers {
		got["orders"] += float64(c.Orders)
		revenue += c.Net
		spent = append(spent, c.Net)
		for k := range min(c.Orders, len(reached)-1) {
			reached[k+1]++
		}
		if c.FirstDay != c.LastDay {
			got["repeat_customers(distinct days>=2)"]++
		}
	}
	slices.SortFunc(spent, func(a, b int64) int { return cmp.Compare(b, a) })
	for _, amount := range spent[:int(math.Ceil(0.2*float64(len(spent))))] {
		top += amount
	}
	got["repeat_customers(orders>=2)"] = reached[2]
	got["repeat_rate_orders"] = reached[2] / got["customers"]
	got["repeat_rate_days"] = got["repeat_customers(distinct days>=2)"] / got["customers"]
	got["orders_per_customer"] = got["orders"] / got["customers"]
	got["revenue"] = float64(revenue) / 10_000
	got["aov"] = got["revenue"] / got["orders"]
	got["revenue share of top 20% customers (ceil)"] = float64(top) / float64(revenue)
	for k := 2; k <= 6; k++ {
		got["P(order "+strconv.Itoa(k)+" | order "+strconv.Itoa(k-1)+")"] = reached[k] / reached[k-1]
	}
	require.EqualValues(s, wantOrders, got["orders"])
	compared := 0
	each(s.T, "expected/repeat_purchase.csv", func(row map[string]string) {
		value, ok := got[row["metric"]]
		if row["dataset"] != s.name || !ok {
			return
		}
		want, err := strconv.ParseFloat(row["value"], 64)
		require.NoError(s, err)
		require.InEpsilon(s, want, value, 5e-8, row["metric"])
		compared++
	})
	require.Equal(s, len(got), compared)
}

// compareSecondRead holds further nights against the first: nothing changes, whether the files are read or not.
func (s *shop) compareSecondRead(settings connectors.Settings) {
	require.Zero(s, s.sync(settings, false), "unchanged files are not read")
	swept := s.sync(settings, true)
	require.NotZero(s, swept.Read)
	require.Equal(s, ingest.Written{Read: swept.Read}, swept, "a sweep over unchanged files changes nothing")
}

// TestCreditNotesLowerNetRevenueInTheDatabase sends the credit notes of Online Retail along, as refunds without an order.
func TestCreditNotesLowerNetRevenueInTheDatabase(t *testing.T) {
	s := openShop(t, "online_retail", "2011-12-10", onlineRetail(t, "refund"))
	customers, err := s.store.CustomersAsOf(t.Context(), s.end)
	require.NoError(t, err)
	var gross, net int64
	orders, spent := 0, 0
	for _, c := range customers {
		gross, net, orders = gross+c.Gross, net+c.Net, orders+c.Orders
		if c.Net <= 0 {
			spent++
		}
	}
	require.Len(t, customers, 4338, "who only has credit notes has no score")
	require.Equal(t, 18532, orders)
	require.Equal(t, "8911407.90", decimal.New(gross, -4).StringFixed(2))

	var notes, only int
	var returned, returnedOnly decimal.Decimal
	require.NoError(t, s.sql.QueryRowContext(t.Context(), `SELECT count(*), sum(net) FROM refunds WHERE counted AND order_id = ''`).
		Scan(&notes, &returned))
	require.NoError(t, s.sql.QueryRowContext(t.Context(), `SELECT count(DISTINCT person_id), sum(net) FROM refunds r
		WHERE counted AND NOT EXISTS (SELECT FROM orders o WHERE o.store_id = r.store_id AND o.person_id = r.person_id)`).
		Scan(&only, &returnedOnly))
	require.Equal(t, 3654, notes)
	require.Equal(t, "611342.09", returned.StringFixed(2))
	require.Equal(t, 33, only)
	require.Equal(t, returned.Sub(returnedOnly).StringFixed(4), decimal.New(gross-net, -4).StringFixed(4))
	require.Equal(t, 54, spent+only, "52 in binary arithmetic: see TestOnlineRetailWithCreditNotesAsRefunds")
}
