package listmonk

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestChangedAddressIsFoundByTheRemoteID lets an admin correct an address in listmonk, with and without SQL.
func TestChangedAddressIsFoundByTheRemoteID(t *testing.T) {
	for _, sql := range []bool{true, false} {
		t.Run(fmt.Sprintf("SQL %v", sql), func(t *testing.T) {
			b := startBench(t)
			if !sql {
				b.Restrict(listmonktest.SubscribersSQL)
			}
			d, p := b.open(t), b.people(simulator.Subscribed)[0]
			lists := ensure(t, d, champions, atRisk)
			first := apply(t, d, join(p, champions))
			require.Contains(t, first.RemoteID, "/")
			require.NoError(t, b.ChangeEmail(p.Email, "corrected@example.com"))
			move := join(p, atRisk)
			move.Leave = []string{champions.Key}
			require.Equal(t, connectors.ReasonNotThere, apply(t, d, move).Reason, "without the id they are lost")

			move.Person.RemoteID = first.RemoteID
			o := apply(t, b.open(t), move)
			require.Equal(t, connectors.Delivered, o.State, o.Reason)
			require.Equal(t, first.RemoteID, o.RemoteID)
			require.Empty(t, b.members(lists[0]))
			require.Equal(t, []string{"corrected@example.com"}, b.members(lists[1]))
			require.Equal(t, connectors.Unchanged, apply(t, d, move).State)

			require.NoError(t, b.Unsubscribe("corrected@example.com", b.listID(lists[1])))
			require.Equal(t, connectors.ReasonUnsubscribed, apply(t, d, move).Reason)
			receipt, err := d.Erase(t.Context(), move.Person)
			require.NoError(t, err)
			require.Contains(t, receipt, "our attributes were cleared")
			require.Nil(t, b.person(t, "corrected@example.com").Attribs["perennial"])
		})
	}
}

// TestRemoteIDOfAnotherListmonkFindsNobody: where listmonk was set up anew, the numbers are other people's.
func TestRemoteIDOfAnotherListmonkFindsNobody(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t), b.people(simulator.Subscribed)
	ensure(t, d, champions)
	somebody := b.person(t, people[0].Email)
	for _, id := range []string{
		fmt.Sprint(somebody.ID), fmt.Sprintf("%d/", somebody.ID), fmt.Sprintf("%d/00000000-0000-4000-8000-000000000000", somebody.ID), "x/" + somebody.UUID,
	} {
		gone := connectors.Person{ID: 77, Email: "gone@example.com", RemoteID: id}
		require.Equal(t, connectors.ReasonNotThere, apply(t, d, join(gone, champions)).Reason)
		receipt, err := d.Erase(t.Context(), gone)
		require.NoError(t, err)
		require.Contains(t, receipt, "nothing was there")
	}
	require.Zero(t, numberIn(fmt.Sprint(somebody.ID)), "what cannot be held against a subscriber is not asked for")
	require.NotContains(t, b.person(t, people[0].Email).Attribs, "perennial")
}

// TestChangedAddressThatIsSomebodyElses: whoever really has the address is not written over.
func TestChangedAddressThatIsSomebodyElses(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	ensure(t, d, champions, atRisk)
	people := b.people(simulator.Subscribed)
	id := b.person(t, people[0].Email)
	other := people[1]
	require.NoError(t, b.Delete(other.Email))
	require.NoError(t, b.ChangeEmail(people[0].Email, other.Email))
	moved := join(people[0], champions)
	moved.Person.RemoteID = fmt.Sprintf("%d/%s", id.ID, id.UUID)
	result, err := d.Apply(t.Context(), []connectors.Change{moved, join(other, atRisk)})
	require.NoError(t, err)
	states := map[int64]string{}
	for _, o := range result.Outcomes {
		states[o.PersonID] = string(o.State) + " " + o.Reason
	}
	require.Equal(t, map[int64]string{moved.Person.ID: "withheld " + connectors.ReasonNotThere, other.ID: "delivered "}, states)
}

// TestShopsWordIsAboutTheShopsAddress: a yes that was given for one address is none for another.
func TestShopsWordIsAboutTheShopsAddress(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	ensure(t, d, champions)
	list := b.AddList("Other", "single")
	require.NoError(t, b.Subscribe("somebody@example.com", list, ""))
	p := b.person(t, "somebody@example.com")
	b.call(t, "PUT", "/api/subscribers/lists", map[string]any{"ids": []int{p.ID}, "action": "remove", "target_list_ids": []int{list}})
	c := join(connectors.Person{ID: 5, Email: "somebody@example.com", RemoteID: fmt.Sprintf("%d/%s", p.ID, p.UUID)}, champions)
	c.Consent = commerce.ConsentSubscribed
	require.Equal(t, connectors.Delivered, apply(t, d, c).State)
	require.NoError(t, b.ChangeEmail("somebody@example.com", "another@example.com"))
	require.Equal(t, connectors.ReasonNoConsent, apply(t, d, c).Reason)
}
