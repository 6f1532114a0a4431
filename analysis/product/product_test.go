package product_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/product"
)

// drawn is a shop whose counts are possible.
func drawn(t *rapid.T) product.Facts {
	part := func(of int, what string) int { return rapid.IntRange(0, max(0, of)).Draw(t, what) }
	f := product.Facts{Customers: part(3000, "customers"), Lines: 1, Tiered: rapid.Bool().Draw(t, "tiered")}
	f.Best = part(f.Customers, "best")
	for i := range part(40, "products") {
		s := product.Sold{Key: fmt.Sprint(i), Revenue: rapid.Int64Range(-1e6, 1e9).Draw(t, "revenue"), Buyers: part(100, "buyers"), Seen: part(100, "seen")}
		s.Again, s.Returned = part(s.Buyers, "again"), part(s.Seen, "returned")
		s.BestFirsts = part(min(f.Best, 60), "best firsts")
		s.Firsts = s.BestFirsts + part(min(f.Customers-f.Best, 300), "other firsts")
		for range part(8, "ratings") {
			stars := float64(rapid.IntRange(1, 5).Draw(t, "stars"))
			s.Ratings.Count, s.Ratings.Sum = s.Ratings.Count+1, s.Ratings.Sum+stars
			if rapid.Bool().Draw(t, "by the best") {
				s.Ratings.BestCount, s.Ratings.BestSum = s.Ratings.BestCount+1, s.Ratings.BestSum+stars
			}
		}
		f.Products = append(f.Products, s)
	}
	if rapid.Bool().Draw(t, "unnamed") {
		f.Products = append(f.Products, product.Sold{Revenue: 70_000})
	}
	f.Categories = slices.DeleteFunc(slices.Clone(f.Products), func(s product.Sold) bool { return s.Key == "" })
	return f
}

func TestSummaryDoesNotDependOnTheOrderOfItsFacts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawn(t)
		want, err := product.Summarise(f, "2026-03-01", "net")
		require.NoError(t, err)
		rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed"))).Shuffle(len(f.Products), func(i, j int) {
			f.Products[i], f.Products[j] = f.Products[j], f.Products[i]
		})
		slices.Reverse(f.Categories)
		got, err := product.Summarise(f, "2026-03-01", "net")
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(want, got))
	})
}

func TestSummaryIsBoundedAndAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := product.Summarise(drawn(t), "2026-03-01", "net")
		require.NoError(t, err)
		left, shares := s.Revenue.Sub(s.Unnamed), 0.0
		for _, r := range s.Products {
			left, shares = left.Sub(r.Revenue), shares+r.Share
			for _, share := range []product.Share{r.First, r.BestFirst, r.Again, r.Returned} {
				require.True(t, 0 <= share.Low && share.Low <= share.Rate && share.Rate <= share.High && share.High <= 1, share)
			}
			for _, test := range []product.Test{r.Test, r.BackTest} {
				require.True(t, 0 <= test.P && test.P <= test.Q+1e-12 && test.Q <= 1, test)
				require.True(t, test.Lift == nil || *test.Lift >= 0)
			}
			if r.Rating != nil {
				low, high := min(r.Rating.Mean, *s.Rating), max(r.Rating.Mean, *s.Rating)
				require.True(t, 1 <= low && low-1e-9 <= r.Rating.Ranked && r.Rating.Ranked <= high+1e-9 && high <= 5, r.Rating)
			}
			if r.Test.Verdict != product.Few {
				require.GreaterOrEqual(t, r.First.Hits, product.MinFirsts)
			}
		}
		require.True(t, left.IsZero(), "the revenue of all products and of lines without one is that of all lines")
		if s.Revenue.IsPositive() {
			unnamed, _ := s.Unnamed.Div(s.Revenue).Float64()
			require.InDelta(t, 1, shares+unnamed, 1e-9)
		}
		text, err := json.Marshal(s)
		require.NoError(t, err, "no NaN and no infinity")
		var again product.Summary
		require.NoError(t, json.Unmarshal(text, &again))
		back, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(text), string(back))
	})
}

// TestWhatTheBestBuyFirst: of 1,000 customers 100 are the best. A starter set was in the first order of 100 of them all and of
// 40 of the best, four times as often as among all.
func TestWhatTheBestBuyFirst(t *testing.T) {
	f := product.Facts{Customers: 1000, Best: 100, Lines: 1, Products: []product.Sold{
		{Key: "set", Firsts: 100, BestFirsts: 40, Revenue: 10_000},
		{Key: "tea", Firsts: 400, BestFirsts: 40, Revenue: 20_000},
		{Key: "bargain", Firsts: 300, BestFirsts: 3},
		{Key: "new", Firsts: 19, BestFirsts: 19},
	}}
	s, err := product.Summarise(f, "2026-03-01", "net")
	require.NoError(t, err)
	firsts := product.Firsts(s.Products)
	var names []string
	for _, r := range firsts {
		names = append(names, r.Name+" "+string(r.Test.Verdict))
	}
	require.Equal(t, []string{"tea no clear difference", "set more often", "bargain less often"}, names)
	require.InDelta(t, 4, *firsts[1].Test.Lift, 1e-12)
	require.Equal(t, 1, s.Small)
	require.InDelta(t, 0.3094, firsts[1].BestFirst.Low, 1e-4)

	f.Best, f.Products = 10, []product.Sold{{Key: "set", Firsts: 100, BestFirsts: 10}}
	s, err = product.Summarise(f, "2026-03-01", "net")
	require.NoError(t, err)
	require.Equal(t, product.Few, s.Products[0].Test.Verdict, "ten people are no crowd")
}

// TestChanceIsFishers: the tea of Fisher's lady, and other figures reckoned elsewhere.
func TestChanceIsFishers(t *testing.T) {
	for _, c := range []struct {
		hits, drawn, marked, all int
		want                     float64
	}{
		{4, 4, 4, 8, 2.0 / 70}, // all cups right: 1 of 70 ways
		{3, 4, 4, 8, 2.0 * 17 / 70},
		{2, 4, 4, 8, 1},
		{0, 5, 10, 100, 2 * 0.58375236692}, // C(90,5)/C(100,5), above a half
		{10, 12, 24, 100, 2 * 5.504450519e-06},
	} {
		f := product.Facts{Customers: c.all, Best: c.marked, Products: []product.Sold{{Key: "p", Firsts: c.drawn, BestFirsts: c.hits}}}
		s, err := product.Summarise(f, "", "net")
		require.NoError(t, err)
		want := math.Min(1, c.want)
		require.InEpsilon(t, want, s.Products[0].Test.P, 1e-3, c)
	}
}

func TestReturnsAndRatings(t *testing.T) {
	f := product.Facts{Reviews: 60, Lines: 1, Products: []product.Sold{
		{Key: "shoes", Seen: 100, Returned: 40, Ratings: product.Ratings{Count: 40, Sum: 160, BestCount: 2, BestSum: 6}},
		{Key: "socks", Seen: 300, Returned: 10, Ratings: product.Ratings{Count: 5, Sum: 25}},
		{Key: "hat", Seen: 5, Returned: 5, Ratings: product.Ratings{Count: 15, Sum: 75}},
		{Key: "belt", Seen: 300, Ratings: product.Ratings{Count: 4, Sum: 20}},
	}}
	s, err := product.Summarise(f, "", "net")
	require.NoError(t, err)
	back := product.Back(s.Products)
	require.Len(t, back, 2, "five orders are too few to tell, and of belts none came back")
	require.Equal(t, []string{"shoes", "socks"}, []string{back[0].Name, back[1].Name})
	require.Equal(t, product.More, back[0].BackTest.Verdict)
	rated := product.Rated(s.Products)
	require.Equal(t, []string{"hat", "socks", "shoes"}, []string{rated[0].Name, rated[1].Name, rated[2].Name}, "fifteen times five stars say more than five times")
	require.Equal(t, 3.0, *rated[2].Rating.BestMean)
	require.Equal(t, product.Share{Hits: 55, Of: 705}, product.Share{Hits: s.Returned.Hits, Of: s.Returned.Of})
}

func TestContradictionsAreNamed(t *testing.T) {
	_, err := product.Summarise(product.Facts{Customers: 5, Products: []product.Sold{{Key: "tea", Firsts: 6}}}, "", "net")
	require.ErrorContains(t, err, `product "tea": firsts are 6 of 5`)
}

func TestManyProductsAreCut(t *testing.T) {
	f := product.Facts{Customers: 100_000, Best: 5000, Lines: 1}
	for i := range 1000 {
		f.Products = append(f.Products, product.Sold{Key: fmt.Sprint(i), Revenue: int64(10_000 - i), Firsts: i, BestFirsts: i / 20})
	}
	s, err := product.Summarise(f, "", "net")
	require.NoError(t, err)
	require.Equal(t, 1000, len(s.Products)+s.Rest)
	require.Equal(t, "999", s.Products[len(s.Products)-1].ID, "what most of the best began with stays, however little it brings")
	require.Equal(t, product.MinFirsts, s.Small)
}
