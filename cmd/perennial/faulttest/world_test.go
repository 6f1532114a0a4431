// Package faulttest runs the built binary against fakes of a shop and an e-mail platform on a real database: through
// several nights, and through hundreds of kills. After every fault CheckInvariants holds the whole state against what the
// shop really is. There is nothing here but tests.
package faulttest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// Canaries: secrets that must appear in no output.
const (
	canaryKey    = "ck_canary00000000000000000000000000000k3y"
	canarySecret = "cs_canary0000000000000000000000000s3cr3t"
	canaryToken  = "canary-t0ken-of-the-mail-platform"
)

// binary builds the command once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "perennial-faulttest-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "perennial")
	build := exec.Command("go", append(append([]string{"build"}, buildFlags()...), "-o", path, "github.com/perennial-cvo/perennial/cmd/perennial")...)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// TestMain lets more worlds live at once than there are processors: most of what they do is wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// world is one shop, one e-mail platform, one database and one configuration.
type world struct {
	t       *testing.T
	shop    *simulator.Shop
	store   storefront              // through which the shop is read and written
	woo     *woocommercetest.Server // the same where it is WooCommerce
	mail    *listmonktest.Server
	gate    *gate // before the shop, and before the platform where the shop is WooCommerce
	shopURL string
	mailURL string
	dbURL   string
	db      *sql.DB
	tables  []string // of the database
	dir     string
	bin     string
	env     []string      // beside the usual, for the binary
	ahead   time.Duration // of the binary's clock, before the shop's
	output  bytes.Buffer  // everything the binary ever printed
	before  *memory       // what stood when the invariants were last checked
	erased  erased        // who was forgotten
	odd     []string      // orders that the shop hands out otherwise than they are
}

// newWorld makes a WooCommerce shop with this many customers and about three times as many orders.
func newWorld(t *testing.T, customers int, seed uint64) *world {
	t.Helper()
	w := newPlace(t, simulator.Options{Seed: seed, Customers: customers})
	w.woo = woocommercetest.New(w.shop, woocommercetest.Options{Keys: []woocommercetest.Key{
		{ConsumerKey: canaryKey, ConsumerSecret: canarySecret, Permissions: "read_write"},
	}, Statuses: []string{"awaiting-label"}})
	w.mailURL = serve(t, w.gate.before(w.mail))
	w.open(wooFront{w.woo})
	return w
}

// newPlace is a world whose shop nobody serves yet, with an e-mail platform that has no address yet.
func newPlace(t *testing.T, options simulator.Options) *world {
	t.Helper()
	bin, err := binary()
	require.NoError(t, err)
	w := &world{t: t, bin: bin, dir: t.TempDir(), dbURL: postgrestest.URL(t), gate: &gate{}}
	w.db = postgrestest.SQL(t, w.dbURL)
	w.tables = w.query(`SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`)
	w.shop = simulator.New(options)
	w.mail = listmonktest.New(w.shop, listmonktest.Options{Token: canaryToken})
	return w
}

// open serves the shop and begins to watch.
func (w *world) open(front storefront) {
	w.t.Helper()
	w.store, w.shopURL = front, serve(w.t, w.gate.before(front))
	front.SetHome(w.shopURL)
	w.configure("")
	w.before = w.remember()
}

// serve gives a handler an address on this machine until the test ends.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// configure writes the configuration; extra stands in the store's table.
func (w *world) configure(extra string) {
	w.t.Helper()
	text := fmt.Sprintf(`[database]
url_env = "FAULTTEST_DATABASE_URL"

[health]
listen = ""

[[stores]]
name = "alder"
kind = %q
consent = "platform"
tags = true
%s
[stores.settings]
url = %q
%s
[[stores.segments]]
id = "abroad"
rule = 'country != "US" or orders == 0'
[[stores.segments]]
id = "promising_few"
rule = "orders <= 2 and predicted_value > 1"

[[stores.destinations]]
name = "listmonk"
kind = "listmonk"
audiences = ["rfm", "lifecycle", "tier", "churn", "own"]
[stores.destinations.settings]
url = %q
username = "perennial"
token_env = "FAULTTEST_TOKEN"
`, w.store.kind(), extra, w.shopURL, w.store.settings(), w.mailURL)
	require.NoError(w.t, os.WriteFile(w.config(), []byte(text), 0o600))
}

func (w *world) config() string { return filepath.Join(w.dir, "perennial.toml") }

// command is the binary at the shop's own time.
func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.bin, append([]string{"--config", w.config(), "--now", w.shop.Now().Add(w.ahead).Format(time.RFC3339)}, args...)...)
	cmd.Env = append(os.Environ(), "FAULTTEST_DATABASE_URL="+w.dbURL, "FAULTTEST_TOKEN="+canaryToken)
	cmd.Env = append(append(cmd.Env, w.store.env()...), w.env...)
	return cmd
}

// run runs the binary and returns what it printed on standard output, its standard error and its exit code.
func (w *world) run(args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := w.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exited *exec.ExitError
	if !errors.As(err, &exited) {
		require.NoError(w.t, err)
	}
	w.output.Write(out.Bytes())
	w.output.Write(errs.Bytes())
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must runs the binary, which has to succeed, and returns its standard output.
func (w *world) must(args ...string) string {
	w.t.Helper()
	out, errs, code := w.run(args...)
	require.Equal(w.t, 0, code, "perennial %s\n%s%s", strings.Join(args, " "), out, errs)
	return out
}

// night lets the daemon do what is due, which must succeed.
func (w *world) night() {
	w.t.Helper()
	w.must("run", "--once", "--quiet")
}

// query returns all rows of a query as text, columns separated by "|".
func (w *world) query(text string, args ...any) []string {
	w.t.Helper()
	rows, err := w.db.Query(text, args...)
	require.NoError(w.t, err)
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	require.NoError(w.t, err)
	var list []string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		require.NoError(w.t, rows.Scan(targets...))
		texts := make([]string, len(columns))
		for i, v := range values {
			texts[i] = v.String
		}
		list = append(list, strings.Join(texts, "|"))
	}
	require.NoError(w.t, rows.Err())
	return list
}
