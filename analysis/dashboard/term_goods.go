package dashboard

import (
	"fmt"
	"html/template"
	"math"
	"strconv"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// goodsTerms are the definitions of what is told of products and of who is worth what.
func goodsTerms() map[string]term {
	return map[string]term{
		"first_all":    {"First of all", "In how many first orders this was, of all customers."},
		"likely":       {"Likely", "The range in which the true figure lies in 19 cases of 20. With few people it is wide."},
		"units":        {"Units", "Pieces sold, those that came back included."},
		"buyers":       {"Buyers", "Customers who bought this at least once."},
		"bought_again": {"Bought again", "The part of the buyers who bought this in two orders or more."},
		"back":         {"Given back", "The part of the orders with this of which units or money of it came back, of orders that are 30 days old: younger ones still may."},
		"money_back":   {"Money back", "What was given back for this, orders refunded as a whole included."},
		"rank":         {"For its rank", "The rating drawn to the shop's mean, the more so the fewer reviews there are: one review of five stars is not the best product."},
		"best_rating":  {"By the best", "The mean of the ratings that the best customers gave, and how many."},
		"line_revenue": {"Revenue", "Of the lines with this, after discounts; less what was given back for it, unless the configuration counts gross revenue. Tax and shipping take no part."},
		"so_far":       {"So far", "What customers have brought: goods less discounts less refunds, of orders that count."},
		"so_far_each":  {"So far, each", "What they have brought so far, divided by their number."},
		"value_each":   {"Expected, each", "What they are expected to spend within the horizon, divided by the number of those of whom that is known."},
		"middle":       {"Half have at most", "Half of the customers have this much or less."},
		"gini":         {"Gini", "How unequal it is: 0 where all customers have the same, close to 1 where few have everything."},
		"top_tenth":    {"The best tenth has", "The part of it all that the tenth of the customers with most has."},
		"tenth":        {"Tenth", "The customers in order of the amount, most first, in ten equally large parts."},
		"together":     {"Together", "The share of this tenth and of those before it."},
		"bias":         {"Bias", "How far the total that was foretold is off the total that came: +10 % is a tenth too much."},
		"mae":          {"Error, each", "How far the forecast of one customer was off, on average (mean absolute error)."},
		"ranking":      {"Ranking", "How well the forecast puts customers in order (normalised Gini): 1 is perfect, 0 is chance."},
	}
}

// goodsFunctions are what the templates of products and values may call beside functions.
func goodsFunctions() template.FuncMap {
	return template.FuncMap{
		"stars":    func(mean float64) string { return strconv.FormatFloat(mean, 'f', 2, 64) },
		"times":    report.Times,
		"quantity": func(units float64) string { return report.Count(int(math.Round(units))) },
		"signed":   func(share float64) string { return fmt.Sprintf("%+.1f %%", 100*share) },
		"place":    func(i int) int { return i + 1 },
	}
}
