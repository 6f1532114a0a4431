package faulttest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWorthIsToldAndKeptForAWeek: the first night tells what customers are worth, the next nights leave it, and after a week
// it is worked out anew; a worth that cannot be told keeps no push from happening.
func TestWorthIsToldAndKeptForAWeek(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 23)
	w.night()
	require.Equal(t, []string{"1"}, w.query(`SELECT count(*) FROM appraisals`))
	out := w.must("report")
	require.Contains(t, out, "Worth as of")
	require.Contains(t, out, "Model: ")
	var reports []struct {
		Worth struct {
			Kind     string   `json:"kind"`
			Findings []string `json:"findings"`
		} `json:"worth"`
	}
	require.NoError(t, json.Unmarshal([]byte(w.must("report", "--json")), &reports))
	require.NotEmpty(t, reports[0].Worth.Kind)
	require.NotEmpty(t, reports[0].Worth.Findings)

	email := w.query(`SELECT p.email FROM rfm_scores r JOIN persons p USING (store_id, person_id) WHERE p.email IS NOT NULL LIMIT 1`)[0]
	explained := w.must("explain", email)
	for _, text := range []string{"Outlook as of", "Probability of still buying", "Orders expected in 12 months", "Value expected in 12 months", "Next order"} {
		require.Contains(t, explained, text)
	}

	runs := func() []string { return w.query(`SELECT state FROM runs WHERE kind = 'worth' ORDER BY run_id`) }
	require.Equal(t, []string{"succeeded"}, runs())
	w.must("analyze", "--quiet")
	require.Equal(t, []string{"succeeded"}, runs(), "nothing to do is not done")
	w.must("analyze", "--refit", "--quiet")
	require.Equal(t, []string{"succeeded", "succeeded"}, runs())

	pushes := len(w.query(`SELECT 1 FROM runs WHERE kind = 'push' AND state = 'succeeded'`))
	_, err := w.db.Exec(`UPDATE appraisals SET day = day - 7, worth = worth || jsonb_build_object('day', (worth->>'day')::int - 7);
		ALTER TABLE appraisals ADD CONSTRAINT broken CHECK (false) NOT VALID`)
	require.NoError(t, err)
	w.shop.Advance(1)
	_, errs, code := w.run("run", "--once", "--quiet")
	require.NotZero(t, code)
	require.Contains(t, errs, "appraisal")
	require.Equal(t, []string{"succeeded", "succeeded", "failed"}, runs())
	require.Len(t, w.query(`SELECT 1 FROM runs WHERE kind = 'push' AND state = 'succeeded'`), pushes+1)
}
