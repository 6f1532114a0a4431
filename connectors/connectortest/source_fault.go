package connectortest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
)

func sourceFaultTests() []test[*sourceRun] {
	all := []test[*sourceRun]{
		{name: "429 with Retry-After", needs: needFault, run: (*sourceRun).waitsAsAsked},
		{name: "429 without Retry-After", needs: needFault, run: (*sourceRun).waitsUnasked},
		{name: "429 that asks for a day", needs: needFault, run: (*sourceRun).defersLongWait},
		{name: "shop that stays down", needs: needFault, run: (*sourceRun).staysDown},
		{name: "cancelled before the call", alone: true, run: (*sourceRun).cancelledBefore},
		{name: "cancelled during the call", needs: needFault, alone: true, run: (*sourceRun).cancelledDuring},
		{name: "no secret in errors and logs", needs: needFault, run: (*sourceRun).keepsSecrets},
	}
	for _, kind := range []FaultKind{ServerError, CutBody, BrokenJSON, HTMLPage, EmptyBody} {
		all = append(all, test[*sourceRun]{
			name: string(kind) + " loses nothing", needs: needFault,
			run: func(r *sourceRun) { r.losesNothing(kind) },
		})
	}
	return all
}

func (r *sourceRun) waitsAsAsked() {
	source := r.open()
	first := r.firstPage(source, r.all())
	r.Fault(Fault{Kind: TooManyRequests, Times: 1, RetryAfter: time.Second})
	a := r.pull(source, r.from(first.Next))
	require.NoError(r, a.err, "a second's patience was asked for")
	require.GreaterOrEqual(r, a.took, 900*time.Millisecond, "Retry-After was not waited out")
	h := r.drain(source, r.from(a.value.Next))
	got := append(idsOf(first.Records, r.subject), idsOf(a.value.Records, r.subject)...)
	r.sameIDs(r.subject, r.Truth(r.subject), distinct(append(got, h.ids...)))
}

func (r *sourceRun) waitsUnasked() {
	source := r.open()
	r.Fault(Fault{Kind: TooManyRequests, Times: 2})
	a := r.pull(source, r.all())
	require.NoError(r, a.err, "two refusals in a row are waited out")
	h := r.drain(source, r.all())
	r.sameIDs(r.subject, r.Truth(r.subject), h.ids)
}

func (r *sourceRun) defersLongWait() {
	r.Fault(Fault{Kind: TooManyRequests, Times: Forever, RetryAfter: 24 * time.Hour})
	a := r.pull(r.open(), r.all())
	require.Error(r, a.err)
	require.Equal(r, connectors.KindWait.String(), connectors.KindOf(a.err).String(), "%v", a.err)
}

func (r *sourceRun) staysDown() {
	source := r.open()
	r.Fault(Fault{Kind: ServerError, Times: Forever})
	a := r.pull(source, r.all())
	require.Error(r, a.err, "a shop that is down gave a page")
	require.True(r, transient(a.err), "%v is %s", a.err, connectors.KindOf(a.err))
}

// losesNothing befalls the first request of a pull and one in the middle.
func (r *sourceRun) losesNothing(kind FaultKind) {
	source := r.open()
	r.Fault(Fault{Kind: kind, Times: 1})
	if a := r.pull(source, r.all()); a.err != nil {
		r.passing(a.err)
	} else {
		require.False(r, a.value.Done, "a bad answer ended the pull")
	}
	first := r.firstPage(source, r.all()) // the fault has passed
	r.Fault(Fault{Kind: kind, Times: 1})
	h := r.collect(source, r.from(first.Next), 2)
	r.sameIDs(r.subject, r.Truth(r.subject), append(idsOf(first.Records, r.subject), h.ids...))
}

func (r *sourceRun) passing(err error) {
	r.Helper()
	require.True(r, transient(err), "%v is %s", err, connectors.KindOf(err))
}

// prompt is how long a cancelled call may take to return.
const prompt = 3 * time.Second

func (r *sourceRun) cancelledBefore() {
	source := r.open()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	before := r.requestCount()
	a := within(r.T, prompt, "Pull under a cancelled context", func() (connectors.Page, error) {
		return source.Pull(ctx, r.subject, connectors.Increment, "")
	})
	require.ErrorIs(r, a.err, context.Canceled)
	require.Equal(r, before, r.requestCount(), "a cancelled call asked the shop")
}

func (r *sourceRun) cancelledDuring() {
	source := r.open()
	a := r.pull(source, r.all())
	require.NoError(r, a.err)
	leaks := leakOptions()
	r.Fault(Fault{Kind: Hang, Times: Forever})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	timer := time.AfterFunc(100*time.Millisecond, cancel)
	defer timer.Stop()
	a = within(r.T, prompt, "Pull under a cancelled context", func() (connectors.Page, error) {
		return source.Pull(ctx, r.subject, connectors.Increment, "")
	})
	r.journal.note(a.err)
	require.ErrorIs(r, a.err, context.Canceled)
	require.NoError(r, findLeak(leaks), "a goroutine is left behind")
}

// keepsSecrets provokes errors of many kinds; the journal is searched at the end of every test.
func (r *sourceRun) keepsSecrets() {
	require.NotEmpty(r, r.Secrets, "the harness names no secret")
	source := r.open()
	for _, kind := range []FaultKind{ServerError, CutBody, BrokenJSON, HTMLPage, EmptyBody, LostAnswer} {
		r.Fault(Fault{Kind: kind, Times: 1})
		r.pull(source, r.all())
	}
	r.drain(source, r.all())
	if r.Revoke != nil {
		r.Revoke()
		r.pull(source, r.all())
		_, _ = r.check(source)
	}
	r.journal.note(errorOf(r.factory.NewSource(broken(r.Settings), r.deps())))
}

// broken gives every setting the wrong type, so that the refusal may quote it.
func broken(good connectors.Settings) connectors.Settings {
	bad := connectors.Settings{}
	for key, value := range good {
		bad[key] = []any{value}
	}
	return bad
}

func errorOf(_ connectors.Source, err error) error { return err }
