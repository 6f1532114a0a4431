package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

// trait is something that people's records say of them: the fields that it is for, the query of persons and values that
// finds it, and where the values go.
type trait struct {
	fields string
	query  string
	set    func(p *segment.Person, values []string)
}

// traitSources are what the queries of traits read from; those that none of them mentions cost nothing. $1 is the shop, $2
// the moment before which orders count, $3 a person or 0 for everybody. A variant is named by its options only: its parent says what it is.
const traitSources = `WITH counted AS NOT MATERIALIZED (
		SELECT * FROM orders WHERE store_id = $1 AND counted AND person_id IS NOT NULL AND placed_at < $2 AND ($3::bigint = 0 OR person_id = $3)
	), accounts AS NOT MATERIALIZED (
		SELECT * FROM customers WHERE store_id = $1 AND deleted_at IS NULL AND person_id IS NOT NULL AND ($3::bigint = 0 OR person_id = $3)
	), sold AS (
		SELECT o.person_id, l.product_id, l.variant_id, l.name, l.sku
		FROM counted o JOIN lines l ON l.store_id = $1 AND l.order_id = o.id
	), bought AS (
		SELECT DISTINCT person_id, k.id FROM sold CROSS JOIN LATERAL (VALUES (product_id), (variant_id)) AS k(id)
	), catalogue AS (
		SELECT p.id, ARRAY[CASE p.parent_id WHEN '' THEN p.name END, p.sku, q.name, q.sku] AS names,
			p.categories || coalesce(q.categories, '{}') AS categories, p.brands || coalesce(q.brands, '{}') AS brands
		FROM products p LEFT JOIN products q ON q.store_id = $1 AND q.id = p.parent_id AND p.parent_id <> ''
		WHERE p.store_id = $1
	) `

// An address, and the condition that something is known of it.
const (
	address      = `ARRAY[country, region, city, postcode]`
	addressKnown = `country || region || city || postcode <> ''`
)

// traits returns all of them, in the order in which those of one person come: an account's address before that of an order.
func traits() []trait {
	return []trait{
		listing("products", `(
				SELECT person_id, k.value FROM sold CROSS JOIN LATERAL (VALUES (name), (sku)) AS k(value)
				UNION ALL SELECT b.person_id, k.value FROM bought b JOIN catalogue USING (id) CROSS JOIN unnest(names) AS k(value)
			) AS named`, func(p *segment.Person) *[]string { return &p.Products }),
		listing("categories", `bought JOIN catalogue USING (id) CROSS JOIN unnest(categories) AS k(value)`,
			func(p *segment.Person) *[]string { return &p.Categories }),
		listing("brands", `bought JOIN catalogue USING (id) CROSS JOIN unnest(brands) AS k(value)`,
			func(p *segment.Person) *[]string { return &p.Brands }),
		listing("coupons", `counted CROSS JOIN unnest(coupons) AS k(value)`,
			func(p *segment.Person) *[]string { return &p.Coupons }),
		{
			fields: "first_source first_medium first_campaign",
			query: `SELECT * FROM (
					SELECT DISTINCT ON (person_id) person_id, ARRAY[coalesce(attribution->>'source', ''),
						coalesce(attribution->>'medium', ''), coalesce(attribution->>'campaign', '')] AS value
					FROM counted ORDER BY person_id, placed_at, id
				) AS first WHERE array_to_string(value, '') <> ''`,
			set: func(p *segment.Person, v []string) { p.FirstSource, p.FirstMedium, p.FirstCampaign = v[0], v[1], v[2] },
		},
		listing("sources", `counted CROSS JOIN LATERAL (VALUES (attribution->>'source')) AS k(value)`,
			func(p *segment.Person) *[]string { return &p.Sources }),
		listing("campaigns", `counted CROSS JOIN LATERAL (VALUES (attribution->>'campaign')) AS k(value)`,
			func(p *segment.Person) *[]string { return &p.Campaigns }),
		{
			fields: "country region city postcode", set: setAddress,
			query: `SELECT person_id, ` + address + ` FROM accounts WHERE ` + addressKnown,
		},
		{
			fields: "country region city postcode", set: setAddress,
			query: `SELECT DISTINCT ON (person_id) person_id, ` + address + ` FROM counted WHERE ` + addressKnown + `
				ORDER BY person_id, placed_at DESC, id DESC`,
		},
		{
			fields: "consent", query: `SELECT person_id, ARRAY[consent] FROM ` + consents + ` AS said WHERE $3::bigint = 0 OR person_id = $3`,
			set: func(p *segment.Person, v []string) { p.Consent = v[0] },
		},
		{
			fields: "role", query: `SELECT person_id, ARRAY[role] FROM accounts WHERE role <> ''`,
			set: func(p *segment.Person, v []string) { p.Role = v[0] },
		},
		listing("tags", `accounts CROSS JOIN unnest(tags) AS k(value)`, func(p *segment.Person) *[]string { return &p.Tags }),
	}
}

// listing is a trait that is a list of the values that a source has for each person.
func listing(field, source string, of func(p *segment.Person) *[]string) trait {
	return trait{
		fields: field,
		query:  `SELECT person_id, array_agg(DISTINCT value) FROM ` + source + ` WHERE value <> '' GROUP BY person_id`,
		set: func(p *segment.Person, values []string) {
			slices.Sort(values) // by bytes, whatever the server's language
			*of(p) = values
		},
	}
}

// setAddress takes the first address that comes.
func setAddress(p *segment.Person, v []string) {
	if p.Country+p.Region+p.City+p.Postcode == "" {
		p.Country, p.Region, p.City, p.Postcode = v[0], v[1], v[2], v[3]
	}
}

// traitsQuery returns the query of those traits that are for one of the fields: a row for each of a person's, with its place
// among all traits. It fails on a field that is no trait.
func traitsQuery(all []trait, fields []string) (string, error) {
	wanted := map[string]bool{}
	for _, field := range fields {
		wanted[field] = true
	}
	var parts []string
	for place, t := range all {
		own := strings.Fields(t.fields)
		if slices.ContainsFunc(own, func(field string) bool { return slices.Contains(fields, field) }) {
			parts = append(parts, `SELECT person_id, value, `+strconv.Itoa(place)+` AS place FROM (`+t.query+`) AS t(person_id, value)`)
		}
		for _, field := range own {
			delete(wanted, field)
		}
	}
	for field := range wanted {
		return "", fmt.Errorf("traits: %q is none", field)
	}
	return traitSources + strings.Join(parts, ` UNION ALL `) + ` ORDER BY person_id, place`, nil
}

// Traits calls each once for everybody of whom one of the fields is known, in order of person, reading row by row; fields
// that are found together with one that is asked for are filled in too. What somebody bought are the lines of counted orders
// before asOf, by the names and SKUs on the line and those of the product; a variant has the categories and brands of its
// parent too. An address is the account's, where that has one, else that of the newest such order with one, and never put
// together of both. Consent is the newest statement. Lists are sorted by bytes, without repeats and empty texts.
func (s *Store) Traits(ctx context.Context, fields []string, asOf time.Time, each func(person int64, p *segment.Person)) error {
	return s.readTraits(ctx, fields, []any{s.id, asOf, int64(0)}, each)
}

// TraitsOf returns the same of one person.
func (s *Store) TraitsOf(ctx context.Context, person int64, fields []string, asOf time.Time) (segment.Person, error) {
	var of segment.Person
	err := s.readTraits(ctx, fields, []any{s.id, asOf, person}, func(_ int64, p *segment.Person) { of = *p })
	return of, err
}

func (s *Store) readTraits(ctx context.Context, fields []string, args []any, each func(person int64, p *segment.Person)) error {
	all := traits()
	query, err := traitsQuery(all, fields)
	if err != nil || len(fields) == 0 {
		return err
	}
	return s.read(ctx, func(tx *sqlx.Tx) error {
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		if err := nestedLoops(ctx, tx, args[2] != int64(0)); err != nil { // one person's rows are looked up
			return err
		}
		rows, err := tx.QueryContext(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("traits: %w", err)
		}
		defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
		var at, person int64
		var p segment.Person
		for rows.Next() {
			var values pq.StringArray // a new one for each row
			var place int
			if err := rows.Scan(&person, &values, &place); err != nil {
				return fmt.Errorf("traits: %w", err)
			}
			if person != at && at != 0 {
				each(at, &p)
				p = segment.Person{}
			}
			at = person
			all[place].set(&p, values)
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("traits: %w", err)
		}
		if at != 0 {
			each(at, &p)
		}
		return nil
	})
}
