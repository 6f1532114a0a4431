package report_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/product"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/value"
)

func (f *facts) ProductSummary(context.Context) (product.Summary, bool, error) {
	return f.sold, f.sold.Day != "", nil
}

func (f *facts) ValueSummary(context.Context) (value.Summary, bool, error) {
	return f.spread, f.spread.Day != "", nil
}

// teaSold is what a shop of tea sold: the best begin with a starter set, and pots break.
func teaSold() product.Facts {
	f := product.Facts{Customers: 1000, Best: 50, Tiered: true, Orders: 2400, Lines: 4000, Reviews: 130, Loose: 123_400, Products: []product.Sold{
		{Key: "12", Name: "Earl \x1b[31mGrey", Orders: 900, Units: 1300, Revenue: 91_000_000, Seen: 800, Returned: 12, GivenBack: 1_200_000, Buyers: 500, Again: 220, Firsts: 380, BestFirsts: 19, Ratings: product.Ratings{Count: 80, Sum: 352, BestCount: 9, BestSum: 44}},
		{Key: "14", Name: "Starter set 茶", Orders: 300, Units: 310, Revenue: 140_000_000, Seen: 280, Returned: 6, GivenBack: 2_000_000, Buyers: 290, Again: 10, Firsts: 210, BestFirsts: 26, Ratings: product.Ratings{Count: 40, Sum: 190}},
		{Key: "15", Name: "Glass pot", Gone: true, Orders: 150, Units: 160, Revenue: 45_000_000, BackUnits: 31, GivenBack: 9_000_000, Seen: 120, Returned: 29, Buyers: 140, Again: 8, Firsts: 90, BestFirsts: 4, Ratings: product.Ratings{Count: 10, Sum: 24}},
		{Key: "16", Name: "Bargain box", Orders: 400, Units: 400, Revenue: 20_000_000, Seen: 390, Returned: 4, GivenBack: 200_000, Buyers: 390, Again: 8, Firsts: 320, BestFirsts: 1},
		{Key: "17", Name: "Whisk", Orders: 12, Units: 12, Revenue: 1_200_000, Seen: 9, Buyers: 12, Firsts: 3},
		{Revenue: 350_000, Orders: 7, Units: 7},
	}}
	f.Categories = []product.Sold{
		{Key: "Teas", Orders: 1200, Units: 1600, Revenue: 231_000_000, Seen: 1000, Returned: 18, Firsts: 560, BestFirsts: 41},
		{Key: "Ware", Orders: 160, Units: 172, Revenue: 46_200_000, Seen: 129, Returned: 29, Firsts: 92, BestFirsts: 4},
	}
	return f
}

// teaSpread is how the worth of a thousand drinkers of tea is spread.
func teaSpread() value.Facts {
	r := rand.New(rand.NewPCG(3, 5))
	f := value.Facts{Horizon: 365}
	top, rest := value.Sum{Key: "top", Name: "Top Value"}, value.Sum{Key: "low", Name: "Low Value"}
	spring, none := value.Sum{Key: "spring"}, value.Sum{}
	months := []value.Sum{{Key: "2026-01"}, {Key: "2026-02"}, {Key: "2026-03"}}
	for i := range 1000 {
		p := value.Person{Net: int64(100_000 + r.ExpFloat64()*800_000), Valued: i%50 > 0}
		if p.Valued {
			p.Predicted = int64(r.ExpFloat64() * 300_000 / 1000 * 1000)
		}
		f.People = append(f.People, p)
		tier, origin := &rest, &none
		if i%20 == 0 {
			tier = &top
		}
		if i%3 == 0 {
			origin = &spring
		}
		for _, s := range []*value.Sum{tier, origin, &months[i%3]} {
			s.Customers, s.Net, s.Squares = s.Customers+1, s.Net+p.Net, s.Squares+float64(p.Net)/1e4*float64(p.Net)/1e4
			if p.Valued {
				s.Valued, s.Predicted = s.Valued+1, s.Predicted+p.Predicted
			}
		}
	}
	f.Tiers, f.Cohorts = []value.Sum{top, rest}, months
	f.Origins = []value.Origin{{Kind: value.Campaign, Groups: []value.Sum{spring, none}}, {Kind: value.Coupon, Groups: []value.Sum{none}}}
	return f
}

// sums is the part of a report about products and values.
func sums(t *testing.T, f *facts, width int, full bool) string {
	t.Helper()
	var b bytes.Buffer
	write := report.Terminal
	if full {
		write = report.Full
	}
	require.NoError(t, write(&b, collect(t, f), width, false))
	_, text, found := strings.Cut(b.String(), "\nWhat the best buy first")
	if !found {
		_, text, found = strings.Cut(b.String(), "\nWho is worth what")
	}
	require.True(t, found, b.String())
	text, _, _ = strings.Cut(text, "\n\nFrom the shop's")
	return text + "\n"
}

func selling(t *testing.T, sold product.Facts, spread value.Facts) *facts {
	t.Helper()
	f := teaShop()
	var err error
	f.sold, err = product.Summarise(sold, "2026-03-21", "net")
	require.NoError(t, err)
	f.spread = value.Summarise(spread, "2026-03-21")
	return f
}

func TestProductsAndValues(t *testing.T) {
	f := selling(t, teaSold(), teaSpread())
	for _, width := range []int{60, 100} {
		golden(t, fmt.Sprintf("sums_%d.txt", width), []byte(sums(t, f, width, false)))
		golden(t, fmt.Sprintf("sums_full_%d.txt", width), []byte(sums(t, f, width, true)))
	}
	r := collect(t, f)
	var b bytes.Buffer
	require.NoError(t, report.JSON(&b, map[string]any{"products": r.Products, "values": r.Values}))
	golden(t, "sums.json", b.Bytes())
}

// TestLittleIsSaidOfLittle: of few customers, of orders without lines, without reviews, before anything is foretold.
func TestLittleIsSaidOfLittle(t *testing.T) {
	few := teaSold()
	few.Best, few.Tiered, few.Reviews = 12, false, 0
	for i := range few.Products {
		s := &few.Products[i]
		s.BestFirsts, s.Ratings, s.Seen, s.Returned = 0, product.Ratings{}, 0, 0
	}
	few.Categories = nil
	spread := value.Facts{People: []value.Person{{Net: 10_000}, {Net: 0}}}
	text := sums(t, selling(t, few, spread), 80, true)
	blind := product.Facts{Customers: 3, Orders: 4}
	text += sums(t, selling(t, blind, spread), 80, true)
	golden(t, "sums_little.txt", []byte(text))
	require.NotContains(t, text, "NaN")
}
