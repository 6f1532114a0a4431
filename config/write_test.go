package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/config/secret"
)

func TestWriteThenLoad(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		want := drawConfig(t)
		path := filepath.Join(dir, "perennial.toml")
		require.NoError(t, Write(path, want, func(string, string) string { return "what it is" }, true))
		got, err := Load(path, none)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(want, got, cmpopts.EquateEmpty()))
	})
}

// drawConfig draws a valid configuration, with texts that a careless writer would break.
func drawConfig(t *rapid.T) Config {
	text := rapid.StringMatching(`["'\\#=\[\]a-zäß漢\t\n ]{1,12}`)
	cfg := Config{
		Prefix:   rapid.StringMatching(`[a-z][a-z0-9_-]{0,9}`).Draw(t, "prefix"),
		Database: Database{URL: secret.New(rapid.SampledFrom([]string{"", "postgres://me:pw@localhost/x"}).Draw(t, "url"))},
		Health:   Health{Listen: rapid.SampledFrom([]string{"", "127.0.0.1:8378"}).Draw(t, "listen")},
		Log:      Log{Level: "debug", Format: "json"},
		Digest:   Digest{TLS: StartTLS, Weekday: "monday", At: "08:00"},
	}
	if rapid.Bool().Draw(t, "digest") {
		cfg.Digest = Digest{
			To: []string{"owner@example.com", "o'b@example.com"}, From: "from@example.com", Host: "smtp.example.com", Port: 25, TLS: TLS,
			Username: text.Draw(t, "username"), Password: secret.New(text.Draw(t, "password")), Weekday: "sunday", At: "23:59",
		}
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "stores") {
		store := Store{
			Name: fmt.Sprintf("s%d", i), Kind: "csvfile",
			Settings: map[string]any{
				"url": text.Draw(t, "setting"), "api_key": secret.New(text.Draw(t, "key")), "limit": int64(i),
				"ratio": rapid.Float64Range(-5, 5).Draw(t, "ratio"), "on": true, "list": []any{text.Draw(t, "item"), int64(2)},
				"map": map[string]any{text.Draw(t, "column"): text.Draw(t, "field")},
			},
			TimeZone: rapid.SampledFrom([]string{"", "Asia/Tokyo"}).Draw(t, "zone"),
			Revenue:  "gross", Consent: "owner", Tags: rapid.Bool().Draw(t, "tags"),
			PurchaseStatuses: rapid.SliceOfN(rapid.StringMatching(`["\\a-z]{1,5}`), 0, 3).Draw(t, "statuses"),
			RFM:              RFM{Preset: "shopify", Convention: "thresholds", Bins: 4, Recency: []int{30, 90}, Frequency: []int{2}, Monetary: []string{"-1.50", "20"}, Segments: map[string]string{"5*4": "champions"}},
			Guard:            Guard{Shrink: rapid.Float64Range(0, 1).Draw(t, "shrink"), MinSize: rapid.IntRange(0, 99).Draw(t, "size"), ShortHistory: rapid.Bool().Draw(t, "history")},
			Lifecycle:        Lifecycle{Slipping: rapid.SampledFrom([]float64{0, 1.25}).Draw(t, "slipping"), Lost: rapid.Float64Range(7, 20).Draw(t, "lost")},
			Worth:            Worth{Horizon: rapid.IntRange(1, 3650).Draw(t, "horizon"), DiscountRate: share(rapid.SampledFrom([]float64{0, 0.25}).Draw(t, "rate"))},
			Rates:            []Rate{{Currency: "USD", From: "2026-01-01", Rate: "0.92"}},
			Reviews:          Reviews{Kind: "judgeme", Settings: map[string]any{"shop_domain": text.Draw(t, "domain"), "api_token": secret.New(text.Draw(t, "api token"))}},
			Destinations: []Destination{{
				Name: "mail", Kind: "listmonk", Settings: map[string]any{"token": secret.New(text.Draw(t, "token"))},
				Exclude: []string{"office@example.com"},
			}},
		}
		for j := range rapid.IntRange(0, 2).Draw(t, "segments") {
			store.Segments = append(store.Segments, Segment{
				ID: fmt.Sprintf("s%d", j), Name: rapid.SampledFrom([]string{"", fmt.Sprintf(`"A" \ ä %d`, j)}).Draw(t, "label"),
				Rule: "x" + text.Draw(t, "rule"), Action: text.Draw(t, "action"),
			})
		}
		if rapid.Bool().Draw(t, "tried") {
			store.Refresh, store.Holdout = "90m", map[string]float64{"lost": 0.1, "vip": 0.25}
			store.Attributes = map[string]string{"segment": "gruppe"}
		}
		if rapid.Bool().Draw(t, "cron") {
			store.Schedule = "30 4 * * 1"
		} else {
			store.NightlyAt = "04:30"
		}
		cfg.Stores = append(cfg.Stores, store)
	}
	return cfg
}

// What init leaves open stands in the file as an example that is commented out, and is what Load takes.
func TestWriteLeavesOpenWhatIsOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "perennial.toml")
	want, err := Load("testdata/minimal.good.toml", none)
	require.NoError(t, err)
	open := want
	open.Stores = slices.Clone(want.Stores)
	open.Stores[0].Worth, open.Stores[0].RFM.Preset = Worth{}, ""
	require.NoError(t, Write(path, open, nil, false))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, line := range []string{"# preset = \"usual\"", "# interval = 90.0", "# horizon = 365", "# discount_rate = 0.1", "# [[stores.segments]]"} {
		require.Contains(t, string(text), "\n"+line+"\n")
	}
	got, err := Load(path, none)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(want, got, cmpopts.EquateEmpty()))
}

func TestWriteKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "perennial.toml")
	cfg, err := Load("testdata/everything.good.toml", env(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("mine"), 0o644))
	require.ErrorContains(t, Write(path, cfg, nil, false), "left as it is")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "mine", string(text))

	require.NoError(t, Write(path, cfg, nil, true))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no half-written file is left")

	require.NoError(t, Write(filepath.Join(filepath.Dir(path), "new.toml"), cfg, nil, false))
	require.Error(t, Write("/nonexistent/perennial.toml", cfg, nil, false))
}

func TestWriteTakesNamesOfSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "perennial.toml")
	cfg, err := Load("testdata/minimal.good.toml", none)
	require.NoError(t, err)
	cfg.Stores[0].Settings = map[string]any{"url": "https://shop.example", "consumer_key_env": "WOO_KEY"}
	require.NoError(t, Write(path, cfg, nil, false))
	got, err := Load(path, env(t))
	require.NoError(t, err)
	require.Equal(t, "from-env", got.Stores[0].Settings["consumer_key"].(secret.Text).Reveal())
}

func TestRedactedShowsNoSecret(t *testing.T) {
	cfg, err := Load("testdata/everything.good.toml", env(t))
	require.NoError(t, err)
	cfg.Database.URL = secret.New("postgres://me:canary@localhost/x")
	cfg.Stores[0].Settings["consumer_key"] = secret.New("canary")
	cfg.Stores[0].Settings["url"] = "https://me:canary@shop.example/de"
	cfg.Stores[0].Settings["nested"] = map[string]any{"deep": []any{secret.New("canary")}}
	cfg.Stores[0].Destinations[0].Settings["token"] = secret.New("canary")
	cfg.Stores[0].Reviews.Settings["api_token"] = secret.New("canary")
	shown := Redacted(cfg)
	require.NotContains(t, shown, "canary")
	require.Contains(t, shown, `consumer_key = "***"`)
	require.Contains(t, shown, `api_token = "***"`)
	require.Contains(t, shown, `url = "https://***@shop.example/de"`)
	require.NotContains(t, fmt.Sprintf("%+v %#v", cfg, cfg.Database), "canary@localhost")
}
