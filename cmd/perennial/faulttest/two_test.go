package faulttest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// visit is one request of a process to a shop.
type visit struct {
	who          string
	began, ended time.Time
}

// guestbook stands before a shop and notes who comes.
type guestbook struct {
	mu     sync.Mutex
	visits []visit
}

func (g *guestbook) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		who := r.URL.Query().Get("oauth_consumer_key")
		began := time.Now()
		defer func() { // also where the visitor dies
			g.mu.Lock()
			defer g.mu.Unlock()
			if who != "" { // the index is asked without a key
				g.visits = append(g.visits, visit{who, began, time.Now()})
			}
		}()
		next.ServeHTTP(rw, r)
	})
}

// turns are the visitors in order, each named once for visits in a row, and whether two ever were there at once.
func (g *guestbook) turns() (order []string, overlap bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, v := range g.visits {
		if i == 0 || order[len(order)-1] != v.who {
			order = append(order, v.who)
		}
		for _, other := range g.visits[:i] {
			if other.who != v.who && v.began.Before(other.ended) && other.began.Before(v.ended) {
				overlap = true
			}
		}
	}
	return order, overlap
}

func (g *guestbook) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.visits = nil
}

// street is several shops on one database. Each process signs with keys of its own, so that the shops can tell them apart.
type street struct {
	*world
	shops  []*simulator.Shop
	fakes  []*woocommercetest.Server
	guests []*guestbook
}

var keysOf = map[string]woocommercetest.Key{
	"left":  {ConsumerKey: canaryKey, ConsumerSecret: canarySecret, Permissions: "read_write"},
	"right": {ConsumerKey: "ck_canary1111111111111111111111111111k3y", ConsumerSecret: "cs_canary111111111111111111111111s3cr3t", Permissions: "read_write"},
}

func newStreet(t *testing.T, shops int) *street {
	t.Helper()
	s := &street{world: newWorld(t, -1, 80)}
	text := "[database]\nurl_env = \"FAULTTEST_DATABASE_URL\"\n[health]\nlisten = \"\"\n"
	for i := range shops {
		shop := simulator.New(simulator.Options{Seed: uint64(81 + i), Customers: 40, Name: fmt.Sprint("Shop ", i)}) //nolint:gosec // small
		fake := woocommercetest.New(shop, woocommercetest.Options{
			Keys: []woocommercetest.Key{keysOf["left"], keysOf["right"]}, Latency: 20 * time.Millisecond,
		})
		guests := &guestbook{}
		address := serve(t, guests.before(fake))
		fake.SetHome(address)
		s.shops, s.fakes, s.guests = append(s.shops, shop), append(s.fakes, fake), append(s.guests, guests)
		text += fmt.Sprintf("[[stores]]\nname = \"shop%d\"\nkind = \"woocommerce\"\ntags = true\n[stores.settings]\nurl = %q\n"+
			"consumer_key_env = \"FAULTTEST_KEY\"\nconsumer_secret_env = \"FAULTTEST_SECRET\"\n", i, address)
	}
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "perennial.toml"), []byte(text), 0o600))
	return s
}

// daemon starts a daemon of one side of the street, at the shops' own time.
func (s *street) daemon(side string) *process {
	s.t.Helper()
	key := keysOf[side]
	s.env = []string{"FAULTTEST_KEY=" + key.ConsumerKey, "FAULTTEST_SECRET=" + key.ConsumerSecret}
	s.shop = s.shops[0]
	return s.start("run", "--lease", "3s")
}

// nights counts the nights that the ledger of runs knows as done.
func (s *street) nights() string {
	return strings.Join(s.query(`SELECT s.name, count(r.run_id) FROM stores s LEFT JOIN runs r ON r.store_id = s.store_id AND r.kind = 'push' AND r.state = 'succeeded'
		GROUP BY 1 ORDER BY 1`), " ")
}

// requireOrders holds the money of every shop against the database.
func (s *street) requireOrders() {
	s.t.Helper()
	for i, shop := range s.shops {
		truth := shop.Oracle(simulator.Policy{})
		sum := truth.Orders[0].Total
		for _, o := range truth.Orders[1:] {
			sum = sum.Add(o.Total)
		}
		require.Equal(s.t, []string{fmt.Sprintf("%d|%s", len(truth.Orders), sum.StringFixed(4))},
			s.query(`SELECT count(*), round(sum(total), 4) FROM orders o JOIN stores s USING (store_id) WHERE s.name = $1 AND deleted_at IS NULL`, fmt.Sprint("shop", i)))
	}
}

// TestTwoDaemons lets two daemons share three shops: each shop has one visitor at a time, and one night. Then one of them is
// killed in the middle of a shop, and the other ends its work once the lease has run out.
func TestTwoDaemons(t *testing.T) {
	t.Parallel()
	s := newStreet(t, 3)
	left, right := s.daemon("left"), s.daemon("right")
	left.waits("the first night", func() bool { return s.nights() == "shop0|1 shop1|1 shop2|1" })
	for i, guests := range s.guests {
		order, overlap := guests.turns()
		require.False(t, overlap, "I10: two processes were in shop %d at once", i)
		require.Len(t, order, 1, "I10: shop %d was visited by turns", i)
		guests.forget()
	}
	s.requireOrders()
	for _, p := range []*process{left, right} {
		p.stops(syscall.SIGTERM, 20*time.Second)
	}
	epochs := s.query(`SELECT epoch FROM fences ORDER BY store_id`)

	for _, shop := range s.shops {
		shop.Advance(1)
	}
	s.fakes[0].Fault(woocommercetest.Fault{Kind: woocommercetest.Hang, Path: "/customers", Times: 1})
	left = s.daemon("left")
	left.waits("the silence", func() bool { return s.fakes[0].FaultsLeft() == 0 })
	right = s.daemon("right")
	left.waits("the other shops", func() bool { return s.nights() == "shop0|1 shop1|2 shop2|2" })
	time.Sleep(4 * time.Second) // longer than a lease: a living process keeps it
	order, _ := s.guests[0].turns()
	require.NotContains(t, order, keysOf["right"].ConsumerKey, "I10: the lease of a living process was taken")
	left.kill()
	right.waits("the take-over", func() bool { return s.nights() == "shop0|2 shop1|2 shop2|2" })
	order, overlap := s.guests[0].turns()
	require.False(t, overlap, "I10: two processes at once")
	require.Equal(t, []string{keysOf["left"].ConsumerKey, keysOf["right"].ConsumerKey}, order)
	right.stops(syscall.SIGTERM, 20*time.Second)
	s.requireOrders()
	after := s.query(`SELECT epoch FROM fences ORDER BY store_id`)
	require.Len(t, after, 3)
	require.GreaterOrEqual(t, number(after[0]), number(epochs[0])+2, "each change of hands raises the epoch")
	require.Empty(t, s.query(`SELECT run_id FROM runs WHERE state = 'running'`))
	var f findings
	s.noSecret(&f)
	s.report(f)
}

// TestCommandBesideTheDaemon refuses to work on a shop on which the daemon is working, in words.
func TestCommandBesideTheDaemon(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 85)
	d := w.hang(func() *process { return w.start("run") })
	w.refuses(7, []string{"another process works on this shop", "what to do"}, "sync")
	w.refuses(7, []string{"another process works on this shop", "what to do"}, "run", "--once")
	require.Contains(t, w.must("status"), "alder")
	d.kill()
	w.woo.Mend()
	w.leaseRunsOut()
	w.night()
	w.CheckInvariants()
}
