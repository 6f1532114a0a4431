package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-json"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/shopify"
	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// measureBulk holds the whole way of a bulk result into the database, orders settled, against the typed decoding of the
// same lines by the same library and COPY with upsert of the same rows.
func measureBulk(tb testing.TB, scale float64) []figure {
	orders := sized(100_000, scale, 50)
	var ours, theirs, speeds []float64
	for round := range 3 {
		p := newPlace(tb)
		bare := newCopier(p)
		home, stop := serveBulk(tb, orders)
		source := ordersOnly{bulkSource(tb, home)}
		our := p.meter.measure(func() { p.ingest(source, false) })
		stop()
		require.EqualValues(tb, orders, p.number(`SELECT count(*) FROM orders WHERE complete AND counted`))
		require.EqualValues(tb, orders*linesPerOrder, p.number(`SELECT count(*) FROM lines`))

		var their cost
		shop := newBulkShop(orders)
		for from := 0; from < orders; from += turnOrders {
			upto := min(orders, from+turnOrders)
			text := shop.part(from, upto)
			decoding := p.meter.measure(func() { decodeAll(tb, text) })
			rows := bare.read(shop.ids(from, upto))
			their = their.plus(decoding).plus(p.meter.measure(func() { bare.copy(rows) }))
		}
		perOrder := func(c cost) float64 { return float64(c.cpu().Microseconds()) / float64(orders) }
		tb.Logf("round %d: ours %v client %v server in %v, bare %v client %v server", round+1, our.client, our.server, our.wall, their.client, their.server)
		ours, theirs = append(ours, perOrder(our)), append(theirs, perOrder(their))
		speeds = append(speeds, float64(orders)/our.wall.Seconds())
	}
	return []figure{
		{name: "Shopify bulk result to the database, CPU per order of 3 lines", unit: "µs", ours: median(ours), bare: median(theirs), target: 1.5},
		{name: "Shopify bulk result to the database, speed", unit: "orders/s", ours: median(speeds), target: 10_000, alone: true, atLeast: true},
	}
}

// ids are the orders of the file as pages, for reading back what was stored of them.
func (s *bulkShop) ids(from, upto int) *shelf {
	var page commerce.Batch
	for n := from; n < upto; n++ {
		page.Orders = append(page.Orders, commerce.Order{ID: strconv.Itoa(100_000_000 + n)})
	}
	return &shelf{pages: []commerce.Batch{page}}
}

// part is the text of some orders.
func (s *bulkShop) part(from, upto int) []byte {
	text := make([]byte, (upto-from)*len(s.model))
	_, _ = s.ReadAt(text, int64(from)*int64(len(s.model))) // it is all there
	return text
}

// The shapes of what is decoded, as the connector has them.
type (
	bareMoney struct {
		Shop struct {
			Amount   string `json:"amount"`
			Currency string `json:"currencyCode"`
		} `json:"shopMoney"`
		Buyer struct {
			Amount   string `json:"amount"`
			Currency string `json:"currencyCode"`
		} `json:"presentmentMoney"`
	}
	bareID      struct{ ID string }
	bareAddress struct {
		FirstName, LastName, CountryCodeV2, ProvinceCode, City, Zip *string
	}
	bareVisit struct {
		Source, SourceType, ReferrerURL *string
		UTMParameters                   *struct{ Source, Medium, Campaign, Content, Term *string }
	}
	bareOrder struct {
		ID, Name, SourceName, CurrencyCode, DisplayFinancialStatus, Email *string
		CreatedAt, ProcessedAt, UpdatedAt                                 time.Time
		CancelledAt                                                       *time.Time
		Test, TaxesIncluded                                               bool
		DiscountCodes                                                     []string
		TotalPriceSet, SubtotalPriceSet, TotalDiscountsSet                *bareMoney
		TotalTaxSet, TotalTipReceivedSet, OriginalTotalDutiesSet          *bareMoney
		AdditionalFees                                                    []struct{ Price bareMoney }
		ShippingLine                                                      *struct {
			DiscountedPriceSet  bareMoney
			DiscountAllocations []struct{ AllocatedAmountSet bareMoney }
			TaxLines            []struct{ PriceSet bareMoney }
		}
		Customer                        *bareID
		BillingAddress, ShippingAddress *bareAddress
		CustomerJourneySummary          *struct{ LastVisit, FirstVisit *bareVisit }
		Transactions                    []struct {
			Kind, Status string
			ProcessedAt  *time.Time
		}
		Refunds []bareID
	}
	bareLine struct {
		ID, Name, SKU       *string
		Parent              string `json:"__parentId"`
		Quantity            int64
		IsGiftCard          bool
		OriginalTotalSet    bareMoney
		DiscountAllocations []struct{ AllocatedAmountSet bareMoney }
		TaxLines            []struct{ PriceSet bareMoney }
		Product             *bareID
		Variant             *struct {
			ID            string
			InventoryItem *struct {
				UnitCost *struct{ Amount string }
			}
		}
	}
)

// decodeAll is the bare decoding: every line into its type.
func decodeAll(tb testing.TB, text []byte) {
	tb.Helper()
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte(`{"__typename":"Order"`)) {
			require.NoError(tb, json.Unmarshal(line, &bareOrder{}))
		} else {
			require.NoError(tb, json.Unmarshal(line, &bareLine{}))
		}
	}
}

// ordersOnly is a source that offers nothing else.
type ordersOnly struct{ connectors.Source }

func (o ordersOnly) Resources() []connectors.Offer {
	for _, offer := range o.Source.Resources() {
		if offer.Resource == commerce.Orders {
			return []connectors.Offer{offer}
		}
	}
	return nil
}

func bulkSource(tb testing.TB, home string) connectors.Source {
	tb.Helper()
	source, err := shopify.New().NewSource(connectors.Settings{
		"shop": "bench.myshopify.com", "access_token": "shpat_bench", "url": home, "bulk_from": 0,
	}, connectors.Deps{Now: clock, Prefix: "perennial"})
	require.NoError(tb, err)
	_, err = source.Check(context.Background())
	require.NoError(tb, err)
	return source
}

// bulkVariable makes this binary the process of a shop with so many orders, until its standard input ends. What it takes to
// make the file is nobody's who is measured.
const bulkVariable = "PERENNIAL_BENCH_BULK"

func serveBulk(tb testing.TB, orders int) (home string, stop func()) {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), bulkVariable+"="+strconv.Itoa(orders))
	hold, err := cmd.StdinPipe()
	require.NoError(tb, err)
	out, err := cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(tb, err)
	return strings.TrimSpace(line), func() {
		require.NoError(tb, hold.Close())
		require.NoError(tb, cmd.Wait())
	}
}

func runBulkShop() bool {
	orders, err := strconv.Atoi(os.Getenv(bulkVariable))
	if err != nil {
		return false
	}
	shop := newBulkShop(orders)
	server := httptest.NewServer(http.HandlerFunc(shop.ServeHTTP))
	defer server.Close()
	shop.home = server.URL
	fmt.Println(server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin) // it ends with whoever started us
	return true
}

const bulkConfig = `[database]
url_env = "PERENNIAL_BENCH_DATABASE_URL"

[health]
listen = ""

[[stores]]
name = "bench"
kind = "shopify"
consent = "shop"

[stores.settings]
shop         = "bench.myshopify.com"
access_token = "shpat_bench"
url          = %q
bulk_from    = 0
`

// measureBulkMemory lets the built binary load a shop of ten million lines.
func measureBulkMemory(tb testing.TB, scale float64) []figure {
	bin, err := binary()
	require.NoError(tb, err)
	dir := tb.TempDir()
	orders := sized(2_500_000, scale, 50)
	home, stop := serveBulk(tb, orders)
	defer stop()
	address := postgrestest.URL(tb)
	config := filepath.Join(dir, "perennial.toml")
	require.NoError(tb, os.WriteFile(config, []byte(fmt.Sprintf(bulkConfig, home)), 0o600))
	cmd := exec.Command(bin, "--config", config, "--now", today.Format(time.RFC3339), "sync", "--quiet")
	cmd.Env = append(os.Environ(), "PERENNIAL_BENCH_DATABASE_URL="+address, "PERENNIAL_STATE_DIR="+dir)
	began := time.Now()
	peak := watched(tb, cmd)
	tb.Logf("%d lines took %v", orders*(1+linesPerOrder), time.Since(began).Round(time.Second))
	var stored int
	require.NoError(tb, postgrestest.SQL(tb, address).QueryRow(`SELECT count(*) FROM orders WHERE counted`).Scan(&stored))
	require.Equal(tb, orders, stored)
	return []figure{{
		name: fmt.Sprintf("memory of a bulk result of %d lines", orders*(1+linesPerOrder)), unit: "MB", ours: peak, target: 150, alone: true,
	}}
}
