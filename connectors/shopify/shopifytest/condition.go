package shopifytest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// traits answers what a condition may ask of a customer: nil, []string, float64, time.Time or string.
type traits func(filter string) any

// filters are what conditions can be made of, beside metafields with a definition.
var filters = []string{
	"abandoned_checkout_date", "amount_spent", "companies", "customer_account_status", "customer_added_date", "customer_cities", "customer_countries",
	"customer_email_domain", "customer_language", "customer_regions", "customer_tags", "email_subscription_status", "first_order_date",
	"last_order_date", "number_of_orders", "predicted_spend_tier", "product_subscription_status", "products_purchased", "rfm_group",
	"sms_subscription_status",
}

// filterTypes lists every filter there is now.
func (s *Server) filterTypes() map[string]bool {
	all := map[string]bool{}
	for _, f := range filters {
		all[f] = true
	}
	for _, d := range s.allDefinitions() {
		if d.owner == "CUSTOMER" && slices.Contains(filterableTypes, d.typ) {
			all["metafields."+d.namespace+"."+d.key] = true
		}
	}
	return all
}

// traits is a customer as conditions see them.
func (s *Server) traits(c *simulator.Customer) traits {
	return func(filter string) any {
		if rest, ok := strings.CutPrefix(filter, "metafields."); ok {
			for _, m := range fieldsOfCustomer(c) {
				if m.Namespace+"."+m.Key == rest {
					return m.Value
				}
			}
			return nil
		}
		switch filter {
		case "customer_tags":
			return tagsOfCustomer(c)
		case "number_of_orders":
			return float64(s.kept.tally(c.ID).count)
		case "amount_spent":
			return s.shop.Decimal(s.kept.tally(c.ID).spent).InexactFloat64()
		case "customer_countries":
			return []string{c.Billing.Country}
		case "email_subscription_status":
			return s.kept.consent(c).state
		case "customer_added_date":
			return c.CreatedAt
		case "last_order_date":
			if last := s.kept.tally(c.ID).last; last != nil {
				return last.PlacedAt
			}
		}
		return nil
	}
}

// token is a word of a condition and where it stands.
type token struct {
	text   string
	at     int
	quoted bool
}

// parseCondition reads the language of segments, as far as it is used here: comparisons, CONTAINS, IS NULL, AND, OR, NOT
// and parentheses. It returns what the shop complains of.
func parseCondition(query string, known map[string]bool) (holds func(traits) bool, complaints []string) {
	p := &conditionParser{tokens: scanCondition(query), known: known}
	holds = p.or()
	if p.failed == "" && p.place < len(p.tokens) {
		p.unexpected()
	}
	if p.failed != "" {
		complaints = append(complaints, p.failed)
	}
	return holds, append(complaints, p.unknown...)
}

func scanCondition(query string) []token {
	var tokens []token
	for i := 0; i < len(query); {
		switch c := query[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '\'' || c == '"':
			end := strings.IndexByte(query[i+1:], c)
			if end < 0 {
				end = len(query) - i - 1
			}
			tokens = append(tokens, token{query[i+1 : i+1+end], i, true})
			i = min(len(query), i+end+2)
		case strings.IndexByte("(),", c) >= 0:
			tokens = append(tokens, token{string(c), i, false})
			i++
		case strings.IndexByte("<>=!", c) >= 0:
			end := i + 1
			for end < len(query) && strings.IndexByte("<>=!", query[end]) >= 0 {
				end++
			}
			tokens = append(tokens, token{query[i:end], i, false})
			i = end
		default:
			end := i
			for end < len(query) && strings.IndexByte(" \t\r\n'\"(),<>=!", query[end]) < 0 {
				end++
			}
			tokens = append(tokens, token{query[i:end], i, false})
			i = end
		}
	}
	return tokens
}

type conditionParser struct {
	tokens  []token
	place   int
	known   map[string]bool
	failed  string
	unknown []string
}

func (p *conditionParser) peek() (token, bool) {
	if p.place >= len(p.tokens) || p.failed != "" {
		return token{}, false
	}
	return p.tokens[p.place], true
}

func (p *conditionParser) word(word string) bool {
	if t, ok := p.peek(); ok && !t.quoted && strings.EqualFold(t.text, word) {
		p.place++
		return true
	}
	return false
}

func (p *conditionParser) unexpected() {
	if p.failed != "" {
		return
	}
	if t, ok := p.peek(); ok {
		p.failed = fmt.Sprintf("Line 1 Column %d: '%s' is unexpected.", t.at, t.text)
		return
	}
	p.failed = "Line 1: the query ended unexpectedly."
}

func (p *conditionParser) or() func(traits) bool {
	all := []func(traits) bool{p.and()}
	for p.word("OR") {
		all = append(all, p.and())
	}
	return func(t traits) bool { return slices.ContainsFunc(all, func(f func(traits) bool) bool { return f(t) }) }
}

func (p *conditionParser) and() func(traits) bool {
	all := []func(traits) bool{p.one()}
	for p.word("AND") {
		all = append(all, p.one())
	}
	return func(t traits) bool { return !slices.ContainsFunc(all, func(f func(traits) bool) bool { return !f(t) }) }
}

func never(traits) bool { return false }

func (p *conditionParser) one() func(traits) bool {
	if p.word("(") {
		inner := p.or()
		if !p.word(")") {
			p.unexpected()
		}
		return inner
	}
	if p.word("NOT") {
		inner := p.one()
		return func(t traits) bool { return !inner(t) }
	}
	name, ok := p.peek()
	if !ok || name.quoted {
		p.unexpected()
		return never
	}
	p.place++
	if !p.known[name.text] {
		p.unknown = append(p.unknown, fmt.Sprintf("Line 1 Column %d: '%s' filter cannot be found.", name.at, name.text))
	}
	return p.comparison(name.text)
}

func (p *conditionParser) comparison(filter string) func(traits) bool {
	not := p.word("NOT")
	flip := func(f func(traits) bool) func(traits) bool {
		return func(t traits) bool { return f(t) != not }
	}
	if p.word("IS") {
		not = p.word("NOT")
		if !p.word("NULL") {
			p.unexpected()
		}
		return flip(func(t traits) bool { return t(filter) == nil })
	}
	if p.word("CONTAINS") {
		v, ok := p.peek()
		if !ok {
			p.unexpected()
			return never
		}
		p.place++
		return flip(func(t traits) bool {
			list, _ := t(filter).([]string) //nolint:errcheck // others contain nothing
			return slices.ContainsFunc(list, func(text string) bool { return strings.EqualFold(text, v.text) })
		})
	}
	operator, ok := p.peek()
	if !ok || !slices.Contains([]string{"=", "!=", "<", "<=", ">", ">="}, operator.text) {
		p.unexpected()
		return never
	}
	p.place++
	v, ok := p.peek()
	if !ok {
		p.unexpected()
		return never
	}
	p.place++
	return func(t traits) bool { return compareTrait(t(filter), operator.text, v.text) }
}

// compareTrait compares numbers as numbers, times as days, and the rest as texts.
func compareTrait(have any, operator, want string) bool {
	var order int
	switch have := have.(type) {
	case nil:
		return operator == "!="
	case float64:
		bound, err := strconv.ParseFloat(want, 64)
		if err != nil {
			return false
		}
		order = compareFloats(have, bound)
	case time.Time:
		bound, err := time.Parse(time.DateOnly, want)
		if err != nil {
			return false
		}
		order = have.Compare(bound)
	case string:
		a, errA := strconv.ParseFloat(have, 64)
		b, errB := strconv.ParseFloat(want, 64)
		if order = strings.Compare(have, want); errA == nil && errB == nil {
			order = compareFloats(a, b)
		}
	default:
		return false
	}
	return map[string]bool{"=": order == 0, "!=": order != 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[operator]
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
