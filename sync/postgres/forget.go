package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
)

// Erased counts what an erasure took away.
type Erased struct {
	People      int // whose amounts stay, nameless
	Customers   int
	Orders      int
	Refunds     int
	Reviews     int
	Quarantined int
	Deliveries  int
	Keys        int // tombstones written
}

// ErasePerson erases whoever has this e-mail address from the database: accounts are deleted, orders, refunds and reviews
// lose what names the person, quarantined records that mention one of the addresses lose their raw text, and what was
// delivered is forgotten. Orders and memberships stay with a nameless person, so that sums do not change. Keyed hashes of
// customer ids and addresses keep the person from coming back. Erasing again is harmless.
func (s *Store) ErasePerson(ctx context.Context, email string, at time.Time) (Erased, error) {
	email = commerce.Email(email)
	if email == "" {
		return Erased{}, fmt.Errorf("erasure: no e-mail address")
	}
	var done Erased
	err := s.write(ctx, func(tx *sqlx.Tx) error {
		c, err := newCommit(ctx, tx, s.id, ingest.Commit{At: at})
		if err != nil {
			return err
		}
		e := &erasure{commit: c, emails: []string{email}, customers: []string{}} // nil would be null, and nothing is unlike null
		for _, step := range e.steps() {
			if err := step(ctx); err != nil {
				return err
			}
		}
		done = e.done
		return nil
	})
	if err != nil {
		return Erased{}, fmt.Errorf("erasure: %w", err)
	}
	return done, nil
}

// Erasing returns whom ErasePerson would erase, as destinations may know them: the account, guests who are the same person,
// and in any case whoever has the address. What stands at a destination can only be taken away while the database knows it.
func (s *Store) Erasing(ctx context.Context, email string) ([]connectors.Person, error) {
	email = commerce.Email(email)
	var people []connectors.Person
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		c, err := newCommit(ctx, tx, s.id, ingest.Commit{})
		if err != nil {
			return err
		}
		e := &erasure{commit: c, emails: []string{email}, customers: []string{}}
		if err := e.find(ctx); err != nil {
			return err
		}
		var rows []struct {
			ID         int64  `db:"person_id"`
			CustomerID string `db:"customer_id"`
			Email      string `db:"email"`
		}
		err = tx.SelectContext(ctx, &rows, `SELECT person_id, coalesce(customer_id, '') AS customer_id, coalesce(email, '') AS email
			FROM persons WHERE store_id = $1 AND person_id = ANY($2) ORDER BY person_id`, s.id, pgArray(e.persons))
		for _, row := range rows {
			people = append(people, connectors.Person{ID: row.ID, CustomerID: row.CustomerID, Email: row.Email})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("people to erase: %w", err)
	}
	if !slices.ContainsFunc(people, func(p connectors.Person) bool { return p.Email == email }) {
		people = append(people, connectors.Person{Email: email})
	}
	return people, nil
}

// erasure is the work of ErasePerson.
type erasure struct {
	*commit
	emails    []string
	customers []string
	persons   []int64
	nameless  int64 // to whom amounts belong where nobody was found
	done      Erased
}

// eraseAgain erases new accounts that erased people made: their orders may carry another address. An account that is
// stored under another address stays, for that may be somebody else.
func (c *commit) eraseAgain(ctx context.Context, accounts map[string]int64) error {
	if len(accounts) == 0 {
		return nil
	}
	var stored []string
	err := c.tx.SelectContext(ctx, &stored, `SELECT id FROM customers WHERE store_id = $1 AND id = ANY($2)`,
		c.store, pq.Array(slices.Collect(maps.Keys(accounts))))
	if err != nil {
		return fmt.Errorf("accounts of erased people: %w", err)
	}
	for _, id := range slices.Sorted(maps.Keys(accounts)) {
		if slices.Contains(stored, id) {
			continue
		}
		e := &erasure{commit: c, emails: []string{}, customers: []string{id}, nameless: accounts[id]}
		for _, step := range e.steps() {
			if err := step(ctx); err != nil {
				return fmt.Errorf("account of an erased person: %w", err)
			}
		}
		c.erased.people[customerKey(id)] = accounts[id]
	}
	return nil
}

func (e *erasure) steps() []func(context.Context) error {
	return []func(context.Context) error{e.find, e.bury, e.scrubQuarantine, e.forget}
}

// find gathers the accounts, the persons, and the other addresses under which they ordered, unless another account has
// that address.
func (e *erasure) find(ctx context.Context) error {
	var accounts []string
	err := e.tx.SelectContext(ctx, &accounts, `SELECT id FROM customers WHERE store_id = $1 AND email = ANY($2)
		UNION SELECT customer_id FROM persons WHERE store_id = $1 AND email = ANY($2) AND customer_id IS NOT NULL`,
		e.store, pq.Array(e.emails))
	if err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	e.customers = append(e.customers, accounts...)
	var more []string
	err = e.tx.SelectContext(ctx, &more, `SELECT DISTINCT o.email FROM orders o
		WHERE o.store_id = $1 AND o.customer_id = ANY($2) AND o.customer_id <> '' AND o.email <> '' AND o.email <> ALL($3)
		AND NOT EXISTS (SELECT FROM customers c WHERE c.store_id = $1 AND c.email = o.email AND c.id <> ALL($2))
		AND NOT EXISTS (SELECT FROM persons p WHERE p.store_id = $1 AND p.email = o.email AND p.customer_id <> ALL($2))`,
		e.store, pq.Array(e.customers), pq.Array(e.emails))
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	for _, email := range more {
		if !e.rules.shared[email] {
			e.emails = append(e.emails, email)
		}
	}
	err = e.tx.SelectContext(ctx, &e.persons, `SELECT person_id FROM persons
		WHERE store_id = $1 AND (email = ANY($2) OR customer_id = ANY($3)) ORDER BY person_id`,
		e.store, pq.Array(e.emails), pq.Array(e.customers))
	if err != nil {
		return fmt.Errorf("people: %w", err)
	}
	return e.findFormer(ctx)
}

// findFormer gathers the addresses that the persons had before, as far as something was delivered or refused under them,
// unless somebody else has them now.
func (e *erasure) findFormer(ctx context.Context) error {
	var former []string
	err := e.tx.SelectContext(ctx, &former, `SELECT address FROM (
			SELECT address FROM deliveries WHERE store_id = $1 AND person_id = ANY($2) AND address LIKE '%@%'
			UNION SELECT address FROM unsubscribed WHERE store_id = $1 AND person_id = ANY($2)) AS had
		WHERE address <> ALL($3)
		AND NOT EXISTS (SELECT FROM persons p WHERE p.store_id = $1 AND p.email = address AND p.person_id <> ALL($2))
		ORDER BY address`, e.store, pgArray(e.persons), pq.Array(e.emails))
	if err != nil {
		return fmt.Errorf("former addresses: %w", err)
	}
	for _, email := range former {
		if !e.rules.shared[email] {
			e.emails = append(e.emails, email)
		}
	}
	return nil
}

// bury writes the tombstones. Amounts that come later belong to the nameless person.
func (e *erasure) bury(ctx context.Context) error {
	var hashes pq.ByteaArray
	for _, id := range e.customers {
		hashes = append(hashes, e.erased.hash(customerKey(id)))
	}
	for _, email := range e.emails {
		hashes = append(hashes, e.erased.hash(emailKey(email)))
	}
	person := e.nameless
	if len(e.persons) > 0 {
		person = e.persons[0]
	}
	result, err := e.tx.ExecContext(ctx, `INSERT INTO tombstones (store_id, key_hash, person_id, at)
		SELECT $1, hash, $3, $4 FROM unnest($2::bytea[]) AS k(hash) ON CONFLICT DO NOTHING`,
		e.store, hashes, sql.NullInt64{Int64: person, Valid: person != 0}, e.page.At)
	return counted(&e.done.Keys, result, err, "tombstones")
}

// scrubQuarantine empties quarantined records that hold one of the addresses, in whatever capitals.
func (e *erasure) scrubQuarantine(ctx context.Context) error {
	patterns := make([][]byte, 0, len(e.emails))
	for _, email := range e.emails {
		patterns = append(patterns, []byte(email))
	}
	result, err := e.tx.ExecContext(ctx, `UPDATE quarantine q SET raw = ''
		WHERE store_id = $1 AND raw <> '' AND EXISTS (SELECT FROM unnest($2::bytea[]) AS k(email)
			WHERE position(k.email IN q.raw) > 0
			OR position(lower(encode(k.email, 'escape')) IN lower(encode(q.raw, 'escape'))) > 0)`, e.store, pq.ByteaArray(patterns))
	return counted(&e.done.Quarantined, result, err, "quarantine")
}

// forget takes away everything that names the person. A hash that matches nothing makes a scrubbed record be written
// once more when it is read again.
func (e *erasure) forget(ctx context.Context) error {
	const mine = `(email <> '' AND email = ANY($2) OR customer_id <> '' AND customer_id = ANY($3))`
	named := []struct {
		count *int
		what  string
		query string
	}{
		{&e.done.Refunds, "refunds", `UPDATE refunds SET customer_id = '', email = '', reason = ''
			WHERE store_id = $1 AND (` + mine + ` OR order_id IN (SELECT id FROM orders WHERE store_id = $1 AND ` + mine + `))`},
		{&e.done.Orders, "orders", `UPDATE orders SET customer_id = '', email = '', first_name = '', last_name = '',
			region = '', city = '', postcode = '', attribution = '{}', consent = '', consent_at = NULL, hash = ''
			WHERE store_id = $1 AND ` + mine},
		{&e.done.Customers, "customers", `DELETE FROM customers WHERE store_id = $1 AND (email = ANY($2) OR id = ANY($3))`},
	}
	for _, n := range named {
		result, err := e.tx.ExecContext(ctx, n.query, e.store, pq.Array(e.emails), pq.Array(e.customers))
		if err := counted(n.count, result, err, n.what); err != nil {
			return err
		}
	}
	result, err := e.tx.ExecContext(ctx, `UPDATE reviews SET email = '', reviewer = '', body = '', hash = ''
		WHERE store_id = $1 AND email = ANY($2)`, e.store, pq.Array(e.emails))
	if err := counted(&e.done.Reviews, result, err, "reviews"); err != nil {
		return err
	}
	_, err = e.tx.ExecContext(ctx, `DELETE FROM unsubscribed WHERE store_id = $1 AND (address = ANY($2) OR person_id = ANY($3))`,
		e.store, pq.Array(e.emails), pgArray(e.persons))
	if err != nil {
		return fmt.Errorf("unsubscribed addresses: %w", err)
	}
	var queued int
	known := []struct {
		count *int
		what  string
		query string
	}{
		{&e.done.Deliveries, "deliveries", `DELETE FROM deliveries WHERE store_id = $1 AND person_id = ANY($2)`},
		{&queued, "outbox", `DELETE FROM outbox WHERE store_id = $1 AND person_id = ANY($2)`},
		{&queued, "lots", `DELETE FROM exposures WHERE store_id = $1 AND person_id = ANY($2)`},
		{&e.done.People, "people", `UPDATE persons SET customer_id = NULL, email = NULL WHERE store_id = $1 AND person_id = ANY($2)`},
	}
	for _, k := range known {
		result, err := e.tx.ExecContext(ctx, k.query, e.store, pq.Array(e.persons))
		if err := counted(k.count, result, err, k.what); err != nil {
			return err
		}
	}
	return nil
}

// rowsAffected is what counted needs of a result.
type rowsAffected interface{ RowsAffected() (int64, error) }

// counted notes how many rows a statement changed.
func counted(count *int, result rowsAffected, err error, what string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	n, err := result.RowsAffected()
	*count = int(n)
	return err
}
