package brevo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

var (
	attributesMode = connectors.Settings{"mode": "attributes"}
	listsMode      = connectors.Settings{"mode": "lists"}
)

func TestTheModeSaysWhatIsWritten(t *testing.T) {
	b := startBench(t)
	for mode, extent := range map[string]connectors.Extent{
		"both": connectors.Both, "attributes": connectors.OnlyAttributes, "lists": connectors.OnlyLists,
	} {
		var limited connectors.Limited = b.open(t, connectors.Settings{"mode": mode})
		require.Equal(t, extent, limited.Extent())
	}
	require.Equal(t, connectors.Both, b.open(t, nil).Extent())
	_, err := factory(hurry).NewDestination(connectors.Settings{"api_key": "x", "mode": "all"}, connectors.Deps{})
	require.ErrorContains(t, err, `"mode" is "all"`)
}

// roll reads everybody back, by address.
func roll(t *testing.T, d *destination) map[string]connectors.Member {
	t.Helper()
	all := map[string]connectors.Member{}
	var cursor connectors.Cursor
	for {
		page, err := d.Everybody(t.Context(), cursor)
		require.NoError(t, err)
		for _, m := range page.Members {
			all[m.Email] = m
		}
		if page.Done {
			return all
		}
		cursor = page.Next
	}
}

func TestWithoutListsAnAttributeNamesTheAudiences(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:3]
	d, lists := b.open(t, attributesMode), len(b.Lists())
	ready := ensure(t, d, champions, atRisk)
	require.Equal(t, ready, ensure(t, d, ready...))
	apply(t, d, join(people[0], champions, atRisk), join(people[1], atRisk), join(people[2], champions))
	require.Len(t, b.Lists(), lists, "no list is made")
	require.Equal(t, ",at_risk,champions,", b.person(t, people[0].Email).Attributes["PERENNIAL_AUDIENCES"])

	seen := roll(t, d)
	require.Equal(t, []string{"at_risk", "champions"}, seen[people[0].Email].Audiences)
	require.Equal(t, map[string]string{"rfm": "545"}, seen[people[0].Email].Attributes, "what names the audiences is no attribute of its own")
	page, err := d.Members(t.Context(), ready[0], "")
	require.NoError(t, err)
	require.Len(t, page.Members, 2)

	leave := join(people[0], atRisk)
	leave.Leave = []string{"champions"}
	require.Equal(t, connectors.Delivered, one(t, d, leave).State)
	require.NoError(t, b.SetAttribute(people[1].Email, "PERENNIAL_AUDIENCES", ",champions,")) // by hand
	seen = roll(t, d)
	require.Equal(t, []string{"at_risk"}, seen[people[0].Email].Audiences)
	require.Equal(t, []string{"champions"}, seen[people[1].Email].Audiences, "the drift shows")
	require.Equal(t, connectors.Delivered, one(t, d, join(people[1], atRisk)).State)
	require.Equal(t, connectors.Unchanged, one(t, d, join(people[1], atRisk)).State)

	require.NoError(t, b.Blacklist(people[2].Email))
	require.Equal(t, connectors.ReasonSuppressed, one(t, d, join(people[2], champions)).Reason)
	require.NotContains(t, b.person(t, people[2].Email).Attributes, "PERENNIAL_AUDIENCES", "who says no is in no audience")
	require.NoError(t, b.Unsubscribe(people[1].Email, b.Newsletter()))
	require.Equal(t, connectors.ReasonUnsubscribed, one(t, d, join(people[1], atRisk)).Reason)
	require.NotContains(t, b.person(t, people[1].Email).Attributes, "PERENNIAL_AUDIENCES")

	for _, p := range people { // as purge does
		one(t, d, connectors.Change{Person: p, Leave: []string{"champions", "at_risk"}, Drop: []string{"rfm"}})
		for name := range b.person(t, p.Email).Attributes {
			require.NotContains(t, name, "PERENNIAL")
		}
	}
	require.NoError(t, d.Remove(t.Context(), ready))
}

func TestNoOtherAttributeMayNameTheAudiences(t *testing.T) {
	for _, mode := range []connectors.Settings{nil, attributesMode} {
		b := startBench(t)
		d := b.open(t, mode)
		ensure(t, d, champions)
		c := join(b.people(simulator.Subscribed)[0], champions)
		c.Attributes["audiences"] = "x"
		o := one(t, d, c)
		require.Equal(t, connectors.Refused, o.State)
		require.Contains(t, o.Reason, "PERENNIAL_AUDIENCES")
	}
}

func TestWithListsOnlyNothingIsWrittenToContacts(t *testing.T) {
	for _, importFrom := range []int{0, 1} {
		b := startBench(t)
		p := b.people(simulator.Subscribed)[0]
		d := b.open(t, connectors.Settings{"mode": "lists", "import_from": importFrom})
		list := ensure(t, d, champions)[0]
		require.Equal(t, connectors.Delivered, one(t, d, join(p, champions)).State)
		require.Equal(t, connectors.Unchanged, one(t, d, join(p, champions)).State)
		require.Contains(t, b.members(list), p.Email)
		for _, r := range b.Requests() {
			require.NotContains(t, r.Path+r.Body, "PERENNIAL_")
			require.NotContains(t, r.Body, `"attributes"`)
		}
		page, err := d.Members(t.Context(), list, "")
		require.NoError(t, err)
		require.Empty(t, page.Members[0].Attributes)
	}
}

func TestWhoIsCreatedInAMode(t *testing.T) {
	for mode, want := range map[string]map[string]any{
		"lists": {}, "attributes": {"PERENNIAL_RFM": "545", "PERENNIAL_AUDIENCES": ",champions,", "FIRSTNAME": "Nele"},
	} {
		b := startBench(t)
		d := b.open(t, connectors.Settings{"mode": mode, "import_from": 1})
		ensure(t, d, champions)
		changes := strangers(25, champions)
		for i := range changes {
			changes[i].Person.FirstName = "Nele"
		}
		for _, o := range apply(t, d, changes...) {
			require.Equal(t, connectors.Delivered, o.State, "%+v", o)
		}
		require.Equal(t, want, b.person(t, changes[24].Person.Email).Attributes)
	}
}

func TestTheCheckTellsOfListsFromAnotherMode(t *testing.T) {
	b := startBench(t)
	ensure(t, b.open(t, nil), champions)
	report, err := b.open(t, attributesMode).Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK())
	require.Contains(t, fmt.Sprint(report.Findings), "1 lists of ours from another mode")
}

func TestWithListsOnlyWhatAnotherModeWroteCanGo(t *testing.T) {
	b := startBench(t)
	p := b.people(simulator.Subscribed)[0]
	before := b.open(t, nil)
	lists := ensure(t, before, champions)
	apply(t, before, join(p, champions))
	d := b.open(t, listsMode)
	ensure(t, d, lists...)
	require.Empty(t, roll(t, d)[p.Email].Attributes)
	apply(t, d, connectors.Change{Person: p, Audiences: []string{"champions"}, Drop: []string{"rfm"}})
	require.NotContains(t, b.person(t, p.Email).Attributes, "PERENNIAL_RFM")
	require.Contains(t, b.members(lists[0]), p.Email)
}

// TestAnotherModeTakesBackWhatTheFirstWrote goes from lists to the attribute and back. Ids of audiences change with the
// mode, so that everybody is pushed anew, and the list of before is not lost sight of.
func TestAnotherModeTakesBackWhatTheFirstWrote(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:2]
	first := ensure(t, b.open(t, nil), champions)
	d := b.open(t, nil)
	ensure(t, d, first...)
	apply(t, d, joinAll(people, champions)...)
	foreign := b.person(t, people[0].Email).Lists[0]

	d = b.open(t, attributesMode)
	second := ensure(t, d, first...)
	require.NotEqual(t, first, second)
	apply(t, d, joinAll(people[:1], champions)...)
	require.NotContains(t, b.members(first[0]), people[0].Email, "taken off the list")
	require.Contains(t, b.person(t, people[0].Email).Lists, foreign)
	require.NoError(t, b.Unsubscribe(people[1].Email, idOf(first[0])))
	require.Equal(t, connectors.ReasonUnsubscribed, one(t, d, join(people[1], champions)).Reason, "a list of another mode is ours still")

	d = b.open(t, nil)
	third := ensure(t, d, second...)
	require.Equal(t, first, third)
	apply(t, d, join(people[0], champions))
	require.NotContains(t, b.person(t, people[0].Email).Attributes, "PERENNIAL_AUDIENCES")
	require.Contains(t, b.members(third[0]), people[0].Email)

	require.NoError(t, b.open(t, attributesMode).Remove(t.Context(), second))
	require.Len(t, b.Lists(), 1, "purge finds the list in every mode")
}

// inMode is the harness with another mode.
func inMode(mode string, importFrom int, members func(b *bench, a connectors.Audience) []string) connectortest.DestinationHarness {
	h := harness(importFrom)
	h.Start = func(t *testing.T) connectortest.DestinationRig {
		b := startBench(t)
		b.set["import_from"], b.set["mode"] = importFrom, mode
		rig := b.rig()
		if members != nil {
			rig.Members = func(a connectors.Audience) []string { return members(b, a) }
			rig.Mailed = rig.Members
			rig.Unsubscribe = func(p connectors.Person, _ connectors.Audience) { // of ours there is no list to leave
				_ = b.Unsubscribe(p.Email, b.Newsletter())
			}
		}
		return rig
	}
	return h
}

// named are the people whom the attribute names, but for those who said no to Brevo in whatever way.
func named(b *bench, a connectors.Audience) []string {
	var all []string
	for _, p := range b.People() {
		if text, _ := p.Attributes["PERENNIAL_AUDIENCES"].(string); !p.Blacklisted && len(p.Left) == 0 && strings.Contains(text, ","+a.Key+",") {
			all = append(all, p.Email)
		}
	}
	return all
}

func TestDestinationWithListsOnly(t *testing.T) {
	h := inMode("lists", 0, nil)
	withoutJobs(h)
	for _, name := range []string{"join", "attributes"} {
		h.Skips[name] = "in this mode no attribute is written, which TestWithListsOnlyNothingIsWrittenToContacts shows"
	}
	connectortest.Destination(t, h)
}

func TestDestinationWithAttributesOnly(t *testing.T) {
	h := inMode("attributes", 1, named)
	withoutJobs(h)
	h.Skips["remove"] = "there is no list to remove; what names the audiences goes with the people"
	connectortest.Destination(t, h)
}

// TestCheckTellsWhoseAccountItIs: whichever key opens it, and nothing where the questions of this hour are used up.
func TestCheckTellsWhoseAccountItIs(t *testing.T) {
	b := startBench(t, func(o *brevotest.Options) { o.Hourly = 1 })
	report, err := b.open(t, nil).Check(t.Context())
	require.NoError(t, err)
	require.Equal(t, "5f0c1e", report.Account)
	report, err = b.open(t, nil).Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Account)
}
