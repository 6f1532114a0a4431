package postgres_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
)

// BenchmarkIngest commits pages of 1,000 orders with one line each: new ones, then the same again.
func BenchmarkIngest(b *testing.B) {
	pages := 20
	if n, err := strconv.Atoi(os.Getenv("PERENNIAL_BENCH_PAGES")); err == nil {
		pages = n
	}
	const size = 1000
	for b.Loop() {
		b.StopTimer()
		s := newShop(b)
		b.StartTimer()
		for _, pass := range []string{"new", "unchanged"} {
			began := time.Now()
			for page := range pages {
				var orders []commerce.Order
				for i := range size {
					n := page*size + i
					orders = append(orders, order(fmt.Sprint("order-", n), fmt.Sprint(n%5000), fmt.Sprintf("person%d@example.com", n%5000)))
				}
				next := connectors.Cursor(pass + fmt.Sprint(page))
				stand, err := s.Cursor(context.Background(), commerce.Orders, connectors.Increment)
				require.NoError(b, err)
				_, err = s.Commit(context.Background(), ingest.Commit{
					Resource: commerce.Orders, Mode: connectors.Increment, Old: stand.Cursor, At: noon,
					Page: connectors.Page{Records: whole(orders...), Next: next},
				})
				require.NoError(b, err)
			}
			b.ReportMetric(float64(pages*size)/time.Since(began).Seconds(), pass+"-orders/s")
		}
	}
}
