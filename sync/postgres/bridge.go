package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// bridgeClasses sorts every living order by its place on the bridge as of $2 and sums up each place. The shop's own
// revenue is what its report calls total sales before refunds: the totals of all orders that are neither unpaid, nor
// cancelled, nor thrown away, whatever their currency, added up as if that were one.
const bridgeClasses = `
	WITH placed AS (
		SELECT o.*, o.status NOT IN ('pending', 'failed', 'cancelled', 'canceled', 'draft', 'auto-draft', 'checkout-draft',
			'trash') AS theirs, s.policy->'statuses'->>o.status AS known
		FROM orders o JOIN stores s USING (store_id) WHERE o.store_id = $1 AND o.deleted_at IS NULL
	), classed AS (
		SELECT placed.*, CASE
			WHEN placed_at >= $2 THEN CASE WHEN theirs THEN 'later' ELSE 'none' END
			WHEN counted THEN CASE WHEN theirs THEN 'both' ELSE 'ours' END
			WHEN NOT theirs THEN 'none'
			WHEN test THEN 'test'
			WHEN NOT complete THEN 'incomplete'
			WHEN known IS NULL THEN 'status_unknown'
			WHEN known <> 'true' THEN 'status_not_counted'
			ELSE 'set_aside' END AS class
		FROM placed
	)
	SELECT class, count(*) AS orders, sum(total) AS total, coalesce(sum(round(total * rate, 4)), 0) AS converted,
		coalesce(sum(round(tax * rate, 4)), 0) AS tax, coalesce(sum(round(shipping * rate, 4)), 0) AS shipping,
		coalesce(sum(round(fees * rate, 4)), 0) AS fees, coalesce(sum(round(gift_cards * rate, 4)), 0) AS gift_cards,
		sum(gross) AS gross, count(*) FILTER (WHERE person_id IS NULL) AS nameless,
		coalesce(sum(gross) FILTER (WHERE person_id IS NULL), 0) AS nameless_gross
	FROM classed WHERE class <> 'none' GROUP BY class`

// bridgeSum is what bridgeClasses knows of one class of orders, and of several added up.
type bridgeSum struct {
	Class         string          `db:"class"`
	Orders        int             `db:"orders"`
	Total         decimal.Decimal `db:"total"`
	Converted     decimal.Decimal `db:"converted"`
	Tax           decimal.Decimal `db:"tax"`
	Shipping      decimal.Decimal `db:"shipping"`
	Fees          decimal.Decimal `db:"fees"`
	GiftCards     decimal.Decimal `db:"gift_cards"`
	Gross         decimal.Decimal `db:"gross"`
	Nameless      int             `db:"nameless"`
	NamelessGross decimal.Decimal `db:"nameless_gross"`
}

func (b bridgeSum) plus(o bridgeSum) bridgeSum {
	return bridgeSum{
		Orders: b.Orders + o.Orders, Total: b.Total.Add(o.Total), Converted: b.Converted.Add(o.Converted),
		Tax: b.Tax.Add(o.Tax), Shipping: b.Shipping.Add(o.Shipping), Fees: b.Fees.Add(o.Fees),
		GiftCards: b.GiftCards.Add(o.GiftCards), Gross: b.Gross.Add(o.Gross),
		Nameless: b.Nameless + o.Nameless, NamelessGross: b.NamelessGross.Add(o.NamelessGross),
	}
}

// bridgeFacts is all that the bridge is built from.
type bridgeFacts struct {
	classes         map[string]bridgeSum
	refunds         decimal.Decimal
	namelessRefunds decimal.Decimal
	includeTax      bool
	includeShipping bool
}

// Bridge leads from the shop's own revenue to the net revenue of the customers we know, as of a moment. Every subtotal is
// the sum of the lines before it. Steps that change nothing are left out.
func (s *Store) Bridge(ctx context.Context, asOf time.Time) ([]report.BridgeLine, error) {
	facts := bridgeFacts{classes: map[string]bridgeSum{}}
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		var sums []bridgeSum
		if err := tx.SelectContext(ctx, &sums, bridgeClasses, s.id, asOf); err != nil {
			return fmt.Errorf("bridge: %w", err)
		}
		for _, sum := range sums {
			facts.classes[sum.Class] = sum
		}
		err := tx.QueryRowxContext(ctx, `SELECT coalesce(sum(net), 0), coalesce(sum(net) FILTER (WHERE person_id IS NULL), 0)
			FROM refunds WHERE store_id = $1 AND counted AND at < $2`, s.id, asOf).
			Scan(&facts.refunds, &facts.namelessRefunds)
		if err != nil {
			return fmt.Errorf("bridge refunds: %w", err)
		}
		err = tx.QueryRowxContext(ctx, `SELECT coalesce((policy->>'include_tax')::boolean, false),
			coalesce((policy->>'include_shipping')::boolean, false) FROM stores WHERE store_id = $1`, s.id).
			Scan(&facts.includeTax, &facts.includeShipping)
		if err != nil {
			return fmt.Errorf("bridge policy: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return facts.lines(), nil
}

// bridge is built line by line; its running sum is that of all steps so far.
type bridge struct {
	lines []report.BridgeLine
	sum   decimal.Decimal
}

func (b *bridge) step(key, label string, orders int, amount decimal.Decimal) {
	b.sum = b.sum.Add(amount)
	if orders != 0 || !amount.IsZero() {
		b.lines = append(b.lines, report.BridgeLine{Key: key, Label: label, Orders: orders, Amount: amount})
	}
}

func (b *bridge) subtotal(key, label string, orders int) {
	b.lines = append(b.lines, report.BridgeLine{Key: key, Label: label, Orders: orders, Amount: b.sum, Sum: true})
}

// lines walks the bridge. Steps that leave orders out carry a negative amount.
func (f bridgeFacts) lines() []report.BridgeLine {
	leaving := []struct{ class, label string }{
		{"later", "placed later"},
		{"test", "test orders"},
		{"incomplete", "not read to the end yet"},
		{"status_unknown", "with a status that is not known"},
		{"status_not_counted", "with a status that does not count"},
		{"set_aside", "in a currency without a rate"},
	}
	all := f.classes["both"]
	for _, l := range leaving {
		all = all.plus(f.classes[l.class])
	}
	counted := f.classes["both"].plus(f.classes["ours"])
	b := bridge{sum: all.Total}
	b.subtotal("shop", "The shop's own revenue, before refunds", all.Orders)
	for _, l := range leaving {
		b.step(l.class, l.label, f.classes[l.class].Orders, f.classes[l.class].Total.Neg())
	}
	b.step("status_counted", "with a status that counts here only", f.classes["ours"].Orders, f.classes["ours"].Total)
	b.step("conversion", "converted from other currencies", 0, counted.Converted.Sub(counted.Total))
	b.subtotal("counted", "Orders that count as purchases", counted.Orders)
	if !f.includeTax {
		b.step("tax", "tax", 0, counted.Tax.Neg())
	}
	if !f.includeShipping {
		b.step("shipping", "shipping", 0, counted.Shipping.Neg())
	}
	b.step("fees", "fees", 0, counted.Fees.Neg())
	b.step("gift_cards", "gift cards sold", 0, counted.GiftCards.Neg())
	b.step("rest", "totals that are not the sum of their parts", 0, counted.Gross.Sub(b.sum))
	b.subtotal("gross", "Gross revenue", counted.Orders)
	b.step("refunds", "refunds", 0, f.refunds.Neg())
	b.subtotal("net", "Net revenue", counted.Orders)
	b.step("unattributed", "of orders that name nobody", counted.Nameless,
		f.namelessRefunds.Sub(counted.NamelessGross))
	b.subtotal("customers", "Net revenue of known customers", counted.Orders-counted.Nameless)
	return b.lines
}
