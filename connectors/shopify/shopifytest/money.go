package shopifytest

import (
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// till writes the amounts of one order, in the shop's currency and in the buyer's.
type till struct {
	digits   int32
	currency string
	shown    string // of the buyer
	rate     decimal.Decimal
}

// tillOf is the till of an order; nil marks are none.
func tillOf(digits int, currency string, m orderMarks) till {
	t := till{digits: int32(digits), currency: currency, shown: currency, rate: decimal.NewFromInt(1)} //nolint:gosec // 0 to 3
	if m.shown != "" {
		t.shown, t.rate = m.shown, m.rate
	}
	return t
}

func (t till) decimal(a simulator.Amount) decimal.Decimal { return decimal.New(int64(a), -t.digits) }

// presented is an amount as the buyer saw it.
func (t till) presented(a simulator.Amount) decimal.Decimal {
	if t.shown == t.currency {
		return t.decimal(a)
	}
	return t.decimal(a).Mul(t.rate).Round(2)
}

// amount is how the shop writes the scalar Decimal: as short as it gets, with one digit after the point at least.
func amount(d decimal.Decimal) string {
	text := d.String()
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// plain is how the shop writes the scalar Money: with all digits of the currency.
func (t till) plain(a simulator.Amount) string { return t.decimal(a).StringFixed(t.digits) }

func moneyV2(d decimal.Decimal, currency string) *object {
	return simple("MoneyV2", map[string]any{"amount": amount(d), "currencyCode": currency})
}

// money is a MoneyV2 in the shop's currency.
func (t till) money(a simulator.Amount) *object { return moneyV2(t.decimal(a), t.currency) }

// bag is an amount in both currencies.
func (t till) bag(a simulator.Amount) *object {
	return &object{typ: "MoneyBag", fill: func() map[string]resolver {
		return map[string]resolver{
			"shopMoney":        value(t.money(a)),
			"presentmentMoney": value(moneyV2(t.presented(a), t.shown)),
		}
	}}
}

// taxLines are the one tax of an amount, none where there is none.
func (t till) taxLines(rate simulator.TaxRate, tax simulator.Amount) []*object {
	if tax == 0 {
		return []*object{}
	}
	share := float64(rate.PerMille) / 1000
	return []*object{simple("TaxLine", map[string]any{
		"title": rate.Label, "rate": share, "ratePercentage": share * 100, "source": "Shopify", "channelLiable": false,
		"priceSet": t.bag(tax), "price": t.plain(tax),
	})}
}

// spread shares an amount among caps, in proportion to them and never above them, and returns what found no room.
func spread(a simulator.Amount, caps []simulator.Amount) (shares []simulator.Amount, rest simulator.Amount) {
	shares = make([]simulator.Amount, len(caps))
	var room simulator.Amount
	for _, c := range caps {
		room += max(c, 0)
	}
	if a <= 0 || room <= 0 {
		return shares, max(a, 0)
	}
	placed := min(a, room)
	rest = a - placed
	left := placed
	for i, c := range caps {
		shares[i] = placed * max(c, 0) / room
		left -= shares[i]
	}
	for i, c := range caps {
		more := min(left, max(c, 0)-shares[i])
		shares[i] += more
		left -= more
	}
	return shares, rest
}
