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
// accounts have an address, it is owned by a living one, and among equals by the lowest id. An order that was deleted names
// no account: the shop would not say any more that its account is gone.
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
	moved    map[string]bool       // addresses of stored guests whose owner may have changed
	named    map[int64]string      // people with the address that they got
}

// resolve finds or makes the persons of the claims, brings accounts up to date, and moves stored orders whose owner
// changed. What it found is in c.people.
func (c *commit) resolve(ctx context.Context, claims claims) error {
	w := &identity{
		commit: c, claims: claims,
		accounts: map[string]*account{}, others: map[string][]*account{}, guests: map[string]int64{}, moved: map[string]bool{},
		named: map[int64]string{},
	}
	if claims.stale == nil {
		w.claims.stale = []string{} // nil would be null, and nothing is unlike null
	}
	steps := []func(context.Context) error{
		w.readAccounts, w.readAddresses, w.settleAccounts, w.makePersons, w.writeAccounts, w.settleGuests, w.absorb, w.inherit,
	}
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
	// As in all look-ups, LATERAL with OFFSET, and LIMIT in place of EXISTS, make the planner look up each key by itself,
	// whatever it believes of the tables.
	rows, err := w.tx.QueryxContext(ctx, `SELECT k.id, coalesce(p.person_id, 0), coalesce(p.email, ''), c.id IS NOT NULL, coalesce(c.email, ''),
			coalesce(o.email, ''), o.placed_at, coalesce(o.id, ''),
			c.id IS NOT NULL OR coalesce(
				(SELECT true FROM orders e WHERE e.store_id = $1 AND e.customer_id = k.id AND e.customer_id <> '' AND e.deleted_at IS NULL
					AND e.id <> ALL($3) LIMIT 1),
				(SELECT true FROM refunds r WHERE r.store_id = $1 AND r.order_id = '' AND r.customer_id = k.id AND r.customer_id <> '' LIMIT 1),
				false)
		FROM unnest($2::text[]) AS k(id)
		LEFT JOIN LATERAL (
			SELECT id, email FROM customers WHERE store_id = $1 AND id = k.id AND deleted_at IS NULL OFFSET 0) c ON true
		LEFT JOIN LATERAL (
			SELECT person_id, email FROM persons WHERE store_id = $1 AND customer_id = k.id OFFSET 0) p ON true
		LEFT JOIN LATERAL (
			SELECT o.email, o.placed_at, o.id FROM orders o
			WHERE c.id IS NULL AND o.store_id = $1 AND o.customer_id = k.id AND o.customer_id <> '' AND o.email <> ''
				AND o.deleted_at IS NULL AND o.id <> ALL($3)
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
		if a.exists {
			a.changed = a.person == 0 || a.had != a.email || a.lived != a.living // a living account goes before others
		} else {
			a.changed = a.had != ""
		}
	}
}

// readAddresses reads who else has the addresses that the claims and the accounts concern, and whether stored guests use
// those whose owner may have changed.
func (w *identity) readAddresses(ctx context.Context) error {
	concerned := map[string]bool{} // by whether the owner may have changed
	for email := range w.guestAddresses() {
		concerned[email] = false
	}
	for _, a := range w.accounts {
		for _, email := range []string{a.had, a.email} {
			concerned[email] = concerned[email] || a.changed && !w.rules.shared[email]
		}
	}
	for _, email := range w.claims.guests {
		concerned[email] = !w.rules.shared[email]
	}
	delete(concerned, "")
	if len(concerned) == 0 {
		return nil
	}
	emails := slices.Sorted(maps.Keys(concerned))
	movable := make([]bool, 0, len(emails))
	for _, email := range emails {
		movable = append(movable, concerned[email])
	}
	rows, err := w.tx.QueryxContext(ctx, `SELECT k.email, coalesce(p.person_id, 0), coalesce(p.customer_id, ''), c.id IS NOT NULL,
			k.movable AND coalesce(
				(SELECT true FROM orders o WHERE o.store_id = $1 AND o.email = k.email AND o.email <> '' AND o.customer_id = ''
					AND o.id <> ALL($4) LIMIT 1),
				(SELECT true FROM refunds r WHERE r.store_id = $1 AND r.order_id = '' AND r.email = k.email AND r.customer_id = '' LIMIT 1),
				false)
		FROM unnest($2::text[], $3::boolean[]) AS k(email, movable)
		LEFT JOIN LATERAL (
			SELECT person_id, customer_id FROM persons WHERE store_id = $1 AND email = k.email OFFSET 0) p ON true
		LEFT JOIN LATERAL (
			SELECT id FROM customers WHERE store_id = $1 AND id = p.customer_id AND deleted_at IS NULL OFFSET 0) c ON true
		ORDER BY p.person_id DESC`, w.store, pq.Array(emails), pq.Array(movable), pq.Array(w.claims.stale))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // reading
	for rows.Next() {
		a := &account{exists: true}
		var used bool
		if err := rows.Scan(&a.email, &a.person, &a.id, &a.living, &used); err != nil {
			return err
		}
		if used {
			w.moved[a.email] = true
		}
		switch {
		case a.person == 0: // nobody has it
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

// settleAccounts lets accounts go that nothing names any more, and gives others the person of the guest they were.
func (w *identity) settleAccounts(ctx context.Context) error {
	owners := w.owners()
	for _, id := range slices.Sorted(maps.Keys(w.accounts)) {
		a := w.accounts[id]
		switch {
		case a.exists && a.person == 0 && w.guests[a.email] != 0 && owners[a.email] == a:
			a.person = w.guests[a.email]
			delete(w.guests, a.email)
		case a.exists && a.person == 0:
			a.fresh = true
		case !a.exists && a.person != 0:
			if err := w.retire(ctx, a, owners); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeAccounts brings the persons of accounts up to date.
func (w *identity) writeAccounts(ctx context.Context) error {
	var persons []int64
	var ids, emails []string
	for _, id := range slices.Sorted(maps.Keys(w.accounts)) {
		if a := w.accounts[id]; a.exists {
			w.people.account[a.id] = a.person
			if a.changed && !a.fresh {
				persons, ids, emails = append(persons, a.person), append(ids, a.id), append(emails, a.email)
				w.name(a.person, a.email)
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

// makePersons makes persons for accounts and for guests that have none.
func (w *identity) makePersons(ctx context.Context) error {
	var ids, emails []string
	for _, id := range slices.Sorted(maps.Keys(w.accounts)) {
		if a := w.accounts[id]; a.fresh {
			ids, emails = append(ids, a.id), append(emails, a.email)
		}
	}
	owners := w.owners()
	for _, email := range w.guestsToSettle() {
		if owners[email] == nil && w.guests[email] == 0 {
			ids, emails = append(ids, ""), append(emails, email)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return w.insertPersons(ctx, ids, emails, func(i int, person int64) {
		if ids[i] == "" {
			w.guests[emails[i]] = person
		} else {
			w.accounts[ids[i]].person = person
		}
	})
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
		w.name(person, p.email)
	}
	return rows.Err()
}

// name notes the address that a person got.
func (w *identity) name(person int64, email string) {
	if email != "" {
		w.named[person] = email
	}
}

// guestsToSettle are the addresses of all guests whose person is asked for, in order.
func (w *identity) guestsToSettle() []string {
	wanted := w.guestAddresses()
	maps.Copy(wanted, w.moved)
	return slices.Sorted(maps.Keys(wanted))
}

// settleGuests finds the person of every guest, and moves stored orders and refunds of guests whose owner changed.
func (w *identity) settleGuests(ctx context.Context) error {
	owners := w.owners()
	for _, email := range w.guestsToSettle() {
		if owner := owners[email]; owner != nil {
			w.people.guest[email] = owner.person
		} else {
			w.people.guest[email] = w.guests[email]
		}
	}
	return w.move(ctx, slices.Sorted(maps.Keys(w.moved)))
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
