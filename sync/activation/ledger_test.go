package activation_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// answering answers about people by their number what the test says, and takes the others.
type answering struct {
	*platform
	says map[int64]connectors.Outcome
	job  map[int64]bool // who goes into a job that does not end
}

func (a answering) Apply(ctx context.Context, changes []connectors.Change) (connectors.Result, error) {
	var rest []connectors.Change
	var result connectors.Result
	for _, c := range changes {
		o, said := a.says[c.Person.ID]
		switch o.PersonID = c.Person.ID; {
		case a.job[c.Person.ID]:
			result.Job = "slow"
		case said:
			result.Outcomes = append(result.Outcomes, o)
		default:
			rest = append(rest, c)
		}
	}
	taken, err := a.platform.Apply(ctx, rest)
	result.Outcomes = append(result.Outcomes, taken.Outcomes...)
	return result, err
}

func (a answering) Resume(_ context.Context, job connectors.Job) (connectors.Result, error) {
	return connectors.Result{Job: job}, nil
}

// TestTheLedgerTellsOfEverybody: whoever is on the books is delivered or there for a reason, in a plan that is only looked at
// as in the status.
func TestTheLedgerTellsOfEverybody(t *testing.T) {
	s, p := newShop(t), newPlatform()
	var people []int64
	for i := range 12 {
		email := fmt.Sprintf("p%d@example.com", i)
		p.people[email] = newPlatform("x").people["x"]
		people = append(people, s.person("", email))
		s.place(people[i], "champions")
	}
	a := answering{platform: p, job: map[int64]bool{people[0]: true}, says: map[int64]connectors.Outcome{
		people[1]: {State: connectors.RetryLater, Reason: "busy"},
		people[2]: {State: connectors.RetryLater, Reason: "busy"},
		people[3]: {State: connectors.RetryLater},
		people[4]: {State: connectors.Refused, Reason: "Invalid email"},
		people[5]: {State: connectors.Refused, Reason: "unsubscribed"}, // in the platform's own words
		people[6]: {State: connectors.Withheld, Reason: connectors.ReasonNotThere},
		people[7]: {State: connectors.Withheld, Reason: connectors.ReasonUnsubscribed},
		people[8]: {State: connectors.Withheld, Reason: connectors.ReasonNoConsent},
	}}
	target := list()
	target.Exclude = []string{"p9@example.com"}
	options := s.options(p, target)
	options.Destination, options.JobWait = a, time.Nanosecond
	sum, err := activation.Push(t.Context(), options)
	require.NoError(t, err)
	require.Equal(t, []int{2, 2, 3, 1}, []int{sum.Delivered, sum.Refused, sum.RetryLater, sum.Pending})

	options.DryRun = true
	sum, err = activation.Push(t.Context(), options)
	require.NoError(t, err)
	soon := s.now.Add(30 * time.Minute)
	withheld := map[string]int{
		connectors.ReasonNotThere: 1, connectors.ReasonUnsubscribed: 1, connectors.ReasonNoConsent: 1, connectors.ReasonExcluded: 1,
	}
	refused := map[string]int{"Invalid email": 1, "unsubscribed": 1}
	retries := []activation.Retry{{Reason: "busy", People: 2, NextTry: soon}, {People: 1, NextTry: soon}}
	require.Equal(t, []int{2, 3, 1}, []int{sum.Plan.Unchanged, sum.Plan.Changes, sum.Plan.Pending})
	require.Equal(t, withheld, sum.Plan.Withheld)
	require.Equal(t, refused, sum.Plan.Refused)
	require.Equal(t, retries, sum.Plan.Retries)
	champions := sum.Plan.Audiences[0]
	require.Equal(t, []int{2, 0}, []int{champions.Before, champions.Leave})

	told, err := s.ledger.(report.Facts).Deliveries(t.Context())
	require.NoError(t, err)
	require.Len(t, told, 1)
	d := told[0]
	require.Equal(t, []int{2, 4, 1}, []int{d.Delivered, d.Waiting, d.Pending})
	require.Equal(t, withheld, d.Withheld)
	require.Equal(t, refused, d.Refused)
	require.Equal(t, retries, d.Retries)
	require.Equal(t, 12, d.Delivered+d.Waiting+4+2, "nobody is forgotten")
}

func TestARenamedAttributeLeavesUnderItsOldName(t *testing.T) {
	s, p := newShop(t), newPlatform("ann@example.com")
	s.place(s.person("", "ann@example.com"), "champions")
	target := list()
	target.Attributes = []string{"segment", "rfm"}
	s.push(p, target)
	target.Renamed = map[string]string{"rfm": "notes"}
	require.Equal(t, 1, s.push(p, target).Delivered)
	require.Equal(t, map[string]string{"segment": "champions", "notes": "543"}, p.people["ann@example.com"].attributes)
	require.Equal(t, 1, s.push(p, target).Plan.Unchanged)
	require.Equal(t, activation.Drift{Read: 1}, s.readBack(p, target))
	s.push(p, list())
	require.Equal(t, "543", p.people["ann@example.com"].attributes["rfm"])
	require.NotContains(t, p.people["ann@example.com"].attributes, "notes")
}
