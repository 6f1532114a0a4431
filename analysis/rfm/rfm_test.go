package rfm_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/rfm"
)

// published are the conventions whose scores of the real data are known.
var published = []rfm.Convention{rfm.NTile, rfm.CumeDistMax, rfm.RankMin, rfm.MidRank, rfm.QuantileCut}

func TestScoresOfRealShopsAreThoseExpected(t *testing.T) {
	for _, shop := range []struct {
		name   string
		scores string
		rows   func(*testing.T) []rfm.Row
	}{
		{"cdnow_full", "rfm_scores_cdnow_full.csv.gz", cdnow},
		{"online_retail", "rfm_scores_online_retail.csv", onlineRetail},
	} {
		t.Run(shop.name, func(t *testing.T) {
			expected := map[int64]map[string]string{}
			table(t, reference(t, "expected", shop.scores), func(row map[string]string) { expected[whole(t, row["cid"])] = row })
			distribution := distribution(t, shop.name)
			rows := shop.rows(t)
			require.Len(t, rows, len(expected))

			for _, convention := range published {
				res, err := rfm.Calculate(rows, rfm.Rule{Convention: convention})
				require.NoError(t, err)
				require.Equal(t, 5, res.Bins)
				for i, row := range rows {
					want := expected[row.Person]
					require.EqualValues(t, whole(t, want["R"]), row.Recency)
					require.EqualValues(t, whole(t, want["F"]), row.Frequency)
					require.True(t, money(t, want["M"]).Equal(decimal.New(row.Monetary, -4).Round(2)), "monetary of %d", row.Person)
					require.Equal(t, want["rfm_"+string(convention)], res.Scores[i].Label(), "%s of %d", convention, row.Person)
				}
				for dim, ranges := range map[string][]rfm.Range{"R": res.Recency, "F": res.Frequency, "M": res.Monetary} {
					for _, r := range ranges {
						require.Equal(t, distribution[fmt.Sprint(convention, dim, r.Score)], r.Customers, "%s %s %d", convention, dim, r.Score)
					}
				}
			}
		})
	}
}

func distribution(t *testing.T, dataset string) map[string]int {
	counts := map[string]int{}
	table(t, reference(t, "expected", "rfm_score_distribution.csv"), func(row map[string]string) {
		if row["dataset"] == dataset {
			counts[row["convention"]+row["dim"]+row["score"]] = int(whole(t, row["customers"]))
		}
	})
	require.Len(t, counts, 75)
	return counts
}

func rows() *rapid.Generator[[]rfm.Row] {
	return rapid.Custom(func(t *rapid.T) []rfm.Row {
		all := make([]rfm.Row, rapid.IntRange(0, 200).Draw(t, "customers"))
		spread := rapid.SampledFrom([]int{1, 3, 50, 100_000}).Draw(t, "spread")
		for i := range all {
			all[i] = rfm.Row{
				Person:    int64(i + 1),
				Recency:   rapid.IntRange(0, spread).Draw(t, "recency"),
				Frequency: rapid.IntRange(1, spread).Draw(t, "frequency"),
				Monetary:  int64(rapid.IntRange(-spread, spread*10).Draw(t, "monetary")),
			}
		}
		return all
	})
}

func rules() *rapid.Generator[rfm.Rule] {
	return rapid.Custom(func(t *rapid.T) rfm.Rule {
		rule := rfm.Rule{Convention: rapid.SampledFrom(rfm.Conventions()).Draw(t, "convention")}
		if rule.Convention == rfm.Thresholds {
			rule.Recency, rule.Frequency, rule.Monetary = []int{10, 30, 90}, []int{2, 3, 10}, []int64{0, 20, 300}
			return rule
		}
		rule.Bins = rapid.IntRange(0, rfm.MaxBins).Draw(t, "bins")
		return rule
	})
}

func calculate(t require.TestingT, rows []rfm.Row, rule rfm.Rule) rfm.Result {
	res, err := rfm.Calculate(rows, rule)
	require.NoError(t, err)
	return res
}

func TestScoresAreTheSameWhateverTheOrderOfTheRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, rule := rows().Draw(t, "rows"), rules().Draw(t, "rule")
		res := calculate(t, all, rule)
		byPerson := map[int64]rfm.Score{}
		for i, row := range all {
			byPerson[row.Person] = res.Scores[i]
		}
		shuffled := rapid.Permutation(all).Draw(t, "shuffled")
		again := calculate(t, shuffled, rule)
		for i, row := range shuffled {
			require.Equal(t, byPerson[row.Person], again.Scores[i])
		}
		again.Scores = res.Scores
		require.Equal(t, res, again)
	})
}

func TestScoresRiseWithTheValueAndAreEqualForEqualValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, rule := rows().Draw(t, "rows"), rules().Draw(t, "rule")
		res := calculate(t, all, rule)
		for i, a := range all {
			for j, b := range all {
				sa, sb := res.Scores[i], res.Scores[j]
				ordered(t, rule, int64(-a.Recency), int64(-b.Recency), sa.R, sb.R)
				ordered(t, rule, int64(a.Frequency), int64(b.Frequency), sa.F, sb.F)
				ordered(t, rule, a.Monetary, b.Monetary, sa.M, sb.M)
			}
		}
	})
}

func ordered(t *rapid.T, rule rfm.Rule, a, b int64, scoreA, scoreB uint8) {
	if a > b && scoreA < scoreB {
		t.Fatalf("%d scores %d, less than %d with %d", a, scoreA, b, scoreB)
	}
	if a == b && scoreA != scoreB && rule.Convention != rfm.NTile {
		t.Fatalf("%d scores both %d and %d", a, scoreA, scoreB)
	}
}

func TestScoresStayWithinTheBinsAndRangesTellThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, rule := rows().Draw(t, "rows"), rules().Draw(t, "rule")
		res := calculate(t, all, rule)
		require.LessOrEqual(t, res.Bins, rfm.MaxBins)
		require.Equal(t, rule.BinsFor(len(all)), res.Bins)
		for i, row := range all {
			s := res.Scores[i]
			within(t, res.Recency[s.R-1], int64(row.Recency))
			within(t, res.Frequency[s.F-1], int64(row.Frequency))
			within(t, res.Monetary[s.M-1], row.Monetary)
		}
		for _, ranges := range [][]rfm.Range{res.Recency, res.Frequency, res.Monetary} {
			require.Len(t, ranges, res.Bins)
			total := 0
			for _, r := range ranges {
				total += r.Customers
			}
			require.Equal(t, len(all), total)
		}
	})
}

func within(t *rapid.T, r rfm.Range, value int64) {
	if value < r.Min || value > r.Max {
		t.Fatalf("%d scores %d, which covers %d to %d", value, r.Score, r.Min, r.Max)
	}
}

func TestScoresDoNotDependOnTheUnitOfMoney(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, rule := rows().Draw(t, "rows"), rules().Draw(t, "rule")
		factor := rapid.SampledFrom([]int64{2, 7, 10_000}).Draw(t, "factor")
		before := calculate(t, all, rule).Scores
		for i := range all {
			all[i].Monetary *= factor
		}
		for i := range rule.Monetary {
			rule.Monetary[i] *= factor
		}
		require.Equal(t, before, calculate(t, all, rule).Scores)
	})
}

func TestThresholdsScoreByWhatTheOwnerGave(t *testing.T) {
	rule := rfm.Rule{Convention: rfm.Thresholds, Recency: []int{30, 60, 90, 180}, Frequency: []int{2, 3, 5, 10}, Monetary: []int64{50, 100, 200, 500}}
	for _, c := range []struct {
		row  rfm.Row
		want string
	}{
		{rfm.Row{Recency: 30, Frequency: 10, Monetary: 500}, "555"},
		{rfm.Row{Recency: 31, Frequency: 9, Monetary: 499}, "444"},
		{rfm.Row{Recency: 180, Frequency: 2, Monetary: 50}, "222"},
		{rfm.Row{Recency: 181, Frequency: 1, Monetary: 49}, "111"},
		{rfm.Row{Recency: 0, Frequency: 4, Monetary: -10}, "531"},
	} {
		res := calculate(t, []rfm.Row{c.row}, rule)
		require.Equal(t, 5, res.Bins)
		require.Equal(t, c.want, res.Scores[0].Label(), "%+v", c.row)
	}
}

func TestFewCustomersGetFewerBinsAndAreTold(t *testing.T) {
	for _, c := range []struct {
		customers, bins int
		note            string
	}{
		{0, 1, "No customer has a counted order yet, so there is nothing to score."},
		{1, 1, "Only 1 customer: too few to compare, so everybody gets the same score. Two scores begin at 10 customers, three at 30, five at 100."},
		{9, 1, "Only 9 customers: too few to compare, so everybody gets the same score. Two scores begin at 10 customers, three at 30, five at 100."},
		{10, 2, "2 scores instead of 5, because there are only 10 customers; five begin at 100."},
		{30, 3, "3 scores instead of 5, because there are only 30 customers; five begin at 100."},
		{99, 3, "3 scores instead of 5, because there are only 99 customers; five begin at 100."},
		{100, 5, ""},
	} {
		all := make([]rfm.Row, c.customers)
		for i := range all {
			all[i] = rfm.Row{Person: int64(i), Recency: i, Frequency: i, Monetary: int64(i)}
		}
		res := calculate(t, all, rfm.Rule{})
		require.Equal(t, c.bins, res.Bins, "%d customers", c.customers)
		require.Equal(t, c.note, res.Note)
	}
	asked := calculate(t, make([]rfm.Row, 40), rfm.Rule{Bins: 5})
	require.Equal(t, 5, asked.Bins)
	require.Equal(t, "5 scores from only 40 customers: each score rests on very few people.", asked.Note)
}

func TestRulesThatMakeNoSenseAreNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		rule rfm.Rule
		want string
	}{
		{"unknown convention", rfm.Rule{Convention: "quintiles"}, `rfm convention "quintiles": not one of rank_min, quantile_cut, thresholds, ntile, cume_dist_max, midrank`},
		{"too many bins", rfm.Rule{Bins: 10}, "rfm bins 10: must be 1 to 5"},
		{"no thresholds", rfm.Rule{Convention: rfm.Thresholds}, "rfm recency thresholds: 0 values, must be 1 to 4"},
		{"uneven thresholds", rfm.Rule{Convention: rfm.Thresholds, Recency: []int{1}, Frequency: []int{1, 2}, Monetary: []int64{1}}, "the three lists must be equally long"},
		{"falling thresholds", rfm.Rule{Convention: rfm.Thresholds, Recency: []int{1, 2}, Frequency: []int{1, 2}, Monetary: []int64{5, 5}}, "rfm monetary thresholds: value 2 is not above the one before it"},
		{"bins against thresholds", rfm.Rule{Convention: rfm.Thresholds, Bins: 5, Recency: []int{1}, Frequency: []int{1}, Monetary: []int64{1}}, "1 thresholds make 2 bins"},
		{"thresholds without use", rfm.Rule{Recency: []int{1}}, `only used with the convention "thresholds"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := rfm.Calculate(nil, c.rule)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestExtremeAmountsDoNotOverflow(t *testing.T) {
	all := []rfm.Row{
		{Person: 1, Monetary: math.MinInt64}, {Person: 2, Monetary: math.MinInt64}, {Person: 3}, {Person: 4, Monetary: math.MaxInt64},
	}
	for _, convention := range published {
		res := calculate(t, all, rfm.Rule{Convention: convention, Bins: 5})
		require.Less(t, res.Scores[0].M, res.Scores[3].M, convention)
		require.LessOrEqual(t, res.Scores[1].M, res.Scores[2].M, convention)
	}
}

// invented makes rows as uneven as a shop's: most people order once, a few very often.
func invented(n int) []rfm.Row {
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]rfm.Row, n)
	for i := range all {
		orders := 1 + int(random.ExpFloat64()*random.ExpFloat64()*3)
		all[i] = rfm.Row{Person: int64(i), Recency: random.IntN(1000), Frequency: orders, Monetary: int64(float64(orders) * math.Exp(random.NormFloat64()) * 400_000)}
	}
	return all
}

func TestAMillionCustomersTakeFewAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("a million rows in a short test run")
	}
	all := invented(1_000_000)
	allocations := testing.AllocsPerRun(1, func() { calculate(t, all, rfm.Rule{}) })
	require.Less(t, allocations, 50.0)
}

func BenchmarkCalculate(b *testing.B) {
	all := invented(1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		calculate(b, all, rfm.Rule{})
	}
}
