package klaviyo

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// clocked starts a bench whose time the test sets.
func clocked(t *testing.T) (*bench, *time.Time) {
	t.Helper()
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	return startBench(t, klaviyotest.Options{Now: func() time.Time { return now }}), &now
}

// leavers walks through who left, and checks what holds of everybody.
func leavers(t *testing.T, d connectors.Destination, since time.Time) map[string]connectors.Member {
	t.Helper()
	all := map[string]connectors.Member{}
	var cursor connectors.Cursor
	for range 100 {
		page, err := d.(connectors.Leavers).Leavers(t.Context(), since, cursor)
		require.NoError(t, err)
		for _, m := range page.Members {
			require.Equal(t, commerce.ConsentUnsubscribed, m.Consent.State)
			require.NotEmpty(t, m.RemoteID)
			require.False(t, m.Consent.At.Before(since), "%s left at %s", m.Email, m.Consent.At)
			all[m.Email] = m
		}
		if page.Done {
			return all
		}
		require.NotEqual(t, cursor, page.Next)
		cursor = page.Next
	}
	t.Fatal("those who left have no end")
	return nil
}

func TestLeaversAreThoseWhoUnsubscribedLeftOrWereSuppressed(t *testing.T) {
	b, now := clocked(t)
	d, people := b.open(t), b.people(simulator.Subscribed)
	former := b.AddList("perennial: Given up")
	lists := ensure(t, d, champions, atRisk)
	require.NoError(t, b.Unsubscribe(people[0].Email)) // long ago
	require.NoError(t, b.UnsubscribeFrom(people[1].Email, lists[0].ID))
	*now = now.Add(24 * time.Hour)
	since := *now
	require.NoError(t, b.Unsubscribe(people[2].Email)) // at that very second
	*now = now.Add(time.Hour)
	require.NoError(t, b.Suppress(people[3].Email, "HARD_BOUNCE"))
	require.NoError(t, b.UnsubscribeFrom(people[4].Email, lists[1].ID))
	require.NoError(t, b.UnsubscribeFrom(people[5].Email, former))
	require.NoError(t, b.UnsubscribeFrom(people[6].Email, b.Newsletter()))
	require.NoError(t, b.UnsubscribeFrom(people[1].Email, b.Newsletter()))
	*now = now.Add(time.Hour)
	require.NoError(t, b.UnsubscribeFrom(people[4].Email, b.Newsletter()))

	found := leavers(t, d, since)
	var emails []string
	for email := range found {
		emails = append(emails, email)
	}
	require.ElementsMatch(t, []string{people[2].Email, people[3].Email, people[4].Email, people[5].Email}, emails)
	require.Equal(t, since, found[people[2].Email].Consent.At)
	require.Equal(t, since.Add(time.Hour), found[people[4].Email].Consent.At)
	require.Equal(t, b.person(t, people[4].Email).ID, found[people[4].Email].RemoteID)
	require.Equal(t, found, leavers(t, b.open(t), since), "also before Ensure was called")
}

// TestLeaversAreAskedForByTheFewestPages counts a quiet night: one request, and one for each list of ours.
func TestLeaversAreAskedForByTheFewestPages(t *testing.T) {
	b, now := clocked(t)
	d := b.open(t)
	lists := ensure(t, d, champions, atRisk)
	before := b.asked("GET", "")
	require.Empty(t, leavers(t, d, now.Add(time.Second)))
	require.Equal(t, 3, b.asked("GET", "")-before)
	for i, p := range b.many(250) {
		if i < 120 {
			require.NoError(t, b.Unsubscribe(p.Email))
		} else {
			require.NoError(t, b.UnsubscribeFrom(p.Email, lists[i%2].ID))
		}
	}
	before = b.asked("GET", "")
	found := leavers(t, d, *now)
	require.Len(t, found, 250)
	require.Equal(t, 2+1+1, b.asked("GET", "")-before, "a hundred a page")
	for _, r := range b.Requests() {
		require.False(t, r.Write && !strings.HasSuffix(r.Path, "/api/lists"), "%s %s", r.Method, r.Path)
	}
}

func TestLeaversOfAListThatIsGoneAreNone(t *testing.T) {
	b, now := clocked(t)
	d, people := b.open(t), b.people(simulator.Subscribed)
	lists := ensure(t, d, champions, atRisk)
	require.NoError(t, b.UnsubscribeFrom(people[0].Email, lists[0].ID))
	require.NoError(t, b.UnsubscribeFrom(people[1].Email, lists[1].ID))
	b.DeleteList(lists[0].ID)
	require.Len(t, leavers(t, d, now.Add(-time.Hour)), 1)
	require.Subset(t, leavers(t, d, time.Time{}), leavers(t, d, now.Add(-time.Hour)), "from the beginning")
	for _, r := range b.Requests() {
		require.NotContains(t, r.Path, "0001-01-01")
	}
}

func TestLeaversWithoutListsAreTheSuppressed(t *testing.T) {
	b, now := clocked(t)
	d, people := b.open(t, connectors.Settings{"mode": "attributes"}), b.people(simulator.Subscribed)
	ensure(t, d, champions)
	before := b.asked("GET", "")
	require.NoError(t, b.Unsubscribe(people[0].Email))
	require.Len(t, leavers(t, d, *now), 1)
	require.Equal(t, 1, b.asked("GET", "")-before)
}

// TestLeaversAgreeWithTheGate shows that nobody who is told of as having left would be let in again.
func TestLeaversAgreeWithTheGate(t *testing.T) {
	b, now := clocked(t)
	d, people := b.open(t), b.people(simulator.Subscribed)
	lists := ensure(t, d, champions, atRisk)
	for i, reason := range []string{"UNSUBSCRIBE", "HARD_BOUNCE", "INVALID_EMAIL", "SPAM_COMPLAINT", "USER_SUPPRESSED"} {
		require.NoError(t, b.Suppress(people[i].Email, reason))
	}
	require.NoError(t, b.UnsubscribeFrom(people[5].Email, lists[0].ID))
	found := leavers(t, d, *now)
	require.Len(t, found, 6)
	for _, p := range people[:7] {
		c := join(p, atRisk)
		c.Consent = commerce.ConsentSubscribed
		_, left := found[p.Email]
		require.Equal(t, left, apply(t, d, c)[p.ID].State == connectors.Withheld, p.Email)
	}
	require.Equal(t, []string{people[6].Email}, b.members(lists[1]))
}
