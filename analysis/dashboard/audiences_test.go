package dashboard

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/experiment"
	"github.com/perennial-cvo/perennial/analysis/report"
)

func TestAudiences(t *testing.T) {
	goldenPage(t, served(t, wholeShop(t)), "/shops/tea/audiences", "audiences.html")
	goldenPage(t, served(t, newShop()), "/shops/tea/audiences", "audiences_new.html")
	golden(t, "audiences.csv", got(t, served(t, wholeShop(t)), "/shops/tea/audiences.csv").Body.Bytes())
}

// TestWhatAPlatformSaysIsText: its words may be anything.
func TestWhatAPlatformSaysIsText(t *testing.T) {
	f := wholeShop(t)
	d := &f.status.Deliveries[1]
	d.Refused = map[string]int{"<script>alert(1)</script>": 1, "=HYPERLINK(1)": 2}
	d.Audiences = append(d.Audiences, report.AudienceCount{Key: "own_one", Name: "<b>Own</b>", Members: 3})
	s := served(t, f)
	for _, page := range []string{"audiences", "today"} {
		text := got(t, s, "/shops/tea/"+page).Body.String()
		require.NotContains(t, text, "<script>alert", page)
		require.NotContains(t, text, "<b>Own", page)
		require.Contains(t, text, "&lt;script&gt;alert", page)
	}
	require.Contains(t, got(t, s, "/shops/tea/audiences.csv").Body.String(), ",'=HYPERLINK(1),")
}

// TestTrialsInWords: every verdict has its words, and nothing is drawn of which nothing can be said.
func TestTrialsInWords(t *testing.T) {
	f := wholeShop(t)
	one := f.report.Trials[0]
	for _, c := range []struct {
		verdict experiment.Verdict
		head    string
		drawn   bool
	}{
		{experiment.Helps, "it helps", true},
		{experiment.Harms, "it harms", true},
		{experiment.NoEffect, "no effect found", true},
		{experiment.TooEarly, "too early to tell", true},
		{experiment.Broken, "do not trust it", false},
	} {
		one.Verdict = c.verdict
		f.report.Trials = []report.Trial{one}
		v := &view{Report: &f.report}
		told := v.Trials()
		require.Len(t, told, 1)
		require.Equal(t, c.head, told[0].Head)
		require.Equal(t, c.drawn, told[0].Drawn != "", c.head)
	}
	one.Verdict, one.Revenue.Range = experiment.TooEarly, nil
	f.report.Trials = []report.Trial{one}
	require.Empty(t, (&view{Report: &f.report}).Trials()[0].Drawn)
	page := got(t, served(t, f), "/shops/tea/audiences").Body.String()
	require.Contains(t, page, "too early to tell")
	require.Equal(t, 0, strings.Count(page, `class="chart interval"`))
}
