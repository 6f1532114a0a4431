package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// Person explains the person with this normalised e-mail address: the account that has it, else whoever ordered under it.
func (s *Store) Person(ctx context.Context, email string) (person report.Person, ok bool, err error) {
	return s.explained(ctx, byAddress(`$2::text`), email)
}

// PersonOf explains the person with an id.
func (s *Store) PersonOf(ctx context.Context, id int64) (person report.Person, ok bool, err error) {
	return s.explained(ctx, `SELECT person_id FROM persons WHERE store_id = $1 AND person_id = $2`, id)
}

// explained explains the person that a query finds by what is asked for. Everything is looked up by keys.
func (s *Store) explained(ctx context.Context, query string, asked any) (person report.Person, ok bool, err error) {
	err = s.read(ctx, func(tx *sqlx.Tx) error {
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		err := tx.GetContext(ctx, &person.ID, query, s.id, asked)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("person: %w", err)
		}
		ok = true
		steps := []func(context.Context, *sqlx.Tx, *report.Person) error{
			s.personSums, s.personOrders, s.personRefunds, s.personReviews, s.personHistory, s.personDeliveries, s.personSides,
		}
		for _, step := range steps {
			if err := step(ctx, tx, &person); err != nil {
				return fmt.Errorf("person: %w", err)
			}
		}
		return nil
	})
	if err != nil || !ok {
		return report.Person{}, false, err
	}
	return person, true, nil
}

// personSums reads who the person is, their aggregates, score and consent. Whoever was found unsubscribed anywhere since
// their last yes is unsubscribed.
func (s *Store) personSums(ctx context.Context, tx *sqlx.Tx, p *report.Person) error {
	var first, last sql.NullTime
	err := tx.QueryRowxContext(ctx, `
		SELECT coalesce(p.email, ''), coalesce(p.customer_id, ''),
			`+personName+`,
			coalesce(a.orders, 0), a.first_day, a.last_day, coalesce(a.gross, 0), coalesce(a.net, 0),
			coalesce(f.r, 0), coalesce(f.f, 0), coalesce(f.m, 0), coalesce(f.segment, ''),
			CASE WHEN u.at IS NOT NULL AND NOT coalesce(y.consent = 'subscribed' AND y.said_at > u.at, false)
				THEN 'unsubscribed' ELSE coalesce(y.consent, '') END
		FROM persons p
		LEFT JOIN customers c ON c.store_id = $1 AND c.id = p.customer_id
		LEFT JOIN LATERAL `+lastName+` o ON true
		LEFT JOIN person_stats a ON a.store_id = $1 AND a.person_id = $2
		LEFT JOIN rfm_scores f ON f.store_id = $1 AND f.person_id = $2
		LEFT JOIN LATERAL (SELECT max(at) AS at FROM suppressions WHERE store_id = $1 AND person_id = $2) u ON true
		LEFT JOIN LATERAL (SELECT consent, said_at FROM `+statements+` AS said WHERE said.person_id = $2
			ORDER BY said_at DESC, consent DESC LIMIT 1) y ON true
		WHERE p.store_id = $1 AND p.person_id = $2`, s.id, p.ID).
		Scan(&p.Email, &p.CustomerID, &p.Name, &p.Counted, &first, &last, &p.Gross, &p.Net,
			&p.R, &p.F, &p.M, &p.Segment, &p.Consent)
	if err != nil {
		return fmt.Errorf("sums: %w", err)
	}
	p.FirstDay, p.LastDay = dayOf(first), dayOf(last)
	return nil
}

// dayOf is midnight UTC of a day, zero where there is none.
func dayOf(day sql.NullTime) time.Time {
	if !day.Valid {
		return time.Time{}
	}
	return day.Time.UTC()
}

// personOrders reads every order of the person and why it does or does not count, in few words: they share a line of a
// terminal with the status itself. Whoever placed an order that does not count is found by their account or address. Total and Refunded are in the order's own currency, Net is in that of the store.
func (s *Store) personOrders(ctx context.Context, tx *sqlx.Tx, p *report.Person) error {
	var rows []struct {
		ID       string          `db:"id"`
		Number   string          `db:"number"`
		PlacedAt time.Time       `db:"placed_at"`
		Status   string          `db:"status"`
		Currency string          `db:"currency"`
		Total    decimal.Decimal `db:"total"`
		Net      decimal.Decimal `db:"net"`
		Refunded decimal.Decimal `db:"refunded"`
		Why      string          `db:"why"`
	}
	err := tx.SelectContext(ctx, &rows, `
		SELECT o.id, o.number, o.placed_at, o.status, o.currency, o.total, r.refunded,
			CASE WHEN o.counted THEN o.gross - r.net ELSE 0 END AS net,
			CASE WHEN o.deleted_at IS NOT NULL THEN 'gone from the shop'
				WHEN o.test THEN 'a test order'
				WHEN NOT o.complete THEN 'not read to the end yet'
				WHEN o.rate IS NULL THEN 'no rate for ' || o.currency
				WHEN s.policy->'statuses'->>o.status IS NULL THEN 'unknown status'
				WHEN NOT o.counted THEN 'its status'
				WHEN o.gross > 0 AND r.net >= o.gross THEN 'refunded in full'
				ELSE '' END AS why
		FROM orders o JOIN stores s USING (store_id)
		LEFT JOIN LATERAL (
			SELECT coalesce(sum(net), 0) AS net, coalesce(sum(CASE WHEN currency = o.currency THEN amount
				ELSE round(whole / o.rate, 4) END), 0) AS refunded
			FROM refunds WHERE store_id = $1 AND order_id = o.id) r ON true
		WHERE o.store_id = $1 AND o.person_id = $2
			AND (o.counted OR o.customer_id <> '' AND o.customer_id = $3 OR o.email <> '' AND o.email = $4)
		ORDER BY o.placed_at DESC, o.id DESC`, s.id, p.ID, p.CustomerID, p.Email)
	if err != nil {
		return fmt.Errorf("orders: %w", err)
	}
	for _, row := range rows {
		p.Orders = append(p.Orders, report.PersonOrder{
			ID: row.ID, Number: row.Number, PlacedAt: row.PlacedAt.UTC(), Status: row.Status, Currency: row.Currency, Total: row.Total,
			Net: row.Net, Refunded: row.Refunded, Counted: row.Why == "", Why: row.Why,
		})
	}
	return nil
}

// personRefunds reads what the person got back, for one of the orders or without one, in the currency in which it was given.
func (s *Store) personRefunds(ctx context.Context, tx *sqlx.Tx, p *report.Person) error {
	orders, numbers := make([]string, len(p.Orders)), map[string]string{}
	for i, o := range p.Orders {
		orders[i], numbers[o.ID] = o.ID, o.Number
	}
	rows, err := tx.QueryContext(ctx, `SELECT order_id, at, currency, amount, reason FROM (
			SELECT * FROM refunds WHERE store_id = $1 AND order_id = ANY ($3) AND order_id <> ''
			UNION ALL SELECT * FROM refunds WHERE store_id = $1 AND person_id = $2 AND counted AND order_id = ''
		) AS given ORDER BY at DESC, order_id, id`, s.id, p.ID, pgArray(orders))
	if err != nil {
		return fmt.Errorf("refunds: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	for rows.Next() {
		var order string
		var r report.PersonRefund
		if err := rows.Scan(&order, &r.At, &r.Currency, &r.Amount, &r.Reason); err != nil {
			return fmt.Errorf("refunds: %w", err)
		}
		r.Order, r.At = numbers[order], r.At.UTC()
		p.Refunds = append(p.Refunds, r)
	}
	return rows.Err()
}

// personReviews reads what the person wrote of products, under the address that they have.
func (s *Store) personReviews(ctx context.Context, tx *sqlx.Tx, p *report.Person) error {
	if p.Email == "" {
		return nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT v.created_at, coalesce(n.name, ''), v.rating, v.body, v.status, v.verified
		FROM reviews v LEFT JOIN products n ON n.store_id = $1 AND n.id = v.product_id
		WHERE v.store_id = $1 AND v.email = $2 AND v.deleted_at IS NULL ORDER BY v.created_at DESC NULLS LAST, v.id`, s.id, p.Email)
	if err != nil {
		return fmt.Errorf("reviews: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	for rows.Next() {
		var at sql.NullTime
		var r report.PersonReview
		if err := rows.Scan(&at, &r.Product, &r.Rating, &r.Text, &r.Status, &r.Verified); err != nil {
			return fmt.Errorf("reviews: %w", err)
		}
		r.At = dayOf(at)
		p.Reviews = append(p.Reviews, r)
	}
	return rows.Err()
}

// each lists the different values of the column that comes after the shop in a table's key, looking up one after the other:
// there are few of them, and a person's rows are found by them.
func each(table, column string) string {
	least := `SELECT min(` + column + `) FROM ` + table + ` WHERE store_id = $1`
	return `(WITH RECURSIVE value AS (SELECT (` + least + `) AS ` + column + `
		UNION ALL SELECT (` + least + ` AND ` + column + ` > value.` + column + `) FROM value WHERE value.` + column + ` IS NOT NULL)
		SELECT ` + column + ` FROM value WHERE ` + column + ` IS NOT NULL)`
}

func (s *Store) personHistory(ctx context.Context, tx *sqlx.Tx, p *report.Person) error {
	var rows []struct {
		Scheme  string       `db:"scheme"`
		Segment string       `db:"segment"`
		First   time.Time    `db:"first_day"`
		Last    sql.NullTime `db:"last_day"`
	}
	err := tx.SelectContext(ctx, &rows, `SELECT scheme, segment, first_day, last_day FROM `+each("memberships", "scheme")+` k
		CROSS JOIN LATERAL (SELECT segment, first_day, last_day FROM memberships
			WHERE store_id = $1 AND scheme = k.scheme AND person_id = $2 OFFSET 0) m ORDER BY first_day DESC, scheme`, s.id, p.ID)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	for _, row := range rows {
		p.History = append(p.History, report.Interval{
			Scheme: row.Scheme, Segment: row.Segment, First: row.First.UTC(), Last: dayOf(row.Last),
		})
	}
	return nil
}

func (s *Store) personDeliveries(ctx context.Context, tx *sqlx.Tx, p *report.Person) error {
	var rows []struct {
		Destination string         `db:"destination"`
		State       string         `db:"state"`
		Reason      string         `db:"reason"`
		Audiences   pq.StringArray `db:"audiences"`
		Attributes  string         `db:"attributes"`
		At          time.Time      `db:"at"`
	}
	err := tx.SelectContext(ctx, &rows, `SELECT destination, state, reason, audiences, attributes::text AS attributes, at
		FROM `+each("deliveries", "destination")+` k CROSS JOIN LATERAL (SELECT state, reason, audiences, attributes, at FROM deliveries d
			WHERE store_id = $1 AND destination = k.destination AND person_id = $2 AND NOT `+isBare+` OFFSET 0) d ORDER BY destination`, s.id, p.ID)
	if err != nil {
		return fmt.Errorf("deliveries: %w", err)
	}
	for _, row := range rows {
		attributes, err := textAttributes(row.Attributes)
		if err != nil {
			return err
		}
		p.Deliveries = append(p.Deliveries, report.PersonDelivery{
			Destination: row.Destination, State: row.State, Reason: row.Reason, Audiences: row.Audiences,
			Attributes: attributes, At: row.At.UTC(),
		})
	}
	return nil
}

func (s *Store) personSides(ctx context.Context, tx *sqlx.Tx, p *report.Person) error {
	rows, err := tx.QueryContext(ctx, `SELECT audience, day::text, held, NOT EXISTS (SELECT FROM holdouts h WHERE h.store_id = $1
			AND h.audience = k.audience AND h.until IS NULL)
		FROM `+each("exposures", "audience")+` k CROSS JOIN LATERAL (SELECT day, held FROM exposures
			WHERE store_id = $1 AND audience = k.audience AND person_id = $2 OFFSET 0) e ORDER BY audience COLLATE "C"`, s.id, p.ID)
	if err != nil {
		return fmt.Errorf("hold-outs: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	for rows.Next() {
		var side report.PersonSide
		if err := rows.Scan(&side.Audience, &side.Since, &side.Held, &side.Over); err != nil {
			return fmt.Errorf("hold-outs: %w", err)
		}
		p.Sides = append(p.Sides, side)
	}
	return rows.Err()
}
