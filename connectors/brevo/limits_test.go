package brevo

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func request(path string) httpapi.Request { return httpapi.Request{Op: "test", Path: path} }

// wire carries requests to the fake without a socket, as a network of some slowness does.
type wire struct {
	server  http.Handler
	latency func(n int64) time.Duration
	n       atomic.Int64
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	slow := w.latency(w.n.Add(1)) / 2
	time.Sleep(slow)
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	w.server.ServeHTTP(answer, r)
	time.Sleep(slow)
	return answer.Result(), nil
}

// TestAUsedUpHourDefersThePush: whoever else uses the account has used up the hour. Brevo says when it ends in a header of
// its own, and sends no Retry-After.
func TestAUsedUpHourDefersThePush(t *testing.T) {
	b := startBench(t)
	d := b.open(t, nil)
	ensure(t, d, champions)
	b.Fault(brevotest.Fault{Kind: simulator.TooManyRequests, Times: 1, RetryAfter: 50 * time.Minute})
	_, err := d.Apply(t.Context(), joinAll(b.people(simulator.Subscribed)[:2], champions))
	require.Equal(t, connectors.KindWait, connectors.KindOf(err), "%v", err)
	var e *connectors.Error
	require.ErrorAs(t, err, &e)
	require.InDelta(t, 50, time.Until(e.Until).Minutes(), 1)
}

func TestA429IsWaitedOutInWhateverFormItComes(t *testing.T) {
	for _, fault := range []brevotest.Fault{
		{Kind: simulator.TooManyRequests, Times: 2, RetryAfter: time.Second},
		{Kind: simulator.TooManyRequests, Times: 2, RetryAfter: time.Second, Standard: true},
		{Kind: simulator.TooManyRequests, Times: 2},
		{Kind: simulator.BareThrottle, Times: 2},
		{Kind: simulator.BareForbidden, Times: 2},
		{Kind: simulator.EmptyBody, Times: 2},
	} {
		b := startBench(t)
		d, people := b.open(t, nil), b.people(simulator.Subscribed)[:2]
		ensure(t, d, champions)
		b.Fault(fault)
		start := time.Now()
		for _, o := range apply(t, d, joinAll(people, champions)...) {
			require.Equal(t, connectors.Delivered, o.State, "%+v: %+v", fault, o)
		}
		require.GreaterOrEqual(t, time.Since(start), fault.RetryAfter*19/10)
	}
}

func TestARefusedAddressOfTheMachineIsExplained(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"code":"permission_denied","message":"We have detected you are using an unrecognised IP address 192.0.2.7."}`))
	}))
	t.Cleanup(server.Close)
	d, err := factory(hurry).NewDestination(connectors.Settings{"url": server.URL, "api_key": canary}, connectors.Deps{})
	require.NoError(t, err)
	_, err = d.Check(context.Background())
	require.Equal(t, connectors.KindCredentials, connectors.KindOf(err))
	require.Contains(t, connectors.Remedy(err), "Authorised IPs")
}

func TestImpossibleSettingsAreRefused(t *testing.T) {
	for name, settings := range map[string]connectors.Settings{
		`"batch" is 151`:      {"batch": 151},
		`"rate" is 61`:        {"rate": 61},
		`"import_from" is -1`: {"import_from": -1},
		`setting "url"`:       {"url": "ftp://example.com"},
		`"mode" is "nothing"`: {"mode": "nothing"},
	} {
		settings["api_key"] = canary
		_, err := New().NewDestination(settings, connectors.Deps{})
		require.ErrorContains(t, err, name)
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	}
	_, err := New().NewDestination(connectors.Settings{"api_key": canary}, connectors.Deps{Prefix: "Größe"})
	require.ErrorContains(t, err, "prefix")
}
