package connectortest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// DestinationHarness is what a destination's own test supplies.
type DestinationHarness struct {
	Factory connectors.Factory
	// Start opens a fresh platform for one test: some people are there, some of them in audiences and with attributes
	// that are not ours. Whatever must be closed is closed by t.Cleanup.
	Start func(t *testing.T) DestinationRig
	// Skips gives the reason for each test that cannot be run.
	Skips map[string]string
}

// DestinationRig is one platform under test. A nil function is an ability that the harness does not have.
type DestinationRig struct {
	Settings connectors.Settings
	Secrets  []string         // values that may stand in no error and no log
	Prefix   string           // "perennial" where empty
	Now      func() time.Time // the clock that the destination gets; the real one where nil
	Patience time.Duration    // how long one call may take; 30 seconds where zero
	Batch    int              // the most people that one request of the destination holds, under Settings

	// Reachable returns n people, always the same, whom the platform knows and who may be put into audiences.
	Reachable func(n int) []connectors.Person
	// Stranger returns somebody whom the platform does not know.
	Stranger func() connectors.Person
	// Bad returns somebody whom the platform refuses, or whose record makes it fail, with the consent to send.
	Bad func() (connectors.Person, commerce.ConsentState)
	// Members returns the e-mail addresses of those who are in an audience now, as the platform itself knows it:
	// people who left by themselves are not in it.
	Members func(audience connectors.Audience) []string
	// Attributes returns what the platform holds under our prefix about a person. It is asked for of a destination that is
	// connectors.OneWay, where nothing can be read back.
	Attributes func(person connectors.Person) map[string]string
	// State returns the whole state of the platform, without times of change.
	State func() State
	// Fault makes the platform misbehave.
	Fault func(Fault)
	// Requests returns everything asked so far.
	Requests func() []Request
	Revoke   func()        // makes the key invalid
	Restrict func() string // takes a permission from the key and returns the word by which it must be named

	// Unsubscribe lets a person leave an audience as they can do it themselves.
	Unsubscribe func(person connectors.Person, audience connectors.Audience)
	// Suppress lets the platform stop all mail to a person.
	Suppress func(person connectors.Person)
	// Delete lets somebody delete a person at the platform for good, as it is done on request of the person. The settings of
	// the rig let the destination create people, where it ever does.
	Delete func(person connectors.Person)
	// Mailed returns the e-mail addresses that a mailing to an audience would reach now.
	Mailed func(audience connectors.Audience) []string
	// ForeignAudience returns an audience that is not ours.
	ForeignAudience func() connectors.Audience
	// Job makes the next job of the platform go wrong. Nil where the destination starts no jobs.
	Job func(JobFault)
	// JobPeople returns n people, with the consent to send, whose changes become a job. Reachable where it is nil.
	JobPeople func(n int) []connectors.Change
}

// State is everything that a platform holds, as flat maps from a readable key to a readable value.
type State struct {
	Ours    map[string]string // under our prefix or mark
	Foreign map[string]string // all the rest: people, their names, statuses, consent, other tags, lists and attributes
}

// JobFault says how a job goes wrong.
type JobFault string

// The ways in which jobs go wrong.
const (
	JobStalls   JobFault = "job stalls"
	JobPartly   JobFault = "job fails partly"
	JobDoesNone JobFault = "job ends with nothing done"
)

// Destination runs the suite for destinations.
func Destination(t *testing.T, h DestinationHarness) {
	t.Helper()
	require.NotNil(t, h.Factory.NewDestination, "the factory makes no destination")
	runAll(t, destinationTests(), h.Skips, func(t *testing.T) *destinationRun { return startDestination(t, h) })
}

// DestinationTests lists the names of the tests for destinations.
func DestinationTests() []string { return names(destinationTests()) }

func destinationTests() []test[*destinationRun] {
	var all []test[*destinationRun]
	all = append(all, destinationCheckTests()...)
	all = append(all, destinationApplyTests()...)
	all = append(all, destinationConsentTests()...)
	all = append(all, destinationOwnershipTests()...)
	all = append(all, destinationFaultTests()...)
	all = append(all, destinationJobTests()...)
	return all
}

// The audiences of the suite.
var (
	champions = connectors.Audience{Key: "champions", Name: "Champions"}
	atRisk    = connectors.Audience{Key: "at_risk", Name: "At risk"}
)

// destinationRun is one test of one destination.
type destinationRun struct {
	*testing.T
	DestinationRig
	factory connectors.Factory
	journal *journal
}

func startDestination(t *testing.T, h DestinationHarness) *destinationRun {
	t.Helper()
	r := &destinationRun{T: t, DestinationRig: h.Start(t), factory: h.Factory.AsDestination(), journal: &journal{}}
	if r.Patience == 0 {
		r.Patience = defaultPatience
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Prefix == "" {
		r.Prefix = "perennial"
	}
	t.Cleanup(func() { r.journal.verify(t, r.Secrets) })
	return r
}

func (r *destinationRun) open() connectors.Destination {
	r.Helper()
	destination, err := r.factory.NewDestination(r.Settings, r.deps())
	require.NoError(r, err)
	return destination
}

func (r *destinationRun) deps() connectors.Deps {
	return connectors.Deps{Log: r.journal.logger(), Now: r.Now, Prefix: r.Prefix}
}

func (r *destinationRun) check(d connectors.Destination) (connectors.Report, error) {
	r.Helper()
	ctx, cancel := patient(r.Patience)
	defer cancel()
	a := within(r.T, r.Patience, "Check", func() (connectors.Report, error) { return d.Check(ctx) })
	r.journal.note(a.err)
	return a.value, a.err
}

func (r *destinationRun) ensure(d connectors.Destination, audiences ...connectors.Audience) []connectors.Audience {
	r.Helper()
	ctx, cancel := patient(r.Patience)
	defer cancel()
	a := within(r.T, r.Patience, "Ensure", func() ([]connectors.Audience, error) { return d.Ensure(ctx, audiences) })
	r.journal.note(a.err)
	require.NoError(r, a.err)
	require.Len(r, a.value, len(audiences))
	for i, audience := range a.value {
		require.Equal(r, audiences[i].Key, audience.Key, "Ensure keeps the order")
		require.NotEmpty(r, audience.ID, "audience %s has no id", audience.Key)
	}
	return a.value
}

// try applies changes, follows jobs to their end, and returns the outcomes by person as far as there are any.
func (r *destinationRun) try(d connectors.Destination, changes []connectors.Change) (map[int64]connectors.Outcome, error) {
	r.Helper()
	ctx, cancel := patient(r.Patience)
	defer cancel()
	a := within(r.T, r.Patience, "Apply", func() (connectors.Result, error) { return d.Apply(ctx, changes) })
	r.journal.note(a.err)
	outcomes := map[int64]connectors.Outcome{}
	r.collect(outcomes, changes, a.value)
	for range maxPages {
		if a.err != nil || a.value.Job == "" {
			return outcomes, a.err
		}
		time.Sleep(min(time.Second, max(0, a.value.NotBefore.Sub(r.Now()))))
		job := a.value.Job
		a = within(r.T, r.Patience, "Resume", func() (connectors.Result, error) { return d.Resume(ctx, job) })
		r.journal.note(a.err)
		r.collect(outcomes, changes, a.value)
	}
	r.Fatalf("the job has no end")
	return nil, nil
}

func (r *destinationRun) collect(into map[int64]connectors.Outcome, changes []connectors.Change, result connectors.Result) {
	r.Helper()
	for _, o := range result.Outcomes {
		_, twice := into[o.PersonID]
		require.False(r, twice, "person %d has two outcomes", o.PersonID)
		known := slices.ContainsFunc(changes, func(c connectors.Change) bool { return c.Person.ID == o.PersonID })
		require.True(r, known, "an outcome for person %d, who was not sent", o.PersonID)
		into[o.PersonID] = o
	}
}

// apply demands an outcome for everybody.
func (r *destinationRun) apply(d connectors.Destination, changes ...connectors.Change) map[int64]connectors.Outcome {
	r.Helper()
	outcomes, err := r.try(d, changes)
	require.NoError(r, err)
	for _, c := range changes {
		require.Contains(r, outcomes, c.Person.ID, "a person without an outcome")
	}
	return outcomes
}

// confirmed reports whether the platform is said to have the desired state.
func confirmed(o connectors.Outcome) bool {
	return o.State == connectors.Delivered || o.State == connectors.Unchanged
}

// deliver demands that everybody was confirmed.
func (r *destinationRun) deliver(d connectors.Destination, changes ...connectors.Change) {
	r.Helper()
	for id, o := range r.apply(d, changes...) {
		require.True(r, confirmed(o), "person %d is %s: %s", id, o.State, o.Reason)
	}
}

// join is the change that brings a person into audiences, with the attributes of the suite.
func join(p connectors.Person, audiences ...string) connectors.Change {
	return connectors.Change{
		Person: p, Audiences: audiences,
		Attributes: map[string]string{"segment": strings.Join(audiences, "+"), "rfm": "545"},
	}
}

func joinAll(people []connectors.Person, audiences ...string) []connectors.Change {
	var all []connectors.Change
	for _, p := range people {
		all = append(all, join(p, audiences...))
	}
	return all
}

func emails(people []connectors.Person) []string {
	var all []string
	for _, p := range people {
		all = append(all, p.Email)
	}
	return all
}

// readBack returns the members of an audience as the destination reads them.
func (r *destinationRun) readBack(d connectors.Destination, audience connectors.Audience) map[string]connectors.Member {
	r.Helper()
	ctx, cancel := patient(r.Patience)
	defer cancel()
	members := map[string]connectors.Member{}
	var cursor connectors.Cursor
	for range maxPages {
		a := within(r.T, r.Patience, "Members", func() (connectors.MemberPage, error) { return d.Members(ctx, audience, cursor) })
		r.journal.note(a.err)
		require.NoError(r, a.err)
		for _, m := range a.value.Members {
			key := m.Email
			if key == "" {
				key = m.CustomerID
			}
			require.NotContains(r, members, key, "a member is read twice")
			members[key] = m
		}
		if a.value.Done {
			return members
		}
		require.NotEqual(r, cursor, a.value.Next, "the cursor of members does not advance")
		cursor = a.value.Next
	}
	r.Fatal("the members have no end")
	return nil
}

// oneWay reports whether nothing can be read back, and demands that nothing is.
func (r *destinationRun) oneWay(d connectors.Destination, audience connectors.Audience) bool {
	r.Helper()
	if _, is := d.(connectors.OneWay); !is {
		return false
	}
	require.Empty(r, r.readBack(d, audience), "a OneWay destination tells of members")
	return true
}

// held returns the attributes of ours that stand with a member of an audience: as the destination reads them back, or
// where it cannot, as the platform itself has them.
func (r *destinationRun) held(d connectors.Destination, audience connectors.Audience, p connectors.Person) map[string]string {
	r.Helper()
	if r.oneWay(d, audience) {
		return r.Attributes(p)
	}
	return r.readBack(d, audience)[p.Email].Attributes
}

// sameState demands that the platform holds the same as before, save for what the caller allows.
func (r *destinationRun) sameState(before, after map[string]string, what string) {
	r.Helper()
	require.Empty(r, cmp.Diff(before, after), "%s (-before +after)", what)
}

// cancelledContext returns a context that is over.
func cancelledContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func need[R any](ability string, has func(R) bool) func(R) string {
	return func(r R) string {
		if has(r) {
			return ""
		}
		return ability
	}
}

func (r *destinationRun) requestCount() int {
	if r.Requests == nil {
		return 0
	}
	return len(r.Requests())
}

func describeRequests(requests []Request) string {
	var b strings.Builder
	for _, q := range requests {
		fmt.Fprintf(&b, "%s %s -> %d\n", q.Method, q.Path, q.Status)
	}
	return b.String()
}
