package postgres

import (
	"context"
	"fmt"

	"github.com/lib/pq"
)

// settlePage is how many orders are settled at once.
const settlePage = 20_000

// settle completes every order that was left open, once the pull says that all their lines and refunds are here: what an
// order's lines come to is summed, and it counts from now on. It is work on whole tables, not on a page.
func (c *commit) settle(ctx context.Context) error {
	if !c.page.Page.Settled {
		return nil
	}
	if _, err := c.tx.ExecContext(ctx, `SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_seqscan = on`); err != nil {
		return fmt.Errorf("plan settings: %w", err)
	}
	after := ""
	for {
		last, again, err := c.settleSome(ctx, after)
		if err != nil {
			return fmt.Errorf("open orders: %w", err)
		}
		if last == "" {
			return nil
		}
		for len(again) > 0 {
			n := min(len(again), recountPage)
			if err := recount(ctx, c.tx, c.store, c.rules, again[:n]); err != nil {
				return err
			}
			again = again[n:]
		}
		after = last
	}
}

// settleSome settles the next orders behind an id. It returns the last of them, nothing where there was none, and those
// whose money cannot be told from the order alone: they have refunds or bought gift cards.
func (c *commit) settleSome(ctx context.Context, after string) (last string, again []string, err error) {
	counting := make([]string, 0, len(c.rules.policy.Statuses))
	for status, counts := range c.rules.policy.Statuses {
		if counts {
			counting = append(counting, status)
		}
	}
	err = c.tx.QueryRowxContext(ctx, `WITH open AS MATERIALIZED (
			SELECT id FROM orders WHERE store_id = $1 AND NOT complete AND id > $2 ORDER BY id LIMIT $3),
		sums AS (SELECT l.order_id, sum(l.total) FILTER (WHERE l.gift_card) AS cards,
				CASE WHEN bool_and(l.cost IS NOT NULL) THEN sum(l.cost) END AS cost
			FROM open JOIN lines l ON l.store_id = $1 AND l.order_id = open.id GROUP BY l.order_id),
		settled AS (UPDATE orders o SET complete = true, gift_cards = coalesce(sums.cards, 0), cost = sums.cost,
				counted = NOT o.test AND o.deleted_at IS NULL AND o.rate IS NOT NULL AND o.status = ANY($4)
			FROM open LEFT JOIN sums ON sums.order_id = open.id WHERE o.store_id = $1 AND o.id = open.id
			RETURNING o.id, o.person_id, o.gift_cards),
		marked AS (INSERT INTO touched (store_id, person_id)
			SELECT DISTINCT CAST($1 AS bigint), person_id FROM settled WHERE person_id IS NOT NULL ON CONFLICT DO NOTHING)
		SELECT coalesce(max(id), ''), coalesce(array_agg(id) FILTER (WHERE gift_cards <> 0
			OR EXISTS (SELECT FROM refunds r WHERE r.store_id = $1 AND r.order_id = settled.id)), '{}') FROM settled`,
		c.store, after, settlePage, pq.Array(counting)).Scan(&last, pq.Array(&again))
	return last, again, err
}
