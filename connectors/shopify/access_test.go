package shopify

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
)

// tokens answers like a shop that gives out tokens of a life in seconds and takes only the last one.
type tokens struct {
	life  string
	given int
	void  bool // the last token was revoked
}

func (k *tokens) answer(h heard) told {
	if strings.Contains(h.url, "oauth") {
		k.given++
		k.void = false
		return told{body: `{"access_token":"` + k.last() + `","scope":"read_orders","expires_in":` + k.life + `}`}
	}
	if k.void || h.token != k.last() {
		return told{status: 401, body: `{"errors":"[API] Invalid API key or access token"}`}
	}
	return told{body: `{"data":{"ok":true}}`}
}

func (k *tokens) last() string { return wireToken + "_" + strconv.Itoa(k.given) }

func probe(a *api, t *testing.T) error {
	return a.run(t.Context(), query{Op: "probe", Text: "mutation { probe }"}, &struct{}{})
}

func TestTokenIsAskedForAndKept(t *testing.T) {
	k := &tokens{life: "86399"}
	a, w := wired(t, app(), k.answer)
	require.Empty(t, w.all, "no network before it is needed")
	for range 3 {
		require.NoError(t, probe(a, t))
	}
	asked := w.asked("/admin/oauth/access_token")
	require.Len(t, asked, 1)
	require.Equal(t, "application/x-www-form-urlencoded", asked[0].kind)
	require.Empty(t, asked[0].token)
	form, err := url.ParseQuery(asked[0].body)
	require.NoError(t, err)
	require.Equal(t, url.Values{"grant_type": {"client_credentials"}, "client_id": {"id"}, "client_secret": {wireSecret}}, form)
	require.Equal(t, "https://alder.myshopify.com/admin/api/2026-07/graphql.json", w.asked("graphql")[0].url)
	w.quiet(t, nil)
}

func TestTokenIsRenewedBeforeItExpires(t *testing.T) {
	tests := map[string]struct {
		life  string
		sleep time.Duration
		given int
	}{
		"fresh":                    {"86399", 23 * time.Hour, 1},
		"within the margin":        {"86399", 24*time.Hour - 9*time.Minute, 2},
		"expired":                  {"86399", 30 * time.Hour, 2},
		"short life, fresh":        {"60", 40 * time.Second, 1},
		"short life, last fifth":   {"60", 50 * time.Second, 2},
		"life untold counts a day": {"0", 23 * time.Hour, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &tokens{life: tt.life}
				a, w := wired(t, app(), k.answer)
				require.NoError(t, probe(a, t))
				time.Sleep(tt.sleep)
				require.NoError(t, probe(a, t))
				require.Equal(t, tt.given, k.given)
				require.Len(t, w.asked("graphql"), 2, "no request went out with a token that is refused")
			})
		})
	}
}

func TestRefusedTokenIsRenewedAndTheRequestGoesOn(t *testing.T) {
	k := &tokens{life: "86399"}
	a, w := wired(t, app(), k.answer)
	require.NoError(t, probe(a, t))
	k.void = true
	require.NoError(t, probe(a, t), "a mutation too, because it was surely not executed")
	require.Equal(t, 2, k.given)
	w.quiet(t, nil)
}

func TestTokenIsRenewedOnlyOnce(t *testing.T) {
	k := &tokens{life: "86399"}
	a, w := wired(t, app(), func(h heard) told {
		defer func() { k.void = true }()
		return k.answer(h)
	})
	err := probe(a, t)
	require.Equal(t, connectors.KindCredentials, connectors.KindOf(err))
	require.Contains(t, connectors.Remedy(err), "still installed")
	require.Equal(t, 2, k.given)
	require.Len(t, w.asked("graphql"), 2)
	w.quiet(t, err)
}

func TestLegacyTokenCannotBeRenewed(t *testing.T) {
	a, w := wired(t, legacy(), always(told{status: 401, body: `{"errors":"[API] Invalid API key or access token ` + wireToken + `"}`}))
	err := probe(a, t)
	require.Equal(t, connectors.KindCredentials, connectors.KindOf(err))
	require.Contains(t, connectors.Remedy(err), "access_token is wrong or was revoked")
	require.Len(t, w.all, 1)
	require.Equal(t, wireToken, w.all[0].token)
	w.quiet(t, err)
}

func TestNoTokenIsGiven(t *testing.T) {
	tests := map[string]struct {
		told   told
		kind   connectors.Kind
		remedy string
	}{
		"another organisation": {
			told{status: 400, body: `{"error":"shop_not_permitted","error_description":"Client credentials cannot be performed on this shop."}`},
			connectors.KindCredentials, "same organisation",
		},
		"another organisation, told to people": {
			told{status: 400, kind: "text/html", body: `<title>400</title><p>Oauth error shop_not_permitted: Client credentials cannot be performed on this shop.</p>`},
			connectors.KindCredentials, "same organisation",
		},
		"unknown client": {
			told{status: 400, kind: "text/html", body: `Oauth error application_cannot_be_found: no app with ` + wireSecret},
			connectors.KindCredentials, "no app has this client_id",
		},
		"wrong secret":  {told{status: 401, body: `{"error":"invalid_client"}`}, connectors.KindCredentials, "check client_id and client_secret"},
		"not installed": {told{status: 400, body: `{"error":"app_not_installed"}`}, connectors.KindCredentials, "install the app"},
		"wrong kind":    {told{status: 400, body: `{"error":"unsupported_grant_type"}`}, connectors.KindCredentials, "Dev Dashboard"},
		"no such shop":  {told{status: 404, kind: "text/html", body: `<h1>Not found</h1>`}, connectors.KindPermanent, "there is no shop alder.myshopify.com"},
		"frozen":        {told{status: 402, body: `{"errors":"Unavailable Shop"}`}, connectors.KindPermanent, "frozen"},
		"redirect":      {told{status: 302, header: map[string]string{"Location": "https://oak.myshopify.com/admin/oauth/access_token"}}, connectors.KindPermanent, "another shop"},
		"no token":      {told{body: `{"scope":""}`}, connectors.KindRetry, ""},
		"trouble":       {told{status: 503, kind: "text/html", body: `<h1>503</h1>`}, connectors.KindRetry, "trouble"},
		"no network":    {told{err: errors.New("reset")}, connectors.KindRetry, "connection broke"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, w := wired(t, app(), always(tt.told))
				err := probe(a, t)
				require.Equal(t, tt.kind, connectors.KindOf(err), err)
				require.ErrorContains(t, err, "access token: ")
				require.Contains(t, connectors.Remedy(err), tt.remedy)
				require.Empty(t, w.asked("graphql"))
				w.quiet(t, err)
			})
		})
	}
}

func TestTokenIsMaskedWhereShopifyRepeatsIt(t *testing.T) {
	k := &tokens{life: "86399"}
	a, w := wired(t, app(), func(h heard) told {
		if strings.Contains(h.url, "oauth") {
			return k.answer(h)
		}
		return failed("BAD_REQUEST", "bad token "+h.token, "")
	})
	err := probe(a, t)
	require.ErrorContains(t, err, "bad token ***")
	w.quiet(t, err)
}
