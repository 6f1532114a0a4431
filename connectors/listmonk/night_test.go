package listmonk

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestAttributesAreWrittenOverFourConnections holds four requests back until all of them are there.
func TestAttributesAreWrittenOverFourConnections(t *testing.T) {
	b := startBench(t)
	var all sync.WaitGroup
	var asked, now atomic.Int64
	var more atomic.Bool
	all.Add(connections)
	before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		if now.Add(1) > connections {
			more.Store(true)
		}
		if asked.Add(1) <= connections {
			all.Done()
			all.Wait() // for ever, where there are fewer
		}
		now.Add(-1)
		return false
	})
	d := b.open(t, connectors.Settings{"list_batch": 1000})
	ensure(t, d, champions)
	var changes []connectors.Change
	for _, p := range b.people(simulator.Subscribed)[:8] {
		changes = append(changes, join(p, champions))
	}
	_, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	require.False(t, more.Load())
	require.EqualValues(t, len(changes), asked.Load())
}

// TestCallsOfANight holds what a difference of 1,000 people in 10 audiences costs against what the sizes of batches make
// unavoidable, and a tenth more. Attributes differ from person to person, and listmonk takes those of one at a time.
func TestCallsOfANight(t *testing.T) {
	const people, groups = 1000, 10
	var audiences []connectors.Audience
	for i := range groups {
		audiences = append(audiences, connectors.Audience{Key: fmt.Sprintf("group_%d", i), Name: fmt.Sprintf("Group %d", i)})
	}
	day := func(n int, attributes bool) (changes []connectors.Change) {
		for i := range people {
			c := connectors.Change{
				Person:    connectors.Person{ID: int64(i + 1), Email: fmt.Sprintf("night%d@example.com", i)},
				Audiences: []string{audiences[(i+n)%groups].Key},
			}
			if n > 0 {
				c.Leave = []string{audiences[(i+n-1)%groups].Key}
			}
			if attributes {
				c.Attributes = map[string]string{"since": fmt.Sprint(n)}
			}
			changes = append(changes, c)
		}
		return changes
	}
	for name, night := range map[string]struct {
		attributes bool
		calls      int // look-ups of 500, one addition and one removal for each list, and what is written to single people
	}{
		"lists":                {false, people/defaultBatch + 2*groups},
		"lists and attributes": {true, people/defaultBatch + 2*groups + people},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBench(t)
			usual := connectors.Settings{"list_batch": defaultListBatch, "batch": defaultBatch}
			for i := range people {
				require.NoError(t, b.Subscribe(fmt.Sprintf("night%d@example.com", i), b.Newsletter(), confirmed))
			}
			d := b.open(t, usual)
			audiences = ensure(t, d, audiences...)
			_, err := d.Apply(t.Context(), day(0, night.attributes))
			require.NoError(t, err)

			before := len(b.Requests())
			d = b.open(t, usual)
			ensure(t, d, audiences...)
			result, err := d.Apply(t.Context(), day(1, night.attributes))
			require.NoError(t, err)
			calls := len(b.Requests()) - before
			t.Logf("%d calls, %d unavoidable", calls, night.calls)
			require.LessOrEqual(t, calls, night.calls+night.calls/10)
			require.Len(t, result.Outcomes, people)
			for _, o := range result.Outcomes {
				require.Equal(t, connectors.Delivered, o.State)
			}
			for _, a := range audiences {
				require.Len(t, b.members(a), people/groups)
			}
			require.GreaterOrEqual(t, d.BatchSize(), people, "activation hands over all of them at once")

			before = len(b.Requests())
			result, err = d.Apply(t.Context(), day(1, night.attributes))
			require.NoError(t, err)
			require.Equal(t, people/defaultBatch, len(b.Requests())-before, "a quiet night looks up and writes nothing")
			require.Equal(t, connectors.Unchanged, result.Outcomes[0].State)
		})
	}
}
