package faulttest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMovementIsToldFromTheRecord lives through five weeks: the days asked for have to be days of history, the matrix adds up
// to what the snapshots say, and after four whole weeks it is counted where customers go next, once a week.
func TestMovementIsToldFromTheRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 29)
	w.night()
	out := w.must("segments", "--moves")
	require.Contains(t, out, "The history begins on ")
	require.Contains(t, w.must("report"), "Where customers go next can be told from ")
	for range 6 {
		w.shop.Advance(7)
		w.night()
	}

	days := w.query(`SELECT DISTINCT day::text FROM snapshots WHERE scheme = 'rfm' ORDER BY 1`)
	require.Len(t, days, 7)
	first, last := days[0], days[6]
	var moves []struct {
		Movements []struct {
			From, To string
			Flows    []struct {
				From, To  string
				Customers int
				Money     string
			}
		}
	}
	for _, set := range []string{"rfm", "lifecycle", "tier"} {
		text := w.must("segments", "--moves", "--set", set, "--from", first, "--json")
		require.NoError(t, json.Unmarshal([]byte(text), &moves))
		m := moves[0].Movements[0]
		require.Equal(t, last, m.To)
		before, after := map[string]int{}, map[string]int{}
		for _, f := range m.Flows {
			if f.From != "" {
				before[f.From] += f.Customers
			}
			if f.To != "" {
				after[f.To] += f.Customers
			}
		}
		for day, got := range map[string]map[string]int{first: before, last: after} {
			for _, line := range w.query(`SELECT segment || ' ' || customers FROM snapshots WHERE customers > 0 AND scheme = '` + set + `' AND day = '` + day + `'`) {
				var segment string
				var customers int
				_, err := fmt.Sscan(line, &segment, &customers)
				require.NoError(t, err)
				require.Equal(t, customers, got[segment], "%s in %s on %s", segment, set, day)
				delete(got, segment)
			}
			require.Empty(t, got)
		}
	}

	out, errs, code := w.run("segments", "--moves", "--from", "2001-01-01")
	require.Equal(t, 2, code, out)
	require.Contains(t, errs, "2001-01-01 lies before the first analysis")
	require.Contains(t, errs, "history is known from "+first+" to "+last)

	require.Equal(t, []string{"lifecycle", "rfm"}, w.query(`SELECT scheme FROM courses ORDER BY 1`))
	courses := w.query(`SELECT count(*)::text FROM runs WHERE kind = 'course' AND state = 'succeeded'`)
	w.must("analyze", "--quiet")
	require.Equal(t, courses, w.query(`SELECT count(*)::text FROM runs WHERE kind = 'course' AND state = 'succeeded'`), "no other week is over")
	require.Contains(t, w.must("report"), "the forecast for a week ahead")
	require.Contains(t, w.must("report", "--full"), "log-loss")
	require.Contains(t, w.must("report"), "Movement since ")

	email := w.query(`SELECT p.email FROM rfm_scores r JOIN persons p USING (store_id, person_id) WHERE p.email IS NOT NULL LIMIT 1`)[0]
	explained := w.must("explain", email)
	for _, text := range []string{"Lifecycle: ", "Value tier: ", "where next, within a week", "History"} {
		require.Contains(t, explained, text)
	}

	prospect := w.query(`SELECT p.email FROM standings s JOIN persons p USING (store_id, person_id)
		WHERE s.stage = 'prospect' AND p.email IS NOT NULL LIMIT 1`)
	require.NotEmpty(t, prospect)
	explained = w.must("explain", prospect[0])
	require.Contains(t, explained, "Lifecycle: Prospect, since ")
	require.NotContains(t, explained, "Value tier: ")

	listed := w.must("segments")
	for _, text := range []string{"(lifecycle_active)", "(tier_top)", "--- Tiers of value ---"} {
		require.Contains(t, listed, text)
	}
	require.NotContains(t, w.must("segments", "--set", "tier"), "(lifecycle_active)")
}
