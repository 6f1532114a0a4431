package connectortest

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
)

func destinationFaultTests() []test[*destinationRun] {
	fault := need("Fault", func(r *destinationRun) bool { return r.Fault != nil })
	recorded := need("Fault and Requests", func(r *destinationRun) bool { return r.Fault != nil && r.Requests != nil })
	all := []test[*destinationRun]{
		{name: "429 on a write repeats the body", needs: recorded, run: (*destinationRun).repeatsBody},
		{name: "429 with Retry-After", needs: fault, run: (*destinationRun).waitsAsAsked},
		{name: "platform that stays down", needs: fault, run: (*destinationRun).staysDown},
		{name: "cancelled before the call", alone: true, run: (*destinationRun).cancelledBefore},
		{name: "cancelled during the call", needs: fault, alone: true, run: (*destinationRun).cancelledDuring},
		{name: "no secret in errors and logs", needs: fault, run: (*destinationRun).keepsSecrets},
	}
	for _, kind := range []FaultKind{ServerError, CutBody, BrokenJSON, HTMLPage, LostAnswer} {
		all = append(all, test[*destinationRun]{
			name: string(kind) + " claims nothing", needs: fault,
			run: func(r *destinationRun) { r.claimsNothing(kind) },
		})
	}
	return all
}

func (r *destinationRun) repeatsBody() {
	d, people := r.open(), r.Reachable(3)
	audience := r.ensure(d, champions)[0]
	before := len(r.Requests())
	r.Fault(Fault{Kind: TooManyRequests, Times: 1, RetryAfter: time.Second, Writes: true})
	r.deliver(d, joinAll(people, champions.Key)...)
	require.ElementsMatch(r, emails(people), r.Members(audience))

	requests := r.Requests()[before:]
	i := slices.IndexFunc(requests, func(q Request) bool { return q.Status == 429 })
	require.GreaterOrEqual(r, i, 0, "no write was refused:\n%s", describeRequests(requests))
	refused := requests[i]
	require.NotEmpty(r, refused.Body, "the refused write had a body")
	require.True(r, slices.ContainsFunc(requests[i+1:], func(q Request) bool {
		return q.Method == refused.Method && q.Path == refused.Path && q.Body == refused.Body && q.Status < 300
	}), "the refused write was not repeated with its body:\n%s", describeRequests(requests))
}

func (r *destinationRun) waitsAsAsked() {
	d, people := r.open(), r.Reachable(2)
	r.ensure(d, champions)
	r.Fault(Fault{Kind: TooManyRequests, Times: 1, RetryAfter: time.Second})
	start := time.Now()
	r.deliver(d, joinAll(people, champions.Key)...)
	require.GreaterOrEqual(r, time.Since(start), 900*time.Millisecond, "Retry-After was not waited out")
}

// honest demands that nobody is called delivered who is not in the audience.
func (r *destinationRun) honest(outcomes map[int64]connectors.Outcome, people []connectors.Person, audience connectors.Audience) {
	r.Helper()
	members := r.Members(audience)
	for _, p := range people {
		if o, ok := outcomes[p.ID]; ok && confirmed(o) {
			require.Contains(r, members, p.Email, "person %d is said to be %s and is not there", p.ID, o.State)
		}
	}
}

// converge applies until everybody is confirmed, as the next pushes would.
func (r *destinationRun) converge(d connectors.Destination, changes []connectors.Change, audience connectors.Audience) {
	r.Helper()
	people := make([]connectors.Person, len(changes))
	for i, c := range changes {
		people[i] = c.Person
	}
	for range 5 {
		outcomes, err := r.try(d, changes)
		r.honest(outcomes, people, audience)
		if err != nil {
			require.True(r, transient(err), "%v is %s", err, connectors.KindOf(err))
			continue
		}
		if len(r.Members(audience)) == len(people) {
			r.deliver(d, changes...)
			require.ElementsMatch(r, emails(people), r.Members(audience))
			return
		}
	}
	r.Fatalf("no convergence after the fault has passed")
}

func (r *destinationRun) staysDown() {
	d, people := r.open(), r.Reachable(3)
	audience := r.ensure(d, champions)[0]
	r.Fault(Fault{Kind: ServerError, Times: Forever, Writes: true})
	outcomes, err := r.try(d, joinAll(people, champions.Key))
	r.honest(outcomes, people, audience)
	if err != nil {
		require.True(r, transient(err), "%v is %s", err, connectors.KindOf(err))
		return
	}
	for _, o := range outcomes {
		require.Equal(r, connectors.RetryLater, o.State, "%+v", o)
	}
}

// claimsNothing befalls the first write of a push, then lets the platform recover.
func (r *destinationRun) claimsNothing(kind FaultKind) {
	d, people := r.open(), r.Reachable(4)
	audience := r.ensure(d, champions)[0]
	before := r.State().Foreign
	r.Fault(Fault{Kind: kind, Times: 1, Writes: true})
	outcomes, err := r.try(d, joinAll(people, champions.Key))
	r.honest(outcomes, people, audience)
	if err != nil {
		require.True(r, transient(err), "%v is %s", err, connectors.KindOf(err))
	}
	r.converge(d, joinAll(people, champions.Key), audience)
	r.sameState(before, r.State().Foreign, "recovering from a fault")
}

func (r *destinationRun) cancelledBefore() {
	d, people := r.open(), r.Reachable(2)
	r.ensure(d, champions)
	before := r.State()
	a := within(r.T, prompt, "Apply under a cancelled context", func() (connectors.Result, error) {
		return d.Apply(cancelledContext(), joinAll(people, champions.Key))
	})
	require.ErrorIs(r, a.err, context.Canceled)
	r.sameState(before.Ours, r.State().Ours, "a cancelled push")
}

func (r *destinationRun) cancelledDuring() {
	d, people := r.open(), r.Reachable(2)
	r.ensure(d, champions)
	leaks := leakOptions()
	r.Fault(Fault{Kind: Hang, Times: Forever})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	timer := time.AfterFunc(100*time.Millisecond, cancel)
	defer timer.Stop()
	a := within(r.T, prompt, "Apply under a cancelled context", func() (connectors.Result, error) {
		return d.Apply(ctx, joinAll(people, champions.Key))
	})
	r.journal.note(a.err)
	require.ErrorIs(r, a.err, context.Canceled)
	for _, o := range a.value.Outcomes {
		require.False(r, confirmed(o), "%+v", o)
	}
	require.NoError(r, findLeak(leaks), "a goroutine is left behind")
}

// keepsSecrets provokes errors of many kinds; the journal is searched at the end of every test.
func (r *destinationRun) keepsSecrets() {
	require.NotEmpty(r, r.Secrets, "the harness names no secret")
	d, people := r.open(), r.Reachable(2)
	r.ensure(d, champions)
	for _, kind := range []FaultKind{ServerError, CutBody, BrokenJSON, HTMLPage, LostAnswer} {
		r.Fault(Fault{Kind: kind, Times: 1})
		_, _ = r.try(d, joinAll(people, champions.Key))
	}
	if r.Revoke != nil {
		r.Revoke()
		_, _ = r.try(d, joinAll(people, champions.Key))
		_, _ = r.check(d)
	}
	_, err := r.factory.NewDestination(broken(r.Settings), r.deps())
	r.journal.note(err)
}
