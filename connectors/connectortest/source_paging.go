package connectortest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

func sourcePagingTests() []test[*sourceRun] {
	return []test[*sourceRun]{
		{name: "every record once", run: (*sourceRun).everyRecordOnce},
		{name: "every record in a sweep", run: (*sourceRun).everyRecordInSweep},
		{name: "every order complete", run: (*sourceRun).everyOrderComplete},
		{name: "resume from every cursor", run: (*sourceRun).resumeEverywhere},
		{name: "same cursor twice", run: (*sourceRun).sameCursorTwice},
		{name: "second pull repeats no history", run: (*sourceRun).secondPullIsShort},
		{name: "cursor from the future", needs: needFutureCursor, run: (*sourceRun).cursorFromFuture},
		{name: "fetch tells living from gone", needs: needFetcher, run: (*sourceRun).fetchSingles},
	}
}

func needFutureCursor(r *sourceRun) string {
	if r.FutureCursor == nil {
		return "FutureCursor"
	}
	return ""
}

func needFetcher(r *sourceRun) string {
	if _, ok := r.open().(connectors.Fetcher); !ok {
		return "a source that is a Fetcher"
	}
	return ""
}

func (r *sourceRun) everyRecordOnce() {
	for _, resource := range r.resources() {
		h := r.drain(r.open(), position{resource: resource, mode: connectors.Increment})
		r.sameIDs(resource, r.Truth(resource), h.ids)
		if resource == r.subject {
			require.GreaterOrEqual(r, len(h.pages), 3, "the harness must make pages small enough")
		}
	}
}

// sameIDs demands that got holds every wanted id exactly once and nothing else.
func (r *sourceRun) sameIDs(resource commerce.Resource, want, got []string) {
	r.Helper()
	want, got = slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))
	require.NotEmpty(r, want, "the harness has no %s", resource)
	require.Equal(r, want, got, "%s: every record once", resource)
}

func (r *sourceRun) everyRecordInSweep() {
	for _, resource := range r.resources() {
		h := r.drain(r.open(), position{resource: resource, mode: connectors.Sweep})
		r.sameIDs(resource, r.Truth(resource), h.distinct())
	}
}

func (r *sourceRun) everyOrderComplete() {
	h := r.drain(r.open(), r.all())
	for id := range h.orders {
		require.True(r, h.complete[id], "order %s never became complete", id)
	}
	for id, lines := range h.lines {
		seen := map[string]bool{}
		for _, line := range lines {
			require.NotEmpty(r, line.ID)
			require.False(r, seen[line.ID], "order %s has line %s twice", id, line.ID)
			seen[line.ID] = true
		}
	}
}

func (r *sourceRun) resumeEverywhere() {
	for _, resource := range r.resources() {
		start := position{resource: resource, mode: connectors.Increment}
		whole := r.drain(r.open(), start)
		for i, cursor := range whole.cursors {
			rest := r.drain(r.open(), position{resource: resource, mode: start.mode, cursor: cursor})
			both := append(slices.Concat(whole.pages[:i]...), rest.ids...)
			require.Equal(r, whole.distinct(), distinct(both), "%s resumed at page %d", resource, i+1)
		}
	}
}

func (r *sourceRun) sameCursorTwice() {
	for _, resource := range r.resources() {
		source := r.open()
		whole := r.drain(source, position{resource: resource, mode: connectors.Increment})
		for i, cursor := range whole.cursors {
			a := r.pull(source, position{resource: resource, mode: connectors.Increment, cursor: cursor})
			require.NoError(r, a.err)
			again := idsOf(a.value.Records, resource)
			for _, id := range whole.pages[i] {
				require.Contains(r, again, id, "%s page %d", resource, i+1)
			}
		}
	}
}

// secondPullIsShort demands that an increment after a finished pull is not the whole history again: a source that
// ignores its cursor would hide behind idempotent writes for years.
func (r *sourceRun) secondPullIsShort() {
	source := r.open()
	for _, offer := range source.Resources() {
		if !offer.Incremental {
			continue
		}
		first := r.drain(source, position{resource: offer.Resource, mode: connectors.Increment})
		second := r.drain(source, position{resource: offer.Resource, mode: connectors.Increment, cursor: first.end})
		require.Less(r, len(second.ids), max(1, len(first.ids)), "%s: the cursor is ignored", offer.Resource)
	}
}

func (r *sourceRun) cursorFromFuture() {
	for _, offer := range r.open().Resources() {
		if !offer.Incremental {
			continue
		}
		at := position{resource: offer.Resource, mode: connectors.Increment, cursor: r.FutureCursor(offer.Resource)}
		h := r.drain(r.open(), at)
		require.Less(r, len(h.ids), len(r.Truth(offer.Resource)), "%s: a cursor from the future read everything", offer.Resource)
		at.cursor = h.end
		r.drain(r.open(), at)
	}
}

func (r *sourceRun) fetchSingles() {
	fetcher := r.open().(connectors.Fetcher)
	ctx, cancel := patient(r.Patience)
	defer cancel()
	living := r.Truth(r.subject)[:2]
	a := within(r.T, r.Patience, "Fetch", func() (connectors.Page, error) {
		return fetcher.Fetch(ctx, r.subject, append(slices.Clone(living), "987654321"))
	})
	r.journal.note(a.err)
	require.NoError(r, a.err)
	require.ElementsMatch(r, living, idsOf(a.value.Records, r.subject))
	for _, id := range living {
		require.NotContains(r, a.value.Deleted, id)
	}
}
