package postgres

import (
	"context"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var reviewTable = newTable("reviews", "id", `id product_id email reviewer rating body verified status created_at hash deleted_at`)

func (c *commit) reviews(ctx context.Context, b commerce.Batch) error {
	if err := c.erased.ask(ctx, c.tx, c.store, reviewKeys(b.Reviews)); err != nil {
		return err
	}
	var entries []entry
	for _, v := range latest(b.Reviews, func(v *commerce.Review) string { return v.ID }) {
		if _, ok := c.erased.person("", v.Email); ok {
			scrubbed := *v
			scrubbed.Email, scrubbed.Reviewer, scrubbed.Body = "", "", ""
			v = &scrubbed
		}
		r := newRow(newContent(), c.store, len(reviewTable.columns))
		r.id("id", v.ID)
		r.text("product_id", v.ProductID)
		r.text("email", v.Email)
		r.text("reviewer", v.Reviewer)
		r.integer("rating", v.Rating, maxSmall)
		r.text("body", v.Body)
		r.boolean(v.Verified)
		r.text("status", v.Status)
		r.maybeMoment("created_at", v.CreatedAt)
		entries = c.append(entries, v.ID, r, v)
	}
	return c.keep(ctx, reviewTable, entries)
}

func reviewKeys(reviews []commerce.Review) []string {
	var keys []string
	for i := range reviews {
		keys = append(keys, emailKey(reviews[i].Email))
	}
	return keys
}
