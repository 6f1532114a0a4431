package postgres_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// boughtOf is an order of one line.
func boughtOf(id, customer, product, amount string, when time.Time) commerce.Batch {
	o := placed(id, customer, when)
	o.Goods = money(amount)
	b := whole(o)
	b.Lines[0].ProductID = product
	return b
}

func (s *shop) favourite(customer string) string {
	return one[string](s, `SELECT favourite FROM person_stats JOIN persons USING (store_id, person_id) WHERE store_id = $1 AND customer_id = $2`, s.id, customer)
}

// catalogue has a product of each kind.
func (s *shop) catalogue(kinds ...string) {
	var b commerce.Batch
	for _, kind := range kinds {
		b.Products = append(b.Products, commerce.Product{ID: kind, Categories: []string{kind}})
	}
	s.put(commerce.Products, b)
}

func TestFavouriteCategory(t *testing.T) {
	s := newShop(t)
	s.catalogue("tea", "cups", "honey", "Uncategorized")
	s.put(commerce.Products, commerce.Batch{Products: []commerce.Product{{ID: "green", ParentID: "tea"}}})
	s.put(commerce.Orders, boughtOf("1", "ann", "cups", "30", at(1, 10)))
	s.put(commerce.Orders, boughtOf("2", "ann", "Uncategorized", "900", at(1, 11)))
	s.put(commerce.Orders, boughtOf("3", "ann", "unknown", "900", at(1, 12)))
	b := boughtOf("4", "ann", "green", "31", at(2, 10))
	b.Lines[0].ProductID, b.Lines[0].VariantID = "tea", "green"
	s.put(commerce.Orders, b)
	s.refresh(at(2, 0), false)
	require.Equal(t, "cups", s.favourite("ann"))
	s.refresh(at(3, 0), false)
	require.Equal(t, "cups", s.favourite("ann"), "31 is no clear lead over 30")
	s.refresh(at(3, 0), true)
	require.Equal(t, "cups", s.favourite("ann"), "whatever is worked out anew")
	s.put(commerce.Orders, boughtOf("5", "ann", "tea", "6", at(3, 10)))
	s.refresh(at(4, 0), false)
	require.Equal(t, "tea", s.favourite("ann"), "37 is")

	back := boughtOf("4", "ann", "tea", "31", at(2, 10))
	back.Refunds = []commerce.Refund{{
		OrderID: "4", ID: "r", At: at(4, 10), Currency: "EUR", Amount: money("25"), Goods: money("25"),
		Lines: []commerce.RefundLine{{LineID: "1", Quantity: money("1"), Amount: money("25")}},
	}}
	s.put(commerce.Orders, back)
	s.refresh(at(5, 0), false)
	require.Equal(t, "cups", s.favourite("ann"), "what was given back is not spent")

	s.put(commerce.Orders, boughtOf("6", "bob", "tea", "0", at(4, 10)))
	s.put(commerce.Orders, boughtOf("7", "bob", "honey", "10", at(4, 10)))
	s.put(commerce.Orders, boughtOf("8", "bob", "cups", "10", at(4, 10)))
	s.refresh(at(5, 0), false)
	require.Equal(t, "cups", s.favourite("bob"), "the first by name of those that are alike")
	void := boughtOf("8", "bob", "cups", "10", at(4, 10))
	void.Refunds = []commerce.Refund{{OrderID: "8", ID: "v", At: at(4, 11), Currency: "EUR", Amount: money("10"), Goods: money("10")}}
	s.put(commerce.Orders, void)
	s.refresh(at(5, 0), false)
	require.Equal(t, "honey", s.favourite("bob"), "an order of which all was given back is none")
	for _, id := range []string{"6", "7"} {
		o := boughtOf(id, "bob", "honey", "10", at(4, 10))
		o.Orders[0].Status = "cancelled"
		s.put(commerce.Orders, o)
	}
	s.refresh(at(5, 0), false)
	require.Empty(t, all[string](s, `SELECT favourite FROM person_stats WHERE favourite = 'honey'`))
}

// TestFavouritesEqualThoseByHand goes through random purchases one by one.
func TestFavouritesEqualThoseByHand(t *testing.T) {
	base := newShop(t)
	base.catalogue("a", "b", "c")
	shops := 0
	rapid.Check(t, func(rt *rapid.T) {
		shops++
		s := base.another(fmt.Sprint("favourites ", shops))
		s.catalogue("a", "b", "c")
		spent, lines, stood := map[string]int{}, map[string]int{}, ""
		for n := range rapid.IntRange(1, 12).Draw(rt, "orders") {
			kind, amount := rapid.SampledFrom([]string{"a", "b", "c", "none"}).Draw(rt, "kind"), rapid.IntRange(0, 12).Draw(rt, "amount")
			s.put(commerce.Orders, boughtOf(fmt.Sprint(n), "ann", kind, fmt.Sprint(amount), at(1+n, 10)))
			if kind != "none" {
				spent[kind] += amount
				lines[kind]++
			}
			if rapid.Bool().Draw(rt, "unseen") {
				continue
			}
			kinds := slices.SortedFunc(slices.Values(keys(lines)), func(x, y string) int {
				return cmp.Or(cmp.Compare(spent[y], spent[x]), cmp.Compare(lines[y], lines[x]), cmp.Compare(x, y))
			})
			if len(kinds) > 0 && (stood == "" || 10*spent[kinds[0]] > 12*spent[stood] ||
				spent[kinds[0]] == spent[stood] && 10*lines[kinds[0]] > 12*lines[stood]) {
				stood = kinds[0]
			}
			s.refresh(at(2+n, 0), rapid.Bool().Draw(rt, "full"))
			require.Equal(rt, stood, s.favourite("ann"))
		}
	})
}

// TestWhatIsShownOfOrdersStandsWithTheirStanding as soon as there is one, and changes with the next order alone.
func TestWhatIsShownOfOrdersStandsWithTheirStanding(t *testing.T) {
	s := newShop(t)
	s.catalogue("tea")
	require.NoError(t, s.MarkLoaded(t.Context(), noon))
	s.put(commerce.Customers, commerce.Batch{Customers: []commerce.Customer{{ID: "reader", Email: "reader@example.com"}}})
	s.put(commerce.Orders, boughtOf("1", "ann", "tea", "30", at(1, 23))) // the first of March in Berlin
	s.put(commerce.Orders, boughtOf("2", "bob", "none", "30", at(1, 10)))
	shown := func() []string {
		return all[string](s, `SELECT concat_ws(' ', coalesce(customer_id, email), last_order, favourite) FROM standings JOIN persons USING (store_id, person_id)
			WHERE store_id = $1 ORDER BY 1`, s.id)
	}
	s.analysed(5)
	require.Equal(t, []string{"ann 2026-03-01 tea", "bob 2026-03-01 ", "reader "}, shown())
	rows := s.everything()
	s.analysed(5)
	require.Equal(t, rows, s.everything())
	s.put(commerce.Orders, boughtOf("3", "bob", "tea", "30", at(6, 10)))
	s.analysed(7)
	require.Equal(t, []string{"ann 2026-03-01 tea", "bob 2026-03-06 tea", "reader "}, shown())
}
