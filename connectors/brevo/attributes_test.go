package brevo

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func TestAttributesAreMadeFirstInUpperCaseWithTheirTypes(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t, nil), b.people(simulator.Subscribed)[0]
	audience := ensure(t, d, champions)[0]
	c := join(p, champions)
	c.Attributes = map[string]string{"segment": "champions", "since": "2026-11-02", "predicted_value": "120.00"}
	require.Equal(t, connectors.Delivered, one(t, d, c).State)
	types := b.Attributes()
	require.Equal(t, "text", types["PERENNIAL_SEGMENT"])
	require.Equal(t, "date", types["PERENNIAL_SINCE"])
	require.Equal(t, "float", types["PERENNIAL_PREDICTED_VALUE"])
	require.InDelta(t, 120, b.person(t, p.Email).Attributes["PERENNIAL_PREDICTED_VALUE"], 0)
	page, err := d.Members(t.Context(), audience, "")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"segment": "champions", "since": "2026-11-02", "predicted_value": "120"}, page.Members[0].Attributes)
	require.Equal(t, connectors.Unchanged, one(t, d, c).State, "120.00 and 120 are the same")
}

// TestAttributesThatTheOwnerRenamedHaveTheirTypes: keys are the owner's own words, so the values say what they are.
func TestAttributesThatTheOwnerRenamedHaveTheirTypes(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t, nil), b.people(simulator.Subscribed)[:2]
	ensure(t, d, champions)
	changes := joinAll(people, champions)
	changes[0].Attributes = map[string]string{"gruppe": "champions", "seit": "2026-11-02", "wert": "120.00", "lieblinge": "1984", "kurz": "2026-11-02"}
	changes[1].Attributes = map[string]string{"gruppe": "at_risk", "seit": "2026-10-01", "wert": "80.50", "lieblinge": "Tee", "kurz": "nie"}
	for _, o := range apply(t, d, changes...) {
		require.Equal(t, connectors.Delivered, o.State)
	}
	types := b.Attributes()
	for name, want := range map[string]string{"GRUPPE": "text", "SEIT": "date", "WERT": "float", "LIEBLINGE": "text", "KURZ": "text"} {
		require.Equal(t, want, types["PERENNIAL_"+name], name)
	}
	report, err := d.Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK())
}

// TestAnAttributeIgnoredInSilenceIsNotDelivered deletes an attribute behind the back of a destination that knows it.
func TestAnAttributeIgnoredInSilenceIsNotDelivered(t *testing.T) {
	for _, importFrom := range []int{0, 1} {
		b := startBench(t)
		people := b.people(simulator.Subscribed)[:4]
		d := b.open(t, connectors.Settings{"import_from": importFrom})
		ensure(t, d, champions)
		_, err := d.Check(t.Context())
		require.NoError(t, err)
		b.DefineAttribute("PERENNIAL_RFM", "normal", "text")
		_, err = d.Check(t.Context()) // it has seen the attribute
		require.NoError(t, err)
		b.DropAttribute("PERENNIAL_RFM")
		for _, o := range apply(t, d, joinAll(people, champions)...) {
			require.Equal(t, connectors.RetryLater, o.State, "%+v", o)
			require.Contains(t, o.Reason, "keep")
		}
		for _, o := range apply(t, d, joinAll(people, champions)...) {
			require.Equal(t, connectors.Delivered, o.State, "the next push makes the attribute anew: %+v", o)
		}
		require.Equal(t, "545", b.person(t, people[3].Email).Attributes["PERENNIAL_RFM"])
	}
}

func TestAValueOfAnotherTypeIsRefusedAndNotIgnored(t *testing.T) {
	b := startBench(t)
	b.DefineAttribute("PERENNIAL_RFM", "normal", "date")
	d, p := b.open(t, nil), b.people(simulator.Subscribed)[0]
	ensure(t, d, champions)
	o := one(t, d, join(p, champions))
	require.Equal(t, connectors.Refused, o.State)
	require.Contains(t, o.Reason, "PERENNIAL_RFM has the type date")
	report, err := d.Check(t.Context())
	require.NoError(t, err)
	require.False(t, report.OK(), "the check says so before the first push")
}

func TestAnAttributeThatTakesNoValuesStopsThePush(t *testing.T) {
	b := startBench(t)
	b.DefineAttribute("PERENNIAL_RFM", "calculated", "")
	d := b.open(t, nil)
	ensure(t, d, champions)
	_, err := d.Apply(t.Context(), []connectors.Change{join(b.people(simulator.Subscribed)[0], champions)})
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	require.ErrorContains(t, err, "PERENNIAL_RFM")
}

func TestAttributesAreClearedByUpdatesOnly(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t, connectors.Settings{"import_from": 1}), b.people(simulator.Subscribed)[:2]
	ensure(t, d, champions, atRisk)
	apply(t, d, joinAll(people, champions)...)
	change := join(people[0], champions, atRisk)
	change.Attributes, change.Drop = map[string]string{"segment": "x"}, []string{"rfm"}
	require.Equal(t, connectors.Delivered, one(t, d, change).State)
	require.NotContains(t, b.person(t, people[0].Email).Attributes, "PERENNIAL_RFM")
	require.Equal(t, "x", b.person(t, people[0].Email).Attributes["PERENNIAL_SEGMENT"])
}

func TestOneBadRecordDoesNotBlockItsBatch(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t, connectors.Settings{"batch": 10}), b.people(simulator.Subscribed)[:7]
	list := ensure(t, d, champions)[0]
	changes := joinAll(people, champions)
	changes[4].Attributes = map[string]string{"rfm": "5\x005"}
	outcomes := apply(t, d, changes...)
	for i, p := range people {
		want := connectors.Delivered
		if i == 4 {
			want = connectors.Refused
		}
		require.Equal(t, want, outcomes[p.ID].State, "%+v", outcomes[p.ID])
	}
	require.Equal(t, "Invalid attribute value", outcomes[people[4].ID].Reason, "in Brevo's own words")
	require.Len(t, b.members(list), 6)
}

// cut breaks the connection at some requests.
type cut func(r *http.Request) bool

func (c cut) RoundTrip(r *http.Request) (*http.Response, error) {
	if c(r) {
		return nil, io.ErrUnexpectedEOF
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestWhatCouldNotBeReadBackIsNotDelivered breaks the connection after the update and before it is read back.
func TestWhatCouldNotBeReadBackIsNotDelivered(t *testing.T) {
	b := startBench(t)
	tune := hurry
	tune.transport = cut(func(r *http.Request) bool { return r.URL.Query().Has("modifiedSince") })
	d, err := factory(tune).NewDestination(b.set, connectors.Deps{})
	require.NoError(t, err)
	_, err = d.Ensure(t.Context(), []connectors.Audience{champions})
	require.NoError(t, err)
	result, err := d.Apply(t.Context(), joinAll(b.people(simulator.Subscribed)[:2], champions))
	require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
	require.Empty(t, result.Outcomes)
	require.NotContains(t, err.Error(), "@")
}
