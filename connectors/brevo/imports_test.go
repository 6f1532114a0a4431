package brevo

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// imported are the settings under which everybody who joins is imported.
var imported = connectors.Settings{"import_from": 1}

func slowly(delay time.Duration) func(*brevotest.Options) {
	return func(o *brevotest.Options) { o.ImportDelay = delay }
}

// TestAnImportIsResumedByAnotherProcess hands the words of the job to a destination that knows nothing else.
func TestAnImportIsResumedByAnotherProcess(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:5]
	d := b.open(t, imported)
	list := ensure(t, d, champions)[0]
	result, err := d.Apply(t.Context(), append(joinAll(people, champions), strangers(25, champions)...))
	require.NoError(t, err)
	require.Empty(t, result.Outcomes, "nobody is called delivered before it is known")
	require.NotContains(t, string(result.Job), "@", "no address stands in the job")
	outcomes := collect(t, b.open(t, imported), result)
	require.Len(t, outcomes, 30)
	for _, o := range outcomes {
		require.Equal(t, connectors.Delivered, o.State)
		require.NotEmpty(t, o.RemoteID)
	}
	require.Len(t, b.members(list), 30)
	require.Zero(t, b.Notices(), "the owner gets no mail about each import")
}

func TestOddJobsAreRefused(t *testing.T) {
	d := startBench(t).open(t, nil)
	for _, text := range []connectors.Job{"", "{}", `{"v":9}`, `{"v":1,"parts":[{"people":"Y2BgAAA"}]}`} {
		_, err := d.Resume(t.Context(), text)
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err), string(text))
	}
}

// TestCompletedDoesNotMeanDone: an import that left people out says the same as one that did not.
func TestCompletedDoesNotMeanDone(t *testing.T) {
	for fault, done := range map[brevotest.JobFault]int{brevotest.JobPartly: 3, brevotest.JobDoesNone: 0, brevotest.JobStalls: 0} {
		b := startBench(t)
		people := b.people(simulator.Subscribed)[:6]
		d := b.open(t, imported)
		list := ensure(t, d, champions)[0]
		b.Job(fault)
		outcomes := apply(t, d, joinAll(people, champions)...)
		require.Len(t, b.members(list), done)
		for i, p := range people {
			want := connectors.Delivered
			if i >= done {
				want = connectors.RetryLater
				require.Contains(t, outcomes[p.ID].Reason, "did not put")
			}
			require.Equal(t, want, outcomes[p.ID].State, fault)
		}
		for _, o := range apply(t, d, joinAll(people, champions)...) {
			require.Contains(t, []connectors.OutcomeState{connectors.Delivered, connectors.Unchanged}, o.State)
		}
		require.Len(t, b.members(list), 6)
	}
}

// TestAnAddressThatAnImportLeavesOutIsAskedForAlone: the import says nothing, so the next push creates the person by
// themselves and hears why not.
func TestAnAddressThatAnImportLeavesOutIsAskedForAlone(t *testing.T) {
	b := startBench(t)
	d := b.open(t, connectors.Settings{"import_from": 1000})
	ensure(t, d, champions)
	changes := strangers(25, champions)
	changes[7].Person.Email = "nobody@localhost"
	outcomes := apply(t, d, changes...)
	odd := outcomes[changes[7].Person.ID]
	require.Equal(t, connectors.RetryLater, odd.State)
	require.Contains(t, odd.Reason, "left this address out")
	require.Equal(t, 1, count(b.asked(0), "POST /contacts/import"), "the 24 others were created by one request")
	require.Zero(t, count(b.asked(0), "POST /contacts"))
	again := strangers(50, champions)[25:] // enough for another import
	odd = apply(t, d, append(again, changes[7])...)[changes[7].Person.ID]
	require.Equal(t, connectors.Refused, odd.State)
	require.Equal(t, "Invalid email address", odd.Reason)
}

// TestAnImportRevivesNobody: an import creates whoever was deleted after we looked.
func TestAnImportRevivesNobody(t *testing.T) {
	b := startBench(t, slowly(300*time.Millisecond))
	people := b.people(simulator.Subscribed)[:4]
	d := b.open(t, connectors.Settings{"import_from": 1, "create_missing": false})
	ensure(t, d, champions)
	result, err := d.Apply(t.Context(), joinAll(people, champions))
	require.NoError(t, err)
	require.NoError(t, b.Delete(people[2].Email))
	outcomes := collect(t, d, result)
	require.Equal(t, connectors.Withheld, outcomes[people[2].ID].State)
	require.Equal(t, connectors.ReasonNotThere, outcomes[people[2].ID].Reason)
	_, there := b.look(people[2].Email)
	require.False(t, there)
	require.Equal(t, connectors.Delivered, outcomes[people[3].ID].State)
}

// TestAnImportDoesNotUndoANewSignUp: somebody was deleted after we looked, and signed up again by themselves.
func TestAnImportDoesNotUndoANewSignUp(t *testing.T) {
	b := startBench(t, slowly(300*time.Millisecond))
	people := b.people(simulator.Subscribed)[:4]
	d := b.open(t, imported)
	list := ensure(t, d, champions)[0]
	result, err := d.Apply(t.Context(), joinAll(people, champions))
	require.NoError(t, err)
	require.NoError(t, b.Delete(people[2].Email))
	b.Subscribe(people[2].Email, b.Newsletter())
	require.Equal(t, connectors.Delivered, collect(t, d, result)[people[2].ID].State)
	require.Contains(t, b.members(list), people[2].Email)
}

// TestTwoPeopleWithOneAddressAreBothAnswered: nobody is without an outcome, by import and by update.
func TestTwoPeopleWithOneAddressAreBothAnswered(t *testing.T) {
	for _, settings := range []connectors.Settings{imported, nil} {
		b := startBench(t)
		people := b.people(simulator.Subscribed)[:3]
		people = append(people, people[0])
		people[3].ID = 4711
		d := b.open(t, settings)
		ensure(t, d, champions)
		outcomes := apply(t, d, joinAll(people, champions)...)
		require.Len(t, outcomes, 4)
		for _, o := range outcomes {
			require.Equal(t, connectors.Delivered, o.State)
		}
	}
}

// TestANoDuringAnImportIsHeeded: people say no while the import waits at Brevo.
func TestANoDuringAnImportIsHeeded(t *testing.T) {
	b := startBench(t, slowly(300*time.Millisecond))
	people := b.people(simulator.Subscribed)[:4]
	d := b.open(t, imported)
	list := ensure(t, d, champions)[0]
	result, err := d.Apply(t.Context(), joinAll(people, champions))
	require.NoError(t, err)
	require.NoError(t, b.Blacklist(people[1].Email))
	outcomes := collect(t, d, result)
	require.Equal(t, connectors.Withheld, outcomes[people[1].ID].State)
	require.Equal(t, connectors.ReasonSuppressed, outcomes[people[1].ID].Reason)
	require.NotContains(t, b.members(list), people[1].Email)
	require.Equal(t, connectors.Delivered, outcomes[people[2].ID].State)
}

// TestImportsStayBelowEightMegabytes gives Brevo people with long values.
func TestImportsStayBelowEightMegabytes(t *testing.T) {
	b := startBench(t)
	d := b.open(t, imported)
	list := ensure(t, d, champions)[0]
	changes := joinAll(b.crowd(300), champions)
	for i := range changes {
		changes[i].Attributes = map[string]string{"rfm": strings.Repeat("x", 60_000)}
	}
	for _, o := range apply(t, d, changes...) {
		require.Equal(t, connectors.Delivered, o.State)
	}
	var sizes []int
	for _, r := range b.Requests() {
		if r.Path == "/v3/contacts/import" {
			sizes = append(sizes, len(r.Body))
			require.Less(t, len(r.Body), 8_000_000)
			var body map[string]any
			require.NoError(t, json.Unmarshal([]byte(r.Body), &body))
			require.Equal(t, true, body["updateExistingContacts"])
			require.Equal(t, true, body["disableNotification"])
		}
	}
	require.Len(t, sizes, 3, "and no smaller than need be: %v", sizes)
	require.Len(t, b.members(list), 300)
}

// TestImportsAreAskedAboutSlowly turns the clock through the hours while an import stalls, with several jobs at once and a
// caller in a hurry.
func TestImportsAreAskedAboutSlowly(t *testing.T) {
	c := &clock{at: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)}
	b := startBench(t, slowly(30*24*time.Hour), func(o *brevotest.Options) { o.Clock, o.Hourly = c.now, 100 })
	people := b.people(simulator.Subscribed)
	d, err := factory(tuning{highest: 5000}).NewDestination(connectors.Settings{
		"url": b.url, "api_key": canary, "rate": 5000, "import_from": 1,
	}, connectors.Deps{Now: c.now})
	require.NoError(t, err)
	_, err = d.Ensure(t.Context(), []connectors.Audience{champions})
	require.NoError(t, err)
	var jobs []connectors.Job
	for i := range 3 {
		result, err := d.Apply(t.Context(), joinAll(people[i:i+1], champions))
		require.NoError(t, err)
		jobs = append(jobs, result.Job)
	}
	for range 3 * 360 { // three hours, every ten seconds
		for _, job := range jobs {
			result, err := d.Resume(t.Context(), job)
			require.NoError(t, err)
			require.Equal(t, job, result.Job)
			require.True(t, result.NotBefore.After(c.at))
		}
		c.at = c.at.Add(10 * time.Second)
	}
	asked := 0
	for _, r := range b.Requests() {
		require.NotEqual(t, 429, r.Status)
		if strings.HasPrefix(r.Path, "/v3/processes/") {
			asked++
		}
	}
	require.InDelta(t, 270, asked, 5, "ninety an hour of the hundred that are allowed")
	c.at = c.at.Add(4 * time.Hour)
	result, err := d.Resume(t.Context(), jobs[0])
	require.NoError(t, err)
	require.Empty(t, result.Job, "an import that never ends is not waited for for ever")
	require.Equal(t, connectors.RetryLater, result.Outcomes[0].State)
}

// TestAFullHourIsWaitedOut: others have asked a hundred times already.
func TestAFullHourIsWaitedOut(t *testing.T) {
	b := startBench(t, func(o *brevotest.Options) { o.Hourly = 1 })
	d := b.open(t, imported)
	ensure(t, d, champions)
	first, err := d.Apply(t.Context(), joinAll(b.people(simulator.Subscribed)[:1], champions))
	require.NoError(t, err)
	_, err = d.api.others.Do(t.Context(), request("/processes/1"))
	require.Error(t, err)
	result, err := b.open(t, imported).Resume(t.Context(), first.Job)
	require.NoError(t, err)
	require.Equal(t, first.Job, result.Job)
	require.Greater(t, time.Until(result.NotBefore), 50*time.Minute)
}

func TestOnePersonIsLookedUpByOneRequest(t *testing.T) {
	b := startBench(t)
	b.crowd(2500)
	d := b.open(t, nil)
	ensure(t, d, champions)
	since := len(b.Requests())
	c := connectors.Change{Person: connectors.Person{ID: 1, Email: "person2400@crowd.example.com"}, Leave: []string{"champions"}, Consent: commerce.ConsentUnknown}
	require.Equal(t, connectors.Unchanged, one(t, d, c).State)
	require.Equal(t, []string{"GET /contacts/person2400@crowd.example.com", "GET /contacts/attributes"}, b.asked(since))
}

// TestACreationWhoseAnswerGotLostIsFound: the repeated creation is refused as a duplicate.
func TestACreationWhoseAnswerGotLostIsFound(t *testing.T) {
	b := startBench(t)
	d := b.open(t, nil)
	list := ensure(t, d, champions)[0]
	changes := strangers(2, champions)
	require.Equal(t, connectors.Delivered, one(t, d, changes[0]).State)
	b.Fault(brevotest.Fault{Kind: simulator.LostAnswer, Times: 1, Writes: true})
	o := one(t, d, changes[1])
	require.Contains(t, []connectors.OutcomeState{connectors.Delivered, connectors.Unchanged}, o.State, "%+v", o)
	require.NotEmpty(t, o.RemoteID)
	require.Len(t, b.members(list), 2)
}
