package mailchimp

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func TestAddressThatIsNotOnTheListBlocksNobody(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:6]
	var armed atomic.Bool
	before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/segments/") && armed.CompareAndSwap(true, false) {
			require.NoError(t, b.Delete(people[1].Email))
		}
		return false
	})
	d := b.open(t)
	list := ensure(t, d, champions)[0]
	armed.Store(true)
	outcomes := applyAll(t, d, joinAll(people, champions)...)
	for _, p := range people {
		if p.ID == people[1].ID {
			require.Equal(t, connectors.RetryLater, outcomes[p.ID].State)
			require.Contains(t, outcomes[p.ID].Reason, "not on the list")
			continue
		}
		require.Equal(t, connectors.Delivered, outcomes[p.ID].State)
	}
	require.Len(t, b.Mailed(tagID(list)), 5)
	require.Equal(t, connectors.ReasonNotThere, apply(t, d, join(people[1], champions)).Reason, "the next push sees it")
}

func TestContactDeletedWhileWePatchIsNotThere(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:3]
	before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch && strings.Contains(r.URL.Path, hash(people[0].Email)) {
			_ = b.Delete(people[0].Email)
		}
		return false
	})
	d := b.open(t)
	ensure(t, d, champions)
	outcomes := applyAll(t, d, joinAll(people, champions)...)
	require.Equal(t, connectors.Withheld, outcomes[people[0].ID].State)
	require.Equal(t, connectors.ReasonNotThere, outcomes[people[0].ID].Reason)
	require.Equal(t, connectors.Delivered, outcomes[people[1].ID].State)
}

// TestChangeRefusedAsAWholeIsHalved refuses any change of a tag that holds one address.
func TestChangeRefusedAsAWholeIsHalved(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:7]
	d := b.open(t, usual, connectors.Settings{"bulk_from": 1000})
	lists := ensure(t, d, champions, atRisk)
	applyAll(t, d, joinAll(people[:3], champions)...)
	refusing := &bench{Server: b.Server, shop: b.shop, bulk: 1000}
	before(t, refusing, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || !strings.Contains(r.URL.Path, "/segments/") {
			return false
		}
		body := peek(t, r)
		if !strings.Contains(body, people[2].Email) {
			return false
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"title":"Invalid Resource","status":400,"detail":"one of them is odd"}`))
		return true
	})
	d = refusing.open(t, usual, connectors.Settings{"bulk_from": 1000})
	ensure(t, d, lists...)
	var changes []connectors.Change
	for i, p := range people {
		c := join(p, atRisk)
		if i < 3 {
			c.Leave = []string{champions.Key}
		}
		changes = append(changes, c)
	}
	outcomes := applyAll(t, d, changes...)
	for i, p := range people {
		want := connectors.Delivered
		if i == 2 {
			want = connectors.Refused
		}
		require.Equal(t, want, outcomes[p.ID].State, "person %d: %s", i, outcomes[p.ID].Reason)
	}
	require.Len(t, b.Mailed(tagID(lists[1])), 6)
}

// TestChangeOfATagSentTwiceIsConfirmed loses the answer to a change: the second answer names nobody.
func TestChangeOfATagSentTwiceIsConfirmed(t *testing.T) {
	for _, crowd := range []int{3, fewPeople + 4} {
		b := startBench(t)
		people := b.crowdOf(crowd)
		d := b.open(t, usual)
		list := ensure(t, d, champions)[0]
		c := joinAll(people, champions)
		for i := range c {
			c[i].Attributes = nil
		}
		b.Fault(mailchimptest.Fault{Kind: simulator.LostAnswer, Times: 1, Writes: true})
		for _, o := range applyAll(t, d, c...) {
			require.Equal(t, connectors.Delivered, o.State, o.Reason)
		}
		require.Len(t, b.Mailed(tagID(list)), crowd)
		require.Equal(t, 2, b.count(http.MethodPost, "/segments/"))
	}
}

func TestTagsChangeTheirCase(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	list := ensure(t, d, champions)[0]
	b.RenameTag(tagID(list), "PERENNIAL: champions")
	require.Equal(t, list.ID, ensure(t, b.open(t), champions)[0].ID, "found by name")
	require.Equal(t, list.ID, ensure(t, d, list)[0].ID, "found by id")
	require.Equal(t, connectors.Delivered, apply(t, d, join(p, champions)).State)
	require.NoError(t, d.Remove(t.Context(), []connectors.Audience{list}))
	for _, tag := range b.Tags() {
		require.NotEqual(t, tagID(list), tag.ID)
	}
}

func TestNamesThatDifferInCaseOnlyAreRefused(t *testing.T) {
	b := startBench(t)
	_, err := b.open(t).Ensure(t.Context(), []connectors.Audience{champions, {Key: "other", Name: "champions"}})
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	require.ErrorContains(t, err, "champions")
	require.Contains(t, connectors.Remedy(err), "another name")
}

func TestTagsThatSomebodyTookOrDeleted(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	list := ensure(t, d, champions)[0]
	b.RenameTag(tagID(list), "Summer sale")
	again := ensure(t, b.open(t), list)[0]
	require.NotEqual(t, list.ID, again.ID, "who takes our prefix off a tag takes the tag")
	require.ErrorContains(t, d.Remove(t.Context(), []connectors.Audience{list}), "left alone")

	ensure(t, d, again)
	b.RenameTag(tagID(again), "")
	result, err := d.Apply(t.Context(), []connectors.Change{join(p, champions)})
	require.Equal(t, connectors.KindRetry, connectors.KindOf(err), "%v", err)
	require.Empty(t, result.Outcomes)
	anew := ensure(t, d, again)[0]
	require.NotEqual(t, again.ID, anew.ID)
	require.Equal(t, connectors.Delivered, apply(t, d, join(p, champions)).State)
}

func TestSavedSearchWithOurNameIsNotOurs(t *testing.T) {
	b := startBench(t)
	a := connectors.Audience{Key: "lookalikes", Name: "lookalikes"}
	saved := b.Tags()[1]
	require.Equal(t, "saved", saved.Type)
	before := b.state().Foreign
	a.ID = strconv.Itoa(saved.ID)
	require.ErrorContains(t, b.open(t).Remove(t.Context(), []connectors.Audience{a}), "left alone")
	require.Equal(t, before, b.state().Foreign)
	_, err := b.open(t).Ensure(t.Context(), []connectors.Audience{{Key: "lookalikes", Name: "lookalikes"}})
	require.ErrorContains(t, err, "audience lookalikes")
	require.ErrorContains(t, err, "already exists")
	require.Contains(t, connectors.Remedy(err), "another name")
}

func TestAnotherPrefixIsRefused(t *testing.T) {
	b := startBench(t)
	list := ensure(t, b.open(t), champions)[0]
	renamed, err := factory(quick).NewDestination(b.settings(), connectors.Deps{Prefix: "acme"})
	require.NoError(t, err)
	tags := len(b.Tags())
	_, err = renamed.Ensure(t.Context(), []connectors.Audience{list})
	require.ErrorContains(t, err, `prefix "perennial"`)
	require.Contains(t, connectors.Remedy(err), "perennial purge")
	require.Len(t, b.Tags(), tags, "nothing was made")
}

func TestWithheldPeopleLeaveEveryTagOfOurs(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[1]
	lists := ensure(t, d, champions, atRisk)
	foreign := b.AddTag("theirs")
	apply(t, d, join(p, champions, atRisk))
	c := join(p, champions)
	c.Consent = commerce.ConsentUnsubscribed // in the shop
	require.Equal(t, connectors.ReasonUnsubscribed, apply(t, d, c).Reason)
	require.NotContains(t, b.contact(t, p.Email).Tags, tagID(lists[0]))
	require.NotContains(t, b.contact(t, p.Email).Tags, tagID(lists[1]))
	require.Equal(t, subscribed, b.contact(t, p.Email).Status, "the status is theirs")

	for _, tag := range append(lists, connectors.Audience{ID: strconv.Itoa(foreign)}) {
		require.NoError(t, b.Tag(p.Email, tagID(tag)))
	}
	later := b.open(t)
	ensure(t, later, champions) // the other audience is given up
	require.Equal(t, connectors.ReasonUnsubscribed, apply(t, later, c).Reason)
	require.NotContains(t, b.contact(t, p.Email).Tags, tagID(lists[1]), "out of tags of audiences that are no more")
	require.Contains(t, b.contact(t, p.Email).Tags, foreign)
}

func TestReadBack(t *testing.T) {
	b := startBench(t)
	people := b.crowdOf(1100)
	d := b.open(t, usual)
	list := ensure(t, d, champions, atRisk)[0]
	applyAll(t, d, joinAll(people, champions)...)
	require.NoError(t, b.SetStatus(people[0].Email, unsubscribed))
	require.NoError(t, b.SetStatus(people[1].Email, cleaned))
	require.NoError(t, b.SetStatus(people[2].Email, archived))
	require.NoError(t, b.SetStatus(people[3].Email, transactional))
	require.NoError(t, b.Untag(people[4].Email, tagID(list)))
	b.Add("", subscribed) // known by a telephone only
	require.NoError(t, b.Tag("", tagID(list)))
	tagged := read(t, func(c connectors.Cursor) (connectors.MemberPage, error) { return d.Members(t.Context(), list, c) })
	require.Len(t, tagged, 1098, "but for the archived and the untagged")
	require.Equal(t, commerce.ConsentUnsubscribed, tagged[people[0].Email].Consent.State)
	require.Equal(t, commerce.ConsentUnsubscribed, tagged[people[1].Email].Consent.State)
	require.NotContains(t, tagged, people[2].Email)
	require.Equal(t, commerce.ConsentUnknown, tagged[people[3].Email].Consent.State)
	require.Equal(t, commerce.ConsentSubscribed, tagged[people[5].Email].Consent.State)
	require.Equal(t, map[string]string{"rfm": "545"}, tagged[people[5].Email].Attributes)
	require.NotContains(t, tagged, people[4].Email, "somebody took our tag off by hand")
	require.Equal(t, connectors.Delivered, apply(t, d, join(people[4], champions)).State, "and it is mended")
	_, err := d.Members(t.Context(), champions, "")
	require.ErrorContains(t, err, "no tag id")
	_, err = d.Members(t.Context(), list, "x")
	require.ErrorContains(t, err, "cursor")
}

func read(t *testing.T, page func(connectors.Cursor) (connectors.MemberPage, error)) map[string]connectors.Member {
	t.Helper()
	all := map[string]connectors.Member{}
	var cursor connectors.Cursor
	for {
		p, err := page(cursor)
		require.NoError(t, err)
		for _, m := range p.Members {
			all[m.Email] = m
		}
		if p.Done {
			return all
		}
		cursor = p.Next
	}
}

// TestContactsThatVanishWhileWeWalk deletes somebody between the first page and the second, so that another one slips from
// the second to the first and is seen by neither.
func TestContactsThatVanishWhileWeWalk(t *testing.T) {
	b := startBench(t)
	people := b.crowdOf(1100)
	var done atomic.Bool
	before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.RawQuery, "offset=1000") && done.CompareAndSwap(false, true) {
			require.NoError(t, b.Delete(people[0].Email))
		}
		return false
	})
	d := b.open(t, usual)
	ensure(t, d, champions)
	states := map[connectors.OutcomeState]int{}
	for _, o := range applyAll(t, d, joinAll(people[1:], champions)...) {
		states[o.State]++
	}
	require.Equal(t, map[connectors.OutcomeState]int{connectors.Delivered: 1099}, states)
}

// TestFewPeopleOfALargeAudience are looked up by themselves, once that takes fewer requests than a walk.
func TestFewPeopleOfALargeAudience(t *testing.T) {
	b := startBench(t, unjudged)
	people := b.crowdOf(11_000)
	d := b.open(t, usual)
	ensure(t, d, champions)
	few := people[len(people)-fewPeople-1:]
	for _, o := range applyAll(t, d, joinAll(few, champions)...) {
		require.Equal(t, connectors.Delivered, o.State)
	}
	require.Equal(t, 1, b.count(http.MethodGet, "/members?"))
	require.Equal(t, len(few), b.count(http.MethodGet, "/members/"))
	require.LessOrEqual(t, b.Connections(), usualConnections)
}

// TestTagsBeyondFiftyAreSeen: Mailchimp shows 50 tags with a contact, and ours may be the fifty-first.
func TestTagsBeyondFiftyAreSeen(t *testing.T) {
	for _, crowd := range []int{0, fewPeople + 2} { // looked up one by one, and by a walk
		b := startBench(t)
		p := b.people(simulator.Subscribed)[0]
		for i := range mailchimptest.MostTags + 5 {
			require.NoError(t, b.Tag(p.Email, b.AddTag(fmt.Sprint("theirs ", i))))
		}
		d := b.openEnsured(t)
		list := ensure(t, d, champions)[0]
		others := joinAll(b.crowdOf(crowd), champions)
		push := func(c connectors.Change) connectors.Outcome { return applyAll(t, d, append(others, c)...)[p.ID] }
		require.Equal(t, connectors.Delivered, push(join(p, champions)).State)
		require.Contains(t, b.Mailed(tagID(list)), p.Email)
		require.Equal(t, connectors.Unchanged, push(join(p, champions)).State)
		require.Equal(t, connectors.Delivered, push(connectors.Change{Person: p, Leave: []string{champions.Key}, Drop: []string{"rfm"}}).State)
		require.NotContains(t, b.Mailed(tagID(list)), p.Email, "a tag that is not shown is taken off all the same")

		push(join(p, champions))
		var armed atomic.Bool
		before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPatch && armed.CompareAndSwap(false, true) {
				require.NoError(t, b.SetStatus(p.Email, unsubscribed))
			}
			return false
		})
		d = b.openEnsured(t)
		require.Equal(t, connectors.ReasonUnsubscribed, push(with(join(p, champions), "rfm", "111")).Reason)
		require.True(t, armed.Load())
		require.NotContains(t, b.contact(t, p.Email).Tags, tagID(list), "who leaves while we write is out of it too")
	}
}
