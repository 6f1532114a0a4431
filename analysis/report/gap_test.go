package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// told is everything that tells of whole lives: what it collects, and how it looks on a terminal.
func told(t *testing.T, f *facts) map[string][2]string {
	t.Helper()
	r, err := report.Collect(t.Context(), f, report.Options{Now: now})
	require.NoError(t, err)
	s, err := report.CollectStatus(t.Context(), f, now)
	require.NoError(t, err)
	g, err := report.CollectSegments(t.Context(), f, "")
	require.NoError(t, err)
	e, _, err := report.CollectPerson(t.Context(), f, f.person.Email)
	require.NoError(t, err)
	out := analysis.Outcome{Shop: analysis.Shop{Name: "tea", Currency: "EUR", Location: time.UTC, Since: f.overview.Since}}
	all := map[string][2]string{}
	for name, c := range map[string]struct {
		what  any
		write func(*bytes.Buffer) error
	}{
		"report":   {r, func(b *bytes.Buffer) error { return report.Terminal(b, r, 400, false) }},
		"status":   {s, func(b *bytes.Buffer) error { return report.Status(b, []report.StoreStatus{s}, 400, false) }},
		"segments": {g, func(b *bytes.Buffer) error { return report.Segments(b, g, 400, false) }},
		"explain":  {e, func(b *bytes.Buffer) error { return report.Explain(b, e, 400, false) }},
		"past":     {report.FromOutcome(out), func(b *bytes.Buffer) error { return report.Outcome(b, out, 400, false) }},
	} {
		var b bytes.Buffer
		require.NoError(t, c.write(&b))
		made, err := json.Marshal(c.what)
		require.NoError(t, err)
		all[name] = [2]string{string(made), b.String()}
	}
	return all
}

func TestFiguresWithoutOlderOrdersAreMarked(t *testing.T) {
	f := teaShop()
	for name, text := range told(t, f) {
		require.NotContains(t, strings.ToLower(text[0]+text[1]), "incomplete", name)
	}
	f.overview.Since = time.Date(2026, 1, 19, 23, 30, 0, 0, time.UTC) // the 20th in Berlin
	for name, text := range told(t, f) {
		var fields struct {
			Incomplete struct {
				Since        time.Time
				Text, Remedy string
			}
		}
		require.NoError(t, json.Unmarshal([]byte(text[0]), &fields), name)
		require.Equal(t, f.overview.Since, fields.Incomplete.Since, name)
		require.Contains(t, fields.Incomplete.Text, "Orders before 2026-01-", name)
		require.Contains(t, fields.Incomplete.Remedy, "read_all_orders", name)
		if name != "past" {
			require.Contains(t, fields.Incomplete.Text, "2026-01-20", "the shop's own day")
		}
		lines := strings.SplitN(text[1], "\n", 3)
		require.Contains(t, lines[0]+lines[1], "! INCOMPLETE: Orders before 2026-01-", "%s says it first", name)
		require.Contains(t, lines[0]+lines[1], "read_all_orders", name)
	}
}

func TestPushHeldForOlderOrdersIsExplained(t *testing.T) {
	f := teaShop()
	f.deliveries = []report.Delivery{{Destination: "letters", Held: []report.Held{{Key: activation.History, Name: activation.History, Before: 9, After: 9}}}}
	f.overview.Since = time.Date(2026, 1, 19, 12, 0, 0, 0, time.UTC)
	s, err := report.CollectStatus(t.Context(), f, now)
	require.NoError(t, err)
	notes := strings.Join(s.Warnings, "\n")
	require.Contains(t, notes, "The push to letters is held, because orders before 2026-01-19 are not known")
	require.Contains(t, notes, "perennial push --confirm history")
	require.NotContains(t, notes, "shrink")

	f.overview.Since = time.Time{}
	s, err = report.CollectStatus(t.Context(), f, now)
	require.NoError(t, err)
	require.NotContains(t, strings.Join(s.Warnings, "\n"), "letters", "the next push is not held")
}
