package clv

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// SimpleFormula stands where no model can be trusted: see Simple.
const SimpleFormula Kind = "simple"

// A backtest means something only with enough of everything. Below any of these the simple formula is used; the limits are
// this project's own choice.
const (
	LeastCustomers   = 100 // customers by the calibration day
	LeastRepeaters   = 30  // of them, with a repeat order by then
	LeastCalibration = 90  // days
	LeastHoldout     = 28  // days
	LeastOrders      = 30  // in the holdout
)

// ChoiceOptions decide which models are compared on how many customers.
type ChoiceOptions struct {
	Kinds []Kind // nil for all
	// Standing is the model in use, empty for none. It stays as long as it ties: chance alone does not change models.
	Standing Kind
	// Sample is to how many customers all are fitted and on how many they are compared; 0 means 100,000. Customers are
	// sampled evenly in the order of recency, age and repeats, the same ones every time.
	Sample int
}

const defaultSample = 100_000

// preference orders models that the holdout cannot tell apart: fewer parameters first; MBG/NBD before BG/NBD, which calls
// every one-time buyer alive; the cheaper to fit before the dearer.
var preference = []Kind{NBD, MBGNBD, BGNBD, MBGCNBDK, ParetoNBD}

// Choice is which model to use, why, and what for.
type Choice struct {
	// Kind is the chosen model, to be fitted anew to everything known today, or SimpleFormula.
	Kind Kind
	// Finding says in words why, and what to beware of.
	Finding    string
	Customers  int // by the calibration day
	Compared   int // of them, the sample on which forecasts were compared; all where the shop is not large
	Late       int // customers only since the calibration day
	Candidates []Candidate
	Spend      SpendFit // of the calibration period
	Evaluation Evaluation
	Verdicts   []Verdict // for orders and value, one per purpose; none with the simple formula
}

// Candidate is one model in the choice.
type Candidate struct {
	Kind   Kind
	Fit    Fit  // to the calibration period of the sample
	Usable bool // it converged, and its dropout is identified
	// SquaredError is the mean squared error of the holdout's orders per customer (RMSE squared), which is least for the
	// forecast that equals the true mean. Behind is how much worse it is than the best one's, and BehindErr the standard
	// error of that difference, customer by customer. A model no more than one standard error behind ties.
	SquaredError, Behind, BehindErr float64
	Ties                            bool
}

// Choose picks the model with the least mean squared error of orders in the holdout; among those within one standard error
// of it (paired by customer), the one that stands, or the first by preference: NBD, MBG/NBD, BG/NBD, MBG/CNBD-k, Pareto/NBD.
// Models that do not converge or whose dropout is not identified do not take part; the NBD then stands for them. Too little
// to go by is no error: the choice is the simple formula, with a finding that says what is missing.
func Choose(h Holdout, o ChoiceOptions) (Choice, error) {
	if o.Kinds == nil {
		o.Kinds = preference
	}
	all, err := newBacktest(h)
	if err != nil {
		return Choice{}, fmt.Errorf("choice of a model: %w", err)
	}
	b := all.sample(cmp.Or(o.Sample, defaultSample))
	c := Choice{Kind: SimpleFormula, Customers: len(all.cases), Compared: len(b.cases), Late: all.late}
	if c.Finding = all.lacks(); c.Finding != "" {
		return c, nil
	}
	if c.Spend, err = FitSpend(b.spends()); err != nil {
		return Choice{}, fmt.Errorf("choice of a model: %w", err)
	}
	if err := c.fit(b, o); err != nil {
		return Choice{}, err
	}
	models := c.compare(b, o)
	if len(models) == 0 {
		c.Finding = "no model could be fitted to this shop; the simple formula is used"
		return c, nil
	}
	if c.Evaluation, err = b.evaluate(models, c.Spend); err != nil {
		return Choice{}, fmt.Errorf("choice of a model: %w", err)
	}
	c.Verdicts = append(verdicts("orders", c.Kind, c.Evaluation.Orders), verdicts("value", c.Kind, c.Evaluation.Value)...)
	c.Finding = c.why()
	return c, nil
}

// lacks says what is missing for a backtest, or nothing.
func (b *backtest) lacks() string {
	repeaters, orders := 0, 0
	for _, c := range b.cases {
		if c.Repeats > 0 {
			repeaters++
		}
		orders += c.Orders
	}
	for _, need := range []struct {
		have, least int
		what        string
	}{
		{len(b.cases), LeastCustomers, "customers"},
		{int(b.span), LeastCalibration, "days of history before the holdout"},
		{int(b.days), LeastHoldout, "days of holdout"},
		{repeaters, LeastRepeaters, "customers who ordered again"},
		{orders, LeastOrders, "orders in the holdout"},
	} {
		if need.have < need.least {
			return fmt.Sprintf("%d %s, and a model takes %d; the simple formula is used", need.have, need.what, need.least)
		}
	}
	return ""
}

// fit fits every kind to the calibration period.
func (c *Choice) fit(b *backtest, o ChoiceOptions) error {
	groups := b.groups()
	for _, kind := range preference {
		if !slices.Contains(o.Kinds, kind) {
			continue
		}
		fit, err := FitModel(kind, groups)
		if err != nil {
			return fmt.Errorf("choice of a model: %w", err)
		}
		c.Candidates = append(c.Candidates, Candidate{Kind: kind, Fit: fit, Usable: fit.Converged && fit.Model.Kind() == kind})
	}
	return nil
}

// compare chooses among the usable candidates and returns their models, the chosen one first.
func (c *Choice) compare(b *backtest, o ChoiceOptions) []Model {
	each := make([][]float64, len(c.Candidates))
	best := -1
	for i := range c.Candidates {
		candidate := &c.Candidates[i]
		if !candidate.Usable {
			continue
		}
		each[i] = b.expected(candidate.Fit.Model)
		for j, predicted := range each[i] {
			each[i][j] = (predicted - b.orders[j]) * (predicted - b.orders[j])
		}
		candidate.SquaredError, _ = meanAndErr(each[i])
		if best < 0 || candidate.SquaredError < c.Candidates[best].SquaredError {
			best = i
		}
	}
	var models []Model
	for i := range c.Candidates {
		candidate := &c.Candidates[i]
		if !candidate.Usable {
			continue
		}
		gap := make([]float64, len(each[i]))
		for j := range gap {
			gap[j] = each[i][j] - each[best][j]
		}
		candidate.Behind, candidate.BehindErr = meanAndErr(gap)
		candidate.Ties = candidate.Behind <= candidate.BehindErr
		models = append(models, candidate.Fit.Model)
		if candidate.Ties && (c.Kind == SimpleFormula || candidate.Kind == o.Standing) { // candidates stand in order of preference
			c.Kind = candidate.Kind
			models[0], models[len(models)-1] = models[len(models)-1], models[0]
		}
	}
	return models
}

func meanAndErr(values []float64) (mean, stdErr float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v
	}
	mean /= n
	for _, v := range values {
		stdErr += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(stdErr) / n
}

// labels are the models' names for people.
var labels = map[Kind]string{
	NBD: "NBD", BGNBD: "BG/NBD", MBGNBD: "MBG/NBD", MBGCNBDK: "MBG/CNBD-k", ParetoNBD: "Pareto/NBD", SimpleFormula: "the simple formula",
}

// Label is a model's name for people.
func (k Kind) Label() string { return cmp.Or(labels[k], string(k)) }

// why says in words how the choice came about.
func (c *Choice) why() string {
	text := fmt.Sprintf("%s chosen: it foretells the orders of the last %d days best", c.Kind.Label(), c.Evaluation.Days)
	for _, candidate := range c.Candidates {
		if candidate.Usable && candidate.Kind == c.Kind && candidate.Behind > 0 {
			text = fmt.Sprintf("%s chosen: no model foretells the orders of the last %d days clearly better, and it is simpler or in use already", c.Kind.Label(), c.Evaluation.Days)
		}
	}
	for _, candidate := range c.Candidates {
		// Where the NBD stands for models with dropout, they say why.
		said := candidate.Kind == c.Kind || c.Kind == NBD && !candidate.Usable
		if said && candidate.Fit.Finding != "" && !strings.Contains(text, candidate.Fit.Finding) {
			text += "; " + candidate.Fit.Finding
		}
	}
	switch c.Kind {
	case NBD:
		text += "; it says nothing of who has stopped buying: everybody counts as alive"
	case BGNBD:
		text += "; it calls everybody who ordered once alive, whatever time has passed"
	}
	if c.Compared < c.Customers {
		text += fmt.Sprintf("; compared on %d of %d customers", c.Compared, c.Customers)
	}
	return text
}
