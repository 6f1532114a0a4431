package faulttest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestKillShopify kills the binary at every request to a Shopify shop: of first nights by bulk operations, of later nights,
// and of pushes by bulk mutations. What was started and written down is gone on with, and nothing is started twice.
func TestKillShopify(t *testing.T) {
	t.Parallel()
	var kills tally
	lanes := map[string]func(t *testing.T, lane int){
		"first night": func(t *testing.T, lane int) { killFirstNightsOfShopify(t, &kills, lane) },
		"nights":      func(t *testing.T, lane int) { killNightsOfShopify(t, &kills, lane) },
		"pushes":      func(t *testing.T, lane int) { killPushesToShopify(t, &kills, lane) },
	}
	list := []string{"first night", "first night", "first night", "first night", "nights", "pushes", "pushes"}
	sideBySide(t, list, func(t *testing.T, i int) {
		lane := 0
		for _, before := range list[:i] {
			if before == list[i] {
				lane++
			}
		}
		lanes[list[i]](t, lane)
	})
	t.Logf("kills that hit: %v, runs that ended first: %d", kills.hit, kills.missed)
	if !testing.Short() && !t.Failed() {
		require.GreaterOrEqual(t, kills.sum(), 80, "too few kills hit")
	}
}

// Lanes of each kind.
const (
	firstLanes = 4
	pushLanes  = 2
)

// thinned is how many kills a lane leaves out where time is short.
func thinned(step int) int {
	if testing.Short() {
		return 7 * step
	}
	return step
}

// killFirstNightsOfShopify kills the first night of a fresh shop at one request after the other.
func killFirstNightsOfShopify(t *testing.T, kills *tally, lane int) {
	random := chance(t)
	for n, hit := 1+lane, true; hit && !t.Failed(); n += thinned(firstLanes) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			b := blow(random.IntN(int(blows)))
			delay := time.Duration(random.IntN(2)) * 400 * time.Millisecond // some are still running when they are asked for
			m := newMarketOf(t, simulator.Options{Seed: 21, Customers: 40, Orders: 80}, shopifytest.Options{Shuffle: true, BulkDelay: delay})
			hit, _ = m.killAt(n, b, "run", "--once", "--quiet")
			kills.add("first night", hit)
			t.Logf("request %d (%d), operations take %s: %s", n, b, delay, m.last())
			m.goOn(hit && b != unheard)
		})
	}
}

// last says what the shop was asked last.
func (m *market) last() string {
	all := m.shopify.Requests()
	if len(all) == 0 {
		return "nothing"
	}
	return fmt.Sprint(all[len(all)-1].Method, " ", all[len(all)-1].Operation, " ", all[len(all)-1].Roots)
}

// asked reports whether the last request to the shop had this root field.
func (m *market) asked(root string) bool {
	all := m.shopify.Requests()
	return len(all) > 0 && slices.Contains(all[len(all)-1].Roots, root)
}

// goOn starts the binary again after a kill in its first night. An operation that was written down is gone on with, and
// what was read to its end is asked for changes by another one. Where the kill came as an operation was being started, it
// may be found again or not.
func (m *market) goOn(heard bool) {
	m.t.Helper()
	lostQuery, lostMutation := heard && m.asked(startQuery), heard && m.asked(startMutation)
	m.checkAlways()
	m.leaseRunsOut()
	known := number(m.query(`SELECT count(*) FROM cursors WHERE mode = 'increment' AND NOT done AND cursor LIKE '%gid://shopify/BulkOperation/%'`)[0])
	before, ended := m.started(startQuery), len(m.query(`SELECT done FROM nightlies WHERE done <> ''`)) > 0
	m.nightThrough()
	fresh, wanted := m.started(startQuery)-before, 3-int(known)
	if ended { // the kill came too late
		wanted = 0
	}
	if lostQuery {
		require.Contains(m.t, []int{wanted - 1, wanted}, fresh, "bulk operations begun anew")
	} else {
		require.Equal(m.t, wanted, fresh, "bulk operations begun anew, %d were known", known)
	}
	files := 2 // what comes to customers: tags, and metafields
	if lostMutation {
		require.Contains(m.t, []int{files, files + 1}, m.started(startMutation))
	} else {
		require.Equal(m.t, files, m.started(startMutation), "bulk mutations")
	}
	m.read(paged) // what was read by files and what is read by pages is the same
	m.CheckInvariants()
}

// killNightsOfShopify lives through nights with changes, read by pages and by bulk operations in turn. Each is killed at
// another request.
func killNightsOfShopify(t *testing.T, kills *tally, lane int) {
	random := chance(t)
	m := newMarket(t, 60, 100, 22)
	m.shopify.more = "segments = true\n"
	m.merchant()
	m.read(paged)
	m.before = m.remember()
	m.nightThrough()
	m.CheckInvariants()
	nights := 24 / thinned(1)
	for n, night := 1+lane, 0; night < nights && !t.Failed(); night++ {
		m.changes(random, night)
		m.read([]int{paged, paged, 0}[night%3])
		b := blow(random.IntN(int(blows)))
		hit, requests := m.killAt(n, b, "run", "--once", "--quiet")
		t.Logf("night %d: request %d (%d), hit %t of %d: %s", night, n, b, hit, requests, m.last())
		kills.add("night", hit)
		n++
		if !hit {
			n = 1
		}
		m.checkAlways()
		m.leaseRunsOut()
		m.nightThrough()
		m.read(paged)
		m.CheckInvariants()
	}
}

// killPushesToShopify kills pushes by bulk mutations, in which people change their audience.
func killPushesToShopify(t *testing.T, kills *tally, lane int) {
	random := chance(t)
	m := newMarket(t, 60, 100, 23)
	m.merchant()
	m.read(paged)
	m.before = m.remember()
	m.nightThrough()
	m.CheckInvariants()
	for n, hit, night := 1+lane, true, 0; hit && !t.Failed(); n, night = n+thinned(pushLanes), night+1 {
		m.busyDay(random, night)
		m.must("sync", "--quiet")
		m.must("analyze", "--quiet")
		m.read(0)
		b := blow(random.IntN(int(blows)))
		hit, _ = m.killAt(n, b, "push", "--quiet")
		t.Logf("push %d: request %d (%d), hit %t: %s", night, n, b, hit, m.last())
		kills.add("push", hit)
		lost := hit && b != unheard && m.asked(startMutation)
		m.checkAlways()
		m.leaseRunsOut()
		m.pushThrough()
		most := 4
		if lost {
			most++
		}
		require.LessOrEqual(t, m.started(startMutation), most, "a bulk mutation was started twice")
		m.read(paged)
		m.CheckInvariants()
		m.shopify.ForgetRequests()
	}
}

// pushThrough pushes, and says yes where small audiences empty.
func (m *market) pushThrough() {
	m.t.Helper()
	out, errs, code := m.run("push", "--quiet")
	if code == held {
		m.confirm()
		return
	}
	require.Equal(m.t, 0, code, out+errs)
}

// busyDay lets many customers buy, so that many change their audience.
func (m *market) busyDay(random *rand.Rand, night int) {
	m.t.Helper()
	m.shop.Advance(1 + night%3*20)
	for _, id := range m.customers() {
		if random.IntN(3) == 0 {
			m.shop.PlaceOrder(simulator.OrderDraft{CustomerID: id, Email: m.shop.Customer(id).Email, Lines: []simulator.DraftLine{{Quantity: 1 + random.Int64N(4)}}})
		}
	}
	m.shop.Wait(24 * time.Hour)
	m.before = m.remember()
}

// TestKillAsSegmentsAreMade kills pushes that make segments, which Shopify would make twice: each is found again.
func TestKillAsSegmentsAreMade(t *testing.T) {
	t.Parallel()
	m := newMarket(t, 40, 80, 24)
	m.shopify.more = "segments = true\n"
	m.read(paged)
	m.must("sync", "--quiet")
	m.must("analyze", "--quiet")
	for n, b := range map[int]blow{4: unanswered, 5: answered, 6: unanswered} {
		hit, _ := m.killAt(n, b, "push", "--quiet")
		require.True(t, hit)
		m.checkAlways()
		m.leaseRunsOut()
	}
	m.pushThrough()
	m.segments()
	m.CheckInvariants()
}

// TestInvariantsBiteOnShopify spoils one thing at a time that only Shopify has.
func TestInvariantsBiteOnShopify(t *testing.T) {
	t.Parallel()
	m := newMarket(t, 30, 60, 31)
	m.merchant()
	m.read(paged)
	m.before = m.remember()
	m.nightThrough()
	m.CheckInvariants()
	customers := m.shop.Customers()
	for complains, spoil := range map[string]func(){
		"I5, I6:": func() {
			m.shopify.SetTags(customers[0].ID, append(m.shopify.Tags(customers[0].ID), "PERENNIAL:other")...)
		},
		"loyalty":  func() { m.shopify.SetMetafield(customers[1].ID, "loyalty", "points", "number_integer", "77") },
		"consent":  func() { m.shopify.SetConsent(customers[2].ID, "SUBSCRIBED") },
		"segment ": func() { m.shopify.MakeSegment("Another", "number_of_orders > 4") },
	} {
		m.before = m.remember()
		spoil()
		var f findings
		m.always(&f)
		require.Contains(t, fmt.Sprint(f), complains)
	}
	m.exec(`UPDATE orders SET complete = false WHERE id = (SELECT min(id) FROM orders)`)
	var f findings
	m.finished(&f)
	require.Contains(t, fmt.Sprint(f), "are left open")
}
