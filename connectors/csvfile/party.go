package csvfile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// customer builds an account. A file without ids knows accounts by their e-mail address.
func (b *builder) customer(id string, recs []record) error {
	c := &cells{b: b, recs: recs}
	email := commerce.Email(c.text("email"))
	if c.text("id") == "" {
		if id = email; id == "" {
			return fmt.Errorf("%s: neither an id nor an e-mail address", recs[0].place())
		}
	}
	customer := commerce.Customer{
		ID: id, Email: email, Role: c.text("role"), Country: c.text("country"), Region: c.text("region"),
		City: c.text("city"), Postcode: c.text("postcode"), CreatedAt: c.date("created_at"),
		Tags: splitList(c.text("tags")), Consent: c.consent(),
	}
	customer.FirstName, customer.LastName = c.names()
	slices.Sort(customer.Tags)
	if c.err != nil {
		return c.err
	}
	b.page.Records.Customers = append(b.page.Records.Customers, customer)
	return nil
}

// review builds a review; one without an id is known by its file and line.
func (b *builder) review(id string, rec record) error {
	c := &cells{b: b, recs: []record{rec}}
	r := commerce.Review{
		ID: id, ProductID: c.text("product_id"), Email: commerce.Email(c.text("email")), Reviewer: c.text("reviewer"),
		Body: c.text("body"), Status: c.text("status"), CreatedAt: c.date("created_at"),
	}
	r.Verified, _ = yes(c.text("verified"))
	if rating := c.text("rating"); rating != "" {
		n, err := strconv.Atoi(strings.TrimSuffix(rating, ".0"))
		if err != nil || n < 0 || n > 5 {
			return rec.fieldFault("rating", errors.New("is no rating from 1 to 5"))
		}
		r.Rating = n
	}
	if c.err != nil {
		return c.err
	}
	b.page.Records.Reviews = append(b.page.Records.Reviews, r)
	return nil
}

// product builds a product or, where it names a parent, a variation of one.
func (b *builder) product(id string, recs []record) error {
	c := &cells{b: b, recs: recs, currency: b.plan.settings.Currency}
	p := commerce.Product{
		ID: id, Name: c.text("name"), SKU: c.text("sku"), Type: c.text("type"), Status: c.text("status"),
		Categories: leaves(c.text("categories")), Brands: splitList(c.text("brands")), Tags: splitList(c.text("tags")),
	}
	if words, ok := published[p.Status]; ok && b.table.marks != nil {
		p.Status = words
	}
	if price, ok := c.amount("price"); ok {
		p.Price = decimal.NewNullDecimal(price)
	}
	if cost, ok := c.amount("cost"); ok {
		p.Cost = decimal.NewNullDecimal(cost)
	}
	if parent := c.text("parent"); parent != "" {
		if named, ok := strings.CutPrefix(parent, "id:"); ok {
			p.ParentID = named
		} else if p.ParentID = b.spool.skus[parent]; p.ParentID == "" {
			b.note("the parent of a variation is not in the files", recs[0])
		}
	}
	for _, names := range [][]string{p.Categories, p.Brands, p.Tags} {
		slices.Sort(names)
	}
	if c.err != nil {
		return c.err
	}
	b.page.Records.Products = append(b.page.Records.Products, p)
	return nil
}

// published are the numbers that WooCommerce writes for the status of a product.
var published = map[string]string{"-1": "draft", "0": "private", "1": "publish", "2": "pending"}

// leaves returns the last name of each path such as "Clothing > Shirts".
func leaves(text string) []string {
	names := splitList(text)
	for i, name := range names {
		parts := strings.Split(name, ">")
		names[i] = strings.TrimSpace(parts[len(parts)-1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}
