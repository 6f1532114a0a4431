package mailchimp

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestNeverMoreThanNineConnections keeps a distance from the ten that Mailchimp allows, so that no 429 comes, over sockets.
func TestNeverMoreThanNineConnections(t *testing.T) {
	b := startBench(t, func(o *mailchimptest.Options) { o.Latency = 5 * time.Millisecond })
	people := b.crowdOf(100)
	d := b.openEnsured(t, usual, connectors.Settings{"bulk_from": 1000})
	for _, o := range applyAll(t, d, joinAll(people, champions)...) {
		require.Equal(t, connectors.Delivered, o.State)
	}
	require.LessOrEqual(t, b.Connections(), usualConnections)
	require.GreaterOrEqual(t, b.Connections(), usualConnections-1, "and uses what is allowed")
	require.False(t, slices.ContainsFunc(b.Requests(), func(r mailchimptest.Request) bool { return r.Status == 429 }))
}

// TestBareRefusalsAreWaitedOut: at high volume a 403 or 429 comes without JSON, and says nothing of the key.
func TestBareRefusalsAreWaitedOut(t *testing.T) {
	for _, kind := range []mailchimptest.FaultKind{simulator.ForbiddenPage, simulator.ThrottlePage, simulator.TooManyRequests} {
		for _, bulk := range []int{1, 1000} {
			b := startBench(t)
			b.bulk = bulk
			d, people := b.openEnsured(t), b.people(simulator.Subscribed)[:4]
			b.Fault(mailchimptest.Fault{Kind: kind, Times: 3})
			for _, o := range applyAll(t, d, joinAll(people, champions)...) {
				require.Equal(t, connectors.Delivered, o.State, kind)
			}
			b.Fault(mailchimptest.Fault{Kind: kind, Times: 1_000_000})
			changes := joinAll(people, champions)
			_, err := d.Apply(t.Context(), changes)
			require.Equal(t, connectors.KindWait, connectors.KindOf(err), "%s: %v", kind, err)
			var e *connectors.Error
			require.ErrorAs(t, err, &e)
			require.True(t, e.Until.After(time.Now()), "nobody says how long: some minutes")
		}
	}
}

func TestCheckTellsWhatIsMissing(t *testing.T) {
	b := startBench(t)
	_, err := b.open(t, connectors.Settings{"audience": "ffffffffff"}).Check(t.Context())
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	require.ErrorContains(t, err, "no audience ffffffffff")
	require.Contains(t, connectors.Remedy(err), b.Audience()+" (Newsletter)")

	before := b.state()
	report, err := b.open(t).Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK())
	require.Contains(t, fmt.Sprint(report.Findings), "Newsletter")
	b.Restrict()
	report, err = b.open(t).Check(t.Context())
	require.NoError(t, err)
	require.False(t, report.OK())
	require.Contains(t, fmt.Sprint(report.Findings), "Manager")
	require.Equal(t, before, b.state(), "looking changes nothing")
}

func TestOddAddresses(t *testing.T) {
	odd := []string{"o'brien@example.com", "a+b@example.com", "a|b@example.com", "zoë@example.com", `b\c@example.com`, "mixed@example.com"}
	for _, crowd := range []int{0, fewPeople} {
		b := startBench(t)
		d := b.openEnsured(t)
		var changes []connectors.Change
		for i, email := range odd {
			b.Add(email, subscribed)
			changes = append(changes, join(connectors.Person{ID: int64(i + 500), Email: email}, champions))
		}
		changes = append(changes, joinAll(b.crowdOf(crowd), champions)...)
		changes = append(changes, join(connectors.Person{ID: 50}, champions), join(connectors.Person{ID: 51, Email: "nul\x00@example.com"}, champions))
		for id, o := range applyAll(t, d, changes...) {
			switch id {
			case 50:
				require.Equal(t, connectors.ReasonNoEmail, o.Reason)
			case 51:
				require.Equal(t, connectors.Refused, o.State)
			default:
				require.Equal(t, connectors.Delivered, o.State, o.Reason)
			}
		}
	}
}

func TestAudienceWithoutATagIsNamed(t *testing.T) {
	b := startBench(t)
	p := b.people(simulator.Subscribed)[0]
	_, err := b.open(t).Apply(t.Context(), []connectors.Change{join(p, connectors.Audience{Key: "unheard_of"})})
	require.ErrorContains(t, err, "unheard_of")
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
}
