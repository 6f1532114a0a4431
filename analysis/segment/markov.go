package segment

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// prior is what every transition counts before any was seen: half a customer, the prior of Jeffreys for each row. It keeps
// a move that never happened from being called impossible.
const prior = 0.5

// Transitions counts who went from which segment to which over one step of time, a night or a month. Every step adds to
// the same counts, so a step may be added as soon as it is over and the order of steps is irrelevant.
//
// Newcomers and those who left are not counted: a chain says where a customer goes who is a customer before and after.
type Transitions struct {
	states []string
	counts []float64 // from * len(states) + to
}

// NewTransitions returns counts of nothing over segments. The order of the segments decides between equally likely ones.
func NewTransitions(states []string) *Transitions {
	return &Transitions{states: slices.Clone(states), counts: make([]float64, len(states)*len(states))}
}

// Add counts moves of one step; moves from or to none, and of segments that are not among the states, are left out.
func (t *Transitions) Add(moves []Move) {
	for _, m := range moves {
		from, to := slices.Index(t.states, m.From), slices.Index(t.states, m.To)
		if from >= 0 && to >= 0 {
			t.counts[from*len(t.states)+to] += float64(m.Customers)
		}
	}
}

// Customers is how many transitions were counted.
func (t *Transitions) Customers() int {
	var n float64
	for _, c := range t.counts {
		n += c
	}
	return int(n)
}

// Moves returns what was counted, to be kept and added to new counts later.
func (t *Transitions) Moves() []Move {
	var moves []Move
	for i, n := range t.counts {
		if n > 0 {
			moves = append(moves, Move{From: t.states[i/len(t.states)], To: t.states[i%len(t.states)], Customers: int(n)})
		}
	}
	return moves
}

// Chain estimates the probability of each next segment from the present one:
//
//	P(to | from) = (n(from, to) + 1/2) / (n(from) + k/2)
//
// with k segments. A segment that nobody was ever in has equal probabilities. The chain does not follow later additions.
func (t *Transitions) Chain() Chain {
	k := len(t.states)
	c := Chain{states: slices.Clone(t.states), rows: make([]float64, k*k)}
	for from := range k {
		var total float64
		for _, n := range t.counts[from*k : (from+1)*k] {
			total += n + prior
		}
		for to := range k {
			c.rows[from*k+to] = (t.counts[from*k+to] + prior) / total
		}
	}
	return c
}

// Chain is a Markov chain of first order over segments: where a customer goes next depends on where they are now.
type Chain struct {
	states []string
	rows   []float64
}

// States returns the segments, in the order of the probabilities of Next.
func (c Chain) States() []string { return slices.Clone(c.states) }

// State returns the number of a segment for NextOf, -1 for one that the chain does not know.
func (c Chain) State(id string) int { return slices.Index(c.states, id) }

// Next returns the probability of each segment one step from now, in the order of States; they add up to 1. It is nil for a
// segment that the chain does not know. The caller must not change it.
func (c Chain) Next(id string) []float64 { return c.NextOf(c.State(id)) }

// NextOf is Next by the number of the segment, for scoring many customers.
func (c Chain) NextOf(state int) []float64 {
	k := len(c.states)
	if state < 0 || state >= k {
		return nil
	}
	return c.rows[state*k : (state+1)*k : (state+1)*k]
}

// Chance is the probability of one next segment.
type Chance struct {
	Segment     string  `json:"segment"`
	Probability float64 `json:"probability"` // 0 to 1
}

// Chances returns where somebody in a segment goes next, the likeliest first; equally likely ones in the order of States.
func (c Chain) Chances(id string) []Chance {
	var chances []Chance
	for to, p := range c.Next(id) {
		chances = append(chances, Chance{Segment: c.states[to], Probability: p})
	}
	slices.SortStableFunc(chances, func(a, b Chance) int { return cmp.Compare(b.Probability, a.Probability) })
	return chances
}

// Likeliest returns the segment with the greatest probability one step from now, and that probability; of equally likely
// ones the first. The empty id for a segment that the chain does not know.
func (c Chain) Likeliest(id string) (next string, probability float64) {
	for to, p := range c.Next(id) {
		if p > probability {
			next, probability = c.states[to], p
		}
	}
	return next, probability
}

// Ahead returns the chain over so many steps, its matrix to that power; steps of one or less leave it as it is.
func (c Chain) Ahead(steps int) Chain {
	power := c
	for range steps - 1 {
		power = power.then(c)
	}
	return power
}

func (c Chain) then(next Chain) Chain {
	k := len(c.states)
	product := Chain{states: c.states, rows: make([]float64, k*k)}
	for from := range k {
		for via, p := range c.NextOf(from) {
			for to, q := range next.NextOf(via) {
				product.rows[from*k+to] += p * q
			}
		}
	}
	return product
}

// MinSteps is how many steps a chain must have seen before it is judged, and before it should be believed.
const MinSteps = 3

// Evaluation compares, over one step that none of them had seen, how well three forecasts knew where customers would go.
// Log-loss is -mean(ln p) of what really happened, in nats: lower is better, and 0 would be foresight.
type Evaluation struct {
	Step        int     `json:"step"` // number of the step, counted from 0
	Customers   int     `json:"customers"`
	Chain       float64 `json:"chain"`       // log-loss of the chain
	Persistence float64 `json:"persistence"` // of "everybody stays with probability s, else goes anywhere alike"
	Marginal    float64 `json:"marginal"`    // of "everybody goes where people have gone overall, from wherever"

	Accuracy float64 `json:"accuracy"` // share of customers who went where the chain thought likeliest
	Stayed   float64 `json:"stayed"`   // share who stayed: the accuracy of persistence
}

// Better says whether the chain was worth more than the simpler forecasts.
func (e Evaluation) Better() bool { return e.Chain < e.Persistence && e.Chain < e.Marginal }

// Finding says the outcome in one sentence for people.
func (e Evaluation) Finding() string {
	verdict := "better than both"
	if !e.Better() {
		verdict = "no better than the simplest, so do not rely on it"
	}
	return fmt.Sprintf("Where customers go next was forecast with a log-loss of %.3f, against %.3f for \"stays\" and %.3f for overall shares: %s.",
		e.Chain, e.Persistence, e.Marginal, verdict)
}

// Evaluate judges what was counted by a step that was not: with k segments, n transitions counted and t of them stays,
//
//	persistence  s = (t + k/2) / (n + k^2/2), any other segment (1 - s) / (k - 1)
//	marginal     (n(to) + k/2) / (n + k^2/2)
//
// which are the same smoothed counts that the chain uses. Customers is 0 where the step has no transition to judge by.
func (t *Transitions) Evaluate(step []Move) Evaluation {
	k := len(t.states)
	chain, shares, stays := t.Chain(), make([]float64, k), 0.0
	var total float64
	for i, n := range t.counts {
		total += n + prior
		shares[i%k] += n + prior
		if i/k == i%k {
			stays += n + prior
		}
	}
	stays /= total
	seen := NewTransitions(t.states)
	seen.Add(step)
	e := Evaluation{Customers: seen.Customers()}
	if e.Customers == 0 {
		return e
	}
	for from := range k {
		row := chain.NextOf(from)
		best := slices.Index(row, slices.Max(row))
		for to, n := range seen.counts[from*k : (from+1)*k] {
			if n == 0 {
				continue
			}
			e.Chain -= n * math.Log(row[to])
			e.Marginal -= n * math.Log(shares[to]/total)
			if to == best {
				e.Accuracy += n
			}
			if to == from {
				e.Stayed += n
				e.Persistence -= n * math.Log(stays)
			} else {
				e.Persistence -= n * math.Log((1-stays)/float64(k-1))
			}
		}
	}
	for _, sum := range []*float64{&e.Chain, &e.Persistence, &e.Marginal, &e.Accuracy, &e.Stayed} {
		*sum /= float64(e.Customers)
	}
	return e
}

// Backtest walks through the steps in order of time and judges each by a chain of all the steps before it, beginning after
// MinSteps. It returns the evaluations and the counts of all steps.
func Backtest(states []string, steps [][]Move) ([]Evaluation, *Transitions) {
	t := NewTransitions(states)
	var all []Evaluation
	for number, step := range steps {
		if number >= MinSteps {
			if e := t.Evaluate(step); e.Customers > 0 {
				e.Step = number
				all = append(all, e)
			}
		}
		t.Add(step)
	}
	return all, t
}
