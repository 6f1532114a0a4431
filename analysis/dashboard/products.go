package dashboard

import (
	"net/http"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/product"
	"github.com/perennial-cvo/perennial/analysis/report"
)

// How many rows the page of products shows; the sheet has the others too.
const (
	shownGoods = 50
	shownRanks = 15
)

// goods is what there is to tell of products.
type goods struct {
	product.Summary
	Words      string        // who the best are
	Firsts     []product.Row // by how many of the best began with them
	Kinds      []product.Row // the same of categories
	Back       []product.Row // most often given back first
	Rated      []product.Row // best first
	Most       []product.Row // with most revenue first
	ReturnText string
	Notes      []string // what belongs to no product
}

// products shows what the best buy first. Everything it shows is in the report, for it stands in the file too.
func (s *Server) products(*http.Request, *view) (any, error) { return nil, nil }

// Goods is what there is to tell of products; nil where nothing was worked out yet.
func (v *view) Goods() *goods {
	if v.Report == nil || v.Report.Products == nil {
		return nil
	}
	s := *v.Report.Products
	return &goods{
		Summary: s, Words: report.Best(s), ReturnText: report.Returns(s), Notes: report.Unplaced(s, v.Currency()),
		Firsts: foremost(product.Firsts(s.Products), shownRanks), Kinds: foremost(product.Firsts(s.Categories), shownRanks),
		Back: foremost(product.Back(s.Products), shownRanks), Rated: foremost(product.Rated(s.Products), shownRanks), Most: foremost(s.Products, shownGoods),
	}
}

// Left counts the products behind those that are shown.
func (g goods) Left() int { return len(g.Products) - len(g.Most) + g.Rest }

// NoLines is said where orders do not say what was bought.
func (goods) NoLines() string { return report.NoLines }

// NoReviews is said where there are none.
func (goods) NoReviews() string { return report.NoReviews }

// foremost are the first rows of a list.
func foremost[T any](all []T, most int) []T { return all[:min(len(all), most)] }

// productSheet has everything that is kept of products and categories.
func (s *Server) productSheet(_ *http.Request, v *view) ([][]string, error) {
	rows := [][]string{{
		"of", "id", "name", "gone", "orders", "units", "revenue", "share_of_revenue", "buyers", "bought_again", "first_of_best", "first_of_best_low",
		"first_of_best_high", "first_of_all", "times", "verdict", "orders_30_days_old", "given_back", "given_back_low", "given_back_high",
		"given_back_verdict", "money_back", "reviews", "rating", "rating_for_rank", "currency",
	}}
	if v.Report == nil || v.Report.Products == nil {
		return rows, nil
	}
	for _, r := range v.Report.Products.Products {
		rows = append(rows, productCells("product", r, v.Currency()))
	}
	for _, r := range v.Report.Products.Categories {
		rows = append(rows, productCells("category", r, v.Currency()))
	}
	return rows, nil
}

func productCells(of string, r product.Row, currency string) []string {
	gone, times, reviews, rating, rank := "", "", "0", "", ""
	if r.Gone {
		gone = "yes"
	}
	if r.Test.Lift != nil {
		times = figure(*r.Test.Lift)
	}
	if r.Rating != nil {
		reviews, rating, rank = strconv.Itoa(r.Rating.Count), figure(r.Rating.Mean), figure(r.Rating.Ranked)
	}
	return []string{
		of, r.ID, r.Name, gone, strconv.Itoa(r.Orders), figure(r.Units), r.Revenue.String(), figure(r.Share), strconv.Itoa(r.Buyers), figure(r.Again.Rate),
		figure(r.BestFirst.Rate), figure(r.BestFirst.Low), figure(r.BestFirst.High), figure(r.First.Rate), times, string(r.Test.Verdict),
		strconv.Itoa(r.Returned.Of), figure(r.Returned.Rate), figure(r.Returned.Low), figure(r.Returned.High), string(r.BackTest.Verdict),
		r.GivenBack.String(), reviews, rating, rank, currency,
	}
}

// figure writes a number for a spreadsheet.
func figure(v float64) string { return decimal.NewFromFloat(v).Round(6).String() }
