package experiment

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
)

// simulation is an invented shop as one of its audiences sees it: people become due day by day, buy at rates of their own, and
// those who are not held out buy more often by lift, for nothing else than that.
type simulation struct {
	first, daily int     // people due on the first day, and on each later one
	share        float64 // held out
	rate         float64 // mean orders in a window
	shape        float64 // of the rates: the smaller, the more people differ
	sigma        float64 // of the logarithm of amounts: 1 is a long tail
	lift         float64
}

// price is the mean of the amounts.
const price = 50

// effect is the true one on revenue per person.
func (s simulation) effect() float64 { return s.lift * s.rate * price }

// entrant is a person and the day on which they were due.
type entrant struct {
	day int32
	People
}

func (s simulation) people(random *rand.Rand, days int32) []entrant {
	var all []entrant
	for day := range days {
		number := s.daily
		if day == 0 {
			number = s.first
		}
		for range number {
			all = append(all, entrant{day, s.person(random)})
		}
	}
	return all
}

func (s simulation) person(random *rand.Rand) People {
	p := People{Number: 1, Held: random.Float64() < s.share, Share: s.share}
	rate := distuv.Gamma{Alpha: s.shape, Beta: s.shape / s.rate, Src: random}.Rand()
	size := price * math.Exp(0.5*random.NormFloat64()-0.125)
	buy := func(mean float64) (t Totals) {
		t.Orders = int64(distuv.Poisson{Lambda: max(1e-9, mean), Src: random}.Rand())
		for range t.Orders {
			t.Revenue += int64(perUnit * size * math.Exp(s.sigma*random.NormFloat64()-s.sigma*s.sigma/2))
		}
		return t
	}
	lifted := rate
	if !p.Held {
		lifted *= 1 + s.lift
	}
	const windows = Earlier/Window - 1
	p.After, p.Before, p.Earlier = buy(lifted), buy(rate), buy(windows*rate)
	return p
}

// tally is what comes of looking every day in many shops.
type tally struct {
	shops      int
	fooled     int // who looks every day and takes each interval as if it were the only look, and sees the truth outside once
	missed     int // the range that holds at all times leaves the truth out once
	once       int // the interval of who looks once, at the end, leaves the truth out
	helps      int
	harms      int
	plainError float64
	error      float64
}

func (s simulation) look(shops int, days int32) tally {
	t := tally{shops: shops}
	for shop := range shops {
		all := s.people(rand.New(rand.NewPCG(uint64(shop), 17)), days)
		var seen []People
		fooled, missed, helps, harms := false, false, false, false
		var e Effect
		for day := int32(MinDays); day < days; day++ {
			for len(seen) < len(all) && all[len(seen)].day+Window <= day {
				seen = append(seen, all[len(seen)].People)
			}
			e = effectOf(seen, revenue, true)
			e.decide(1-Level, e.P <= 1-Level)
			fooled = fooled || e.Adjusted.Low > s.effect() || e.Adjusted.High < s.effect()
			missed = missed || e.Range.Low > s.effect() || e.Range.High < s.effect()
			helps, harms = helps || e.Verdict == Helps, harms || e.Verdict == Harms
		}
		for of, is := range map[*int]bool{
			&t.fooled: fooled, &t.missed: missed, &t.helps: helps, &t.harms: harms,
			&t.once: e.Adjusted.Low > s.effect() || e.Adjusted.High < s.effect(),
		} {
			if is {
				*of++
			}
		}
		t.plainError += e.Plain.Error / float64(shops)
		t.error += e.Adjusted.Error / float64(shops)
	}
	return t
}

// atMost fails where so many of the shops are more than a chance allows.
func atMost(t *testing.T, chance float64, number, shops int, what string) {
	t.Helper()
	p := distuv.Binomial{N: float64(shops), P: chance}.Survival(float64(number - 1))
	require.Greater(t, p, 0.001, "%s: %d of %d", what, number, shops)
}

// TestLookingEveryDayFoolsNobody: in shops whose audience does nothing, and in such in which it does something.
func TestLookingEveryDayFoolsNobody(t *testing.T) {
	shops := 60
	if testing.Short() {
		shops = 10
	}
	for name, s := range map[string]simulation{
		"nothing to find":            {first: 300, daily: 6, share: 0.3, rate: 0.5, shape: 1, sigma: 0.5},
		"a fifth more":               {first: 300, daily: 6, share: 0.3, rate: 0.5, shape: 1, sigma: 0.5, lift: 0.2},
		"few held out, a long tail":  {first: 1000, daily: 3, share: 0.1, rate: 0.1, shape: 0.3, sigma: 1.5},
		"hardly anybody buys at all": {first: 1000, daily: 3, share: 0.2, rate: 0.05, shape: 0.3, sigma: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.look(shops, 140)
			t.Logf("%+v", got)
			atMost(t, 1-Level, got.missed, shops, "the truth left out of the range that holds at all times")
			if s.lift == 0 {
				atMost(t, 1-Level, got.helps+got.harms, shops, "wrong verdicts")
			} else {
				require.Zero(t, got.harms)
			}
			if s.sigma >= 1 {
				require.LessOrEqual(t, got.missed, 1, "a side that happens to have no large order does not look sure of it")
			}
			if s.sigma == 1.5 && !testing.Short() {
				require.Greater(t, got.fooled, shops/8, "looking every day does fool who takes each look for the only one")
			}
			if s.sigma == 0.5 {
				atMost(t, 1-Level, got.once, shops, "the truth left out of the interval of one look")
				require.Less(t, got.error, 0.95*got.plainError, "what people bought before takes noise away")
			}
		})
	}
}
