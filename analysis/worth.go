package analysis

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/analysis/clv"
)

// Purchases are what an appraisal reads; sync/postgres satisfies it.
type Purchases interface {
	// Shop returns currency, time zone and the state of the first load.
	Shop(ctx context.Context) (Shop, error)

	// Histories reads what everybody bought before a moment, in any order.
	Histories(ctx context.Context, asOf time.Time) ([]History, error)
}

// WorthOptions says what to appraise, as of when.
type WorthOptions struct {
	Now        func() time.Time // the clock
	AsOf       time.Time        // any moment of the local day as of whose start is asked; zero: today
	Standing   clv.Kind         // the model in use, which stays where the holdout cannot tell it from a better one; empty: none
	Kinds      []clv.Kind       // to choose from; nil: all
	AnnualRate float64          // what money loses in a year; zero: DefaultAnnualRate, below: nothing
	Horizon    int              // days ahead; zero: DefaultHorizon
}

// The usual discount rate of a year and the usual number of days ahead; this project's own choice.
const (
	DefaultAnnualRate = 0.1
	DefaultHorizon    = 365
)

// unit turns the ten-thousandths of a history into the currency in which a worth counts.
const unit = 10_000

// Worth is how a shop's customers are appraised as of a day: which model of buying they follow, with which parameters, and
// how far its forecasts were from what happened. Amounts are in the shop's currency. Its JSON is what is stored and shown;
// what one person is expected to do follows from it and from the person's own history by Outlook.
type Worth struct {
	Day       int        `json:"day"` // as of the start of this local day, in days since 1970-01-01
	Customers int        `json:"customers"`
	Kind      clv.Kind   `json:"kind"` // what foretells orders: a model or clv.SimpleFormula
	Fit       *Fit       `json:"fit,omitempty"`
	Simple    clv.Simple `json:"simple"` // the averages of the shop, which foretell where no model does
	// Findings say in words what to beware of, the reason of the choice first.
	Findings   []string        `json:"findings"`
	Choice     Choice          `json:"choice"`
	Evaluation *clv.Evaluation `json:"evaluation,omitempty"` // of the holdout; nil where there was too little for one
	Verdicts   []clv.Verdict   `json:"verdicts"`
	Spend      clv.SpendFit    `json:"spend"`
	Naive      clv.Naive       `json:"naive"`            // foretell where the model was worse
	Margin     *Margin         `json:"margin,omitempty"` // nil where no cost is known
	AnnualRate float64         `json:"annual_rate"`
	Horizon    int             `json:"horizon_days"`
}

// Margin is what is left of revenue after the cost of what was sold.
type Margin struct {
	Rate    float64 `json:"rate"`    // contribution margin by revenue, of customers whose cost is known
	Covered float64 `json:"covered"` // their part of the revenue, 0 to 1
}

// Fit is one fitted model, as it is stored.
type Fit struct {
	Asked         clv.Kind    `json:"asked"`
	Kind          clv.Kind    `json:"kind"` // the NBD where the dropout of the asked one is not identified
	Params        []clv.Param `json:"params"`
	LogLikelihood float64     `json:"log_likelihood"` // of the asked one
	Iterations    int         `json:"iterations"`
	Gradient      float64     `json:"gradient"`
	Converged     bool        `json:"converged"`
	Identified    bool        `json:"identified"`
	Finding       string      `json:"finding"`
}

// Choice is how the model was chosen; see clv.Choice.
type Choice struct {
	Kind       clv.Kind     `json:"kind"`
	Finding    string       `json:"finding"`
	Customers  int          `json:"customers"`
	Compared   int          `json:"compared"`
	Late       int          `json:"late"`
	Candidates []Candidate  `json:"candidates"`
	Spend      clv.SpendFit `json:"spend"`
}

// Candidate is one model in the choice, fitted to the calibration period; see clv.Candidate.
type Candidate struct {
	Fit
	Usable       bool    `json:"usable"`
	SquaredError float64 `json:"squared_error"`
	Behind       float64 `json:"behind"`
	BehindErr    float64 `json:"behind_err"`
	Ties         bool    `json:"ties"`
}

// Appraise chooses the model that foretells the shop's latest period best from the time before, and fits it to everything
// known as of a day. It fails where the facts cannot be read, and with ErrNotLoaded and ErrFuture; whatever a shop may look
// like is a finding. Nothing is saved.
func Appraise(ctx context.Context, facts Purchases, o WorthOptions) (Worth, error) {
	o.AnnualRate, o.Horizon = cmp.Or(o.AnnualRate, DefaultAnnualRate), cmp.Or(o.Horizon, DefaultHorizon)
	shop, err := facts.Shop(ctx)
	if err != nil {
		return Worth{}, fmt.Errorf("shop: %w", err)
	}
	if !shop.Loaded {
		return Worth{}, fmt.Errorf("shop %s: %w", shop.Name, ErrNotLoaded)
	}
	if shop.Location == nil {
		shop.Location = time.UTC
	}
	day, _, err := Options{Now: o.Now, AsOf: o.AsOf}.day(shop.Location)
	if err != nil {
		return Worth{}, err
	}
	past, err := readPast(ctx, facts, shop.Location, day)
	if err != nil {
		return Worth{}, err
	}
	holdout := past.holdout()
	churn, unseen := past.churn()
	past.then = nil // a large shop's memory
	choice, err := clv.Choose(holdout, clv.ChoiceOptions{Kinds: o.Kinds, Standing: o.Standing})
	if err != nil {
		return Worth{}, err
	}
	w := Worth{
		Day: day, Customers: len(past.now), Choice: stored(choice), Verdicts: choice.Verdicts,
		AnnualRate: max(0, o.AnnualRate), Horizon: o.Horizon, Margin: past.margin(),
	}
	if len(choice.Evaluation.Models) > 0 {
		w.Evaluation = &choice.Evaluation
	}
	if err := w.average(past, churn); err != nil {
		return Worth{}, err
	}
	if err := w.fit(past, choice.Kind); err != nil {
		return Worth{}, err
	}
	if w.Kind == clv.SimpleFormula {
		w.say(unseen)
	}
	return w, nil
}

// average takes the averages of everybody known, which foretell where no model does.
func (w *Worth) average(p past, churn float64) (err error) {
	stats := p.stats(w.Day)
	w.Naive = clv.NewNaive(stats)
	w.Simple, err = clv.NewSimple(stats, p.average(), churn, w.AnnualRate)
	return err
}

// fit fits the chosen model, and what an order is worth, to everything known.
func (w *Worth) fit(p past, kind clv.Kind) error {
	w.say(w.Choice.Finding)
	if w.Kind = clv.SimpleFormula; kind != clv.SimpleFormula {
		fit, err := clv.FitModel(kind, clv.Compress(p.stats(w.Day)))
		if err != nil {
			return err
		}
		w.take(kind, fit)
	}
	if w.Kind == clv.SimpleFormula {
		w.Spend = w.Simple.Spend()
		w.Verdicts = []clv.Verdict{} // they are about a model that is not used
		return nil
	}
	var err error
	if w.Spend, err = clv.FitSpend(p.spends()); err != nil {
		return err
	}
	w.say(w.Spend.Finding)
	return nil
}

// take uses what was fitted, unless the fit was not finished.
func (w *Worth) take(asked clv.Kind, fit clv.Fit) {
	f := storedFit(asked, fit)
	w.Fit = &f
	w.say(f.Finding)
	if f.Converged {
		w.Kind = f.Kind
		return
	}
	w.say(fmt.Sprintf("%s could not be fitted to everything known; %s is used", asked.Label(), w.Kind.Label()))
}

// say adds what is to be known, once.
func (w *Worth) say(finding string) {
	if finding != "" && !slices.Contains(w.Findings, finding) {
		w.Findings = append(w.Findings, finding)
	}
}

func stored(c clv.Choice) Choice {
	out := Choice{Kind: c.Kind, Finding: c.Finding, Customers: c.Customers, Compared: c.Compared, Late: c.Late, Spend: c.Spend, Candidates: []Candidate{}}
	for _, candidate := range c.Candidates {
		out.Candidates = append(out.Candidates, Candidate{
			Fit: storedFit(candidate.Kind, candidate.Fit), Usable: candidate.Usable, SquaredError: candidate.SquaredError,
			Behind: candidate.Behind, BehindErr: candidate.BehindErr, Ties: candidate.Ties,
		})
	}
	return out
}

func storedFit(asked clv.Kind, f clv.Fit) Fit {
	return Fit{
		Asked: asked, Kind: f.Model.Kind(), Params: f.Model.Params(), LogLikelihood: f.LogLikelihood, Iterations: f.Iterations,
		Gradient: f.Gradient, Converged: f.Converged, Identified: f.Identified, Finding: f.Finding,
	}
}
