package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/analysis"
)

// intervals writes the memberships of one scheme. Whose they are is in the temporary table changes.
type intervals struct {
	*resultWriter
	scheme analysis.Scheme
}

// save closes and opens the intervals of those whose segment changes. First it takes back what an earlier run
// of the same day did to them, if there was one, so that only its last word is kept.
func (i intervals) save(ctx context.Context) error {
	var steps []string
	if i.again {
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
	if i.last[i.scheme.Name] != "" { // before the first day there is nothing to close
		steps = append(steps, `UPDATE memberships m SET last_day = `+day+` - 1 FROM changes n
			WHERE m.store_id = $1 AND m.scheme = $2 AND m.person_id = n.person_id AND m.last_day IS NULL AND n.since IS NULL`)
	}
	steps = append(steps, `INSERT INTO memberships (store_id, scheme, person_id, first_day, version, segment)
		SELECT $1, $2, person_id, `+day+`, $4, segment FROM changes WHERE segment IS NOT NULL AND since IS NULL`)
	for _, step := range steps {
		if err := i.exec(ctx, step); err != nil {
			return fmt.Errorf("memberships: %w", err)
		}
	}
	return nil
}

// saveScores writes the scores that stand from now on. Runs after the intervals, which finds out since when.
func (i intervals) saveScores(ctx context.Context, left int) error {
	if left > 0 {
		err := i.exec(ctx, `DELETE FROM rfm_scores s USING changes n
			WHERE s.store_id = $1 AND s.person_id = n.person_id AND n.segment IS NULL`)
		if err != nil {
			return fmt.Errorf("scores: %w", err)
		}
	}
	steps := []string{
		`UPDATE rfm_scores s SET r = n.r, f = n.f, m = n.m, segment = n.segment, since = coalesce(n.since, ` + day + `),
				previous = CASE WHEN n.was = n.segment THEN s.previous ELSE n.was END
			FROM changes n WHERE s.store_id = $1 AND s.person_id = n.person_id AND n.segment IS NOT NULL AND n.was IS NOT NULL`,
		`INSERT INTO rfm_scores (store_id, person_id, r, f, m, segment, since)
			SELECT $1, person_id, r, f, m, segment, coalesce(since, ` + day + `) FROM changes WHERE segment IS NOT NULL AND was IS NULL`,
	}
	switch {
	case i.again: // what an earlier run of the day said counts no more
		steps = append(steps, previous(`n.segment IS NOT NULL`))
	case i.last[i.scheme.Name] != "": // who comes back was somewhere before
		steps = append(steps, previous(`n.segment IS NOT NULL AND n.was IS NULL`))
	}
	if i.again { // who is back in a segment may have been there under earlier versions too
		steps = append(steps, `UPDATE rfm_scores s SET since = k.since FROM (
				SELECT person_id, max(m.first_day) AS since FROM changes n
				JOIN memberships m USING (person_id, segment) WHERE m.store_id = $1 AND m.scheme = $2 AND NOT EXISTS (
					SELECT FROM memberships p WHERE p.store_id = $1 AND p.scheme = $2 AND p.person_id = m.person_id
						AND p.segment = m.segment AND p.last_day = m.first_day - 1)
				GROUP BY person_id
			) k WHERE s.store_id = $1 AND s.person_id = k.person_id AND s.since <> k.since`)
	}
	for _, step := range steps {
		if err := i.exec(ctx, step); err != nil {
			return fmt.Errorf("scores: %w", err)
		}
	}
	return nil
}

// previous returns the statement that finds in the history where people of whom something changed were before.
func previous(who string) string {
	return `UPDATE rfm_scores s SET previous = k.previous FROM (
			SELECT n.person_id, (SELECT m.segment FROM memberships m WHERE m.store_id = $1 AND m.scheme = $2
				AND m.person_id = n.person_id AND m.segment <> n.segment ORDER BY m.first_day DESC LIMIT 1) AS previous
			FROM changes n WHERE ` + who + `
		) k WHERE s.store_id = $1 AND s.person_id = k.person_id AND s.previous IS DISTINCT FROM k.previous`
}

// changeVersions gives the intervals that stand the version of the result.
func (w *resultWriter) changeVersions(ctx context.Context) error {
	for _, scheme := range w.schemes() {
		if last := w.last[scheme.Name]; last == "" || last == scheme.Version {
			continue
		}
		i := intervals{resultWriter: w, scheme: scheme}
		if err := i.changeVersion(ctx); err != nil {
			return err
		}
	}
	return nil
}

// changeVersion closes every interval of another version on the day before and opens it anew under this one.
func (i intervals) changeVersion(ctx context.Context) error {
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
		if err := i.exec(ctx, step); err != nil {
			return fmt.Errorf("scheme version: %w", err)
		}
	}
	return nil
}

// endSchemes closes what is left of the schemes that the result has no more: segments of the owner's, and bands of risk where
// nothing can be foretold.
func (w *resultWriter) endSchemes(ctx context.Context) error {
	present := map[string]bool{}
	for _, scheme := range w.schemes() {
		present[scheme.Name] = true
	}
	for _, name := range w.before {
		if present[name] {
			continue
		}
		i := intervals{resultWriter: w, scheme: analysis.Scheme{Name: name}}
		for _, step := range []string{
			`DELETE FROM memberships WHERE store_id = $1 AND scheme = $2 AND last_day IS NULL AND first_day >= ` + day,
			`UPDATE memberships SET last_day = ` + day + ` - 1 WHERE store_id = $1 AND scheme = $2 AND last_day IS NULL`,
			`DELETE FROM snapshots WHERE store_id = $1 AND scheme = $2 AND day = ` + day,
		} {
			if err := i.exec(ctx, step); err != nil {
				return fmt.Errorf("end of %s: %w", name, err)
			}
		}
	}
	return nil
}

// exec runs a statement with those of the writer's values that it mentions: $1 store, $2 scheme, $3 day, $4 version, $5 rule.
func (i intervals) exec(ctx context.Context, statement string) error {
	values := []any{i.store, i.scheme.Name, i.result.Day, i.scheme.Version, i.scheme.Rule}
	var args []any
	for n, value := range values {
		from := "$" + strconv.Itoa(n+1)
		if strings.Contains(statement, from) { // the server refuses values that nothing mentions
			args = append(args, value)
			statement = strings.ReplaceAll(statement, from, "$"+strconv.Itoa(len(args)))
		}
	}
	_, err := i.tx.ExecContext(ctx, statement, args...)
	return err
}
