package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// TestCheckNoticesOneAccountBehindTwoKeys has an account of Klaviyo and one of Brevo, to each of which one store writes twice
// and another one once, every time with another key.
func TestCheckNoticesOneAccountBehindTwoKeys(t *testing.T) {
	elsewhere(t)
	t.Setenv("PERENNIAL_DATABASE_URL", postgrestest.URL(t))
	var text strings.Builder
	destination := func(name, kind string, key string) {
		var url string
		if kind == "klaviyo" {
			server := httptest.NewServer(klaviyotest.New(nil, klaviyotest.Options{Key: key}))
			t.Cleanup(server.Close)
			url = server.URL
		} else {
			account := map[bool]string{true: "another"}[name == "apart"]
			server := httptest.NewServer(brevotest.New(nil, brevotest.Options{APIKey: key, Account: account}))
			t.Cleanup(server.Close)
			url = server.URL + "/v3"
		}
		fmt.Fprintf(&text, "[[stores.destinations]]\nname = %q\nkind = %q\n[stores.destinations.settings]\nurl = %q\napi_key = %q\n", name, kind, url, key)
	}
	for _, store := range []string{"alder", "birch"} {
		require.NoError(t, os.Mkdir(store, 0o700))
		fmt.Fprintf(&text, "[[stores]]\nname = %q\nkind = \"csvfile\"\n[stores.settings]\nformat = \"shopify\"\nfolder = %q\ncurrency = \"EUR\"\ntime_zone = \"UTC\"\n", store, store)
		destination("mail", "klaviyo", "canary-k1-"+store)
		if store == "alder" {
			destination("more", "klaviyo", "canary-k2")
			destination("news", "brevo", "canary-b1")
		}
		destination("apart", "brevo", "canary-b2-"+store)
	}
	require.NoError(t, os.WriteFile("perennial.toml", []byte(text.String()), 0o600))
	var out strings.Builder
	code := run(t.Context(), []string{"check"}, streams{in: strings.NewReader(""), out: &out, err: &out}, time.Now)
	require.NotZero(t, code)
	require.Equal(t, 3, strings.Count(out.String(), " push to the same "), out.String())
	require.Contains(t, out.String(), "destinations mail and more of store alder push to the same klaviyo")
	require.Contains(t, out.String(), "stores alder and birch push to the same klaviyo")
	require.Contains(t, out.String(), "stores alder and birch push to the same brevo")
	require.NotContains(t, out.String(), "canary")
}
