package retention

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// Summary is what there is to show of who comes back, as of a day. Its JSON is what is stored and shown. Amounts are in the
// shop's currency, on its basis. Everything that needs older orders than are known is marked as not whole.
type Summary struct {
	Day       Date            `json:"day"`                 // as of the start of this local day
	From      *Date           `json:"known_from,omitzero"` // orders are known from this day on; nil where all are
	Basis     string          `json:"basis"`
	Customers int             `json:"customers"`
	Orders    int             `json:"orders"` // of customers
	Revenue   decimal.Decimal `json:"revenue"`
	Repeat    Repeated        `json:"repeat"`
	Second    Second          `json:"second_order"`
	Pauses    Pauses          `json:"purchase_interval"`
	BestPart  float64         `json:"best_part"`            // of the customers
	BestShare *float64        `json:"best_share,omitempty"` // of the revenue, that they bring; nil where all of it is not positive
	// Churn pools the last twelve complete and whole months.
	Churn   Share       `json:"churn"`
	Months  []MonthRow  `json:"months"`          // oldest first
	Cohorts []CohortRow `json:"cohorts"`         // by months, oldest first
	Curve   []Share     `json:"retention_curve"` // of all whole cohorts together, by months since the first order
	Weeks   []CohortRow `json:"weekly_cohorts"`  // of the last weeks
	Within  int         `json:"stickiness_days"`
	Sticks  []Stayed    `json:"stickiness"`
}

// Date is a local day, in days since 1970-01-01. In JSON it is written as 2006-01-02.
type Date int32

// String writes the day as 2006-01-02.
func (d Date) String() string {
	return time.Unix(int64(d)*secondsPerDay, 0).UTC().Format(time.DateOnly)
}

// MarshalText writes the day as 2006-01-02.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Date) UnmarshalText(text []byte) error {
	at, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return fmt.Errorf("day: %w", err)
	}
	*d = Date(at.Unix() / secondsPerDay)
	return nil
}

// Repeated is how many customers come back; see Repeat.
type Repeated struct {
	ByOrders          Share           `json:"by_orders"`
	ByDays            Share           `json:"by_days"`
	OrdersPerCustomer float64         `json:"orders_per_customer"`
	AverageOrder      decimal.Decimal `json:"average_order"`
	Ladder            []Share         `json:"ladder"`
}

// Second is how long the second purchase takes, by Kaplan and Meier; see Survival.
type Second struct {
	Customers int     `json:"customers"`
	Events    int     `json:"returned"`
	Quantiles []After `json:"quantiles"` // 25, 50 and 75 %
	Back      []Back  `json:"back"`      // by 30, 60, 90, 180 and 365 days, as far as anybody was seen so long
	Curve     []Back  `json:"curve"`     // every seven days, to two years at most
}

// After is the day after the first order by which a part of the customers has bought again; nil where that many have not, or
// a limit is not reached. Early and Late are the limits.
type After struct {
	Part  float64 `json:"part"`
	Days  *int32  `json:"days"`
	Early *int32  `json:"early"`
	Late  *int32  `json:"late"`
}

// Back is the part of the customers who have bought again so many days after their first order.
type Back struct {
	Days   int32   `json:"days"`
	Share  float64 `json:"share"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	AtRisk int     `json:"at_risk"` // not back yet and seen for so long
}

// Pauses are the days between purchases; see Rhythm.
type Pauses struct {
	Count      int     `json:"count"`
	Mean       float64 `json:"mean"`
	Quarter    int32   `json:"quarter"`
	Median     int32   `json:"median"`
	Three      int32   `json:"three_quarters"`
	Regularity *Steady `json:"regularity,omitempty"` // nil where too few customers have two pauses
}

// Steady is how regularly customers buy; see Regularity.
type Steady struct {
	Customers int     `json:"customers"`
	K         float64 `json:"k"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
}

// Sold are the orders of a part of a month.
type Sold struct {
	Orders  int             `json:"orders"`
	Revenue decimal.Decimal `json:"revenue"`
	Margin  decimal.Decimal `json:"margin"` // of Costed
	Costed  decimal.Decimal `json:"costed"` // the part of the revenue whose cost is known
}

// MonthRow is who bought in a month, and what newcomers and others brought; see Period and Revenue.
type MonthRow struct {
	Start          Date     `json:"start"`
	Complete       bool     `json:"complete"`
	Whole          bool     `json:"whole"`
	Before         int      `json:"customers_before"` // who bought in the month before
	Retained       int      `json:"retained"`
	Reactivated    int      `json:"reactivated"`
	New            int      `json:"new"`
	Retention      Share    `json:"retention"`
	Churn          Share    `json:"churn"`
	First          Sold     `json:"first_orders"`
	Later          Sold     `json:"later_orders"`
	Unknown        Sold     `json:"orders_of_nobody"`
	ReturningShare *float64 `json:"returning_share,omitempty"` // of first and later orders' revenue; nil where that is not positive
}

// CohortRow is one cohort. Each list has an entry for each period since the first order, the cohort's own first; the first
// Complete of them are over.
type CohortRow struct {
	Start       Date              `json:"start"`
	Size        int               `json:"customers_first"`
	Whole       bool              `json:"whole"`
	Complete    int               `json:"complete"`
	Customers   []int             `json:"customers"`
	Orders      []int             `json:"orders"`
	Revenue     []decimal.Decimal `json:"revenue"`
	PerCustomer []decimal.Decimal `json:"revenue_per_customer"` // so far
	Margin      []decimal.Decimal `json:"margin,omitempty"`     // of Costed; both are missing where no cost is known
	Costed      []decimal.Decimal `json:"costed,omitempty"`
}

// Stayed is how many newcomers stay, by one kind of thing.
type Stayed struct {
	Kind  Kind       `json:"kind"`
	All   Stickiness `json:"all"`
	Keys  []Named    `json:"keys"`  // most newcomers first
	Small int        `json:"small"` // keys left out, because fewer than MinObserved newcomers began with them
	Rest  int        `json:"rest"`  // keys left out behind the first maxKeys
}

// Named is a key with what it is called; the empty one of a kind stands for none.
type Named struct {
	Name string `json:"name"`
	Stickiness
}

// Summarise answers all questions of this package. Facts that contradict themselves are an error that names the question; a
// shop without orders has an empty summary.
func Summarise(f Facts, w Window, basis string) (Summary, error) {
	s := Summary{Day: Date(w.AsOf), Basis: basis, BestPart: BestPart, Within: Within}
	if w.From != 0 {
		from := Date(w.From)
		s.From = &from
	}
	steps := []func(Facts, Window) error{s.repeats, s.second, s.rhythm, s.months, s.cohorts, s.stays}
	for _, step := range steps {
		if err := step(f, w); err != nil {
			return Summary{}, err
		}
	}
	return s, nil
}

func (s *Summary) repeats(f Facts, _ Window) error {
	r, err := Repeats(f.Tallies)
	if err != nil {
		return err
	}
	s.Customers, s.Orders, s.Revenue = r.Customers, r.Orders, amount(r.Revenue)
	s.Repeat = Repeated{
		ByOrders: r.ByOrders, ByDays: r.ByDays, OrdersPerCustomer: r.OrdersPerCustomer, Ladder: list(r.Ladder),
		AverageOrder: decimal.NewFromFloat(r.AverageOrder / perUnit).Round(places),
	}
	if r.Revenue > 0 {
		share := float64(f.Best) / float64(r.Revenue)
		s.BestShare = &share
	}
	return nil
}

func (s *Summary) second(f Facts, _ Window) error {
	survival, err := KaplanMeier(f.Waits)
	if err != nil {
		return err
	}
	s.Second = Second{Customers: survival.Customers, Events: survival.Events, Quantiles: []After{}, Back: []Back{}, Curve: []Back{}}
	for _, part := range []float64{0.25, 0.5, 0.75} {
		q := survival.Quantile(part)
		s.Second.Quantiles = append(s.Second.Quantiles, After{
			Part: part, Days: reachedOn(q.Days, q.Reached), Early: reachedOn(q.Low, q.LowReached), Late: reachedOn(q.High, q.HighReached),
		})
	}
	for _, days := range []int32{30, 60, 90, 180, 365} {
		if b := back(survival, days); b.AtRisk > 0 {
			s.Second.Back = append(s.Second.Back, b)
		}
	}
	const twoYears = 728
	for days := int32(0); days <= twoYears; days += daysPerWeek {
		if b := back(survival, days); b.AtRisk > 0 {
			s.Second.Curve = append(s.Second.Curve, b)
		}
	}
	return nil
}

func reachedOn(day int32, reached bool) *int32 {
	if !reached {
		return nil
	}
	return &day
}

func back(s Survival, days int32) Back {
	step := s.At(days)
	return Back{Days: days, Share: step.Again(), Low: 1 - step.High, High: 1 - step.Low, AtRisk: step.AtRisk}
}

func (s *Summary) rhythm(f Facts, _ Window) error {
	r, err := Rhythms(f.Gaps, nil)
	if err != nil {
		return err
	}
	s.Pauses = Pauses{Count: r.Gaps, Mean: r.Mean, Quarter: r.Quarter, Median: r.Median, Three: r.Top}
	if k := f.Spread.Regularity(); k.Known {
		s.Pauses.Regularity = &Steady{Customers: k.Customers, K: k.K, Low: k.Low, High: k.High}
	}
	return nil
}

func (s *Summary) months(f Facts, w Window) error {
	periods, err := Periods(f.Visits, Month, w)
	if err != nil {
		return err
	}
	revenues, err := Revenues(f.Sales, Month, w)
	if err != nil {
		return err
	}
	s.Churn = Churn(periods, monthsPerYear)
	revenues = newest(revenues)
	s.Months = make([]MonthRow, len(revenues))
	for i, r := range revenues {
		row := MonthRow{
			Start: Date(r.Start), Complete: r.Complete, Whole: r.Whole, First: sold(r.New), Later: sold(r.Returning), Unknown: sold(r.Unknown),
		}
		if r.Defined {
			row.ReturningShare = &r.ReturningShare
		}
		// Where orders of nobody came first, there are months before those of customers.
		if at := int(r.Number) - first(periods); len(periods) > 0 && at >= 0 && at < len(periods) {
			p := periods[at]
			row.Before, row.Retained, row.Reactivated, row.New = p.Before, p.Retained, p.Reactivated, p.New
			row.Retention, row.Churn = p.Retention, p.Churn
		}
		s.Months[i] = row
	}
	return nil
}

func first(periods []Period) int {
	if len(periods) == 0 {
		return 0
	}
	return int(periods[0].Number)
}

func (s *Summary) cohorts(f Facts, w Window) error {
	months, err := Cohorts(f.Months, Month, w)
	if err != nil {
		return err
	}
	weeks, err := Cohorts(f.Weeks, Week, w)
	if err != nil {
		return err
	}
	s.Cohorts, s.Weeks, s.Curve = cohortRows(newest(months)), cohortRows(weeks), list(Curve(newest(months)))
	return nil
}

func cohortRows(cohorts []Cohort) []CohortRow {
	rows := make([]CohortRow, len(cohorts))
	for i, c := range cohorts {
		row := CohortRow{Start: Date(c.Start), Size: c.Size, Whole: c.Whole}
		costed := false
		for _, p := range c.Periods {
			costed = costed || p.Costed != 0
			if p.Complete {
				row.Complete++
			}
		}
		for _, p := range c.Periods {
			row.Customers, row.Orders = append(row.Customers, p.Customers), append(row.Orders, p.Orders)
			row.Revenue = append(row.Revenue, amount(p.Revenue))
			row.PerCustomer = append(row.PerCustomer, decimal.NewFromFloat(p.PerCustomer(c.Size)/perUnit).Round(places))
			if costed {
				row.Margin, row.Costed = append(row.Margin, amount(p.Margin)), append(row.Costed, amount(p.Costed))
			}
		}
		rows[i] = row
	}
	return rows
}

func (s *Summary) stays(f Facts, _ Window) error {
	s.Sticks = []Stayed{}
	for _, o := range f.Origins {
		if !o.tells() {
			continue
		}
		stick, err := Stay(f.Beginners, o.Keys, MinObserved)
		if err != nil {
			return fmt.Errorf("%s: %w", o.Kind, err)
		}
		row := Stayed{Kind: o.Kind, All: stick.All, Small: stick.Small, Keys: []Named{}, Rest: max(0, len(stick.Keys)-maxKeys)}
		for _, k := range stick.Keys[:len(stick.Keys)-row.Rest] {
			row.Keys = append(row.Keys, Named{Name: cmp.Or(o.Names[k.Key], k.Key), Stickiness: k})
		}
		s.Sticks = append(s.Sticks, row)
	}
	return nil
}

// tells says whether the kind tells newcomers apart at all: a shop that notes no campaigns has only those without one.
func (o Origin) tells() bool {
	return slices.ContainsFunc(o.Keys, func(n Newcomers) bool { return n.Key != "" })
}

func sold(a Amounts) Sold {
	return Sold{Orders: a.Orders, Revenue: amount(a.Revenue), Margin: amount(a.Margin), Costed: amount(a.Costed)}
}

// Amounts here are ten-thousandths, which become decimals with as many places.
const (
	places  = 4
	perUnit = 10_000
)

func amount(ten int64) decimal.Decimal { return decimal.New(ten, -places) }

// newest keeps what is told of at most ten years, so that one order dated to 1970 does not make a page of empty months.
func newest[T any](periods []T) []T { return periods[max(0, len(periods)-10*monthsPerYear):] }

// list makes an empty list of none, so that JSON says [] and never null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
