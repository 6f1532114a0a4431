package listmonk

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func TestListsAreFoundExactly(t *testing.T) {
	b := startBench(t)
	foreign := b.AddList("perennial: Champions", "single", "shop") // the same name without our tag
	similar := b.AddList("perennial: Champions League", "single", "perennial")
	renamed := b.AddList("Our darlings", "single", "perennial", "perennial:loyal")
	byName := b.AddList("perennial: At risk", "single", "perennial")
	twin := b.AddList("perennial: At risk", "single", "perennial")
	d := b.open(t)
	loyal := connectors.Audience{Key: "loyal", Name: "Loyal"}
	got := ensure(t, d, champions, atRisk, loyal)
	require.NotContains(t, []int{foreign, similar}, b.listID(got[0]), "a new list was due")
	require.Equal(t, byName, b.listID(got[1]), "the first of two with the same name")
	require.NotEqual(t, twin, b.listID(got[1]))
	require.Equal(t, renamed, b.listID(got[2]), "known by its tag")

	stale := champions
	stale.ID = strconv.Itoa(foreign)
	again := ensure(t, b.open(t), stale)
	require.Equal(t, got[0].ID, again[0].ID, "an id that now belongs to somebody else's list is not believed")
	gone := atRisk
	gone.ID = "99999"
	require.Equal(t, got[1].ID, ensure(t, b.open(t), gone)[0].ID)
}

func TestTagsAreLookedAtAgain(t *testing.T) {
	b := startBench(t)
	b.AddList("perennial: Champions", "single", "shop")
	before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
		query := r.URL.Query()
		query.Del("tag")
		r.URL.RawQuery = query.Encode()
		return false
	})
	ours := ensure(t, b.open(t), champions)[0]
	require.NotEqual(t, b.ListID("perennial: Champions"), b.listID(ours), "a list without our tag is not ours")
}

func TestBlindKeyMakesNoLists(t *testing.T) {
	b := startBench(t)
	b.Restrict(listmonktest.ListsGetAll)
	before := len(b.Lists())
	_, err := b.open(t).Ensure(t.Context(), []connectors.Audience{champions})
	require.Equal(t, connectors.KindCredentials, connectors.KindOf(err))
	require.ErrorContains(t, err, "no list is visible")
	require.Len(t, b.Lists(), before)
}

// TestAnotherPrefixIsRefused: under another prefix our own lists would look like somebody else's, so that being on them
// would pass for consent.
func TestAnotherPrefixIsRefused(t *testing.T) {
	b := startBench(t)
	list := ensure(t, b.open(t), champions)[0]
	renamed, err := factory(time.Millisecond).NewDestination(b.settings(), connectors.Deps{Prefix: "acme"})
	require.NoError(t, err)
	_, err = renamed.Ensure(t.Context(), []connectors.Audience{list})
	var e *connectors.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, connectors.KindPermanent, e.Kind)
	require.ErrorContains(t, err, `prefix "perennial"`)
	require.Contains(t, e.Remedy, "perennial purge")
	require.Zero(t, b.ListID("acme: Champions"), "nothing was made")

	stripped := champions
	stripped.ID = strconv.Itoa(b.AddList("Mine now", single))
	require.Equal(t, list.ID, ensure(t, b.open(t), stripped)[0].ID, "whoever takes our tags off a list takes the list")
	stripped.Key = atRisk.Key
	require.NotContains(t, []string{list.ID, stripped.ID}, ensure(t, b.open(t), stripped)[0].ID)
}

// TestRenamedAudienceKeepsItsList holds that a list follows the configuration by its id, with everybody on it, and that what
// was set in listmonk stays.
func TestRenamedAudienceKeepsItsList(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	list := ensure(t, d, champions)[0]
	apply(t, d, join(p, champions))
	list.Name = "Best of all"
	for range 2 {
		again := ensure(t, b.open(t), list)[0]
		require.Equal(t, list.ID, again.ID)
		require.Equal(t, b.listID(list), b.ListID("perennial: Best of all"))
		require.Equal(t, []string{p.Email}, b.members(list))
	}
	require.Equal(t, 1, b.asked("PUT", "/api/lists/"), "a name that stands is not written again")
	for _, l := range b.Lists() {
		if l.ID == b.listID(list) {
			require.Equal(t, listmonktest.Mailing{
				ID: l.ID, Name: "perennial: Best of all", Type: "private", Optin: single, Tags: []string{"perennial", "perennial:champions"},
			}, l)
		}
	}
	b.call(t, "PUT", "/api/lists/"+list.ID, map[string]any{"name": "Our darlings", "tags": []string{"perennial", "perennial:champions"}})
	list.Name = "Heroes"
	require.Equal(t, list.ID, ensure(t, b.open(t), list)[0].ID)
	require.Equal(t, b.listID(list), b.ListID("Our darlings"), "a name given in listmonk stays")

	unknown := connectors.Audience{Key: atRisk.Key, Name: atRisk.Key, ID: ensure(t, d, atRisk)[0].ID}
	unknown.ID = ""
	ensure(t, b.open(t), unknown)
	require.NotZero(t, b.ListID("perennial: At risk"), "without the id nothing is renamed")
}

func TestListDeletedMeanwhile(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	list := ensure(t, d, champions)[0]
	b.call(t, "DELETE", "/api/lists/"+list.ID, nil)
	result, err := d.Apply(t.Context(), []connectors.Change{join(p, champions)})
	require.Equal(t, connectors.KindRetry, connectors.KindOf(err), "%v", err)
	require.Empty(t, result.Outcomes)
	again := ensure(t, d, list)[0]
	require.NotEqual(t, list.ID, again.ID)
	require.Equal(t, connectors.Delivered, apply(t, d, join(p, champions)).State)
	require.Equal(t, []string{p.Email}, b.members(again))
}
