package listmonk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func TestExtentIsWhatTheModeSays(t *testing.T) {
	b := startBench(t)
	require.Equal(t, connectors.Both, b.open(t).Extent())
	for _, mode := range []connectors.Extent{connectors.Both, connectors.OnlyAttributes, connectors.OnlyLists} {
		settings := b.settings()
		settings["mode"] = string(mode)
		d, err := New().NewDestination(settings, connectors.Deps{})
		require.NoError(t, err)
		require.Equal(t, mode, d.(connectors.Limited).Extent())
		_, rolls := d.(connectors.Roll)
		require.Equal(t, mode == connectors.OnlyAttributes, rolls)
		for _, ability := range []bool{is[connectors.Eraser](d), is[connectors.Remover](d), is[connectors.Leavers](d), is[connectors.Batcher](d)} {
			require.True(t, ability)
		}
	}
}

func is[Ability any](d connectors.Destination) bool {
	_, ok := d.(Ability)
	return ok
}

// TestModeLists holds that nothing is written to attributes, of newcomers neither, and that what stands from another mode goes.
func TestModeLists(t *testing.T) {
	b := startBench(t)
	mode := connectors.Settings{"mode": "lists", "import_from": 1}
	people := b.people(simulator.Subscribed)[:3]
	d := b.open(t)
	lists := ensure(t, d, champions, atRisk)
	apply(t, d, join(people[0], champions))

	d = b.open(t, mode)
	before := b.asked("PATCH", "")
	changes := append(welcome(2, champions), join(people[1], champions, atRisk))
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	require.Len(t, b.follow(t, result, mode), 3)
	require.Len(t, b.members(lists[0]), 4)
	require.Equal(t, []string{people[1].Email}, b.members(lists[1]))
	require.Equal(t, before, b.asked("PATCH", ""))
	require.Empty(t, b.person(t, changes[0].Person.Email).Attribs)
	require.NotContains(t, b.person(t, people[1].Email).Attribs, "perennial")
	require.Equal(t, connectors.Unchanged, apply(t, d, join(people[1], champions, atRisk)).State)
	onlyAttributes := connectors.Change{Person: people[2], Attributes: map[string]string{"rfm": "545"}}
	require.Equal(t, connectors.Unchanged, apply(t, d, onlyAttributes).State)

	drop := connectors.Change{Person: people[0], Audiences: []string{champions.Key}, Drop: []string{"rfm"}}
	require.Equal(t, connectors.Delivered, apply(t, d, drop).State)
	require.Empty(t, b.person(t, people[0].Email).Attribs["perennial"])
}

// TestModeAttributes holds that no list is made, that the attribute says the audiences, and that changing the mode leaves
// nothing behind.
func TestModeAttributes(t *testing.T) {
	for _, sql := range []bool{true, false} {
		b := startBench(t)
		if !sql {
			b.Restrict(listmonktest.SubscribersSQL)
		}
		mode := connectors.Settings{"mode": "attributes"}
		people := b.people(simulator.Subscribed)[:3]
		both := b.open(t)
		lists := ensure(t, both, champions)
		apply(t, both, join(people[0], champions))

		d := b.open(t, mode)
		count := len(b.Lists())
		audiences := ensure(t, d, lists[0], atRisk)
		require.NotEqual(t, lists[0].ID, audiences[0].ID, "activation learns that nobody is there yet")
		require.Equal(t, audiences, ensure(t, d, audiences...))
		require.Len(t, b.Lists(), count, "no list is made")
		require.Equal(t, connectors.Delivered, apply(t, d, join(people[0], champions)).State)
		require.Equal(t, connectors.Delivered, apply(t, d, join(people[1], atRisk, champions)).State)
		require.Equal(t, connectors.Unchanged, apply(t, d, join(people[1], champions, atRisk)).State, "in whatever order")
		object := b.person(t, people[1].Email).Attribs["perennial"]
		require.Equal(t, map[string]any{"rfm": "545", "audiences": []any{"at_risk", "champions"}}, object)
		require.Empty(t, b.members(lists[0]), "lists of another mode are left")
		require.Empty(t, b.members(audiences[1]))

		page, err := rolled{d}.Everybody(t.Context(), "")
		require.NoError(t, err)
		require.True(t, page.Done)
		found := map[string][]string{}
		for _, m := range page.Members {
			found[m.Email] = m.Audiences
			require.Equal(t, map[string]string{"rfm": "545"}, m.Attributes)
		}
		require.Equal(t, map[string][]string{people[0].Email: {"champions"}, people[1].Email: {"at_risk", "champions"}}, found)
		page, err = d.Members(t.Context(), audiences[1], "")
		require.NoError(t, err)
		require.Len(t, page.Members, 1)

		out := connectors.Change{Person: people[1], Leave: []string{champions.Key, atRisk.Key}, Drop: []string{"rfm"}}
		require.Equal(t, connectors.Delivered, apply(t, d, out).State)
		require.Empty(t, b.person(t, people[1].Email).Attribs["perennial"])

		back := b.open(t)
		again := ensure(t, back, audiences[0])
		require.Equal(t, lists[0].ID, again[0].ID, "the list is found by its tag")
		require.Equal(t, connectors.Delivered, apply(t, back, join(people[0], champions)).State)
		require.Equal(t, map[string]any{"rfm": "545"}, b.person(t, people[0].Email).Attribs["perennial"])
		require.Equal(t, []string{people[0].Email}, b.members(lists[0]))

		require.NoError(t, d.Remove(t.Context(), audiences))
		require.Len(t, b.Lists(), count-1, "a list of another mode goes with its audience")
	}
}

func TestModeAttributesNeedsNoPermissionForLists(t *testing.T) {
	b := startBench(t)
	b.Restrict(listmonktest.ListsGetAll)
	b.Restrict(listmonktest.ListsManageAll)
	d := b.open(t, connectors.Settings{"mode": "attributes"})
	ensure(t, d, champions)
	require.Equal(t, connectors.Delivered, apply(t, d, join(b.people(simulator.Subscribed)[0], champions)).State)
	report, err := d.Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK())
}
