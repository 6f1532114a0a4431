package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
)

func TestSharedPlatforms(t *testing.T) {
	to := func(store, url string) config.Store {
		return config.Store{Name: store, Destinations: []config.Destination{
			{Name: "mail", Kind: "listmonk", Settings: map[string]any{"url": url}},
		}}
	}
	require.Empty(t, sharedPlatforms(config.Config{Stores: []config.Store{to("a", "https://one.example"), to("b", "https://two.example")}}))
	found := sharedPlatforms(config.Config{Stores: []config.Store{to("a", "https://one.example"), to("b", "https://ONE.example/")}})
	require.Len(t, found, 1)
	require.Contains(t, found[0].Text, "stores a and b")
	require.NotEmpty(t, found[0].Remedy)
}

func TestSharedFoldersAndWebhooks(t *testing.T) {
	to := func(store, kind, key, value string) config.Store {
		return config.Store{Name: store, Destinations: []config.Destination{{Name: "x", Kind: kind, Settings: map[string]any{key: value}}}}
	}
	files := func(store, folder string) config.Store { return to(store, "csvfile", "folder", folder) }
	require.Empty(t, sharedPlatforms(config.Config{Stores: []config.Store{files("a", "/srv/a"), files("b", "/srv/A")}}))
	require.Len(t, sharedPlatforms(config.Config{Stores: []config.Store{files("a", "/srv/a"), files("b", "/srv/a/")}}), 1)
	read := files("a", "/srv/a")
	read.Settings = map[string]any{"folder": "/srv/a/"}
	found := sharedPlatforms(config.Config{Stores: []config.Store{read}})
	require.Len(t, found, 1)
	require.Contains(t, found[0].Text, "/srv/a, from which store a is read")
	hook := func(store string) config.Store { return to(store, "webhook", "url", "https://hooks.example.com") }
	require.Empty(t, sharedPlatforms(config.Config{Stores: []config.Store{hook("a"), hook("b")}}), "a receiver is told which store speaks")
}

// TestSharedKeys has platforms without an address of their own, where the key says which account it is.
func TestSharedKeys(t *testing.T) {
	const one, two = "canary-key-4711-us21", "canary-key-4712-us21"
	with := func(key string, more ...any) map[string]any {
		settings := map[string]any{"api_key": secret.New(key)}
		for i := 0; i < len(more); i += 2 {
			settings[more[i].(string)] = more[i+1]
		}
		return settings
	}
	for name, tt := range map[string]struct {
		kind   string
		a, b   map[string]any
		shared bool
	}{
		"one key":                   {"klaviyo", with(one), with(one), true},
		"two keys":                  {"klaviyo", with(one), with(two), false},
		"one key of Brevo":          {"brevo", with(one), with(one), true},
		"a key in plain text":       {"brevo", with(one), map[string]any{"api_key": one}, true},
		"no key":                    {"klaviyo", map[string]any{}, map[string]any{}, false},
		"an empty key":              {"klaviyo", with(""), with(""), false},
		"one audience":              {"mailchimp", with(one, "audience", "1a2b3c"), with(one, "audience", "1a2b3c"), true},
		"one audience by two keys":  {"mailchimp", with(one, "audience", "1a2b3c"), with(two, "audience", "1a2b3c"), true},
		"two audiences of one key":  {"mailchimp", with(one, "audience", "1a2b3c"), with(one, "audience", "4d5e6f"), false},
		"one with the usual url":    {"klaviyo", with(one, "url", "https://a.klaviyo.com/"), with(one), true},
		"one proxy before two keys": {"klaviyo", with(one, "url", "https://proxy.example"), with(two, "url", "https://proxy.example"), false},
		"one audience by variables": {"mailchimp", with(one, "audience", secret.New("1a2b3c")), with(one, "audience", "1a2b3c"), true},
		"one listmonk by variables": {"listmonk", map[string]any{"url": secret.New("https://one.example/")}, map[string]any{"url": "https://one.example"}, true},
		"one key at two addresses":  {"klaviyo", with(one, "url", "https://one.example"), with(one, "url", "https://two.example"), false},
	} {
		t.Run(name, func(t *testing.T) {
			store := func(name, kind string, settings map[string]any) config.Store {
				return config.Store{Name: name, Destinations: []config.Destination{{Name: "mail", Kind: kind, Settings: settings}}}
			}
			found := sharedPlatforms(config.Config{Stores: []config.Store{store("a", tt.kind, tt.a), store("b", tt.kind, tt.b)}})
			if !tt.shared {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.Equal(t, connectors.Problem, found[0].Level)
			require.Contains(t, found[0].Text, "stores a and b push to the same "+tt.kind)
			require.NotContains(t, fmt.Sprintf("%#v", found), "canary")
			require.Empty(t, sharedPlatforms(config.Config{Stores: []config.Store{store("a", tt.kind, tt.a), store("b", "other", tt.b)}}))
		})
	}
}

// TestSharedKeysFromOutside gives one key by a variable, by a file and in the configuration itself.
func TestSharedKeysFromOutside(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "brevo.key"), []byte("canary-key-4711\n"), 0o600))
	t.Setenv("CANARY_KEY", "canary-key-4711")
	text := ""
	for i, key := range []string{`api_key_env = "CANARY_KEY"`, `api_key_file = "brevo.key"`, `api_key = "canary-key-4711"`, `api_key = "another-key"`} {
		text += fmt.Sprintf("[[stores]]\nname = \"s%d\"\nkind = \"csvfile\"\n[stores.settings]\nfolder = \"shop%d\"\n"+
			"[[stores.destinations]]\nname = \"mail\"\nkind = \"brevo\"\n[stores.destinations.settings]\n%s\n", i, i, key)
	}
	file := filepath.Join(folder, "perennial.toml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	cfg, err := config.Load(file, os.Getenv)
	require.NoError(t, err)
	found := sharedPlatforms(cfg)
	require.Len(t, found, 2)
	require.Contains(t, found[0].Text, "stores s0 and s1 ")
	require.Contains(t, found[1].Text, "stores s0 and s2 ")
	require.NotContains(t, fmt.Sprintf("%#v", found), "canary")
}

func TestOneStoreTwiceOnAPlatform(t *testing.T) {
	twice := config.Store{Name: "a", Destinations: []config.Destination{
		{Name: "letters", Kind: "brevo", Settings: map[string]any{"api_key": secret.New("key")}},
		{Name: "news", Kind: "brevo", Settings: map[string]any{"api_key": secret.New("key")}},
	}}
	found := sharedPlatforms(config.Config{Stores: []config.Store{twice}})
	require.Len(t, found, 1)
	require.Equal(t, "destination news", found[0].Subject)
	require.Contains(t, found[0].Text, "destinations letters and news of store a push to the same brevo")
}
