package klaviyo

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// begin starts a job for some people.
func begin(t *testing.T, d connectors.Destination, people []connectors.Person) connectors.Result {
	t.Helper()
	ensure(t, d, champions)
	result, err := d.Apply(t.Context(), joinAll(people, champions))
	require.NoError(t, err)
	require.Empty(t, result.Outcomes, "nobody is called delivered before Klaviyo has written them")
	require.NotEmpty(t, result.Job)
	require.False(t, result.NotBefore.IsZero())
	return result
}

func TestJobIsResumedByAnotherProcessAndNamesNobody(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:7] // three imports
	result := begin(t, b.open(t), people)
	fresh := b.open(t)
	list := ensure(t, fresh, champions)[0]
	outcomes := follow(t, fresh, result)
	require.Len(t, outcomes, len(people))
	require.Len(t, b.members(list), len(people))

	j, err := openJob(result.Job)
	require.NoError(t, err)
	require.Len(t, j.Imports, 3)
	plain, err := j.text()
	require.NoError(t, err)
	require.Equal(t, result.Job, plain, "a job that went no step further is told in the same words")
	for _, e := range j.People {
		require.NotContains(t, e.Address, "@")
	}
	again, err := fresh.Resume(t.Context(), result.Job) // killed after the last step, before it was recorded
	require.NoError(t, err)
	require.Len(t, again.Outcomes, len(people))
	require.Len(t, b.members(list), len(people))
}

func TestWaitingForAnImportKeepsTheWords(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	b.FailJob(klaviyotest.JobStalls)
	first := begin(t, d, b.people(simulator.Subscribed)[:2])
	second, err := d.Resume(t.Context(), first.Job)
	require.NoError(t, err)
	require.Equal(t, first.Job, second.Job)
	require.False(t, second.NotBefore.IsZero())
}

func TestCancelledImportDoesNotLoopForEver(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t), b.people(simulator.Subscribed)[:2]
	b.FailJob(klaviyotest.JobCancelled)
	start := time.Now()
	outcomes := follow(t, d, begin(t, d, people))
	require.Less(t, time.Since(start), quick.stall, "nobody waits for what was called off")
	for _, p := range people {
		require.Equal(t, connectors.RetryLater, outcomes[p.ID].State)
		require.Contains(t, outcomes[p.ID].Reason, "cancelled")
	}
	for _, o := range apply(t, d, joinAll(people, champions)...) {
		require.Equal(t, connectors.Delivered, o.State)
	}
}

func TestRowsThatFailAreToldWithKlaviyosWords(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t), b.people(simulator.Subscribed)[:3]
	b.FailJob(klaviyotest.JobPartly)
	list := ensure(t, d, champions)[0]
	outcomes := follow(t, d, begin(t, d, people))
	require.Len(t, outcomes, 3, "nobody is passed over in silence")
	require.Equal(t, connectors.Refused, outcomes[people[1].ID].State)
	require.Equal(t, "The profile could not be written.", outcomes[people[1].ID].Reason)
	require.Equal(t, connectors.Delivered, outcomes[people[0].ID].State)
	require.ElementsMatch(t, []string{people[0].Email, people[2].Email}, b.members(list))
}

// TestRowsThatFailAreToldAtOnce: where Klaviyo counts failures it names them, and nobody waits for them to show.
func TestRowsThatFailAreToldAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		people func(*bench) []connectors.Person
		set    connectors.Settings
		fault  klaviyotest.JobFault
		states map[connectors.OutcomeState]int
	}{
		"few":        {func(b *bench) []connectors.Person { return b.people(simulator.Subscribed)[:3] }, nil, klaviyotest.JobPartly, map[connectors.OutcomeState]int{connectors.Delivered: 2, connectors.Refused: 1}},
		"many":       {func(b *bench) []connectors.Person { return b.many(250) }, large(), klaviyotest.JobPartly, map[connectors.OutcomeState]int{connectors.Delivered: 125, connectors.Refused: 125}},
		"one of all": {func(b *bench) []connectors.Person { return b.many(250) }, large(), klaviyotest.JobFailsOne, map[connectors.OutcomeState]int{connectors.Delivered: 249, connectors.Refused: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBench(t)
			d, people := b.open(t, tt.set), tt.people(b)
			d.(*destination).times.grace = time.Hour
			b.FailJob(tt.fault)
			result := begin(t, d, people)
			for range 10 {
				var err error
				result, err = d.Resume(t.Context(), result.Job)
				require.NoError(t, err)
				if result.Job == "" {
					break
				}
			}
			states := map[connectors.OutcomeState]int{}
			for _, o := range result.Outcomes {
				if states[o.State]++; o.State == connectors.Refused {
					require.Equal(t, "The profile could not be written.", o.Reason)
				}
			}
			require.Equal(t, tt.states, states)
			require.LessOrEqual(t, b.asked("GET", "/import-errors"), 2, "once, a hundred a page")
		})
	}
}

// TestRowsThatFailDoNotHurryTheOthers: who is not named may be written and not show yet.
func TestRowsThatFailDoNotHurryTheOthers(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t), b.people(simulator.Subscribed)[:3]
	d.(*destination).times.grace = time.Minute // on a slow machine too
	b.FailJob(klaviyotest.JobPartlyLags)
	list := ensure(t, d, champions)[0]
	outcomes := follow(t, d, begin(t, d, people))
	require.Equal(t, connectors.Refused, outcomes[people[1].ID].State)
	require.Equal(t, connectors.Delivered, outcomes[people[0].ID].State)
	require.ElementsMatch(t, []string{people[0].Email, people[2].Email}, b.members(list))
	require.Equal(t, 1, b.asked("GET", "/import-errors"))
}

func TestImportThatDidNothingIsNoSuccess(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t), b.people(simulator.Subscribed)[:3]
	b.FailJob(klaviyotest.JobDoesNone)
	list := ensure(t, d, champions)[0]
	for _, o := range follow(t, d, begin(t, d, people)) {
		require.Equal(t, connectors.RetryLater, o.State)
		require.NotEmpty(t, o.Reason)
	}
	require.Empty(t, b.members(list))
}

// TestImportThatCountsPeopleItDidNotWriteIsFoundOut has more people than are looked at where the count is right.
func TestImportThatCountsPeopleItDidNotWriteIsFoundOut(t *testing.T) {
	for _, fault := range []klaviyotest.JobFault{klaviyotest.JobLies, klaviyotest.JobDoesNone, klaviyotest.JobPartly, klaviyotest.JobFailsOne, klaviyotest.JobLags} {
		t.Run(string(fault), func(t *testing.T) {
			b := startBench(t)
			d, people := b.open(t, large()), b.many(250)
			list := ensure(t, d, champions)[0]
			b.FailJob(fault)
			if fault == klaviyotest.JobLags {
				d.(*destination).times.grace = time.Minute // on a slow machine too
			}
			states := map[connectors.OutcomeState]int{}
			for _, o := range follow(t, d, begin(t, d, people)) {
				states[o.State]++
			}
			require.Equal(t, map[klaviyotest.JobFault]map[connectors.OutcomeState]int{
				klaviyotest.JobLies:     {connectors.RetryLater: 250},
				klaviyotest.JobDoesNone: {connectors.RetryLater: 250},
				klaviyotest.JobPartly:   {connectors.Delivered: 125, connectors.Refused: 125},
				klaviyotest.JobFailsOne: {connectors.Delivered: 249, connectors.Refused: 1},
				klaviyotest.JobLags:     {connectors.Delivered: 250},
			}[fault], states)
			require.Len(t, b.members(list), states[connectors.Delivered])
			if fault == klaviyotest.JobLags {
				require.Equal(t, 3+1+1+1, b.asked("GET", "/api/profiles?"), "a sample shows that it lags, and another one that it does not")
			}
		})
	}
}

// TestWhoUnsubscribesWhileAnImportOfManyIsAtWorkIsNotJoined has people who are not among those looked at afterwards.
func TestWhoUnsubscribesWhileAnImportOfManyIsAtWorkIsNotJoined(t *testing.T) {
	for _, late := range []bool{false, true} { // so that consent has to be read again
		b := startBench(t)
		ahead := time.Duration(0)
		settings := b.settings()
		settings["batch"], settings["list_batch"] = largestBatch, largestListBatch
		patient := quick
		patient.stall = time.Hour
		d, err := factory(patient).NewDestination(settings, connectors.Deps{Now: func() time.Time { return time.Now().Add(ahead) }})
		require.NoError(t, err)
		people := b.many(250)
		list := ensure(t, d, champions)[0]
		result := begin(t, d, people)
		leaving := people[101:120]
		for _, p := range leaving {
			require.NoError(t, b.Unsubscribe(p.Email))
		}
		if late {
			require.NoError(t, b.UnsubscribeFrom(people[0].Email, list.ID))
			ahead = consentAge
		}
		before := b.asked("GET", "/api/profiles?")
		outcomes := map[int64]connectors.Outcome{}
		for result.Job != "" {
			result, err = d.Resume(t.Context(), result.Job)
			require.NoError(t, err)
		}
		for _, o := range result.Outcomes {
			outcomes[o.PersonID] = o
		}
		for _, p := range leaving {
			require.Equal(t, connectors.ReasonUnsubscribed, outcomes[p.ID].Reason)
		}
		if late {
			require.Equal(t, connectors.ReasonUnsubscribed, outcomes[people[0].ID].Reason)
			require.Len(t, b.members(list), 250-19-1)
			continue
		}
		require.Len(t, b.members(list), 250-19)
		require.Equal(t, 2, b.asked("GET", "/api/profiles?")-before, "a sample, and those who were suppressed")
	}
}

// TestListDeletedWhileAnImportIsAtWorkEndsTheJob shows that a job whose list is gone does not fail every push from then on.
func TestListDeletedWhileAnImportIsAtWorkEndsTheJob(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t), b.people(simulator.Subscribed)[:2]
	result := begin(t, d, people)
	list := ensure(t, d, champions)[0]
	b.DeleteList(list.ID)
	for _, o := range follow(t, d, result) {
		require.Equal(t, connectors.RetryLater, o.State)
		require.Contains(t, o.Reason, "deleted")
	}
	ensure(t, d, list)
	for _, o := range apply(t, d, joinAll(people, champions)...) {
		require.Equal(t, connectors.Delivered, o.State)
	}
}

// TestProfilesMayShowWhatWasWrittenALittleLater lets reads lag behind the import.
func TestProfilesMayShowWhatWasWrittenALittleLater(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t), b.people(simulator.Subscribed)[:2]
	b.FailJob(klaviyotest.JobLags)
	d.(*destination).times.grace = time.Minute // on a slow machine too
	outcomes := follow(t, d, begin(t, d, people))
	for _, o := range outcomes {
		require.Equal(t, connectors.Delivered, o.State, o.Reason)
	}
	require.Equal(t, 1, b.asked("POST", "/api/profile-bulk-import-jobs"))
}

func TestExpiredImportIsJudgedByTheProfiles(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t), b.people(simulator.Subscribed)[:2]
	result := begin(t, d, people)
	require.NoError(t, b.SetProperty(people[0].Email, "perennial_rfm", "545")) // as if it had been written
	b.ForgetJobs()
	outcomes := follow(t, d, result)
	require.Equal(t, connectors.Delivered, outcomes[people[0].ID].State)
	require.Equal(t, connectors.RetryLater, outcomes[people[1].ID].State)
}

func TestKeyRevokedInTheMiddleKeepsTheJob(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	result := begin(t, d, b.people(simulator.Subscribed)[:2])
	b.Revoke()
	_, err := d.Resume(t.Context(), result.Job)
	require.Equal(t, connectors.KindCredentials, connectors.KindOf(err), "which does not give the job up: %v", err)
}

func TestBare403IsNoWordAboutTheKey(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	ensure(t, d, champions)
	b.Fault(klaviyotest.Fault{Kind: simulator.BareForbidden, Times: 1})
	for _, o := range apply(t, d, joinAll(b.people(simulator.Subscribed)[:2], champions)...) {
		require.Equal(t, connectors.Delivered, o.State)
	}
}

func TestWhoIsDeletedMeanwhileBlocksNobody(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t, large()), b.people(simulator.Subscribed)[:7]
	list := ensure(t, d, champions)[0]
	apply(t, d, joinAll(people, champions)...)
	changes := joinAll(people, champions)
	real := d.(*destination)
	tasks, err := real.prepare(t.Context(), changes)
	require.NoError(t, err)
	require.NoError(t, b.Delete(people[2].Email))
	require.NoError(t, real.move(t.Context(), tasks))
	for i, task := range tasks {
		if i == 2 {
			require.Equal(t, connectors.RetryLater, task.outcome.State)
		} else {
			require.Equal(t, connectors.Delivered, task.outcome.State)
		}
	}
	require.Len(t, b.members(list), 6)
}

func TestDeletedListIsMadeAnew(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t), b.people(simulator.Subscribed)[:2]
	first := ensure(t, d, champions)[0]
	apply(t, d, joinAll(people, champions)...)
	b.DeleteList(first.ID)
	for _, o := range apply(t, d, joinAll(people, champions)...) {
		require.Equal(t, connectors.RetryLater, o.State)
	}
	apply(t, d, connectors.Change{Person: people[0], Leave: []string{champions.Key}}) // which is no failure
	second := ensure(t, d, first)[0]
	require.NotEqual(t, first.ID, second.ID)
	apply(t, d, joinAll(people, champions)...)
	require.Len(t, b.members(second), 2)
}

func TestRenamedListKeepsItsPeopleAndIsSparedByPurge(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	list := ensure(t, d, champions)[0]
	b.RenameList(list.ID, "Best buyers")
	require.Equal(t, list.ID, ensure(t, d, list)[0].ID)
	require.Error(t, d.(connectors.Remover).Remove(t.Context(), []connectors.Audience{list}), "its name is not ours any more, and the owner is told")
	require.Equal(t, list.ID, ensure(t, d, list)[0].ID)
}

func TestAnotherPrefixIsRefused(t *testing.T) {
	b := startBench(t)
	list := ensure(t, b.open(t), champions)[0]
	d, err := factory(quick).NewDestination(b.settings(), connectors.Deps{Prefix: "other"})
	require.NoError(t, err)
	_, err = d.Ensure(t.Context(), []connectors.Audience{list})
	require.ErrorContains(t, err, `"perennial"`)
}

func TestTwoAudiencesOfOneNameHaveTwoLists(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	same := connectors.Audience{Key: "other", Name: champions.Name}
	lists := ensure(t, d, champions, same)
	require.NotEqual(t, lists[0].ID, lists[1].ID)
	require.Equal(t, lists, ensure(t, b.open(t), champions, same))
	swapped := ensure(t, b.open(t), same, lists[0])
	require.Equal(t, lists[1].ID, swapped[0].ID, "a list that another audience came with is not taken from it")
}

func TestCreatingIsOptIn(t *testing.T) {
	for _, on := range []bool{false, true} {
		b := startBench(t)
		d := b.open(t, connectors.Settings{"create_missing": on})
		list := ensure(t, d, champions)[0]
		c := join(connectors.Person{ID: 1, Email: "new@example.com", FirstName: "Nora", LastName: "Davis"}, champions)
		c.Consent = commerce.ConsentSubscribed
		o := apply(t, d, c)[1]
		if !on {
			require.Equal(t, connectors.ReasonNotThere, o.Reason)
			continue
		}
		require.Equal(t, connectors.Delivered, o.State, o.Reason)
		made := b.person(t, "new@example.com")
		require.Equal(t, o.RemoteID, made.ID)
		require.Equal(t, "Nora Davis", made.Name)
		require.Equal(t, "NEVER_SUBSCRIBED", made.Consent)
		require.Equal(t, []string{"new@example.com"}, b.members(list))
	}
}

// TestWhoWasDeletedIsNotCreatedAgain lets somebody be deleted whom an import made, and somebody who was there before.
func TestWhoWasDeletedIsNotCreatedAgain(t *testing.T) {
	b := startBench(t)
	d := b.open(t, telling(connectors.Both))
	ensure(t, d, champions, atRisk)
	made, there := enter(connectors.Person{ID: 9001, Email: "new@example.com"}, champions), enter(b.people(simulator.Subscribed)[0], champions)
	made.Consent, there.Consent = commerce.ConsentSubscribed, commerce.ConsentSubscribed
	outcomes := apply(t, d, made, there)
	events := len(b.Events())
	for _, c := range []connectors.Change{made, there} {
		require.Equal(t, connectors.Delivered, outcomes[c.Person.ID].State)
		c.Person.RemoteID = outcomes[c.Person.ID].RemoteID
		require.NotEmpty(t, c.Person.RemoteID)
		require.NoError(t, b.Delete(c.Person.Email))
		move := enter(c.Person, atRisk)
		move.Consent, move.Leave, move.Left = c.Consent, []string{champions.Key}, []string{champions.Key}
		for _, again := range []connectors.Change{c, move} {
			o := apply(t, d, again)[c.Person.ID]
			require.Equal(t, connectors.Withheld, o.State)
			require.Equal(t, connectors.ReasonNotThere, o.Reason)
		}
		out := connectors.Change{Person: c.Person, Consent: c.Consent, Leave: []string{champions.Key}, Left: []string{champions.Key}, Drop: []string{"rfm"}, Since: desiredAt}
		require.Equal(t, connectors.Unchanged, apply(t, d, out)[c.Person.ID].State)
		out.Person.RemoteID = ""
		require.Equal(t, connectors.Unchanged, apply(t, d, out)[c.Person.ID].State)
		require.NotContains(t, fmt.Sprint(b.People()), c.Person.Email)
		require.Len(t, b.Events(), events, "and nothing is told of whoever is not there")
	}
}

func TestNamesOfPeopleWhoAreThereAreNotWritten(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	ensure(t, d, champions)
	before := b.person(t, p.Email)
	p.FirstName = "Somebody else"
	apply(t, d, join(p, champions))
	require.Equal(t, before.Name, b.person(t, p.Email).Name)
}

func TestErasureNamesOnePerson(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t).(connectors.Eraser), b.people(simulator.Subscribed)[0]
	receipt, err := d.Erase(t.Context(), p)
	require.NoError(t, err)
	require.Contains(t, receipt, "deletion")
	receipt, err = d.Erase(t.Context(), p)
	require.NoError(t, err)
	require.Contains(t, receipt, "nothing was there")
	require.Equal(t, 1, b.asked("POST", "/api/data-privacy-deletion-jobs"))
	for _, r := range b.Requests() {
		if r.Write {
			require.False(t, strings.Contains(r.Body, p.Email), "one identifier only, and not the address")
		}
	}
}
