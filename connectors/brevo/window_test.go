package brevo

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// meanwhile does something once, right before the first request that fits is sent.
type meanwhile struct {
	fits func(r *http.Request) bool
	do   func()
	once sync.Once
}

func (m *meanwhile) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.fits(r) {
		m.once.Do(m.do)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// openWhile opens a destination in whose first write something happens.
func (b *bench) openWhile(t *testing.T, tune tuning, changed connectors.Settings, do func()) *destination {
	t.Helper()
	tune.transport = &meanwhile{do: do, fits: func(r *http.Request) bool {
		return r.Method == http.MethodPost && (strings.HasSuffix(r.URL.Path, "/batch") || strings.HasSuffix(r.URL.Path, "/add") ||
			strings.HasSuffix(r.URL.Path, "/remove") || strings.HasSuffix(r.URL.Path, "/import"))
	}}
	settings := connectors.Settings{}
	for _, from := range []connectors.Settings{b.set, changed} {
		for key, value := range from {
			settings[key] = value
		}
	}
	d, err := factory(tune).NewDestination(settings, connectors.Deps{Prefix: "perennial"})
	require.NoError(t, err)
	return d.(*destination)
}

// TestANoBetweenLookUpAndWriteIsHeeded: people say no in every way that there is after they were looked up and before
// anything is written. The write puts them on lists; they are off again when the push ends.
func TestANoBetweenLookUpAndWriteIsHeeded(t *testing.T) {
	for _, tt := range []struct {
		name    string
		changed connectors.Settings
		reason  string
		say     func(b *bench, p connectors.Person, was connectors.Audience) error
	}{
		{"blacklisted", nil, connectors.ReasonSuppressed, func(b *bench, p connectors.Person, _ connectors.Audience) error { return b.Blacklist(p.Email) }},
		{"left a list of ours", nil, connectors.ReasonUnsubscribed, func(b *bench, p connectors.Person, was connectors.Audience) error {
			return b.Unsubscribe(p.Email, idOf(was))
		}},
		{"left the newsletter", nil, connectors.ReasonUnsubscribed, func(b *bench, p connectors.Person, _ connectors.Audience) error {
			return b.Unsubscribe(p.Email, b.Newsletter())
		}},
		{"lists only", listsMode, connectors.ReasonUnsubscribed, func(b *bench, p connectors.Person, was connectors.Audience) error {
			return b.Unsubscribe(p.Email, idOf(was))
		}},
		{"attributes only", attributesMode, connectors.ReasonSuppressed, func(b *bench, p connectors.Person, _ connectors.Audience) error { return b.Blacklist(p.Email) }},
		{"imported", imported, connectors.ReasonUnsubscribed, func(b *bench, p connectors.Person, was connectors.Audience) error {
			return b.Unsubscribe(p.Email, idOf(was))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := startBench(t)
			people := b.people(simulator.Subscribed)[:4]
			before := b.open(t, tt.changed)
			lists := ensure(t, before, champions, atRisk)
			apply(t, before, joinAll(people, champions)...)
			d := b.openWhile(t, hurry, tt.changed, func() { require.NoError(t, tt.say(b, people[1], lists[0])) })
			ensure(t, d, lists...)
			outcomes := apply(t, d, joinAll(people, champions, atRisk)...)
			for i, p := range people {
				want := connectors.Delivered
				if i == 1 {
					want = connectors.Withheld
					require.Equal(t, tt.reason, outcomes[p.ID].Reason)
				}
				require.Equal(t, want, outcomes[p.ID].State, "%+v", outcomes[p.ID])
			}
			no := b.person(t, people[1].Email)
			for _, l := range lists {
				if tt.changed["mode"] != "attributes" {
					require.NotContains(t, b.Mailed(idOf(l)), no.Email)
				}
			}
			require.NotContains(t, no.Attributes, "PERENNIAL_AUDIENCES")
			require.True(t, no.Blacklisted || len(no.Left) > 0, "the no stands")
		})
	}
}

// TestALongLookUpIsRefreshed: in a large account minutes pass before the first write. Whoever left a list meanwhile, which
// they are about to be taken off, is not taken off, because that would forget that they left it.
func TestALongLookUpIsRefreshed(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:4]
	before := b.open(t, nil)
	lists := ensure(t, before, champions, atRisk)
	apply(t, before, joinAll(people, champions)...)
	b.Age(time.Hour)

	tune := hurry
	tune.fresh = time.Nanosecond
	tune.transport = &meanwhile{
		fits: func(r *http.Request) bool { return r.URL.Query().Has("modifiedSince") },
		do:   func() { require.NoError(t, b.Unsubscribe(people[1].Email, idOf(lists[0]))) },
	}
	made, err := factory(tune).NewDestination(b.set, connectors.Deps{})
	require.NoError(t, err)
	d := made.(*destination)
	ensure(t, d, lists...)
	changes := joinAll(people, atRisk)
	for i := range changes {
		changes[i].Leave = []string{"champions"}
	}
	outcomes := apply(t, d, changes...)
	require.Equal(t, connectors.ReasonUnsubscribed, outcomes[people[1].ID].Reason)
	require.Equal(t, []int64{idOf(lists[0])}, b.person(t, people[1].Email).Left)
	require.Equal(t, connectors.Delivered, outcomes[people[2].ID].State)
}

// TestWhatBrevoShowsLaterIsAskedForLater: an answer that is older than the write makes a job of the people in it, and no
// failure.
func TestWhatBrevoShowsLaterIsAskedForLater(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:3]
	before := b.open(t, nil)
	lists := ensure(t, before, champions, atRisk)
	apply(t, before, joinAll(people, champions)...)
	b.Age(time.Hour)
	tune := hurry
	tune.transport = &stale{url: b.url}
	made, err := factory(tune).NewDestination(b.set, connectors.Deps{})
	require.NoError(t, err)
	d := made.(*destination)
	ensure(t, d, lists...)
	changes := joinAll(people, atRisk)
	for i := range changes {
		changes[i].Leave = []string{"champions"}
	}
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	require.NotEmpty(t, result.Job)
	require.NotContains(t, string(result.Job), "@")
	require.Empty(t, result.Outcomes)
	for _, o := range collect(t, b.open(t, nil), result) {
		require.Equal(t, connectors.Delivered, o.State, "%+v", o)
	}
}

// stale answers questions after the first write as if they had been asked before it.
type stale struct {
	url  string
	page []byte
}

func (s *stale) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case r.Method == http.MethodPost && s.page == nil:
		ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, s.url+"/contacts?limit=1000&sort=asc", nil)
		if err != nil {
			return nil, err
		}
		ask.Header.Set("api-key", canary)
		answer, err := http.DefaultTransport.RoundTrip(ask)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close() //nolint:errcheck // it was only read
		if s.page, err = io.ReadAll(answer.Body); err != nil {
			return nil, err
		}
	case r.Method == http.MethodGet && s.page != nil:
		old := httptest.NewRecorder()
		old.Header().Set("Content-Type", "application/json")
		_, _ = old.Write(s.page)
		return old.Result(), nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestSomebodyDeletedWhileTheyAreWrittenToIsTriedLater(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:3]
	d := b.openWhile(t, hurry, listsMode, func() { require.NoError(t, b.Delete(people[1].Email)) })
	ensure(t, d, champions)
	outcomes := apply(t, d, joinAll(people, champions)...)
	require.Equal(t, connectors.RetryLater, outcomes[people[1].ID].State)
	require.Contains(t, outcomes[people[1].ID].Reason, "deleted")
	require.Equal(t, connectors.Delivered, outcomes[people[2].ID].State)
}
