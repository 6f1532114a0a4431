package klaviyo

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestAttributesOnly runs the suite in the mode without lists, where an audience is a value of a property.
func TestAttributesOnly(t *testing.T) {
	noLists := "in mode attributes an audience is a value of a property and goes with the last person who carries it"
	connectortest.Destination(t, connectortest.DestinationHarness{
		Factory: factory(impatient),
		Start: func(t *testing.T) connectortest.DestinationRig {
			b := startBench(t)
			rig := b.rig(t)
			rig.Settings["mode"] = "attributes"
			rig.Unsubscribe = func(p connectors.Person, _ connectors.Audience) { require.NoError(t, b.Unsubscribe(p.Email)) }
			rig.Mailed = b.members // a segment of Klaviyo's on the property would be mailed, but for those suppressed
			return rig
		},
		Skips: map[string]string{"remove": noLists},
	})
}

func TestAttributesOnlyReadsEverybodyInOneWalk(t *testing.T) {
	b := startBench(t)
	d := b.open(t, connectors.Settings{"mode": "attributes"})
	audiences := ensure(t, d, champions, atRisk)
	people := b.people(simulator.Subscribed)[:3]
	apply(t, d, join(people[0], champions), join(people[1], champions, atRisk), join(people[2], atRisk))
	require.Zero(t, b.asked("POST", "/api/lists"), "no list is made")
	roll, ok := d.(connectors.Roll)
	require.True(t, ok)
	page, err := roll.Everybody(t.Context(), "")
	require.NoError(t, err)
	require.True(t, page.Done)
	found := map[string][]string{}
	for _, m := range page.Members {
		found[m.Email] = m.Audiences
		require.Equal(t, map[string]string{"rfm": "545"}, m.Attributes)
	}
	require.Equal(t, map[string][]string{
		people[0].Email: {"champions"}, people[1].Email: {"at_risk", "champions"}, people[2].Email: {"at_risk"},
	}, found)
	require.Len(t, b.members(audiences[0]), 2)

	out := apply(t, d, connectors.Change{Person: people[0], Leave: []string{"champions"}, Drop: []string{"rfm"}})
	require.Equal(t, connectors.Delivered, out[people[0].ID].State)
	require.NotContains(t, b.person(t, people[0].Email).Properties, "perennial_audiences")
	_, ok = b.open(t).(connectors.Roll)
	require.False(t, ok, "with lists nobody's audiences can be told in one walk")
}

func TestPropertyOfAnotherModeGoes(t *testing.T) {
	b := startBench(t)
	p := b.people(simulator.Subscribed)[0]
	before := b.open(t, connectors.Settings{"mode": "attributes"})
	ensure(t, before, champions)
	apply(t, before, join(p, champions))
	require.Contains(t, b.person(t, p.Email).Properties, "perennial_audiences")
	after := b.open(t)
	ensure(t, after, champions)
	apply(t, after, join(p, champions))
	require.NotContains(t, b.person(t, p.Email).Properties, "perennial_audiences")
}

func TestListsOnlyWritesNoProperty(t *testing.T) {
	b := startBench(t)
	d := b.open(t, connectors.Settings{"mode": "lists"})
	list := ensure(t, d, champions)[0]
	people := b.people(simulator.Subscribed)[:4]
	result, err := d.Apply(t.Context(), joinAll(people, champions))
	require.NoError(t, err)
	require.Empty(t, result.Job, "without properties there is nothing to wait for")
	for _, o := range result.Outcomes {
		require.Equal(t, connectors.Delivered, o.State)
	}
	require.Len(t, b.members(list), 4)
	require.Zero(t, b.asked("POST", "/api/profile-bulk-import-jobs"))
	require.NotContains(t, b.person(t, people[0].Email).Properties, "perennial_rfm")
}

// TestQuietNightWritesNoProperty shows that what stands already is not sent again.
func TestQuietNightWritesNoProperty(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t), b.people(simulator.Subscribed)[:3]
	ensure(t, d, champions)
	apply(t, d, joinAll(people, champions)...)
	before := b.asked("POST", "/api/profile-bulk-import-jobs")
	onlyAttributes := connectors.Change{Person: people[0], Attributes: map[string]string{"rfm": "545"}}
	require.Equal(t, connectors.Unchanged, apply(t, d, onlyAttributes)[people[0].ID].State)
	apply(t, d, joinAll(people, champions)...)
	require.Equal(t, before, b.asked("POST", "/api/profile-bulk-import-jobs"))
}

func TestHandEditsAreMended(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	ensure(t, d, champions)
	apply(t, d, join(p, champions))
	for _, edit := range []any{"111", 545, nil} {
		require.NoError(t, b.SetProperty(p.Email, "perennial_rfm", edit))
		require.Equal(t, connectors.Delivered, apply(t, d, join(p, champions))[p.ID].State)
		require.Equal(t, "545", b.person(t, p.Email).Properties["perennial_rfm"])
	}
}

func TestSettings(t *testing.T) {
	for name, bad := range map[string]connectors.Settings{
		"mode":       {"mode": "everything"},
		"batch":      {"batch": 10_001},
		"list_batch": {"list_batch": 1_001},
		"api_key":    {"api_key": "two words"},
		"url":        {"url": "ftp://example.com"},
	} {
		settings := connectors.Settings{"api_key": canary}
		for key, value := range bad {
			settings[key] = value
		}
		_, err := New().NewDestination(settings, connectors.Deps{})
		require.ErrorContains(t, err, name)
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
		require.NotContains(t, err.Error(), "two words")
	}
	d, err := New().NewDestination(connectors.Settings{"api_key": canary}, connectors.Deps{})
	require.NoError(t, err)
	require.Equal(t, 10_000, d.(connectors.Batcher).BatchSize())
}

func TestExtentIsWhatTheModeSays(t *testing.T) {
	b := startBench(t)
	require.Equal(t, connectors.Both, b.open(t).(connectors.Limited).Extent())
	for _, mode := range []connectors.Extent{connectors.Both, connectors.OnlyAttributes, connectors.OnlyLists} {
		require.Equal(t, mode, b.open(t, connectors.Settings{"mode": string(mode)}).(connectors.Limited).Extent())
	}
}

func TestCheckNamesEveryMissingScope(t *testing.T) {
	events := connectors.Settings{"events": true}
	for _, p := range startBench(t).open(t, events).(*destination).probes() {
		b := startBench(t)
		b.Restrict(p.scope)
		report, err := b.open(t, events).Check(t.Context())
		require.NoError(t, err)
		require.Equal(t, p.level != connectors.Problem, report.OK(), p.scope)
		found := 0
		for _, f := range report.Findings {
			if f.Level != connectors.Fine && f.Subject == "scope "+p.scope {
				require.Contains(t, f.Remedy, p.scope)
				found++
			}
		}
		require.Equal(t, 1, found, p.scope)
	}
}

func TestCheckAsksForEventsOnlyWhereTheyAreSent(t *testing.T) {
	b := startBench(t)
	b.Restrict("events:write")
	report, err := b.open(t).Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK())
	require.Zero(t, b.asked("POST", "event"))
	_, err = startBench(t).open(t, connectors.Settings{"events": true}).Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, b.Events())
}

// TestCheckTellsWhoseAccountItIs: whichever key opens it, and nothing where the key may not know.
func TestCheckTellsWhoseAccountItIs(t *testing.T) {
	b := startBench(t)
	report, err := b.open(t).Check(t.Context())
	require.NoError(t, err)
	require.Equal(t, "AbC123", report.Account)
	b.Restrict("accounts:read")
	report, err = b.open(t).Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Account)
}
