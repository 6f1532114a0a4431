package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/analysis"
)

// ErrDaySaved is returned for a result of a day before the last one that was saved: the history of memberships only
// grows forward.
var ErrDaySaved = errors.New("a later day is saved already; nothing was changed")

// Save stores the result of a run. Scores are written where they differ. Who changes the segment, comes or leaves has
// the standing interval closed on the day before and a new one opened; a second run of the same day replaces what the
// first one opened. Under another version of the scheme every interval is closed and opened anew, because the record
// says by which rule somebody was a member; the day since when they are in the segment stays.
func (s *Store) Save(ctx context.Context, result analysis.Result) (analysis.Saved, error) {
	var saved analysis.Saved
	err := s.write(ctx, func(tx *sqlx.Tx) error {
		w := memberWriter{tx: tx, store: s.id, result: result}
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		last, err := w.lastVersion(ctx)
		if err != nil {
			return err
		}
		if err := w.saveScheme(ctx); err != nil {
			return err
		}
		if len(result.Members)+len(result.Left) > 0 {
			if saved, err = w.saveMembers(ctx); err != nil {
				return err
			}
		}
		if last != "" && last != result.Scheme.Version {
			if err := w.changeVersion(ctx); err != nil {
				return err
			}
		}
		return w.saveSnapshot(ctx)
	})
	if err != nil {
		return analysis.Saved{}, err
	}
	return saved, nil
}

// memberWriter writes one result in one transaction.
type memberWriter struct {
	tx     *sqlx.Tx
	store  int64
	result analysis.Result
	again  bool // a result of this day is saved already
}

// day is the day of the result as SQL reads it.
const day = `(DATE '1970-01-01' + $3::int)`

// lastVersion returns the version of the last saved day, empty before the first, and notes whether it is this one.
func (w *memberWriter) lastVersion(ctx context.Context) (string, error) {
	var rows []struct {
		Version string `db:"version"`
		Later   bool   `db:"later"`
		Same    bool   `db:"same"`
	}
	err := w.tx.SelectContext(ctx, &rows, `SELECT version, day > `+day+` AS later, day = `+day+` AS same
		FROM snapshots
		WHERE store_id = $1 AND scheme = $2 ORDER BY day DESC LIMIT 1`, w.store, w.result.Scheme.Name, w.result.Day)
	switch {
	case err != nil:
		return "", fmt.Errorf("last snapshot: %w", err)
	case len(rows) == 0:
		return "", nil
	case rows[0].Later:
		return "", ErrDaySaved
	}
	w.again = rows[0].Same
	return rows[0].Version, nil
}

func (w memberWriter) saveScheme(ctx context.Context) error {
	scheme := w.result.Scheme
	_, err := w.tx.ExecContext(ctx, `INSERT INTO schemes (store_id, scheme, version, rule, first_day)
		SELECT $1, $2, $4, $5, `+day+` WHERE NOT EXISTS (
			SELECT FROM schemes WHERE store_id = $1 AND scheme = $2 AND version = $4)`,
		w.store, scheme.Name, w.result.Day, scheme.Version, scheme.Rule)
	if err != nil {
		return fmt.Errorf("scheme: %w", err)
	}
	return nil
}

// saveMembers brings the members and leavers of the result into a temporary table and from there to their places.
func (w memberWriter) saveMembers(ctx context.Context) (analysis.Saved, error) {
	var saved analysis.Saved
	if err := w.stage(ctx); err != nil {
		return saved, err
	}
	if len(w.result.Members)+len(w.result.Left) > crowd {
		if err := nestedLoops(ctx, w.tx, false); err != nil {
			return saved, err
		}
	}
	if err := w.compare(ctx); err != nil {
		return saved, err
	}
	err := w.tx.QueryRowContext(ctx, `
		SELECT count(*) FILTER (WHERE was IS NULL), count(*) FILTER (WHERE was <> segment),
			count(*) FILTER (WHERE was = segment), count(*) FILTER (WHERE segment IS NULL)
		FROM changes`).Scan(&saved.Entered, &saved.Moved, &saved.Scored, &saved.Left)
	if err != nil {
		return saved, fmt.Errorf("members: %w", err)
	}
	if err := w.saveIntervals(ctx); err != nil {
		return saved, err
	}
	return saved, w.saveScores(ctx, saved.Left)
}

// stage fills the temporary table news: one row for each member, with a null segment for those who left.
func (w memberWriter) stage(ctx context.Context) error {
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

// compare fills the temporary table changes with the news that differ from what stands. Since is the day since when
// they are in the segment; those who come to another one have none yet, and was is where they come from.
func (w memberWriter) compare(ctx context.Context) error {
	steps := []string{
		`CREATE TEMP TABLE changes (person_id bigint, r smallint, f smallint, m smallint, segment text, was text, since date)
			ON COMMIT DROP`,
		`INSERT INTO changes SELECT n.*, s.segment, CASE WHEN s.segment = n.segment THEN s.since END
			FROM news n LEFT JOIN rfm_scores s ON s.store_id = $1 AND s.person_id = n.person_id
			WHERE (s.r, s.f, s.m, s.segment) IS DISTINCT FROM (n.r, n.f, n.m, n.segment)`,
		`ANALYZE changes`,
	}
	for _, step := range steps {
		if err := w.exec(ctx, step); err != nil {
			return fmt.Errorf("members: %w", err)
		}
	}
	return nil
}

// saveIntervals closes and opens the intervals of those whose segment changes. First it takes back what an earlier run
// of the same day did to them, if there was one, so that only its last word is kept.
func (w memberWriter) saveIntervals(ctx context.Context) error {
	var steps []string
	if w.again {
		steps = append(steps,
			`DELETE FROM memberships m USING changes n
				WHERE m.store_id = $1 AND m.scheme = $2 AND m.person_id = n.person_id AND n.since IS NULL
					AND m.first_day >= `+day,
			`UPDATE memberships m SET last_day = NULL FROM changes n
				WHERE m.store_id = $1 AND m.scheme = $2 AND m.person_id = n.person_id AND n.since IS NULL
					AND m.last_day = `+day+` - 1`,
			`UPDATE changes n SET since = m.first_day FROM memberships m
				WHERE m.store_id = $1 AND m.scheme = $2 AND m.person_id = n.person_id AND n.since IS NULL
					AND m.last_day IS NULL AND m.segment = n.segment AND m.version = $4`)
	}
	steps = append(steps,
		`UPDATE memberships m SET last_day = `+day+` - 1 FROM changes n
			WHERE m.store_id = $1 AND m.scheme = $2 AND m.person_id = n.person_id AND m.last_day IS NULL AND n.since IS NULL`,
		`INSERT INTO memberships (store_id, scheme, person_id, first_day, version, segment)
			SELECT $1, $2, person_id, `+day+`, $4, segment FROM changes WHERE segment IS NOT NULL AND since IS NULL`)
	for _, step := range steps {
		if err := w.exec(ctx, step); err != nil {
			return fmt.Errorf("memberships: %w", err)
		}
	}
	return nil
}

// saveScores writes the scores that stand from now on. Runs after saveIntervals, which finds out since when.
func (w memberWriter) saveScores(ctx context.Context, left int) error {
	if left > 0 {
		err := w.exec(ctx, `DELETE FROM rfm_scores s USING changes n
			WHERE s.store_id = $1 AND s.person_id = n.person_id AND n.segment IS NULL`)
		if err != nil {
			return fmt.Errorf("scores: %w", err)
		}
	}
	err := w.exec(ctx, `INSERT INTO rfm_scores (store_id, person_id, r, f, m, segment, since)
		SELECT $1, person_id, r, f, m, segment, coalesce(since, `+day+`) FROM changes WHERE segment IS NOT NULL
		ON CONFLICT (store_id, person_id) DO UPDATE SET r = excluded.r, f = excluded.f, m = excluded.m,
			segment = excluded.segment, since = excluded.since`)
	if err != nil {
		return fmt.Errorf("scores: %w", err)
	}
	return nil
}

// changeVersion closes every interval of another version on the day before and opens it anew under this one.
func (w memberWriter) changeVersion(ctx context.Context) error {
	steps := []string{
		`UPDATE memberships SET version = $4 WHERE store_id = $1 AND scheme = $2 AND last_day IS NULL
			AND version <> $4 AND first_day >= ` + day,
		`WITH closed AS (
			UPDATE memberships SET last_day = ` + day + ` - 1
			WHERE store_id = $1 AND scheme = $2 AND last_day IS NULL AND version <> $4 RETURNING person_id, segment
		) INSERT INTO memberships (store_id, scheme, person_id, first_day, version, segment)
			SELECT $1, $2, person_id, ` + day + `, $4, segment FROM closed`,
	}
	for _, step := range steps {
		if err := w.exec(ctx, step); err != nil {
			return fmt.Errorf("scheme version: %w", err)
		}
	}
	return nil
}

// exec runs a statement with those of the writer's values that it mentions: $1 store, $2 scheme, $3 day, $4 version.
func (w memberWriter) exec(ctx context.Context, statement string) error {
	values := []any{w.store, w.result.Scheme.Name, w.result.Day, w.result.Scheme.Version}
	var args []any
	for i, value := range values {
		from := "$" + strconv.Itoa(i+1)
		if strings.Contains(statement, from) { // the server refuses values that nothing mentions
			args = append(args, value)
			statement = strings.ReplaceAll(statement, from, "$"+strconv.Itoa(len(args)))
		}
	}
	_, err := w.tx.ExecContext(ctx, statement, args...)
	return err
}

// pgArray hands any slice of texts or numbers to a parameter, and an empty one rather than null for nil.
func pgArray[T any](values []T) any {
	if values == nil {
		values = []T{}
	}
	return pq.Array(values)
}
