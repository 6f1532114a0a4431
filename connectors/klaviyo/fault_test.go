package klaviyo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestWhateverGoesWrongTheRerunConvergesAndTellsOnce goes through nights in which requests fail at random places and every
// step may be the last one of its process. In the end everybody is where they shall be, and every event is there once.
func TestWhateverGoesWrongTheRerunConvergesAndTellsOnce(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 5))
			mode := []connectors.Extent{connectors.Both, connectors.OnlyAttributes, connectors.OnlyLists}[seed%3]
			b := startBench(t, klaviyotest.Options{PassRepeats: seed%2 == 0})
			people := b.people(simulator.Subscribed)[:8]
			open := func() connectors.Destination { return b.open(t, telling(mode)) }
			lists := ensure(t, open(), champions, atRisk)
			first := open()
			ensure(t, first, lists...)
			apply(t, first, joinAll(people[:4], atRisk)...) // the first fill
			changes := enterAll(people, champions)
			for i := range changes[:4] {
				changes[i].Leave, changes[i].Left = []string{atRisk.Key}, []string{atRisk.Key}
			}
			n := &nights{b: b, r: r, open: open, lists: lists, left: changes}
			for range 40 {
				n.live(t)
			}
			b.Fault(klaviyotest.Fault{})
			for len(n.left) > 0 {
				n.live(t)
			}
			require.ElementsMatch(t, addresses(people), b.members(lists[0]))
			require.Empty(t, b.members(lists[1]))
			told := map[string]int{}
			for _, e := range b.Events() {
				told[e.Metric+" "+e.Email]++
			}
			require.Len(t, told, 12)
			require.Len(t, b.Events(), 12, "nobody is told of twice: %v", told)
		})
	}
}

func addresses(people []connectors.Person) []string {
	var all []string
	for _, p := range people {
		all = append(all, p.Email)
	}
	return all
}

// nights are pushes of which each does one step and may be cut short.
type nights struct {
	b     *bench
	r     *rand.Rand
	open  func() connectors.Destination
	lists []connectors.Audience
	left  []connectors.Change // of people not confirmed yet
	job   connectors.Job
}

// live opens a new process, breaks something, and lets it do one step, whose answer is recorded or lost.
func (n *nights) live(t *testing.T) {
	t.Helper()
	d := n.open()
	if len(n.left) == 0 {
		return
	}
	n.b.Fault(klaviyotest.Fault{})
	if n.r.IntN(3) > 0 {
		kinds := []klaviyotest.FaultKind{
			simulator.ServerError, simulator.LostAnswer, simulator.CutBody, simulator.HTMLPage, simulator.TooManyRequests, simulator.BareForbidden,
		}
		n.b.Fault(klaviyotest.Fault{Kind: kinds[n.r.IntN(len(kinds))], Times: 1 + n.r.IntN(9), After: n.r.IntN(5), Writes: n.r.IntN(2) == 0})
	}
	if n.r.IntN(6) == 0 {
		n.b.FailJob([]klaviyotest.JobFault{klaviyotest.JobPartly, klaviyotest.JobDoesNone, klaviyotest.JobCancelled, klaviyotest.JobLies}[n.r.IntN(4)])
	}
	if _, err := d.Ensure(t.Context(), n.lists); err != nil {
		return
	}
	var result connectors.Result
	var err error
	if n.job == "" {
		result, err = d.Apply(t.Context(), n.left)
	} else {
		result, err = d.Resume(t.Context(), n.job)
	}
	if n.r.IntN(4) == 0 {
		return // killed before anything was recorded
	}
	if err == nil || result.Job != "" {
		n.job = result.Job
	}
	n.left = slices.DeleteFunc(slices.Clone(n.left), func(c connectors.Change) bool {
		return slices.ContainsFunc(result.Outcomes, func(o connectors.Outcome) bool {
			return o.PersonID == c.Person.ID && (o.State == connectors.Delivered || o.State == connectors.Unchanged)
		})
	})
	time.Sleep(min(10*time.Millisecond, time.Until(result.NotBefore)))
}
