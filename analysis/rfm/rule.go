package rfm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Convention says how values become scores. All of them give 5 (with five bins) to the best: the fewest days since the
// last order, the most orders, the most money.
type Convention string

// The conventions. RankMin, QuantileCut and Thresholds are offered to owners; the others are here for comparison with
// tools that use them.
const (
	// RankMin scores 1 + floor(bins * (rank-1) / customers), where rank-1 is the number of customers who are strictly
	// worse: equal values get equal scores, the lowest of those they span. It is the default.
	RankMin Convention = "rank_min"

	// QuantileCut compares with the 1/bins, 2/bins ... quantiles of the values, linearly interpolated as
	// percentile_cont does; a value equal to a cut point belongs below it.
	QuantileCut Convention = "quantile_cut"

	// Thresholds compares with fixed values that the owner gave.
	Thresholds Convention = "thresholds"

	// NTile deals customers into equally large bins, splitting equal values by the number of the person. Two customers
	// who behave alike may score differently.
	NTile Convention = "ntile"

	// CumeDistMax scores ceil(bins * cume_dist): equal values get the highest score that they span.
	CumeDistMax Convention = "cume_dist_max"

	// MidRank scores by the middle of the places that equal values span.
	MidRank Convention = "midrank"
)

// Conventions lists every convention, those offered to owners first.
func Conventions() []Convention {
	return []Convention{RankMin, QuantileCut, Thresholds, NTile, CumeDistMax, MidRank}
}

// MaxBins is the finest score: the segment map is made for 1 to 5.
const MaxBins = 5

// A quantile is only worth its name with enough people in each part. From so many customers on, so many bins are used
// where the owner asks for no number. These limits are the project's own choice.
const (
	CustomersForFive  = 100
	CustomersForThree = 30
	CustomersForTwo   = 10
)

// Rule decides scores. The zero Rule is RankMin with as many bins as the number of customers allows.
type Rule struct {
	Convention Convention `json:"convention"`
	// Bins is how many scores there are, 1 to 5; 0 means five, or fewer for few customers.
	Bins int `json:"bins"`

	// The thresholds, one fewer than bins, ascending, for the convention Thresholds alone.
	Recency   []int   `json:"recency,omitempty"`   // days: at most Recency[0] days ago gets the best score
	Frequency []int   `json:"frequency,omitempty"` // orders: at least Frequency[0] orders get score 2
	Monetary  []int64 `json:"monetary,omitempty"`  // ten-thousandths: at least Monetary[0] gets score 2
}

// WithDefaults returns the rule with the default convention where none is named.
func (r Rule) WithDefaults() Rule {
	if r.Convention == "" {
		r.Convention = RankMin
	}
	return r
}

// Check says what is wrong with a rule, naming the setting and what it may be.
func (r Rule) Check() error {
	r = r.WithDefaults()
	if !slices.Contains(Conventions(), r.Convention) {
		return fmt.Errorf("rfm convention %q: not one of %s", r.Convention, names())
	}
	if r.Bins < 0 || r.Bins > MaxBins {
		return fmt.Errorf("rfm bins %d: must be 1 to %d, or 0 for as many as there are customers for", r.Bins, MaxBins)
	}
	given := len(r.Recency) + len(r.Frequency) + len(r.Monetary)
	if r.Convention != Thresholds {
		if given > 0 {
			return fmt.Errorf("rfm thresholds: only used with the convention %q, not with %q", Thresholds, r.Convention)
		}
		return nil
	}
	return r.checkThresholds()
}

func (r Rule) checkThresholds() error {
	want := len(r.Recency)
	if want < 1 || want >= MaxBins {
		return fmt.Errorf("rfm recency thresholds: %d values, must be 1 to %d", want, MaxBins-1)
	}
	if len(r.Frequency) != want || len(r.Monetary) != want {
		return fmt.Errorf("rfm thresholds: %d for recency, %d for frequency, %d for monetary; the three lists must be equally long",
			want, len(r.Frequency), len(r.Monetary))
	}
	if r.Bins != 0 && r.Bins != want+1 {
		return fmt.Errorf("rfm bins %d: %d thresholds make %d bins; leave bins out", r.Bins, want, want+1)
	}
	return errors.Join(ascending("recency", r.Recency), ascending("frequency", r.Frequency), ascending("monetary", r.Monetary))
}

func ascending[T int | int64](name string, values []T) error {
	for i := 1; i < len(values); i++ {
		if values[i] <= values[i-1] {
			return fmt.Errorf("rfm %s thresholds: value %d is not above the one before it", name, i+1)
		}
	}
	return nil
}

func names() string {
	var all []string
	for _, c := range Conventions() {
		all = append(all, string(c))
	}
	return strings.Join(all, ", ")
}

// BinsFor returns how many bins the rule uses for a number of customers.
func (r Rule) BinsFor(customers int) int {
	switch {
	case r.Convention == Thresholds:
		return len(r.Recency) + 1
	case r.Bins > 0:
		return r.Bins
	case customers >= CustomersForFive:
		return 5
	case customers >= CustomersForThree:
		return 3
	case customers >= CustomersForTwo:
		return 2
	default:
		return 1
	}
}

// Words says in one sentence how the rule scores.
func (r Rule) Words() string {
	switch r.WithDefaults().Convention {
	case QuantileCut:
		return "Scores by cut points at equal shares of the customers; a value on a cut point gets the lower score."
	case Thresholds:
		return "Scores by fixed thresholds from the configuration."
	case NTile:
		return "Scores by equally large groups; equal values may be split between two scores."
	case CumeDistMax:
		return "Scores by the share of customers who are not better; equal values get the highest score they span."
	case MidRank:
		return "Scores by rank; equal values get the middle of the scores they span."
	default:
		return "Scores by the share of customers who are worse; equal values get the same score, the lowest they span."
	}
}

// Note says in plain words why no more bins than these are in use, or what to bear in mind; empty when there is nothing to say.
func (r Rule) Note(customers, bins int) string {
	switch {
	case customers == 0:
		return "No customer has a counted order yet, so there is nothing to score."
	case r.Convention == Thresholds && bins < MaxBins:
		return fmt.Sprintf("%d scores, because the configuration gives %s.", bins, plural(bins-1, "threshold"))
	case r.Convention == Thresholds:
		return ""
	case r.Bins > 0 && customers < r.Bins*CustomersForFive/MaxBins:
		return fmt.Sprintf("%s from only %s: each score rests on very few people.", plural(bins, "score"), plural(customers, "customer"))
	case r.Bins > 0 && bins < MaxBins:
		return fmt.Sprintf("%s, because the configuration asks for %d.", plural(bins, "score"), bins)
	case bins == MaxBins:
		return ""
	case bins == 1:
		return fmt.Sprintf("Only %s: too few to compare, so everybody gets the same score. Two scores begin at %d customers, three at %d, five at %d.",
			plural(customers, "customer"), CustomersForTwo, CustomersForThree, CustomersForFive)
	default:
		return fmt.Sprintf("%d scores instead of %d, because there are only %s; five begin at %d.",
			bins, MaxBins, plural(customers, "customer"), CustomersForFive)
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
