package brevo

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func TestListsAreFoundInOurFolderOnly(t *testing.T) {
	b := startBench(t)
	b.AddList("perennial: Champions") // somebody else's, in another folder
	d := b.open(t, nil)
	first := ensure(t, d, champions, atRisk)
	require.Equal(t, "perennial", b.Lists()[2].Folder)
	b.RenameList(idOf(first[0]), "Our best customers")
	require.Equal(t, first, ensure(t, b.open(t, nil), first...), "a list that was renamed keeps its id")
	same := connectors.Audience{Key: "other", Name: "At risk"}
	two := ensure(t, b.open(t, nil), first[1], same)
	require.NotEqual(t, two[0].ID, two[1].ID, "two audiences of one name have two lists")
}

func TestAListDeletedInBrevoIsMadeAnew(t *testing.T) {
	for _, c := range []func(connectors.Change) connectors.Change{
		func(c connectors.Change) connectors.Change { return c },
		func(c connectors.Change) connectors.Change { c.Attributes = nil; return c },
	} {
		for _, importFrom := range []int{0, 1} {
			b := startBench(t)
			d, p := b.open(t, connectors.Settings{"import_from": importFrom}), b.people(simulator.Subscribed)[0]
			list := ensure(t, d, champions)[0]
			b.DropList(idOf(list))
			_, err := d.Apply(t.Context(), []connectors.Change{c(join(p, champions))})
			require.Equal(t, connectors.KindRetry, connectors.KindOf(err), "%v", err)
			require.ErrorContains(t, err, "deleted")
			again := ensure(t, d, list)[0]
			require.NotEqual(t, list.ID, again.ID)
			require.Equal(t, connectors.Delivered, one(t, d, c(join(p, champions))).State)
			require.Contains(t, b.members(again), p.Email)
		}
	}
}

// onlyLists is a change that touches no attribute.
func onlyLists(changes []connectors.Change) []connectors.Change {
	for i := range changes {
		changes[i].Attributes = nil
	}
	return changes
}

func TestListChangesHoldAHundredAndFiftyPeople(t *testing.T) {
	b := startBench(t)
	d := b.open(t, connectors.Settings{"batch": 150})
	list := ensure(t, d, champions)[0]
	changes := onlyLists(joinAll(b.crowd(301), champions))
	since := len(b.Requests())
	for _, o := range apply(t, d, changes...) {
		require.Equal(t, connectors.Delivered, o.State)
	}
	require.Len(t, b.members(list), 301)
	require.Equal(t, 3, count(b.asked(since), fmt.Sprintf("POST /contacts/lists/%s/contacts/add", list.ID)))
	for i := range changes {
		changes[i].Audiences, changes[i].Leave = nil, []string{"champions"}
	}
	since = len(b.Requests())
	apply(t, d, changes...)
	require.Empty(t, b.members(list))
	require.Equal(t, 3, count(b.asked(since), fmt.Sprintf("POST /contacts/lists/%s/contacts/remove", list.ID)))
}

// TestAFailureToMoveIsLookedAtAgain: Brevo calls it a failure when somebody is on the list already, as after an answer that
// got lost, and when somebody does not exist, and does not say which.
func TestAFailureToMoveIsLookedAtAgain(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t, nil), b.people(simulator.Subscribed)[:3]
	list := ensure(t, d, champions)[0]
	b.Fault(brevotest.Fault{Kind: simulator.LostAnswer, Times: 1, Writes: true})
	for _, o := range apply(t, d, onlyLists(joinAll(people, champions))...) {
		require.Equal(t, connectors.Delivered, o.State, "%+v", o)
	}
	require.Len(t, b.members(list), 3)
	failures := 0
	for _, r := range b.Requests() {
		if r.Status == 400 && strings.HasSuffix(r.Path, "/add") {
			failures++
		}
	}
	require.Equal(t, 1, failures, "the repeated request was refused as a whole")
}

// TestAListIsNotMadeTwice: a list whose making was not confirmed is looked for, and not made again.
func TestAListIsNotMadeTwice(t *testing.T) {
	b := startBench(t)
	d := b.open(t, nil)
	b.Fault(brevotest.Fault{Kind: simulator.LostAnswer, Times: 2, Writes: true})
	for range 2 {
		_, err := d.Ensure(t.Context(), []connectors.Audience{champions})
		require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
	}
	ensure(t, d, champions)
	require.Len(t, b.Lists(), 2)
}

func TestTheFolderGoesWithTheLastList(t *testing.T) {
	b := startBench(t)
	d := b.open(t, nil)
	lists := ensure(t, d, champions, atRisk)
	require.NoError(t, d.Remove(t.Context(), lists[:1]))
	require.Len(t, b.Lists(), 2)
	require.NoError(t, d.Remove(t.Context(), lists))
	require.Equal(t, 1, count(b.asked(0), "DELETE /contacts/folders/"+fmt.Sprint(folderOf(b))), "an empty folder is deleted, with nothing in it")
	require.Len(t, b.Lists(), 1)
}

// folderOf returns the id of the folder that was made.
func folderOf(b *bench) int64 {
	for _, r := range b.Requests() {
		if id, ok := strings.CutPrefix(r.Path, "/v3/contacts/folders/"); ok && r.Method == "GET" {
			id, _, _ = strings.Cut(id, "/")
			return idOf(connectors.Audience{ID: id})
		}
	}
	return 0
}

// TestALookUpSkipsNobodyWhenSomebodyIsDeleted walks through an account of twenty pages, several at a time, in which people
// are deleted on the way.
func TestALookUpSkipsNobodyWhenSomebodyIsDeleted(t *testing.T) {
	b := startBench(t, func(o *brevotest.Options) { o.Validate = nil }) // which takes long for so many
	people := b.crowd(20_000)
	var deleted atomic.Int64
	tune := hurry
	tune.transport = cut(func(_ *http.Request) bool {
		if i := deleted.Add(1); i > 3 && i < 30 {
			_ = b.Delete(people[i].Email)
		}
		return false
	})
	made, err := factory(tune).NewDestination(b.set, connectors.Deps{})
	require.NoError(t, err)
	var emails []string
	for _, p := range people[100:] {
		emails = append(emails, p.Email)
	}
	found, begin, err := made.(*destination).lookUp(t.Context(), emails)
	require.NoError(t, err)
	require.Len(t, found, len(emails))
	require.WithinDuration(t, time.Now(), begin, time.Minute)
	require.Greater(t, deleted.Load(), int64(22), "with steps back")
	for _, a := range b.asked(0) {
		require.Equal(t, "GET /contacts", a)
	}
}

// TestAWalkSkipsNobodyWhenSomebodyIsDeleted deletes people who were read already, so that those behind move forward.
func TestAWalkSkipsNobodyWhenSomebodyIsDeleted(t *testing.T) {
	b := startBench(t)
	people := b.crowd(1200)
	d := b.open(t, connectors.Settings{"batch": 150})
	list := ensure(t, d, champions)[0]
	apply(t, d, onlyLists(joinAll(people, champions))...)
	seen := map[string]bool{}
	var cursor connectors.Cursor
	for i := 0; ; i++ {
		page, err := d.Members(t.Context(), list, cursor)
		require.NoError(t, err)
		for _, m := range page.Members {
			seen[m.Email] = true
		}
		if page.Done {
			break
		}
		require.NotEqual(t, cursor, page.Next)
		if cursor = page.Next; i < 20 {
			require.NoError(t, b.Delete(people[i].Email))
		}
	}
	for _, p := range people[20:] {
		require.True(t, seen[p.Email], p.Email)
	}
}
