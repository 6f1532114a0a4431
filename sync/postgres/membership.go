package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/analysis"
)

// ErrDaySaved is returned for a result of a day before the last one that was saved: the history of memberships only
// grows forward.
var ErrDaySaved = errors.New("a later day is saved already; nothing was changed")

// Save stores the result of a run. Scores and standings are written where they differ. Who changes the segment of a scheme,
// comes or leaves has the standing interval closed on the day before and a new one opened; a second run of the same day
// replaces what the first one opened. Under another version of a scheme every interval of it is closed and opened anew,
// because the record says by which rule somebody was a member; the day since when they are in the segment stays. What is
// left of a scheme that the last result had and this one has not is closed.
func (s *Store) Save(ctx context.Context, result analysis.Result) (analysis.Saved, error) {
	var saved analysis.Saved
	err := s.write(ctx, func(tx *sqlx.Tx) error {
		w := &resultWriter{tx: tx, store: s.id, result: result, saved: analysis.Saved{}}
		for _, step := range []func(context.Context) error{
			w.prepare, w.saveMembers, w.saveStandings, w.changeVersions, w.endSchemes, w.saveSnapshots,
		} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		saved = w.saved
		return nil
	})
	if err != nil {
		return analysis.Saved{}, err
	}
	return saved, nil
}

// resultWriter writes one result in one transaction.
type resultWriter struct {
	tx     *sqlx.Tx
	store  int64
	result analysis.Result
	saved  analysis.Saved
	again  bool              // a result of this day is saved already
	last   map[string]string // versions of the schemes of the last saved day
	before []string          // schemes of that day
}

// day is the day of the result as SQL reads it.
const day = `(DATE '1970-01-01' + $3::int)`

func (w *resultWriter) schemes() []analysis.Scheme {
	all := []analysis.Scheme{w.result.Scheme}
	for _, d := range w.result.Divisions {
		all = append(all, d.Scheme)
	}
	return all
}

// prepare finds out what was saved last, and notes the schemes.
func (w *resultWriter) prepare(ctx context.Context) error {
	if err := wideMemory(ctx, w.tx); err != nil {
		return err
	}
	if len(w.result.Members)+len(w.result.Left) > crowd || len(w.result.Standings) > crowd {
		if err := nestedLoops(ctx, w.tx, false); err != nil {
			return err
		}
	}
	if err := w.lastDay(ctx); err != nil {
		return err
	}
	for _, scheme := range w.schemes() {
		if err := w.lastVersion(ctx, scheme.Name); err != nil {
			return err
		}
		i := intervals{resultWriter: w, scheme: scheme}
		err := i.exec(ctx, `INSERT INTO schemes AS s (store_id, scheme, version, rule, first_day) VALUES ($1, $2, $4, $5, `+day+`)
			ON CONFLICT (store_id, scheme, version) DO UPDATE SET rule = excluded.rule WHERE s.rule <> excluded.rule`)
		if err != nil {
			return fmt.Errorf("scheme: %w", err)
		}
	}
	return nil
}

// lastDay finds the day that was saved last, and refuses an earlier one.
func (w *resultWriter) lastDay(ctx context.Context) error {
	var rows []struct {
		Scheme string `db:"scheme"`
		Later  bool   `db:"later"`
		Same   bool   `db:"same"`
	}
	err := w.tx.SelectContext(ctx, &rows, `SELECT DISTINCT scheme, day > `+day+` AS later, day = `+day+` AS same
		FROM snapshots WHERE store_id = $1 AND day = (SELECT max(day) FROM snapshots WHERE store_id = $1 AND scheme = $2)`,
		w.store, w.result.Scheme.Name, w.result.Day)
	if err != nil {
		return fmt.Errorf("last snapshot: %w", err)
	}
	for _, row := range rows {
		if row.Later {
			return ErrDaySaved
		}
		w.again = row.Same
		w.before = append(w.before, row.Scheme)
	}
	return nil
}

// lastVersion notes the version of the last day on which a scheme was saved.
func (w *resultWriter) lastVersion(ctx context.Context, scheme string) error {
	var versions []string
	err := w.tx.SelectContext(ctx, &versions, `SELECT version FROM snapshots WHERE store_id = $1 AND scheme = $2
		ORDER BY day DESC LIMIT 1`, w.store, scheme)
	if err != nil {
		return fmt.Errorf("last snapshot: %w", err)
	}
	if w.last == nil {
		w.last = map[string]string{}
	}
	for _, version := range versions {
		w.last[scheme] = version
	}
	return nil
}

// changesTable holds whose score or segment in one scheme differs from what stands. Since is the day since when they are
// in the segment; those who come to another one have none yet, and was is where they come from.
const changesTable = `CREATE TEMP TABLE IF NOT EXISTS changes (person_id bigint, r smallint, f smallint, m smallint, segment text, was text,
	since date) ON COMMIT DROP`

// saveMembers brings the members and leavers of the result into a temporary table and from there to their places.
func (w *resultWriter) saveMembers(ctx context.Context) error {
	if len(w.result.Members)+len(w.result.Left) == 0 {
		return nil
	}
	if err := w.stageMembers(ctx); err != nil {
		return err
	}
	i := intervals{resultWriter: w, scheme: w.result.Scheme}
	for _, step := range []string{
		changesTable,
		`INSERT INTO changes SELECT n.*, s.segment, CASE WHEN s.segment = n.segment THEN s.since END
			FROM news n LEFT JOIN rfm_scores s ON s.store_id = $1 AND s.person_id = n.person_id
			WHERE (s.r, s.f, s.m, s.segment) IS DISTINCT FROM (n.r, n.f, n.m, n.segment)`,
		`ANALYZE changes (person_id, since)`,
	} {
		if err := i.exec(ctx, step); err != nil {
			return fmt.Errorf("members: %w", err)
		}
	}
	s := &w.saved
	err := w.tx.QueryRowContext(ctx, `
		SELECT count(*) FILTER (WHERE was IS NULL), count(*) FILTER (WHERE was <> segment),
			count(*) FILTER (WHERE was = segment), count(*) FILTER (WHERE segment IS NULL)
		FROM changes`).Scan(&s.Entered, &s.Moved, &s.Scored, &s.Left)
	if err != nil {
		return fmt.Errorf("members: %w", err)
	}
	if err := i.save(ctx); err != nil {
		return err
	}
	return i.saveScores(ctx, s.Left)
}

// stageMembers fills the temporary table news: one row for each member, with a null segment for those who left.
func (w *resultWriter) stageMembers(ctx context.Context) error {
	_, err := w.tx.ExecContext(ctx, `CREATE TEMP TABLE news (person_id bigint, r smallint, f smallint, m smallint,
		segment text) ON COMMIT DROP`)
	if err != nil {
		return fmt.Errorf("members: %w", err)
	}
	rows := func(yield func([]byte) bool) {
		for _, m := range w.result.Members {
			line := strconv.AppendInt(nil, m.Person, 10)
			for _, score := range []uint8{m.Score.R, m.Score.F, m.Score.M} {
				line = strconv.AppendUint(append(line, '\t'), uint64(score), 10)
			}
			if !yield(appendText(append(line, '\t'), m.Segment)) {
				return
			}
		}
		for _, person := range w.result.Left {
			if !yield(appendFields(strconv.AppendInt(nil, person, 10), null, null, null, null)) {
				return
			}
		}
	}
	return copyIn(ctx, w.tx, "news", []string{"person_id", "r", "f", "m", "segment"}, rows)
}

// pgArray hands any slice of texts or numbers to a parameter, and an empty one rather than null for nil.
func pgArray[T any](values []T) any {
	if values == nil {
		values = []T{}
	}
	return pq.Array(values)
}
