package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// call runs a command line without a terminal, in a directory of its own, with no configuration to be found.
func call(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr strings.Builder
	code = run(t.Context(), args, streams{in: strings.NewReader(""), out: &stdout, err: &stderr}, time.Now)
	return code, stdout.String(), stderr.String()
}

// elsewhere moves the test to an empty directory and home.
func elsewhere(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CONFIG_HOME", "")
	return dir
}

func TestCommandLinesThatAreRefused(t *testing.T) {
	elsewhere(t)
	tests := []struct {
		line string
		says string
		todo string
	}{
		{"foo", `no command "foo"`, "lists the commands"},
		{"repport", `no command "repport"`, "perhaps report"},
		{"config foo", `perennial config has no command "foo"`, "perennial config --help"},
		{"report --bogus", "unknown flag: --bogus", "perennial report --help"},
		{"report extra", `takes no argument, got "extra"`, "perennial report --help"},
		{"report --html x.html --json", "different things", "give one of them"},
		{"report --html=", "no file is named", "report.html"},
		{"explain", "needs exactly one EMAIL", "perennial explain EMAIL"},
		{"explain a b", "needs exactly one EMAIL", "perennial explain EMAIL"},
		{"explain nobody", `"nobody" is not an e-mail address`, "ann@shop.example"},
		{"forget x", `"x" is not an e-mail address`, "perennial forget EMAIL"},
		{"export a@shop.example b@shop.example", "one EMAIL, or none", "--help"},
		{"purge", "nothing was done yet", "perennial purge --yes"},
		{"resync shoes", `unknown resource "shoes"`, "products, coupons, customers, orders, reviews"},
		{"analyze --as-of yesterday", `"yesterday" is no day`, "2026-11-22"},
		{"version --now noon", `"noon" is no moment`, "2026-11-22T03:00:00Z"},
		{"postgres stop", "--data-dir is missing", "--data-dir DIRECTORY"},
		{"init --yes", "flag --kind is missing", "woocommerce, shopify, csvfile"},
		{"init --yes --kind shopware", `nothing is called "shopware"`, "woocommerce, shopify, csvfile"},
		{"init --yes --kind listmonk", `nothing is called "listmonk"`, "woocommerce, shopify, csvfile"},
		{"init --yes --kind csvfile --destination pigeons", `nothing is called "pigeons"`, "listmonk"},
		{"init --yes --kind csvfile --set folder", "holds no key and value", "--set key=value"},
		{"init --yes --kind csvfile --destination-set =x", "holds no key and value", "--destination-set key=value"},
		{"status", "configuration: there is none", "perennial init"},
		{"status --config gone.toml", "gone.toml is not there", "perennial init"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			code, out, errs := call(t, strings.Fields(tt.line)...)
			require.Equal(t, exitUsage, code, errs)
			require.Empty(t, out)
			require.Contains(t, errs, tt.says)
			require.Contains(t, errs, tt.todo)
			require.Equal(t, 1, strings.Count(errs, "perennial: "), "said once: %s", errs)
		})
	}
}

func TestHelp(t *testing.T) {
	for _, line := range []string{"", "--help", "config", "config --help"} {
		code, out, errs := call(t, strings.Fields(line)...)
		require.Zero(t, code)
		require.Empty(t, errs)
		require.Contains(t, out, "Usage:")
		require.NotContains(t, out, "--now", "hidden flags stay hidden")
	}
	_, out, _ := call(t)
	for _, heading := range []string{"Begin with perennial init", "Begin:", "Look:", "Single steps of a night:", "Take back:"} {
		require.Contains(t, out, heading)
	}
	for name, command := range runnable(newRoot(streams{}, time.Now)) {
		require.NotEmpty(t, command.Short, name)
	}
}

const order = "order,date,total,email\n1,2026-01-05,20.00,ann@shop.example\n2,2026-02-06,30.00,bob@shop.example\n"

// files is a shop of one CSV file, as flags of init.
func files(t *testing.T, dir string) []string {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "orders.csv"), []byte(order), 0o600))
	return []string{
		"init", "--yes", "--kind", "csvfile", "--name", "trial", "--health", "",
		"--set", "folder=" + dir, "--set", "currency=EUR", "--set", "time_zone=Europe/Berlin", "--set", "format=shopify",
	}
}

func TestInit(t *testing.T) {
	dir := elsewhere(t)
	flags := append(files(t, dir), "--no-check", "--consent", "owner", "--nightly-at", "04:30")
	code, out, errs := call(t, flags...)
	require.Zero(t, code, errs)
	require.Contains(t, out, "perennial check")
	info, err := os.Stat("perennial.toml")
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	code, out, errs = call(t, "config", "show")
	require.Zero(t, code, errs)
	for _, line := range []string{`name = "trial"`, `consent = "owner"`, `nightly_at = "04:30"`, `currency = "EUR"`, `tags = false`} {
		require.Contains(t, out, line)
	}

	code, _, errs = call(t, flags...)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "exists already and is kept")
	code, _, errs = call(t, append(flags, "--force", "--name", "other")...)
	require.Zero(t, code, errs)
	_, out, _ = call(t, "config", "show")
	require.Contains(t, out, `name = "other"`)

	code, _, errs = call(t, "status", "--store", "nowhere")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, `no store is called "nowhere"`)
}

func TestInitWritesNothingThatDoesNotWork(t *testing.T) {
	dir := elsewhere(t)
	tests := []struct {
		name string
		more []string
		says string
	}{
		{"wrong hour", []string{"--nightly-at", "25:00"}, `"25:00" does not fit`},
		{"unknown consent", []string{"--consent", "hearsay"}, `"hearsay" is not known`},
		{"unknown setting", []string{"--set", "colour=red"}, "colour"},
		{"secret that is not there", []string{"--set", "shop_env=NO_SUCH_VARIABLE"}, `"NO_SUCH_VARIABLE" is not set`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := call(t, append(files(t, dir), tt.more...)...)
			require.Equal(t, exitUsage, code, errs)
			require.Contains(t, out+errs, tt.says)
			require.Contains(t, errs, "nothing was written")
			require.NotContains(t, errs, "perennial-init-", "nobody knows that file")
			require.NoFileExists(t, "perennial.toml")
		})
	}
}

func TestBrokenConfigurationNamesPlaceAndRemedy(t *testing.T) {
	elsewhere(t)
	require.NoError(t, os.WriteFile("perennial.toml", []byte("[[stores]]\nname = \"a\"\nkind = \"csvfile\"\ncolour = 1\n"), 0o600))
	for _, line := range []string{"status", "check", "config show", "run --once", "push"} {
		code, _, errs := call(t, strings.Fields(line)...)
		require.Equal(t, exitUsage, code, line)
		require.Contains(t, errs, "perennial.toml:4: stores[0].colour: unknown key")
	}
}

// TestDestinationsAreCheckedAtTheStart: a night would read the shop, work everything out, and only then find the typing error.
func TestDestinationsAreCheckedAtTheStart(t *testing.T) {
	elsewhere(t)
	for line, says := range map[string]string{
		`audiences = ["rfm", "tier_topp"]`: `store a: destination letters: unknown audience "tier_topp"`,
		`audiences = ["gone"]`:             `store a: destination letters: unknown audience "gone"`,
		`attributes = ["segmnt"]`:          `store a: destination letters: unknown attribute "segmnt"`,
		`audiences = ["tier", "vip"]`:      "",
	} {
		text := "[[stores]]\nname = \"a\"\nkind = \"csvfile\"\n[[stores.segments]]\nid = \"vip\"\nrule = \"net > 1000\"\n" +
			"[[stores.destinations]]\nname = \"letters\"\nkind = \"listmonk\"\n" + line + "\n"
		require.NoError(t, os.WriteFile("perennial.toml", []byte(text), 0o600))
		for _, command := range []string{"config show", "run --once"} {
			code, _, errs := call(t, strings.Fields(command)...)
			if says == "" && command == "config show" {
				require.Zero(t, code, errs)
			} else if says != "" {
				require.Equal(t, exitUsage, code, line)
				require.Contains(t, errs, says)
				require.Contains(t, errs, "what to do: there are ")
			}
		}
	}
}
