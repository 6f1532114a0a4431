package shopify

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// counter is a transport that hands requests to the fake without a socket, so that time can be played, and counts the
// answers that say THROTTLED.
type counter struct {
	shop      *shopifytest.Server
	throttled int
	points    float64 // taken out of the bucket
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	inner := r.Clone(r.Context())
	inner.RequestURI = r.URL.RequestURI()
	c.shop.ServeHTTP(w, inner)
	if bytes.Contains(w.Body.Bytes(), []byte("THROTTLED")) {
		c.throttled++
	}
	if e := openEnvelope(w.Body.Bytes()).Extensions.Cost; e != nil {
		c.points += e.Requested
	}
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

// met is the client and the fake, which know each other by client credentials.
func met(t *testing.T, opts shopifytest.Options) (*api, *counter, *bytes.Buffer) {
	t.Helper()
	shop := shopifytest.New(simulator.New(simulator.Options{Customers: 30, Orders: 60, AsOf: time.Now()}), opts)
	c := &counter{shop: shop}
	set := defaults()
	set.Shop, set.ClientID, set.ClientSecret = shopifytest.DefaultDomain, shopifytest.DefaultClientID, secret.New(shopifytest.DefaultClientSecret)
	require.NoError(t, set.check())
	var log bytes.Buffer
	a, err := newAPI(set, connectors.Deps{Log: slog.New(slog.NewTextHandler(&log, nil)), Prefix: "perennial"}, c)
	require.NoError(t, err)
	return a, c, &log
}

func TestMeetCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, c, _ := met(t, shopifytest.Options{})
		report, err := a.checkSource(t.Context())
		require.NoError(t, err)
		require.True(t, report.OK(), report.Findings)
		require.Zero(t, report.Since)
		require.Equal(t, "USD", report.Shop.Currency)
		require.Equal(t, "America/New_York", report.Shop.TimeZone)
		require.Equal(t, "Shopify 2026-07", report.Shop.Platform)

		c.shop.Restrict("read_all_orders")
		report, err = a.checkSource(t.Context())
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().AddDate(0, 0, -60), report.Since, time.Hour)

		c.shop.Mask(true)
		report, err = a.checkSource(t.Context())
		require.NoError(t, err)
		level, _, _ := found(report, "customer data")
		require.Equal(t, connectors.Problem, level)

		c.shop.Revoke()
		_, err = a.checkSource(t.Context())
		require.Equal(t, connectors.KindCredentials, connectors.KindOf(err))
	})
}

func TestMeetTokenThatEndsBeforeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, c, log := met(t, shopifytest.Options{})
		for range 3 {
			_, err := a.survey(t.Context())
			require.NoError(t, err)
			c.shop.ExpireTokens()
		}
		require.NotContains(t, log.String(), "shpat_")
		require.NotContains(t, log.String(), "shpss_")
	})
}

func TestMeetFaults(t *testing.T) {
	for kind, want := range map[shopifytest.FaultKind]connectors.Kind{
		shopifytest.Frozen: connectors.KindPermanent, shopifytest.Locked: connectors.KindPermanent, shopifytest.NotFound: connectors.KindPermanent,
		shopifytest.Redirect: connectors.KindPermanent, shopifytest.AccessDenied: connectors.KindCredentials, shopifytest.InternalError: connectors.KindRetry,
	} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, c, _ := met(t, shopifytest.Options{})
				_, err := a.survey(t.Context())
				require.NoError(t, err)
				c.shop.Fault(shopifytest.Fault{Kind: kind, Times: 10})
				_, err = a.survey(t.Context())
				require.Equal(t, want, connectors.KindOf(err), err)
				require.NotEmpty(t, connectors.Remedy(err))
			})
		})
	}
}

// TestMeetBucket reads more than the bucket holds: nothing is refused once the bucket is known, and no time is idled.
func TestMeetBucket(t *testing.T) {
	for _, latency := range []time.Duration{0, 300 * time.Millisecond} {
		t.Run(latency.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, c, _ := met(t, shopifytest.Options{Latency: latency})
				start := time.Now()
				for i := range 40 {
					first := []int{10, 25, 50, 100, 250}[i%5]
					var page struct{}
					require.NoError(t, a.ask(t.Context(), "orders_page", map[string]any{"first": first}, &page))
				}
				require.Zero(t, c.throttled)
				// What the answers did not cost is given back, so that even less may be waited.
				ideal := (c.points - 2000) / 100
				require.Less(t, time.Since(start).Seconds(), max(1.2*ideal, 41*latency.Seconds()))
			})
		})
	}
}

func TestMeetBulkOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, c, log := met(t, shopifytest.Options{BulkDelay: time.Minute})
		started, err := a.startQuery(t.Context(), "{ customers { edges { node { id } } } }")
		require.NoError(t, err)
		require.Equal(t, "CREATED", started.Status)
		running, err := a.running(t.Context())
		require.NoError(t, err)
		require.Len(t, running, 1)
		require.Equal(t, started.ID, running[0].ID)
		require.Contains(t, running[0].Query, "customers")
		time.Sleep(2 * time.Minute)
		done, err := a.operation(t.Context(), started.ID)
		require.NoError(t, err)
		require.Equal(t, "COMPLETED", done.Status)

		var whole []byte
		for end := false; !end; {
			var part []byte
			part, end, err = a.chunk(t.Context(), done.URL, int64(len(whole)), 100)
			require.NoError(t, err)
			whole = append(whole, part...)
		}
		require.EqualValues(t, done.Size, len(whole))
		require.EqualValues(t, done.Objects, len(strings.Split(strings.TrimSpace(string(whole)), "\n")))

		c.shop.Fault(shopifytest.Fault{Kind: shopifytest.ExpiredURL})
		_, _, err = a.chunk(t.Context(), done.URL, 0, 100)
		require.ErrorIs(t, err, errExpired)
		require.NotContains(t, err.Error()+log.String(), "_files")
	})
}

func TestMeetNoPlaceForAnotherOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, _ := met(t, shopifytest.Options{BulkDelay: time.Hour})
		var ids []string
		for i := range 5 {
			o, err := a.startQuery(t.Context(), fmt.Sprintf("{ customers(query: \"id:>%d\") { edges { node { id } } } }", i))
			require.NoError(t, err)
			ids = append(ids, o.ID)
		}
		_, err := a.startQuery(t.Context(), "{ customers { edges { node { id } } } }")
		require.Equal(t, connectors.KindWait, connectors.KindOf(err))
		var busy *errBusy
		require.ErrorAs(t, err, &busy)
		require.ElementsMatch(t, ids, busy.IDs)
	})
}

func TestMeetUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, _ := met(t, shopifytest.Options{})
		path, err := a.upload(t.Context(), "tags.jsonl", []byte(`{"id":"gid://shopify/Customer/1","tags":["perennial:loyal"]}`))
		require.NoError(t, err)
		o, err := a.startMutation(t.Context(), "mutation($id: ID!, $tags: [String!]!) { tagsAdd(id: $id, tags: $tags) { userErrors { field message } } }", path, "perennial-1234")
		require.NoError(t, err)
		require.Equal(t, "MUTATION", o.Kind)
	})
}
