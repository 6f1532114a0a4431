package mailchimp

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

var (
	onlyAttributes = connectors.Settings{"mode": string(connectors.OnlyAttributes)}
	onlyLists      = connectors.Settings{"mode": string(connectors.OnlyLists)}
)

func TestExtentIsTold(t *testing.T) {
	b := startBench(t)
	for _, mode := range []connectors.Extent{connectors.Both, connectors.OnlyAttributes, connectors.OnlyLists} {
		d, err := factory(quick).NewDestination(b.settings(connectors.Settings{"mode": string(mode)}), connectors.Deps{})
		require.NoError(t, err)
		require.Equal(t, mode, d.(connectors.Limited).Extent())
		_, rolls := d.(connectors.Roll)
		require.Equal(t, mode == connectors.OnlyAttributes, rolls, "by a tag alone nobody's audiences can be told in one walk")
	}
}

// audiencesOf is the merge field that names a contact's audiences.
func (b *bench) audiencesOf(t *testing.T, p connectors.Person) string {
	return b.contact(t, p.Email).Fields["PE_AUDIENC"]
}

func TestAttributesOnlyNameTheAudiences(t *testing.T) {
	for _, bulk := range []int{1, 1000} {
		b := startBench(t)
		b.bulk = bulk
		d, people := b.open(t, onlyAttributes), b.people(simulator.Subscribed)[:4]
		lists, tags := ensure(t, d, champions, atRisk), len(b.Tags())
		none := join(people[3])
		applyAll(t, d, join(people[0], champions), join(people[1], champions, atRisk, champions), join(people[2], atRisk), none)
		require.Len(t, b.Tags(), tags, "no tag is made")
		require.Equal(t, ",champions,", b.audiencesOf(t, people[0]))
		require.Equal(t, ",at_risk,champions,", b.audiencesOf(t, people[1]), "in one order, each once")
		require.Empty(t, b.audiencesOf(t, people[3]))

		everybody := read(t, func(c connectors.Cursor) (connectors.MemberPage, error) { return rolled{d}.Everybody(t.Context(), c) })
		require.Len(t, everybody, 4, "who carries nothing of ours is not told")
		require.Equal(t, []string{"at_risk", "champions"}, everybody[people[1].Email].Audiences)
		require.Equal(t, map[string]string{"rfm": "545"}, everybody[people[1].Email].Attributes, "the audiences are no attribute")
		require.Empty(t, everybody[people[3].Email].Audiences)
		members := read(t, func(c connectors.Cursor) (connectors.MemberPage, error) { return d.Members(t.Context(), lists[1], c) })
		require.Len(t, members, 2)
		require.Contains(t, members, people[1].Email)
		require.Contains(t, members, people[2].Email)

		require.NoError(t, b.SetField(people[0].Email, "PE_AUDIENC", "at_risk, champions")) // by hand
		require.Equal(t, connectors.Delivered, apply(t, d, join(people[0], champions)).State)
		require.Equal(t, ",champions,", b.audiencesOf(t, people[0]), "what is desired is the whole")
		require.Equal(t, connectors.Unchanged, apply(t, d, join(people[0], champions)).State)
		gone := connectors.Change{Person: people[1], Leave: []string{champions.Key, atRisk.Key}, Drop: []string{"rfm"}}
		require.Equal(t, connectors.Delivered, apply(t, d, gone).State)
		require.Empty(t, b.audiencesOf(t, people[1]))
	}
}

// TestAttributesOnlyLetNobodyStayWhoUnsubscribed takes who unsubscribed, there or in the shop, before or while we write, out
// of the merge field that a campaign may be sent by.
func TestAttributesOnlyLetNobodyStayWhoUnsubscribed(t *testing.T) {
	for _, bulk := range []int{1, 1000} {
		b := startBench(t)
		b.bulk = bulk
		people := b.people(simulator.Subscribed)[:4]
		d := b.open(t, onlyAttributes)
		ensure(t, d, champions, atRisk)
		applyAll(t, d, joinAll(people, champions)...)

		var armed atomic.Bool
		before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
			write := r.Method == http.MethodPatch || r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/batches")
			if write && armed.CompareAndSwap(true, false) {
				require.NoError(t, b.SetStatus(people[2].Email, unsubscribed))
			}
			return false
		})
		d = b.open(t, onlyAttributes)
		ensure(t, d, champions, atRisk)
		require.NoError(t, b.SetStatus(people[0].Email, unsubscribed))
		armed.Store(true)
		changes := joinAll(people, atRisk)
		changes[1].Consent = commerce.ConsentUnsubscribed
		outcomes := applyAll(t, d, changes...)
		for i, p := range people[:3] {
			require.Equal(t, connectors.ReasonUnsubscribed, outcomes[p.ID].Reason, "person %d: %+v", i, outcomes[p.ID])
			require.Empty(t, b.audiencesOf(t, p), "person %d", i)
		}
		require.Equal(t, connectors.Delivered, outcomes[people[3].ID].State)
		require.Equal(t, ",at_risk,", b.audiencesOf(t, people[3]))
		writes := b.writes()
		require.Equal(t, connectors.Withheld, applyAll(t, d, changes...)[people[1].ID].State)
		require.Equal(t, writes, b.writes(), "who is out already is not written again")
	}
}

func (b *bench) writes() (n int) {
	for _, r := range b.Requests() {
		if r.Write {
			n++
		}
	}
	return n
}

func TestWithheldPeopleOfABatchAreToldByAnotherProcess(t *testing.T) {
	b := startBench(t)
	b.bulk = 1
	people := b.people(simulator.Subscribed)[:3]
	d := b.open(t, onlyAttributes)
	list := ensure(t, d, champions)
	applyAll(t, d, joinAll(people, champions)...)
	require.NoError(t, b.SetStatus(people[0].Email, cleaned))
	result, err := d.Apply(t.Context(), []connectors.Change{
		join(people[0], champions), with(join(people[1], champions), "rfm", "111"), with(join(people[2], champions), "rfm", "111"),
	})
	require.NoError(t, err)
	require.NoError(t, b.SetStatus(people[2].Email, unsubscribed)) // while the batch waits
	outcomes := map[int64]connectors.Outcome{}
	for job := result.Job; job != ""; {
		next := b.open(t, onlyAttributes)
		ensure(t, next, list...)
		result, err := next.Resume(t.Context(), job)
		require.NoError(t, err)
		for _, o := range result.Outcomes {
			outcomes[o.PersonID] = o
		}
		job = result.Job
	}
	require.Equal(t, connectors.ReasonSuppressed, outcomes[people[0].ID].Reason)
	require.Equal(t, connectors.Delivered, outcomes[people[1].ID].State)
	require.Equal(t, connectors.ReasonUnsubscribed, outcomes[people[2].ID].Reason)
	require.Empty(t, b.audiencesOf(t, people[0]))
	require.Empty(t, b.audiencesOf(t, people[2]))
}

func TestTooManyAudiencesForAMergeFieldAreRefused(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:2]
	d := b.open(t, onlyAttributes)
	var many []connectors.Audience
	for i := range 26 {
		many = append(many, connectors.Audience{Key: fmt.Sprintf("audience%c", 'a'+i), Name: fmt.Sprint(i)}) // 10 bytes with a comma
	}
	ensure(t, d, many...)
	outcomes := applyAll(t, d, join(people[0], many...), join(people[1], many[:25]...))
	require.Equal(t, connectors.Refused, outcomes[people[0].ID].State)
	require.Contains(t, outcomes[people[0].ID].Reason, "261 bytes")
	require.Equal(t, connectors.Delivered, outcomes[people[1].ID].State)
}

// TestWhatAnotherModeWroteGoes changes the mode there and back.
func TestWhatAnotherModeWroteGoes(t *testing.T) {
	b := startBench(t)
	p := b.people(simulator.Subscribed)[0]
	before := b.open(t, onlyAttributes)
	lists := ensure(t, before, champions)
	apply(t, before, join(p, champions))
	require.NotEmpty(t, b.audiencesOf(t, p))

	both := b.open(t)
	tagged := ensure(t, both, lists...)
	require.NotEqual(t, lists[0].ID, tagged[0].ID, "by which it is known that nobody is in it yet")
	require.Equal(t, connectors.Delivered, apply(t, both, join(p, champions)).State)
	require.Empty(t, b.audiencesOf(t, p))
	require.Contains(t, b.Mailed(tagID(tagged[0])), p.Email)

	again := b.open(t, onlyAttributes)
	named := ensure(t, again, tagged...)
	require.Equal(t, lists, named)
	foreign := b.AddTag("Champions")
	require.NoError(t, again.Remove(t.Context(), append(named, connectors.Audience{Key: "x", Name: "X", ID: fieldID + "x"})))
	require.Empty(t, b.Mailed(tagID(tagged[0])), "purge finds the tag by its name")
	for _, tag := range b.Tags() {
		require.NotEqual(t, tagID(tagged[0]), tag.ID)
	}
	require.Equal(t, foreign, b.Tags()[len(b.Tags())-1].ID)
}

func TestListsOnlyReadNoProfile(t *testing.T) {
	b := startBench(t)
	p := b.people(simulator.Subscribed)[0]
	full := b.open(t)
	ensure(t, full, champions)
	apply(t, full, join(p, champions))
	d := b.open(t, onlyLists)
	list := ensure(t, d, champions)[0]
	members := read(t, func(c connectors.Cursor) (connectors.MemberPage, error) { return d.Members(t.Context(), list, c) })
	require.Contains(t, members, p.Email)
	require.Empty(t, members[p.Email].Attributes, "what stands there is not this destination's")
	require.Equal(t, connectors.Unchanged, apply(t, d, with(join(p, champions), "rfm", "111")).State)

	fresh := join(connectors.Person{ID: 7001, Email: "fresh@example.com"})
	fresh.Consent = commerce.ConsentSubscribed
	require.Equal(t, connectors.Unchanged, apply(t, d, fresh).State)
	require.NotContains(t, fmt.Sprint(b.Contacts()), "fresh@example.com", "nobody is stored for attributes that are not written")
	fresh.Audiences = []string{champions.Key}
	require.Equal(t, connectors.Delivered, apply(t, d, fresh).State)
	require.Equal(t, []int{tagID(list)}, b.contact(t, "fresh@example.com").Tags)
	require.NotContains(t, b.contact(t, "fresh@example.com").Fields, "PE_RFM")
}
