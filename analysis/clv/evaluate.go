package clv

// Frequency compares a model's orders with what happened among customers with equally many repeats at the calibration day:
// the table by which such models are judged in the literature.
type Frequency struct {
	Repeats   int     `json:"repeats"` // the last one means so many and more
	Customers int     `json:"customers"`
	Actual    float64 `json:"actual"` // mean orders of one customer in the holdout
	Predicted float64 `json:"predicted"`
}

// mostFrequent is the last row of the table by frequency.
const mostFrequent = 7

// byFrequency makes the table, without rows for frequencies that nobody has.
func byFrequency(cases []Case, predicted []float64) []Frequency {
	all := make([]Frequency, mostFrequent+1)
	for i, c := range cases {
		f := &all[min(c.Repeats, mostFrequent)]
		f.Customers++
		f.Actual += float64(c.Orders)
		f.Predicted += predicted[i]
	}
	var table []Frequency
	for repeats, f := range all {
		if f.Customers > 0 {
			n := float64(f.Customers)
			table = append(table, Frequency{Repeats: repeats, Customers: f.Customers, Actual: f.Actual / n, Predicted: f.Predicted / n})
		}
	}
	return table
}

// AliveBin compares P(alive) with who ordered, among customers to whom the model gives a P(alive) of at least From and
// below To (the last bin includes 1). Whoever is alive need not order within the holdout, so that Ordered is below Alive
// also for a perfect model, the more so the shorter the holdout; it should rise with Alive, and it cannot truly be above.
type AliveBin struct {
	From      float64 `json:"from"`
	To        float64 `json:"to"`
	Customers int     `json:"customers"`
	Alive     float64 `json:"alive"`   // mean P(alive) of them
	Ordered   float64 `json:"ordered"` // the part of them who ordered in the holdout
}

// byAlive makes the bins of a tenth each, without empty ones.
func byAlive(cases []Case, alive []float64) []AliveBin {
	const bins = 10
	all := make([]AliveBin, bins)
	for i, c := range cases {
		b := &all[max(0, min(int(alive[i]*bins), bins-1))]
		b.Customers++
		b.Alive += alive[i]
		if c.Orders > 0 {
			b.Ordered++
		}
	}
	var filled []AliveBin
	for i, b := range all {
		if b.Customers > 0 {
			n := float64(b.Customers)
			filled = append(filled, AliveBin{
				From: float64(i) / bins, To: float64(i+1) / bins,
				Customers: b.Customers, Alive: b.Alive / n, Ordered: b.Ordered / n,
			})
		}
	}
	return filled
}
