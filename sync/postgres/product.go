package postgres

import (
	"context"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var productTable = newTable("products", "id", `id parent_id name sku type status price cost categories brands tags
	attributes created_at modified_at hash deleted_at`)

func (c *commit) products(ctx context.Context, b commerce.Batch) error {
	var entries []entry
	for _, p := range latest(b.Products, func(p *commerce.Product) string { return p.ID }) {
		r := newRow(newContent(), c.store, len(productTable.columns))
		r.id("id", p.ID)
		r.text("parent_id", p.ParentID)
		r.text("name", p.Name)
		r.text("sku", p.SKU)
		r.text("type", p.Type)
		r.text("status", p.Status)
		r.maybeAmount("price", p.Price)
		r.maybeAmount("cost", p.Cost)
		r.texts("categories", p.Categories)
		r.texts("brands", p.Brands)
		r.texts("tags", p.Tags)
		attributes := p.Attributes
		if attributes == nil {
			attributes = []commerce.Attribute{}
		}
		r.json("attributes", attributes)
		r.maybeMoment("created_at", p.CreatedAt)
		r.claim("modified_at", p.ModifiedAt)
		entries = c.append(entries, p.ID, r, p)
	}
	return c.keep(ctx, productTable, entries)
}

// append closes the row of a noun that stands alone, or sets the record aside.
func (c *commit) append(entries []entry, id string, r *row, record any) []entry {
	if r.err != nil {
		c.reject(id, r.err.Error(), record)
		return entries
	}
	hash := r.sum()
	r.derived(binaryField(hash), null)
	return append(entries, entry{id: id, line: r.line, hash: hash})
}
