package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// slowShop is a fake shop that waits before every answer.
type slowShop struct {
	fake    *woocommercetest.Server
	url     string
	latency atomic.Int64
}

func newSlowShop(tb testing.TB, customers int) *slowShop {
	tb.Helper()
	shop := simulator.New(simulator.Options{Customers: customers, AsOf: today})
	s := &slowShop{fake: woocommercetest.New(shop, woocommercetest.Options{Clock: time.Now})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Duration(s.latency.Load()))
		s.fake.ServeHTTP(w, r)
	}))
	tb.Cleanup(server.Close)
	s.url = server.URL
	s.fake.SetHome(server.URL)
	return s
}

func shopSource(address string, now func() time.Time) (connectors.Source, error) {
	return woocommerce.New().NewSource(connectors.Settings{
		"url": address, "consumer_key": woocommercetest.MainKey.ConsumerKey, "consumer_secret": woocommercetest.MainKey.ConsumerSecret,
	}, connectors.Deps{Now: now})
}

// request is one request as the sync made it, without what signed it.
type request struct {
	Path  string            `json:"path"` // below wc/v3/
	Query map[string]string `json:"query"`
}

// asked lists what the shop was asked, signatures taken away.
func (s *slowShop) asked(tb testing.TB) []request {
	tb.Helper()
	var all []request
	for _, r := range s.fake.Requests() {
		require.Equal(tb, http.MethodGet, r.Method)
		require.Equal(tb, http.StatusOK, r.Status, r.Path)
		u, err := url.Parse(r.Path)
		require.NoError(tb, err)
		path, ok := strings.CutPrefix(u.Path, "/wp-json/wc/v3/")
		require.True(tb, ok, u.Path)
		query := map[string]string{}
		for name, values := range u.Query() {
			require.Len(tb, values, 1)
			if !strings.HasPrefix(name, "oauth_") {
				query[name] = values[0]
			}
		}
		all = append(all, request{Path: path, Query: query})
	}
	return all
}

// measureThroughput holds a first sync of a shop that takes half a second a page against a bare loop over the very same
// requests.
func measureThroughput(tb testing.TB, scale float64) []figure {
	s := newSlowShop(tb, sized(500, scale, 20))
	latency := 500 * time.Millisecond
	turns := 3
	if scale < 0.01 {
		latency, turns = time.Millisecond, 1
	}
	s.warm(tb) // the shop's own lists are made once
	var ours, theirs []float64
	for turn := range turns {
		p := newPlace(tb)
		source, err := shopSource(s.url, s.fake.Shop().Now)
		require.NoError(tb, err)
		s.fake.ForgetRequests()
		s.latency.Store(int64(latency))
		our := p.meter.measure(func() { p.ingest(source, false) })
		requests := s.asked(tb)
		their := p.meter.measure(func() { s.fetchBare(tb, requests) })
		s.latency.Store(0)
		require.Positive(tb, p.number(`SELECT count(*) FROM orders`))
		tb.Logf("turn %d, %d requests: sync %v, bare loop %v", turn+1, len(requests), our.wall, their.wall)
		ours = append(ours, float64(len(requests))/our.wall.Seconds())
		theirs = append(theirs, float64(len(requests))/their.wall.Seconds())
	}
	return []figure{{
		name: fmt.Sprintf("WooCommerce sync at %v a page, throughput", latency), unit: "requests/s",
		ours: median(ours), bare: median(theirs), target: 0.95, atLeast: true,
	}}
}

// warm reads the whole shop once.
func (s *slowShop) warm(tb testing.TB) {
	tb.Helper()
	source, err := shopSource(s.url, s.fake.Shop().Now)
	require.NoError(tb, err)
	_, err = pullEverything(source)
	require.NoError(tb, err)
}

// pullEverything pulls every resource to its end and returns the number of orders.
func pullEverything(source connectors.Source) (orders int, err error) {
	for _, offer := range source.Resources() {
		mode := connectors.Sweep
		if offer.Incremental {
			mode = connectors.Increment
		}
		for cursor, done := connectors.Cursor(""), false; !done; {
			page, err := source.Pull(context.Background(), offer.Resource, mode, cursor)
			if err != nil {
				return 0, err
			}
			if offer.Resource == commerce.Orders {
				orders += len(page.Records.Orders)
			}
			cursor, done = page.Next, page.Done
		}
	}
	return orders, nil
}

// fetchBare makes the requests with nothing but net/http.
func (s *slowShop) fetchBare(tb testing.TB, requests []request) {
	tb.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, r := range requests {
		query := url.Values{}
		for name, value := range r.Query {
			query.Set(name, value)
		}
		call, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.url+"/wp-json/wc/v3/"+r.Path+"?"+query.Encode(), nil)
		require.NoError(tb, err)
		call.SetBasicAuth(woocommercetest.MainKey.ConsumerKey, woocommercetest.MainKey.ConsumerSecret)
		call.Header.Set("X-Forwarded-Proto", "https") // so that the shop takes Basic auth
		answer, err := client.Do(call)
		require.NoError(tb, err)
		_, err = io.Copy(io.Discard, answer.Body)
		require.NoError(tb, err)
		require.NoError(tb, answer.Body.Close())
		require.Equal(tb, http.StatusOK, answer.StatusCode)
	}
}

// measureClient holds the CPU of a process that reads a shop through our connector against that of one that makes the
// very same requests through the official client for Node.
func measureClient(tb testing.TB, scale float64) []figure {
	modules, err := officialClient()
	if err != nil {
		tb.Logf("not measured: %v", err)
		return []figure{{name: "WooCommerce client, CPU per order: not measured, the official client is missing", unit: "µs", alone: true}}
	}
	s := newSlowShop(tb, sized(3300, scale, 20))
	s.warm(tb)
	requests := s.asked(tb)
	list := filepath.Join(tb.TempDir(), "requests.json")
	text, err := json.Marshal(requests)
	require.NoError(tb, err)
	require.NoError(tb, os.WriteFile(list, text, 0o600))

	var ours, theirs []float64
	orders := 0
	for range 3 {
		own := exec.Command(os.Args[0])
		own.Env = append(os.Environ(), childVariable+"="+s.url+" "+s.fake.Shop().Now().Format(time.RFC3339))
		our, said := cpuOf(tb, own)
		_, err := fmt.Sscan(said, &orders)
		require.NoError(tb, err, said)
		require.Positive(tb, orders)
		ours = append(ours, float64(our.Microseconds())/float64(orders))
		node := exec.Command("node", filepath.Join("testdata", "fetch.cjs"), modules, s.url,
			woocommercetest.MainKey.ConsumerKey, woocommercetest.MainKey.ConsumerSecret, list)
		their, said := cpuOf(tb, node)
		theirs = append(theirs, float64(their.Microseconds())/float64(orders))
		tb.Logf("%d orders in %d requests: ours %v, Node %v (%s records)", orders, len(requests), our, their, strings.TrimSpace(said))
	}
	return []figure{{
		name: fmt.Sprintf("WooCommerce client, CPU per order of %d, against Node's", orders), unit: "µs",
		ours: median(ours), bare: median(theirs), target: 1,
	}}
}

// officialClient returns a folder from which the official client can be required, installed once by npm.
func officialClient() (string, error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("%s is not installed", program)
		}
	}
	dir := filepath.Join("/var/tmp", fmt.Sprintf("perennial-bench-%d", os.Geteuid()), "node")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@woocommerce", "woocommerce-rest-api", "package.json")); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, "@woocommerce/woocommerce-rest-api@1.0.2")
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install: %w: %s", err, bytes.TrimSpace(out))
	}
	return dir, nil
}

// cpuOf runs a process and returns the CPU time of its whole life, and what it printed.
func cpuOf(tb testing.TB, cmd *exec.Cmd) (time.Duration, string) {
	tb.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(tb, cmd.Run(), errs.String())
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), out.String()
}

// childVariable makes this binary the process that reads a shop: its address and time.
const childVariable = "PERENNIAL_BENCH_CHILD"

// runChild does the work of a measured process where this is one.
func runChild() bool {
	task := os.Getenv(childVariable)
	if task == "" {
		return false
	}
	address, at, _ := strings.Cut(task, " ")
	began := time.Now()
	orders, err := func() (int, error) {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			return 0, err
		}
		source, err := shopSource(address, func() time.Time { return now.Add(time.Since(began)) })
		if err != nil {
			return 0, err
		}
		return pullEverything(source)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(orders)
	return true
}
