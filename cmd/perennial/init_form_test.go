package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/all"
)

func find(t *testing.T, kind string) connectors.Factory {
	t.Helper()
	factory, ok := all.Find(kind)
	require.True(t, ok)
	return factory
}

func TestWaysIn(t *testing.T) {
	shopify := find(t, "shopify")
	in := ways(shopify)
	require.Len(t, in, 2)
	for i, want := range [][]string{{"client_id", "client_secret"}, {"access_token"}} {
		var names []string
		for _, field := range wayFields(shopify, in[i]) {
			names = append(names, field.Name)
		}
		require.Equal(t, want, names)
	}
	require.Empty(t, ways(find(t, "woocommerce")))

	for name, c := range map[string]struct {
		given   map[string]string
		taken   string
		screens int // the question, and one for each way that asks anything
	}{
		"nothing given":          {map[string]string{}, in[0], 3},
		"a token":                {map[string]string{"access_token": "x"}, in[1], 3},
		"a token by environment": {map[string]string{"access_token_env": "X"}, in[1], 2},
		"an id":                  {map[string]string{"client_id_file": "x"}, in[0], 3},
	} {
		t.Run(name, func(t *testing.T) {
			var taken string
			require.Len(t, wayScreens(&answers{kind: "shopify"}, shopify, c.given, &taken), c.screens)
			require.Equal(t, c.taken, taken)
		})
	}
	var none string
	require.Empty(t, wayScreens(&answers{}, find(t, "csvfile"), nil, &none))
}

func TestOneWayIsKept(t *testing.T) {
	shopify := find(t, "shopify")
	settings := map[string]string{"shop": "alder", "client_id": "1", "client_secret_file": "s", "access_token_env": "T", "page_size": "9"}
	keepWay(shopify, settings, ways(shopify)[0])
	require.Equal(t, map[string]string{"shop": "alder", "client_id": "1", "client_secret_file": "s", "page_size": "9"}, settings)
	keepWay(shopify, settings, ways(shopify)[1])
	require.Equal(t, map[string]string{"shop": "alder", "page_size": "9"}, settings)
}

func TestConsentIsOfferedWhereItIsKept(t *testing.T) {
	for kind, want := range map[string]string{"shopify": "shop", "woocommerce": "platform", "csvfile": "platform"} {
		require.Equal(t, want, usualConsent(find(t, kind)), kind)
		a := answers{kind: kind}
		_, decide := policyScreens(&a)
		decide()
		require.Equal(t, want, a.consent, "%s: the first answer", kind)

		a.consent = "owner"
		_, decide = policyScreens(&a)
		decide()
		require.Equal(t, "owner", a.consent, "%s: what was said stands", kind)
	}
}

func TestSettingsAreExplained(t *testing.T) {
	require.Contains(t, settingHelp("shopify", "client_id"), "Client ID: of your app")
	require.Empty(t, settingHelp("shopify", "colour"))
	require.Contains(t, settingHelp("csvfile", "currency"), "such as EUR")
	require.Contains(t, settingHelp("csvfile", "send_unknown"), "nobody knows")
	require.Equal(t, "Folder", settingHelp("csvfile", "folder"), "of the exports, or of the audiences")
	require.Empty(t, settingHelp("nothing", "url"))
}

// Files are a kind of shop and a kind of destination, each with settings of its own.
func TestFilesAreAskedForAsWhatTheyAre(t *testing.T) {
	names := func(fields []connectors.Field) (all []string) {
		for _, field := range fields {
			all = append(all, field.Name)
		}
		return all
	}
	files := find(t, "csvfile")
	require.Equal(t, []string{"folder", "currency", "time_zone"}, names(required(files)))
	require.Equal(t, []string{"folder"}, names(required(files.AsDestination())))
	require.True(t, isSource(files) && isMailer(files))
	require.False(t, isSource(files.AsDestination()))
	require.False(t, files.WritesBack(), "a shop of files takes no tags")
	for _, kind := range []string{"shopify", "woocommerce"} {
		require.True(t, find(t, kind).WritesBack())
		require.False(t, isMailer(find(t, kind)))
	}
}
