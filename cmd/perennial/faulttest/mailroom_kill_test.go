package faulttest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestKillPushes kills pushes to e-mail platforms and webhooks at their requests: first pushes, and those of nights in which
// the shop's people buy and unsubscribe. After each kill the next push brings everything, as if nothing had happened.
func TestKillPushes(t *testing.T) {
	t.Parallel()
	var kills tally
	shop := newReadShop(t, 40, 31)
	require.NoError(t, shop.db.Close()) // copies are made of it
	lanes := map[string]func(*testing.T){
		"nights of klaviyo and webhook": func(t *testing.T) { killNightsOfMail(t, &kills, 32, "klaviyo", "webhook") },
		"nights of mailchimp and brevo": func(t *testing.T) { killNightsOfMail(t, &kills, 33, "mailchimp", "brevo") },
	}
	for _, kind := range append(everywhere, "brevo by imports") {
		for half, parity := range []string{"odd", "even"} {
			lanes["first push to "+kind+", at every "+parity+" request"] = func(t *testing.T) { killFirstPushes(t, &kills, pushed{shop, kind}, 1+half) }
		}
	}
	t.Run("lanes", func(t *testing.T) {
		for name, lane := range lanes {
			t.Run(name, func(t *testing.T) { t.Parallel(); lane(t) })
		}
	})
	t.Logf("kills that hit: %v, pushes that ended first: %d", kills.hit, kills.missed)
	if !testing.Short() && !t.Failed() {
		require.GreaterOrEqual(t, kills.sum(), 100, "too few kills hit")
	}
}

// pushed is a shop that was read and analysed, and the kind of platform that it pushes to.
type pushed struct {
	shop *world
	kind string
}

// killFirstPushes kills the first push to one platform at every second request, each time anew, until one ends.
func killFirstPushes(t *testing.T, kills *tally, base pushed, from int) {
	random := chance(t)
	step := 2
	if testing.Short() {
		step, from = 24, from+random.IntN(24)
	}
	for n, hit := from, true; hit && !t.Failed(); n += step {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			m := openMailroom(base.shop.copied(t), base.kind)
			b := blow((n + random.IntN(int(blows))) % int(blows))
			hit, _ = m.killAt(n, b, m.pushing()...)
			kills.add("first push to "+base.kind, hit)
			t.Logf("request %d (%d), hit %t", n, b, hit)
			m.goOn()
		})
	}
}

// goOn checks what must hold after a push was killed, pushes to the end, and checks everything.
func (m *mailroom) goOn() {
	m.t.Helper()
	m.checkMeanwhile()
	m.leaseRunsOut()
	m.push()
	m.check()
}

// killNightsOfMail lives through nights with changes whose pushes are killed at another request each.
func killNightsOfMail(t *testing.T, kills *tally, seed uint64, kinds ...string) {
	random := chance(t)
	m := newMailroom(t, 40, seed, kinds...)
	m.push()
	m.check()
	nights := 20
	if testing.Short() {
		nights = 4
	}
	for n, night := 1+random.IntN(4), 0; night < nights && !t.Failed(); night++ {
		m.day(random, night)
		b := blow(random.IntN(int(blows)))
		hit, requests := m.killAt(n, b, m.pushing()...)
		kills.add("night", hit)
		t.Logf("night %d: request %d (%d), hit %t of %d", night, n, b, hit, requests)
		n++
		if testing.Short() {
			n += 4
		}
		if !hit {
			n = 1
		}
		m.goOn()
	}
}

// day is a day in which many buy, somebody unsubscribes at one of the platforms now and then, and the shop is read and
// analysed.
func (m *mailroom) day(random *rand.Rand, night int) {
	m.t.Helper()
	m.changes(random, 5*night) // without those of another platform
	if night%7 == 3 {
		m.shop.DeleteCustomer(m.shop.Customers()[5+random.IntN(20)].ID)
	}
	if night%9 == 8 { // the weekly look is due
		m.shop.Wait(7 * 24 * time.Hour)
	}
	if night%3 == 1 {
		m.somebodyLeaves(random)
	}
	m.note()
	m.must("sync", "--quiet")
	m.must("analyze", "--quiet")
}

// somebodyLeaves lets a member of our audiences unsubscribe.
func (m *mailroom) somebodyLeaves(random *rand.Rand) {
	m.t.Helper()
	p := m.platforms[random.IntN(len(m.platforms))]
	if p.kind() == "webhook" {
		p = m.platforms[0]
	}
	people := m.query(`SELECT address FROM deliveries WHERE destination = $1 AND audiences <> '{}' AND hash IS NOT NULL ORDER BY 1`, p.kind())
	require.NotEmpty(m.t, people)
	require.NoError(m.t, p.leave(people[random.IntN(len(people))]))
}
