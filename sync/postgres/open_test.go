package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
	"github.com/perennial-cvo/perennial/sync/postgres"
	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

func TestOpenSaysWhatIsWrong(t *testing.T) {
	good, err := url.Parse(postgrestest.URL(t))
	require.NoError(t, err)
	with := func(change func(*url.URL)) string {
		u := *good
		change(&u)
		return u.String()
	}
	for name, c := range map[string]struct {
		url    string
		kind   connectors.Kind
		remedy string
	}{
		"wrong password": {
			with(func(u *url.URL) { u.User = url.UserPassword("perennial", "canary") }),
			connectors.KindCredentials, "user and password",
		},
		"no server":     {with(func(u *url.URL) { u.Host = "127.0.0.1:1" }), connectors.KindRetry, "start PostgreSQL"},
		"no database":   {with(func(u *url.URL) { u.Path = "/nowhere" }), connectors.KindPermanent, "create the database"},
		"not a URL":     {"postgres://perennial:canary/canary@host", connectors.KindPermanent, "percent-encoded"},
		"empty":         {"", connectors.KindPermanent, "postgres://"},
		"TLS not there": {with(func(u *url.URL) { u.RawQuery = "sslmode=require" }), connectors.KindPermanent, "sslmode=disable"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := postgres.Open(context.Background(), postgres.Options{URL: secret.New(c.url)})
			var e *connectors.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.kind, e.Kind, err)
			require.Contains(t, e.Remedy, c.remedy)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "canary")
		})
	}
}

func TestMigrateAtOnceAndRefuseNewer(t *testing.T) {
	address := postgrestest.EmptyURL(t)
	ctx := context.Background()
	var wait sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		db := postgrestest.Open(t, address)
		wait.Go(func() { errs[i] = db.Migrate(ctx) })
	}
	wait.Wait()
	require.NoError(t, errors.Join(errs...))

	_, err := postgrestest.SQL(t, address).Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`)
	require.NoError(t, err)
	err = postgrestest.Open(t, address).Migrate(ctx)
	require.ErrorContains(t, err, "version 9999")
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	require.Contains(t, connectors.Remedy(err), "newer Perennial")
}

// TestSilentNetwork lets the network swallow everything: lib/pq by itself would wait for ever.
func TestSilentNetwork(t *testing.T) {
	good, err := url.Parse(postgrestest.URL(t))
	require.NoError(t, err)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "postgres", "127.0.0.1:0", good.Host)
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	u := *good
	u.Host = proxy.Listen
	ctx := context.Background()
	options := postgres.Options{
		URL: secret.New(u.String()), ConnectTimeout: time.Second, StatementTimeout: 500 * time.Millisecond, NetworkTimeout: time.Second,
	}
	db, err := postgres.Open(ctx, options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	for _, direction := range []string{"upstream", "downstream"} {
		_, err = proxy.Toxics.AddToxicJson(strings.NewReader(
			`{"name":"hole-` + direction + `","type":"timeout","stream":"` + direction + `","attributes":{"timeout":0}}`))
		require.NoError(t, err)
	}
	began := time.Now()
	require.Error(t, db.Ping(ctx))
	require.Less(t, time.Since(began), 8*time.Second)
	began = time.Now()
	_, err = postgres.Open(ctx, options)
	require.Error(t, err)
	require.Less(t, time.Since(began), 8*time.Second)

	for _, direction := range []string{"upstream", "downstream"} {
		require.NoError(t, proxy.Toxics.RemoveToxic(ctx, "hole-"+direction))
	}
	require.NoError(t, db.Ping(ctx), "the pool heals by itself")
}

func TestTerminatedConnectionHeals(t *testing.T) {
	s := newShop(t)
	_, err := s.raw.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	require.NoError(t, err)
	require.Equal(t, 1, s.put(commerce.Orders, whole(order("1", "", ""))).Added)
}

// TestCancelledCommit cancels commits at many moments: nothing is half-written, and the pool stays in step.
func TestCancelledCommit(t *testing.T) {
	s := newShop(t)
	var orders []commerce.Order
	for i := range 3000 {
		orders = append(orders, order(fmt.Sprint(i), "", fmt.Sprintf("p%d@example.com", i)))
	}
	page := ingest.Commit{Resource: commerce.Orders, Mode: connectors.Increment, At: noon, Page: connectors.Page{
		Records: whole(orders...), Next: "a",
	}}
	done := false
	for delay := 2 * time.Millisecond; !done; delay = delay * 3 / 2 {
		ctx, cancel := context.WithTimeout(context.Background(), delay)
		_, err := s.Commit(ctx, page)
		cancel()
		done = err == nil || errors.Is(err, ingest.ErrCursorMoved) // a cancelled commit may still have happened
		count := one[int](s, `SELECT count(*) FROM orders`)
		require.Contains(t, []int{0, 3000}, count, "all or nothing")
		require.Equal(t, count, one[int](s, `SELECT count(*) FROM lines`))
	}
	require.Equal(t, 3000, one[int](s, `SELECT count(*) FROM orders`))
}

func TestOnePoolConnectionIsEnough(t *testing.T) {
	url := postgrestest.URL(t)
	openShop(t, url)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	db, err := postgres.Open(ctx, postgres.Options{URL: secret.New(url), MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	stores, err := db.Stores(ctx)
	require.NoError(t, err)
	epoch, ok, err := db.Acquire(ctx, stores[0].ID, "test", time.Hour)
	require.NoError(t, err)
	require.True(t, ok)
	_, err = db.Store(stores[0].ID, epoch).Commit(ctx, ingest.Commit{
		Resource: commerce.Orders, Mode: connectors.Increment, At: noon,
		Page: connectors.Page{Records: whole(order("1", "7", "ann@example.com")), Next: "a", Done: true},
	})
	require.NoError(t, err, "nothing asks for a second connection inside a transaction")
}
