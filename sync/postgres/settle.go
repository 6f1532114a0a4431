package postgres

import (
	"context"
	"fmt"

	"github.com/lib/pq"
	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// sums are what the lines of an open order come to.
type sums struct {
	cards decimal.Decimal
	cost  decimal.NullDecimal // valid where every line has one
	lines int
}

func (s *sums) add(l *commerce.Line) {
	if l.GiftCard {
		s.cards = s.cards.Add(l.Total)
	}
	s.cost.Valid = l.Cost.Valid && (s.cost.Valid || s.lines == 0)
	s.cost.Decimal = s.cost.Decimal.Add(l.Cost.Decimal)
	s.lines++
}

// settle completes every order that was left open, once the pull says that all their lines and refunds are here: what an
// order's lines come to is summed, and it counts from now on.
//
// While a shop is read for the first time nothing is told of it, and a new order is taken for whole with the lines of its
// page. Those that get another one later are opened by it, so that few are left to settle of millions.
func (c *commit) settle(ctx context.Context) error {
	after := ""
	for c.page.Page.Settled {
		var ids []string
		err := c.tx.SelectContext(ctx, &ids, `SELECT id FROM orders WHERE store_id = $1 AND NOT complete AND id > $2
			ORDER BY id LIMIT $3`, c.store, after, recountPage)
		if err != nil {
			return fmt.Errorf("open orders: %w", err)
		}
		if len(ids) == 0 {
			return nil
		}
		after = ids[len(ids)-1]
		if err := c.sumLines(ctx, ids); err != nil {
			return err
		}
		if err := recount(ctx, c.tx, c.store, c.rules, ids); err != nil {
			return err
		}
	}
	return nil
}

// sumLines completes orders with what their lines come to.
func (c *commit) sumLines(ctx context.Context, ids []string) error {
	_, err := c.tx.ExecContext(ctx, `UPDATE orders o SET complete = true, gift_cards = summed.cards, cost = summed.cost
		FROM unnest($2::text[]) AS k(id)
		CROSS JOIN LATERAL (SELECT ctid FROM orders WHERE store_id = $1 AND id = k.id OFFSET 0) place
		CROSS JOIN LATERAL (SELECT coalesce(sum(total) FILTER (WHERE gift_card), 0) AS cards,
			CASE WHEN bool_and(cost IS NOT NULL) THEN sum(cost) END AS cost
			FROM lines WHERE store_id = $1 AND order_id = k.id OFFSET 0) summed
		WHERE o.store_id = $1 AND o.ctid = place.ctid`, c.store, pq.Array(ids))
	if err != nil {
		return fmt.Errorf("sums of lines: %w", err)
	}
	return nil
}
