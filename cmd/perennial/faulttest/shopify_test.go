package faulttest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/shopify/schematest"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// Canaries of a Shopify shop.
const (
	canaryClient       = "c4narycl1ent00000000000000000000"
	canaryClientSecret = "shpss_canary000000000000000000s3cr3t"
	canaryAccess       = "shpat_canary0000000000000000000t0k3n"
)

// market is a world whose shop is Shopify.
type market struct {
	*world
	shopify *shopifyFront
}

// newMarket makes a small shop whose every pull is a bulk operation, and whose answers are judged by Shopify's schema.
func newMarket(t *testing.T, customers, orders int, seed uint64) *market {
	t.Helper()
	return newMarketOf(t, simulator.Options{Seed: seed, Customers: customers, Orders: orders}, shopifytest.Options{})
}

func newMarketOf(t *testing.T, options simulator.Options, fake shopifytest.Options) *market {
	t.Helper()
	fake.Validator = schematest.Validator(t, shopifytest.DefaultVersion)
	fake.ClientID, fake.ClientSecret, fake.AccessToken = canaryClient, canaryClientSecret, canaryAccess
	w := newPlace(t, options)
	began := time.Now()
	fake.Clock = func() time.Time { return w.shop.Now().Add(time.Since(began)) }
	if fake.Bucket.Max == 0 {
		fake.Bucket.Restore = -1
	}
	m := &market{world: w, shopify: &shopifyFront{Server: shopifytest.New(w.shop, fake)}}
	t.Cleanup(func() { require.Empty(t, m.shopify.Violations()) })
	w.mailURL = serve(t, w.mail)
	w.open(m.shopify)
	return m
}

// read makes pulls of so many records and more bulk operations; 0 makes all of them.
func (m *market) read(bulkFrom int) {
	m.t.Helper()
	m.shopify.bulkFrom = bulkFrom
	m.configure("")
}

// paged is more records than any of the shops has.
const paged = 1_000_000

// started counts the bulk operations that were started, by the mutation that starts them.
func (m *market) started(root string) int {
	n := 0
	for _, r := range m.shopify.Requests() {
		if slices.Contains(r.Roots, root) {
			n++
		}
	}
	return n
}

const (
	startQuery    = "bulkOperationRunQuery"
	startMutation = "bulkOperationRunMutation"
)

// sideBySide runs tests at once, more of them than there are processors: they wait for operations most of the time.
func sideBySide(t *testing.T, names []string, f func(t *testing.T, i int)) {
	t.Helper()
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { t.Run(name, func(t *testing.T) { f(t, i) }) })
	}
	all.Wait()
}

// segments holds our segments against the audiences that there are.
func (m *market) segments() {
	m.t.Helper()
	want, got := map[string]string{}, map[string]string{}
	for _, row := range m.query(`SELECT name, key FROM audiences WHERE destination = 'shop'`) {
		name, key, _ := strings.Cut(row, "|")
		want[ourSegments+name] = "customer_tags CONTAINS '" + ourTags + key + "'"
	}
	for name, condition := range m.shopify.Segments() {
		if strings.HasPrefix(name, ourSegments) {
			got[name] = condition
		}
	}
	require.Equal(m.t, want, got, "I4: segments")
}

// TestThreeNightsOfShopify lives through three nights with a shop that goes on: the first by bulk operations, then paged
// ones. The third is a week later, so that it sweeps.
func TestThreeNightsOfShopify(t *testing.T) {
	t.Parallel()
	m := newMarketOf(t, simulator.Options{Seed: 7, Customers: 120, Orders: 300}, shopifytest.Options{Shuffle: true, BulkDelay: 700 * time.Millisecond})
	m.shopify.more = "segments = true\n"
	m.merchant()
	m.read(0)
	m.before = m.remember()
	m.night()
	require.Equal(t, 3, m.started(startQuery), "products, customers and orders are one operation each")
	require.Positive(t, m.started(startMutation))
	m.CheckInvariants()
	m.segments()
	first := m.query(`SELECT person_id, segment FROM rfm_scores ORDER BY 1`)

	m.read(paged)
	m.dayOfChanges()
	m.dayOfShopify()
	m.shop.Advance(1)
	m.unsubscribe(3)
	m.before = m.remember()
	m.shopify.ForgetRequests()
	m.night()
	require.Zero(t, m.started(startQuery))
	m.CheckInvariants()
	m.segments()
	require.NotEqual(t, first, m.query(`SELECT person_id, segment FROM rfm_scores ORDER BY 1`), "nobody moved in a day of changes")

	m.silentChanges()
	m.weekOfShopify()
	m.shop.Advance(8)
	m.before = m.remember()
	m.night()
	m.CheckInvariants()
	m.segments()
	m.checkHistory()

	m.must("purge", "--yes")
	m.requireNothingOfOurs()
	require.Empty(t, slices.DeleteFunc(slices.Collect(maps.Keys(m.shopify.Segments())), func(name string) bool { return !strings.HasPrefix(name, ourSegments) }))
	m.before.ours = nil // the lists are gone
	m.checkAlways()
}

// merchant gives customers what the shop's owner and other programs write there.
func (m *market) merchant() {
	for i, c := range m.shop.Customers() {
		switch i % 4 {
		case 0:
			m.shopify.SetTags(c.ID, "VIP", "PERENNIAL:Gold card", "perennial-friend")
		case 1:
			m.shopify.SetMetafield(c.ID, "loyalty", "points", "number_integer", fmt.Sprint(i))
		}
	}
	m.shopify.MakeSegment("My best", "number_of_orders > 3")
}

// customers are those who bought with their account.
func (m *market) customers() []int64 {
	var ids []int64
	for _, o := range m.shop.Orders() {
		if o.CustomerID != 0 && !slices.Contains(ids, o.CustomerID) {
			ids = append(ids, o.CustomerID)
		}
	}
	return ids
}

// dayOfShopify is what happens in Shopify shops only.
func (m *market) dayOfShopify() {
	m.t.Helper()
	customers, orders := m.customers(), m.shop.Orders()
	m.shopify.Redact(customers[2])
	m.shopify.SetConsent(customers[3], "UNSUBSCRIBED")
	m.shopify.SetTags(customers[4], append(m.shopify.Tags(customers[4]), "Perennial-fan")...)
	m.shopify.MarkTest(orders[20].ID)
	m.shopify.SellGiftCard(orders[21].ID, orders[21].Lines[0].ID)
	m.shopify.RemoveLine(orders[22].ID, orders[22].Lines[0].ID)
	m.shop.ForceDeleteOrder(orders[23].ID)
	m.shop.DeleteCustomer(customers[5])
}

// weekOfShopify is what only a sweep can find: customers who became one, and what the lines of old orders cost.
func (m *market) weekOfShopify() {
	customers := m.customers()
	m.shopify.Merge(customers[6], customers[7])
	m.shopify.SetUnitCost(m.shop.Products()[1].ID, 321)
}
