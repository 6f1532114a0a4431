package faulttest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// killsWanted is how many kills have to hit in a whole run of the tests.
const killsWanted = 200

// tally counts kills over tests that run side by side.
type tally struct {
	mu     sync.Mutex
	hit    map[string]int
	missed int
}

func (k *tally) add(kind string, hit bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !hit {
		k.missed++
		return
	}
	if k.hit == nil {
		k.hit = map[string]int{}
	}
	k.hit[kind]++
}

func (k *tally) sum() int {
	n := 0
	for _, hits := range k.hit {
		n += hits
	}
	return n
}

// chance returns random numbers whose seed is printed. PERENNIAL_FAULTTEST_SEED repeats an earlier run.
func chance(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	if text := os.Getenv("PERENNIAL_FAULTTEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("PERENNIAL_FAULTTEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // no secret
}

// TestKill kills the binary at every request of a first night, at every request of nights with changes, and at random
// moments of either. After each kill it is started again and runs to its end, and then everything is as if nothing had
// happened.
func TestKill(t *testing.T) {
	t.Parallel()
	var kills tally
	first, nights, moments := 1, 56, 50
	if testing.Short() {
		first, nights, moments = 8, 6, 6
	}
	t.Run("worlds", func(t *testing.T) {
		t.Run("first night, at every odd request", func(t *testing.T) { t.Parallel(); killFirstNights(t, &kills, 1, 2*first) })
		t.Run("first night, at every even request", func(t *testing.T) { t.Parallel(); killFirstNights(t, &kills, 2, 2*first) })
		t.Run("nights, at each request", func(t *testing.T) { t.Parallel(); killNightsAtRequests(t, &kills, nights) })
		t.Run("nights, at random moments", func(t *testing.T) { t.Parallel(); killNightsAtRandom(t, &kills, moments) })
	})
	t.Logf("kills that hit: %v, runs that ended first: %d", kills.hit, kills.missed)
	if !testing.Short() && !t.Failed() {
		require.GreaterOrEqual(t, kills.sum(), killsWanted, "too few kills hit")
	}
}

// killFirstNights kills the first night of a fresh world at one request after the other, until a night passes untouched.
func killFirstNights(t *testing.T, kills *tally, from, step int) {
	random := chance(t)
	for n, hit := from, true; hit; n += step {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w := newWorld(t, 100, 21)
			b := blow(random.IntN(int(blows)))
			hit, _ = w.killAt(n, b, "run", "--once", "--quiet")
			kills.add("first night", hit)
			w.recover()
			if hit {
				t.Logf("killed at request %d (%d)", n, b)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// recover checks what must hold after a kill, starts the binary again, and checks everything.
func (w *world) recover() {
	w.t.Helper()
	w.checkAlways()
	w.leaseRunsOut()
	w.nightThrough()
	w.CheckInvariants()
}

// nightThrough is a night in which audiences of few people may empty, to which the owner says yes.
func (w *world) nightThrough() {
	w.t.Helper()
	out, errs, code := w.run("run", "--once", "--quiet")
	if code == 5 {
		w.confirm()
		return
	}
	require.Equal(w.t, 0, code, out+errs)
}

// killNightsAtRequests lives through nights with changes. Each is killed at another request, round after round.
func killNightsAtRequests(t *testing.T, kills *tally, nights int) {
	random := chance(t)
	w := newWorld(t, 100, 22)
	w.night()
	w.CheckInvariants()
	for n, night := 1, 0; night < nights && !t.Failed(); night++ {
		w.changes(random, night)
		b := blow(random.IntN(int(blows)))
		hit, requests := w.killAt(n, b, "run", "--once", "--quiet")
		t.Logf("night %d: request %d (%d), hit %t of %d", night, n, b, hit, requests)
		kills.add("night, at a request", hit)
		n++
		if !hit {
			n = 1
		}
		w.recover()
		if night%20 == 11 {
			w.killForget(random)
		}
	}
}

// killNightsAtRandom is the same with kills at random moments of the time that a night takes, until so many have hit.
func killNightsAtRandom(t *testing.T, kills *tally, nights int) {
	random := chance(t)
	w := newWorld(t, 100, 23)
	w.night()
	w.CheckInvariants()
	whole := 150 * time.Millisecond
	for night, hits := 0, 0; hits < nights && night < 3*nights && !t.Failed(); night++ {
		w.changes(random, night)
		after := time.Duration(random.Int64N(int64(whole)))
		hit := w.killAfter(after, "run", "--once", "--quiet")
		t.Logf("night %d: after %s, hit %t", night, after, hit)
		kills.add("night, at a moment", hit)
		if hit {
			hits++
		}
		w.checkAlways()
		w.leaseRunsOut()
		began := time.Now()
		w.nightThrough()
		if took := time.Since(began); hit {
			whole = (3*whole + took) / 4 // what is left takes less than a whole night, so that most kills hit
		}
		w.CheckInvariants()
	}
}

// killForget kills the erasure of somebody whom the e-mail platform knows through us, and then lets it end.
func (w *world) killForget(random *rand.Rand) {
	w.t.Helper()
	people := w.query(`SELECT p.email FROM deliveries d JOIN persons p ON p.store_id = d.store_id AND p.person_id = d.person_id
		WHERE d.destination = 'listmonk' AND d.state = 'delivered' AND p.email IS NOT NULL ORDER BY 1`)
	email := people[random.IntN(len(people))]
	hit, _ := w.killAt(1+random.IntN(3), blow(random.IntN(int(blows))), "forget", email)
	w.t.Logf("forget: hit %t", hit)
	w.checkAlways()
	w.leaseRunsOut()
	w.forget(email)
	w.shop.Advance(1)
	w.before = w.remember()
	w.nightThrough()
	w.CheckInvariants()
}

// TestKillPurge kills purge at one request after the other; in the end nothing of ours is left, and all else is.
func TestKillPurge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 24)
	w.night()
	w.CheckInvariants()
	random := chance(t)
	kills := 0
	for hit := true; hit; kills++ {
		hit, _ = w.killAt(1+random.IntN(6), blow(random.IntN(int(blows))), "purge", "--yes")
		if kills > 12 {
			w.leaseRunsOut()
			w.must("purge", "--yes")
			hit = false
		}
		w.checkAlways()
		w.leaseRunsOut()
	}
	t.Logf("%d kills", kills)
	w.requireNothingOfOurs()
}

// requireNothingOfOurs looks for our prefix in shop and platform.
func (w *world) requireNothingOfOurs() {
	w.t.Helper()
	for _, c := range w.shop.Customers() {
		require.Empty(w.t, w.store.ours(c), "purge left something on account %d", c.ID)
	}
	require.Empty(w.t, w.ourLists())
	for _, p := range w.mail.People() {
		require.Empty(w.t, p.Attribs["perennial"], "purge left attributes on a subscriber")
	}
}

// changes is a day in the shop and in people's mail boxes.
func (w *world) changes(random *rand.Rand, night int) {
	w.t.Helper()
	w.shop.Advance(1)
	orders := w.shop.Orders()
	some := func() *simulator.Order { return orders[random.IntN(len(orders))] }
	w.shop.PlaceOrder(simulator.OrderDraft{Email: fmt.Sprintf("guest%d@mail.example", night%17), Lines: []simulator.DraftLine{{Quantity: 1 + random.Int64N(4)}}})
	for range 4 {
		switch o := some(); random.IntN(8) {
		case 0:
			w.shop.Refund(o.ID)
		case 1:
			w.shop.RefundAmount(o.ID, 100)
		case 2:
			w.shop.TrashOrder(o.ID)
		case 3:
			w.shop.UntrashOrder(o.ID)
		case 4:
			w.shop.SetStatus(o.ID, simulator.Completed)
		case 5:
			w.shop.EditProduct(w.shop.Products()[0].ID, func(p *simulator.Product) { p.Name = fmt.Sprintf("Renamed %d", night) })
		case 6:
			if o.CustomerID == 0 && o.Email != "" {
				w.shop.RegisterGuest(o.Email, random.IntN(2) == 0)
			}
		default:
			w.shop.PlaceOrder(simulator.OrderDraft{CustomerID: o.CustomerID, Email: o.Email})
		}
	}
	if night%10 == 3 {
		w.shop.DeleteCustomer(w.shop.Customers()[5+random.IntN(20)].ID)
	}
	if night%5 == 2 {
		w.unsubscribe(1)
	}
	w.shop.Wait(24 * time.Hour) // analysis counts whole days
	w.before = w.remember()     // the shop and its people did this, not we
}
