package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lib/pq"
)

// Who is who. An order with a customer id belongs to that account's person. A guest's order belongs to the account whose
// e-mail address is the order's, else to the guest person of that address. Shared addresses identify nobody. The address
// of an account is its customer record's while that lives, else that of its latest order with one. Where several
// accounts have an address, it is owned by a living one, and among equals by the lowest id.
//
// All of this is a function of what is stored now: resolve looks at everything that could have changed it, so that the
// order in which records arrive does not matter.

// claims is what a batch says about who is who, before it is stored.
type claims struct {
	accounts []string          // customer ids that may have appeared, changed or gone
	gone     bool              // their customer records were deleted just now
	living   map[string]string // the address of customer records about to be stored
	orders   []claim           // orders about to be stored
	stale    []string          // ids of those that are stored already: what is stored of them counts no more
	refunds  []claim           // refunds without an order about to be stored
	guests   []string          // addresses of stored guests to look at in any case
}

// claim is one record's word on whose it is.
type claim struct {
	id       string
	customer string
	email    string
	at       time.Time
}

// people is what resolve found: persons by customer id and, for guests, by address.
type people struct {
	account map[string]int64
	guest   map[string]int64
}

func newPeople() people { return people{account: map[string]int64{}, guest: map[string]int64{}} }

// of returns the person of a record; 0 where it names nobody.
func (p people) of(customer, email string) int64 {
	if customer != "" {
		return p.account[customer]
	}
	return p.guest[email]
}

// account is one account while resolve works on it.
type account struct {
	id      string
	person  int64 // 0 before it has one
	had     string
	email   string // "" where unknown or shared
	living  bool   // its customer record is there
	lived   bool   // it was there before
	exists  bool
	promote bool // it takes over a guest's person
	changed bool // in a way that may move guests' orders
	fresh   bool // its person is made as it shall be
}

// identity is the work of resolve.
type identity struct {
	*commit
	claims   claims
	accounts map[string]*account
	others   map[string][]*account // accounts by address that were not asked for
	guests   map[string]int64      // guest persons by address
}

// resolve finds or makes the persons of the claims, brings accounts up to date, and moves stored orders whose owner
// changed. What it found is in c.people.
func (c *commit) resolve(ctx context.Context, claims claims) error {
	w := &identity{
		commit: c, claims: claims,
		accounts: map[string]*account{}, others: map[string][]*account{}, guests: map[string]int64{},
	}
	if claims.stale == nil {
		w.claims.stale = []string{} // nil would be null, and nothing is unlike null
	}
	steps := []func(context.Context) error{w.readAccounts, w.readAddresses, w.settleAccounts, w.settleGuests, w.absorb}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return fmt.Errorf("people: %w", err)
		}
	}
	return nil
}

// readAccounts reads all accounts that the claims concern.
func (w *identity) readAccounts(ctx context.Context) error {
	ids := map[string]bool{}
	for _, id := range w.claims.accounts {
		ids[id] = true
	}
	for _, list := range [][]claim{w.claims.orders, w.claims.refunds} {
		for _, c := range list {
			ids[c.customer] = true
		}
	}
	delete(ids, "")
	if len(ids) == 0 {
		return nil
	}
	latest := map[string]claim{}
	rows, err := w.tx.QueryxContext(ctx, `SELECT k.id, coalesce(p.person_id, 0), coalesce(p.email, ''), c.id IS NOT NULL, coalesce(c.email, ''),
			coalesce(o.email, ''), o.placed_at, coalesce(o.id, ''),
			c.id IS NOT NULL
			OR EXISTS (SELECT FROM orders e WHERE e.store_id = $1 AND e.customer_id = k.id AND e.customer_id <> '' AND e.id <> ALL($3))
			OR EXISTS (SELECT FROM refunds r WHERE r.store_id = $1 AND r.order_id = '' AND r.customer_id = k.id AND r.customer_id <> '')
		FROM unnest($2::text[]) AS k(id)
		LEFT JOIN customers c ON c.store_id = $1 AND c.id = k.id AND c.deleted_at IS NULL
		LEFT JOIN persons p ON p.store_id = $1 AND p.customer_id = k.id
		LEFT JOIN LATERAL (
			SELECT o.email, o.placed_at, o.id FROM orders o
			WHERE c.id IS NULL AND o.store_id = $1 AND o.customer_id = k.id AND o.customer_id <> '' AND o.email <> '' AND o.id <> ALL($3)
			ORDER BY o.placed_at DESC, o.id DESC LIMIT 1) o ON true`,
		w.store, pq.Array(slices.Sorted(maps.Keys(ids))), pq.Array(w.claims.stale))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // reading
	for rows.Next() {
		a := &account{}
		var order claim
		var placed sql.NullTime
		if err := rows.Scan(&a.id, &a.person, &a.had, &a.living, &a.email, &order.email, &placed, &order.id, &a.exists); err != nil {
			return err
		}
		order.at = placed.Time
		a.lived = a.living || w.claims.gone
		latest[a.id] = order
		w.accounts[a.id] = a
	}
	if err := rows.Err(); err != nil {
		return err
	}
	w.overlay(latest)
	return nil
}

// overlay adds to what is stored what is about to be.
func (w *identity) overlay(latest map[string]claim) {
	for _, o := range w.claims.orders {
		if o.customer == "" {
			continue
		}
		w.accounts[o.customer].exists = true
		known := latest[o.customer]
		later := o.at.After(known.at) || o.at.Equal(known.at) && o.id > known.id
		if o.email != "" && (known.email == "" || later) {
			latest[o.customer] = o
		}
	}
	for _, r := range w.claims.refunds {
		if r.customer != "" {
			w.accounts[r.customer].exists = true
		}
	}
	for id, a := range w.accounts {
		if email, ok := w.claims.living[id]; ok {
			a.living, a.exists, a.email = true, true, email
		}
		if !a.living {
			a.email = latest[id].email
		}
		if w.rules.shared[a.email] {
			a.email = ""
		}
	}
}

// readAddresses reads who else has the addresses that the claims and the accounts concern.
func (w *identity) readAddresses(ctx context.Context) error {
	emails := map[string]bool{}
	for _, a := range w.accounts {
		emails[a.email], emails[a.had] = true, true
	}
	for email := range w.guestAddresses() {
		emails[email] = true
	}
	delete(emails, "")
	if len(emails) == 0 {
		return nil
	}
	rows, err := w.tx.QueryxContext(ctx, `SELECT p.person_id, coalesce(p.customer_id, ''), p.email, c.id IS NOT NULL FROM persons p
		LEFT JOIN customers c ON c.store_id = p.store_id AND c.id = p.customer_id AND c.deleted_at IS NULL
		WHERE p.store_id = $1 AND p.email = ANY($2) ORDER BY p.person_id DESC`, w.store, pq.Array(slices.Sorted(maps.Keys(emails))))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // reading
	for rows.Next() {
		a := &account{exists: true}
		if err := rows.Scan(&a.person, &a.id, &a.email, &a.living); err != nil {
			return err
		}
		switch {
		case a.id == "":
			w.guests[a.email] = a.person // the lowest, should there ever be two
		case w.accounts[a.id] == nil:
			w.others[a.email] = append(w.others[a.email], a)
		}
	}
	return rows.Err()
}

// guestAddresses are the addresses of guests among the claims.
func (w *identity) guestAddresses() map[string]bool {
	emails := map[string]bool{}
	for _, email := range w.claims.guests {
		emails[email] = true
	}
	for _, list := range [][]claim{w.claims.orders, w.claims.refunds} {
		for _, c := range list {
			if c.customer == "" && c.email != "" && !w.rules.shared[c.email] {
				emails[c.email] = true
			}
		}
	}
	return emails
}

// owners returns for each address the account that owns it.
func (w *identity) owners() map[string]*account {
	owners := map[string]*account{}
	claim := func(a *account) {
		if o := owners[a.email]; a.exists && a.email != "" &&
			(o == nil || a.living && !o.living || a.living == o.living && a.id < o.id) {
			owners[a.email] = a
		}
	}
	for _, a := range w.accounts {
		claim(a)
	}
	for _, list := range w.others {
		for _, a := range list {
			claim(a)
		}
	}
	return owners
}

// settleAccounts gives every account its person and its address.
func (w *identity) settleAccounts(ctx context.Context) error {
	owners := w.owners()
	var fresh []*account
	for _, id := range slices.Sorted(maps.Keys(w.accounts)) {
		a := w.accounts[id]
		switch {
		case !a.exists && a.person == 0:
			continue
		case !a.exists:
			if err := w.retire(ctx, a, owners); err != nil {
				return err
			}
			continue
		case a.person == 0 && w.guests[a.email] != 0 && owners[a.email] == a:
			a.person, a.promote, a.changed = w.guests[a.email], true, true
			delete(w.guests, a.email)
		case a.person == 0:
			a.changed, a.fresh = true, true
			fresh = append(fresh, a)
		default:
			a.changed = a.had != a.email || a.lived != a.living // a living account goes before others
		}
	}
	if err := w.makePersons(ctx, fresh); err != nil {
		return err
	}
	var persons []int64
	var ids, emails []string
	for _, id := range slices.Sorted(maps.Keys(w.accounts)) {
		if a := w.accounts[id]; a.exists {
			w.people.account[a.id] = a.person
			if a.changed && !a.fresh {
				persons, ids, emails = append(persons, a.person), append(ids, a.id), append(emails, a.email)
			}
		}
	}
	if len(persons) == 0 {
		return nil
	}
	_, err := w.tx.ExecContext(ctx, `UPDATE persons p SET customer_id = k.id, email = nullif(k.email, '')
		FROM unnest($2::bigint[], $3::text[], $4::text[]) AS k(person_id, id, email)
		WHERE p.store_id = $1 AND p.person_id = k.person_id
		AND (p.customer_id, p.email) IS DISTINCT FROM (k.id, nullif(k.email, ''))`,
		w.store, pq.Array(persons), pq.Array(ids), pq.Array(emails))
	return err
}

// retire lets an account go that nothing names any more: its person becomes the guest of its address, or nobody's.
func (w *identity) retire(ctx context.Context, a *account, owners map[string]*account) error {
	a.changed = a.had != ""
	if a.had == "" {
		return nil
	}
	free := owners[a.had] == nil && w.guests[a.had] == 0 && !w.rules.shared[a.had]
	if free {
		w.guests[a.had] = a.person
	}
	_, err := w.tx.ExecContext(ctx, `UPDATE persons SET customer_id = CASE WHEN $3 THEN NULL ELSE customer_id END,
		email = CASE WHEN $3 THEN email END WHERE store_id = $1 AND person_id = $2`, w.store, a.person, free)
	return err
}

// makePersons makes persons for accounts that have none.
func (w *identity) makePersons(ctx context.Context, fresh []*account) error {
	if len(fresh) == 0 {
		return nil
	}
	var ids, emails []string
	for _, a := range fresh {
		ids, emails = append(ids, a.id), append(emails, a.email)
	}
	return w.insertPersons(ctx, ids, emails, func(i int, person int64) { fresh[i].person = person })
}

// insertPersons makes one person for each pair of customer id and address, either of which may be empty.
func (w *identity) insertPersons(ctx context.Context, ids, emails []string, made func(i int, person int64)) error {
	rows, err := w.tx.QueryxContext(ctx, `INSERT INTO persons (store_id, person_id, customer_id, email)
		SELECT $1, nextval('person_ids'), nullif(id, ''), nullif(email, '')
		FROM (SELECT id, email FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS u(id, email, place) ORDER BY place) AS k
		RETURNING person_id, coalesce(customer_id, ''), coalesce(email, '')`, w.store, pq.Array(ids), pq.Array(emails))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	type pair struct{ id, email string }
	at := make(map[pair]int, len(ids))
	for i, id := range ids {
		at[pair{id, emails[i]}] = i
	}
	for rows.Next() {
		var person int64
		var p pair
		if err := rows.Scan(&person, &p.id, &p.email); err != nil {
			return err
		}
		made(at[p], person)
	}
	return rows.Err()
}

// settleGuests finds the person of every guest, and moves stored orders and refunds of guests whose owner changed.
func (w *identity) settleGuests(ctx context.Context) error {
	moved, err := w.movable(ctx)
	if err != nil {
		return err
	}
	wanted := w.guestAddresses()
	for _, email := range moved {
		wanted[email] = true
	}
	owners := w.owners()
	var fresh []string
	for _, email := range slices.Sorted(maps.Keys(wanted)) {
		switch {
		case owners[email] != nil:
			w.people.guest[email] = owners[email].person
		case w.guests[email] != 0:
			w.people.guest[email] = w.guests[email]
		default:
			fresh = append(fresh, email)
		}
	}
	if len(fresh) > 0 {
		err := w.insertPersons(ctx, make([]string, len(fresh)), fresh, func(i int, person int64) {
			w.people.guest[fresh[i]] = person
		})
		if err != nil {
			return err
		}
	}
	return w.move(ctx, moved)
}

// movable returns the addresses of stored guests whose owner may have changed.
func (w *identity) movable(ctx context.Context) ([]string, error) {
	emails := map[string]bool{}
	for _, email := range w.claims.guests {
		emails[email] = true
	}
	for _, a := range w.accounts {
		if a.changed {
			emails[a.had], emails[a.email] = true, true
		}
	}
	delete(emails, "")
	for email := range emails {
		if w.rules.shared[email] {
			delete(emails, email)
		}
	}
	if len(emails) == 0 {
		return nil, nil
	}
	var used []string
	err := w.tx.SelectContext(ctx, &used, `SELECT email FROM unnest($2::text[]) AS k(email)
		WHERE EXISTS (SELECT FROM orders o WHERE o.store_id = $1 AND o.email = k.email AND o.email <> '' AND o.customer_id = '' AND o.id <> ALL($3))
		OR EXISTS (SELECT FROM refunds r WHERE r.store_id = $1 AND r.order_id = '' AND r.email = k.email AND r.customer_id = '')`,
		w.store, pq.Array(slices.Sorted(maps.Keys(emails))), pq.Array(w.claims.stale))
	return used, err
}

// move points stored orders and refunds of guests at their persons.
func (w *identity) move(ctx context.Context, emails []string) error {
	if len(emails) == 0 {
		return nil
	}
	var persons []int64
	for _, email := range emails {
		persons = append(persons, w.people.guest[email])
	}
	var touched []int64
	err := w.tx.SelectContext(ctx, &touched, `WITH k AS (SELECT * FROM unnest($2::text[], $3::bigint[]) AS k(email, person_id)),
		moved AS (
			SELECT o.id, o.person_id AS had, k.person_id FROM k JOIN orders o ON o.store_id = $1 AND o.email = k.email AND o.email <> ''
			WHERE o.customer_id = '' AND o.person_id IS DISTINCT FROM k.person_id),
		loose AS (
			SELECT r.id, r.person_id AS had, k.person_id FROM k JOIN refunds r ON r.store_id = $1 AND r.order_id = '' AND r.email = k.email
			WHERE r.customer_id = '' AND r.person_id IS DISTINCT FROM k.person_id),
		orders_moved AS (UPDATE orders o SET person_id = m.person_id FROM moved m WHERE o.store_id = $1 AND o.id = m.id),
		refunds_moved AS (UPDATE refunds r SET person_id = m.person_id FROM moved m WHERE r.store_id = $1 AND r.order_id = m.id),
		loose_moved AS (UPDATE refunds r SET person_id = m.person_id FROM loose m WHERE r.store_id = $1 AND r.order_id = '' AND r.id = m.id)
		SELECT person_id FROM moved UNION SELECT had FROM moved WHERE had IS NOT NULL
		UNION SELECT person_id FROM loose UNION SELECT had FROM loose WHERE had IS NOT NULL`,
		w.store, pq.Array(emails), pq.Array(persons))
	for _, person := range touched {
		w.touched[person] = true
	}
	return err
}
