package postgres_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/product"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// soldByHand counts the orders of a shop one by one, by what stands on their lines.
type soldByHand struct {
	asOf  time.Time
	today int
	loc   *time.Location
	rows  map[string]*product.Sold
	times map[string]map[string]int // purchases by product and buyer
}

func (h *soldByHand) add(o invented, key string, units float64, revenue int64) {
	s := h.rows[key]
	if s == nil {
		s = &product.Sold{Key: key}
		h.rows[key], h.times[key] = s, map[string]int{}
	}
	given := o.refund.IsPositive() && o.given.Before(h.asOf)
	void := given && !o.Goods.Sub(o.refund).IsPositive()
	s.Units += units
	seen := analysis.Day(o.PlacedAt, h.loc) < h.today-product.Settled
	if seen {
		s.Seen++
	}
	if void {
		s.BackUnits, s.GivenBack = s.BackUnits+units, s.GivenBack+revenue
		if seen {
			s.Returned++
		}
		return
	}
	s.Orders, s.Revenue = s.Orders+1, s.Revenue+revenue
	if who := o.CustomerID + o.Email; who != "" {
		h.times[key][who]++
	}
}

// soldAsOf are all rows of products, or of categories.
func soldAsOf(all []invented, h soldByHand, categories bool) []product.Sold {
	h.rows, h.times = map[string]*product.Sold{}, map[string]map[string]int{}
	first := map[string]bool{}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b invented) int { return cmp.Or(a.PlacedAt.Compare(b.PlacedAt), cmp.Compare(a.ID, b.ID)) })
	for _, o := range sorted {
		if o.Status != "completed" || !o.PlacedAt.Before(h.asOf) {
			continue
		}
		units, revenue := map[string]float64{}, map[string]int64{}
		for i, p := range o.products {
			keys := []string{p}
			if categories {
				keys = shelves[p]
			}
			for _, key := range keys {
				units[key]++
				if i == 0 {
					revenue[key] = o.Goods.Shift(4).Round(0).IntPart()
				}
			}
		}
		who := o.CustomerID + o.Email
		void := o.refund.IsPositive() && o.given.Before(h.asOf) && !o.Goods.Sub(o.refund).IsPositive()
		for key := range units {
			h.add(o, key, units[key], revenue[key])
			if who != "" && !void && !first[who] {
				h.rows[key].Firsts++
			}
		}
		first[who] = first[who] || !void
	}
	var rows []product.Sold
	for key, s := range h.rows {
		for _, n := range h.times[key] {
			s.Buyers++
			if n > 1 {
				s.Again++
			}
		}
		rows = append(rows, *s)
	}
	return rows
}

// TestProductsEqualTheCountOfSingleOrders counts invented shops by the database and one by one. What is given back there names
// no line.
func TestProductsEqualTheCountOfSingleOrders(t *testing.T) {
	base := newShop(t)
	shops := 0
	rapid.Check(t, func(rt *rapid.T) {
		shops++
		name, ctx := fmt.Sprint("products ", shops), context.Background()
		zone := rapid.SampledFrom([]string{"Pacific/Auckland", "America/Sao_Paulo", "UTC"}).Draw(rt, "zone")
		s := base.another(name)
		require.NoError(rt, base.db.SetShop(ctx, s.id, commerce.Shop{Identity: name, Currency: "EUR", TimeZone: zone}))
		s.shelve()
		loc, from, days := must(commerce.Location(zone)), time.Date(2018, 9, 28, 0, 0, 0, 0, time.UTC), 100
		orders := invent(rt, from, days)
		s.placeAll(orders)
		h := soldByHand{today: analysis.Day(from, loc) + rapid.IntRange(1, days+4).Draw(rt, "as of"), loc: loc}
		h.asOf = analysis.StartOfDay(h.today, loc)
		got, err := s.Products(ctx, h.asOf, rapid.Bool().Draw(rt, "gross"))
		require.NoError(rt, err)
		same := gocmp.Options{
			cmpopts.SortSlices(func(a, b product.Sold) bool { return a.Key < b.Key }), cmpopts.EquateEmpty(),
			cmpopts.IgnoreFields(product.Sold{}, "Name", "BestFirsts"),
		}
		require.Empty(rt, gocmp.Diff(soldAsOf(orders, h, false), got.Products, same))
		require.Empty(rt, gocmp.Diff(soldAsOf(orders, h, true), got.Categories, same))
		require.Equal(rt, int(math.Ceil(0.1*float64(got.Customers))), got.Best)
		_, err = product.Summarise(got, "", "net")
		require.NoError(rt, err)
	})
}

// shelve puts the products of shelves into the catalogue.
func (s *shop) shelve() {
	var b commerce.Batch
	for id, categories := range shelves {
		b.Products = append(b.Products, commerce.Product{ID: id, Name: "The " + id, Categories: categories})
	}
	s.put(commerce.Products, b)
}

func (s *shop) placeAll(orders []invented) {
	var page commerce.Batch
	for _, o := range orders {
		b := o.batch()
		page.Orders, page.Lines, page.Refunds = append(page.Orders, b.Orders...), append(page.Lines, b.Lines...), append(page.Refunds, b.Refunds...)
		page.Complete = append(page.Complete, o.ID)
	}
	s.put(commerce.Orders, page)
}

// productsAsOf reads the counts by product.
func (s *shop) productsAsOf(asOf time.Time, gross bool) (product.Facts, map[string]product.Sold) {
	s.t.Helper()
	f, err := s.Products(context.Background(), asOf, gross)
	require.NoError(s.t, err)
	rows := map[string]product.Sold{}
	for _, row := range f.Products {
		rows[row.Key] = row
	}
	return f, rows
}

// TestWhatComesBackIsTakenOffItsProduct: lines that are given back in part, money alone, and money for nothing in particular.
func TestWhatComesBackIsTakenOffItsProduct(t *testing.T) {
	s := newShop(t)
	b := boughtOf("1", "ann", "tea", "30", at(1, 10))
	b.Orders[0].Goods, b.Orders[0].Total, b.Lines[0].Quantity = money("42"), money("42"), money("3")
	b.Lines = append(b.Lines, commerce.Line{OrderID: "1", ID: "2", ProductID: "cup", Name: "Old cup", Quantity: money("1"), Subtotal: money("12"), Total: money("12")},
		commerce.Line{OrderID: "1", ID: "3", ProductID: "card", Quantity: money("1"), GiftCard: true})
	back := func(id, amount string, lines ...commerce.RefundLine) {
		b.Refunds = append(b.Refunds, commerce.Refund{OrderID: "1", ID: id, At: at(3, 10), Currency: "EUR", Amount: money(amount), Goods: money(amount), Lines: lines})
	}
	back("a", "20", commerce.RefundLine{LineID: "1", Quantity: money("2"), Amount: money("20")})
	back("b", "2", commerce.RefundLine{LineID: "2", Amount: money("2")})
	back("c", "1")
	s.put(commerce.Orders, b)
	_, young := s.productsAsOf(at(1+product.Settled, 0), false)
	require.Equal(t, product.Sold{Key: "tea", Orders: 1, Units: 3, Revenue: 100_000, BackUnits: 2, GivenBack: 200_000, Buyers: 1, Firsts: 1, BestFirsts: 1}, young["tea"], "not settled yet")
	f, rows := s.productsAsOf(at(2+product.Settled, 0), false)
	require.Equal(t, []int{1, 1}, []int{rows["tea"].Seen, rows["tea"].Returned})
	require.Equal(t, product.Sold{Key: "cup", Name: "Old cup", Orders: 1, Units: 1, Revenue: 100_000, GivenBack: 20_000, Seen: 1, Returned: 1, Buyers: 1, Firsts: 1, BestFirsts: 1}, rows["cup"])
	require.Len(t, rows, 2, "a gift card is no product")
	require.Equal(t, int64(10_000), f.Loose)
	_, rows = s.productsAsOf(at(2+product.Settled, 0), true)
	require.Equal(t, int64(300_000), rows["tea"].Revenue, "before refunds")
}

// TestTheBestByTier: with tiers the best are the top one; a product that the shop has no more keeps its name.
func TestTheBestByTier(t *testing.T) {
	s := newShop(t)
	s.catalogue("tea", "cups")
	for i, customer := range []string{"ann", "bob", "cid"} {
		s.put(commerce.Orders, boughtOf(fmt.Sprint(i), customer, []string{"tea", "cups", "tea"}[i], "30", at(1+i, 10)))
	}
	s.refresh(at(10, 0), false)
	f, _ := s.productsAsOf(at(10, 0), false)
	require.Equal(t, []any{3, 1, false}, []any{f.Customers, f.Best, f.Tiered})
	_, err := s.raw.Exec(`INSERT INTO standings (store_id, person_id, stage, tier) SELECT store_id, person_id, 'active',
		CASE customer_id WHEN 'ann' THEN 'low' ELSE 'top' END FROM persons`)
	require.NoError(t, err)
	_, err = s.raw.Exec(`UPDATE products SET name = 'Fine tea', deleted_at = now() WHERE id = 'tea'`)
	require.NoError(t, err)
	f, rows := s.productsAsOf(at(10, 0), false)
	require.Equal(t, []any{3, 2, true}, []any{f.Customers, f.Best, f.Tiered})
	require.Equal(t, []any{"Fine tea", true, 2, 1}, []any{rows["tea"].Name, rows["tea"].Gone, rows["tea"].Firsts, rows["tea"].BestFirsts})

	_, err = s.ErasePerson(context.Background(), "bob@example.com", at(10, 0))
	require.NoError(t, err)
	f, rows = s.productsAsOf(at(10, 0), false)
	require.Equal(t, []int{3, 1}, []int{f.Customers, rows["cups"].Firsts}, "what an erased person bought was bought by somebody")
}

// TestRatingsAreThoseThatShoppersRead: approved, with stars, of the product or a variation of it; else what the shop says.
func TestRatingsAreThoseThatShoppersRead(t *testing.T) {
	s := newShop(t)
	s.catalogue("tea", "cups")
	s.put(commerce.Products, commerce.Batch{Products: []commerce.Product{
		{ID: "green", ParentID: "tea"},
		{ID: "pot", Name: "Pot", Rating: decimal.NewNullDecimal(money("4.5")), Ratings: 8},
	}})
	for i, key := range []string{"tea", "cups", "pot"} {
		s.put(commerce.Orders, boughtOf(fmt.Sprint(i), "ann", key, "30", at(1+i, 10)))
	}
	s.put(commerce.Customers, commerce.Batch{Customers: []commerce.Customer{{ID: "ann", Email: "ann@example.com"}}})
	review := func(id, of, email, status string, rating int) commerce.Review {
		return commerce.Review{ID: id, ProductID: of, Email: email, Status: status, Rating: rating, CreatedAt: at(2, 10)}
	}
	late := review("7", "tea", "", "approved", 1)
	late.CreatedAt = at(20, 10)
	s.put(commerce.Reviews, commerce.Batch{Reviews: []commerce.Review{
		review("1", "tea", "ann@example.com", "approved", 5), review("2", "green", "bob@example.com", "published", 3), review("3", "tea", "", "spam", 1),
		review("4", "tea", "", "hold", 1), review("5", "tea", "", "approved", 0), review("6", "lamp", "", "approved", 2), late,
	}})
	f, rows := s.productsAsOf(at(10, 0), false)
	require.Equal(t, product.Ratings{Count: 2, Sum: 8, BestCount: 1, BestSum: 5}, rows["tea"].Ratings)
	require.Equal(t, product.Ratings{Count: 8, Sum: 36, Stated: true}, rows["pot"].Ratings)
	require.Zero(t, rows["cups"].Ratings)
	require.Equal(t, 11, f.Reviews, "one is of a lamp that nobody bought")
	require.Equal(t, product.Ratings{Count: 2, Sum: 8, BestCount: 1, BestSum: 5}, f.Categories[slices.IndexFunc(f.Categories, func(c product.Sold) bool { return c.Key == "tea" })].Ratings)
}

func TestProductsOfAnEmptyShop(t *testing.T) {
	f, err := newShop(t).Products(context.Background(), noon, false)
	require.NoError(t, err)
	require.Zero(t, f.Customers)
	require.Empty(t, f.Products)
}

func TestSummariesAreKept(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	_, ok, err := s.ProductSummary(ctx)
	require.NoError(t, err)
	require.False(t, ok)
	s.catalogue("tea")
	s.put(commerce.Orders, boughtOf("1", "ann", "tea", "30", at(1, 10)))
	s.put(commerce.Orders, boughtOf("2", "bob", "tea", "31", at(2, 10)))
	require.NoError(t, s.MarkLoaded(ctx, noon))
	s.analysed(5)
	s.tried("lapsed", "2026-03-01", nil)
	require.False(t, must(s.Summed(ctx)))
	for _, day := range []int{10, 10, 12} {
		o := analysis.RetentionOptions{Now: func() time.Time { return at(day, 14) }}
		sold, spread, trials := must(analysis.Sell(ctx, s, o)), must(analysis.Spread(ctx, s, o, 365)), must(analysis.Try(ctx, s, o))
		require.NoError(t, s.SaveProducts(ctx, sold))
		require.NoError(t, s.SaveValues(ctx, spread))
		require.NoError(t, s.SaveTrials(ctx, trials))
		require.True(t, must(s.Summed(ctx)))
		gotSold, ok, err := s.ProductSummary(ctx)
		require.NoError(t, err)
		require.True(t, ok)
		require.Empty(t, gocmp.Diff(sold, gotSold))
		gotSpread, _, err := s.ValueSummary(ctx)
		require.NoError(t, err)
		require.Empty(t, gocmp.Diff(spread, gotSpread))
		gotTrials, _, err := s.TrialSummary(ctx)
		require.NoError(t, err)
		require.JSONEq(t, string(must(json.Marshal(trials))), string(must(json.Marshal(gotTrials))))
		require.Equal(t, "lapsed", gotTrials.Results[0].Audience)
	}
	require.Equal(t, 3, one[int](s, `SELECT count(*) FROM summaries WHERE day = '2026-03-12'`))
}
