package clv

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Metrics compare one forecast with what happened, customer by customer. None of them depends on the order of the
// customers: those with equal forecasts share what they did.
type Metrics struct {
	Forecast  string  `json:"forecast"` // the model's kind, or the name of a naive forecast
	Customers int     `json:"customers"`
	Actual    float64 `json:"actual"`    // totals
	Predicted float64 `json:"predicted"` // totals
	// Bias is Predicted / Actual - 1; 0 where nothing happened, which Actual shows.
	Bias float64 `json:"bias"`
	// MAE and RMSE are the mean absolute and the root mean squared error per customer.
	MAE  float64 `json:"mae"`
	RMSE float64 `json:"rmse"`
	// Pearson and Spearman are the correlations, of the amounts and of the ranks; 0 where either is constant.
	Pearson  float64 `json:"pearson"`
	Spearman float64 `json:"spearman"`
	// Gini is how well the forecast ranks: the area between the share of the actual total that customers bring in order of
	// the forecast and the diagonal, divided by the same area for a perfect ranking (Wang, Liu & Miao 2019, arXiv
	// 1912.07753). 1 is perfect, 0 is chance; 0 also where there is nothing to rank.
	Gini float64 `json:"gini"`
	// Deciles are ten equally large parts of the customers, highest forecast first; fewer customers make fewer parts.
	Deciles []Decile `json:"deciles"`
	// DecileError is the mean over deciles of |predicted - actual| / actual; deciles in which nothing happened are left out.
	DecileError float64 `json:"decile_error"`
}

// Decile is a tenth of the customers.
type Decile struct {
	Customers int     `json:"customers"`
	Actual    float64 `json:"actual"`    // totals
	Predicted float64 `json:"predicted"` // totals
}

// deciles is in how many parts customers are cut.
const deciles = 10

// outcome is one customer in a comparison.
type outcome struct{ predicted, actual float64 }

// Measure compares a forecast with what happened; both lists are of the same customers in the same order. It fails on lists
// of different lengths and on numbers that are not finite.
func Measure(forecast string, predicted, actual []float64) (Metrics, error) {
	if len(predicted) != len(actual) {
		return Metrics{}, fmt.Errorf("measure of %s: %d forecasts for %d customers", forecast, len(predicted), len(actual))
	}
	all := make([]outcome, len(actual))
	for i := range actual {
		all[i] = outcome{predicted[i], actual[i]}
		if sum := predicted[i] + actual[i]; math.IsNaN(sum) || math.IsInf(sum, 0) {
			return Metrics{}, fmt.Errorf("measure of %s: forecast %v for actual %v", forecast, predicted[i], actual[i])
		}
	}
	m := Metrics{Forecast: forecast, Customers: len(all)}
	if len(all) == 0 {
		return m, nil
	}
	byActual := slices.Clone(actual)
	slices.Sort(byActual)
	slices.Reverse(byActual)
	slices.SortFunc(all, func(a, b outcome) int {
		return cmp.Or(cmp.Compare(b.predicted, a.predicted), cmp.Compare(b.actual, a.actual))
	})
	least := leastTotal(actual)
	m.errors(all, least)
	m.Pearson = pearson(all)
	m.Spearman = spearman(all, byActual)
	shareTies(all)
	m.cut(all, least)
	perfect := concentration(len(all), least, func(i int) float64 { return byActual[i] })
	if perfect > 0 {
		m.Gini = concentration(len(all), least, func(i int) float64 { return all[i].actual }) / perfect
	}
	return m, nil
}

// leastTotal is below what a total says nothing: where amounts and refunds cancel, rounding leaves about that much.
func leastTotal(actual []float64) float64 {
	var moved float64
	for _, a := range actual {
		moved += math.Abs(a)
	}
	return 1e-9 * moved
}

func (m *Metrics) errors(all []outcome, least float64) {
	var absolute, squared float64
	for _, o := range all {
		m.Actual += o.actual
		m.Predicted += o.predicted
		d := o.predicted - o.actual
		absolute += math.Abs(d)
		squared += d * d
	}
	n := float64(len(all))
	m.MAE, m.RMSE = absolute/n, math.Sqrt(squared/n)
	if math.Abs(m.Actual) > least {
		m.Bias = m.Predicted/m.Actual - 1
	}
}

func pearson(all []outcome) float64 {
	var p, a float64
	for _, o := range all {
		p += o.predicted
		a += o.actual
	}
	n := float64(len(all))
	p, a = p/n, a/n
	var pp, aa, pa float64
	for _, o := range all {
		dp, da := o.predicted-p, o.actual-a
		pp += dp * dp
		aa += da * da
		pa += dp * da
	}
	if all[0].predicted == all[len(all)-1].predicted || pp == 0 || aa == 0 {
		return 0
	}
	return pa / (math.Sqrt(pp) * math.Sqrt(aa))
}

// spearman is the correlation of ranks, equal values having the mean of the ranks that they span. Customers come by
// descending forecast, the amounts by descending amount.
func spearman(all []outcome, byActual []float64) float64 {
	ranks := make([]outcome, len(all))
	for from := 0; from < len(all); {
		to := from
		for to < len(all) && all[to].predicted == all[from].predicted {
			to++
		}
		for i := from; i < to; i++ {
			ranks[i].predicted = float64(from+to-1) / 2
		}
		from = to
	}
	middle := map[float64]float64{}
	for from := 0; from < len(byActual); {
		to := from
		for to < len(byActual) && byActual[to] == byActual[from] {
			to++
		}
		middle[byActual[from]] = float64(from+to-1) / 2
		from = to
	}
	for i := range all {
		ranks[i].actual = middle[all[i].actual]
	}
	return pearson(ranks)
}

// shareTies gives customers with equal forecasts the mean of what they did.
func shareTies(all []outcome) {
	for from := 0; from < len(all); {
		to, sum := from, 0.0
		for to < len(all) && all[to].predicted == all[from].predicted {
			sum += all[to].actual
			to++
		}
		for i := from; to-from > 1 && i < to; i++ {
			all[i].actual = sum / float64(to-from)
		}
		from = to
	}
}

// concentration is the mean over places of the share of the total brought up to there, less its mean without any ranking.
// It is 0 where the total is not positive, or too small to say anything.
func concentration(n int, least float64, amount func(i int) float64) float64 {
	var so, all float64
	for i := range n {
		so += amount(i)
		all += so
	}
	if so <= least {
		return 0
	}
	return (all/so - float64(n+1)/2) / float64(n)
}

// cut makes the deciles: a place from 0 to n-1 belongs to the first tenth d that ends at or behind it, at (n-1)(d+1)/10, as
// the quantiles of the places.
func (m *Metrics) cut(all []outcome, least float64) {
	counted, at, last := 0, 0, len(all)-1
	for part := range deciles {
		d := Decile{}
		for ; at <= last && deciles*at <= last*(part+1); at++ {
			d.Customers++
			d.Actual += all[at].actual
			d.Predicted += all[at].predicted
		}
		if d.Customers == 0 {
			continue
		}
		if d.Actual > least {
			m.DecileError += math.Abs(d.Predicted-d.Actual) / d.Actual
			counted++
		}
		m.Deciles = append(m.Deciles, d)
	}
	if counted > 0 {
		m.DecileError /= float64(counted)
	}
}
