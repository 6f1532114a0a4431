package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/experiment"
	"github.com/perennial-cvo/perennial/analysis/report"
)

// TrialSummary is what a night makes of the trials.
func (f *facts) TrialSummary(context.Context) (experiment.Summary, bool, error) {
	today := int32(analysis.Day(midnight, berlin()))
	s := experiment.Summary{Day: analysis.Date(int(today)).Format(time.DateOnly)}
	for _, t := range f.trials {
		t.AsOf = today
		t.Since += t.AsOf
		if t.Until != 0 {
			t.Until += t.AsOf
		}
		t.Entries = slices.Clone(t.Entries)
		for i := range t.Entries {
			t.Entries[i].Day += t.AsOf
		}
		s.Results = append(s.Results, experiment.Measure(t))
	}
	experiment.Decide(s.Results)
	text, err := json.Marshal(s) // as it is kept
	if err != nil {
		return s, false, err
	}
	s = experiment.Summary{}
	return s, len(f.trials) > 0, json.Unmarshal(text, &s)
}

// tried is a trial of an audience with so many people on either side, of whom so many of a thousand bought for about 50. Days
// are counted from today.
func tried(audience string, got, gotBuyers, held, heldBuyers int) experiment.Facts {
	share := float64(held) / float64(got+held)
	f := experiment.Facts{Audience: audience, Share: share, Since: -90, Entries: []experiment.Entry{{Day: -90, Share: share, Got: got, Held: held}}}
	side := func(people, buyers int, held bool) {
		buy := people * buyers / 1000
		for i, number := range []int{buy / 2, buy - buy/2} {
			amount := int64(30+40*i) * 10_000
			f.People = append(f.People, experiment.People{
				Number: number, Held: held, Share: share, After: experiment.Totals{Orders: 1, Revenue: amount, Margin: amount / 4, Costed: amount},
			})
		}
		f.People = append(f.People, experiment.People{Number: people - buy, Held: held, Share: share})
	}
	side(got, gotBuyers, false)
	side(held, heldBuyers, true)
	return f
}

// tryingShop is the tea shop with a trial for everything that can be said of one.
func tryingShop() *facts {
	f := teaShop()
	young := tried("champions", 900, 200, 300, 200)
	young.Since = -20
	few := tried("loyal", 80, 500, 20, 500)
	few.Entries[0].Got += 50
	for day := int32(-60); day < 0; day++ {
		few.Entries = append(few.Entries, experiment.Entry{Day: day, Share: few.Share, Got: 4, Held: 1})
	}
	rare := tried("potential_loyalist", 4000, 4, 1000, 4)
	unclear := tried("need_attention", 3000, 260, 1000, 230)
	for day := int32(-70); day < 0; day++ {
		unclear.Entries = append(unclear.Entries, experiment.Entry{Day: day, Share: unclear.Share, Got: 30, Held: 10})
	}
	hopeless := tried("about_to_sleep", 900, 110, 100, 100)
	over := tried("lost", 900, 110, 400, 100)
	over.Until = -10
	wrong := tried("hibernating", 900, 200, 300, 200)
	wrong.Entries[0].Share = 0.1
	sells := tried("cannot_lose_them", 4000, 400, 2000, 200)
	for i := range sells.People {
		if p := &sells.People[i]; !p.Held {
			p.After.Margin = -p.After.Revenue / 4
		}
	}
	f.trials = []experiment.Facts{
		young, few, rare, unclear, hopeless, over, wrong, sells,
		tried("at_risk", 4000, 300, 2000, 200), tried("new_customers", 4000, 100, 2000, 200), tried("gone_from_the_configuration", 60_000, 500, 60_000, 500),
	}
	return f
}

func TestWhatTheAudiencesBring(t *testing.T) {
	r := collect(t, tryingShop())
	var verdicts []experiment.Verdict
	for _, trial := range r.Trials {
		verdicts = append(verdicts, trial.Verdict)
	}
	require.Equal(t, []experiment.Verdict{
		experiment.TooEarly, experiment.TooEarly, experiment.TooEarly, experiment.TooEarly, experiment.TooEarly, experiment.TooEarly,
		experiment.Broken, experiment.Helps, experiment.Helps, experiment.Harms, experiment.NoEffect,
	}, verdicts)
	for name, write := range map[string]func(*bytes.Buffer) error{
		"trials_60.txt":   func(b *bytes.Buffer) error { return report.Terminal(b, r, 60, false) },
		"trials_full.txt": func(b *bytes.Buffer) error { return report.Full(b, r, 100, false) },
	} {
		var b bytes.Buffer
		require.NoError(t, write(&b))
		_, section, ok := bytes.Cut(b.Bytes(), []byte("\nWhat the audiences bring"))
		require.True(t, ok)
		section, _, ok = bytes.Cut(section, []byte("\nFrom the shop's revenue"))
		require.True(t, ok)
		golden(t, name, section)
	}
	var b bytes.Buffer
	require.NoError(t, report.JSON(&b, r.Trials[8:9]))
	golden(t, "trials.json", b.Bytes())
}

func TestNothingIsSaidOfTrialsWhereThereAreNone(t *testing.T) {
	f := teaShop()
	var b bytes.Buffer
	require.NoError(t, report.Terminal(&b, collect(t, f), 80, false))
	require.NotContains(t, b.String(), "What the audiences bring")
	f.trials = []experiment.Facts{{Audience: "lost", Share: 0.1, Since: -1}}
	b.Reset()
	require.NoError(t, report.Terminal(&b, collect(t, f), 80, false))
	require.Contains(t, b.String(), "Lost: too early to tell.")
	require.Contains(t, b.String(), "What the audiences bring, as of 2026-03-21")
	f.trials = nil
	r := collect(t, f)
	require.Empty(t, r.Trials, "nothing was worked out yet")
	require.Empty(t, r.TrialsDay)
}

func TestExplainSaysWhoIsHeldOut(t *testing.T) {
	f := teaShop()
	f.person.Sides = []report.PersonSide{
		{Audience: "at_risk", Since: "2026-03-02", Held: true},
		{Audience: "lost", Since: "2026-01-02"},
		{Audience: "champions", Since: "2026-01-03", Held: true, Over: true},
		{Audience: "gone", Since: "2026-01-04", Over: true},
	}
	e, _, err := report.CollectPerson(t.Context(), f, f.person.Email)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.Explain(&b, e, 120, false))
	_, section, ok := bytes.Cut(b.Bytes(), []byte("\nWhat audiences bring\n"))
	require.True(t, ok)
	require.Equal(t, `  By lot this person is held out of At Risk, due in it since 2026-03-02, to find out what it brings.
  Due in Lost since 2026-01-02 and not held out of it: compared with those who are.
  By lot this person was held out of Champions, due in it since 2026-01-03, to find out what it brings. That is over.
  Due in gone since 2026-01-04 and not held out of it: compared with those who were. That is over.
`, string(section))
	b.Reset()
	require.NoError(t, report.JSON(&b, e))
	require.Contains(t, b.String(), `"since": "2026-03-02"`)
}
