package dashboard

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/retention"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/analysis/value"
)

// toldMost is the shop of the tests of package report with everything that a digest tells.
func toldMost(t *testing.T) report.Report {
	t.Helper()
	r, _ := told(t)
	r.Retention = &retention.Summary{}
	for name, into := range map[string]any{"retention.json": r.Retention, "trials.json": &r.Trials} {
		text, err := os.ReadFile(filepath.Join("..", "report", "testdata", name))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, into))
	}
	for _, set := range r.Sets {
		for i := range set.Rows {
			if id := set.Rows[i].ID; set.Name == segment.SchemeLifecycle && (id == segment.Slipping || id == segment.Lapsed) {
				set.Rows[i].Customers, set.Rows[i].Revenue = 40+i, decimal.New(int64(1_234_567*i), -2)
			}
		}
	}
	return r
}

func TestDigest(t *testing.T) {
	mail, err := Digest(toldMost(t), "https://shop.example/perennial")
	require.NoError(t, err)
	golden(t, "digest.txt", []byte(mail.Subject+"\n\n"+mail.Text))
	golden(t, "digest.html", []byte(mail.HTML))
	again, err := Digest(toldMost(t), "https://shop.example/perennial")
	require.NoError(t, err)
	require.Equal(t, mail, again)
}

// TestDigestSuitsMailPrograms: no script, style sheet, drawing or picture, which they drop, and no more than they show.
func TestDigestSuitsMailPrograms(t *testing.T) {
	for name, r := range map[string]report.Report{"most": toldMost(t), "nothing": {}} {
		mail, err := Digest(r, "")
		require.NoError(t, err, name)
		for _, bad := range []string{"<script", "<style", "<svg", "<img", "<link", "url(", "class=", "href", "http", "ZgotmplZ"} {
			require.NotContains(t, mail.HTML, bad, name)
		}
		require.Less(t, len(mail.HTML), 100_000, "longer ones are cut")
		require.NotContains(t, mail.HTML+mail.Text, "@", "nobody's address")
		for line := range strings.Lines(mail.Text) {
			require.LessOrEqual(t, runewidth.StringWidth(line), 78, line)
		}
	}
}

// TestDigestSaysTheSameTwice: every figure of the HTML is in the text.
func TestDigestSaysTheSameTwice(t *testing.T) {
	mail, err := Digest(toldMost(t), "")
	require.NoError(t, err)
	said := strings.Join(strings.Fields(mail.Text), " ")
	shown := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(mail.HTML, " ")
	for _, figure := range regexp.MustCompile(`[0-9][0-9.,]*[0-9]|[0-9]`).FindAllString(strings.ReplaceAll(shown, "&#34;", `"`), -1) {
		require.Contains(t, said, figure)
	}
}

func TestDigestOfAYoungShop(t *testing.T) {
	mail, err := Digest(report.Report{Overview: report.Overview{Store: "new"}, Warnings: []string{"The first load is not complete."}}, "")
	require.NoError(t, err)
	require.Equal(t, "new: nothing was analysed yet", mail.Subject)
	require.Contains(t, mail.Text, "- The first load is not complete.")
	require.Contains(t, mail.HTML, "The first load is not complete.")
}

// TestDigestTakesNamesForText: whatever a shop calls itself and its segments, no line of the mail's head is made of it, nor
// any tag.
func TestDigestTakesNamesForText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name") + rapid.SampledFrom([]string{"", "\r\nBcc: x", "\u2028", "\x00", "<b>", "</td>"}).Draw(t, "end")
		r := report.Report{Overview: report.Overview{Store: name, Currency: "EUR"}, Warnings: []string{name}}
		r.Segments.Day = "2026-03-21"
		r.Segments.Rows = []report.SegmentRow{{Name: name, Customers: 1, Revenue: decimal.NewFromInt(1)}}
		mail, err := Digest(r, "")
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(mail.Subject, unicode.IsControl) {
			t.Fatalf("control characters in %q", mail.Subject)
		}
		if strings.Contains(mail.HTML, "<b>") {
			t.Fatal(mail.HTML)
		}
		if strings.ContainsFunc(strings.ReplaceAll(mail.Text, "\n", ""), unicode.IsControl) {
			t.Fatalf("%q", mail.Text)
		}
	})
}

func TestDigestWeeks(t *testing.T) {
	r := report.Report{}
	r.Segments.Day = "2026-03-21"
	week := func(day string, size, complete int) retention.CohortRow {
		at, err := time.Parse(time.DateOnly, day)
		require.NoError(t, err)
		return retention.CohortRow{Start: retention.Date(at.Unix() / 86_400), Size: size, Complete: complete, Whole: true}
	}
	r.Retention = &retention.Summary{Weeks: []retention.CohortRow{week("2026-03-02", 4, 2), week("2026-03-09", 8, 1), week("2026-03-16", 3, 0)}}
	d := newDigest(r, "")
	require.Equal(t, []digestBar{{"2026-03-02", "4", 50}, {"2026-03-09", "8", 100}}, d.Weeks, "the week that is not over is no week yet")
	require.Equal(t, digestFigure{"New customers", "8", "in the week from 2026-03-09, 4 in the week before"}, d.Figures[0])
}

func TestDigestBest(t *testing.T) {
	share, gini := 0.6, 0.5
	r := report.Report{Retention: &retention.Summary{BestPart: 0.2, BestShare: &share}}
	r.Segments.Day = "2026-03-21"
	require.Equal(t, []digestFigure{{"Best customers", "60.0 %", "of the revenue comes from the best 20 % of them"}}, newDigest(r, "").Figures)
	r.Values = &value.Summary{Net: value.Spread{Gini: &gini, Tenths: []value.Tenth{{Share: 0.4}}}}
	require.Equal(t, []digestFigure{{"Best tenth", "40.0 %", "of what customers brought so far"}}, newDigest(r, "").Figures)
}
