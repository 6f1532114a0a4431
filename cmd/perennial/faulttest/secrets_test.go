package faulttest

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// canaryPassword is a password of the database that must appear nowhere.
const canaryPassword = "canary-passw0rd"

// commands are all that a person can type, in an order in which they can run.
func commands(email string) [][]string {
	return [][]string{
		{"version"},
		{"check"},
		{"migrate"},
		{"sync"},
		{"analyze"},
		{"push", "--dry-run"},
		{"push"},
		{"run", "--once"},
		{"segments"},
		{"explain", email},
		{"report"},
		{"report", "--json"},
		{"export"},
		{"status"},
		{"status", "--json"},
		{"config", "show"},
		{"resync"},
		{"forget", email},
		{"purge", "--yes"},
	}
}

// TestNoSecretInAnyOutput runs every command for help, loudly, and with one thing after the other out of order.
func TestNoSecretInAnyOutput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30, 61)
	address := w.canaryRole(t)
	w.env = []string{"FAULTTEST_DATABASE_URL=" + address}
	w.must("--help")
	w.must("sync", "--quiet")
	email := w.query(`SELECT email FROM customers WHERE email <> '' ORDER BY 1 LIMIT 1`)[0]
	var names []string
	for _, args := range commands(email) {
		w.must(append(slices.Clone(args), "-v")...)
		if !slices.Contains(names, args[0]) {
			names = append(names, args[0])
			w.must(args[0], "--help")
		}
	}
	w.noCanary(t)

	configuration, err := os.ReadFile(w.config())
	require.NoError(t, err)
	broken := func(name, old, with string, env ...string) {
		require.NoError(t, os.WriteFile(w.config(), []byte(strings.Replace(string(configuration), old, with, 1)), 0o600))
		w.env = append([]string{"FAULTTEST_DATABASE_URL=" + address}, env...)
		failed := 0
		for _, args := range commands(email) {
			if _, _, code := w.run(append(slices.Clone(args), "-v")...); code != 0 {
				failed++
			}
		}
		require.NotZero(t, failed, "%s disturbs nobody", name)
		w.noCanary(t)
	}
	broken("a wrong key", "", "", "FAULTTEST_KEY="+canaryKey+"f", "FAULTTEST_TOKEN="+canaryToken+"f")
	broken("keys swapped", "", "", "FAULTTEST_KEY="+canarySecret, "FAULTTEST_SECRET="+canaryKey)
	broken("a dead database", "", "", "FAULTTEST_DATABASE_URL=postgres://perennial:"+canaryPassword+"@127.0.0.1:9/x?sslmode=disable")
	broken("a database that no one understands", "", "", "FAULTTEST_DATABASE_URL=postgres://perennial:"+canaryPassword+"@[::1/x")
	broken("a database without TLS", "", "", "FAULTTEST_DATABASE_URL="+strings.Replace(address, "sslmode=disable", "sslmode=verify-full", 1))
	broken("a wrong password", "", "", "FAULTTEST_DATABASE_URL="+strings.Replace(address, canaryPassword, canaryPassword+"f", 1))
	broken("secrets in the wrong place", "consent =", "colour = \""+canaryToken+"\"\nconsent =")
	broken("a secret as address", fmt.Sprintf("url = %q", w.mailURL), fmt.Sprintf("url = \"http://me:%s@127.0.0.1:9\"", canaryToken))
	broken("broken TOML", "consumer_key_env = \"FAULTTEST_KEY\"", "consumer_key = \""+canaryKey)
}

// TestNoSecretInFailures has shop and platform answer with all kinds of trouble, which repeats what they were asked.
func TestNoSecretInFailures(t *testing.T) {
	t.Parallel()
	for _, kind := range []woocommercetest.FaultKind{
		woocommercetest.BadKey, woocommercetest.Redirect, woocommercetest.Dropped, woocommercetest.Fatal, woocommercetest.Captcha200,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 20, 62)
			w.woo.Fault(woocommercetest.Fault{Kind: kind, Skip: 3, Times: 2})
			w.run("sync", "-v")
			w.run("run", "--once", "-v")
			w.must("status")
			w.noCanary(t)
		})
	}
	t.Run("answers that repeat the request", func(t *testing.T) {
		w := newWorld(t, 20, 62)
		for _, status := range []int{400, 401, 403, 404, 500} {
			echo := echoing(t, status)
			w.rewrite(w.shopURL, echo)
			_, _, code := w.run("sync", "-v")
			require.NotZero(t, code)
			w.rewrite(echo, w.shopURL)
			w.rewrite(w.mailURL, echo)
			w.run("run", "--once", "-v")
			w.rewrite(echo, w.mailURL)
		}
		w.noCanary(t)
	})
}

// echoing answers everything with what it was asked.
func echoing(t *testing.T, status int) string {
	t.Helper()
	return serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/wp-json/") {
			_, _ = io.WriteString(rw, `{"name":"Echo","namespaces":["wc/v3"]}`)
			return
		}
		user, password, _ := r.BasicAuth()
		rw.WriteHeader(status)
		_, _ = fmt.Fprintf(rw, `{"code":"echo","message":%q}`, fmt.Sprint(r.URL, " ", r.Header, " ", user, " ", password))
	}))
}

// canaryRole makes a user of the database whose password is the canary, and returns the address with it.
func (w *world) canaryRole(t *testing.T) string {
	t.Helper()
	role := fmt.Sprintf("perennial_canary_%d", os.Getpid())
	_, err := w.db.Exec(`CREATE ROLE ` + role + ` LOGIN PASSWORD '` + canaryPassword + `'`)
	if err != nil {
		t.Skipf("the server of the tests does not let us make users: %v", err)
	}
	t.Cleanup(func() { _, _ = w.db.Exec(`DROP ROLE ` + role) })
	owner := w.query(`SELECT quote_ident(current_user)`)[0]
	_, err = w.db.Exec(`GRANT ` + owner + ` TO ` + role)
	require.NoError(t, err)
	address, err := url.Parse(w.dbURL)
	require.NoError(t, err)
	address.User = url.UserPassword(role, canaryPassword)
	return address.String()
}

// noCanary looks for every secret in everything printed, in every table, and in every file beside the configuration.
func (w *world) noCanary(t *testing.T) {
	t.Helper()
	for _, canary := range []string{canaryKey, canarySecret, canaryToken, canaryPassword} {
		for line := range strings.Lines(w.output.String()) {
			require.NotContains(t, line, canary, "a secret was printed")
		}
		require.Empty(t, w.contains(canary), "a secret was stored")
	}
	for _, path := range w.files(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, canary := range []string{canaryKey, canarySecret, canaryToken, canaryPassword} {
			require.NotContains(t, string(text), canary, path)
		}
	}
}

// files are those that lie about, the configuration apart.
func (w *world) files(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	require.NoError(t, filepath.WalkDir(w.dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && path != w.config() {
			found[path] = true
		}
		return err
	}))
	return slices.Sorted(maps.Keys(found))
}
