package segment

import "math"

// Person is everything that an owner's rule may ask about one person as of a day. The zero value is somebody of whom nothing
// is known. Days are local days since 1970-01-01, and 0 is not known; amounts are ten-thousandths of the shop's currency; a
// text that is empty is not known, a list that is empty is known to have nothing in it.
type Person struct {
	AsOf int // the day as of which is asked

	Orders       int // counted
	PurchaseDays int // distinct days of them
	FirstDay     int // of the first one
	LastDay      int // of the last one
	Gross        int64
	Net          int64
	Interval     float64 // days expected from one purchase to the next, as the lifecycle has it; 0: not known

	Products   []string // names and SKUs bought
	Categories []string
	Brands     []string
	Coupons    []string // codes used

	FirstSource   string // attribution of the first order: utm_source, utm_medium, utm_campaign
	FirstMedium   string
	FirstCampaign string
	Sources       []string // of all orders
	Campaigns     []string

	Country  string // two-letter code
	Region   string
	City     string
	Postcode string
	Consent  string // to marketing by e-mail: "subscribed" or "unsubscribed"
	Role     string // in the shop, such as "wholesale"
	Tags     []string

	R, F, M uint8  // scores; 0: none
	Segment string // RFM segment
	Stage   string // lifecycle stage
	Tier    string // value tier

	Predicted       bool    // whether what follows is known
	PredictedValue  float64 // over the horizon of the configuration, in the shop's currency
	PredictedOrders float64 // over the same
	Alive           float64 // probability of still being a customer, 0 to 1
	Churn           string  // band of 1 - Alive
	NextOrder       int     // expected day of the next order; 0: none expected
}

// Kind is what can be asked about a field.
type Kind string

// The kinds of fields.
const (
	Number Kind = "number" // ==, !=, <, <=, >, >=, in [..], and + - * / to reckon with
	Text   Kind = "text"   // ==, !=, in [..], contains, startsWith, endsWith
	List   Kind = "list"   // "x" in field, field contains "x", has_any, has_all
	Day    Kind = "day"    // ==, !=, <, <=, >, >= with a day such as "2026-01-31"
)

// Field is a name that rules may use.
type Field struct {
	Name    string
	Kind    Kind
	Group   string // heading under which it is listed
	Meaning string // one line
	Values  []string

	number func(*Person) float64 // NaN: not known; of days too
	text   func(*Person) string
	list   func(*Person) []string
}

// Trait says whether the field is about what somebody bought, where they came from or who they are; all others follow from
// purchases, scores and predictions.
func (f Field) Trait() bool {
	return f.Group == groupThings || f.Group == groupOrigins || f.Group == groupPeople
}

// The headings of fields that are traits.
const (
	groupThings  = "What they bought"
	groupOrigins = "Where they came from"
	groupPeople  = "Who they are"
)

// Fields returns every name that rules may use, in the order in which they are listed. rfm_segment has no Values here: they
// are those of the preset in use.
func Fields() []Field {
	var all []Field
	for _, group := range [][]Field{purchases(), things(), origins(), people(), scores(), predictions()} {
		all = append(all, group...)
	}
	return all
}

var unknown = math.NaN()

// known turns a number into one that is not known, unless it is.
func known(ok bool, value float64) float64 {
	if !ok {
		return unknown
	}
	return value
}

func dayOf(day int) float64 { return known(day != 0, float64(day)) }

func since(p *Person, day int) float64 { return known(day != 0, float64(p.AsOf-day)) }

const unit = 10_000 // ten-thousandths in one of the currency

func purchases() []Field {
	const group = "Purchases"
	number := func(name, meaning string, of func(*Person) float64) Field {
		return Field{Name: name, Kind: Number, Group: group, Meaning: meaning, number: of}
	}
	return []Field{
		number("orders", "counted orders", func(p *Person) float64 { return float64(p.Orders) }),
		number("purchase_days", "distinct days with a counted order", func(p *Person) float64 { return float64(p.PurchaseDays) }),
		{Name: "first_day", Kind: Day, Group: group, Meaning: "day of the first counted order", number: func(p *Person) float64 { return dayOf(p.FirstDay) }},
		{Name: "last_day", Kind: Day, Group: group, Meaning: "day of the last counted order", number: func(p *Person) float64 { return dayOf(p.LastDay) }},
		number("days_since_first", "days since the first counted order", func(p *Person) float64 { return since(p, p.FirstDay) }),
		number("days_since", "days since the last counted order", func(p *Person) float64 { return since(p, p.LastDay) }),
		number("interval", "days expected from one purchase to the next", func(p *Person) float64 { return known(p.Interval > 0, p.Interval) }),
		number("gross", "revenue before refunds, in the shop's currency", func(p *Person) float64 { return float64(p.Gross) / unit }),
		number("net", "revenue after refunds, in the shop's currency", func(p *Person) float64 { return float64(p.Net) / unit }),
		number("refunded", "what was given back, in the shop's currency", func(p *Person) float64 { return float64(p.Gross-p.Net) / unit }),
		number("average_order", "net revenue per counted order; not known without an order", func(p *Person) float64 {
			return known(p.Orders > 0, float64(p.Net)/unit/float64(max(p.Orders, 1)))
		}),
	}
}

func things() []Field {
	list := func(name, meaning string, of func(*Person) []string) Field {
		return Field{Name: name, Kind: List, Group: groupThings, Meaning: meaning, list: of}
	}
	return []Field{
		list("products", "names and SKUs of products bought", func(p *Person) []string { return p.Products }),
		list("categories", "categories bought from", func(p *Person) []string { return p.Categories }),
		list("brands", "brands bought", func(p *Person) []string { return p.Brands }),
		list("coupons", "coupon codes used", func(p *Person) []string { return p.Coupons }),
	}
}

func origins() []Field {
	const group = groupOrigins
	text := func(name, meaning string, of func(*Person) string) Field {
		return Field{Name: name, Kind: Text, Group: group, Meaning: meaning, text: of}
	}
	list := func(name, meaning string, of func(*Person) []string) Field {
		return Field{Name: name, Kind: List, Group: group, Meaning: meaning, list: of}
	}
	return []Field{
		text("first_source", "utm_source of the first order", func(p *Person) string { return p.FirstSource }),
		text("first_medium", "utm_medium of the first order", func(p *Person) string { return p.FirstMedium }),
		text("first_campaign", "utm_campaign of the first order", func(p *Person) string { return p.FirstCampaign }),
		list("sources", "utm_source of every order", func(p *Person) []string { return p.Sources }),
		list("campaigns", "utm_campaign of every order", func(p *Person) []string { return p.Campaigns }),
	}
}

func people() []Field {
	text := func(name, meaning string, of func(*Person) string) Field {
		return Field{Name: name, Kind: Text, Group: groupPeople, Meaning: meaning, text: of}
	}
	consent := text("consent", "consent to marketing by e-mail, as the shop knows it", func(p *Person) string { return p.Consent })
	consent.Values = []string{"subscribed", "unsubscribed"}
	return []Field{
		text("country", "two-letter code of the country", func(p *Person) string { return p.Country }),
		text("region", "state or region, as the shop has it", func(p *Person) string { return p.Region }),
		text("city", "city", func(p *Person) string { return p.City }),
		text("postcode", "postcode", func(p *Person) string { return p.Postcode }),
		consent,
		text("role", "role of the account in the shop", func(p *Person) string { return p.Role }),
		{Name: "tags", Kind: List, Group: groupPeople, Meaning: "tags in the shop", list: func(p *Person) []string { return p.Tags }},
	}
}

func scores() []Field {
	number := func(name, meaning string, of func(*Person) uint8) Field {
		return Field{
			Name: name, Kind: Number, Group: "Scores and segments", Meaning: meaning,
			number: func(p *Person) float64 { return known(of(p) > 0, float64(of(p))) },
		}
	}
	text := func(name, meaning string, values []string, of func(*Person) string) Field {
		return Field{Name: name, Kind: Text, Group: "Scores and segments", Meaning: meaning, Values: values, text: of}
	}
	return []Field{
		number("r", "recency score, the best is the highest", func(p *Person) uint8 { return p.R }),
		number("f", "frequency score", func(p *Person) uint8 { return p.F }),
		number("m", "monetary score", func(p *Person) uint8 { return p.M }),
		text("rfm_segment", "RFM segment, by its id", nil, func(p *Person) string { return p.Segment }),
		text("lifecycle", "stage of the lifecycle", idsOf(stages[:]), func(p *Person) string { return p.Stage }),
		text("tier", "value tier", idsOf(tiers[:]), func(p *Person) string { return p.Tier }),
	}
}

func predictions() []Field {
	const group = "Predictions"
	number := func(name, meaning string, of func(*Person) float64) Field {
		return Field{
			Name: name, Kind: Number, Group: group, Meaning: meaning,
			number: func(p *Person) float64 { return known(p.Predicted, of(p)) },
		}
	}
	next := func(p *Person) float64 { return known(p.Predicted, dayOf(p.NextOrder)) }
	return []Field{
		number("predicted_value", "value expected over the horizon, in the shop's currency", func(p *Person) float64 { return p.PredictedValue }),
		number("predicted_orders", "orders expected over the horizon", func(p *Person) float64 { return p.PredictedOrders }),
		number("p_alive", "probability of still being a customer, 0 to 1", func(p *Person) float64 { return p.Alive }),
		{
			Name: "churn", Kind: Text, Group: group, Meaning: "band of the risk to be gone", Values: idsOf(churns[:]),
			text: func(p *Person) string {
				if !p.Predicted {
					return ""
				}
				return p.Churn
			},
		},
		{Name: "next_order", Kind: Day, Group: group, Meaning: "day on which the next order is expected", number: next},
		number("days_to_next_order", "days until then; below 0 where it is overdue", func(p *Person) float64 { return next(p) - float64(p.AsOf) }),
	}
}
