package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var refundTable = newTable("refunds", "order_id id", `order_id id customer_id email at currency amount goods shipping fees tax
	cost reason lines person_id counted net whole`)

// refundLine is how a line of a refund is stored.
type refundLine struct {
	LineID    string          `json:"line_id,omitempty"`
	ProductID string          `json:"product_id,omitempty"`
	VariantID string          `json:"variant_id,omitempty"`
	Quantity  decimal.Decimal `json:"quantity"`
	Amount    decimal.Decimal `json:"amount"`
}

func refundRow(content content, store int64, f *commerce.Refund) *row {
	lines := make([]refundLine, 0, len(f.Lines))
	for _, l := range f.Lines {
		lines = append(lines, refundLine(l))
	}
	r := newRow(content, store, len(refundTable.columns))
	r.text("order_id", f.OrderID)
	r.id("id", f.ID)
	r.text("customer_id", f.CustomerID)
	r.text("email", f.Email)
	r.moment("at", f.At)
	r.id("currency", f.Currency)
	r.amount("amount", f.Amount)
	r.amount("goods", f.Goods)
	r.amount("shipping", f.Shipping)
	r.amount("fees", f.Fees)
	r.amount("tax", f.Tax)
	r.maybeAmount("cost", f.Cost)
	r.text("reason", f.Reason)
	r.json("lines", lines)
	return r
}

// writeRefunds writes refunds that came apart. Those that are stored with the same content keep what was derived of
// them.
func (c *commit) writeRefunds(ctx context.Context, rows [][]byte) error {
	if len(rows) == 0 {
		return nil
	}
	if err := refundTable.load(ctx, c.tx, rows); err != nil {
		return err
	}
	_, err := c.tx.ExecContext(ctx, `UPDATE stage_refunds s SET person_id = t.person_id, counted = t.counted, net = t.net, whole = t.whole
		FROM refunds t WHERE `+refundTable.joined())
	if err != nil {
		return fmt.Errorf("stored refunds: %w", err)
	}
	return refundTable.merge(ctx, c.tx)
}

// looseRefunds stores refunds that name only the person to whom they were paid.
func (c *commit) looseRefunds(ctx context.Context, b commerce.Batch) error {
	var loose []*commerce.Refund
	var keys []string
	for _, f := range latest(b.Refunds, refundKey) {
		if f.OrderID == "" {
			loose = append(loose, f)
			keys = append(keys, customerKey(f.CustomerID), emailKey(f.Email))
		}
	}
	if len(loose) == 0 {
		return nil
	}
	if err := c.erased.ask(ctx, c.tx, c.store, keys); err != nil {
		return err
	}
	asked := claims{}
	nameless := map[string]int64{}
	for i, f := range loose {
		if person, ok := c.erased.person(f.CustomerID, f.Email); ok {
			scrubbed := *f
			scrubbed.CustomerID, scrubbed.Email, scrubbed.Reason = "", "", ""
			loose[i], nameless[f.ID] = &scrubbed, person
			continue
		}
		asked.refunds = append(asked.refunds, claim{customer: f.CustomerID, email: f.Email})
	}
	if err := c.resolve(ctx, asked); err != nil {
		return err
	}
	var rows [][]byte
	people := map[string]int64{}
	for _, f := range loose {
		r := refundRow(newContent(), c.store, f)
		if r.err != nil {
			c.reject("refund "+f.ID, r.err.Error(), f)
			continue
		}
		person, ok := nameless[f.ID]
		if !ok {
			person = c.people.of(f.CustomerID, f.Email)
		}
		people[f.ID] = person
		l := c.rules.refund(f, worth{counted: true}, giftCards{})
		r.derived(personField(person), strconv.FormatBool(l.counted), plain(l.net), plain(l.whole))
		rows = append(rows, r.line)
	}
	return c.writeLoose(ctx, rows, people)
}

// writeLoose writes loose refunds and marks both whose they were and whose they are, where anything changed.
func (c *commit) writeLoose(ctx context.Context, rows [][]byte, people map[string]int64) error {
	if len(rows) == 0 {
		return nil
	}
	if err := refundTable.load(ctx, c.tx, rows); err != nil {
		return err
	}
	changed, err := c.tx.QueryxContext(ctx, `SELECT s.id, coalesce(t.person_id, 0) FROM stage_refunds s
		LEFT JOIN refunds t ON `+refundTable.joined()+`
		WHERE t.id IS NULL OR (t.person_id, t.at, t.net, t.counted) IS DISTINCT FROM (s.person_id, s.at, s.net, s.counted)`)
	if err != nil {
		return fmt.Errorf("stored refunds: %w", err)
	}
	defer func() { _ = changed.Close() }() // reading
	for changed.Next() {
		var id string
		var had int64
		if err := changed.Scan(&id, &had); err != nil {
			return fmt.Errorf("stored refunds: %w", err)
		}
		c.touched[had], c.touched[people[id]] = true, true
	}
	delete(c.touched, 0)
	if err := changed.Err(); err != nil {
		return fmt.Errorf("stored refunds: %w", err)
	}
	return refundTable.merge(ctx, c.tx)
}
