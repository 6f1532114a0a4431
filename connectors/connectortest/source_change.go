package connectortest

import (
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

func sourceChangeTests() []test[*sourceRun] {
	return []test[*sourceRun]{
		{name: "edited old order", needs: needChange, run: (*sourceRun).editedOldOrder},
		{name: "silent edit", needs: needChange, run: (*sourceRun).silentEdit},
		{name: "deleted order", needs: needChange, run: (*sourceRun).deletedOrder},
		{name: "trashed order", needs: needChange, run: (*sourceRun).trashedOrder},
		{name: "refund of an old order", needs: needChange, run: (*sourceRun).refundOfOldOrder},
		{name: "equal timestamps", needs: needChange, run: (*sourceRun).equalTimestamps},
		{name: "edits while paging", needs: needChange, run: func(r *sourceRun) { r.movesWhilePaging(EditPaged) }},
		{name: "deletions while paging", needs: needChange, run: func(r *sourceRun) { r.movesWhilePaging(DeletePaged) }},
		{name: "new orders while paging", needs: needChange, run: func(r *sourceRun) { r.movesWhilePaging(AddWhilePage) }},
		{name: "unreadable record", needs: needChange, run: (*sourceRun).unreadableRecord},
	}
}

func (r *sourceRun) editedOldOrder() {
	first := r.drain(r.open(), r.all())
	touched := r.change(EditOld)
	next := r.drain(r.open(), r.from(first.end))
	for _, id := range touched {
		require.Contains(r, next.ids, id, "the next pull misses an edited old order")
		require.NotEmpty(r, cmp.Diff(first.whole(id), next.whole(id)), "order %s arrived unedited", id)
	}
}

func (r *sourceRun) change(c Change) []string {
	r.Helper()
	touched := r.Change(c)
	require.NotEmpty(r, touched, "the harness touched nothing: %s", c)
	return touched
}

// whole is an order with all that belongs to it, or a review.
type whole struct {
	Review  commerce.Review
	Order   commerce.Order
	Lines   []commerce.Line
	Refunds []commerce.Refund
}

func (h *harvest) whole(id string) whole {
	return whole{Review: h.reviews[id], Order: h.orders[id], Lines: h.lines[id], Refunds: h.refunds[id]}
}

func (r *sourceRun) silentEdit() {
	sweep := r.sweep()
	before := r.drain(r.open(), sweep)
	touched := r.change(SilentEdit)
	after := r.drain(r.open(), sweep)
	for _, id := range touched {
		require.NotEmpty(r, cmp.Diff(before.whole(id), after.whole(id)), "the sweep misses the silent edit of order %s", id)
	}
}

func (r *sourceRun) deletedOrder() {
	gone := r.change(DeleteOrder)
	after := r.drain(r.open(), r.sweep())
	r.sameIDs(r.subject, r.Truth(r.subject), after.distinct())
	for _, id := range gone {
		require.NotContains(r, after.ids, id)
	}
	fetcher, ok := r.open().(connectors.Fetcher)
	if !ok {
		return
	}
	ctx, cancel := patient(r.Patience)
	defer cancel()
	a := within(r.T, r.Patience, "Fetch", func() (connectors.Page, error) {
		return fetcher.Fetch(ctx, r.subject, append(slices.Clone(gone), after.ids[0]))
	})
	require.NoError(r, a.err)
	require.ElementsMatch(r, gone, a.value.Deleted, "Fetch confirms the deletion and nothing else")
}

func (r *sourceRun) trashedOrder() {
	before := r.drain(r.open(), r.all())
	trashed := r.change(TrashOrder)
	after := r.drain(r.open(), r.sweep())
	for _, id := range trashed {
		if order, there := after.orders[id]; there {
			require.NotEqual(r, before.orders[id].Status, order.Status, "order %s is in the trash", id)
		}
	}
}

func (r *sourceRun) refundOfOldOrder() {
	first := r.drain(r.open(), r.all())
	touched := r.change(RefundOld)
	next := r.drain(r.open(), r.from(first.end))
	for _, id := range touched {
		require.Contains(r, next.ids, id, "the next pull misses a refunded old order")
		require.Greater(r, len(next.refunds[id]), len(first.refunds[id]), "order %s came without its new refund", id)
	}
}

func (r *sourceRun) equalTimestamps() {
	first := r.drain(r.open(), r.all())
	touched := r.change(EqualTimes)
	next := r.drain(r.open(), r.from(first.end))
	got := next.distinct()
	for _, id := range touched {
		require.Contains(r, got, id, "%d orders have the same timestamp", len(touched))
	}
	fresh := r.drain(r.open(), r.all())
	r.sameIDs(r.subject, r.Truth(r.subject), fresh.ids)
}

// movesWhilePaging lets the shop change between the first page and the second. Nothing that lives at the end may be
// missing from this pull and the next together. Where the next pull is a whole one again, and what this one does not
// carry is taken for deleted, nothing that was there all along may be missing from this one.
func (r *sourceRun) movesWhilePaging(c Change) {
	source := r.open()
	before := r.Truth(r.subject)
	first := r.firstPage(source, r.all())
	require.False(r, first.Done, "the harness must make pages small enough")
	r.change(c)
	rest := r.drain(source, r.from(first.Next))
	got := append(idsOf(first.Records, r.subject), rest.ids...)
	wanted := r.Truth(r.subject)
	if r.incremental(source) {
		got = append(got, r.drain(source, r.from(rest.end)).ids...)
	} else {
		wanted = slices.DeleteFunc(wanted, func(id string) bool { return !slices.Contains(before, id) })
	}
	for _, id := range wanted {
		require.Contains(r, got, id, "%s: %s %s is lost", c, r.subject, id)
	}
}

// incremental reports whether the source can be asked for changes of what is looked at.
func (r *sourceRun) incremental(source connectors.Source) bool {
	return slices.ContainsFunc(source.Resources(), func(o connectors.Offer) bool { return o.Resource == r.subject && o.Incremental })
}

func (r *sourceRun) unreadableRecord() {
	bad := r.change(Unreadable)
	h := r.drain(r.open(), r.all())
	r.sameIDs(r.subject, r.Truth(r.subject), h.ids)
	for _, id := range bad {
		i := slices.IndexFunc(h.rejected, func(rejected connectors.Rejected) bool { return rejected.ID == id })
		require.GreaterOrEqual(r, i, 0, "the unreadable order %s is nowhere", id)
		require.NotEmpty(r, h.rejected[i].Reason)
		require.NotEmpty(r, h.rejected[i].Raw)
	}
}
