package postgres

import (
	"context"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var productTable = newTable("products", "id", `id parent_id name sku type status price cost categories brands tags
	attributes created_at modified_at rating ratings hash deleted_at`)

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
		r.rating(p)
		entries = c.append(entries, p.ID, r, p)
	}
	return c.keep(ctx, productTable, entries)
}

// rating takes what the shop says of a product's reviews. Where it says nothing, nothing is added to the content: the
// products of shops without ratings stay what they were.
func (r *row) rating(p *commerce.Product) {
	kept := len(*r.content.text)
	r.maybeAmount("rating", p.Rating)
	r.integer("ratings", p.Ratings, maxInteger)
	if !p.Rating.Valid && p.Ratings == 0 {
		*r.content.text = (*r.content.text)[:kept]
	}
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
