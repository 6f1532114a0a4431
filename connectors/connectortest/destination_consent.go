package connectortest

import (
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

func destinationConsentTests() []test[*destinationRun] {
	unsubscribe := need("Unsubscribe and Mailed", func(r *destinationRun) bool { return r.Unsubscribe != nil && r.Mailed != nil })
	suppress := need("Suppress", func(r *destinationRun) bool { return r.Suppress != nil })
	erased := need("Delete", func(r *destinationRun) bool { return r.Delete != nil })
	stranger := need("Stranger", func(r *destinationRun) bool { return r.Stranger != nil })
	return []test[*destinationRun]{
		{name: "unsubscribed stays out of the audience", needs: unsubscribe, run: (*destinationRun).staysOut},
		{name: "unsubscribed stays out of every audience", needs: unsubscribe, run: (*destinationRun).staysOutEverywhere},
		{name: "unsubscribed survives leave and join", needs: unsubscribe, run: (*destinationRun).survivesLeave},
		{name: "unsubscribed is read back", needs: unsubscribe, run: (*destinationRun).readsUnsubscribed},
		{name: "suppressed is withheld", needs: suppress, run: (*destinationRun).withholdsSuppressed},
		{name: "stranger is not created", needs: stranger, run: (*destinationRun).createsNobody},
		{name: "deleted is not created again", needs: erased, run: (*destinationRun).bringsNobodyBack},
	}
}

// ReadBackTests are the tests of what a platform tells about people: a harness of a connectors.OneWay destination, which is
// told nothing, skips them and says who asks for consent in its place.
func ReadBackTests() []string { return names(destinationConsentTests()) }

// left brings a person into the first audience, lets them unsubscribe there, and returns both audiences.
func (r *destinationRun) left(d connectors.Destination, p connectors.Person) []connectors.Audience {
	r.Helper()
	audiences := r.ensure(d, champions, atRisk)
	r.deliver(d, join(p, champions.Key))
	require.Contains(r, r.Mailed(audiences[0]), p.Email, "the harness's person can be mailed")
	r.Unsubscribe(p, audiences[0])
	require.NotContains(r, r.Mailed(audiences[0]), p.Email)
	return audiences
}

// unmailed demands that no mailing to the audiences reaches the person.
func (r *destinationRun) unmailed(p connectors.Person, audiences []connectors.Audience) {
	r.Helper()
	for _, audience := range audiences {
		require.NotContains(r, r.Mailed(audience), p.Email, "somebody who unsubscribed is mailed through %s", audience.Name)
	}
}

func (r *destinationRun) withheld(d connectors.Destination, reason string, c connectors.Change) {
	r.Helper()
	o := r.apply(d, c)[c.Person.ID]
	require.Equal(r, connectors.Withheld, o.State, "%+v", o)
	if reason != "" {
		require.Equal(r, reason, o.Reason)
	}
}

func (r *destinationRun) staysOut() {
	d, p := r.open(), r.Reachable(1)[0]
	audiences := r.left(d, p)
	r.withheld(d, connectors.ReasonUnsubscribed, join(p, champions.Key))
	r.unmailed(p, audiences)
}

func (r *destinationRun) staysOutEverywhere() {
	d, p := r.open(), r.Reachable(1)[0]
	audiences := r.left(d, p)
	move := join(p, atRisk.Key)
	move.Leave = []string{champions.Key}
	r.withheld(d, connectors.ReasonUnsubscribed, move)
	r.unmailed(p, audiences)
	fresh := r.open()
	r.ensure(fresh, champions, atRisk)
	r.withheld(fresh, connectors.ReasonUnsubscribed, join(p, champions.Key, atRisk.Key))
	r.unmailed(p, audiences)
}

func (r *destinationRun) survivesLeave() {
	d, p := r.open(), r.Reachable(1)[0]
	audiences := r.left(d, p)
	r.apply(d, leave(p, champions.Key))
	for range 2 {
		r.withheld(d, connectors.ReasonUnsubscribed, join(p, champions.Key))
		r.unmailed(p, audiences)
		r.apply(d, leave(p, champions.Key, atRisk.Key))
		r.unmailed(p, audiences)
	}
}

func (r *destinationRun) readsUnsubscribed() {
	d, p := r.open(), r.Reachable(1)[0]
	audiences := r.left(d, p)
	member, there := r.readBack(d, audiences[0])[p.Email]
	require.True(r, !there || member.Consent.State == "unsubscribed", "%+v", member)
}

func (r *destinationRun) withholdsSuppressed() {
	d, p := r.open(), r.Reachable(1)[0]
	audiences := r.ensure(d, champions)
	r.Suppress(p)
	before := r.State()
	r.withheld(d, connectors.ReasonSuppressed, join(p, champions.Key))
	require.NotContains(r, r.Members(audiences[0]), p.Email)
	r.sameState(before.Foreign, r.State().Foreign, "withholding")
	if r.Mailed != nil {
		r.unmailed(p, audiences)
	}
}

func (r *destinationRun) createsNobody() {
	d, p := r.open(), r.Stranger()
	r.ensure(d, champions)
	before := r.State()
	r.withheld(d, "", join(p, champions.Key))
	r.sameState(before.Foreign, r.State().Foreign, "withholding")
	r.sameState(before.Ours, r.State().Ours, "withholding")
}

// bringsNobodyBack deletes people whom the destination was told of once. A yes of theirs is older than that, or of the shop.
func (r *destinationRun) bringsNobodyBack() {
	d, people := r.open(), r.Reachable(3)
	r.ensure(d, champions, atRisk)
	changes := joinAll(people, champions.Key)
	outcomes := r.apply(d, changes...)
	for i, p := range people {
		id := outcomes[p.ID].RemoteID
		require.NotEmpty(r, id, "an outcome of somebody who is there tells the platform's id of them")
		changes[i].Person.RemoteID, changes[i].Consent = id, commerce.ConsentSubscribed
		r.Delete(p)
	}
	before := r.State()
	for _, d := range []connectors.Destination{d, r.open()} {
		r.ensure(d, champions, atRisk)
		for _, o := range r.apply(d, changes...) {
			require.Equal(r, connectors.Withheld, o.State, "%+v", o)
			require.Equal(r, connectors.ReasonNotThere, o.Reason)
		}
		move := changes[0]
		move.Audiences, move.Leave = []string{atRisk.Key}, []string{champions.Key}
		r.withheld(d, connectors.ReasonNotThere, move)
	}
	r.sameState(before.Foreign, r.State().Foreign, "withholding")
	r.sameState(before.Ours, r.State().Ours, "withholding")
}
