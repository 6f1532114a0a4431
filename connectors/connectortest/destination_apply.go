package connectortest

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
)

func destinationCheckTests() []test[*destinationRun] {
	return []test[*destinationRun]{
		{name: "good credentials", run: (*destinationRun).goodCredentials},
		{
			name: "revoked credentials", run: (*destinationRun).revokedCredentials,
			needs: need("Revoke", func(r *destinationRun) bool { return r.Revoke != nil }),
		},
		{
			name: "missing permission is named", run: (*destinationRun).missingPermission,
			needs: need("Restrict", func(r *destinationRun) bool { return r.Restrict != nil }),
		},
		{name: "empty settings are refused", run: (*destinationRun).emptySettings},
		{name: "unknown setting is refused", run: (*destinationRun).unknownSetting},
	}
}

func (r *destinationRun) goodCredentials() {
	report, err := r.check(r.open())
	require.NoError(r, err)
	require.True(r, report.OK(), "findings: %+v", report.Findings)
}

func (r *destinationRun) revokedCredentials() {
	d := r.open()
	r.ensure(d, champions)
	r.Revoke()
	_, err := r.check(d)
	require.Equal(r, connectors.KindCredentials.String(), connectors.KindOf(err).String(), "Check: %v", err)
	require.NotEmpty(r, connectors.Remedy(err), "the owner is told what to do")
	outcomes, err := r.try(d, joinAll(r.Reachable(2), champions.Key))
	require.Equal(r, connectors.KindCredentials.String(), connectors.KindOf(err).String(), "Apply: %v", err)
	for _, o := range outcomes {
		require.False(r, confirmed(o), "person %d is %s without a key", o.PersonID, o.State)
	}
}

func (r *destinationRun) missingPermission() {
	word := r.Restrict()
	report, err := r.check(r.open())
	require.Contains(r, describe(report, err), strings.ToLower(word))
}

func (r *destinationRun) emptySettings() {
	before := r.requestCount()
	for field, settings := range emptySettings(r.factory, r.Settings) {
		_, err := r.factory.NewDestination(settings, r.deps())
		require.Error(r, err, "without %q", field)
		require.Contains(r, err.Error(), field)
		require.Equal(r, connectors.KindPermanent.String(), connectors.KindOf(err).String())
		r.journal.note(err)
	}
	_, err := r.factory.NewDestination(connectors.Settings{}, r.deps())
	require.Error(r, err, "no settings at all")
	require.Equal(r, before, r.requestCount(), "settings are refused without network")
}

func (r *destinationRun) unknownSetting() {
	settings := connectors.Settings{"no_such_setting": "x"}
	for key, value := range r.Settings {
		settings[key] = value
	}
	_, err := r.factory.NewDestination(settings, r.deps())
	require.ErrorContains(r, err, "no_such_setting")
	r.journal.note(err)
}

func destinationApplyTests() []test[*destinationRun] {
	return []test[*destinationRun]{
		{name: "ensure twice", run: (*destinationRun).ensureTwice},
		{name: "join", run: (*destinationRun).joins},
		{name: "join twice", run: (*destinationRun).joinsTwice},
		{name: "leave", run: (*destinationRun).leaves},
		{name: "leave twice", run: (*destinationRun).leavesTwice},
		{name: "move between audiences", run: (*destinationRun).moves},
		{
			name: "attributes", run: (*destinationRun).attributes,
			needs: need("Attributes of a OneWay destination", func(r *destinationRun) bool {
				return r.Attributes != nil || !can[connectors.OneWay](r)
			}),
		},
		{name: "no change, no request", run: (*destinationRun).nothingToDo},
		{name: "more people than a batch holds", run: (*destinationRun).manyPeople},
		{
			name: "one bad address", run: (*destinationRun).oneBadAddress,
			needs: need("Bad", func(r *destinationRun) bool { return r.Bad != nil }),
		},
	}
}

func (r *destinationRun) ensureTwice() {
	first := r.ensure(r.open(), champions, atRisk)
	require.NotEqual(r, first[0].ID, first[1].ID)
	state := r.State()
	fresh := r.open()
	require.Equal(r, first, r.ensure(fresh, champions, atRisk), "found again by name")
	require.Equal(r, first, r.ensure(fresh, first...), "found again by id")
	reversed := r.ensure(r.open(), atRisk, champions)
	require.Equal(r, first[0].ID, reversed[1].ID)
	r.sameState(state.Ours, r.State().Ours, "ensuring what is there")
	r.sameState(state.Foreign, r.State().Foreign, "ensuring what is there")
}

func (r *destinationRun) joins() {
	d, people := r.open(), r.Reachable(3)
	audiences := r.ensure(d, champions, atRisk)
	r.deliver(d, joinAll(people, champions.Key)...)
	require.ElementsMatch(r, emails(people), r.Members(audiences[0]))
	require.Empty(r, r.Members(audiences[1]))
	if r.oneWay(d, audiences[0]) {
		return
	}
	back := r.readBack(d, audiences[0])
	require.Len(r, back, len(people))
	for _, p := range people {
		require.Equal(r, "545", back[p.Email].Attributes["rfm"])
	}
}

func (r *destinationRun) joinsTwice() {
	d, people := r.open(), r.Reachable(3)
	r.ensure(d, champions, atRisk)
	r.deliver(d, joinAll(people, champions.Key)...)
	before := r.State()
	r.deliver(d, joinAll(people, champions.Key)...)
	fresh := r.open()
	r.ensure(fresh, champions, atRisk)
	r.deliver(fresh, joinAll(people, champions.Key)...)
	after := r.State()
	r.sameState(before.Ours, after.Ours, "joining again")
	r.sameState(before.Foreign, after.Foreign, "joining again")
}

func leave(p connectors.Person, audiences ...string) connectors.Change {
	return connectors.Change{Person: p, Leave: audiences, Drop: []string{"segment", "rfm"}}
}

func (r *destinationRun) leaves() {
	d, people := r.open(), r.Reachable(3)
	audiences := r.ensure(d, champions)
	before := r.State()
	r.deliver(d, joinAll(people, champions.Key)...)
	r.deliver(d, leave(people[0], champions.Key))
	require.ElementsMatch(r, emails(people[1:]), r.Members(audiences[0]))
	r.deliver(d, leave(people[1], champions.Key), leave(people[2], champions.Key))
	require.Empty(r, r.Members(audiences[0]))
	r.sameState(before.Foreign, r.State().Foreign, "joining and leaving")
}

func (r *destinationRun) leavesTwice() {
	d, people := r.open(), r.Reachable(2)
	audiences := r.ensure(d, champions)
	r.deliver(d, joinAll(people, champions.Key)...)
	r.deliver(d, leave(people[0], champions.Key))
	before := r.State()
	r.deliver(d, leave(people[0], champions.Key))
	r.sameState(before.Ours, r.State().Ours, "leaving again")
	require.Equal(r, emails(people[1:]), r.Members(audiences[0]))
}

func (r *destinationRun) moves() {
	d, p := r.open(), r.Reachable(1)[0]
	audiences := r.ensure(d, champions, atRisk)
	r.deliver(d, join(p, champions.Key))
	move := join(p, atRisk.Key)
	move.Leave = []string{champions.Key}
	r.deliver(d, move)
	require.Empty(r, r.Members(audiences[0]))
	require.Equal(r, []string{p.Email}, r.Members(audiences[1]))
}

func (r *destinationRun) attributes() {
	d, p := r.open(), r.Reachable(1)[0]
	audience := r.ensure(d, champions)[0]
	c := join(p, champions.Key)
	c.Attributes = map[string]string{"segment": "champions", "segment_name": "Größte Fans & <Freunde> 🙂", "rfm": "555"}
	r.deliver(d, c)
	require.Equal(r, c.Attributes, r.held(d, audience, p))

	c.Attributes, c.Drop = map[string]string{"segment": "champions", "rfm": "454"}, []string{"segment_name"}
	r.deliver(d, c)
	require.Equal(r, c.Attributes, r.held(d, audience, p))
}

func (r *destinationRun) nothingToDo() {
	d := r.open()
	r.ensure(d, champions)
	before := r.requestCount()
	result, err := d.Apply(cancelledContext(), nil)
	require.NoError(r, err, "nothing to do needs no network")
	require.Empty(r, result.Outcomes)
	require.Equal(r, before, r.requestCount())
}

func (r *destinationRun) manyPeople() {
	require.Positive(r, r.Batch, "the harness does not say how many a batch holds")
	d, people := r.open(), r.Reachable(2*r.Batch+1)
	audience := r.ensure(d, champions)[0]
	r.deliver(d, joinAll(people, champions.Key)...)
	require.ElementsMatch(r, emails(people), r.Members(audience))
	if !r.oneWay(d, audience) {
		require.Len(r, r.readBack(d, audience), len(people))
	}
	var gone []connectors.Change
	for _, p := range people[1:] {
		gone = append(gone, leave(p, champions.Key))
	}
	r.deliver(d, gone...)
	require.Equal(r, []string{people[0].Email}, r.Members(audience))
}

func (r *destinationRun) oneBadAddress() {
	d, people := r.open(), r.Reachable(5)
	audience := r.ensure(d, champions)[0]
	bad, consent := r.Bad()
	changes := joinAll(people, champions.Key)
	unwelcome := join(bad, champions.Key)
	unwelcome.Consent = consent
	outcomes := r.apply(d, append(changes[:2:2], append([]connectors.Change{unwelcome}, changes[2:]...)...)...)
	for _, p := range people {
		require.True(r, confirmed(outcomes[p.ID]), "a bad address blocked person %d: %+v", p.ID, outcomes[p.ID])
	}
	require.ElementsMatch(r, emails(people), r.Members(audience))
	require.Equal(r, connectors.Refused, outcomes[bad.ID].State, "%+v", outcomes[bad.ID])
	require.NotEmpty(r, outcomes[bad.ID].Reason, "the reason is told")
}
