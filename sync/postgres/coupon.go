package postgres

import (
	"context"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var couponTable = newTable("coupons", "id", `id code kind amount uses status created_at modified_at expires_at hash deleted_at`)

func (c *commit) coupons(ctx context.Context, b commerce.Batch) error {
	var entries []entry
	for _, k := range latest(b.Coupons, func(k *commerce.Coupon) string { return k.ID }) {
		r := newRow(newContent(), c.store, len(couponTable.columns))
		r.id("id", k.ID)
		r.text("code", k.Code)
		r.text("kind", k.Kind)
		r.amount("amount", k.Amount)
		r.integer("uses", k.Uses, maxInteger)
		r.text("status", k.Status)
		r.maybeMoment("created_at", k.CreatedAt)
		r.claim("modified_at", k.ModifiedAt)
		r.maybeMoment("expires_at", k.ExpiresAt)
		entries = c.append(entries, k.ID, r, k)
	}
	return c.keep(ctx, couponTable, entries)
}
