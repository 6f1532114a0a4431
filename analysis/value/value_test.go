package value_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/value"
)

func drawn(t *rapid.T) value.Facts {
	f := value.Facts{Horizon: 365}
	for range rapid.IntRange(0, 60).Draw(t, "people") {
		p := value.Person{Net: rapid.SampledFrom([]int64{0, 1, -50_000, 100_000, 1_234_567, 80_000_000}).Draw(t, "net")}
		if p.Valued = rapid.Bool().Draw(t, "valued"); p.Valued {
			p.Predicted = rapid.Int64Range(0, 1e9).Draw(t, "predicted")
		}
		f.People = append(f.People, p)
	}
	return f
}

func TestSummaryDoesNotDependOnTheOrderOfPeople(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawn(t)
		want := value.Summarise(f, "2026-03-01")
		rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed"))).Shuffle(len(f.People), func(i, j int) {
			f.People[i], f.People[j] = f.People[j], f.People[i]
		})
		require.Empty(t, cmp.Diff(want, value.Summarise(f, "2026-03-01")))
	})
}

func TestSpreadsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := value.Summarise(drawn(t), "2026-03-01")
		text, err := json.Marshal(s)
		require.NoError(t, err, "no NaN and no infinity")
		var again value.Summary
		require.NoError(t, json.Unmarshal(text, &again))
		back, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(text), string(back))
		for _, spread := range []*value.Spread{&s.Net, s.Predicted} {
			if spread != nil && spread.Customers > 0 {
				addsUp(t, *spread)
			}
		}
	})
}

func addsUp(t *rapid.T, s value.Spread) {
	people, total, shares := 0, decimal.Zero, 0.0
	for i, b := range s.Bins {
		people, total = people+b.Customers, total.Add(b.Total)
		if i > 0 {
			require.True(t, s.Bins[i-1].To.Equal(*b.From), "no gap")
		}
		require.True(t, b.From == nil || b.Customers == 0 || b.Total.GreaterThanOrEqual(b.From.Mul(decimal.NewFromInt(int64(b.Customers)))))
		require.True(t, b.To == nil || b.Customers == 0 || b.Total.LessThan(b.To.Mul(decimal.NewFromInt(int64(b.Customers)))))
	}
	require.Equal(t, s.Customers, people)
	require.True(t, s.Total.Equal(total))
	require.LessOrEqual(t, len(s.Bins), 45)
	people, total = 0, decimal.Zero
	for i, tenth := range s.Tenths {
		people, total, shares = people+tenth.Customers, total.Add(tenth.Total), shares+tenth.Share
		require.InDelta(t, float64(s.Customers)/float64(len(s.Tenths)), tenth.Customers, 1)
		require.InDelta(t, shares, tenth.Together, 1e-9)
		require.True(t, i == 0 || tenth.Mean.LessThanOrEqual(s.Tenths[i-1].Mean), "who has most comes first")
	}
	require.Equal(t, s.Customers, people)
	require.True(t, s.Total.Equal(total))
	if s.Gini == nil {
		require.Zero(t, shares)
		return
	}
	require.InDelta(t, 1, shares, 1e-9)
	require.True(t, *s.Gini >= 0 && *s.Gini <= 1-1/float64(s.Customers)+1e-9, *s.Gini)
	for i := 1; i < len(s.Quantiles); i++ {
		require.True(t, s.Quantiles[i-1].Amount.LessThanOrEqual(s.Quantiles[i].Amount))
	}
}

func people(nets ...int64) value.Facts {
	var f value.Facts
	for _, net := range nets {
		f.People = append(f.People, value.Person{Net: net * 10_000})
	}
	return f
}

// TestGini holds the coefficient against shops of which it is known.
func TestGini(t *testing.T) {
	for want, nets := range map[float64][]int64{
		0:      {7, 7, 7, 7},
		0.75:   {0, 0, 0, 9}, // one of four has everything: 1 - 1/4
		0.25:   {1, 2, 3, 4},
		0.6667: {-5, 0, 9}, // less than nothing is nothing
	} {
		require.InDelta(t, want, *value.Summarise(people(nets...), "").Net.Gini, 1e-4, nets)
	}
	require.Nil(t, value.Summarise(people(0, -1), "").Net.Gini)
}

func TestBinsHaveRoundLimits(t *testing.T) {
	var nets []int64
	for net := range int64(1000) {
		nets = append(nets, net)
	}
	s := value.Summarise(people(append(nets, 90_000, -3)...), "").Net
	require.Nil(t, s.Bins[0].From)
	require.Equal(t, 1, s.Bins[0].Customers)
	require.Equal(t, []string{"100", "200"}, []string{s.Bins[2].From.String(), s.Bins[2].To.String()})
	require.Equal(t, 100, s.Bins[2].Customers)
	last := s.Bins[len(s.Bins)-1]
	require.Nil(t, last.To)
	require.Equal(t, 1, last.Customers)
	require.Equal(t, "500", s.Quantiles[2].Amount.Round(0).String())
	require.InDelta(t, 184_050.0/589_500, s.Tenths[0].Share, 1e-9)
}

func TestGroups(t *testing.T) {
	f := people(1, 2, 3)
	f.Tiers = []value.Sum{{Key: "top", Name: "Top Value", Customers: 1, Net: 30_000, Valued: 1, Predicted: 70_000}, {Key: "low", Name: "Low Value", Customers: 2, Net: 30_000}}
	// 25 customers brought 10, 25 brought 30: a mean of 20, a deviation of 10.
	two := value.Sum{Key: "spring", Customers: 50, Net: 10_000_000, Squares: 25 * (100 + 900)}
	f.Origins = []value.Origin{
		{Kind: value.Coupon, Groups: []value.Sum{{Customers: 40}}},
		{Kind: value.Campaign, Groups: []value.Sum{{Key: "x", Customers: 19}, {Customers: 30}, two}},
	}
	s := value.Summarise(f, "2026-03-01")
	require.Equal(t, "Top Value", s.Tiers[0].Name)
	require.Equal(t, "7", s.Tiers[0].Expected.String())
	require.Nil(t, s.Tiers[1].Expected)
	require.Len(t, s.Origins, 1, "a shop without coupons is not told of them")
	require.Equal(t, 1, s.Origins[0].Small)
	spring := s.Origins[0].Groups[0]
	require.Equal(t, []string{"20", "17.2001", "22.7999"}, []string{spring.Each.String(), spring.Low.String(), spring.High.String()})
	require.Empty(t, s.Origins[0].Groups[1].Name)
}

func TestAnEmptyShop(t *testing.T) {
	text, err := json.Marshal(value.Summarise(value.Facts{}, "2026-03-01"))
	require.NoError(t, err)
	require.Contains(t, string(text), `"bins":[]`)
	require.NotContains(t, string(text), "predicted")
}
