package clv

// The naive forecasts, against which every model has to stand.
const (
	NaiveRate  = "own rate"   // x h/T: everybody goes on at his own rate; T is a week at least
	NaiveCount = "same count" // x h/span: as many as so far, scaled to the horizon
	NaiveShop  = "shop rate"  // h (sum of x)/(sum of T): everybody alike, at the shop's rate
	NaivePast  = "past spend" // for values: all that he has spent so far, scaled by h/span
	// Hindsight gives everybody the mean of the holdout itself. Nobody could have known it; it shows what a forecast that
	// tells no customer from another could reach at best.
	Hindsight = "mean in hindsight"
)

// naiveOrders are the naive forecasts of orders that somebody could have made.
var naiveOrders = []string{NaiveRate, NaiveCount, NaiveShop}

// shortest keeps whoever came back within his first days from being taken for somebody who buys every day.
const shortest = 7

// Naive makes the naive forecasts, in a backtest and, where they beat the model for a purpose, of today's customers.
type Naive struct {
	Span int32   `json:"span"` // days that the past spans: the oldest customer's age
	Rate float64 `json:"rate"` // repeats of an average customer per day
}

// NewNaive takes what the naive forecasts need from a shop's customers; those of an age below zero are left out.
func NewNaive(stats []Stats) Naive {
	var n Naive
	var repeats, days int64
	for _, s := range stats {
		if s.Age < 0 {
			continue
		}
		n.Span = max(n.Span, s.Age)
		repeats += int64(s.Repeats)
		days += int64(s.Age)
	}
	n.Rate = float64(repeats) / float64(max(1, days))
	return n
}

// Orders is what a naive forecast of orders, by name, expects of a customer in so many days; 0 for a name that is none.
func (n Naive) Orders(name string, s Stats, days float64) float64 {
	switch name {
	case NaiveRate:
		return float64(s.Repeats) * days / float64(max(shortest, s.Age))
	case NaiveCount:
		return float64(s.Repeats) * days / float64(max(1, n.Span))
	case NaiveShop:
		return n.Rate * days
	}
	return 0
}

// Value is what NaivePast expects of a customer who has spent so much, in the same unit.
func (n Naive) Value(past, days float64) float64 { return past * days / float64(max(1, n.Span)) }
