package connectortest

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
)

func destinationOwnershipTests() []test[*destinationRun] {
	return []test[*destinationRun]{
		{name: "what is not ours is untouched", run: (*destinationRun).leavesForeignAlone},
		{
			name: "erase", run: (*destinationRun).erases,
			needs: need("a destination that is an Eraser", can[connectors.Eraser]),
		},
		{
			name: "remove", run: (*destinationRun).removes,
			needs: need("a destination that is a Remover", can[connectors.Remover]),
		},
		{
			name: "remove spares what is not ours", run: (*destinationRun).sparesForeignAudience,
			needs: need("ForeignAudience and a destination that is a Remover", func(r *destinationRun) bool {
				return r.ForeignAudience != nil && can[connectors.Remover](r)
			}),
		},
	}
}

// can reports whether the destination has an optional ability.
func can[Ability any](r *destinationRun) bool {
	_, ok := r.open().(Ability)
	return ok
}

func (r *destinationRun) leavesForeignAlone() {
	d, people := r.open(), r.Reachable(4)
	before := r.State().Foreign
	require.NotEmpty(r, before, "the harness has nothing foreign")
	r.ensure(d, champions, atRisk)
	r.deliver(d, joinAll(people, champions.Key)...)
	r.sameState(before, r.State().Foreign, "joining")
	move := join(people[0], atRisk.Key)
	move.Leave = []string{champions.Key}
	r.deliver(d, move, leave(people[1], champions.Key))
	r.sameState(before, r.State().Foreign, "moving and leaving")
}

func (r *destinationRun) erases() {
	d, people := r.open(), r.Reachable(2)
	eraser := d.(connectors.Eraser)
	audience := r.ensure(d, champions)[0]
	r.deliver(d, joinAll(people, champions.Key)...)
	before := r.State()
	for range 2 {
		ctx, cancel := patient(r.Patience)
		a := within(r.T, r.Patience, "Erase", func() (string, error) { return eraser.Erase(ctx, people[0]) })
		cancel()
		r.journal.note(a.err)
		require.NoError(r, a.err)
		require.NotEmpty(r, a.value, "the receipt says what was done")
		require.NotContains(r, r.Members(audience), people[0].Email)
		for key, value := range r.State().Ours {
			require.NotContains(r, key+value, people[0].Email, "something of ours about the erased person stands")
		}
	}
	for key, value := range r.State().Foreign {
		require.Equal(r, before.Foreign[key], value, "erasing one person changed %s", key)
	}
	for key := range before.Foreign {
		if !strings.Contains(key, people[0].Email) {
			require.Contains(r, r.State().Foreign, key, "erasing one person removed something else")
		}
	}
	require.Contains(r, r.Members(audience), people[1].Email)
}

func (r *destinationRun) removes() {
	d := r.open()
	remover := d.(connectors.Remover)
	before := r.State()
	audiences := r.ensure(d, champions, atRisk)
	r.deliver(d, joinAll(r.Reachable(2), champions.Key)...)
	for range 2 { // a second time finds them gone
		ctx, cancel := patient(r.Patience)
		a := within(r.T, r.Patience, "Remove", func() (struct{}, error) { return struct{}{}, remover.Remove(ctx, audiences) })
		cancel()
		r.journal.note(a.err)
		require.NoError(r, a.err)
		require.Empty(r, r.Members(audiences[0]))
	}
	r.sameState(before.Foreign, r.State().Foreign, "removing")
	again := r.ensure(d, audiences...)
	require.Empty(r, r.Members(again[0]), "an audience that is gone is made anew, empty")
}

func (r *destinationRun) sparesForeignAudience() {
	remover := r.open().(connectors.Remover)
	before := r.State()
	foreign := r.ForeignAudience()
	ctx, cancel := patient(r.Patience)
	defer cancel()
	a := within(r.T, r.Patience, "Remove", func() (struct{}, error) {
		return struct{}{}, remover.Remove(ctx, []connectors.Audience{foreign})
	})
	r.journal.note(a.err)
	r.sameState(before.Foreign, r.State().Foreign, "removing an audience that is not ours")
}
