package faulttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// addCards gives the shop a second e-mail platform, which is pushed to after the first.
func (w *world) addCards() *listmonktest.Server {
	w.t.Helper()
	cards := listmonktest.New(w.shop, listmonktest.Options{Token: canaryToken})
	text, err := os.ReadFile(w.config())
	require.NoError(w.t, err)
	more := fmt.Sprintf("\n[[stores.destinations]]\nname = \"cards\"\nkind = \"listmonk\"\n[stores.destinations.settings]\n"+
		"url = %q\nusername = \"perennial\"\ntoken_env = \"FAULTTEST_TOKEN\"\n", serve(w.t, cards))
	require.NoError(w.t, os.WriteFile(w.config(), append(text, more...), 0o600))
	return cards
}

// ours are the lists of ours on which somebody is and has not left.
func ours(server *listmonktest.Server, email string) []string {
	names := map[int]string{}
	for _, l := range server.Lists() {
		if slices.Contains(l.Tags, "perennial") {
			names[l.ID] = l.Name
		}
	}
	for _, p := range server.People() {
		if p.Email == email {
			maps.DeleteFunc(names, func(id int, _ string) bool { return p.Lists[id] == "" || p.Lists[id] == "unsubscribed" })
			return slices.Sorted(maps.Values(names))
		}
	}
	return nil
}

// TestUnsubscribedAtOnePlatformIsOutOfAllInTheSameNight: every platform is asked before anything is sent to any, also where
// only one of them is pushed to.
func TestUnsubscribedAtOnePlatformIsOutOfAllInTheSameNight(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 21)
	cards := w.addCards()
	w.night()
	var people []string
	for _, p := range cards.People() {
		if len(ours(cards, p.Email)) > 0 && len(ours(w.mail, p.Email)) > 0 {
			people = append(people, p.Email)
		}
	}
	require.Greater(t, len(people), 3)
	leave := func(email string) {
		for _, l := range cards.Lists() {
			if slices.Contains(ours(cards, email), l.Name) && strings.HasPrefix(l.Name, "perennial: ") {
				require.NoError(t, cards.Unsubscribe(email, l.ID))
				return
			}
		}
	}
	leave(people[0])
	w.must("push", "--quiet")
	require.Empty(t, ours(w.mail, people[0]))
	require.Empty(t, ours(cards, people[0]))

	leave(people[1])
	w.must("push", "--quiet", "--to", "listmonk")
	require.Empty(t, ours(w.mail, people[1]))
	require.NotEmpty(t, ours(w.mail, people[2]))

	cards.Revoke()
	leave(people[2])
	_, errs, code := w.run("push", "--quiet")
	require.NotZero(t, code)
	require.Contains(t, errs, "cards")
	out := w.must("push", "--to", "listmonk")
	require.Contains(t, out, "cards: could not be asked who unsubscribed")
}

// TestForgetGoesOnWhereItStopped revokes a key in the middle: the others are done, the receipt says what is missing, and the same
// command does the rest. A third time is harmless. The receipt tells nothing of the person.
func TestForgetGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 22)
	cards := w.addCards()
	w.night()
	row := w.query(`SELECT p.email, p.customer_id FROM deliveries d JOIN persons p USING (store_id, person_id)
		WHERE d.destination = 'cards' AND d.state = 'delivered' AND p.customer_id <> '' ORDER BY 1 LIMIT 1`)[0]
	email, number, _ := strings.Cut(row, "|")
	file := filepath.Join(w.dir, "receipt")
	demand := []string{"forget", email, "--receipt", file + ".json"}
	read := func() (report.Receipt, string) {
		var r report.Receipt
		machines, err := os.ReadFile(file + ".json")
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(machines, &r))
		people, err := os.ReadFile(file + ".txt")
		require.NoError(t, err)
		for _, text := range []string{string(machines), string(people)} {
			require.NotContains(t, text, email)
			require.NotRegexp(t, `(account|subscriber) `+number+`\b`, text)
		}
		return r, string(people)
	}
	fates := func(r report.Receipt) map[string]report.Fate {
		found := map[string]report.Fate{}
		for _, place := range r.Shops[0].Places {
			found[place.Destination] = place.Outcome
		}
		return found
	}

	cards.Fault(listmonktest.Fault{Kind: simulator.ServerError, Times: 1000})
	_, errs, code := w.run(demand...)
	require.NotZero(t, code)
	require.Contains(t, errs, "the database still knows the person")
	r, people := read()
	require.False(t, r.Complete)
	require.Equal(t, map[string]report.Fate{"shop": report.ErasedThere, "listmonk": report.ErasedThere, "cards": report.NotReached}, fates(r))
	require.Contains(t, people, "cards (listmonk): NOT DONE")
	require.NotEmpty(t, w.contains(email))
	require.Empty(t, ours(w.mail, email))
	w.must("push", "--to", "listmonk")
	require.Empty(t, ours(w.mail, email), "a night between two tries brings nobody back")

	cards.Fault(listmonktest.Fault{})
	w.must(demand...)
	whole, _ := read()
	require.True(t, whole.Complete)
	require.Equal(t, map[string]report.Fate{"shop": report.ErasedThere, "listmonk": report.ErasedThere, "cards": report.ErasedThere}, fates(whole))
	require.Equal(t, 1, whole.Shops[0].Database.Accounts)
	require.Empty(t, w.contains(email))
	require.Empty(t, ours(cards, email))

	w.must(demand...)
	again, _ := read()
	require.Equal(t, whole.Shops[0].Database, again.Shops[0].Database)
	require.Equal(t, fates(whole), fates(again))
	_, errs, code = w.run("forget", "somebody@else.example", "--receipt", file)
	require.NotZero(t, code)
	require.Contains(t, errs, "something else than a receipt for this address")
}
