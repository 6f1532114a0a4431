package clv

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// forecast are a forecast and what happened, with many equal ones.
func forecast(t *rapid.T) (predicted, actual []float64) {
	n := rapid.IntRange(1, 80).Draw(t, "customers")
	for range n {
		predicted = append(predicted, float64(rapid.IntRange(0, 12).Draw(t, "predicted"))/4)
		actual = append(actual, float64(rapid.IntRange(0, 5).Draw(t, "actual")))
	}
	return predicted, actual
}

func measure(t require.TestingT, predicted, actual []float64) Metrics {
	m, err := Measure("test", predicted, actual)
	require.NoError(t, err)
	return m
}

func TestMetricsDoNotDependOnTheOrderOfCustomers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		predicted, actual := forecast(t)
		before := measure(t, predicted, actual)
		r := rand.New(rand.NewPCG(3, rapid.Uint64().Draw(t, "seed")))
		r.Shuffle(len(actual), func(i, j int) {
			predicted[i], predicted[j] = predicted[j], predicted[i]
			actual[i], actual[j] = actual[j], actual[i]
		})
		require.Equal(t, before, measure(t, predicted, actual))
	})
}

func TestMetricsStayWithinTheirLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		predicted, actual := forecast(t)
		m := measure(t, predicted, actual)
		for _, r := range []float64{m.Gini, m.Pearson, m.Spearman} {
			require.LessOrEqual(t, math.Abs(r), 1+1e-9)
		}
		require.LessOrEqual(t, m.MAE, m.RMSE+1e-12)
		customers, total := 0, 0.0
		for _, d := range m.Deciles {
			customers += d.Customers
			total += d.Actual
		}
		require.Equal(t, m.Customers, customers)
		require.InDelta(t, m.Actual, total, 1e-9)

		scaled := make([]float64, len(predicted))
		for i := range scaled {
			scaled[i] = 7 * predicted[i]
		}
		other := measure(t, scaled, actual)
		require.InDelta(t, m.Gini, other.Gini, 1e-12, "only the ranking counts")
		require.InDelta(t, m.Spearman, other.Spearman, 1e-12)
	})
}

// TestTotalsThatCancelSayNothing: refunds take back what was spent, up to what rounding leaves, and no share is made of that.
func TestTotalsThatCancelSayNothing(t *testing.T) {
	actual := make([]float64, 40)
	predicted := make([]float64, 40)
	for i := range actual {
		predicted[i] = 40 - float64(i)
		switch i % 4 {
		case 0:
			actual[i] = 0.3
		case 1:
			actual[i] = -0.1
		case 2:
			actual[i] = -0.2
		default:
			actual[i] = 1e-300
		}
	}
	m := measure(t, predicted, actual)
	require.Less(t, math.Abs(m.Actual), 1e-9)
	require.Zero(t, m.Bias)
	require.Zero(t, m.DecileError)
	require.Zero(t, m.Gini)

	actual[0] = 50
	m = measure(t, predicted, actual)
	require.InDelta(t, math.Abs(m.Deciles[0].Predicted/m.Deciles[0].Actual-1), m.DecileError, 1e-12, "nothing happened in the others")
	for i := range predicted {
		predicted[i] = 1 + 1e-200*float64(i)
	}
	predicted[0] = 1e-200
	require.False(t, math.IsNaN(measure(t, predicted, actual).Pearson))
	for i := range predicted {
		predicted[i] = 1e-200 * float64(i)
	}
	require.Zero(t, measure(t, predicted, actual).Pearson, "so little is no difference")
}

func TestPerfectAndWorthlessForecasts(t *testing.T) {
	actual := []float64{0, 3, 1, 0, 7, 2, 2, 0, 0, 1, 4}
	perfect := measure(t, actual, actual)
	require.Equal(t, 1.0, perfect.Gini)
	require.InDelta(t, 1, perfect.Pearson, 1e-12)
	require.InDelta(t, 1, perfect.Spearman, 1e-12)
	require.Zero(t, perfect.MAE+perfect.RMSE+perfect.DecileError+perfect.Bias)

	alike := make([]float64, len(actual))
	for i := range alike {
		alike[i] = 2
	}
	worthless := measure(t, alike, actual)
	require.InDelta(t, 0, worthless.Gini, 1e-12)
	require.Zero(t, worthless.Pearson)
	require.Zero(t, worthless.Spearman)

	reversed := make([]float64, len(actual))
	for i := range reversed {
		reversed[i] = -actual[i]
	}
	require.InDelta(t, -1, measure(t, reversed, actual).Gini, 1e-12)
	nothing := measure(t, alike, make([]float64, len(actual)))
	require.Zero(t, nothing.Bias+nothing.Gini)
	require.Equal(t, Metrics{Forecast: "test"}, measure(t, nil, nil))
	require.Len(t, measure(t, []float64{1, 2}, []float64{1, 2}).Deciles, 2)
}

func TestForecastsThatAreNoneAreRefused(t *testing.T) {
	_, err := Measure("bg_nbd", []float64{1}, []float64{1, 2})
	require.ErrorContains(t, err, "bg_nbd")
	_, err = Measure("bg_nbd", []float64{math.NaN()}, []float64{1})
	require.Error(t, err)
	_, err = Measure("bg_nbd", []float64{math.Inf(1)}, []float64{1})
	require.Error(t, err)
}
