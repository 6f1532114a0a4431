package value

import (
	"cmp"
	"math"
	"slices"

	"github.com/shopspring/decimal"
)

// Summary is what there is to show of who is worth what, as of a day. Its JSON is what is stored and shown. Amounts are in the
// shop's currency.
type Summary struct {
	Day       string    `json:"day"` // as of the start of this local day
	Customers int       `json:"customers"`
	Net       Spread    `json:"net"` // what they brought so far
	Horizon   int       `json:"horizon_days"`
	Predicted *Spread   `json:"predicted,omitempty"` // what is expected of them, as rounded for being shown; nil where nothing is
	Tiers     []Group   `json:"tiers"`
	Origins   []Origins `json:"origins"`
	Cohorts   []Group   `json:"cohorts"` // by the month of the first order, oldest first
}

// Origins are the customers by one kind of thing that their first order has.
type Origins struct {
	Kind   Kind    `json:"kind"`
	Groups []Group `json:"groups"` // most customers first
	Small  int     `json:"small"`  // groups left out, because they have fewer than MinGroup customers
	Rest   int     `json:"rest"`   // groups left out behind the largest
}

// Group is a group of customers.
type Group struct {
	Key       string          `json:"key"`
	Name      string          `json:"name"` // empty for those without anything of the kind
	Customers int             `json:"customers"`
	Share     float64         `json:"customer_share"`
	Net       decimal.Decimal `json:"net"`
	Each      decimal.Decimal `json:"net_each"`
	// Low and High are the 95 % interval of Each, nil of fewer than MinGroup customers.
	Low       *decimal.Decimal `json:"net_each_low,omitempty"`
	High      *decimal.Decimal `json:"net_each_high,omitempty"`
	Valued    int              `json:"valued"` // of whom something is expected
	Predicted decimal.Decimal  `json:"predicted"`
	Expected  *decimal.Decimal `json:"predicted_each,omitempty"` // nil where nothing is expected of anybody
}

// Summarise answers all questions of this package; a shop without customers has an empty summary.
func Summarise(f Facts, day string) Summary {
	s := Summary{Day: day, Customers: len(f.People), Horizon: f.Horizon, Origins: []Origins{}}
	net := make([]int64, 0, len(f.People))
	var predicted []int64
	for _, p := range f.People {
		net = append(net, p.Net)
		if p.Valued {
			predicted = append(predicted, p.Predicted)
		}
	}
	s.Net = spread(net)
	if len(predicted) > 0 {
		all := spread(predicted)
		s.Predicted = &all
	}
	s.Tiers = s.groups(f.Tiers)
	s.Cohorts = s.groups(f.Cohorts[max(0, len(f.Cohorts)-mostMonths):])
	for _, o := range f.Origins {
		if o.tells() {
			s.Origins = append(s.Origins, s.origins(o))
		}
	}
	return s
}

// tells says whether the kind tells customers apart at all: a shop that notes no campaigns has only those without one.
func (o Origin) tells() bool {
	return slices.ContainsFunc(o.Groups, func(g Sum) bool { return g.Key != "" })
}

func (s Summary) origins(o Origin) Origins {
	out := Origins{Kind: o.Kind}
	large := slices.DeleteFunc(slices.Clone(o.Groups), func(g Sum) bool { return g.Customers < MinGroup })
	slices.SortFunc(large, func(a, b Sum) int { return cmp.Or(cmp.Compare(b.Customers, a.Customers), cmp.Compare(a.Key, b.Key)) })
	out.Small, out.Rest = len(o.Groups)-len(large), max(0, len(large)-mostGroups)
	out.Groups = s.groups(large[:len(large)-out.Rest])
	return out
}

func (s Summary) groups(sums []Sum) []Group {
	all := make([]Group, len(sums))
	for i, g := range sums {
		all[i] = Group{
			Key: g.Key, Name: cmp.Or(g.Name, g.Key), Customers: g.Customers, Net: amount(g.Net), Each: mean(g.Net, g.Customers),
			Valued: g.Valued, Predicted: amount(g.Predicted),
		}
		if s.Customers > 0 {
			all[i].Share = float64(g.Customers) / float64(s.Customers)
		}
		if g.Valued > 0 {
			each := mean(g.Predicted, g.Valued)
			all[i].Expected = &each
		}
		all[i].Low, all[i].High = g.limits()
	}
	return all
}

// limits are the mean less and more 1.96 standard errors.
func (g Sum) limits() (low, high *decimal.Decimal) {
	if g.Customers < MinGroup {
		return nil, nil
	}
	const z95 = 1.959963984540054
	n, total := float64(g.Customers), float64(g.Net)/perUnit
	half := z95 * math.Sqrt(max(0, g.Squares-total*total/n)/(n-1)/n)
	each := mean(g.Net, g.Customers)
	wide := decimal.NewFromFloat(half).Round(places)
	under, over := each.Sub(wide), each.Add(wide)
	return &under, &over
}
