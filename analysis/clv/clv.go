// Package clv says what a customer can be expected to do: whether he still buys, how many orders he will place, when the
// next one comes and what it will be worth. It fits models of buying "until one day one stops" to a shop's customers.
//
// The unit of time inside every model is the week (days / 7). Everything is pure: the same groups give the same fit.
package clv

import (
	"fmt"
	"math"
)

// Kind names a model; it is what is stored and shown.
type Kind string

// The models, each a mixture over customers: orders come at a rate that differs between customers by a gamma distribution
// of shape r and rate alpha, and customers stop at different readiness.
const (
	// NBD has no dropout: everybody goes on for ever (Ehrenberg 1959). The fallback of all others.
	NBD Kind = "nbd"
	// BGNBD lets a customer stop after each repeat order with his own probability, beta distributed with a and b (Fader,
	// Hardie and Lee 2005, Marketing Science 24(2)). Nobody stops after the first order: see AliveByConstruction.
	BGNBD Kind = "bg_nbd"
	// MBGNBD is BGNBD in which the first order may be the last (Batislam, Denizel and Filiztekin 2007; Hoppe and Wagner 2007).
	MBGNBD Kind = "mbg_nbd"
	// MBGCNBDK is MBGNBD for customers who order more regularly than by chance: the time between orders is Erlang-k, k chosen
	// by likelihood (Reutterer, Platzer and Schröder 2020).
	MBGCNBDK Kind = "mbg_cnbd_k"
	// ParetoNBD lets customers stop at any moment, at a rate gamma distributed with shape s and rate beta (Schmittlein,
	// Morrison and Colombo 1987; Fader and Hardie 2005).
	ParetoNBD Kind = "pareto_nbd"
)

// Kinds are all models, cheapest to fit first.
func Kinds() []Kind { return []Kind{NBD, BGNBD, MBGNBD, MBGCNBDK, ParetoNBD} }

// Param is one parameter of a model. Rates and alpha, beta are in weeks; the standard error is the root of the inverse
// observed information, zero where the data do not determine it (the fit's finding says so).
type Param struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	StdErr float64 `json:"std_err"`
}

// Model predicts for one customer at a time. No method returns NaN for stats that Stats.Check accepts.
type Model interface {
	// Kind says which model it is.
	Kind() Kind
	// Params are the parameters in the order of the literature; Restore takes them back.
	Params() []Param
	// LogLikelihood of groups that Stats.Check accepts, without the terms that depend on no parameter (x! and the like), so
	// that the models of one shop compare with each other and with the literature.
	LogLikelihood(groups []Group) float64
	// Alive is the probability that the customer has not stopped as of the day of his stats.
	Alive(s Stats) float64
	// Expected is the number of orders (days with an order) to come in so many days from the as-of day. Infinite days are
	// allowed; the answer may then be infinite.
	Expected(s Stats, days float64) float64
	// Discounted is Expected with every order worth (1+annualRate)^(-years until it), a year having 365 days: discounted
	// expected transactions, residual (DERT) for infinite days. A negative rate counts as zero.
	Discounted(s Stats, days, annualRate float64) float64
	// New is the number of orders after the first that a new customer will place in so many days.
	New(days float64) float64
	// NextOrder is the number of days within which the next order comes with probability p, given that one comes. It is not
	// ok where the probability that one comes at all is below p, or p is not between 0 and 1. The middle and an interval of
	// 80 % are p = 0.5, 0.1 and 0.9.
	NextOrder(s Stats, p float64) (days float64, ok bool)
}

// Fit is a fitted model and what is to be known about the fitting.
type Fit struct {
	Model Model
	// LogLikelihood is the highest that the asked model reaches, also where it is not identified and Model is the NBD.
	LogLikelihood float64
	Iterations    int
	// Gradient is the largest component of the gradient per customer at the end, by logarithms of the parameters: what a
	// change of one per cent in a parameter would add to the log-likelihood of the average customer, times hundred.
	Gradient  float64
	Converged bool
	// Finding is a sentence for people, empty if there is nothing to say.
	Finding string
	// Identified is false where the data do not tell the asked model from a simpler one, which is then used.
	Identified bool
}

// Findings of a fit. More than one are joined by "; ".
const (
	// FindingNoChurn stands where dropout does not raise the likelihood by what its two parameters cost (Akaike 1974).
	FindingNoChurn = "no measurable churn in this window; NBD used"
	// FindingNoRepeats stands where nobody has ordered on a second day: the likeliest rate of repeat orders is zero.
	FindingNoRepeats = "nobody has ordered a second time yet; no repeat orders can be foretold"
	// FindingNoCustomers stands where there is nobody to learn from.
	FindingNoCustomers = "no customers yet; nothing can be foretold"
	// FindingEdge stands where the likelihood keeps rising towards an edge: customers hardly differ from each other.
	FindingEdge = "customers hardly differ in one trait of the model; it was held at the edge and has no standard error"
	// FindingSingular stands where the observed information has no inverse.
	FindingSingular = "the data do not determine every parameter; standard errors are unknown"
	// FindingNotConverged stands where the gradient is not yet flat.
	FindingNotConverged = "the fit stopped before it was finished; do not rely on it"
)

// akaike is the log-likelihood that the two parameters of dropout have to earn.
const akaike = 2

// FitModel fits a model to compressed groups by maximum likelihood. The parameters do not depend on the order of the
// groups nor on whether they were compressed, up to rounding. It fails only on an unknown kind and on impossible stats,
// naming the field; whatever a real shop may look like is a finding.
func FitModel(kind Kind, groups []Group) (Fit, error) {
	for _, g := range groups {
		if err := g.check(); err != nil {
			return Fit{}, fmt.Errorf("fit of %s: %w", kind, err)
		}
	}
	if _, ok := names[kind]; !ok {
		return Fit{}, fmt.Errorf("fit of %q: unknown model", kind)
	}
	return fitSample(kind, newSample(groups)), nil
}

// names are the parameters of each model.
var names = map[Kind][]string{
	NBD: {"r", "alpha"}, BGNBD: {"r", "alpha", "a", "b"}, MBGNBD: {"r", "alpha", "a", "b"},
	MBGCNBDK: {"r", "alpha", "a", "b", "k"}, ParetoNBD: {"r", "alpha", "s", "beta"},
}

// Restore makes a model of stored parameters, in any order. It fails where one is missing, not positive or not finite; only
// the r of the NBD may be zero.
func Restore(kind Kind, params []Param) (Model, error) {
	wanted, ok := names[kind]
	if !ok {
		return nil, fmt.Errorf("model %q: unknown", kind)
	}
	byName := map[string]Param{}
	for _, p := range params {
		byName[p.Name] = p
	}
	var value, stdErr [5]float64
	for i, name := range wanted {
		p, ok := byName[name]
		zero := kind == NBD && name == "r" && p.Value == 0
		if !ok || !(p.Value > 0 || zero) || math.IsInf(p.Value, 0) {
			return nil, fmt.Errorf("model %s: parameter %s missing or not positive: %v", kind, name, p.Value)
		}
		value[i], stdErr[i] = p.Value, p.StdErr
	}
	if kind == MBGCNBDK && (value[4] != math.Trunc(value[4]) || value[4] > mostRegular) {
		return nil, fmt.Errorf("model %s: parameter k not a whole number up to %d: %v", kind, mostRegular, value[4])
	}
	return build(kind, value, stdErr), nil
}

// AliveByConstruction says whether the model calls this customer alive without looking: the NBD everybody, the BG/NBD every
// one-time buyer. Whoever shows such a probability says so.
func AliveByConstruction(m Model, s Stats) bool {
	return m.Kind() == NBD || m.Kind() == BGNBD && s.Repeats == 0
}

// weeks of a number of days.
func weeks(days float64) float64 { return days / 7 }
