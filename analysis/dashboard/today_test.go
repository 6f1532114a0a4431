package dashboard

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// wholeShop is the shop of teaShop with months, trials, money at stake and a night's runs.
func wholeShop(t *testing.T) *shopFacts {
	t.Helper()
	f := teaShop(t)
	for name, into := range map[string]any{"retention.json": &f.report.Retention, "trials.json": &f.report.Trials} {
		text, err := os.ReadFile(filepath.Join("..", "report", "testdata", name))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, into))
	}
	for _, set := range f.report.Sets {
		for i := range set.Rows {
			if r := &set.Rows[i]; r.ID == segment.Slipping || r.ID == segment.Lapsed {
				r.Customers, r.Revenue = 40+i, decimal.New(int64(1234567*i), -2)
			}
		}
	}
	ended := func(kind, state string, hours int) report.Run {
		at := readAt.Add(time.Duration(-hours) * time.Hour)
		return report.Run{Kind: kind, State: state, Started: at.Add(-7 * time.Minute), Ended: at, Counts: map[string]int{"read": 120, "added": 3}}
	}
	pushed := ended("push", "failed", 1)
	pushed.Error, pushed.Remedy = "newsletter: the key was refused", "make a new key in listmonk, set it as api_key, then `perennial push`"
	f.runs = []report.Run{pushed, ended("analyze", "succeeded", 2), ended("sync", "succeeded", 3), ended("push", "succeeded", 26), ended("tidy", "deferred", 30)}
	f.status.Runs = f.runs
	return f
}

// quietShop is a shop about which there is nothing to say.
func quietShop(t *testing.T) *shopFacts {
	t.Helper()
	f := wholeShop(t)
	f.report.Movement.Flows, f.report.Movement.Changes = nil, nil
	f.report.Warnings, f.status.Warnings, f.status.Quarantined = nil, nil, nil
	f.status.Overview.Quarantined = 0
	f.status.Deliveries = f.status.Deliveries[:1]
	f.runs = f.runs[1:]
	f.status.Runs = f.runs
	return f
}

// newShop is a shop of which nothing is known yet, but for how far the first load is.
func newShop() *shopFacts {
	f := &shopFacts{}
	f.status.Now = readAt
	f.status.Overview = report.Overview{Store: "tea", Resources: []report.Resource{
		{Name: "products", Records: 120, Done: true, SyncedAt: readAt}, {Name: "orders", Records: 300, Read: 300, Total: 1200}, {Name: "reviews", Read: 25}, {Name: "customers"},
	}}
	f.status.Warnings = []string{"The first load is not complete: nothing is analysed or pushed before it is. The daemon goes on with it, or `perennial sync`."}
	f.report.Overview, f.report.Warnings = f.status.Overview, f.status.Warnings
	f.runs = []report.Run{{Kind: "sync", State: "running", Started: readAt.Add(-time.Minute)}}
	f.status.Runs = f.runs
	return f
}

func TestToday(t *testing.T) {
	goldenPage(t, served(t, wholeShop(t)), "/shops/tea/today", "today.html")
	goldenPage(t, served(t, quietShop(t)), "/shops/tea/today", "today_quiet.html")
	goldenPage(t, served(t, newShop()), "/shops/tea/today", "today_new.html")
}

func TestAQuietDaySaysSo(t *testing.T) {
	page := got(t, served(t, quietShop(t)), "/shops/tea/today").Body.String()
	require.Contains(t, page, "Nothing needs your attention")
	require.Contains(t, page, "Nobody moved from one group to another since 2026-02-21")
}

// TestTodayTellsWorstFirst: what failed comes before what is good to know, and what has since succeeded is not told.
func TestTodayTellsWorstFirst(t *testing.T) {
	f := wholeShop(t)
	s := served(t, f)
	v := s.view("tea", "today", "Today")
	v.Report, v.Status, v.ReadAt = &f.report, &f.status, readAt
	notes := v.Notes()
	require.Equal(t, "failed", notes[0].Tag)
	require.Equal(t, "Push, 2026-03-21 02:30, 1 hour ago: newsletter: the key was refused.", notes[0].What)
	require.Contains(t, notes[0].Remedy, "Make a new key")
	require.Equal(t, "held", notes[1].Tag)
	require.Equal(t, `The push to newsletter waits, because the audience "Champions" would shrink from 143 to 20, and the audience `+
		`"Owner's list" would be emptied of its 1 member.`, notes[1].What)
	require.Contains(t, notes[1].Remedy, "`perennial push --confirm champions,owners_list`")
	for _, n := range notes[2:] {
		require.NotContains(t, n.What, "held", "it is told once")
	}

	f.status.Runs = append([]report.Run{{Kind: "push", State: "succeeded", Started: readAt, Ended: readAt}}, f.status.Runs...)
	require.Equal(t, "held", v.Notes()[0].Tag)
}

// TestSectionsInAFile: in a file that stands by itself nothing leads to the dashboard, and nothing is told by how long ago it
// was.
func TestSectionsInAFile(t *testing.T) {
	f := wholeShop(t)
	s := served(t, f)
	for _, name := range []string{"today", "audiences"} {
		v := s.view("tea", name, name)
		v.Report, v.Status, v.ReadAt, v.Link = &f.report, &f.status, readAt, links{none: true}
		var b bytes.Buffer
		require.NoError(t, s.templates[name].ExecuteTemplate(&b, "section-"+name, v))
		require.NotContains(t, b.String(), `href="/`)
		require.NotContains(t, b.String(), `href=""`)
		require.NotContains(t, b.String(), " ago")
		v.Status, v.terms = nil, new(int)
		require.NoError(t, s.templates[name].ExecuteTemplate(&b, "section-"+name, v), "there is no status in a report")
	}
}

func TestComparedMonths(t *testing.T) {
	for _, c := range []struct {
		now, then    float64
		words, looks string
	}{
		{100, 100, "as before", ""},
		{110, 100, "+10.0 %", "good"},
		{50, 100, "-50.0 %", "bad"},
		{5, 0, "", ""},
		{0, 0, "as before", ""},
		{100.001, 100, "as before", ""},
		{5, -3, "", ""},
		{0, 8, "-100.0 %", "bad"},
	} {
		found := compared(change{}, c.now, c.then)
		require.Equal(t, c.words, found.Words, c)
		require.Equal(t, c.looks, found.Class, c)
	}
}

// TestFewMonths: without two whole months there is nothing to compare.
func TestFewMonths(t *testing.T) {
	f := wholeShop(t)
	v := &view{Report: &f.report}
	require.NotNil(t, v.Months())
	f.report.Retention.Months = f.report.Retention.Months[len(f.report.Retention.Months)-2:]
	require.Nil(t, v.Months())
	f.report.Retention = nil
	require.Nil(t, v.Months())
}
