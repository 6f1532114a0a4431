package listmonk

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// leavers reads all pages of those who left since a moment, by address.
func leavers(t *testing.T, d *destination, since time.Time) map[string]connectors.Member {
	t.Helper()
	all := map[string]connectors.Member{}
	var cursor connectors.Cursor
	for range 50 {
		page, err := d.Leavers(t.Context(), since, cursor)
		require.NoError(t, err)
		for _, m := range page.Members {
			require.Equal(t, commerce.ConsentUnsubscribed, m.Consent.State)
			require.NotZero(t, numberIn(m.RemoteID))
			all[m.Email] = m
		}
		if page.Done {
			return all
		}
		require.NotEqual(t, cursor, page.Next)
		cursor = page.Next
	}
	require.Fail(t, "no end")
	return nil
}

func emailsOf(members map[string]connectors.Member) []string {
	emails := []string{}
	for email := range members {
		emails = append(emails, email)
	}
	return emails
}

// link presses the link of a mail to a list, for one click or never to be mailed again.
func (b *bench) link(t *testing.T, p connectors.Person, listID int, never bool) {
	t.Helper()
	campaign := b.call(t, "POST", "/api/campaigns", map[string]any{"name": "Hello", "lists": []int{listID}})
	who := b.call(t, "GET", fmt.Sprintf("/api/subscribers/%d", b.person(t, p.Email).ID), nil)
	form := url.Values{"blocklist": {fmt.Sprint(never)}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		fmt.Sprintf("%s/subscription/%s/%s", b.url, campaign["uuid"], who["uuid"]), strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
}

// TestLeaversAreFoundHoweverTheyLeft lets people leave in every way that there is, with and without the permission to ask.
func TestLeaversAreFoundHoweverTheyLeft(t *testing.T) {
	for _, sql := range []bool{true, false} {
		t.Run(fmt.Sprintf("SQL %v", sql), func(t *testing.T) {
			b := startBench(t)
			if !sql {
				b.Restrict(listmonktest.SubscribersSQL)
			}
			d, people := b.open(t), b.people(simulator.Subscribed)[:9]
			lists := ensure(t, d, champions, atRisk)
			for _, p := range people {
				require.Equal(t, connectors.Delivered, apply(t, d, join(p, champions, atRisk)).State)
			}
			letters := b.AddList("Letters", "single")
			require.NoError(t, b.Subscribe(people[5].Email, letters, confirmed))
			require.NoError(t, b.Subscribe(people[6].Email, letters, confirmed))
			b.link(t, people[8], b.listID(lists[0]), false) // long ago
			b.shop.Wait(48 * time.Hour)
			since := b.shop.Now()
			require.Empty(t, leaversSince(t, d, since, sql))
			b.shop.Wait(time.Hour)

			b.link(t, people[0], b.listID(lists[0]), false)                    // a list of ours
			b.link(t, people[1], b.listID(lists[1]), true)                     // never again: their record keeps its moment
			require.NoError(t, b.Blocklist(people[2].Email))                   // by an admin
			require.NoError(t, b.SetStatus(people[3].Email, "disabled"))       // by an admin
			require.NoError(t, b.Unsubscribe(people[4].Email, b.Newsletter())) // the list that was their consent
			require.NoError(t, b.Unsubscribe(people[5].Email, b.Newsletter())) // one of two: they are still there
			left := emailsOf(leavers(t, d, since))
			for i, p := range people[:8] {
				require.Equal(t, i < 5, contains(left, p.Email), "person %d", i)
			}
			if sql {
				require.Len(t, left, 5)
				require.Len(t, leavers(t, d, since.Add(-72*time.Hour)), 6)
			}
			require.Equal(t, !sql, b.asked("GET", "list_id=") > 0, "only a key without the permission reads all lists")
		})
	}
}

// leaversSince are those who left since a moment; without SQL the moment cannot be asked for, and those before come too.
func leaversSince(t *testing.T, d *destination, since time.Time, sql bool) []string {
	t.Helper()
	left := emailsOf(leavers(t, d, since))
	if !sql {
		require.Len(t, left, 1)
		return nil
	}
	return left
}

func contains(all []string, one string) bool {
	return strings.Contains(strings.Join(all, " ")+" ", one+" ")
}

// TestLeaversInPages holds that a walk in pages loses nobody and asks once for a thousand.
func TestLeaversInPages(t *testing.T) {
	for _, sql := range []bool{true, false} {
		b := startBench(t)
		if !sql {
			b.Restrict(listmonktest.SubscribersSQL)
		}
		d := b.open(t)
		lists := ensure(t, d, champions, atRisk)
		for i := range 2*membersPage + 5 {
			email := fmt.Sprintf("gone%d@example.com", i)
			require.NoError(t, b.Subscribe(email, b.listID(lists[i%2]), ""))
			require.NoError(t, b.Unsubscribe(email, b.listID(lists[i%2])))
		}
		before := len(b.Requests())
		require.Len(t, leavers(t, d, b.shop.Now().Add(-time.Hour)), 2*membersPage+5, "with SQL: %v", sql)
		if sql {
			require.Equal(t, 3, len(b.Requests())-before)
		}
	}
}

func TestQuietNightAsksOnceForLeavers(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	ensure(t, d, champions, atRisk)
	b.shop.Wait(time.Hour)
	before := len(b.Requests())
	require.Empty(t, leavers(t, d, b.shop.Now()))
	require.Equal(t, 1, len(b.Requests())-before)
}

func TestForeignCursorsOfLeaversAreRefused(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	ensure(t, d, champions)
	for _, cursor := range []connectors.Cursor{"x", "below:", "below:x", "list:x", "list:3:0", "list:3"} {
		_, err := d.Leavers(t.Context(), time.Time{}, cursor)
		require.ErrorContains(t, err, "cursor", string(cursor))
	}
}
