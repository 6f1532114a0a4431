package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Policy decides how orders count and whom they belong to. It is stored with the shop; a changed one recounts every
// order.
type Policy struct {
	Statuses        map[string]bool `json:"statuses"`      // whether an order with this status is a purchase; others are not
	SharedEmails    []string        `json:"shared_emails"` // normalised addresses that identify nobody
	Rates           []Rate          `json:"rates"`
	Revenue         string          `json:"revenue"` // net or gross, for those who read it; decides nothing here
	IncludeTax      bool            `json:"include_tax"`
	IncludeShipping bool            `json:"include_shipping"`
	Currency        string          `json:"currency"` // of the store
}

// Rate converts amounts of a currency into the store's, from a local day on until the next rate of the same currency.
type Rate struct {
	Currency string
	From     string // 2006-01-02
	Rate     string // decimal: units of the store's currency for one of this currency
}

// SavePolicy stores the rules of a shop. Where they differ from those that stand, every order and refund is recounted,
// people are resolved anew, and everybody touched is marked, in the same transaction and with writers kept out.
func (d *DB) SavePolicy(ctx context.Context, id int64, policy Policy) (bool, error) {
	if _, err := newRules(policy, time.UTC); err != nil {
		return false, err
	}
	text, err := json.Marshal(policy.sorted())
	if err != nil {
		return false, fmt.Errorf("policy: %w", err)
	}
	changed := false
	err = inTx(ctx, d.db, func(tx *sqlx.Tx) error {
		if err := lockFence(ctx, tx, id); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `UPDATE stores SET policy = $2 WHERE store_id = $1 AND policy <> CAST($2 AS jsonb)`,
			id, string(text))
		if err != nil {
			return fmt.Errorf("policy: %w", err)
		}
		n, err := result.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		changed = true
		return recompute(ctx, tx, id)
	})
	return changed && err == nil, err
}

// sorted returns the policy in the one form in which it is compared.
func (p Policy) sorted() Policy {
	p.SharedEmails = slices.Compact(slices.Sorted(slices.Values(p.SharedEmails)))
	p.Rates = slices.Clone(p.Rates)
	slices.SortFunc(p.Rates, func(a, b Rate) int {
		if a.Currency != b.Currency {
			return compareText(a.Currency, b.Currency)
		}
		return compareText(a.From, b.From)
	})
	return p
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// rules is a policy made ready to decide, in the shop's time zone.
type rules struct {
	policy Policy
	zone   *time.Location
	shared map[string]bool
	rates  map[string][]datedRate // ascending
}

type datedRate struct {
	from string
	rate decimal.Decimal
}

func newRules(policy Policy, zone *time.Location) (*rules, error) {
	r := &rules{policy: policy.sorted(), zone: zone, shared: map[string]bool{}, rates: map[string][]datedRate{}}
	for _, email := range policy.SharedEmails {
		r.shared[commerce.Email(email)] = true
	}
	for _, rate := range r.policy.Rates {
		value, err := decimal.NewFromString(rate.Rate)
		if err != nil || !value.IsPositive() {
			return nil, fmt.Errorf("policy: the rate of %s from %s is not a positive number: %q", rate.Currency, rate.From, rate.Rate)
		}
		if _, err := time.Parse(time.DateOnly, rate.From); err != nil && rate.From != "" {
			return nil, fmt.Errorf("policy: the rate of %s starts on %q, which is no day such as 2026-01-31", rate.Currency, rate.From)
		}
		r.rates[rate.Currency] = append(r.rates[rate.Currency], datedRate{rate.From, value})
	}
	return r, nil
}

// parseRules makes rules of a policy and a time zone as they are stored.
func parseRules(text, zone string) (*rules, error) {
	var policy Policy
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	location, err := commerce.Location(zone)
	if err != nil {
		return nil, fmt.Errorf("time zone of the shop: %w", err)
	}
	return newRules(policy, location)
}

// rate returns what one unit of a currency was worth in the store's currency on the local day of at, if known.
func (r *rules) rate(currency string, at time.Time) (decimal.Decimal, bool) {
	if currency == r.policy.Currency {
		return decimal.NewFromInt(1), true
	}
	day := at.In(r.zone).Format(time.DateOnly)
	dated := r.rates[currency]
	for i := len(dated) - 1; i >= 0; i-- {
		if dated[i].from <= day {
			return dated[i].rate, true
		}
	}
	return decimal.Decimal{}, false
}

// convert multiplies by a rate and keeps ten-thousandths; amounts in the store's own currency stay as they are.
func convert(amount, rate decimal.Decimal) decimal.Decimal {
	if rate.Equal(decimal.NewFromInt(1)) {
		return amount
	}
	return amount.Mul(rate).Round(4)
}

// worth is what the rules make of an order.
type worth struct {
	counted  bool
	currency string // of the order
	rate     decimal.NullDecimal
	gross    decimal.Decimal
}

// order says how an order counts. Orders whose set is not complete, and deleted ones, do not count.
func (r *rules) order(o *commerce.Order, complete, deleted bool) worth {
	rate, known := r.rate(o.Currency, o.PlacedAt)
	if !known {
		return worth{}
	}
	amount := o.Net()
	if r.policy.IncludeTax {
		amount = amount.Add(o.Tax)
	}
	if r.policy.IncludeShipping {
		amount = amount.Add(o.Shipping)
	}
	return worth{
		counted:  complete && !deleted && !o.Test && r.policy.Statuses[o.Status],
		currency: o.Currency,
		rate:     decimal.NullDecimal{Decimal: rate, Valid: true},
		gross:    convert(amount, rate),
	}
}

// loss is what the rules make of a refund.
type loss struct {
	counted bool
	net     decimal.Decimal // what it takes from gross
	whole   decimal.Decimal
}

// refund says what a refund takes away. What is not itemised is taken from goods. Money back for gift cards was never
// revenue and takes nothing. It is converted as its order was, so that giving everything back leaves nothing; a refund
// without an order, for which of says only that it counts, by its own day.
func (r *rules) refund(f *commerce.Refund, of worth, cards giftCards) loss {
	rate, known := of.rate.Decimal, of.rate.Valid && of.currency == f.Currency
	if !known {
		rate, known = r.rate(f.Currency, f.At)
	}
	if !known {
		return loss{}
	}
	itemised := f.Goods.Add(f.Shipping).Add(f.Fees).Add(f.Tax)
	net := f.Goods.Add(decimal.Max(decimal.Zero, f.Amount.Sub(itemised)))
	net = cards.without(f, net)
	if r.policy.IncludeTax {
		net = net.Add(f.Tax)
	}
	if r.policy.IncludeShipping {
		net = net.Add(f.Shipping)
	}
	return loss{counted: of.counted, net: convert(net, rate), whole: convert(f.Amount, rate)}
}

// giftCards are the lines of an order that bought gift cards.
type giftCards struct {
	lines map[string]bool
	goods decimal.Decimal // what the order brought without them
}

// without takes gift cards out of what a refund gave back for goods: by line where the refund names lines, else by
// letting the order lose no more than it brought.
func (g giftCards) without(f *commerce.Refund, net decimal.Decimal) decimal.Decimal {
	if len(g.lines) == 0 {
		return net
	}
	named := false
	for _, line := range f.Lines {
		named = named || line.LineID != ""
		if g.lines[line.LineID] {
			net = net.Sub(line.Amount)
		}
	}
	if named {
		return decimal.Max(decimal.Zero, net)
	}
	return decimal.Min(net, decimal.Max(decimal.Zero, g.goods))
}
