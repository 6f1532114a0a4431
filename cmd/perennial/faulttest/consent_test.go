package faulttest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
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
