package postgres_test

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// TestPublishedParametersOfCDNOWThroughTheDatabase puts the sample's purchases into the database as orders, appraises the
// shop as of the end of the 39th week and finds the parameters that others found.
func TestPublishedParametersOfCDNOWThroughTheDatabase(t *testing.T) {
	orders := cdnowSample(t)
	s := newShop(t)
	for len(orders) > 0 {
		n := min(len(orders), 1000)
		s.put(commerce.Orders, whole(orders[:n]...))
		orders = orders[n:]
	}
	ctx := context.Background()
	require.NoError(t, s.MarkLoaded(ctx, noon))
	end := time.Date(1997, 10, 1, 12, 0, 0, 0, time.UTC)
	worth, err := analysis.Appraise(ctx, s.Store, analysis.WorthOptions{Now: func() time.Time { return end }, Kinds: []clv.Kind{clv.BGNBD}})
	require.NoError(t, err)
	require.NoError(t, s.SaveWorth(ctx, worth))
	stored, ok, err := s.Worth(ctx)
	require.NoError(t, err)
	require.True(t, ok)
	require.Empty(t, gocmp.Diff(worth, stored))

	require.Equal(t, clv.BGNBD, stored.Kind)
	require.InEpsilon(t, -9582.429207, stored.Fit.LogLikelihood, 1e-9)
	for i, want := range []float64{.2425945, 4.413602, .792922, 2.425907} {
		require.InEpsilon(t, want, stored.Fit.Params[i].Value, 1e-5, stored.Fit.Params[i].Name)
	}

	// Everybody's own history is that of the list, and the stored parameters foretell of it.
	all, err := s.Histories(ctx, end)
	require.NoError(t, err)
	for _, h := range all[:50] {
		own, ok, err := s.HistoryOf(ctx, h.Person, end)
		require.NoError(t, err)
		require.True(t, ok)
		require.Empty(t, gocmp.Diff(h, own))
		_, err = stored.Outlook(own, stored.Day)
		require.NoError(t, err)
	}
}

func cdnowSample(t *testing.T) []commerce.Order {
	t.Helper()
	dir := os.Getenv("PERENNIAL_REFERENCE_DIR")
	if dir == "" {
		if os.Getenv("PERENNIAL_REQUIRE_REFERENCE") == "1" {
			t.Fatal("PERENNIAL_REFERENCE_DIR is unset, and PERENNIAL_REQUIRE_REFERENCE demands the reference data")
		}
		t.Skip("PERENNIAL_REFERENCE_DIR is unset: real data are not at hand")
	}
	file, err := os.Open(filepath.Join(dir, "data", "cdnow_sample.csv.gz"))
	require.NoError(t, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	rows, err := csv.NewReader(unzipped).ReadAll()
	require.NoError(t, err)
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	var orders []commerce.Order
	for i, row := range rows[1:] {
		o := order(fmt.Sprint("o", i), row[column["customer_id"]], "")
		o.PlacedAt, err = time.Parse(time.DateOnly, row[column["date"]])
		require.NoError(t, err)
		o.PlacedAt = o.PlacedAt.Add(12 * time.Hour)
		o.Goods = money(row[column["amount"]])
		o.Total = o.Goods
		orders = append(orders, o)
	}
	return orders
}

// TestWorthIsThatOfTheLastDay: of two days the later stands, a day's is replaced, and saving the same again writes no row.
func TestWorthIsThatOfTheLastDay(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	_, ok, err := s.Worth(ctx)
	require.NoError(t, err)
	require.False(t, ok)
	for _, w := range []analysis.Worth{{Day: 20_000, Customers: 1}, {Day: 20_007, Customers: 2}, {Day: 20_007, Customers: 3}, {Day: 19_999, Customers: 4}} {
		require.NoError(t, s.SaveWorth(ctx, w))
	}
	w, ok, err := s.Worth(ctx)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, 3, w.Customers)
	before := one[string](s, `SELECT string_agg(xmin::text, ' ' ORDER BY day) FROM appraisals`)
	require.NoError(t, s.SaveWorth(ctx, w))
	require.Equal(t, before, one[string](s, `SELECT string_agg(xmin::text, ' ' ORDER BY day) FROM appraisals`))
	other := s.another("other")
	_, ok, err = other.Worth(ctx)
	require.NoError(t, err)
	require.False(t, ok, "each shop has its own")
	_, ok, err = s.HistoryOf(ctx, 12345, noon)
	require.NoError(t, err)
	require.False(t, ok)
}
