package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// mostPeople is how many people one question returns at most: as many as a spreadsheet gets.
const mostPeople = report.MostPeople

// People returns whom a crowd consists of, and the cursor of the next page. Those of an audience by anything else than RFM
// scores come by predicted value, all others by monetary value, frequency and recency; the best come first. It reads the
// scores or the standings once from end to end, and looks everything else up for the people of the page alone. The error is
// report.ErrCursor where the cursor is none that it gave.
func (s *Store) People(ctx context.Context, c report.Crowd) ([]report.PersonRow, string, error) {
	limit := min(max(c.Limit, 1), mostPeople)
	var rows []crowdRow
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		q, err := newCrowdQuery(s.id, c)
		if err != nil {
			return err
		}
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		return tx.SelectContext(ctx, &rows, q.text(limit+1), q.args...)
	})
	if err != nil {
		return nil, "", fmt.Errorf("people: %w", err)
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = writeCursor(rows[limit-1].place())
	}
	people := make([]report.PersonRow, len(rows))
	for i := range rows {
		people[i] = rows[i].person()
	}
	return people, next, nil
}

// crowdRow is one person as a question of the crowd's returns them.
type crowdRow struct {
	ID         int64               `db:"person_id"`
	Key        sql.NullString      `db:"key"` // by which they are sorted
	Email      string              `db:"email"`
	CustomerID string              `db:"customer_id"`
	Name       string              `db:"name"`
	Segment    string              `db:"segment"`
	R          int                 `db:"r"`
	F          int                 `db:"f"`
	M          int                 `db:"m"`
	Stage      string              `db:"stage"`
	Tier       string              `db:"tier"`
	Churn      string              `db:"churn"`
	Value      decimal.NullDecimal `db:"value"`
	Orders     int                 `db:"orders"`
	Net        decimal.Decimal     `db:"net"`
	FirstDay   sql.NullTime        `db:"first_day"`
	LastDay    sql.NullTime        `db:"last_day"`
}

// details looks up what is told of each of the people k.
const crowdDetails = `
	LEFT JOIN LATERAL (SELECT person_id, email, customer_id FROM persons WHERE store_id = $1 AND person_id = k.person_id OFFSET 0) p ON true
	LEFT JOIN LATERAL (SELECT id, first_name, last_name FROM customers WHERE store_id = $1 AND id = p.customer_id OFFSET 0) c ON true
	LEFT JOIN LATERAL ` + lastName + ` o ON true
	LEFT JOIN LATERAL (SELECT segment, r, f, m FROM rfm_scores WHERE store_id = $1 AND person_id = k.person_id OFFSET 0) f ON true
	LEFT JOIN LATERAL (SELECT stage, tier, churn, value FROM standings WHERE store_id = $1 AND person_id = k.person_id OFFSET 0) t ON true
	LEFT JOIN LATERAL (SELECT orders, net, first_day, last_day FROM person_stats WHERE store_id = $1 AND person_id = k.person_id OFFSET 0) a
		ON true`

// lastName is the name on the last order of a person p without an account that is stored, c: on the last that counts, which is
// found at once, else on the last of those that do not, which are theirs by account or address alone.
const lastName = `(
	SELECT coalesce(b.first_name, a.first_name) AS first_name, coalesce(b.last_name, a.last_name) AS last_name
	FROM (SELECT WHERE c.id IS NULL) AS unnamed
	LEFT JOIN LATERAL (SELECT first_name, last_name FROM orders WHERE store_id = $1 AND person_id = p.person_id AND counted
		ORDER BY placed_at DESC, id LIMIT 1) b ON true
	LEFT JOIN LATERAL (SELECT first_name, last_name FROM (
			SELECT first_name, last_name, placed_at, id FROM orders WHERE store_id = $1 AND email = p.email AND email <> ''
			UNION ALL SELECT first_name, last_name, placed_at, id FROM orders WHERE store_id = $1 AND customer_id = p.customer_id
				AND customer_id <> ''
		) AS placed WHERE b.first_name IS NULL ORDER BY placed_at DESC, id LIMIT 1) a ON true)`

// personName is the name of a person by their account c, else by their last order o.
const personName = `trim(coalesce(c.first_name, o.first_name, '') || ' ' || coalesce(c.last_name, o.last_name, ''))`

func (r *crowdRow) place() place { return place{key: r.Key, person: r.ID} }

func (r *crowdRow) person() report.PersonRow {
	p := report.PersonRow{
		ID: r.ID, Email: r.Email, CustomerID: r.CustomerID, Name: r.Name, Segment: r.Segment, R: r.R, F: r.F, M: r.M,
		Stage: r.Stage, Tier: r.Tier, Churn: r.Churn, Orders: r.Orders, Net: r.Net, FirstDay: dayOf(r.FirstDay), LastDay: dayOf(r.LastDay),
	}
	if r.Value.Valid {
		p.Value = &r.Value.Decimal
	}
	return p
}
