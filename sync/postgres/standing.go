package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// saveStandings writes the standings of the result that differ from what stands, and the intervals of the schemes beside RFM.
func (w *resultWriter) saveStandings(ctx context.Context) error {
	if len(w.result.Standings) == 0 {
		return nil
	}
	all := intervals{resultWriter: w}
	if err := w.stageShifts(ctx, all); err != nil {
		return err
	}
	if err := w.tx.GetContext(ctx, &w.saved.Placed, `SELECT count(*) FROM shifts`); err != nil || w.saved.Placed == 0 {
		return err
	}
	for _, d := range w.result.Divisions {
		if err := w.shift(ctx, d.Scheme); err != nil {
			return err
		}
	}
	for _, step := range []string{
		`DELETE FROM standings s USING shifts n WHERE s.store_id = $1 AND s.person_id = n.person_id AND n.stage = ''`,
		`UPDATE standings s SET ` + listed(standingColumns, "? = n.?") + `
			FROM shifts n WHERE s.store_id = $1 AND s.person_id = n.person_id AND n.stage <> '' AND n.was_stage IS NOT NULL`,
		`INSERT INTO standings (store_id, person_id, ` + listed(standingColumns, "?") + `, last_order, favourite)
			SELECT $1, n.person_id, ` + listed(standingColumns, "n.?") + `, s.last_day, coalesce(s.favourite, '')
			FROM shifts n LEFT JOIN (SELECT person_id, last_day, favourite FROM person_stats WHERE store_id = $1) s USING (person_id)
			WHERE n.stage <> '' AND n.was_stage IS NULL`,
	} {
		if err := all.exec(ctx, step); err != nil {
			return fmt.Errorf("standings: %w", err)
		}
	}
	return nil
}

var standingColumns = strings.Fields("stage tier churn own value next_week")

// stageShifts fills the temporary table shifts with the standings that differ, beside what stands. Where nobody stands
// anywhere yet, they are all of them.
func (w *resultWriter) stageShifts(ctx context.Context, all intervals) error {
	var first bool
	err := w.tx.GetContext(ctx, &first, `SELECT NOT EXISTS (SELECT FROM standings WHERE store_id = $1)`, w.store)
	if err != nil {
		return fmt.Errorf("standings: %w", err)
	}
	steps, table := []string{
		changesTable,
		`CREATE TEMP TABLE shifts (person_id bigint, stage text, tier text, churn text, own text[], value numeric, next_week date,
			was_stage text, was_tier text, was_churn text, was_own text[]) ON COMMIT DROP`,
	}, "shifts"
	if !first {
		table = "placed"
		steps = append(steps, `CREATE TEMP TABLE placed (person_id bigint, stage text, tier text, churn text, own text[],
			value numeric, next_week date) ON COMMIT DROP`)
	}
	for _, step := range steps {
		if err := all.exec(ctx, step); err != nil {
			return fmt.Errorf("standings: %w", err)
		}
	}
	if err := w.copyStandings(ctx, table); err != nil {
		return err
	}
	steps = steps[:0]
	if !first {
		steps = append(steps, `INSERT INTO shifts SELECT p.*, s.stage, s.tier, s.churn, s.own
			FROM placed p LEFT JOIN standings s ON s.store_id = $1 AND s.person_id = p.person_id
			WHERE CASE WHEN p.stage = '' OR s.stage IS NULL THEN (p.stage = '') = (s.stage IS NOT NULL) ELSE
				(p.stage, p.tier, p.churn, p.own, p.value, p.next_week) IS DISTINCT FROM
				(s.stage, s.tier, s.churn, s.own, s.value, s.next_week) END`)
	} else {
		steps = append(steps, `DELETE FROM shifts WHERE stage = ''`) // who is known no more stood nowhere
	}
	for _, step := range append(steps, `ANALYZE shifts (person_id)`) {
		if err := all.exec(ctx, step); err != nil {
			return fmt.Errorf("standings: %w", err)
		}
	}
	return nil
}

// copyStandings fills a temporary table. Who is known no more has no stage there.
func (w *resultWriter) copyStandings(ctx context.Context, table string) error {
	var line []byte
	rows := func(yield func([]byte) bool) {
		for i := range w.result.Standings {
			if line = appendStanding(line[:0], &w.result.Standings[i]); !yield(line) {
				return
			}
		}
	}
	return copyIn(ctx, w.tx, table, append([]string{"person_id"}, standingColumns...), rows)
}

func appendStanding(line []byte, p *analysis.Placed) []byte {
	line = strconv.AppendInt(line, p.Person, 10)
	at := p.At()
	for _, text := range []string{at.Stage, at.Tier, at.Churn} {
		line = appendText(append(line, '\t'), text)
	}
	line = append(line, '\t', '{')
	for n, id := range at.Own {
		if n > 0 {
			line = append(line, ',')
		}
		line = append(append(append(line, '"'), id...), '"') // without quotes, null would be none
	}
	line = append(line, '}')
	value, week := null, null
	if p.Valued {
		value = decimal.New(p.Value, -4).String()
	}
	if p.NextWeek != 0 {
		week = analysis.Date(p.NextWeek).Format("2006-01-02")
	}
	return appendFields(line, value, week)
}

// shift writes the intervals of those whose segment in a scheme differs.
func (w *resultWriter) shift(ctx context.Context, scheme analysis.Scheme) error {
	is, was, err := shifted(scheme.Name)
	if err != nil {
		return err
	}
	i := intervals{resultWriter: w, scheme: scheme}
	if w.last[scheme.Name] == "" && !w.again { // nothing was ever open
		err := i.exec(ctx, `INSERT INTO memberships (store_id, scheme, person_id, first_day, version, segment)
			SELECT $1, $2, person_id, `+day+`, $4, segment
			FROM (SELECT person_id, `+is+` AS segment FROM shifts) AS s WHERE segment IS NOT NULL`)
		if err != nil {
			return fmt.Errorf("memberships of %s: %w", scheme.Name, err)
		}
		return nil
	}
	for _, step := range []string{
		`TRUNCATE changes`,
		`INSERT INTO changes (person_id, segment, was) SELECT person_id, segment, was
			FROM (SELECT person_id, ` + is + ` AS segment, ` + was + ` AS was FROM shifts) AS s WHERE segment IS DISTINCT FROM was`,
		`ANALYZE changes (person_id, since)`,
	} {
		if err := i.exec(ctx, step); err != nil {
			return fmt.Errorf("memberships of %s: %w", scheme.Name, err)
		}
	}
	return i.save(ctx)
}

// shifted returns what the segment of a scheme is and was, by the columns of shifts; null for none.
func shifted(scheme string) (is, was string, err error) {
	switch {
	case scheme == segment.SchemeLifecycle:
		return `nullif(stage, '')`, `was_stage`, nil
	case scheme == segment.SchemeTier:
		return `nullif(tier, '')`, `nullif(was_tier, '')`, nil
	case scheme == segment.SchemeChurn:
		return `nullif(churn, '')`, `nullif(was_churn, '')`, nil
	case strings.HasPrefix(scheme, segment.SchemeOwn+":"):
		id := fmt.Sprintf(`substr($2, %d)`, len(segment.SchemeOwn)+2)
		return `CASE WHEN ` + id + ` = ANY (own) THEN ` + id + ` END`, `CASE WHEN ` + id + ` = ANY (was_own) THEN ` + id + ` END`, nil
	default:
		return "", "", fmt.Errorf("scheme %q: nobody's standing says who belongs where", scheme)
	}
}

// Rules returns the rules of the last saved result, as JSON, by scheme: those of the schemes that have a snapshot of the
// last day on which RFM groups were saved. A scheme that a later result had no more is not among them.
func (s *Store) Rules(ctx context.Context) (map[string]string, error) {
	var rows []struct {
		Scheme string `db:"scheme"`
		Rule   string `db:"rule"`
	}
	err := s.db.SelectContext(ctx, &rows, `
		SELECT DISTINCT n.scheme, v.rule::text AS rule
		FROM snapshots n JOIN schemes v USING (store_id, scheme, version)
		WHERE n.store_id = $1 AND n.day = (SELECT max(day) FROM snapshots WHERE store_id = $1 AND scheme = $2)`,
		s.id, analysis.SchemeRFM)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	rules := map[string]string{}
	for _, row := range rows {
		rules[row.Scheme] = row.Rule
	}
	return rules, nil
}
