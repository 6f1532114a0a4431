package postgres

import (
	"context"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var customerTable = newTable("customers", "id", `id email first_name last_name role country region city postcode tags
	consent consent_at created_at modified_at hash deleted_at person_id`)

// customers stores accounts. Erased people are not stored at all.
func (c *commit) customers(ctx context.Context, b commerce.Batch) error {
	if len(b.Customers) == 0 {
		return nil
	}
	if err := c.erased.ask(ctx, c.tx, c.store, customerKeys(b.Customers)); err != nil {
		return err
	}
	var entries []entry
	again := map[string]int64{}
	emails := map[string]string{}
	for _, u := range latest(b.Customers, func(u *commerce.Customer) string { return u.ID }) {
		if person, ok := c.erased.person(u.ID, u.Email); ok {
			if !c.erased.knows(u.ID) {
				again[u.ID] = person
			}
			continue
		}
		emails[u.ID] = u.Email
		entries = c.append(entries, u.ID, c.customerRow(u), u)
	}
	if err := c.eraseAgain(ctx, again); err != nil {
		return err
	}
	added, changed, err := c.changes(ctx, customerTable, entries)
	if err != nil {
		return err
	}
	asked := claims{living: map[string]string{}}
	for _, e := range append(added[:len(added):len(added)], changed...) {
		asked.living[e.id] = emails[e.id]
		asked.accounts = append(asked.accounts, e.id)
	}
	if err := c.resolve(ctx, asked); err != nil {
		return err
	}
	if err := c.keepNoOfFormer(ctx, changed, emails); err != nil {
		return err
	}
	for _, list := range [][]entry{added, changed} {
		for i := range list {
			list[i].line = appendFields(list[i].line, personField(c.people.account[list[i].id]))
		}
	}
	if err := customerTable.insert(ctx, c.tx, rowsOf(added)); err != nil {
		return err
	}
	return customerTable.upsert(ctx, c.tx, rowsOf(changed))
}

func (c *commit) customerRow(u *commerce.Customer) *row {
	r := newRow(newContent(), c.store, len(customerTable.columns))
	r.id("id", u.ID)
	r.text("email", u.Email)
	r.text("first_name", u.FirstName)
	r.text("last_name", u.LastName)
	r.text("role", u.Role)
	r.text("country", u.Country)
	r.text("region", u.Region)
	r.text("city", u.City)
	r.text("postcode", u.Postcode)
	r.texts("tags", u.Tags)
	r.text("consent", string(u.Consent.State))
	r.maybeMoment("consent_at", u.Consent.At)
	r.maybeMoment("created_at", u.CreatedAt)
	r.claim("modified_at", u.ModifiedAt)
	return r
}

func customerKeys(customers []commerce.Customer) []string {
	var keys []string
	for i := range customers {
		keys = append(keys, customerKey(customers[i].ID), emailKey(customers[i].Email))
	}
	return keys
}
