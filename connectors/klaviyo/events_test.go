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

// desiredAt is when the changes of these tests were first desired.
var desiredAt = time.Date(2026, 11, 22, 3, 0, 0, 123, time.UTC)

// telling are the settings under which events are sent.
func telling(mode connectors.Extent) connectors.Settings {
	return connectors.Settings{"events": true, "mode": string(mode)}
}

// enter is a change by which a person enters audiences, with news of it.
func enter(p connectors.Person, audiences ...connectors.Audience) connectors.Change {
	c := join(p, audiences...)
	c.Entered, c.Since = c.Audiences, desiredAt
	return c
}

func enterAll(people []connectors.Person, audiences ...connectors.Audience) []connectors.Change {
	var all []connectors.Change
	for _, p := range people {
		all = append(all, enter(p, audiences...))
	}
	return all
}

// extents runs a test in every mode: with an import that has to be waited for, and without.
func extents(t *testing.T, run func(t *testing.T, mode connectors.Extent)) {
	t.Helper()
	for _, mode := range []connectors.Extent{connectors.Both, connectors.OnlyAttributes, connectors.OnlyLists} {
		t.Run(string(mode), func(t *testing.T) { run(t, mode) })
	}
}

func TestEventsTellWhoEnteredAndWhoLeft(t *testing.T) {
	extents(t, func(t *testing.T, mode connectors.Extent) {
		b := startBench(t)
		d, people := b.open(t, telling(mode)), b.people(simulator.Subscribed)
		ensure(t, d, champions, atRisk)
		move := enter(people[0], champions)
		move.Leave, move.Left = []string{atRisk.Key}, []string{atRisk.Key}
		quiet := join(people[1], champions) // as at the first fill
		for _, o := range apply(t, d, move, quiet) {
			require.Equal(t, connectors.Delivered, o.State, o.Reason)
		}
		got := b.Events()
		require.Len(t, got, 2)
		require.NotEqual(t, got[0].UniqueID, got[1].UniqueID)
		for i, want := range []struct{ metric, audience, name string }{
			{"perennial: entered audience", "champions", "Champions"}, {"perennial: left audience", "at_risk", "At risk"},
		} {
			require.Equal(t, want.metric, got[i].Metric)
			require.Equal(t, people[0].Email, got[i].Email)
			require.Equal(t, desiredAt.Truncate(time.Second), got[i].At.UTC())
			require.Equal(t, map[string]any{
				"audience": want.audience, "audience_name": want.name, "day": "2026-11-22", "perennial_rfm": "545",
			}, got[i].Properties)
		}
		for _, r := range b.Requests() {
			if strings.Contains(r.Path, "event") {
				require.NotContains(t, r.Body, "@", "a profile is named by its id alone")
			}
		}
	})
}

func TestEventsAreOffUnlessSaidOtherwise(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	ensure(t, d, champions)
	apply(t, d, enterAll(b.people(simulator.Subscribed)[:3], champions)...)
	require.Zero(t, b.asked("POST", "event"))
}

// TestEventsOfOneSecondAllSurvive enters two audiences at once, of which Klaviyo would keep one event a second.
func TestEventsOfOneSecondAllSurvive(t *testing.T) {
	b := startBench(t)
	d := b.open(t, telling(connectors.Both))
	ensure(t, d, champions, atRisk)
	apply(t, d, enter(b.people(simulator.Subscribed)[0], champions, atRisk))
	require.Len(t, b.Events(), 2)
}

// TestEventsTellOfNobodyWhoIsNotMailed has people who are withheld, put off or refused, and one who leaves for good.
func TestEventsTellOfNobodyWhoIsNotMailed(t *testing.T) {
	extents(t, func(t *testing.T, mode connectors.Extent) {
		b := startBench(t)
		d, people := b.open(t, telling(mode)), b.people(simulator.Subscribed)
		lists := ensure(t, d, champions, atRisk)
		apply(t, d, join(people[1], champions))
		require.NoError(t, b.Suppress(people[0].Email, "HARD_BOUNCE"))
		require.NoError(t, b.UnsubscribeFrom(people[1].Email, b.Newsletter()))
		require.NoError(t, b.Unsubscribe(people[1].Email))
		gone := connectors.Change{Person: people[1], Leave: []string{champions.Key}, Left: []string{champions.Key}, Drop: []string{"rfm"}, Since: desiredAt}
		stranger := enter(connectors.Person{ID: 9001, Email: "stranger@example.com"}, champions)
		bad := enter(connectors.Person{ID: 9002, Email: "two..dots@example.com"}, champions)
		bad.Consent = commerce.ConsentSubscribed
		outcomes := apply(t, d, enter(people[0], champions), gone, stranger, bad)
		require.Equal(t, connectors.Withheld, outcomes[people[0].ID].State)
		require.NotEqual(t, connectors.Withheld, outcomes[people[1].ID].State, "it is delivered that they leave, and told nobody")
		require.Empty(t, b.members(lists[0]))
		require.Empty(t, b.Events())
		require.NotContains(t, fmt.Sprint(b.People()), "stranger@example.com")
	})
}

func TestEventsTellOfNobodyWhoIsPutOff(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t, telling(connectors.Both)), b.people(simulator.Subscribed)[:3]
	lists := ensure(t, d, champions, atRisk)
	b.FailJob(klaviyotest.JobDoesNone)
	result, err := d.Apply(t.Context(), enterAll(people, champions))
	require.NoError(t, err)
	follow(t, d, result)
	b.DeleteList(lists[1].ID)
	apply(t, d, enter(people[0], atRisk))
	require.Empty(t, b.Events())
}

// TestEventsHaveNamesOfTheirOwn has two people and both ways of one audience.
func TestEventsHaveNamesOfTheirOwn(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:2]
	d := b.ready(t, telling(connectors.OnlyLists), champions)
	for _, c := range enterAll(people, champions) {
		apply(t, d, c)
		c.Audiences, c.Entered, c.Leave, c.Left = nil, nil, c.Audiences, c.Entered
		apply(t, d, c)
	}
	names := map[string]bool{}
	for _, e := range b.Events() {
		names[e.UniqueID] = true
	}
	require.Len(t, names, 4)
}

func TestEventsTellOfNobodyWhoUnsubscribedMeanwhile(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t, telling(connectors.Both)), b.people(simulator.Subscribed)[:3]
	ensure(t, d, champions, atRisk)
	changes := enterAll(people, champions)
	changes[1] = join(people[1])
	changes[1].Leave, changes[1].Left, changes[1].Since = []string{atRisk.Key}, []string{atRisk.Key}, desiredAt
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	require.NoError(t, b.Unsubscribe(people[0].Email))
	require.NoError(t, b.Unsubscribe(people[1].Email))
	follow(t, d, result)
	require.Len(t, b.Events(), 1)
	require.Equal(t, people[2].Email, b.Events()[0].Email)
}

// TestEventsWhoseAnswerWasLostAreSentAgainUnderTheirNames loses the answer to the only request with events, with both ways
// in which Klaviyo may take the repetition, and with the refusal naming nobody.
func TestEventsWhoseAnswerWasLostAreSentAgainUnderTheirNames(t *testing.T) {
	for _, pass := range []bool{true, false} {
		for _, hide := range []bool{false, true} {
			b := startBench(t, klaviyotest.Options{PassRepeats: pass})
			if hide {
				b.HidePointers()
			}
			d, people := b.open(t, telling(connectors.OnlyLists), large()), b.people(simulator.Subscribed)[:5]
			ensure(t, d, champions)
			b.Fault(klaviyotest.Fault{Kind: simulator.LostAnswer, Times: 1, Writes: true, After: 1}) // behind the list
			for _, o := range apply(t, d, enterAll(people, champions)...) {
				require.Equal(t, connectors.Delivered, o.State, o.Reason)
			}
			require.Len(t, b.Events(), 5)
			require.Greater(t, b.asked("POST", "event"), 1)
		}
	}
}

// TestEventsComeBeforeTheAnswer lets Klaviyo take no events: nobody is delivered, and the next try tells once of everybody,
// those included whose profiles are right already.
func TestEventsComeBeforeTheAnswer(t *testing.T) {
	extents(t, func(t *testing.T, mode connectors.Extent) {
		b := startBench(t)
		people := b.people(simulator.Subscribed)[:4]
		d := b.open(t, telling(mode), large())
		ensure(t, d, champions)
		changes := enterAll(people, champions)
		b.Restrict("events:write")
		result, err := d.Apply(t.Context(), changes)
		for err == nil && result.Job != "" {
			require.Empty(t, result.Outcomes)
			result, err = d.Resume(t.Context(), result.Job)
		}
		require.Equal(t, connectors.KindCredentials, connectors.KindOf(err), "%v", err)
		require.Empty(t, result.Outcomes)
		again, err := b.ready(t, telling(mode), champions).Apply(t.Context(), changes) // some profiles may be right already
		require.Equal(t, connectors.KindCredentials, connectors.KindOf(err), "%v", err)
		require.Empty(t, again.Outcomes)
		require.Empty(t, b.Events())

		b.Allow("events:write")
		for _, o := range apply(t, b.ready(t, telling(mode), champions), changes...) {
			require.Contains(t, []connectors.OutcomeState{connectors.Delivered, connectors.Unchanged}, o.State, o.Reason)
		}
		require.Len(t, b.Events(), 4)
		apply(t, b.ready(t, telling(mode), champions), changes...) // killed before the answer was recorded
		require.Len(t, b.Events(), 4, "an event has the same name at every try")
		changes[0].Since = desiredAt.Add(24 * time.Hour) // who came back a day later
		apply(t, b.ready(t, telling(mode), champions), changes...)
		require.Len(t, b.Events(), 5)
	})
}

// ready opens a destination whose audiences are made.
func (b *bench) ready(t *testing.T, settings connectors.Settings, audiences ...connectors.Audience) connectors.Destination {
	t.Helper()
	d := b.open(t, settings, large())
	ensure(t, d, audiences...)
	return d
}

func TestEventsOfAJobAreSentByAnotherProcess(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t, telling(connectors.Both)), b.people(simulator.Subscribed)[:4]
	ensure(t, d, champions)
	result, err := d.Apply(t.Context(), enterAll(people, champions))
	require.NoError(t, err)
	require.Empty(t, b.Events(), "nobody is confirmed yet")
	fresh := b.open(t, telling(connectors.Both)) // which does not even know how the audience is called
	for range 2 {
		for _, o := range follow(t, fresh, result) {
			require.Equal(t, connectors.Delivered, o.State, o.Reason)
		}
	}
	require.Len(t, b.Events(), 4)
	require.Equal(t, "Champions", b.Events()[0].Properties["audience_name"])
}

// TestEventsGoByTheThousand sends 2,100 small ones, and then some of which 5 MB hold fewer.
func TestEventsGoByTheThousand(t *testing.T) {
	b := startBench(t)
	people := b.many(1050)
	d := b.ready(t, telling(connectors.OnlyLists), champions, atRisk)
	apply(t, d, enterAll(people, champions, atRisk)...)
	require.Len(t, b.Events(), 2100)
	require.Equal(t, 3, b.asked("POST", "event"))
	changes := enterAll(people[:100], champions)
	for i := range changes {
		changes[i].Since = desiredAt.Add(time.Hour)
		changes[i].Attributes = map[string]string{"rfm": strings.Repeat("x", 90_000)}
	}
	apply(t, d, changes...)
	require.Len(t, b.Events(), 2200)
	require.Equal(t, 5, b.asked("POST", "event"))
}

// TestAnEventThatIsRefusedBlocksNobody has an event that is too large, among others.
func TestAnEventThatIsRefusedBlocksNobody(t *testing.T) {
	for _, hide := range []bool{false, true} {
		b := startBench(t)
		if hide {
			b.HidePointers()
		}
		d := b.ready(t, telling(connectors.OnlyLists), champions)
		changes := enterAll(b.many(7), champions)
		changes[2].Attributes = map[string]string{"rfm": strings.Repeat("x", 100_001)}
		for _, o := range apply(t, d, changes...) {
			require.Equal(t, connectors.Delivered, o.State, "an event that is refused undoes nothing")
		}
		require.Len(t, b.Events(), 6)
	}
}
