package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// nights are those in which a destination named letters is told of one person.
type nights struct {
	*shop
	now    time.Time
	target activation.Target
}

func newNights(s *shop) *nights {
	return &nights{shop: s, now: noon, target: activation.Target{
		Destination: "letters", NeedsConsent: true, Consent: activation.ConsentOwner, Extent: connectors.OnlyLists,
		Audiences: []connectors.Audience{{Key: "champions", Name: "Champions"}, {Key: "lost", Name: "Lost"}},
		Guard:     activation.Guard{Confirmed: []string{"champions", "lost"}},
	}}
}

// place puts everybody into a segment.
func (n *nights) place(segment string) {
	n.t.Helper()
	_, err := n.raw.Exec(`INSERT INTO rfm_scores (store_id, person_id, r, f, m, segment, since)
		SELECT store_id, person_id, 5, 5, 5, $1, '2026-02-01' FROM persons WHERE email IS NOT NULL
		ON CONFLICT (store_id, person_id) DO UPDATE SET segment = excluded.segment`, segment)
	require.NoError(n.t, err)
}

// push lets a night pass and answers about whoever is told of. It returns what was told.
func (n *nights) push(answer connectors.Outcome) []connectors.Change {
	n.t.Helper()
	ctx := context.Background()
	n.now = n.now.Add(24 * time.Hour)
	_, err := n.Plan(ctx, n.target, false, n.now)
	require.NoError(n.t, err)
	changes, err := n.Next(ctx, n.target, 0, 10, n.now)
	require.NoError(n.t, err)
	var outcomes []connectors.Outcome
	for _, c := range changes {
		answer.PersonID = c.Person.ID
		outcomes = append(outcomes, answer)
	}
	_, err = n.Record(ctx, n.target.Destination, outcomes, n.now)
	require.NoError(n.t, err)
	require.NoError(n.t, n.Filled(ctx, n.target, n.now))
	return changes
}

// told is the one change of a night.
func (n *nights) told(answer connectors.Outcome) connectors.Change {
	n.t.Helper()
	changes := n.push(answer)
	require.Len(n.t, changes, 1)
	return changes[0]
}

const remote = "number 17"

var (
	taken   = connectors.Outcome{State: connectors.Delivered, RemoteID: remote}
	absent  = connectors.Outcome{State: connectors.Withheld, Reason: connectors.ReasonNotThere}
	as      = connectors.Outcome{State: connectors.Unchanged} // of somebody who is not there and shall be nowhere
	busy    = connectors.Outcome{State: connectors.RetryLater, Reason: "busy"}
	refused = connectors.Outcome{State: connectors.Refused, Reason: "no"}
	gone    = connectors.Outcome{State: connectors.Delivered}
	left    = connectors.Outcome{State: connectors.Withheld, Reason: connectors.ReasonUnsubscribed}
)

// TestWhoWasThereOnceIsKnownForIt: whatever became of them since, a destination is told its own id of a person whom it once
// had under the same address, so that it does not create them again.
func TestWhoWasThereOnceIsKnownForIt(t *testing.T) {
	base := newShop(t)
	start := func(t *testing.T) *nights {
		n := newNights(base.another(t.Name()))
		n.t = t
		require.NoError(t, n.db.SetShop(t.Context(), n.id, commerce.Shop{Identity: t.Name(), Currency: "EUR", TimeZone: "Europe/Berlin"}))
		n.put(commerce.Orders, whole(order("1", "", ann)))
		n.place("champions")
		first := n.told(taken)
		require.Empty(t, first.Person.RemoteID, "nobody knows of them yet")
		require.True(t, first.MayCreate())
		return n
	}
	again := func(n *nights) {
		n.t.Helper()
		c := n.told(absent)
		require.Equal(n.t, ann, c.Person.Email)
		require.Equal(n.t, []string{n.segment()}, []string(c.Audiences))
		require.Equal(n.t, remote, c.Person.RemoteID)
		require.False(n.t, c.MayCreate())
	}
	for name, happens := range map[string]func(t *testing.T, n *nights){
		"they move to another audience": func(_ *testing.T, n *nights) { n.place("lost") },
		"they were withheld, and move": func(_ *testing.T, n *nights) {
			n.place("lost")
			n.told(absent)
			n.place("champions")
		},
		"they were withheld, and are offered again": func(_ *testing.T, n *nights) {
			n.place("lost")
			for range 3 {
				n.told(absent)
				require.Empty(n.t, n.push(absent), "left in peace for a week")
				n.now = n.now.Add(8 * 24 * time.Hour)
			}
		},
		"a read-back noted the loss": func(_ *testing.T, n *nights) { n.lose() },
		"a read-back noted the loss while a change waited": func(_ *testing.T, n *nights) {
			n.place("lost")
			n.told(busy)
			n.lose()
			n.told(busy)
		},
		"refused, after a read-back noted the loss": func(_ *testing.T, n *nights) {
			n.lose()
			n.told(refused)
			n.place("lost")
		},
		"said to have unsubscribed, then to be gone": func(_ *testing.T, n *nights) {
			n.place("lost")
			n.told(left)
			n.told(as) // out of what they were in
			n.now = n.now.Add(8 * 24 * time.Hour)
		},
		"they left everything, and come back":               func(_ *testing.T, n *nights) { n.leave(gone) },
		"they left, were not there any more, and come back": func(_ *testing.T, n *nights) { n.leave(absent) },
		"they left, had unsubscribed, and come back":        func(_ *testing.T, n *nights) { n.leave(left) },
		"withheld, then excluded by the owner for a while": func(_ *testing.T, n *nights) {
			n.place("lost")
			n.told(absent)
			n.target.Exclude = []string{ann}
			require.Empty(n.t, n.push(absent))
			n.target.Exclude = nil
		},
		"excluded by the owner for a while": func(_ *testing.T, n *nights) {
			n.target.Exclude = []string{ann}
			n.told(gone)
			require.Empty(n.t, n.push(absent))
			n.target.Exclude = nil
		},
		"everything was taken back by a purge": func(_ *testing.T, n *nights) {
			ctx := context.Background()
			require.NoError(n.t, n.Release(ctx, n.target.Destination, all[int64](n.shop, `SELECT person_id FROM persons WHERE store_id = $1`, n.id)))
			require.NoError(n.t, n.ForgetAudiences(ctx, n.target.Destination))
		},
		"everything was taken back by a purge while they were withheld": func(_ *testing.T, n *nights) {
			n.place("lost")
			n.told(absent)
			require.NoError(n.t, n.ForgetAudiences(context.Background(), n.target.Destination))
		},
		"a guest who left becomes an account": func(_ *testing.T, n *nights) {
			n.leave(gone)
			n.become()
		},
		"a guest who was withheld becomes an account": func(_ *testing.T, n *nights) {
			n.place("lost")
			n.told(absent)
			n.become()
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t)
			happens(t, n)
			again(n)
			require.Empty(t, n.push(absent), "left in peace")
			n.now = n.now.Add(8 * 24 * time.Hour)
			again(n)
		})
	}
}

// segment is the one in which everybody is.
func (n *nights) segment() string {
	return one[string](n.shop, `SELECT DISTINCT segment FROM rfm_scores WHERE store_id = $1`, n.id)
}

// leave lets a night pass in which everybody leaves everything, and brings them back.
func (n *nights) leave(answer connectors.Outcome) {
	n.t.Helper()
	back := n.segment()
	n.place("nowhere")
	c := n.told(answer)
	require.Empty(n.t, c.Audiences)
	require.Equal(n.t, remote, c.Person.RemoteID)
	require.Empty(n.t, n.push(answer), "nothing is left to be said")
	n.place(back)
}

// become lets an account take on the address of everybody's, who was a guest until then.
func (n *nights) become() {
	n.t.Helper()
	for _, email := range []string{"other@example.com", ann} {
		n.put(commerce.Customers, commerce.Batch{Customers: []commerce.Customer{{ID: "7", Email: email}}})
	}
	n.place(n.segment())
	_, err := n.raw.Exec(`DELETE FROM rfm_scores s USING persons p WHERE s.store_id = $1 AND p.store_id = $1
		AND p.person_id = s.person_id AND p.customer_id IS NULL`, n.id) // as the next analysis does
	require.NoError(n.t, err)
}

// lose notes that a read-back found nobody in any audience.
func (n *nights) lose() {
	n.t.Helper()
	ctx := context.Background()
	standing, err := n.Delivered(ctx, n.target.Destination, 0, 10)
	require.NoError(n.t, err)
	require.Len(n.t, standing, 1)
	require.Equal(n.t, remote, standing[0].RemoteID)
	standing[0].Audiences = nil
	require.NoError(n.t, n.Correct(ctx, n.target.Destination, standing, n.now))
}

// TestWhoWasThereOnceIsForgotten: what is known of people who were at a platform goes with them.
func TestWhoWasThereOnceIsForgotten(t *testing.T) {
	n := newNights(newShop(t))
	n.put(commerce.Orders, whole(order("1", "", ann)))
	n.place("champions")
	n.told(taken)
	n.leave(gone)
	n.become()
	held := func() int { return one[int](n.shop, `SELECT count(*) FROM deliveries WHERE store_id = $1`, n.id) }
	require.Equal(t, 2, held(), "the guest's and the account's")
	_, err := n.ErasePerson(t.Context(), ann, n.now)
	require.NoError(t, err)
	require.Zero(t, held())
}
