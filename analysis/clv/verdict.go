package clv

import (
	"fmt"
	"math"
	"slices"
)

// Purpose is what a forecast is used for.
type Purpose string

// The purposes, and the measure by which forecasts are judged for each.
const (
	Ranking   Purpose = "ranking"    // who is worth more than whom: normalised Gini
	Totals    Purpose = "totals"     // what all customers bring together: |bias|
	PerPerson Purpose = "per person" // what one customer will do: mean absolute error
)

// Verdict says whether the chosen model is better than the best naive forecast for one purpose, and which of them to use.
type Verdict struct {
	Of         string  `json:"of"` // "orders" or "value"
	Purpose    Purpose `json:"purpose"`
	Naive      string  `json:"naive"` // the best naive forecast for the purpose; the one in hindsight does not count
	Score      float64 `json:"score"`
	NaiveScore float64 `json:"naive_score"`
	Worse      bool    `json:"worse"` // the naive forecast is better by more than Margin
	Use        string  `json:"use"`   // the forecast to use: the model's kind, or Naive where the model is worse
	Words      string  `json:"words"` // for people
}

// Margin is by how much a naive forecast has to be better before it replaces the model: by a hundredth of the model's Gini
// or error, or of the actual total. Less than that is chance. This project's own choice.
const Margin = 0.01

// verdicts judges the chosen model for every purpose.
func verdicts(of string, kind Kind, all []Metrics) []Verdict {
	var out []Verdict
	for _, p := range []struct {
		purpose Purpose
		score   func(Metrics) float64
		sign    float64 // 1 where less is better
	}{
		{Ranking, func(m Metrics) float64 { return m.Gini }, -1},
		{Totals, func(m Metrics) float64 { return math.Abs(m.Bias) }, 1},
		{PerPerson, func(m Metrics) float64 { return m.MAE }, 1},
	} {
		v := Verdict{Of: of, Purpose: p.purpose, Use: string(kind)}
		for _, m := range all {
			switch {
			case m.Forecast == string(kind):
				v.Score = p.score(m)
			case naive(m.Forecast) && (v.Naive == "" || p.sign*p.score(m) < p.sign*v.NaiveScore):
				v.Naive, v.NaiveScore = m.Forecast, p.score(m)
			}
		}
		margin := Margin
		if p.purpose != Totals {
			margin *= math.Abs(v.Score)
		}
		v.Worse = p.sign*(v.Score-v.NaiveScore) > margin
		if v.Worse {
			v.Use = v.Naive
		}
		v.Words = v.words(kind)
		out = append(out, v)
	}
	return out
}

// naive says whether a forecast is one of the naive ones that somebody could have made.
func naive(name string) bool { return name == NaivePast || slices.Contains(naiveOrders, name) }

func (v Verdict) words(kind Kind) string {
	relation := "better than or as good as"
	if v.Worse {
		relation = "worse than"
	}
	text := fmt.Sprintf("%s, %s: %s is %s %q", v.Of, v.Purpose, kind.Label(), relation, v.Naive)
	switch v.Purpose {
	case Ranking:
		text += fmt.Sprintf(" (Gini %.3f, naive %.3f)", v.Score, v.NaiveScore)
	case Totals:
		text += fmt.Sprintf(" (off by %.1f %%, naive %.1f %%)", 100*v.Score, 100*v.NaiveScore)
	case PerPerson:
		text += fmt.Sprintf(" (mean error %.4g, naive %.4g)", v.Score, v.NaiveScore)
	}
	if v.Worse {
		text += "; the naive forecast is used for it"
	}
	return text
}

// Use returns the forecast to use for a purpose: a model's kind, or the name of a naive forecast. Without verdicts it is
// the choice itself.
func (c Choice) Use(of string, purpose Purpose) string {
	for _, v := range c.Verdicts {
		if v.Of == of && v.Purpose == purpose {
			return v.Use
		}
	}
	return string(c.Kind)
}
