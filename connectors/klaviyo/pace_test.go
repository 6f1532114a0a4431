package klaviyo

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// wire carries requests to a fake without sockets, each a while on its way.
type wire struct{ to http.Handler }

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(time.Duration(10+rand.IntN(80)) * time.Millisecond)
	if r.Body == nil {
		r.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	w.to.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// TestLimitsAreMetWithoutASingleRefusal sends 600 list changes, and as many requests with events: of each Klaviyo takes 10 a
// second and 150 a minute.
func TestLimitsAreMetWithoutASingleRefusal(t *testing.T) {
	for name, more := range map[string]connectors.Settings{
		"list changes": {"list_batch": 2},
		"events":       {"events": true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { meetLimits(t, more) })
		})
	}
}

func meetLimits(t *testing.T, more connectors.Settings) {
	t.Helper()
	time.Sleep(321 * time.Millisecond) // our windows begin elsewhere than Klaviyo's
	b := &bench{Server: klaviyotest.New(nil, klaviyotest.Options{Key: canary, Now: time.Now, Limits: true})}
	settings := connectors.Settings{"api_key": canary, "mode": "lists"}
	maps.Copy(settings, more)
	times := timing{stall: time.Hour, poll: time.Second, transport: wire{b.Server}}
	d, err := factory(times).NewDestination(settings, connectors.Deps{Now: time.Now})
	require.NoError(t, err)
	d.(*destination).eventBatch = 2
	ensure(t, d, champions)
	changes := enterAll(b.many(1200), champions)
	start := time.Now()
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	require.Len(t, result.Outcomes, len(changes))
	took := time.Since(start)
	for _, r := range b.Requests() {
		require.NotEqual(t, http.StatusTooManyRequests, r.Status, "%s %s", r.Method, r.Path)
	}
	require.Less(t, took, 600*time.Minute/150*10/9, "at least 90 %% of what Klaviyo allows")
	require.Greater(t, took, 3*time.Minute, "600 requests were held back")
}

// TestOtherProgramsShareTheAllowance lets somebody else spend what Klaviyo allows: its word is heeded.
func TestOtherProgramsShareTheAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{Server: klaviyotest.New(nil, klaviyotest.Options{Key: canary, Now: time.Now, Limits: true})}
		open := func() connectors.Destination {
			times := timing{stall: time.Hour, poll: time.Second, transport: wire{b.Server}}
			d, err := factory(times).NewDestination(
				connectors.Settings{"api_key": canary, "mode": "lists", "list_batch": 1}, connectors.Deps{Now: time.Now})
			require.NoError(t, err)
			return d
		}
		people := b.many(160)
		for _, part := range [][]connectors.Person{people[:140], people[140:]} {
			d := open() // which knows nothing of what the other one sent
			ensure(t, d, champions)
			result, err := d.Apply(t.Context(), joinAll(part, champions))
			require.NoError(t, err)
			require.Len(t, result.Outcomes, len(part))
		}
		refused := 0
		for _, r := range b.Requests() {
			if r.Status == http.StatusTooManyRequests {
				refused++
			}
		}
		require.LessOrEqual(t, refused, 1)
	})
}

// night is what a thousand people in ten audiences need, each of whom leaves one and enters another.
func (b *bench) night(t *testing.T) (audiences []connectors.Audience, changes []connectors.Change) {
	t.Helper()
	for i := range 10 {
		audiences = append(audiences, connectors.Audience{Key: fmt.Sprint("a", i), Name: fmt.Sprint("A", i)})
	}
	audiences = ensure(t, b.open(t), audiences...)
	for i, p := range b.many(1000) {
		c := join(p, audiences[i%10])
		c.Entered, c.Leave = c.Audiences, []string{audiences[(i+1)%10].Key}
		c.Left, c.Since = c.Leave, time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
		changes = append(changes, c)
	}
	return audiences, changes
}

// TestCallsOfANight counts all that a night costs in which a thousand people change, in ten audiences.
//
// What is unavoidable: Klaviyo tells of ten lists at a time (12 of them: 2), of those who left one list at a time (10) or
// who were suppressed (1), and of a hundred profiles with their ids and consent at a time (10); all properties go in one
// import (1), which is over no sooner than at the second question (2); and a list takes a thousand people in one call, but
// only one list (10 joined, 10 left). That is 46. A thousand events fit in one call, and everybody enters and leaves (2).
func TestCallsOfANight(t *testing.T) {
	for events, unavoidable := range map[bool]int{
		false: 2 + 10 + 1 + 10 + 1 + 2 + 10 + 10,
		true:  2 + 10 + 1 + 10 + 1 + 2 + 10 + 10 + 2,
	} {
		b := startBench(t)
		audiences, changes := b.night(t)
		before := len(b.Requests())
		d := b.open(t, large(), connectors.Settings{"events": events}) // of the next night
		ensure(t, d, audiences...)
		require.Empty(t, leavers(t, d, time.Now()))
		for _, o := range apply(t, d, changes...) {
			require.Equal(t, connectors.Delivered, o.State, o.Reason)
		}
		calls := len(b.Requests()) - before
		t.Logf("%d calls, of which %d are unavoidable", calls, unavoidable)
		require.LessOrEqual(t, float64(calls), 1.1*float64(unavoidable))
		for _, a := range audiences {
			require.Len(t, b.members(a), 100)
		}
		require.Len(t, b.Events(), map[bool]int{false: 0, true: 2000}[events])
	}
}

// TestImportsStayBelowFiveMegabytes sends twelve of them, and somebody who alone is too large.
func TestImportsStayBelowFiveMegabytes(t *testing.T) {
	b := startBench(t)
	d := b.open(t, large())
	ensure(t, d, champions)
	changes := joinAll(b.many(300), champions)
	for i := range changes {
		changes[i].Attributes = map[string]string{"rfm": strings.Repeat("x", 40_000)}
	}
	changes[7].Attributes = map[string]string{"rfm": strings.Repeat("x", 100_001)}
	for id, o := range apply(t, d, changes...) {
		if id == changes[7].Person.ID {
			require.Equal(t, connectors.Refused, o.State)
		} else {
			require.Equal(t, connectors.Delivered, o.State, o.Reason)
		}
	}
	require.Equal(t, 3, b.asked("POST", "/api/profile-bulk-import-jobs"))
}

// TestLaterImportThatFailsKeepsTheEarlierOnes hands over two, of which the second meets a server that is down.
func TestLaterImportThatFailsKeepsTheEarlierOnes(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	ensure(t, d, champions)
	people := b.many(6)
	b.Fault(klaviyotest.Fault{Kind: simulator.ServerError, Times: 1_000, Writes: true, After: 1})
	result, err := d.Apply(t.Context(), joinAll(people, champions))
	require.NoError(t, err)
	require.NotEmpty(t, result.Job)
	require.Len(t, result.Outcomes, 3)
	for _, o := range result.Outcomes {
		require.Equal(t, connectors.RetryLater, o.State)
	}
	b.Fault(klaviyotest.Fault{})
	outcomes := follow(t, d, result)
	require.Len(t, outcomes, 6)
	require.Equal(t, connectors.Delivered, outcomes[people[0].ID].State)
}
