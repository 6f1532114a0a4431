package mailchimp

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func (d *destination) leaversSince(t *testing.T, since time.Time) map[string]connectors.Member {
	return read(t, func(c connectors.Cursor) (connectors.MemberPage, error) { return d.Leavers(t.Context(), since, c) })
}

// TestLeaversAreThoseWhoUnsubscribedOrWereCleanedSince asks in every mode, at a day and in another time zone.
func TestLeaversAreThoseWhoUnsubscribedOrWereCleanedSince(t *testing.T) {
	for _, mode := range []connectors.Settings{nil, onlyAttributes, onlyLists} {
		var ahead atomic.Int64
		b := startBench(t, func(o *mailchimptest.Options) {
			start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
			o.Now = func() time.Time { return start.Add(time.Duration(ahead.Load())) }
		})
		people := b.people(simulator.Subscribed)[:6]
		require.NoError(t, b.SetStatus(people[0].Email, unsubscribed))
		require.NoError(t, b.SetStatus(people[1].Email, cleaned))
		ahead.Store(int64(4 * time.Hour))
		since := time.Date(2026, 11, 20, 7, 0, 0, 0, time.FixedZone("", -9*3600)) // four hours after noon in UTC
		require.NoError(t, b.SetStatus(people[2].Email, unsubscribed))
		require.NoError(t, b.SetStatus(people[3].Email, cleaned))
		require.NoError(t, b.SetStatus(people[4].Email, archived))
		require.NoError(t, b.SetField(people[5].Email, "FNAME", "New"))
		d := b.open(t, mode)
		found := d.leaversSince(t, since)
		require.Len(t, found, 2, "archiving is the owner's, and no word of the person")
		for _, p := range people[2:4] {
			require.Equal(t, commerce.ConsentUnsubscribed, found[p.Email].Consent.State)
			require.Equal(t, since.UTC(), found[p.Email].Consent.At)
			require.Equal(t, hash(p.Email), found[p.Email].RemoteID)
		}
		require.Equal(t, 3, b.count(http.MethodGet, "/members?"), "three requests where few left")
		all := d.leaversSince(t, time.Time{})
		require.Contains(t, all, people[0].Email, "with no moment, everybody who ever left")
		require.Contains(t, all, people[1].Email)
		for email, m := range all {
			require.Contains(t, []string{unsubscribed, cleaned}, b.contact(t, email).Status)
			require.Equal(t, commerce.ConsentUnsubscribed, m.Consent.State)
		}
		require.NoError(t, b.SetStatus(people[2].Email, subscribed)) // they sign up again themselves
		require.NotContains(t, d.leaversSince(t, since), people[2].Email)
	}
}

// TestManyLeaversAreAllSeen lets some of the first page come back while the second is asked for, which moves the rest.
func TestManyLeaversAreAllSeen(t *testing.T) {
	b := startBench(t)
	since := b.shop.Now()
	people := b.crowdOf(2300)
	for _, p := range people {
		require.NoError(t, b.SetStatus(p.Email, unsubscribed))
	}
	var armed atomic.Bool
	before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.RawQuery, "offset=900") && armed.CompareAndSwap(false, true) {
			for _, p := range people[:60] {
				require.NoError(t, b.SetStatus(p.Email, subscribed))
			}
		}
		return false
	})
	found := b.open(t).leaversSince(t, since)
	for _, p := range people[60:] {
		require.Contains(t, found, p.Email)
	}
	require.True(t, armed.Load())
	for _, cursor := range []connectors.Cursor{"x", "3:0", "0:-1", "-1:0", "1"} {
		_, err := b.open(t).Leavers(t.Context(), since, cursor)
		require.ErrorContains(t, err, "cursor", cursor)
	}
}
