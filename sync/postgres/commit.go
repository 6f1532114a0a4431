package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
)

// Commit writes a page and moves its cursor in one transaction. Only records whose content differs from what is stored
// are written; a record that Postgres cannot store goes to quarantine, and the others are committed.
func (s *Store) Commit(ctx context.Context, page ingest.Commit) (ingest.Written, error) {
	written, err := s.commit(ctx, page, false)
	if aboutData(err) && ctx.Err() == nil {
		// The one transaction is lost and does not say for which record: look for it, part by part.
		written, err = s.commit(ctx, page, true)
	}
	if err != nil {
		return ingest.Written{}, fmt.Errorf("commit of %s: %w", page.Resource, err)
	}
	return written, nil
}

func (s *Store) commit(ctx context.Context, page ingest.Commit, careful bool) (ingest.Written, error) {
	var written ingest.Written
	err := s.writeBatch(ctx, func(tx *sqlx.Tx) error {
		c, err := newCommit(ctx, tx, s.id, page)
		if err != nil {
			return err
		}
		c.written.Read = page.Page.Records.Len() + len(page.Page.Rejected)
		steps := []func(context.Context) error{c.advance, c.records, c.removed, c.quarantine, c.note, c.settle, c.touch}
		if careful {
			steps[1] = c.search
		}
		for _, step := range steps {
			if err := step(ctx); err != nil {
				return err
			}
		}
		written = c.written
		return nil
	})
	return written, err
}

// commit is the work on one page inside its transaction.
type commit struct {
	tx     *sqlx.Tx
	store  int64
	page   ingest.Commit
	rules  *rules
	erased *erased
	clean  bool // nothing of the resource is in quarantine, as it was found
	first  bool // the shop is being read for the first time

	people   people                // whom records belong to, filled by resolve
	rejected []connectors.Rejected // what Postgres cannot store
	touched  map[int64]bool        // people whose orders changed
	fresh    map[string]bool       // open orders that are new with the batch in hand: nothing of them is stored yet
	written  ingest.Written
}

// newCommit reads what decides about records: the rules, who was erased, and whether anything is in quarantine. A
// transaction that writes holds the fence, behind which none of it changes.
func newCommit(ctx context.Context, tx *sqlx.Tx, store int64, page ingest.Commit) (*commit, error) {
	c := &commit{tx: tx, store: store, page: page, people: newPeople(), touched: map[int64]bool{}}
	var policy, zone string
	var key []byte
	var nobody bool
	err := tx.QueryRowxContext(ctx, `SELECT CAST(policy AS text), time_zone, erasure_key,
			NOT EXISTS (SELECT FROM tombstones WHERE store_id = $1),
			NOT EXISTS (SELECT FROM quarantine WHERE store_id = $1 AND resource = $2), loaded_at IS NULL
		FROM stores WHERE store_id = $1`, store, page.Resource).Scan(&policy, &zone, &key, &nobody, &c.clean, &c.first)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	c.erased = newErased(key, nobody)
	if c.rules, err = parseRules(policy, zone); err != nil {
		return nil, err
	}
	return c, nil
}

// records writes what the page carries.
func (c *commit) records(ctx context.Context) error { return c.batch(ctx, c.page.Page.Records) }

func (c *commit) batch(ctx context.Context, b commerce.Batch) error {
	c.fresh = map[string]bool{}
	b.Lines = once(b.Lines, lineKey)
	steps := []func(context.Context, commerce.Batch) error{
		c.products, c.coupons, c.customers, c.orders, c.apart, c.reviews,
	}
	for _, step := range steps {
		if err := step(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (c *commit) removed(ctx context.Context) error { return c.remove(ctx, c.page.Page.Deleted) }

// search writes the page in halves, each behind a savepoint, until the record that Postgres refuses stands alone.
func (c *commit) search(ctx context.Context) error {
	return c.bisect(ctx, units(c.page.Page.Records))
}

func (c *commit) bisect(ctx context.Context, units []commerce.Batch) error {
	if len(units) == 0 {
		return nil
	}
	if _, err := c.tx.ExecContext(ctx, `SAVEPOINT part`); err != nil {
		return fmt.Errorf("savepoint: %w", err)
	}
	before := *c
	c.people = newPeople()
	err := c.batch(ctx, join(units))
	if err == nil {
		_, err = c.tx.ExecContext(ctx, `RELEASE SAVEPOINT part`)
		return err
	}
	if !aboutData(err) || ctx.Err() != nil {
		return err
	}
	if _, err := c.tx.ExecContext(ctx, `ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part`); err != nil {
		return fmt.Errorf("savepoint: %w", err)
	}
	c.written, c.rejected = before.written, before.rejected // touching a person too many is harmless
	if len(units) == 1 {
		c.reject(firstID(units[0]), blame(err), units[0])
		return nil
	}
	half := len(units) / 2
	if err := c.bisect(ctx, units[:half]); err != nil {
		return err
	}
	return c.bisect(ctx, units[half:])
}

// reject sets a record aside. The reason must carry no personal data.
func (c *commit) reject(id, reason string, record any) {
	raw, err := json.Marshal(record)
	if err != nil {
		raw = nil
	}
	c.rejected = append(c.rejected, connectors.Rejected{ID: id, Reason: reason, Raw: raw})
}

// blame says what the server refused, without the values that its message may quote.
func blame(err error) string {
	var server *pq.Error
	if !errors.As(err, &server) {
		return "the database refused it"
	}
	where := server.Constraint
	if where == "" {
		where = server.Column
	}
	if where == "" {
		return fmt.Sprintf("the database refused it: state %s", server.Code)
	}
	return fmt.Sprintf("%s: the database refused it: state %s", where, server.Code)
}

// units splits a batch into the smallest parts that can be committed alone: a record, an order with what belongs to it.
func units(b commerce.Batch) []commerce.Batch {
	var all []commerce.Batch
	for i := range b.Products {
		all = append(all, commerce.Batch{Products: b.Products[i : i+1]})
	}
	for i := range b.Coupons {
		all = append(all, commerce.Batch{Coupons: b.Coupons[i : i+1]})
	}
	for i := range b.Customers {
		all = append(all, commerce.Batch{Customers: b.Customers[i : i+1]})
	}
	for i := range b.Reviews {
		all = append(all, commerce.Batch{Reviews: b.Reviews[i : i+1]})
	}
	return append(all, orderUnits(b)...)
}

// orderUnits groups orders, lines and refunds by order, in order of appearance; refunds without an order stand alone.
func orderUnits(b commerce.Batch) []commerce.Batch {
	at := map[string]int{}
	var all []commerce.Batch
	of := func(order string) *commerce.Batch {
		i, ok := at[order]
		if !ok {
			i = len(all)
			at[order] = i
			all = append(all, commerce.Batch{})
		}
		return &all[i]
	}
	for _, o := range b.Orders {
		u := of(o.ID)
		u.Orders = append(u.Orders, o)
	}
	for _, l := range b.Lines {
		u := of(l.OrderID)
		u.Lines = append(u.Lines, l)
	}
	for _, id := range b.Complete {
		u := of(id)
		u.Complete = append(u.Complete, id)
	}
	for _, r := range b.Refunds {
		if r.OrderID == "" {
			all = append(all, commerce.Batch{Refunds: []commerce.Refund{r}})
			continue
		}
		u := of(r.OrderID)
		u.Refunds = append(u.Refunds, r)
	}
	return all
}

func join(units []commerce.Batch) commerce.Batch {
	var b commerce.Batch
	for _, u := range units {
		b.Products = append(b.Products, u.Products...)
		b.Coupons = append(b.Coupons, u.Coupons...)
		b.Customers = append(b.Customers, u.Customers...)
		b.Orders = append(b.Orders, u.Orders...)
		b.Lines = append(b.Lines, u.Lines...)
		b.Refunds = append(b.Refunds, u.Refunds...)
		b.Reviews = append(b.Reviews, u.Reviews...)
		b.Complete = append(b.Complete, u.Complete...)
	}
	return b
}

func firstID(u commerce.Batch) string {
	for _, resource := range commerce.Resources() {
		if ids := idsIn(u, resource); len(ids) > 0 {
			return ids[0]
		}
	}
	switch {
	case len(u.Complete) > 0:
		return u.Complete[0]
	case len(u.Lines) > 0:
		return u.Lines[0].OrderID
	case len(u.Refunds) > 0 && u.Refunds[0].OrderID == "":
		return "refund " + u.Refunds[0].ID
	case len(u.Refunds) > 0:
		return u.Refunds[0].OrderID
	default:
		return ""
	}
}

// touch marks the people whose aggregates have to be computed again.
func (c *commit) touch(ctx context.Context) error {
	if len(c.touched) == 0 {
		return nil
	}
	var ids []int64
	for id := range c.touched {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	_, err := c.tx.ExecContext(ctx, `INSERT INTO touched (store_id, person_id) SELECT $1, id FROM unnest($2::bigint[]) AS u(id)
		ON CONFLICT DO NOTHING`, c.store, pq.Array(ids))
	if err != nil {
		return fmt.Errorf("touched people: %w", err)
	}
	return nil
}

// stored is what decides whether an incoming record is new, changed or the same.
type stored struct {
	hash    string
	deleted bool
}

// known returns what is stored of records.
func (c *commit) known(ctx context.Context, t table, ids []string) (map[string]stored, error) {
	// The LATERAL with its OFFSET makes the planner look up each id by itself, whatever it believes of the table.
	rows, err := c.tx.QueryxContext(ctx, `SELECT t.id, t.hash, t.deleted FROM unnest($2::text[]) AS k(id)
		CROSS JOIN LATERAL (SELECT id, hash, deleted_at IS NOT NULL AS deleted FROM `+t.name+`
			WHERE store_id = $1 AND id = k.id OFFSET 0) t`, c.store, pq.Array(ids))
	if err != nil {
		return nil, fmt.Errorf("stored %s: %w", t.name, err)
	}
	defer func() { _ = rows.Close() }() // reading
	known := make(map[string]stored, len(ids))
	for rows.Next() {
		var id string
		var hash []byte
		var s stored
		if err := rows.Scan(&id, &hash, &s.deleted); err != nil {
			return nil, fmt.Errorf("stored %s: %w", t.name, err)
		}
		s.hash = string(hash)
		known[id] = s
	}
	return known, rows.Err()
}

// entry is a record ready to be stored.
type entry struct {
	id   string
	line []byte
	hash []byte
}

// latest keeps the last of the records with the same id, in the order of first appearance.
func latest[T any, K comparable](records []T, id func(*T) K) []*T {
	at := make(map[K]int, len(records))
	kept := make([]*T, 0, len(records))
	for i := range records {
		key := id(&records[i])
		if j, ok := at[key]; ok {
			kept[j] = &records[i]
			continue
		}
		at[key] = len(kept)
		kept = append(kept, &records[i])
	}
	return kept
}

// once returns the records without repeats; of those with the same id the last one stays.
func once[T any, K comparable](records []T, id func(*T) K) []T {
	seen := make(map[K]struct{}, len(records))
	for i := range records {
		seen[id(&records[i])] = struct{}{}
	}
	if len(seen) == len(records) {
		return records
	}
	return values(latest(records, id))
}

// changes splits entries into those that are new and those that differ from what is stored, and counts them.
func (c *commit) changes(ctx context.Context, t table, entries []entry) (added, changed []entry, err error) {
	known, err := c.known(ctx, t, idsOf(entries))
	if err != nil {
		return nil, nil, err
	}
	added, changed = c.split(entries, known)
	return added, changed, nil
}

func (c *commit) split(entries []entry, known map[string]stored) (added, changed []entry) {
	for _, e := range entries {
		s, ok := known[e.id]
		switch {
		case !ok:
			added = append(added, e)
		case s.deleted || s.hash != string(e.hash):
			changed = append(changed, e)
		}
	}
	c.written.Added += len(added)
	c.written.Changed += len(changed)
	return added, changed
}

func idsOf(entries []entry) []string {
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		ids = append(ids, e.id)
	}
	return ids
}

// keep stores the entries of a noun that stands alone.
func (c *commit) keep(ctx context.Context, t table, entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	added, changed, err := c.changes(ctx, t, entries)
	if err != nil {
		return err
	}
	if err := t.insert(ctx, c.tx, rowsOf(added)); err != nil {
		return err
	}
	return t.upsert(ctx, c.tx, rowsOf(changed))
}

func rowsOf(entries []entry) [][]byte {
	rows := make([][]byte, 0, len(entries))
	for _, e := range entries {
		rows = append(rows, e.line)
	}
	return rows
}
