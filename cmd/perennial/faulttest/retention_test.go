package faulttest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhoComesBackIsToldAndKept: a night works it out where orders changed, and a night without changes leaves it; where it
// cannot be worked out, the pushes have happened.
func TestWhoComesBackIsToldAndKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 23)
	w.night()
	require.Contains(t, w.must("report"), "Who comes back, as of")
	var reports []struct {
		Retention struct {
			Customers int `json:"customers"`
			Cohorts   []struct {
				Size int `json:"customers_first"`
			} `json:"cohorts"`
		} `json:"retention"`
	}
	require.NoError(t, json.Unmarshal([]byte(w.must("report", "--json")), &reports))
	size := 0
	for _, c := range reports[0].Retention.Cohorts {
		size += c.Size
	}
	require.Positive(t, size)
	require.Equal(t, size, reports[0].Retention.Customers)
	require.Equal(t, w.query(`SELECT count(*) FROM person_stats WHERE orders > 0`), w.query(`SELECT summary->>'customers' FROM retention`))

	runs := func() []string { return w.query(`SELECT state FROM runs WHERE kind = 'retention' ORDER BY run_id`) }
	require.Equal(t, []string{"succeeded"}, runs())
	w.must("analyze", "--quiet")
	require.Equal(t, []string{"succeeded"}, runs(), "it is of today already")
	require.Equal(t, w.query(`SELECT count(*) FROM person_stats WHERE orders > 0`), w.query(`SELECT DISTINCT summary->>'customers' FROM summaries`))
	_, err := w.db.Exec(`DELETE FROM summaries WHERE question = 'products'`)
	require.NoError(t, err)
	w.must("analyze", "--quiet")
	require.Equal(t, []string{"succeeded", "succeeded"}, runs(), "products were never worked out by the program before this one")
	require.Equal(t, []string{"products", "values"}, w.query(`SELECT question FROM summaries ORDER BY 1`))
	_, err = w.db.Exec(`UPDATE retention SET summary = summary || '{"basis": "gross"}'`)
	require.NoError(t, err)
	w.must("analyze", "--quiet")
	require.Equal(t, []string{"succeeded", "succeeded", "succeeded"}, runs(), "the basis is another one")

	pushes := len(w.query(`SELECT 1 FROM runs WHERE kind = 'push' AND state = 'succeeded'`))
	_, err = w.db.Exec(`UPDATE retention SET summary = summary || '{"basis": "gross"}';
		ALTER TABLE retention ADD CONSTRAINT broken CHECK (false) NOT VALID`)
	require.NoError(t, err)
	w.shop.Advance(1)
	_, errs, code := w.run("run", "--once", "--quiet")
	require.NotZero(t, code)
	require.Contains(t, errs, "retention")
	require.Equal(t, []string{"succeeded", "succeeded", "succeeded", "failed"}, runs())
	require.Greater(t, len(w.query(`SELECT 1 FROM runs WHERE kind = 'push' AND state = 'succeeded'`)), pushes)
}

// TestTrialsAreJudgedAtNight: a report reads what was found, as of the day on which that was.
func TestTrialsAreJudgedAtNight(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 24)
	w.night()
	require.NotContains(t, w.must("report"), "What the audiences bring")
	require.Empty(t, w.query(`SELECT 1 FROM runs WHERE kind = 'trials'`), "nobody is held out of anything")
	_, err := w.db.Exec(`INSERT INTO holdouts SELECT store_id, 'lost', '2026-01-01', NULL, 0.1 FROM stores`)
	require.NoError(t, err)
	w.must("analyze", "--quiet")
	require.Equal(t, []string{"lost"}, w.query(`SELECT summary->'results'->0->>'audience' FROM summaries WHERE question = 'trials'`))
	require.Contains(t, w.must("report"), "What the audiences bring, as of "+w.query(`SELECT day::text FROM summaries WHERE question = 'trials'`)[0])
	w.shop.Advance(1)
	w.must("run", "--once", "--quiet")
	require.Equal(t, []string{"succeeded", "succeeded"}, w.query(`SELECT state FROM runs WHERE kind = 'trials' ORDER BY run_id`))
	require.Equal(t, []string{"1"}, w.query(`SELECT count(DISTINCT day)::text FROM summaries`), "all of them are of the same night")
}
