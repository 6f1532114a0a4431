package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

var _ analysis.Record = (*Store)(nil)

// Span returns of which days the memberships of a scheme are known, and on which of them its rules changed.
func (s *Store) Span(ctx context.Context, scheme string) (span analysis.Span, ok bool, err error) {
	var rows []struct {
		Day     int  `db:"day"`
		Changed bool `db:"changed"`
		Last    bool `db:"last"`
	}
	err = s.db.SelectContext(ctx, &rows, `
		SELECT day - DATE '1970-01-01' AS day, coalesce(version <> was, false) AS changed, next IS NULL AS last FROM (
			SELECT day, version, lag(version) OVER days AS was, lead(day) OVER days AS next
			FROM (SELECT day, min(version) AS version FROM snapshots WHERE store_id = $1 AND scheme = $2 GROUP BY day) AS known
			WINDOW days AS (ORDER BY day)
		) AS sequence WHERE was IS NULL OR was <> version OR next IS NULL ORDER BY day`, s.id, scheme)
	if err != nil {
		return analysis.Span{}, false, fmt.Errorf("days of %s: %w", scheme, err)
	}
	if len(rows) == 0 {
		return analysis.Span{}, false, nil
	}
	span.First, span.Last = rows[0].Day, rows[len(rows)-1].Day
	for _, row := range rows {
		if row.Changed {
			span.Changes = append(span.Changes, row.Day)
		}
	}
	return span, true, nil
}

// Moves returns who went from where to where between two days, with what those people brought so far after refunds, which is
// what person_stats has now and not what they had brought on either day.
func (s *Store) Moves(ctx context.Context, scheme string, before, after int) ([]segment.Flow, error) {
	var rows []struct {
		From      string `db:"before"`
		To        string `db:"after"`
		Customers int    `db:"customers"`
		Money     int64  `db:"money"`
	}
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		return tx.SelectContext(ctx, &rows, `
			WITH b AS (`+standingOn("$3")+`), a AS (`+standingOn("$4")+`)
			SELECT coalesce(b.segment, '') AS before, coalesce(a.segment, '') AS after, count(*) AS customers,
				round(coalesce(sum(p.net), 0) * 10000)::bigint AS money
			FROM b FULL JOIN a USING (person_id) LEFT JOIN person_stats p ON p.store_id = $1 AND p.person_id = coalesce(b.person_id, a.person_id)
			GROUP BY 1, 2`, s.id, scheme, before, after)
	})
	if err != nil {
		return nil, fmt.Errorf("moves in %s: %w", scheme, err)
	}
	flows := make([]segment.Flow, len(rows))
	for i, row := range rows {
		flows[i] = segment.Flow{From: row.From, To: row.To, Customers: row.Customers, Money: row.Money}
	}
	return flows, nil
}

// standingOn selects the memberships of a scheme that stood on a day.
func standingOn(day string) string {
	day = `(DATE '1970-01-01' + ` + day + `::int)`
	return `SELECT person_id, segment FROM memberships WHERE store_id = $1 AND scheme = $2
		AND first_day <= ` + day + ` AND (last_day IS NULL OR last_day >= ` + day + `)`
}

// Events calls each for everybody who entered or left a segment after one day and up to another. Neighbouring intervals of
// one segment are one stay.
func (s *Store) Events(ctx context.Context, scheme string, after, upTo int, each func(segment.Event) error) error {
	return s.read(ctx, func(tx *sqlx.Tx) error {
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `
			SELECT person_id, day - DATE '1970-01-01', change, segment, other FROM (
				SELECT m.person_id, m.first_day AS day, $5 AS change, m.segment, coalesce(p.segment, '') AS other
				FROM memberships m LEFT JOIN memberships p ON p.store_id = $1 AND p.scheme = $2 AND p.person_id = m.person_id
					AND p.first_day < m.first_day AND p.last_day = m.first_day - 1
				WHERE m.store_id = $1 AND m.scheme = $2 AND m.first_day > DATE '1970-01-01' + $3::int
					AND m.first_day <= DATE '1970-01-01' + $4::int
				UNION ALL
				SELECT m.person_id, m.last_day + 1, $6, m.segment, coalesce(n.segment, '')
				FROM memberships m LEFT JOIN memberships n ON n.store_id = $1 AND n.scheme = $2 AND n.person_id = m.person_id
					AND n.first_day = m.last_day + 1
				WHERE m.store_id = $1 AND m.scheme = $2 AND m.last_day >= DATE '1970-01-01' + $3::int
					AND m.last_day < DATE '1970-01-01' + $4::int
			) AS events WHERE segment <> other ORDER BY day, person_id, change DESC`,
			s.id, scheme, after, upTo, string(segment.Entered), string(segment.Left))
		if err != nil {
			return fmt.Errorf("events of %s: %w", scheme, err)
		}
		defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
		for rows.Next() {
			var e segment.Event
			if err := rows.Scan(&e.Person, &e.Day, &e.Change, &e.Segment, &e.Other); err != nil {
				return fmt.Errorf("event of %s: %w", scheme, err)
			}
			if err := each(e); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("events of %s: %w", scheme, err)
		}
		return nil
	})
}

// MovementSteps counts the moves between each of the days, which must be ascending, and the next. It keeps a byte for every
// person and day: the server hands out people packed by what they have in common, which costs it a fraction of sorting
// them.
func (s *Store) MovementSteps(ctx context.Context, scheme string, days []int) ([][]segment.Move, error) {
	if len(days) < 2 {
		return nil, nil
	}
	walk := newWalk(len(days))
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `
			SELECT segment, first, last, string_agg(person_id::text, ' ') FROM (
				SELECT person_id, segment, width_bucket(first_day - DATE '1970-01-01' - 1, $3::int[]) AS first,
					coalesce(width_bucket(last_day - DATE '1970-01-01', $3::int[]), cardinality($3::int[])) - 1 AS last
				FROM memberships WHERE store_id = $1 AND scheme = $2
			) AS m WHERE first <= last GROUP BY segment, first, last`, s.id, scheme, pgArray(days))
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
		for rows.Next() {
			var name string
			var first, last int
			var people numbers
			if err := rows.Scan(&name, &first, &last, &people.text); err != nil {
				return err
			}
			if err := walk.stood(name, first, last, &people); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("steps in %s: %w", scheme, err)
	}
	return walk.steps(), nil
}

// walk is where everybody stood on some days: a byte for each, in blocks of neighbouring people.
type walk struct {
	days   int
	names  []string // by byte; the first is none
	number map[string]byte
	blocks map[int64][]byte
}

func newWalk(days int) *walk {
	return &walk{days: days, names: []string{""}, number: map[string]byte{}, blocks: map[int64][]byte{}}
}

var errSegments = errors.New("more segments than " + strconv.Itoa(maxSegments))

const maxSegments = 255

// stood notes that people stood in a segment from one of the days to another.
func (w *walk) stood(name string, first, last int, people *numbers) error {
	number, known := w.number[name]
	if !known {
		if len(w.names) > maxSegments {
			return errSegments
		}
		number = byte(len(w.names))
		w.names, w.number[name] = append(w.names, name), number
	}
	for people.text != "" {
		person := people.whole()
		block := w.blocks[person/blockSize]
		if block == nil {
			block = make([]byte, blockSize*w.days)
			w.blocks[person/blockSize] = block
		}
		row := block[int(person%blockSize)*w.days:]
		for day := first; day <= last; day++ {
			row[day] = number
		}
	}
	return people.err
}

// steps counts the moves from each day to the next.
func (w *walk) steps() [][]segment.Move {
	k := len(w.names)
	counts := make([][]int, w.days-1)
	for i := range counts {
		counts[i] = make([]int, k*k)
	}
	for _, block := range w.blocks {
		for row := 0; row < len(block); row += w.days {
			for i := range counts {
				counts[i][int(block[row+i])*k+int(block[row+i+1])]++
			}
		}
	}
	steps := make([][]segment.Move, len(counts))
	for i, count := range counts {
		moves := segment.Movement{}
		for at, n := range count {
			if at > 0 && n > 0 { // at 0 are those who stood nowhere on both days
				moves[segment.Move{From: w.names[at/k], To: w.names[at%k]}] = n
			}
		}
		steps[i] = moves.Moves()
	}
	return steps
}
