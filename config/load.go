package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/viper"

	"github.com/perennial-cvo/perennial/config/secret"
)

// fileName is what the file is called in the places where Find looks.
const fileName = "perennial.toml"

// Find returns the configuration file to use when none is named: the one in the working directory, the user's, or the
// system's.
func Find(getenv func(string) string) (string, error) {
	places := []string{fileName}
	if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		places = append(places, filepath.Join(dir, "perennial", fileName))
	} else if home := getenv("HOME"); filepath.IsAbs(home) {
		places = append(places, filepath.Join(home, ".config", "perennial", fileName))
	}
	places = append(places, filepath.Join("/etc/perennial", fileName))
	for _, path := range places {
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("configuration: %w", err)
		}
	}
	return "", fmt.Errorf("configuration: there is none (looked for %s); `perennial init` writes one, --config names another place", strings.Join(places, ", "))
}

// Load reads and checks a configuration file. Values come from the file, from PERENNIAL_... for the settings that belong
// to no shop, and from defaults. Secrets that were given as ..._env or ..._file are filled in as secret.Text. The error
// lists everything that is wrong, each with its line and its remedy; it never holds a secret.
func Load(path string, getenv func(string) string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w; `perennial init` writes one", err)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	raw := map[string]any{}
	if err := toml.Unmarshal(text, &raw); err != nil {
		return Config{}, syntaxProblem(path, err)
	}
	r := &reader{file: path, getenv: getenv, lines: linesOf(text)}
	r.checkCase("", raw)
	r.override(raw)
	r.resolve(raw)
	r.checkShape("", raw, configType)
	if err := errors.Join(r.problems...); err != nil {
		return Config{}, err
	}
	r.checkMode(path)
	settings := takeSettings(raw)
	setDefaults(raw)
	cfg, err := decode(raw)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	settings.putBack(&cfg)
	r.check(cfg)
	if err := errors.Join(r.problems...); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// decode turns checked values into a Config. Nothing is converted on the way, and nothing may be left over.
func decode(raw map[string]any) (Config, error) {
	v := viper.New()
	v.SetDefault("prefix", "perennial")
	v.SetDefault("health.listen", "127.0.0.1:8378")
	v.SetDefault("dashboard.listen", "127.0.0.1:8377")
	v.SetDefault("digest.tls", StartTLS)
	v.SetDefault("digest.weekday", "monday")
	v.SetDefault("digest.at", "08:00")
	v.SetDefault("log.level", "info")
	v.SetDefault("log.format", "text")
	if err := v.MergeConfigMap(raw); err != nil {
		return Config{}, err
	}
	var cfg Config
	err := v.UnmarshalExact(&cfg, func(c *mapstructure.DecoderConfig) {
		c.WeaklyTypedInput = false
		c.DecodeHook = mapstructure.DecodeHookFuncType(secretHook)
	})
	return cfg, err
}

// setDefaults fills in what a shop leaves open. A key that stands there keeps its value, zero or not.
func setDefaults(raw map[string]any) {
	for _, store := range tables(raw["stores"]) {
		if _, given := store["schedule"]; !given {
			putDefault(store, "nightly_at", "03:00")
		}
		putDefault(store, "revenue", "net")
		putDefault(store, "consent", "platform")
		putDefault(subtable(store, "rfm"), "convention", "rank_min")
		putDefault(subtable(store, "rfm"), "preset", "usual")
		putDefault(subtable(store, "worth"), "horizon", int64(365))
		putDefault(subtable(store, "worth"), "discount_rate", 0.1)
		guard := subtable(store, "guard")
		putDefault(guard, "shrink", 0.3)
		putDefault(guard, "min_size", 50)
	}
}

func putDefault(table map[string]any, key string, value any) {
	if _, given := table[key]; !given {
		table[key] = value
	}
}

func subtable(table map[string]any, key string) map[string]any {
	if sub, ok := table[key].(map[string]any); ok {
		return sub
	}
	sub := map[string]any{}
	table[key] = sub
	return sub
}

// tables returns the tables of a list of tables.
func tables(list any) []map[string]any {
	var all []map[string]any
	items, _ := list.([]any)
	for _, item := range items {
		if table, ok := item.(map[string]any); ok {
			all = append(all, table)
		}
	}
	return all
}

// settings are the connectors' own tables, kept away from viper, which would change the case of keys inside them.
type settings struct{ stores, reviews, destinations []map[string]any }

func takeSettings(raw map[string]any) settings {
	var kept settings
	for _, store := range tables(raw["stores"]) {
		kept.stores = append(kept.stores, subtable(store, "settings"))
		delete(store, "settings")
		kept.reviews = append(kept.reviews, takeReviews(store))
		for _, destination := range tables(store["destinations"]) {
			kept.destinations = append(kept.destinations, subtable(destination, "settings"))
			delete(destination, "settings")
		}
	}
	return kept
}

// takeReviews returns the settings of a store's review platform, nil where the store has none.
func takeReviews(store map[string]any) map[string]any {
	reviews, given := store["reviews"].(map[string]any)
	if !given {
		return nil
	}
	kept := subtable(reviews, "settings")
	delete(reviews, "settings")
	return kept
}

func (s settings) putBack(cfg *Config) {
	next := 0
	for i := range cfg.Stores {
		cfg.Stores[i].Settings, cfg.Stores[i].Reviews.Settings = s.stores[i], s.reviews[i]
		for j := range cfg.Stores[i].Destinations {
			cfg.Stores[i].Destinations[j].Settings = s.destinations[next]
			next++
		}
	}
}

// checkMode refuses a file that others can read while it holds a secret. One that only names variables and files may be
// read by anybody.
func (r *reader) checkMode(path string) {
	if dir := r.getenv("CREDENTIALS_DIRECTORY"); dir != "" && filepath.Dir(path) == filepath.Clean(dir) {
		return // the service manager guards what it puts there, by other means than the mode
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" || r.inline == "" || info.Mode().Perm()&0o077 == 0 {
		return
	}
	r.add(r.inline, fmt.Sprintf("a secret in a file that others can read (mode %04o)", info.Mode().Perm()),
		fmt.Sprintf("chmod 600 %s, and make the user who runs Perennial its owner; or give the secret as %s_env or %s_file", path, lastKey(r.inline), lastKey(r.inline)))
}

// isText reports whether a value is a secret.
func isText(value any) bool {
	_, ok := value.(secret.Text)
	return ok
}
