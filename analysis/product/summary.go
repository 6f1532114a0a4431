package product

import (
	"cmp"
	"slices"

	"github.com/shopspring/decimal"
)

// Summary is what there is to show of products, as of a day. Its JSON is what is stored and shown. Amounts are in the shop's
// currency, on its basis.
type Summary struct {
	Day       string          `json:"day"` // as of the start of this local day
	Basis     string          `json:"basis"`
	Customers int             `json:"customers"`
	Best      int             `json:"best"`         // of the customers
	Tiered    bool            `json:"best_by_tier"` // the best are the top tier of value; else the tenth that has spent most
	Orders    int             `json:"orders"`
	Known     bool            `json:"lines_known"` // what was in orders
	Revenue   decimal.Decimal `json:"revenue"`     // of all lines
	Unnamed   decimal.Decimal `json:"unnamed"`     // of lines that name no product
	Loose     decimal.Decimal `json:"loose"`       // given back without saying what for, and not taken off here
	Reviews   int             `json:"reviews"`     // that count
	Rating    *float64        `json:"rating"`      // mean of all ratings; nil without any
	Returned  Share           `json:"returned"`    // of all orders of all products
	Products  []Row           `json:"products"`    // most revenue first
	Rest      int             `json:"rest"`        // products left out behind these
	Small     int             `json:"small"`       // products with which fewer than MinFirsts customers began
	// Categories are the same by category. A product in several counts in each, so they sum up to more than all.
	Categories []Row `json:"categories"`
}

// Row is one product or category.
type Row struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Gone      bool            `json:"gone,omitempty"`
	Orders    int             `json:"orders"`
	Units     float64         `json:"units"`
	Revenue   decimal.Decimal `json:"revenue"`
	Share     float64         `json:"revenue_share"` // of the revenue of all lines; 0 where that is not positive
	Buyers    int             `json:"buyers"`
	Again     Share           `json:"bought_again"` // of the buyers
	First     Share           `json:"first"`        // in how many first orders it was, of all customers
	BestFirst Share           `json:"best_first"`   // of the best customers
	Test      Test            `json:"best_test"`    // the one against the other
	Returned  Share           `json:"returned"`     // of orders
	BackTest  Test            `json:"returned_test"`
	BackUnits float64         `json:"units_returned"`
	GivenBack decimal.Decimal `json:"given_back"`
	Rating    *Rating         `json:"rating,omitempty"` // nil without any
}

// Rating is how a product is rated, from 1 to 5.
type Rating struct {
	Count int     `json:"count"`
	Mean  float64 `json:"mean"`
	// Ranked is the mean drawn towards that of the shop, the more so the fewer ratings there are; products are ranked by it.
	Ranked    float64  `json:"ranked"`
	BestCount int      `json:"best_count"` // by the best customers
	BestMean  *float64 `json:"best_mean,omitempty"`
	Stated    bool     `json:"stated,omitempty"` // the shop told the mean alone
}

// Summarise answers all questions of this package. Counts that contradict themselves are an error that names the product; a
// shop without orders has an empty summary.
func Summarise(f Facts, day, basis string) (Summary, error) {
	s := Summary{
		Day: day, Basis: basis, Customers: f.Customers, Best: f.Best, Tiered: f.Tiered, Orders: f.Orders, Known: f.Lines > 0,
		Reviews: f.Reviews, Loose: amount(f.Loose), Products: []Row{}, Categories: []Row{},
	}
	c := whole{Facts: f}
	var revenue, unnamed int64
	for _, p := range f.Products {
		revenue += p.Revenue
		if p.Key == "" {
			unnamed += p.Revenue
			continue
		}
		c.seen, c.returned = c.seen+p.Seen, c.returned+p.Returned
		c.ratings, c.sum = c.ratings+p.Ratings.Count, c.sum+p.Ratings.Sum
	}
	s.Revenue, s.Unnamed, s.Returned, c.revenue = amount(revenue), amount(unnamed), newShare(c.returned, c.seen), revenue
	if c.ratings > 0 {
		mean := c.sum / float64(c.ratings)
		s.Rating = &mean
	}
	var err error
	if s.Products, err = c.rows(f.Products); err != nil {
		return Summary{}, err
	}
	if s.Categories, err = c.rows(f.Categories); err != nil {
		return Summary{}, err
	}
	for _, r := range s.Products {
		if r.First.Hits < MinFirsts {
			s.Small++
		}
	}
	s.Products, s.Rest = kept(s.Products)
	s.Categories, _ = kept(s.Categories)
	return s, nil
}

// whole is what single products are compared with.
type whole struct {
	Facts
	seen, returned int
	ratings        int
	sum            float64
	revenue        int64
}

// rows makes a row of everything that has a name, and judges them together.
func (c whole) rows(all []Sold) ([]Row, error) {
	rows := make([]Row, 0, len(all))
	for _, s := range all {
		if err := s.check(c.Facts); err != nil {
			return nil, err
		}
		if s.Key != "" {
			rows = append(rows, c.row(s))
		}
	}
	var first, back []*Test
	for i := range rows {
		r := &rows[i]
		if c.Best >= MinBest && r.First.Hits >= MinFirsts && r.Test.Lift != nil {
			first = append(first, &r.Test)
		}
		if r.Returned.Of >= MinSeen && r.BackTest.Lift != nil {
			back = append(back, &r.BackTest)
		}
	}
	judge(first)
	judge(back)
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(b.Revenue.Cmp(a.Revenue), cmp.Compare(b.Orders, a.Orders), cmp.Compare(a.ID, b.ID))
	})
	return rows, nil
}

func (c whole) row(s Sold) Row {
	r := Row{
		ID: s.Key, Name: cmp.Or(s.Name, s.Key), Gone: s.Gone, Orders: s.Orders, Units: s.Units, Revenue: amount(s.Revenue),
		Buyers: s.Buyers, Again: newShare(s.Again, s.Buyers),
		First: newShare(s.Firsts, c.Customers), BestFirst: newShare(s.BestFirsts, c.Best), Test: test(s.BestFirsts, s.Firsts, c.Best, c.Customers),
		Returned: newShare(s.Returned, s.Seen), BackTest: test(s.Returned, s.Seen, c.returned, c.seen),
		BackUnits: s.BackUnits, GivenBack: amount(s.GivenBack),
	}
	if c.revenue > 0 {
		r.Share = float64(s.Revenue) / float64(c.revenue)
	}
	if n := s.Ratings; n.Count > 0 && c.ratings > 0 {
		shop := c.sum / float64(c.ratings)
		r.Rating = &Rating{
			Count: n.Count, Mean: n.Sum / float64(n.Count), Ranked: (Prior*shop + n.Sum) / float64(Prior+n.Count), BestCount: n.BestCount, Stated: n.Stated,
		}
		if n.BestCount > 0 {
			best := n.BestSum / float64(n.BestCount)
			r.Rating.BestMean = &best
		}
	}
	return r
}

// kept are the rows with most revenue, and those with which most of the best began; rest counts the others.
func kept(rows []Row) (some []Row, rest int) {
	if len(rows) <= mostRows {
		return rows, 0
	}
	begun := slices.SortedStableFunc(slices.Values(rows), func(a, b Row) int { return cmp.Compare(b.BestFirst.Hits, a.BestFirst.Hits) })
	also := map[string]bool{}
	for _, r := range begun[:mostFirst] {
		also[r.ID] = true
	}
	for i, r := range rows {
		if i < mostRows || also[r.ID] || r.Test.Verdict == More {
			some = append(some, r)
		}
	}
	return some, len(rows) - len(some)
}

// Firsts are the rows with which enough customers began, those with which most of the best did first.
func Firsts(rows []Row) []Row {
	return ranked(rows, func(r Row) bool { return r.Test.Verdict != Few }, func(a, b Row) int {
		return cmp.Compare(b.BestFirst.Hits, a.BestFirst.Hits)
	})
}

// Back are the rows of which something came back, out of enough orders, the largest part first.
func Back(rows []Row) []Row {
	return ranked(rows, func(r Row) bool { return r.BackTest.Verdict != Few && r.Returned.Hits > 0 }, func(a, b Row) int {
		return cmp.Compare(b.Returned.Rate, a.Returned.Rate)
	})
}

// Rated are the rows with enough ratings, the best first.
func Rated(rows []Row) []Row {
	return ranked(rows, func(r Row) bool { return r.Rating != nil && r.Rating.Count >= MinRatings }, func(a, b Row) int {
		return cmp.Compare(b.Rating.Ranked, a.Rating.Ranked)
	})
}

func ranked(rows []Row, enough func(Row) bool, order func(a, b Row) int) []Row {
	some := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return !enough(r) })
	slices.SortStableFunc(some, order)
	return some
}

// places is how many decimals amounts have.
const places = 4

func amount(ten int64) decimal.Decimal { return decimal.New(ten, -places) }
