package clv

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func model(t testing.TB, kind Kind, values ...float64) Model {
	t.Helper()
	var params []Param
	for i, name := range names[kind] {
		params = append(params, Param{Name: name, Value: values[i]})
	}
	m, err := Restore(kind, params)
	require.NoError(t, err)
	return m
}

// probe is a customer between whole days, as printed in papers.
func probe(m Model, x int, last, age float64) (alive float64, expected func(weeks float64) float64) {
	switch m := m.(type) {
	case *betaGeometric:
		b := m.believeAt(x, last, age)
		return b.alive, func(weeks float64) float64 { return m.expect(&b, weeks) }
	case *paretoNBD:
		return m.aliveAt(x, last, age), func(weeks float64) float64 { return m.expectAt(x, last, age, weeks, 0) }
	}
	panic("no such model")
}

func TestScalarChecks(t *testing.T) {
	paperBG := model(t, BGNBD, .243, 4.414, .793, 2.426)
	example := model(t, ParetoNBD, .5629966, 12.559037, .4081095, 10.5148048).(*paretoNBD)
	// The estimates that another tool prints, to as many digits as it prints.
	printed := model(t, ParetoNBD, .5533971, 10.5801985, .6060625, 11.6562237)
	printedAlive, printedExpected := probe(printed, 26, 216./7, 31)
	fitted := fitSample(BGNBD, paper(t)).Model
	fittedAlive, fittedExpected := probe(fitted, 26, 216./7, 31)
	spend := GammaGamma{6.25, 3.74, 15.44}
	dert := func(m *paretoNBD, x int, last, age float64) float64 {
		return m.expectAt(x, last, age, math.Inf(1), .0027)
	}
	spent := regexp.MustCompile(`x=(\d+),zbar=([\d.]+)\]`)
	asked := regexp.MustCompile(`x=(\d+) tx=([\d.]+) T=([\d.]+)`)
	given := regexp.MustCompile(`params=\[([\d., ]+)\]`)
	compared := 0
	var before float64
	table(t, func(row map[string]string) {
		check, want := row["check"], number(t, row["value"])
		got, precise := math.NaN(), 1e-9
		switch {
		case strings.HasPrefix(check, "BG/NBD paper params E[Y(39)"):
			_, expected := probe(paperBG, 2, 30.43, 38.86)
			got = expected(39)
		case strings.HasPrefix(check, "BG/NBD fitted(paper data)"):
			_, expected := probe(fitted, 2, 30.43, 38.86)
			got = expected(39)
		case strings.HasPrefix(check, "BG/NBD paper params E[X("):
			var weeks float64
			_, err := fmt.Sscanf(check, "BG/NBD paper params E[X(%g)]", &weeks)
			require.NoError(t, err)
			got = paperBG.New(weeks * 7)
		case strings.HasPrefix(check, "GG E[M|"):
			m := spent.FindStringSubmatch(check)
			got = spend.Mean(int(number(t, m[1])), number(t, m[2]))
		case check == "GG E[M] unconditional":
			got = spend.Mean(0, 0)
		case strings.Contains(check, "by quadrature"):
			got = before
		case strings.HasPrefix(check, "Pareto/NBD DERT"):
			m := asked.FindStringSubmatch(check)
			p := example
			if g := given.FindStringSubmatch(check); g != nil {
				var v []float64
				for _, text := range strings.Split(g[1], ", ") {
					v = append(v, number(t, text))
				}
				p = model(t, ParetoNBD, v...).(*paretoNBD)
			}
			got = dert(p, int(number(t, m[1])), number(t, m[2]), number(t, m[3]))
		case strings.Contains(check, "BTYD params E[X(52)]"):
			got, precise = printed.New(364), 1e-7
		case strings.Contains(check, "x=26 tx=30.86 T=31 (BTYD params)"):
			got, precise = printedExpected(52), 1e-8
		case check == "Pareto/NBD P(alive) same":
			got = printedAlive
		case check == "BG/NBD P(alive) same (BTYD est)": // of estimates that stopped short of the optimum
			got, precise = fittedAlive, 1e-5
		case check == "BG/NBD cond exp 52w same":
			got, precise = fittedExpected(52), 1e-4
		}
		before = got
		require.InEpsilon(t, want, got, precise, check)
		compared++
	}, "expected", "btyd_scalar_checks.csv")
	require.Equal(t, 43, compared)
}

// sampleFits are the fits of the CDNOW sample.
func sampleFits(t testing.TB) (fits map[Kind]Model, spend SpendFit) {
	stats, spent := cdnow(t, "cdnow_sample.csv.gz").until(t, day(t, calibrationCDNOW))
	fits = map[Kind]Model{}
	for _, kind := range Kinds() {
		fit, err := FitModel(kind, Compress(stats))
		require.NoError(t, err)
		fits[kind] = fit.Model
	}
	spend, err := FitSpend(spent)
	require.NoError(t, err)
	return fits, spend
}

func statsOf(t testing.TB, row map[string]string) Stats {
	return Stats{Repeats: int(number(t, row["x"])), Last: int32(number(t, row["t_x_days"])), Age: int32(number(t, row["T_days"]))}
}

func TestPredictionsForEveryCustomer(t *testing.T) {
	fits, spend := sampleFits(t)
	type bin struct{ n, actual, bg, mbg, pareto float64 }
	bins := map[int]*bin{}
	compared := 0
	table(t, func(row map[string]string) {
		compared++
		s := statsOf(t, row)
		weeks39 := map[string]float64{}
		for column, kind := range map[string]Kind{"bgnbd": BGNBD, "mbgnbd": MBGNBD, "pnbd": ParetoNBD} {
			precise := 2e-7
			if kind == ParetoNBD { // fitted without gradients there
				precise = 2e-5
			}
			require.InDelta(t, number(t, row["palive_"+column]), fits[kind].Alive(s), precise, "%s %+v", kind, s)
			weeks39[column] = fits[kind].Expected(s, 273)
			require.InDelta(t, number(t, row["exp_"+column]), weeks39[column], precise*(1+weeks39[column]), "%s %+v", kind, s)
		}
		require.InEpsilon(t, number(t, row["exp_spend_gg"]), spend.Expected(s.Repeats, number(t, row["zbar"])), 2e-6)
		b := bins[min(s.Repeats, 7)]
		if b == nil {
			b = &bin{}
			bins[min(s.Repeats, 7)] = b
		}
		b.n++
		b.actual += number(t, row["x_hold"])
		b.bg += weeks39["bgnbd"]
		b.mbg += weeks39["mbgnbd"]
		b.pareto += weeks39["pnbd"]
	}, "expected", "btyd_cdnow_sample_predictions_39w.csv")
	require.Equal(t, 2357, compared)
	table(t, func(row map[string]string) {
		b := bins[int(number(t, row["x"]))]
		require.EqualValues(t, number(t, row["n"]), b.n)
		for column, sum := range map[string]float64{"actual": b.actual, "bgnbd": b.bg, "mbgnbd": b.mbg, "pnbd": b.pareto} {
			require.InDelta(t, number(t, row[column]), sum/b.n, 2e-5, "%s of frequency %s", column, row["x"])
		}
	}, "expected", "btyd_cdnow_sample_cond_exp_by_frequency.csv")
}

// TestLifetimeValueOfTwelveMonths discounts as the expected answers do: month by month, at 1 % a month of 52/12 weeks.
func TestLifetimeValueOfTwelveMonths(t *testing.T) {
	fits, spend := sampleFits(t)
	value := func(m Model, s Stats, amount float64) (sum float64) {
		before := 0.0
		for month := 1.0; month <= 12; month++ {
			orders := m.Expected(s, month*364/12)
			sum += (orders - before) * amount / math.Pow(1.01, month)
			before = orders
		}
		return sum
	}
	var bg, pareto float64
	table(t, func(row map[string]string) {
		s := statsOf(t, row)
		amount := spend.Expected(s.Repeats, number(t, row["zbar"]))
		require.InEpsilon(t, number(t, row["exp_spend"]), amount, 2e-6)
		one, other := value(fits[BGNBD], s, amount), value(fits[ParetoNBD], s, amount)
		require.InDelta(t, number(t, row["clv12m_bg"]), one, 1e-5*(1+one), "%+v", s)
		require.InDelta(t, number(t, row["clv12m_pn"]), other, 1e-4*(1+other), "%+v", s)
		require.InDelta(t, number(t, row["tx52_bg"]), fits[BGNBD].Expected(s, 364), 1e-5)
		require.InDelta(t, number(t, row["tx52_pn"]), fits[ParetoNBD].Expected(s, 364), 1e-4)
		// Discounting by the moment, not by the month, is worth half a month's interest more.
		yearly := math.Pow(1.01, 12*365./364) - 1
		require.InDelta(t, one*math.Pow(1.01, .5), fits[BGNBD].Discounted(s, 364, yearly)*amount, 2e-3*one)
		bg += one
		pareto += other
	}, "expected", "clv_12m_cdnow_sample.csv")
	require.InDelta(t, 71354.51, bg, 0.2)
	require.InDelta(t, 72158.31, pareto, 3)
}

// TestSumOverEventsEqualsTheClosedForm compares with Gauss's function wherever that is well behaved.
func TestSumOverEventsEqualsTheClosedForm(t *testing.T) {
	for _, a := range []float64{0.2, 0.8, 1.3, 4} {
		for _, b := range []float64{0.9, 2.4, 30} {
			for _, size := range []float64{0.3, 2, 7} {
				for _, z := range []float64{0.01, 0.4, 0.9, 0.98} {
					m := &betaGeometric{kind: BGNBD, shape: shape{k: 1}, a: a}
					sum := m.ordersAfter(&belief{events: size, scale: 1, b: b}, 0, z/(1-z))
					closed, ok := eulerOrders(size, a, b, z)
					if ok {
						require.InEpsilon(t, closed, sum, 1e-9, "a %v b %v size %v z %v", a, b, size, z)
					}
				}
			}
		}
	}
}

func TestForEver(t *testing.T) {
	s := Stats{Repeats: 3, Last: 70, Age: 140}
	for _, c := range []struct {
		m      Model
		orders float64
	}{
		{model(t, NBD, .5, 5), math.Inf(1)},
		{model(t, BGNBD, .5, 5, .8, 2), math.Inf(1)},
		{model(t, BGNBD, .5, 5, 1, 2), math.Inf(1)},
		{model(t, BGNBD, .5, 5, 2, 2), 2 + 2 + 3 - 1}, // the mean of 1/p for p of beta(2, 2+3)
		{model(t, MBGNBD, .5, 5, 3, 2), (3 + 2 + 4 - 1) / 2.},
		{model(t, MBGCNBDK, .5, 5, 3, 2, 3), (3 + 2 + 4 - 1) / 2.},
		{model(t, ParetoNBD, .5, 5, 1, 9), math.Inf(1)},
		{model(t, ParetoNBD, .5, 5, 3, 9), 3.5 / 25 * 29 / 2},
	} {
		if math.IsInf(c.orders, 0) {
			require.Equal(t, c.orders, c.m.Expected(s, math.Inf(1)), "%s %v", c.m.Kind(), c.m.Params())
		} else {
			require.InEpsilon(t, c.orders*c.m.Alive(s), c.m.Expected(s, math.Inf(1)), 1e-12, "%s %v", c.m.Kind(), c.m.Params())
			require.InEpsilon(t, c.orders*c.m.Alive(s), c.m.Expected(s, 7e6), 1e-3, "%s %v", c.m.Kind(), c.m.Params())
		}
	}
	// With an annual rate of e - 1 the discount is e a year of 365 days.
	require.InEpsilon(t, 3.5/25*365/7, model(t, NBD, .5, 5).Discounted(s, math.Inf(1), math.E-1), 1e-12)
	require.InEpsilon(t, 3.5/25*365/7*(1-1/math.E), model(t, NBD, .5, 5).Discounted(s, 365, math.E-1), 1e-12)
}
