package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config/secret"
)

// env is what the tests' environment holds.
func env(t *testing.T) func(string) string {
	t.Helper()
	here, err := os.Getwd()
	require.NoError(t, err)
	values := map[string]string{
		"WOO_KEY":               "from-env",
		"API_TOKEN":             "from-env-from-env-from-env",
		"DASHBOARD_HASH":        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$aGFzaA",
		"DB_URL":                "postgres://me:pw@localhost/x",
		"CREDENTIALS_DIRECTORY": filepath.Join(here, "testdata"),
	}
	return func(name string) string { return values[name] }
}

func none(string) string { return "" }

func TestGoodFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.good.toml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			cfg, err := Load(path, env(t))
			require.NoError(t, err)
			require.NotEmpty(t, cfg.Stores)
		})
	}
}

// TestBadFiles reads what each file's error must say from its first lines.
func TestBadFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.bad.toml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	want := regexp.MustCompile(`(?m)^# want: (.*)$`)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			wants := want.FindAllStringSubmatch(string(text), -1)
			require.NotEmpty(t, wants)
			_, err = Load(path, env(t))
			require.Error(t, err)
			for _, line := range wants {
				require.ErrorContains(t, err, line[1])
			}
			for line := range strings.Lines(err.Error()) {
				require.Contains(t, line, path, "each problem names the file")
				require.Contains(t, line, "; ", "each problem has its remedy")
			}
			require.NotContains(t, err.Error(), "canary")
			require.NotContains(t, err.Error(), "from-env")
		})
	}
}

func TestLoadFillsInDefaults(t *testing.T) {
	cfg, err := Load("testdata/minimal.good.toml", none)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(Config{
		Prefix: "perennial",
		Health: Health{Listen: "127.0.0.1:8378"}, Dashboard: Dashboard{Listen: "127.0.0.1:8377"},
		Digest: Digest{TLS: "starttls", Weekday: "monday", At: "08:00"},
		Log:    Log{Level: "info", Format: "text"},
		Stores: []Store{{
			Name: "acme", Kind: "woocommerce", Settings: map[string]any{}, NightlyAt: "03:00",
			Revenue: "net", Consent: "platform", RFM: RFM{Preset: "usual", Convention: "rank_min"}, Guard: Guard{Shrink: 0.3, MinSize: 50},
			Worth: Worth{Horizon: 365, DiscountRate: share(0.1)},
		}},
	}, cfg))
	require.Equal(t, "0 03 * * *", cfg.Stores[0].Nightly())
}

func share(x float64) *float64 { return &x }

func TestLoadReadsSegmentsOfTheOwner(t *testing.T) {
	cfg, err := Load("testdata/segments.good.toml", none)
	require.NoError(t, err)
	store := cfg.Stores[0]
	require.Equal(t, "klaviyo", store.RFM.Preset)
	require.Equal(t, Lifecycle{Interval: 45, Slipping: 1.5, Lapsed: 2.5, Lost: 5}, store.Lifecycle)
	require.Equal(t, Worth{Horizon: 90, DiscountRate: share(0)}, store.Worth, "zero is a rate")
	require.Equal(t, []Segment{
		{ID: "regulars_de", Name: "German regulars", Rule: "orders >= 3\nand country == \"DE\"\n", Action: "Thank them."},
		{ID: "big", Rule: "net > 1000"},
	}, store.Segments)
	require.Equal(t, []string{"rfm", "lifecycle_slipping"}, store.Destinations[0].Audiences)
}

func TestLoadReadsTheDashboard(t *testing.T) {
	cfg, err := Load("testdata/dashboard.good.toml", env(t))
	require.NoError(t, err)
	require.Equal(t, Dashboard{
		URL: "https://shop.example/perennial", Password: secret.New("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$aGFzaA"), Token: secret.New("from-env-from-env-from-env"),
	}, cfg.Dashboard)
}

func TestLoadReadsTheDigest(t *testing.T) {
	cfg, err := Load("testdata/digest.good.toml", env(t))
	require.NoError(t, err)
	require.Equal(t, Digest{
		To: []string{"owner@example.com", "boss@example.com"}, From: "perennial@example.com", Host: "smtp.example.com", Port: 2525, TLS: "tls",
		Username: "me", Password: secret.New("from-env"), Weekday: "Friday", At: "07:30",
	}, cfg.Digest)
	require.Equal(t, "30 7 * * 5", cfg.Digest.Weekly())
	require.Equal(t, 2525, cfg.Digest.PortOf())
	require.Equal(t, []int{587, 465, 25}, []int{Digest{TLS: StartTLS}.PortOf(), Digest{TLS: TLS}.PortOf(), Digest{TLS: NoTLS}.PortOf()})
}

func TestLoadKeepsWhatStandsThere(t *testing.T) {
	cfg, err := Load("testdata/no_guard.good.toml", none)
	require.NoError(t, err)
	require.Equal(t, Guard{Shrink: 1, MinSize: 0}, cfg.Stores[0].Guard, "zero is a value")

	cfg, err = Load("testdata/health_off.good.toml", none)
	require.NoError(t, err)
	require.Empty(t, cfg.Health.Listen)

	cfg, err = Load("testdata/schedule.good.toml", none)
	require.NoError(t, err)
	require.Equal(t, "30 4 * * 1-5", cfg.Stores[0].Nightly())

	cfg, err = Load("testdata/inline_table.good.toml", none)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"Order ID": "id", "Date": "placed"}, cfg.Stores[0].Settings["mapping"], "keys inside a setting keep their case")

	cfg, err = Load("testdata/capital_keys.good.toml", none)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"url": "https://shop.example"}, cfg.Stores[0].Settings)
}

func TestLoadResolvesSecrets(t *testing.T) {
	cfg, err := Load("testdata/two_stores.good.toml", env(t))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(map[string]any{
		"url": "https://shop.example", "consumer_key": secret.New("from-env"), "consumer_secret": secret.New("from-file"),
	}, cfg.Stores[0].Settings))
	require.Empty(t, cmp.Diff(map[string]any{
		"url": "https://mail.example", "token": secret.New("from-file"),
	}, cfg.Stores[1].Destinations[0].Settings))

	cfg, err = Load("testdata/reviews.good.toml", env(t))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(Reviews{Kind: "yotpo", Settings: map[string]any{
		"app_key": secret.New("from-env"), "secret": secret.New("from-file"), "page_size": int64(50),
	}}, cfg.Stores[0].Reviews))
	require.Empty(t, cmp.Diff(Reviews{Kind: "judgeme", Settings: map[string]any{}}, cfg.Stores[1].Reviews))
	require.Zero(t, cfg.Stores[2].Reviews)

	cfg, err = Load("testdata/database_env.good.toml", env(t))
	require.NoError(t, err)
	require.Equal(t, "postgres://me:pw@localhost/x", cfg.Database.URL.Reveal())
}

func TestEnvironmentOverrides(t *testing.T) {
	values := map[string]string{
		"PERENNIAL_PREFIX": "garden", "PERENNIAL_DATABASE_URL": "postgres://env@localhost/x", "PERENNIAL_DATABASE_DATA_DIR": "/srv/data",
		"PERENNIAL_HEALTH_LISTEN": ":1", "PERENNIAL_LOG_LEVEL": "warn", "PERENNIAL_LOG_FORMAT": "json",
	}
	for _, path := range []string{"testdata/minimal.good.toml", "testdata/database_env.good.toml", "testdata/everything.good.toml"} {
		cfg, err := Load(path, func(name string) string {
			if value, ok := values[name]; ok {
				return value
			}
			return env(t)(name)
		})
		require.NoError(t, err, path)
		require.Equal(t, "garden", cfg.Prefix)
		require.Equal(t, "postgres://env@localhost/x", cfg.Database.URL.Reveal())
		require.Equal(t, "/srv/data", cfg.Database.DataDir)
		require.Equal(t, ":1", cfg.Health.Listen)
		require.Equal(t, Log{Level: "warn", Format: "json"}, cfg.Log)
	}
	_, err := Load("testdata/minimal.good.toml", func(name string) string {
		return map[string]string{"PERENNIAL_LOG_LEVEL": "loud"}[name]
	})
	require.ErrorContains(t, err, `log.level: "loud" is not known`)
}

func TestLoadRefusesSecretsThatOthersCanRead(t *testing.T) {
	const shop = "[[stores]]\nname = \"acme\"\nkind = \"woocommerce\"\n"
	tests := []struct {
		name string
		text string
		mode os.FileMode
		want string
	}{
		{"a key, others", shop + "[stores.settings]\nconsumer_key = \"canary\"\n", 0o604, "chmod 600"},
		{"a key, group", shop + "[stores.settings]\nconsumer_key = \"canary\"\n", 0o640, "consumer_key_env or consumer_key_file"},
		{"a key, owner only", shop + "[stores.settings]\nconsumer_key = \"canary\"\n", 0o600, ""},
		{"a password in the database's address", "[database]\nurl = \"postgres://me:canary@localhost/x\"\n" + shop, 0o644, "chmod 600"},
		{"no password in it", "[database]\nurl = \"postgres://me@localhost/x\"\n" + shop, 0o644, ""},
		{"a destination's token", shop + "[[stores.destinations]]\nname = \"mail\"\nkind = \"listmonk\"\n[stores.destinations.settings]\napi_token = \"canary\"\n", 0o644, "stores[0].destinations[0].settings.api_token"},
		{"a review platform's token", shop + "[stores.reviews]\nkind = \"judgeme\"\n[stores.reviews.settings]\napi_token = \"canary\"\n", 0o644, "stores[0].reviews.settings.api_token"},
		{"only names", shop + "[stores.settings]\nconsumer_key_env = \"WOO_KEY\"\n", 0o644, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "perennial.toml")
			require.NoError(t, os.WriteFile(path, []byte(tt.text), 0o600))
			require.NoError(t, os.Chmod(path, tt.mode))
			_, err := Load(path, env(t))
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "canary")
		})
	}
}

func TestAFileFromTheServiceManagerMayBeReadableByItsGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "perennial.toml")
	text := "[[stores]]\nname = \"acme\"\nkind = \"woocommerce\"\n[stores.settings]\nconsumer_key = \"ck\"\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	require.NoError(t, os.Chmod(path, 0o440))
	_, err := Load(path, none)
	require.ErrorContains(t, err, "chmod 600")
	_, err = Load(path, func(name string) string {
		return map[string]string{"CREDENTIALS_DIRECTORY": filepath.Dir(path)}[name]
	})
	require.NoError(t, err)
}

func TestFind(t *testing.T) {
	home := t.TempDir()
	t.Chdir(t.TempDir())
	getenv := func(name string) string {
		return map[string]string{"HOME": home, "XDG_CONFIG_HOME": os.Getenv("TEST_XDG")}[name]
	}
	_, err := Find(getenv)
	if err == nil {
		t.Skip("this machine has a configuration in /etc/perennial")
	}
	require.ErrorContains(t, err, "perennial init")
	touch := func(path string) string {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		return path
	}
	byHome := touch(filepath.Join(home, ".config", "perennial", "perennial.toml"))
	got, err := Find(getenv)
	require.NoError(t, err)
	require.Equal(t, byHome, got)
	t.Setenv("TEST_XDG", t.TempDir())
	byXDG := touch(filepath.Join(os.Getenv("TEST_XDG"), "perennial", "perennial.toml"))
	got, err = Find(getenv)
	require.NoError(t, err)
	require.Equal(t, byXDG, got)
	touch("perennial.toml")
	got, err = Find(getenv)
	require.NoError(t, err)
	require.Equal(t, "perennial.toml", got)
}

func TestLoadOfNoFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "perennial.toml"), none)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "perennial init")
}

func FuzzLoad(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.toml")
	require.NoError(f, err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "perennial.toml")
		require.NoError(t, os.WriteFile(path, text, 0o600))
		_, _ = Load(path, none) // whatever it is, no panic
	})
}
