package postgres_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// sale is a line of an order, and what of it was given back.
type sale struct {
	product, variant string
	amount, back     int
}

// kindsOf are the categories of everything that can be in a basket: of its product, its variant and their parents.
func kindsOf(s sale) []string {
	own := map[string][]string{"a": {"A"}, "b": {"A", "B"}, "a1": {"A"}, "b1": {"A", "B", "C"}, "none": {}}
	all := append(slices.Clone(own[s.product]), own[s.variant]...)
	slices.Sort(all)
	return slices.Compact(all)
}

func basketProducts() commerce.Batch {
	return commerce.Batch{Products: []commerce.Product{
		{ID: "a", Categories: []string{"A"}},
		{ID: "b", Categories: []string{" B", "A", "B"}},
		{ID: "a1", ParentID: "a"},
		{ID: "b1", ParentID: "b", Categories: []string{"C\n", "uncategorized"}},
		{ID: "none", Categories: []string{"Uncategorised", " "}},
	}}
}

func drawBasket(rt *rapid.T) []sale {
	var sales []sale
	for range rapid.IntRange(1, 3).Draw(rt, "lines") {
		s := sale{
			product: rapid.SampledFrom([]string{"a", "b", "none", "unknown"}).Draw(rt, "product"),
			variant: rapid.SampledFrom([]string{"", "a1", "b1"}).Draw(rt, "variant"), amount: rapid.IntRange(0, 6).Draw(rt, "amount"),
		}
		if rapid.IntRange(0, 3).Draw(rt, "returned") == 0 {
			s.back = rapid.IntRange(0, s.amount).Draw(rt, "back")
		}
		sales = append(sales, s)
	}
	return sales
}

// basketOf is an order of several lines, whose money was given back in two refunds.
func basketOf(id, customer string, day int, sales []sale) commerce.Batch {
	o := placed(id, customer, at(day, 10))
	goods, backs := 0, []commerce.Refund{}
	b := commerce.Batch{Complete: []string{id}}
	for i, s := range sales {
		line := fmt.Sprint(i)
		goods += s.amount
		b.Lines = append(b.Lines, commerce.Line{
			OrderID: id, ID: line, ProductID: s.product, VariantID: s.variant, Quantity: money("1"),
			Subtotal: money(fmt.Sprint(s.amount)), Total: money(fmt.Sprint(s.amount)),
		})
		for part, amount := range []int{s.back / 2, s.back - s.back/2} {
			if amount > 0 {
				backs = append(backs, commerce.Refund{
					OrderID: id, ID: fmt.Sprint(i, part), At: at(day, 12), Currency: "EUR", Amount: money(fmt.Sprint(amount)), Goods: money(fmt.Sprint(amount)),
					Lines: []commerce.RefundLine{{LineID: line, Quantity: money("0"), Amount: money(fmt.Sprint(amount))}},
				})
			}
		}
	}
	o.Goods = money(fmt.Sprint(goods))
	b.Orders, b.Refunds = []commerce.Order{o}, backs
	return b
}

// favouriteByHand is the favourite of somebody with these baskets who had one before.
func favouriteByHand(baskets [][]sale, stood string) string {
	spent, lines := map[string]int{}, map[string]int{}
	for _, sales := range baskets {
		goods, back := 0, 0
		for _, s := range sales {
			goods, back = goods+s.amount, back+s.back
		}
		for _, s := range sales {
			if goods > 0 && back >= goods || s.amount > 0 && s.back >= s.amount {
				continue
			}
			for _, kind := range kindsOf(s) {
				spent[kind] += s.amount - s.back
				lines[kind]++
			}
		}
	}
	kinds := slices.SortedFunc(slices.Values(keys(lines)), func(x, y string) int {
		return cmp.Or(cmp.Compare(spent[y], spent[x]), cmp.Compare(lines[y], lines[x]), cmp.Compare(x, y))
	})
	switch _, ok := lines[stood]; {
	case len(kinds) == 0:
		return ""
	case !ok, 10*spent[kinds[0]] > 12*spent[stood], spent[kinds[0]] == spent[stood] && 10*lines[kinds[0]] > 12*lines[stood]:
		return kinds[0]
	}
	return stood
}

// TestFavouritesOfBaskets goes through random baskets of variants in several categories, given back in parts.
func TestFavouritesOfBaskets(t *testing.T) {
	base := newShop(t)
	shops := 0
	rapid.Check(t, func(rt *rapid.T) {
		shops++
		s := base.another(fmt.Sprint("baskets ", shops))
		s.put(commerce.Products, basketProducts())
		baskets, stood := map[string][][]sale{}, map[string]string{}
		for n := range rapid.IntRange(1, 8).Draw(rt, "orders") {
			who, sales := rapid.SampledFrom([]string{"ann", "bob"}).Draw(rt, "customer"), drawBasket(rt)
			baskets[who] = append(baskets[who], sales)
			s.put(commerce.Orders, basketOf(fmt.Sprint(n), who, 1+n, sales))
			s.refresh(at(2+n, 0), rapid.Bool().Draw(rt, "full"))
			for who, all := range baskets {
				stood[who] = favouriteByHand(all, stood[who])
				require.Equal(rt, stood[who], s.favourite(who), "%s %v", who, all)
			}
		}
	})
}
