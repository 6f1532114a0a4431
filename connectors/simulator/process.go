package simulator

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"
)

// Streams keep the random numbers of different questions apart. Every draw depends on the seed, the person and the count
// of the person's purchases only, so that changes by hand do not change who buys when.
const (
	streamPerson uint64 = iota + 1
	streamPurchase
	streamBasket
	streamAfter
	streamStock
)

func (o Options) random(stream uint64, a, b int64) *rand.Rand {
	return rand.New(rand.NewPCG(o.Seed*0x9E3779B97F4A7C15+stream, uint64(a)<<24^uint64(b)*0xBF58476D1CE4E5B9+stream<<60)) //nolint:gosec // invented people
}

// kind is what happens at an event.
type kind int

const (
	arrive   kind = iota // the next person comes
	buy                  // a purchase
	enroll               // a guest makes an account
	release              // money for an order on hold arrives
	complete             // an order is sent
	giveBack             // goods or money come back
	review               // a buyer writes
	discard              // somebody throws an order away
)

// event is something due at a time.
type event struct {
	At     time.Time
	Seq    int64
	Kind   kind
	Person int64
	Order  int64
}

type queue struct {
	Events []event
	Seq    int64
}

func (q *queue) Len() int { return len(q.Events) }
func (q *queue) Less(i, j int) bool {
	a, b := q.Events[i], q.Events[j]
	if a.At.Equal(b.At) {
		return a.Seq < b.Seq
	}
	return a.At.Before(b.At)
}
func (q *queue) Swap(i, j int) { q.Events[i], q.Events[j] = q.Events[j], q.Events[i] }

// Push adds an event; it is heap's, not for callers.
func (q *queue) Push(x any) { q.Events = append(q.Events, x.(event)) }

// Pop removes the last event; it is heap's, not for callers.
func (q *queue) Pop() any {
	last := q.Events[len(q.Events)-1]
	q.Events = q.Events[:len(q.Events)-1]
	return last
}

func (s *Shop) push(e event) {
	s.queue.Seq++
	e.Seq, e.At = s.queue.Seq, e.At.Truncate(time.Second)
	heap.Push(&s.queue, e)
}

// run lets everything happen that is due until then.
func (s *Shop) run(until time.Time) {
	for s.queue.Len() > 0 && !s.queue.Events[0].At.After(until) {
		e := heap.Pop(&s.queue).(event)
		if e.At.Before(s.at) { // changes by hand moved the clock past it
			e.At = s.at
		}
		s.at = e.At
		s.happen(e)
	}
	s.at = until
}

func (s *Shop) happen(e event) {
	switch e.Kind {
	case arrive:
		s.arrive(e)
	case buy:
		s.buy(e)
	case enroll:
		s.enroll(e)
	case release:
		s.setStatusIf(e, OnHold, Processing)
	case complete:
		s.setStatusIf(e, Processing, Completed)
	case giveBack:
		s.giveBack(e)
	case review:
		s.buyerReviews(e)
	case discard:
		s.trash(e.Order, e.At)
	}
}

// arrival is when the i-th person comes; it goes on beyond the history at the same rate.
func (o Options) arrival(i int64) time.Time {
	span := float64(o.AsOf.Sub(o.Start)) * 0.985
	u := o.random(streamPerson, i, 1).Float64()
	return o.Start.Add(time.Duration(span * (float64(i) + u) / float64(o.Customers)))
}

func (s *Shop) arrive(e event) {
	i := int64(len(s.people))
	p := s.newPerson(i, e.At)
	s.people = append(s.people, p)
	s.push(event{At: s.opts.arrival(i + 1), Kind: arrive})
	switch p.Habit {
	case registered, browser:
		s.register(p, e.At)
	case turncoat, loose:
		days := 20 + s.opts.random(streamPerson, i, 2).IntN(200)
		s.push(event{At: e.At.AddDate(0, 0, days), Kind: enroll, Person: i})
	}
	if p.Habit != browser && p.Habit != reader {
		s.push(event{At: e.At.Add(5 * time.Minute), Kind: buy, Person: i})
	}
}

// buy is one purchase: the order, what becomes of it, and the next purchase if the person stays.
func (s *Shop) buy(e event) {
	p := s.people[e.Person]
	stays, days := s.opts.next(e.Person, p.Bought, p.Rate, p.Dropout, s.parameters.Alpha)
	if stays && days < 36500 {
		s.push(event{At: e.At.Add(time.Duration(days * float64(24*time.Hour))), Kind: buy, Person: e.Person})
	}
	s.purchase(e, p)
	p.Bought++
}

func (s *Shop) enroll(e event) {
	p := s.people[e.Person]
	if p.Account != 0 || s.accountOf(p.Email) != nil {
		return
	}
	s.registerGuest(p, e.At, p.Habit == turncoat)
}

func (s *Shop) setStatusIf(e event, from, to string) {
	if o := s.orders.get(e.Order); o == nil || o.Status != from {
		return
	}
	s.setStatus(e.Order, to, e.At)
}

// draw takes a person's purchase rate, not yet divided by Alpha, and chance to stop.
func (p Parameters) draw(r *rand.Rand) (rate, dropout float64) {
	rate = gammaDraw(r, p.R)
	a, b := gammaDraw(r, p.A), gammaDraw(r, p.B)
	return rate, a / (a + b)
}

// next says whether the person stays after the k-th purchase, and in how many days the next one would be.
func (o Options) next(person, k int64, rate, dropout, alpha float64) (stays bool, days float64) {
	r := o.random(streamPurchase, person, k)
	stays = r.Float64() >= dropout
	return stays, r.ExpFloat64() * alpha / rate
}

// calibrate returns the parameters under which the history has as many purchases as wanted: Alpha is found by bisection
// over the very draws of the first people.
func (o Options) calibrate() Parameters {
	p := Parameters{R: 0.6, A: 0.8, B: 2.4, P: 6.25, Q: 3.74, Gamma: 25}
	if o.Customers <= 0 {
		p.Alpha = 30
		return p
	}
	sample := min(int64(o.Customers), 2000)
	wanted := float64(o.Orders) * float64(sample) / float64(o.Customers)
	low, high := math.Log(1e-3), math.Log(1e6)
	for range 30 {
		p.Alpha = math.Exp((low + high) / 2)
		if o.count(sample, p) > wanted {
			low = math.Log(p.Alpha)
		} else {
			high = math.Log(p.Alpha)
		}
	}
	return p
}

// count is the number of purchases in the history of evenly chosen people.
func (o Options) count(sample int64, p Parameters) float64 {
	var sum float64
	for j := range sample {
		i := j * int64(o.Customers) / sample
		r := o.random(streamPerson, i, 0)
		rate, dropout := p.draw(r)
		gammaDraw(r, p.Q)
		if h := drawHabit(r, max(o.GuestShare, 0)); h == browser || h == reader {
			continue
		}
		left := o.AsOf.Sub(o.arrival(i)).Hours() / 24
		for k := int64(0); left > 0 && k < 500; k++ {
			sum++
			stays, days := o.next(i, k, rate, dropout, p.Alpha)
			if !stays {
				break
			}
			left -= days
		}
	}
	return sum
}

// gammaDraw draws from Gamma(shape, 1) by the method of Marsaglia and Tsang.
func gammaDraw(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gammaDraw(r, shape+1) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := (1 + c*x) * (1 + c*x) * (1 + c*x)
		if v > 0 && math.Log(r.Float64()) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// pick draws an index by weight.
func pick(r *rand.Rand, weights []int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	u := r.IntN(sum)
	for i, w := range weights {
		if u -= w; u < 0 {
			return i
		}
	}
	return len(weights) - 1
}
