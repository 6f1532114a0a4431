package clv

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCustomersByPAlive(t *testing.T) {
	cases := []Case{{Orders: 1}, {Orders: 0}, {Orders: 3}, {Orders: 0}, {Orders: 2}}
	got := byAlive(cases, []float64{1, 0.95, 0.91, 0.05, 0.3})
	require.Len(t, got, 3)
	require.Equal(t, AliveBin{From: 0, To: 0.1, Customers: 1, Alive: 0.05}, got[0])
	require.Equal(t, AliveBin{From: 0.3, To: 0.4, Customers: 1, Alive: 0.3, Ordered: 1}, got[1])
	require.Equal(t, 3, got[2].Customers, "one is in the last bin")
	require.InDelta(t, 2.0/3, got[2].Ordered, 1e-12, "one order is enough")
	require.InDelta(t, 2.86/3, got[2].Alive, 1e-12)
}

func TestCustomersByFrequency(t *testing.T) {
	cases := []Case{{Orders: 1}, {Orders: 2}, {Stats: Stats{Repeats: 7}, Orders: 4}, {Stats: Stats{Repeats: 90}, Orders: 8}}
	require.Equal(t, []Frequency{
		{Repeats: 0, Customers: 2, Actual: 1.5, Predicted: 1}, {Repeats: 7, Customers: 2, Actual: 6, Predicted: 5},
	}, byFrequency(cases, []float64{0.5, 1.5, 4, 6}))
}

func TestTheSampleIsSpreadEvenly(t *testing.T) {
	h := Holdout{Days: 30}
	for age := range 1000 {
		h.Cases = append(h.Cases, Case{Stats: Stats{Age: int32(age)}})
	}
	b, err := newBacktest(h)
	require.NoError(t, err)
	s := b.sample(10)
	var ages []int32
	for _, c := range s.cases {
		ages = append(ages, c.Age)
	}
	require.Equal(t, []int32{50, 150, 250, 350, 450, 550, 650, 750, 850, 950}, ages)
	require.Len(t, s.orders, 10)
	require.Equal(t, b, b.sample(1000))
}

func TestNaiveForecastsByHand(t *testing.T) {
	n := NewNaive([]Stats{{Repeats: 3, Last: 80, Age: 100}, {Age: 50}, {Age: -4}})
	require.Equal(t, Naive{Span: 100, Rate: 0.02}, n)
	s := Stats{Repeats: 2, Last: 3, Age: 4}
	require.InDelta(t, 2*30.0/7, n.Orders(NaiveRate, s, 30), 1e-12, "a week at least")
	require.InDelta(t, 0.6, n.Orders(NaiveCount, s, 30), 1e-12)
	require.InDelta(t, 0.6, n.Orders(NaiveShop, s, 30), 1e-12)
	require.Zero(t, n.Orders(Hindsight, s, 30))
	require.InDelta(t, 60, n.Value(200, 30), 1e-12)
}
