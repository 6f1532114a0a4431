package report

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/experiment"
)

// Trial is what one audience brings, told in words too.
type Trial struct {
	Name string `json:"name"`
	experiment.Result
	Words []string `json:"words"` // the verdict first
}

// trials tells of all audiences of which a share is held out, or was, as last worked out.
func (r *Report) trials(ctx context.Context, facts Facts) error {
	r.Trials = []Trial{}
	summary, ok, err := facts.TrialSummary(ctx)
	if err != nil || !ok {
		return err
	}
	if len(summary.Results) > 0 {
		r.TrialsDay = summary.Day
	}
	for _, result := range summary.Results {
		t := Trial{Name: r.audience(result.Audience), Result: result}
		t.Words = t.words(r.Overview.Currency)
		r.Trials = append(r.Trials, t)
	}
	return nil
}

// audience is the name of an audience for people; that of one which is no more is its key.
func (r *Report) audience(key string) string {
	for _, row := range r.Segments.Rows {
		if row.Audience == key {
			return row.Name
		}
	}
	for _, set := range r.Sets {
		for _, row := range set.Rows {
			if row.Audience == key {
				return row.Name
			}
		}
	}
	return key
}

// trialLines is how much is told of a trial beside the verdict, in short.
const trialLines = 2

// look is how a verdict is set off, and its mark.
func (t Trial) look() (style, string) {
	switch {
	case t.Verdict == experiment.Broken:
		return yellow, "  ! "
	case t.Verdict == experiment.Harms, t.soldOff():
		return yellow, "  - "
	case t.Verdict == experiment.Helps:
		return green, "  + "
	case t.Verdict == experiment.NoEffect:
		return plain, "  = "
	}
	return plain, "  ? "
}

// soldOff says that an audience sells more and earns less.
func (t Trial) soldOff() bool {
	return t.Verdict == experiment.Helps && t.Margin != nil && t.Margin.Verdict == experiment.Harms
}

// trials writes what the audiences bring.
func (p *page) trials(r Report) {
	if len(r.Trials) == 0 {
		return
	}
	p.heading("What the audiences bring, as of %s, net revenue in %s", r.TrialsDay, r.Overview.Currency)
	for _, t := range r.Trials {
		look, mark := t.look()
		p.say(look, mark, "%s: %s", t.Name, t.Words[0])
		more := t.Words[1:]
		if !p.full {
			more = more[:min(len(more), trialLines)]
		}
		for _, text := range more {
			p.say(dim, "    ", "%s", text)
		}
	}
	p.say(dim, "  ", "Each audience is compared with the people who were held out of it by lot, over the %d days from when each person was due first. "+
		"What is said holds with %.0f %% confidence for all audiences together, however often you look.", experiment.Window, 100*experiment.Level)
}

// words tell a trial: the verdict, then what else there is to know.
func (t Trial) words(currency string) []string {
	words := []string{t.verdict(currency)}
	if t.Verdict == experiment.Broken {
		return words
	}
	for _, lack := range t.Lacks {
		words = append(words, t.lack(lack, currency))
	}
	if w := t.pace(); w != "" {
		words = append(words, w)
	}
	words = append(words, t.beside(currency)...)
	seen := fmt.Sprintf("Seen so far: %s in it and %s held out", Of(t.Got.People, "person", "people"), Count(t.Held.People))
	if t.Waiting > 0 && t.Running {
		seen += fmt.Sprintf("; %s for their %d days to be over", Of(t.Waiting, "more waits", "more wait"), t.Window)
	}
	words = append(words, seen+".")
	if !t.Running {
		words = append(words, "Nobody is held out of it any more.")
	}
	return words
}

func (t Trial) verdict(currency string) string {
	e := t.Revenue
	switch t.Verdict {
	case experiment.Broken:
		return fmt.Sprintf("the split is broken, do not trust it. Of %s about %s should be held out, and %s are: that is no chance. "+
			"Please report it; until it is found, nothing is said of this audience.", Of(t.Split.People, "person", "people"), Count(int(math.Round(t.Split.Expected))), Count(t.Split.Held))
	case experiment.Helps:
		verdict := "it helps"
		if t.soldOff() {
			verdict = "it sells more and earns less"
		}
		return fmt.Sprintf("%s. People in it bring %s more each (%s) than those held out: about %s from all of them so far (%s).",
			verdict, cash(e.Adjusted.Difference, currency), span(e.Range, currency), cash(e.Total, currency), span(e.Totals, currency))
	case experiment.Harms:
		return fmt.Sprintf("it harms. People in it bring %s less each (%s) than those held out: about %s less from all of them so far (%s).",
			cash(-e.Adjusted.Difference, currency), span(turned(e.Range), currency), cash(-e.Total, currency), span(turned(e.Totals), currency))
	case experiment.NoEffect:
		return fmt.Sprintf("no effect that could be measured. If there is one, it is %s a person, who would bring %s anyway.",
			span(e.Range, currency), cash(e.Held, currency))
	case experiment.TooEarly:
	}
	return "too early to tell."
}

// lack says why it is too early to tell.
func (t Trial) lack(l experiment.Lack, currency string) string {
	switch l {
	case experiment.Time:
		if !t.Running {
			return fmt.Sprintf("It went on for %s; it takes %d.", Of(t.Days, "day", "days"), experiment.MinDays)
		}
		return fmt.Sprintf("It has gone on for %s; nothing is said before %d.", Of(t.Days, "day", "days"), experiment.MinDays)
	case experiment.Numbers:
		return fmt.Sprintf("On either side %d people have to be seen for %d days; %s, %s not.",
			experiment.MinPeople, t.Window, Of(t.Held.People, "was held out", "were held out"), Of(t.Got.People, "was", "were"))
	case experiment.Buyers:
		return fmt.Sprintf("Only %s of %s bought anything in their %d days.",
			Count(t.Got.Buyers+t.Held.Buyers), Of(t.Got.People+t.Held.People, "person", "people"), t.Window)
	case experiment.Firmness:
		return "The difference hangs on a few large orders: dealt by other lots, it may not be there."
	case experiment.Clarity:
	}
	if t.Revenue.Range == nil {
		return "Everybody brought the same."
	}
	return fmt.Sprintf("What was seen may be chance: %s a person, somewhere %s.", signed(t.Revenue.Adjusted.Difference, currency), span(t.Revenue.Range, currency))
}

// pace says how long it will take, where nothing is found yet.
func (t Trial) pace() string {
	const years = 104 // weeks
	if t.Verdict != experiment.TooEarly || !t.Running {
		return ""
	}
	if t.Weeks != nil && *t.Weeks > 0 {
		return fmt.Sprintf("At this pace there are enough people in about %s.", weeks(*t.Weeks))
	}
	reach := t.Revenue.Reach
	if reach.Share == nil || *reach.Share <= experiment.Worth {
		return ""
	}
	text := fmt.Sprintf("With so many people, only an effect of %.0f %% and more is likely to be found.", 100**reach.Share)
	switch {
	case reach.People == 0:
		return text
	case reach.Weeks == nil || *reach.Weeks > years:
		return text + fmt.Sprintf(" One of %.0f %% takes about %s people: more than will come in two years at this pace. Holding out a larger share, up to half, takes fewer.",
			100*experiment.Worth, roundly(reach.People))
	default:
		return text + fmt.Sprintf(" One of %.0f %% takes about %s people: %s more at this pace.", 100*experiment.Worth, roundly(reach.People), weeks(*reach.Weeks))
	}
}

func weeks(n int) string { return Of(n, "week", "weeks") }

// roundly writes a number with two digits that count.
func roundly(n int) string {
	step := 1
	for n/step >= 100 {
		step *= 10
	}
	return Count((n + step/2) / step * step)
}

// beside says what is found of orders and margin, and what it costs to know.
func (t Trial) beside(currency string) []string {
	var words []string
	found := func(v experiment.Verdict) bool { return v == experiment.Helps || v == experiment.Harms }
	if e := t.Orders; found(e.Verdict) {
		words = append(words, fmt.Sprintf("Orders: %+.3f a person (%+.3f to %+.3f), %+.0f in all.", e.Adjusted.Difference, e.Range.Low, e.Range.High, e.Total))
	}
	if e := t.Margin; e != nil && found(e.Verdict) {
		words = append(words, fmt.Sprintf("Margin: %s a person (%s), where the cost is known: for %s of the revenue.",
			signed(e.Adjusted.Difference, currency), span(e.Range, currency), Percent(t.Costed)))
	}
	if t.Verdict == experiment.Helps {
		words = append(words, fmt.Sprintf("To know this, about %s was given up with those held out so far.", cash(t.Revenue.Adjusted.Difference*float64(t.Held.People), currency)))
	}
	return words
}

func cash(amount float64, currency string) string {
	return Money(decimal.NewFromFloat(amount), currency)
}

// signed writes an amount with its sign.
func signed(amount float64, currency string) string {
	text := cash(amount, currency)
	if amount > 0 {
		return "+" + text
	}
	return text
}

// span writes a range, such as "between 1.20 and 3.40".
func span(r *experiment.Range, currency string) string {
	return fmt.Sprintf("between %s and %s", cash(r.Low, currency), cash(r.High, currency))
}

// turned is the range of the loss that a range of gains is.
func turned(r *experiment.Range) *experiment.Range {
	return &experiment.Range{Low: -r.High, High: -r.Low, Level: r.Level}
}

// sides writes on which side a person is where audiences are tried.
func (p *page) sides(all []PersonSide) {
	if len(all) == 0 {
		return
	}
	p.heading("What audiences bring")
	for _, s := range all {
		name, one, many, over := cmp.Or(s.Name, s.Audience), "is", "are", ""
		if s.Over {
			one, many, over = "was", "were", " That is over."
		}
		if s.Held {
			p.say(plain, "  ", "By lot this person %s held out of %s, due in it since %s, to find out what it brings.%s", one, name, s.Since, over)
		} else {
			p.say(dim, "  ", "Due in %s since %s and not held out of it: compared with those who %s.%s", name, s.Since, many, over)
		}
	}
}
