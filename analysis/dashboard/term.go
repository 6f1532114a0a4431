package dashboard

import (
	"fmt"
	"html/template"
	"strconv"
)

// Term writes a term with its definition, which shows on hover and on focus and is read out. Every term of a page has an id of
// its own.
func (v *view) Term(key string) (template.HTML, error) {
	t, ok := terms()[key]
	if !ok {
		t, ok = dailyTerms()[key]
	}
	if !ok {
		t, ok = goodsTerms()[key]
	}
	if !ok {
		return "", fmt.Errorf("term %s: no definition", key)
	}
	*v.terms++
	id := "def-" + strconv.Itoa(*v.terms)
	return template.HTML(`<dfn tabindex="0" aria-describedby="` + id + `">` + template.HTMLEscapeString(t.name) + //nolint:gosec // escaped
		`<span class="def" role="tooltip" id="` + id + `">` + template.HTMLEscapeString(t.meaning) + `</span></dfn>`), nil
}

// term is a word that needs a definition.
type term struct{ name, meaning string }

// terms are the definitions of everything that is counted.
func terms() map[string]term {
	return map[string]term{
		"customers":       {"Customers", "People with at least one order that counts, guests included; one person, however many accounts or spellings."},
		"orders":          {"Orders", "Orders that count: paid for, no test, not cancelled, not refunded in full."},
		"net":             {"Net revenue", "Goods less discounts less refunds. Tax and shipping are left out, unless the configuration includes them."},
		"revenue":         {"Revenue", "Net or gross revenue, by which the configuration says that scores are made."},
		"margin":          {"Margin", "Net revenue less the cost of what was sold, where the shop knows that cost."},
		"aov":             {"Average order", "Revenue divided by the number of orders."},
		"recency":         {"Recency", "How long ago somebody last ordered, as a score: the highest is the most recent part of the customers."},
		"frequency":       {"Frequency", "How often somebody has ordered, as a score: the highest is the part that ordered most."},
		"monetary":        {"Monetary value", "How much somebody has spent, as a score: the highest is the part that spent most."},
		"value":           {"Predicted value", "What a customer is expected to spend within the horizon, by a model fitted to this shop's own orders, or by a naive forecast where that has proved better."},
		"value_all":       {"Expected", "What all customers together are expected to spend, by the forecast that has proved best; newcomers come on top."},
		"alive":           {"Probability of still buying", "How likely it is that somebody will ever order again, from how often, how regularly and how long ago they have ordered."},
		"churn":           {"Risk to be gone", "How likely it is that somebody has stopped buying, in bands."},
		"stage":           {"Stage", "Where somebody is in the life of a customer: first-time, active, slipping, lapsed, won back and so on, by the shop's own rhythm."},
		"tier":            {"Tier", "The customers by what they have brought and are expected to bring: the top, the middle and the rest."},
		"share":           {"Share", "Part of the whole."},
		"about_margin":    {"Margin, about", "Net revenue by the margin of the whole shop, as far as it knows what was sold costs: what is left, in round terms."},
		"came_month":      {"Came", "People who are in the segment now and were in another one, or none, a month ago."},
		"left_month":      {"Went", "People who were in the segment a month ago and are in another one, or none, now."},
		"moved":           {"Moved", "People who are in another segment than they were on the first day."},
		"cohort":          {"Cohort", "Everybody whose first order was in the same month."},
		"retention":       {"Retention", "The part of a cohort, or of the buyers of the month before, who ordered in a period."},
		"per_customer":    {"Orders a customer", "Orders divided by customers."},
		"month_retention": {"Stay a month", "The part of the buyers of one month who bought in the next one too."},
		"month_churn":     {"Not seen again", "The part of the buyers of the month before who did not buy in this one. Many come back later; buying is not a contract."},
		"interval":        {"Between two orders", "The days from one purchase to the next, of those who came back: half are shorter."},
		"best_fifth":      {"The best fifth brings", "The part of all revenue that comes from the fifth of the customers who spent most."},
		"worth_so_far":    {"Worth so far", "What a head of the cohort has brought by now, in net or gross revenue as configured."},
		"repeat":          {"Repeat rate", "The part of all customers who have ordered more than once."},
		"second":          {"Time to second order", "How long it takes until a customer orders again, by Kaplan and Meier: those who have not yet are counted for as long as they were seen."},
		"stickiness":      {"Stickiness", "The part of newcomers who order a second time within so many days."},
		"delivered":       {"Delivered", "People for whom the platform has confirmed what is to stand there."},
		"withheld":        {"Withheld", "People who are not sent, and why: no consent, unsubscribed, held out, excluded."},
		"refused":         {"Refused", "People whom the platform will not take, in its own words."},
		"waiting":         {"Waiting", "People whose change is still to be sent, or not confirmed yet."},
		"holdout":         {"Held out", "A part of the people, drawn by lot, who are not sent, so that what an audience brings can be measured."},
		"return_rate":     {"Returned", "The part of what was sold of a product that was given back."},
		"rating":          {"Rating", "The mean of the ratings in reviews, from 1 to 5."},
		"best_first":      {"First of the best", "How many of the best customers had this in their first order."},
		"lift":            {"Lift", "How much more often the best customers began with this than all customers did: 2 is twice as often."},
		"quarantine":      {"Set aside", "Records that could not be read. They are kept with the reason and tried again at every sweep."},
		"money_at_risk":   {"Money at stake", "What people who are slipping or lapsed have brought in the past and may not bring again."},
	}
}
