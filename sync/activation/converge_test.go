package activation_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/activation"
)

var errLost = &connectors.Error{Kind: connectors.KindRetry, Op: "subscribers", Err: errors.New("connection lost")}

// world is a shop and a platform to which random things happen.
type world struct {
	*shop
	p        *platform
	people   []int64
	segments []string
	stages   []string
	known    []bool          // whether the stage is
	unsaid   map[string]bool // addresses that unsubscribed, known to the ledger or not
}

var names = []string{"ann", "bob", "cid", "dee", "eve"}

func address(i int) string { return names[i] + "@example.com" }

func newWorld(base *shop, run int) *world {
	w := &world{shop: base.open(fmt.Sprintf("world-%d", run)), p: newPlatform(), unsaid: map[string]bool{}}
	for i := range names {
		w.people = append(w.people, w.person("", address(i)))
		w.segments, w.stages = append(w.segments, ""), append(w.stages, "")
		w.known = append(w.known, false)
		if i < 4 { // the last one is not at the platform
			w.p.people[address(i)] = newPlatform(address(i)).people[address(i)]
		}
	}
	return w
}

func (w *world) target() activation.Target {
	target := confirmed(list(), "champions", "lost", "lifecycle_active", "lifecycle_prospect")
	for _, key := range []string{"lifecycle_active", "lifecycle_prospect"} {
		target.Audiences = append(target.Audiences, connectors.Audience{Key: key, Name: key})
	}
	target.Attributes = append(target.Attributes, "lifecycle", "predicted_value")
	return target
}

// step is one thing that happens: in the shop, at the platform by somebody else, or a push that fails half-way.
func (w *world) step(t *rapid.T) {
	i := rapid.IntRange(0, len(names)-1).Draw(t, "who")
	who := w.p.people[address(i)]
	switch kind := rapid.SampledFrom([]string{
		"move", "move", "move", "stage", "stage", "unsubscribe", "tag removed", "attribute changed", "foreign tag", "failing push", "failing push", "push",
	}).Draw(t, "step"); {
	case kind == "move":
		w.segments[i] = rapid.SampledFrom([]string{"", "champions", "lost", "loyal"}).Draw(t, "segment")
		w.place(w.people[i], w.segments[i])
	case kind == "stage":
		w.stages[i] = rapid.SampledFrom([]string{"prospect", "active", "lapsed"}).Draw(t, "stage")
		w.known[i] = true
		w.exec(`INSERT INTO standings (store_id, person_id, stage, value) VALUES ($1, $2, $3, CASE $3 WHEN 'active' THEN 120 END)
			ON CONFLICT (store_id, person_id) DO UPDATE SET stage = excluded.stage, value = excluded.value`, w.people[i], w.stages[i])
	case kind == "failing push":
		accepted := rapid.IntRange(0, 5).Draw(t, "accepted")
		w.p.script = func(_ int, changes []connectors.Change) (int, error) {
			return min(accepted, len(changes)), errLost
		}
		_, _ = activation.Push(context.Background(), w.options(w.p, w.target()))
		w.p.script = nil
	case kind == "push":
		refusals := rapid.IntRange(0, 5).Draw(t, "answered")
		w.p.script = func(_ int, changes []connectors.Change) (int, error) { return min(refusals, len(changes)), nil }
		_, err := activation.Push(context.Background(), w.options(w.p, w.target()))
		require.NoError(t, err)
		w.p.script = nil
	case who == nil:
	case kind == "unsubscribe":
		for _, key := range w.p.ours(address(i)) {
			who.out[key] = true
			w.unsaid[address(i)] = true
		}
	case kind == "tag removed":
		delete(who.in, "champions")
	case kind == "attribute changed":
		for key := range who.attributes {
			if len(w.p.ours(address(i))) > 0 {
				who.attributes[key] = "111"
			}
		}
	case kind == "foreign tag":
		who.in["newsletter"] = !who.in["newsletter"]
	}
}

// settle lets a read-back and a push without faults follow.
func (w *world) settle(t require.TestingT) {
	w.now = w.now.Add(8 * 24 * time.Hour) // whoever was withheld is offered again
	_, err := activation.ReadBack(context.Background(), w.options(w.p, w.target()))
	require.NoError(t, err)
	_, err = activation.Push(context.Background(), w.options(w.p, w.target()))
	require.NoError(t, err)
}

// check holds the platform against what is desired.
func (w *world) check(t require.TestingT) {
	for i := range 4 {
		who, segment := w.p.people[address(i)], w.segments[i]
		if len(who.out) > 0 {
			require.Empty(t, w.p.ours(address(i)), "%s unsubscribed", address(i))
			require.Empty(t, who.attributes)
			continue
		}
		var want []string
		if segment == "champions" || segment == "lost" {
			want = []string{segment}
		}
		if stage := w.stages[i]; w.known[i] && stage != "lapsed" {
			want = append(want, "lifecycle_"+stage)
			slices.Sort(want)
		}
		require.Equal(t, want, w.p.ours(address(i)), address(i))
		require.Equal(t, segment, who.attributes["segment"], address(i))
		if segment != "" {
			require.Equal(t, "543", who.attributes["rfm"], address(i))
		}
		stage, value := "", ""
		if w.known[i] && (segment != "" || w.stages[i] != "lapsed") {
			stage, value = w.stages[i], map[string]string{"active": "120.00"}[w.stages[i]]
		}
		require.Equal(t, []string{stage, value}, []string{who.attributes["lifecycle"], who.attributes["predicted_value"]}, address(i))
		require.Equal(t, map[string]string{"colour": "green"}, who.foreign)
	}
}

// TestPushesConvergeWhateverHappens also holds that consent never rises and that a second run sends nothing.
func TestPushesConvergeWhateverHappens(t *testing.T) {
	base := newShop(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		w := newWorld(base, run)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			w.step(t)
		}
		newsletter := map[string]bool{}
		for a, who := range w.p.people {
			newsletter[a] = who.in["newsletter"]
		}
		w.settle(t)
		w.check(t)
		for a, who := range w.p.people {
			require.Equal(t, newsletter[a], who.in["newsletter"], "tags of others stay as they were")
		}
		calls := w.p.calls
		_, err := activation.Push(context.Background(), w.options(w.p, w.target()))
		require.NoError(t, err)
		require.Equal(t, calls, w.p.calls, "nothing differs, nothing is sent")
		drift, err := activation.ReadBack(context.Background(), w.options(w.p, w.target()))
		require.NoError(t, err)
		require.Zero(t, drift.Lost+drift.Changed+drift.Unsubscribed)

		purged, err := activation.Purge(context.Background(), w.options(w.p, w.target()))
		require.NoError(t, err)
		require.Zero(t, purged.Left)
		for a, who := range w.p.people {
			require.Empty(t, w.p.ours(a))
			require.Empty(t, who.attributes)
			require.Equal(t, newsletter[a], who.in["newsletter"])
		}
		require.Empty(t, w.p.made)
		require.Zero(t, w.count(`SELECT count(*) FROM deliveries WHERE store_id = $1 AND (audiences <> '{}' OR attributes <> '{}'
			OR hash IS NOT NULL OR tried_hash IS NOT NULL OR told IS NOT NULL)`), "but for whom the platform had")
	})
}

func TestNobodyKnownAsUnsubscribedIsEverOffered(t *testing.T) {
	base := newShop(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		w := newWorld(base, run)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			w.step(t)
			if rapid.Bool().Draw(t, "read back") {
				_, err := activation.ReadBack(context.Background(), w.options(w.p, w.target()))
				require.NoError(t, err)
			}
			known := map[int64]bool{}
			for i, person := range w.people {
				known[person] = w.count(`SELECT count(*) FROM suppressions WHERE store_id = $1 AND person_id = $2`, w.people[i]) > 0
			}
			w.p.seen = nil
			_, err := activation.Push(context.Background(), w.options(w.p, w.target()))
			require.NoError(t, err)
			for _, c := range w.p.seen {
				if known[c.Person.ID] {
					require.Empty(t, c.Audiences)
					require.Empty(t, c.Attributes)
				}
				require.NotEqual(t, commerce.ConsentSubscribed, c.Consent, "the shop said nothing of the kind")
			}
		}
	})
}

// rolled is a platform that reads everybody back in one walk, two a page.
type rolled struct {
	*platform
	walked int
}

func (r *rolled) Everybody(_ context.Context, cursor connectors.Cursor) (connectors.MemberPage, error) {
	r.walked++
	addresses := slices.Sorted(maps.Keys(r.people))
	at := len(cursor)
	page := connectors.MemberPage{Next: cursor + "..", Done: at+2 >= len(addresses)}
	for _, a := range addresses[at:min(at+2, len(addresses))] {
		page.Members = append(page.Members, connectors.Member{
			CustomerID: a, Email: a, Attributes: r.people[a].attributes, Audiences: r.ours(a),
		})
	}
	return page, nil
}

func (r *rolled) Members(context.Context, connectors.Audience, connectors.Cursor) (connectors.MemberPage, error) {
	return connectors.MemberPage{}, errors.New("one walk is enough")
}

func TestReadBackOfARollWalksOnce(t *testing.T) {
	s, p := newShop(t), newPlatform("1", "2", "3", "4", "5")
	p.byAccount = true
	for i, segment := range []string{"champions", "lost", "champions", "lost", "champions"} {
		account := fmt.Sprint(i + 1)
		s.place(s.person(account, account+"@example.com"), segment)
	}
	s.push(p, tags())
	delete(p.people["2"].in, "lost")
	p.people["5"].attributes["rfm"] = "111"
	p.people["3"].in["lost"] = true // the shop made one customer of two
	r := &rolled{platform: p}
	o := s.options(p, tags())
	o.Destination = r
	drift, err := activation.ReadBack(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, activation.Drift{Read: 5, Lost: 1, Changed: 1, Stray: 1}, drift)
	require.Equal(t, 3, r.walked)
	require.Equal(t, 3, s.push(p, tags()).Delivered)
	require.Equal(t, []string{"champions"}, p.ours("3"))
}

// What a push that was cut short did not bring there was taken away by nobody.
func TestReadBackCountsNoLossOfWhatWaits(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com", "cid@example.com")
	ann, bob := s.person("", "ann@example.com"), s.person("", "bob@example.com")
	s.place(ann, "champions")
	s.place(bob, "champions")
	s.push(p, list())
	s.place(ann, "lost")
	s.place(s.person("", "cid@example.com"), "lost")
	p.script = func(int, []connectors.Change) (int, error) { return 0, errors.New("no connection") }
	_, err := activation.Push(context.Background(), s.options(p, list()))
	require.ErrorContains(t, err, "no connection")
	delete(p.people["bob@example.com"].in, "champions")
	drift, err := activation.ReadBack(context.Background(), s.options(p, list()))
	require.NoError(t, err)
	require.Equal(t, activation.Drift{Read: 1, Lost: 1}, drift)
	p.script = nil
	require.Equal(t, 3, s.push(p, list()).Delivered)
	require.Equal(t, []string{"lost"}, p.ours("ann@example.com"))
	require.Equal(t, []string{"champions"}, p.ours("bob@example.com"))
}

func TestReadBackTakesNumbersAsTheyAreWritten(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	target := list()
	target.Attributes = []string{"predicted_value", "rfm"}
	for address := range p.people {
		person := s.person("", address)
		s.place(person, "champions")
		s.exec(`INSERT INTO standings (store_id, person_id, stage, value) VALUES ($1, $2, 'active', 120)`, person)
	}
	s.push(p, target)
	p.people["ann@example.com"].attributes["predicted_value"] = "120.0"
	p.people["bob@example.com"].attributes["predicted_value"] = "12"
	drift, err := activation.ReadBack(context.Background(), s.options(p, target))
	require.NoError(t, err)
	require.Equal(t, activation.Drift{Read: 2, Changed: 1}, drift)
}

func TestErasureLeavesNothing(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "new@example.com")
	ann := s.person("", "ann@example.com")
	s.place(ann, "champions")
	s.push(p, list())
	erasure, err := activation.Erase(context.Background(), s.options(p, list()), connectors.Person{ID: ann, Email: "new@example.com"})
	require.NoError(t, err)
	require.Equal(t, "taken out of 1 audiences, 4 attributes removed", erasure.Done)
	require.Equal(t, []bool{true, false}, []bool{erasure.Stood, erasure.Able})
	require.Empty(t, p.ours("ann@example.com"))
	require.Zero(t, s.count(`SELECT count(*) FROM deliveries WHERE store_id = $1`))
	erasure, err = activation.Erase(context.Background(), s.options(p, list()), connectors.Person{ID: ann, Email: "ann@example.com"})
	require.NoError(t, err)
	require.Equal(t, "nothing of ours stood there", erasure.Done)
	require.False(t, erasure.Stood)
}

// A job that is still at work would put back what purge and erasure take away: they wait for it, and where it does not end
// they take away nothing.
func TestNothingComesBackAfterPurgeAndErasure(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	ann, bob := s.person("", "ann@example.com"), s.person("", "bob@example.com")
	s.place(ann, "champions")
	p.asJobs, p.finish = true, func(int) bool { return false }
	o := s.options(p, list())
	o.JobWait = time.Nanosecond
	_, err := activation.Push(context.Background(), o)
	require.NoError(t, err)
	p.asJobs = false

	_, err = activation.Purge(context.Background(), o)
	require.ErrorContains(t, err, "still works on an earlier push")
	_, err = activation.Erase(context.Background(), o, connectors.Person{ID: ann, Email: "ann@example.com"})
	require.ErrorContains(t, err, "still works on an earlier push")
	_, err = activation.Erase(context.Background(), o, connectors.Person{ID: bob, Email: "bob@example.com"})
	require.NoError(t, err, "the job is not about them")
	require.Equal(t, 1, s.count(`SELECT count(*) FROM jobs WHERE store_id = $1`))

	p.finish = nil
	_, err = activation.Erase(context.Background(), o, connectors.Person{ID: ann, Email: "ann@example.com"})
	require.NoError(t, err)
	require.Empty(t, p.jobs)
	require.Empty(t, p.ours("ann@example.com"))
	_, err = activation.Purge(context.Background(), o)
	require.NoError(t, err)
	require.Empty(t, p.made)
}

// eraser is a platform that erases.
type eraser struct {
	*platform
	erased []connectors.Person
}

func (e *eraser) Erase(_ context.Context, person connectors.Person) (string, error) {
	e.erased = append(e.erased, person)
	return "erased", nil
}

// TestErasureFindsWhoeverHasAnotherAddressAtThePlatform holds that the platform's own id goes along.
func TestErasureFindsWhoeverHasAnotherAddressAtThePlatform(t *testing.T) {
	s, p := newShop(t), &eraser{platform: newPlatform("ann@example.com")}
	ann := s.person("", "ann@example.com")
	s.place(ann, "champions")
	s.push(p.platform, list())
	o := s.options(p.platform, list())
	o.Destination = p
	_, err := activation.Erase(context.Background(), o, connectors.Person{ID: ann, Email: "ann@example.com"})
	require.NoError(t, err)
	require.Equal(t, []connectors.Person{{ID: ann, Email: "ann@example.com", RemoteID: "remote-ann@example.com"}}, p.erased)
}

// TestWhoUnsubscribesUnderAnotherAddressLeaves lets somebody correct their address at the platform and unsubscribe there.
func TestWhoUnsubscribesUnderAnotherAddressLeaves(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com", "bob@example.com")
	ann, bob := s.person("", "ann@example.com"), s.person("", "bob@example.com")
	s.place(ann, "champions")
	s.place(bob, "champions")
	s.push(p, list())
	p.people["corrected@example.com"] = p.people["ann@example.com"]
	delete(p.people, "ann@example.com")
	p.people["corrected@example.com"].out["champions"] = true
	drift, err := activation.ReadBack(context.Background(), s.options(p, list()))
	require.NoError(t, err)
	require.Equal(t, 1, drift.Unsubscribed)
	require.Equal(t, 1, s.count(`SELECT count(*) FROM suppressions WHERE store_id = $1`))
}
