package brevo

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// leavers reads all who left since a moment, by address.
func leavers(t *testing.T, d connectors.Destination, since time.Time) map[string]connectors.Member {
	t.Helper()
	all := map[string]connectors.Member{}
	var cursor connectors.Cursor
	for {
		page, err := d.(connectors.Leavers).Leavers(t.Context(), since, cursor)
		require.NoError(t, err)
		for _, m := range page.Members {
			require.Equal(t, commerce.ConsentUnsubscribed, m.Consent.State)
			all[m.Email] = m
		}
		if page.Done {
			return all
		}
		require.NotEqual(t, cursor, page.Next)
		cursor = page.Next
	}
}

// TestLeaversAreToldInEveryModeAndWay: by the link of a mail, from one list of ours, from everything that is not ours.
func TestLeaversAreToldInEveryModeAndWay(t *testing.T) {
	for _, mode := range []string{"both", "attributes", "lists"} {
		t.Run(mode, func(t *testing.T) {
			b := startBench(t)
			people := b.people(simulator.Subscribed)[:6]
			d := b.open(t, connectors.Settings{"mode": mode})
			lists := ensure(t, d, champions, atRisk)
			apply(t, d, joinAll(people, champions)...)
			b.Age(48 * time.Hour)
			since := time.Now().Add(-24 * time.Hour)
			require.Empty(t, leavers(t, d, since), "a quiet day")

			want := []string{people[0].Email, people[1].Email}
			require.NoError(t, b.Blacklist(people[0].Email))
			require.NoError(t, b.Unsubscribe(people[1].Email, b.Newsletter()))
			if mode != "attributes" {
				require.NoError(t, b.Unsubscribe(people[2].Email, idOf(lists[0])))
				want = append(want, people[2].Email)
			}
			require.NoError(t, b.SetAttribute(people[3].Email, "SHOE_SIZE", 41.0)) // modified, and still subscribed
			fresh := b.open(t, connectors.Settings{"mode": mode})                  // which has not met the lists
			gone := leavers(t, fresh, since)
			require.Len(t, gone, len(want))
			for _, email := range want {
				require.Contains(t, gone, email)
				require.NotEmpty(t, gone[email].RemoteID)
			}
			require.Empty(t, leavers(t, fresh, time.Now().Add(time.Minute)), "nobody left in the future")
		})
	}
}

// TestLeaversTakeOneRequestOnContacts: nothing is asked of what may be asked a hundred times an hour, and an account of
// 2,500 is not read for two who left.
func TestLeaversTakeOneRequestOnContacts(t *testing.T) {
	b := startBench(t)
	people := b.crowd(2500)
	d := b.open(t, nil)
	ensure(t, d, champions)
	b.Age(48 * time.Hour)
	require.NoError(t, b.Blacklist(people[7].Email))
	require.NoError(t, b.Blacklist(people[2400].Email))
	since := len(b.Requests())
	require.Len(t, leavers(t, d, time.Now().Add(-24*time.Hour)), 2)
	require.Equal(t, []string{"GET /contacts"}, b.asked(since))
	require.Contains(t, b.Requests()[since].Path, "modifiedSince=")
}

// TestLeaversOfABusyDayArePaged: after a push of everybody, everybody was modified.
func TestLeaversOfABusyDayArePaged(t *testing.T) {
	b := startBench(t)
	people := b.crowd(2500)
	d := b.open(t, nil)
	ensure(t, d, champions)
	for i, p := range people {
		if i%500 == 0 {
			require.NoError(t, b.Blacklist(p.Email))
		}
	}
	since := len(b.Requests())
	gone := leavers(t, d, time.Now().Add(-time.Hour))
	require.Len(t, b.asked(since), 3)
	for i, p := range people {
		_, is := gone[p.Email]
		require.Equal(t, i%500 == 0, is)
	}
	for _, cursor := range []connectors.Cursor{"x", "-1.2", "1"} {
		_, err := d.Leavers(t.Context(), time.Now(), cursor)
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	}
	for _, r := range b.Requests() {
		require.False(t, strings.HasPrefix(r.Path, "/v3/smtp"))
	}
}
