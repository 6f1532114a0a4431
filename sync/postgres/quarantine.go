package postgres

import (
	"context"
	"fmt"

	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// idsIn returns the ids of the records of a resource proper.
func idsIn(b commerce.Batch, resource commerce.Resource) []string {
	var ids []string
	switch resource {
	case commerce.Customers:
		for i := range b.Customers {
			ids = append(ids, b.Customers[i].ID)
		}
	case commerce.Products:
		for i := range b.Products {
			ids = append(ids, b.Products[i].ID)
		}
	case commerce.Coupons:
		for i := range b.Coupons {
			ids = append(ids, b.Coupons[i].ID)
		}
	case commerce.Orders:
		for i := range b.Orders {
			ids = append(ids, b.Orders[i].ID)
		}
	case commerce.Reviews:
		for i := range b.Reviews {
			ids = append(ids, b.Reviews[i].ID)
		}
	}
	return ids
}

// quarantine keeps what could not be read, and lets go what was read well this time.
func (c *commit) quarantine(ctx context.Context) error {
	rejected := append(append([]connectors.Rejected{}, c.page.Page.Rejected...), c.rejected...)
	bad := map[string]bool{}
	for _, r := range rejected {
		bad[storable(r.ID)] = true
	}
	var well []string
	for _, id := range idsIn(c.page.Page.Records, c.page.Resource) {
		if !bad[storable(id)] {
			well = append(well, storable(id))
		}
	}
	if !c.clean {
		_, err := c.tx.ExecContext(ctx, `DELETE FROM quarantine WHERE store_id = $1 AND resource = $2 AND id = ANY($3)`,
			c.store, c.page.Resource, pq.Array(append(well, c.page.Page.Deleted...)))
		if err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
	}
	var mentioned []string
	for _, r := range rejected {
		mentioned = append(mentioned, keysIn(r.Raw)...)
	}
	if err := c.erased.ask(ctx, c.tx, c.store, mentioned); err != nil {
		return err
	}
	for _, r := range rejected {
		raw := r.Raw
		if raw == nil || c.erased.mentions(raw) {
			raw = []byte{}
		}
		_, err := c.tx.ExecContext(ctx, `INSERT INTO quarantine AS q (store_id, resource, id, reason, raw, first_seen, last_seen)
			VALUES ($1, $2, $3, $4, $5, $6, $6)
			ON CONFLICT (store_id, resource, id) DO UPDATE
			SET reason = EXCLUDED.reason, raw = EXCLUDED.raw, tries = q.tries + 1, last_seen = EXCLUDED.last_seen`,
			c.store, c.page.Resource, storable(r.ID), storable(r.Reason), raw, c.page.At)
		if err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
	}
	c.written.Quarantined += len(rejected)
	return nil
}
