package analysis

import (
	"fmt"
	"math"

	"github.com/perennial-cvo/perennial/analysis/clv"
)

// Outlook is what one person is expected to do, with everything it follows from. Amounts are in the shop's currency.
type Outlook struct {
	Day       int      `json:"day"`    // as of the start of this local day, in days since 1970-01-01
	Fitted    int      `json:"fitted"` // as of when the parameters are
	Kind      clv.Kind `json:"kind"`
	Purchases int      `json:"purchases"` // days with a purchase
	First     int      `json:"first_day"`
	Last      int      `json:"last_day"`
	LastWeeks float64  `json:"last_weeks"` // t_x: from the first purchase to the last
	AgeWeeks  float64  `json:"age_weeks"`  // T: from the first purchase to the day before Day
	Spent     float64  `json:"spent"`
	Mean      float64  `json:"repeat_mean"` // of the purchase days after the first
	Costed    bool     `json:"costed"`
	Margin    float64  `json:"margin"` // of what was spent, where Costed

	Alive          float64 `json:"alive"`
	ByConstruction bool    `json:"alive_by_construction"` // the form of the model says so, not what the person did
	Churn          float64 `json:"churn"`
	Horizon        int     `json:"horizon_days"`
	// Terms are what the model says; Orders and Value what is to be used, which for a purpose where the model fared worse
	// than a naive forecast is that one's.
	Terms    clv.Prediction `json:"terms"`
	Orders   float64        `json:"orders"`
	OrdersBy string         `json:"orders_by"`
	Value    float64        `json:"value"`
	ValueBy  string         `json:"value_by"`
	// MarginAhead is what of Value is left after the cost of what will be sold, at the shop's rate; nil where no cost is known.
	MarginAhead *float64       `json:"expected_margin,omitempty"`
	Next        *clv.NextOrder `json:"next_order,omitempty"` // nil where the model does not foretell one
}

// Forecaster is what foretells orders, made of the stored parameters. It fails where they are no model's.
func (w Worth) Forecaster() (clv.Forecaster, error) {
	if w.Kind == clv.SimpleFormula {
		return w.Simple, w.Simple.Check()
	}
	if w.Fit == nil {
		return nil, fmt.Errorf("model %s: no parameters", w.Kind)
	}
	return clv.Restore(w.Kind, w.Fit.Params)
}

// Use is the forecast to use for a purpose: the kind, or a naive one where that fared better in the holdout.
func (w Worth) Use(of string, purpose clv.Purpose) string {
	for _, v := range w.Verdicts {
		if v.Of == of && v.Purpose == purpose && v.Worse {
			return v.Use
		}
	}
	return string(w.Kind)
}

// Forecast is an appraisal made ready to foretell many people; it may be used by many goroutines at once.
type Forecast struct {
	worth     *Worth
	predictor clv.Predictor
	model     clv.Model // nil where averages foretell
	ordersBy  string
	valueBy   string
}

// Forecast makes an appraisal ready. It fails on parameters that are no model's.
func (w *Worth) Forecast() (*Forecast, error) {
	forecaster, err := w.Forecaster()
	if err != nil {
		return nil, err
	}
	f := &Forecast{
		worth:     w,
		predictor: clv.Predictor{Orders: forecaster, Spend: w.Spend, AnnualRate: w.AnnualRate, MarginRate: 1},
		ordersBy:  w.Use("orders", clv.PerPerson), valueBy: w.Use("value", clv.PerPerson),
	}
	f.model, _ = forecaster.(clv.Model)
	return f, nil
}

// Outlook foretells a person from their history as of the start of a day. It fails on a history that is later than the day
// or empty.
func (f *Forecast) Outlook(h History, day int) (Outlook, error) {
	o, s, err := f.expect(h, day)
	if err != nil {
		return o, err
	}
	if rate := f.worth.Margin; rate != nil {
		margin := o.Value * rate.Rate
		o.MarginAhead = &margin
	}
	if f.model == nil {
		return o, nil
	}
	if next, ok := clv.Next(f.model, s, int32(day-1)); ok {
		o.Next = &next
	}
	return o, nil
}

// expect is the outlook without the next order and the margin to come.
func (f *Forecast) expect(h History, day int) (Outlook, clv.Stats, error) {
	w := f.worth
	s := h.Stats(day)
	if err := s.Check(); err != nil {
		return Outlook{}, s, fmt.Errorf("outlook: %w", err)
	}
	o := Outlook{
		Day: day, Fitted: w.Day, Kind: w.Kind, Purchases: int(h.Days), First: int(h.FirstDay), Last: int(h.LastDay),
		LastWeeks: float64(s.Last) / 7, AgeWeeks: float64(s.Age) / 7, Spent: float64(h.Net) / unit, Mean: h.RepeatMean(),
		Costed: h.Costed, Horizon: w.Horizon, Terms: f.predictor.Predict(s, h.RepeatMean(), float64(w.Horizon)),
		OrdersBy: f.ordersBy, ValueBy: f.valueBy, ByConstruction: f.model != nil && clv.AliveByConstruction(f.model, s),
	}
	if h.Costed {
		o.Margin = float64(h.Net-h.Cost) / unit
	}
	o.Alive, o.Churn = o.Terms.Alive, 1-o.Terms.Alive
	o.choose(w, s)
	return o, s, nil
}

// ahead is what of an outlook decides where somebody stands. What grows without bound is not known.
func (f *Forecast) ahead(h History, day int) (ahead, error) {
	o, s, err := f.expect(h, day)
	if err != nil {
		return notAhead, err
	}
	a := ahead{value: finite(o.Value), orders: finite(o.Orders), alive: o.Alive}
	if o.ByConstruction {
		a.alive = math.NaN()
	}
	if f.model != nil {
		a.next, _ = clv.NextDay(f.model, s, int32(day-1), 0.5)
	}
	return a, nil
}

func finite(v float64) float64 {
	if math.IsInf(v, 0) || math.Abs(v) > math.MaxInt64/unit/2 {
		return math.NaN()
	}
	return v
}

// Outlook foretells one person; see Forecast for many.
func (w Worth) Outlook(h History, day int) (Outlook, error) {
	f, err := w.Forecast()
	if err != nil {
		return Outlook{}, err
	}
	return f.Outlook(h, day)
}

// choose takes the model's word, or the naive forecast's where that fared better for single people.
func (o *Outlook) choose(w *Worth, s clv.Stats) {
	horizon := float64(w.Horizon)
	if o.Orders = o.Terms.Orders; o.OrdersBy != string(w.Kind) {
		o.Orders = w.Naive.Orders(o.OrdersBy, s, horizon)
	}
	if o.Value = o.Terms.Discounted; o.ValueBy != string(w.Kind) {
		o.Value = max(0, w.Naive.Value(o.Spent, horizon))
	}
}
