package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config"
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
