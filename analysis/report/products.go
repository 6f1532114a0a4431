package report

import (
	"fmt"
	"strings"

	"github.com/perennial-cvo/perennial/analysis/product"
)

// How many products the terminal lists; JSON has the others too.
const (
	shortProducts = 5
	fullProducts  = 20
)

// products writes what the best customers buy first, what comes back and how it is rated.
func (p *page) products(r Report) {
	if r.Products == nil || r.Products.Customers == 0 {
		return
	}
	s := *r.Products
	p.heading("What the best buy first, as of %s, %s revenue in %s", s.Day, s.Basis, r.Overview.Currency)
	if r.Incomplete != nil {
		p.say(yellow, "  ! ", "INCOMPLETE: without the older orders, later purchases of old customers are taken for first ones.")
	}
	if !s.Known {
		p.say(plain, "  ", "%s", NoLines)
		return
	}
	p.say(plain, "  ", "%s", Best(s))
	p.firsts("product", s.Products, s)
	if p.full {
		p.firsts("category", s.Categories, s)
	}
	for _, text := range append([]string{Returns(s)}, ratings(s)...) {
		p.say(plain, "  ", "%s", text)
	}
	if p.full {
		p.returns(s)
		p.rated(s)
	}
	for _, text := range Unplaced(s, r.Overview.Currency) {
		p.say(dim, "  ", "%s", text)
	}
}

// NoLines is said of a shop whose orders do not say what was bought.
const NoLines = "The shop's orders do not say what was bought, so nothing is known of products."

// Best says who the best customers are, and whether they are enough to tell anything.
func Best(s product.Summary) string {
	who := fmt.Sprintf("the tenth of the customers who spent most, %s", Count(s.Best))
	if s.Tiered {
		who = fmt.Sprintf("the %s of the tier Top Value", Of(s.Best, "customer", "customers"))
	}
	if s.Best < product.MinBest {
		return fmt.Sprintf("The best are %s: too few to tell what they buy first. It takes %d.", who, product.MinBest)
	}
	text := fmt.Sprintf("The best are %s.", who)
	if len(product.Firsts(s.Products)) == 0 {
		text += fmt.Sprintf(" No product was in the first order of %d customers yet: too few to tell.", product.MinFirsts)
	}
	return text
}

// firsts writes the table of what the best began with: what most of them did, and behind it what stands out.
func (p *page) firsts(what string, all []product.Row, s product.Summary) {
	most := shortProducts
	if p.full {
		most = fullProducts
	}
	rows := []row{{dim, []string{"first " + what, "of the best", "likely", "of all", "times", ""}}}
	if s.Best < product.MinBest {
		return
	}
	for i, r := range product.Firsts(all) {
		if i >= most && r.Test.Verdict != product.More || len(rows) > 2*most {
			continue
		}
		look, verdict := plain, string(r.Test.Verdict)
		switch r.Test.Verdict {
		case product.More:
			look = green
		case product.Alike:
			verdict = ""
		case product.Less, product.Few:
		}
		rows = append(rows, row{look, []string{
			called(r), Percent(r.BestFirst.Rate), between(r.BestFirst.Low, r.BestFirst.High), Percent(r.First.Rate), Times(r.Test.Lift), verdict,
		}})
	}
	if len(rows) == 1 {
		return
	}
	p.line("")
	p.fitted(rows, []int{2})
	if what == "product" {
		p.say(dim, "  ", "In how many first orders it was: of the best customers, of all, and how many times as often. More and less often are said only "+
			"where chance is unlikely. It is a reason to show something to more newcomers, not a proof.")
	}
}

// called is a product's name, marked where the shop sells it no more.
func called(r product.Row) string {
	if r.Gone {
		return r.Name + " (gone)"
	}
	return r.Name
}

// Times writes a lift.
func Times(lift *float64) string {
	if lift == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f", *lift)
}

// Returns says how much comes back, and what does so most.
func Returns(s product.Summary) string {
	if s.Returned.Of < product.MinSeen {
		return fmt.Sprintf("Returns: too few orders are %d days old to tell.", product.Settled)
	}
	if s.Returned.Hits == 0 {
		return fmt.Sprintf("Returns: the shop tells of none in orders that are %d days old.", product.Settled)
	}
	text := fmt.Sprintf("Returns: something was given back of %s of the products in orders that are %d days old (likely %s).",
		Percent(s.Returned.Rate), product.Settled, between(s.Returned.Low, s.Returned.High))
	var often []string
	for _, r := range product.Back(s.Products) {
		if r.BackTest.Verdict == product.More && len(often) < 3 {
			often = append(often, fmt.Sprintf("%s (%s)", called(r), Percent(r.Returned.Rate)))
		}
	}
	if len(often) > 0 {
		text += " More often than by chance: " + strings.Join(often, ", ") + "."
	}
	return text
}

// ratings says how products are rated.
func ratings(s product.Summary) []string {
	if s.Rating == nil {
		return []string{NoReviews}
	}
	text := fmt.Sprintf("Ratings: %.2f of 5 on average, in %s.", *s.Rating, Of(s.Reviews, "review", "reviews"))
	if rated := product.Rated(s.Products); len(rated) > 1 {
		first, last := rated[0], rated[len(rated)-1]
		text += fmt.Sprintf(" Rated best: %s (%.2f in %s); worst: %s (%.2f in %s).",
			called(first), first.Rating.Mean, Count(first.Rating.Count), called(last), last.Rating.Mean, Count(last.Rating.Count))
	}
	return []string{text}
}

// NoReviews is said of a shop without reviews.
const NoReviews = "Ratings: no reviews are known. Judge.me and Yotpo can be added as sources of them."

func (p *page) returns(s product.Summary) {
	back := product.Back(s.Products)
	rows := []row{{dim, []string{"product", "given back", "likely", "orders", "money", ""}}}
	for _, r := range back[:min(len(back), fullProducts)] {
		verdict := ""
		if r.BackTest.Verdict != product.Alike {
			verdict = string(r.BackTest.Verdict)
		}
		rows = append(rows, row{plain, []string{
			called(r), Percent(r.Returned.Rate), between(r.Returned.Low, r.Returned.High), Count(r.Returned.Of), Units(r.GivenBack), verdict,
		}})
	}
	if len(rows) > 1 {
		p.line("")
		p.fitted(rows, []int{2})
	}
}

func (p *page) rated(s product.Summary) {
	rated := product.Rated(s.Products)
	rows := []row{{dim, []string{"product", "rating", "reviews", "for its rank", "of the best"}}}
	for _, r := range rated[:min(len(rated), fullProducts)] {
		best := "-"
		if r.Rating.BestMean != nil {
			best = fmt.Sprintf("%.2f in %s", *r.Rating.BestMean, Count(r.Rating.BestCount))
		}
		rows = append(rows, row{plain, []string{
			called(r), fmt.Sprintf("%.2f", r.Rating.Mean), Count(r.Rating.Count), fmt.Sprintf("%.2f", r.Rating.Ranked), best,
		}})
	}
	if len(rows) > 1 {
		p.line("")
		p.fitted(rows, []int{3})
	}
}

// Unplaced says what money belongs to no product.
func Unplaced(s product.Summary, currency string) []string {
	var all []string
	if !s.Loose.IsZero() {
		all = append(all, fmt.Sprintf("%s %s was given back without saying for which product; it is not taken off here.", Money(s.Loose, currency), currency))
	}
	if !s.Unnamed.IsZero() {
		all = append(all, fmt.Sprintf("%s %s is of lines that name no product.", Money(s.Unnamed, currency), currency))
	}
	return all
}
