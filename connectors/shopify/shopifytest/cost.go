package shopifytest

import (
	"math"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// MaxCost is the most points that one request may cost.
const MaxCost = 1000

// Cost is what Shopify asks for a document before it is answered, in points: an object costs 1, a connection 2 and, for
// each of about 2·ln(first) nodes, 1 and what is asked of a node; money and addresses cost nothing, a count at the root
// and a mutation 10. The rule was fitted to recorded answers and holds for more than nine of ten to the point.
func Cost(query string, variables map[string]any) (float64, error) {
	d, m := compile(query, "", variables)
	if m != nil {
		return 0, m
	}
	return d.cost(), nil
}

const (
	writeCost = 10
	countCost = 10
	pageCost  = 2
)

func (d *document) cost() float64 {
	total := 0.0
	for _, root := range d.roots {
		switch {
		case d.operation == ast.Mutation:
			total += writeCost
			for _, sub := range root.subs { // what the payload holds itself is in the price
				total += costs(sub.subs)
			}
		case strings.HasSuffix(root.name, "Count") && !root.leaf:
			total += countCost
		default:
			total += root.cost()
		}
	}
	return total
}

// costs is what fields cost together; of those that only some type has, only the dearest type's count. What an interface
// has counts always.
func costs(all []*selection) float64 { return costsBelow(all, 0) }

func costsBelow(all []*selection, depth int) float64 {
	total := 0.0
	types := map[string][]*selection{}
	for _, s := range all {
		if len(s.on) > depth && interfaces[s.on[depth]] == nil {
			types[s.on[depth]] = append(types[s.on[depth]], s)
			continue
		}
		total += s.cost()
	}
	dearest := 0.0
	for _, fields := range types {
		dearest = math.Max(dearest, costsBelow(fields, depth+1))
	}
	return total + dearest
}

// cost is what one field costs with everything below it.
func (s *selection) cost() float64 {
	switch {
	case s.leaf || strings.HasPrefix(s.name, "__"):
		return 0
	case s.paged():
		return pageCost + crowd(s.window())*s.nodes()
	case s.free():
		return costs(s.subs)
	default:
		return 1 + costs(s.subs)
	}
}

// nodes is what each node costs with what is asked of it, once as a node and once as an edge.
func (s *selection) nodes() float64 {
	total := 0.0
	for _, sub := range s.subs {
		switch sub.name {
		case "nodes":
			total += 1 + costs(sub.subs)
		case "edges":
			total++
			for _, part := range sub.subs {
				total += costs(part.subs)
			}
		}
	}
	return total
}

// window is how many nodes are asked for.
func (s *selection) window() float64 {
	for _, name := range []string{"first", "last"} {
		if n, ok := s.args[name].(int64); ok {
			return float64(n)
		}
	}
	return 0
}

// crowd is for how many nodes a page of n is charged.
func crowd(n float64) float64 {
	if n < 1 {
		return 0
	}
	return math.Max(1, math.Floor(2*math.Log(n)))
}

// free reports whether an object costs nothing itself: money, told by what is asked of it, addresses and consent, by name.
func (s *selection) free() bool {
	switch s.name {
	case "billingAddress", "shippingAddress", "defaultAddress", "addresses", "address", "displayAddress", "originAddress",
		"emailMarketingConsent", "smsMarketingConsent":
		return true
	}
	return s.only("amount", "currencyCode") && find(s.subs, "amount") != nil || s.only("shopMoney", "presentmentMoney")
}

// only reports whether nothing but these fields is asked, and one at least.
func (s *selection) only(names ...string) bool {
	some := false
	for _, sub := range s.subs {
		if sub.name == "__typename" {
			continue
		}
		some = true
		known := false
		for _, name := range names {
			known = known || sub.name == name
		}
		if !known {
			return false
		}
	}
	return some
}
