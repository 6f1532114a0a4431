package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// trialShop is a shop of one file with two customers, which has been read and analysed, and more configuration.
func trialShop(t *testing.T, more string) {
	t.Helper()
	dir := elsewhere(t)
	t.Setenv("PERENNIAL_DATABASE_URL", postgrestest.URL(t))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "orders.csv"), []byte(order), 0o600))
	text := more + fmt.Sprintf(`
[health]
listen = ""
[dashboard]
listen = ""
[[stores]]
name = "trial"
kind = "csvfile"
consent = "owner"
[stores.settings]
folder = %q
shop = "Trial"
currency = "EUR"
time_zone = "Europe/Berlin"
[stores.settings.orders]
files = ["orders.csv"]
columns = {order_id = "order", date = "date", total = "total", email = "email"}
`, dir)
	require.NoError(t, os.WriteFile("perennial.toml", []byte(text), 0o600))
	for _, command := range []string{"sync", "analyze"} {
		code, _, errs := call(t, command, "--now", "2026-11-16T10:00:00Z")
		require.Zero(t, code, errs)
	}
}

func TestReportFile(t *testing.T) {
	trialShop(t, "")
	code, out, errs := call(t, "report", "--html", "report.html")
	require.Zero(t, code, errs)
	require.Contains(t, out, "report.html written, 1 shop;")
	info, err := os.Stat("report.html")
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	text, err := os.ReadFile("report.html")
	require.NoError(t, err)
	require.Contains(t, string(text), "<h1>trial</h1>")
	require.NotContains(t, string(text), "@shop.example", "it names nobody")

	code, out, errs = call(t, "report", "--html", "-")
	require.Zero(t, code, errs)
	require.Contains(t, out, "<!doctype html>")
	require.NotContains(t, out, "written, 1 shop")

	t.Run("what cannot be written leaves what stood there", func(t *testing.T) {
		require.NoError(t, os.MkdirAll(filepath.Join("taken", "full"), 0o755))
		for _, path := range []string{"taken", filepath.Join("gone", "report.html")} {
			code, _, errs = call(t, "report", "--html", path)
			require.Equal(t, exitUsage, code, path)
			require.Contains(t, errs, "what stood there is kept")
		}
		left, err := filepath.Glob(".perennial-*")
		require.NoError(t, err)
		require.Empty(t, left)
	})
	t.Run("a database that is gone leaves it too", func(t *testing.T) {
		t.Setenv("PERENNIAL_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none?sslmode=disable&connect_timeout=1")
		code, _, errs = call(t, "report", "--html", "report.html")
		require.Equal(t, exitDatabase, code, errs)
		kept, err := os.ReadFile("report.html")
		require.NoError(t, err)
		require.Equal(t, string(text), string(kept))
	})
}
