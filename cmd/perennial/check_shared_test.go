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
