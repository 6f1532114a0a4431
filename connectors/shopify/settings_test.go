package shopify

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
)

func TestShopNames(t *testing.T) {
	tests := []struct{ given, want string }{
		{"alder.myshopify.com", "alder.myshopify.com"},
		{" Alder.MyShopify.com ", "alder.myshopify.com"},
		{"alder", "alder.myshopify.com"},
		{"https://alder.myshopify.com", "alder.myshopify.com"},
		{"https://alder.myshopify.com/admin/settings", "alder.myshopify.com"},
		{"https://admin.shopify.com/store/alder/orders", "alder.myshopify.com"},
		{"admin.shopify.com/store/alder-2", "alder-2.myshopify.com"},
		{"shop.example", ""},
		{"https://www.shop.example/admin", ""},
		{"alder.myshopify.com.evil.example", ""},
		{"a b", ""},
		{"-alder", ""},
		{"admin.shopify.com", ""},
		{"https://user:pass@alder.myshopify.com", ""},
	}
	for _, tt := range tests {
		t.Run(tt.given, func(t *testing.T) {
			set := legacy()
			set.Shop = tt.given
			err := set.check()
			if tt.want == "" {
				require.ErrorContains(t, err, `"shop"`)
				require.NotContains(t, err.Error(), "pass")
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, set.Shop)
			require.Equal(t, "https://"+tt.want, set.URL)
		})
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	token := secret.New(wireToken)
	tests := map[string]struct {
		values connectors.Settings
		names  string
	}{
		"nothing":               {connectors.Settings{}, `"shop"`},
		"no key":                {connectors.Settings{"shop": "alder"}, `"client_id"`},
		"no client id":          {connectors.Settings{"shop": "alder", "client_secret": wireSecret}, `"client_id"`},
		"no client secret":      {connectors.Settings{"shop": "alder", "client_id": "id"}, `"client_secret"`},
		"both ways":             {connectors.Settings{"shop": "alder", "client_id": "id", "client_secret": wireSecret, "access_token": token}, "only one"},
		"a secret as token":     {connectors.Settings{"shop": "alder", "access_token": wireSecret}, `"access_token" holds a client secret`},
		"a token as secret":     {connectors.Settings{"shop": "alder", "client_id": "id", "client_secret": token}, `"client_secret" holds an access token`},
		"no quarter":            {connectors.Settings{"shop": "alder", "access_token": token, "api_version": "2026-08"}, `"api_version"`},
		"page too large":        {connectors.Settings{"shop": "alder", "access_token": token, "page_size": 251}, `"page_size"`},
		"bulk negative":         {connectors.Settings{"shop": "alder", "access_token": token, "bulk_from": -1}, `"bulk_from"`},
		"chunk too small":       {connectors.Settings{"shop": "alder", "access_token": token, "bulk_chunk": 1}, `"bulk_chunk"`},
		"address of no kind":    {connectors.Settings{"shop": "alder", "access_token": token, "url": "ftp://x"}, `"url"`},
		"address with password": {connectors.Settings{"shop": "alder", "access_token": token, "url": "https://u:canary@x"}, `"url"`},
		"unknown setting":       {connectors.Settings{"shop": "alder", "access_token": token, "colour": "red"}, `"colour"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := open(factory(), tt.values, connectors.Deps{})
			require.ErrorContains(t, err, "shopify settings: ")
			require.ErrorContains(t, err, tt.names)
			require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
			require.NotContains(t, err.Error(), "canary")
		})
	}
}

func TestSettingsThatAreGood(t *testing.T) {
	for name, values := range map[string]connectors.Settings{
		"app":    {"shop": "alder", "client_id": "id", "client_secret": wireSecret},
		"legacy": {"shop": "alder", "access_token": wireToken, "api_version": "2026-10", "url": "http://127.0.0.1:8080/"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := open(factory(), values, connectors.Deps{Prefix: "perennial"})
			require.NoError(t, err)
			require.Equal(t, 250, a.set.PageSize)
			require.Equal(t, 5000, a.set.BulkFrom)
			require.EqualValues(t, 8<<20, a.set.BulkChunk)
			require.Equal(t, "perennial", a.prefix)
		})
	}
}

func TestFieldsAreThoseOfTheSettings(t *testing.T) {
	for _, field := range factory().Fields {
		set := defaults()
		err := factory().Decode(connectors.Settings{"shop": "alder", field.Name: nil}, &set)
		if field.Required {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err, field.Name)
		require.Equal(t, field.Secret, field.Name == "client_secret" || field.Name == "access_token")
	}
}
