package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/sync/activation"
)

// tries says whether anybody is held out of any audience.
func (p *planner) tries() bool {
	tried, _ := holdouts(p.target.Holdout)
	return len(tried) > 0
}

// trials are the parts of the comparison that find out who is held out of which audiences. Whoever would be in such an audience
// of the shop has a lot, also where this destination has not got the audience or the person gets nothing there.
func (p *planner) trials() string {
	tried, _ := holdouts(p.target.Holdout)
	prospects := ""
	if p.target.Prospects != "" && slices.Contains(tried, p.target.Prospects) {
		prospects = `
		UNION ALL SELECT t.person_id, '` + p.target.Prospects + `' FROM standings t
		WHERE t.store_id = $1 AND NOT EXISTS (SELECT FROM rfm_scores s WHERE s.store_id = $1 AND s.person_id = t.person_id)`
	}
	return `
	due AS (
		SELECT person_id, segment AS audience FROM rfm_scores WHERE store_id = $1 AND segment = ANY ($tried)
		UNION ALL SELECT t.person_id, k FROM standings t CROSS JOIN unnest(` + standingKeys + `) k
		WHERE t.store_id = $1 AND k = ANY ($tried)` + prospects + `
	), ` + lots("$tried", "$shares") + `, held AS MATERIALIZED (
		SELECT person_id, array_agg(audience ORDER BY audience COLLATE "C") AS out FROM lots WHERE held GROUP BY person_id
	), `
}

// exposures is the statement part that notes who is due for the first time: whom the plan's gates let through, in either arm.
func (p *planner) exposures() string {
	if !p.tries() || len(p.target.Exposes) == 0 {
		return ""
	}
	gate := leftOut(p.target)
	consent := ""
	if p.target.NeedsConsent {
		consent = consentJoins
	}
	return `, exposed AS (
		INSERT INTO exposures (store_id, audience, person_id, day, held, share)
		SELECT $1, l.audience, l.person_id, $now::timestamptz::date, l.held, l.share
		FROM lots l JOIN persons p ON p.store_id = $1 AND p.person_id = l.person_id` + consent + `
		WHERE l.fresh AND l.audience = ANY ($exposes) AND ` + gate + ` IS NULL
	)`
}

// beginTrials notes of which audiences people are held out from now on, and makes the days of the transaction local.
func (s *Store) beginTrials(ctx context.Context, tx *sqlx.Tx, target activation.Target, at time.Time) error {
	if target.Holdout == nil {
		return nil
	}
	if err := s.localDays(ctx, tx); err != nil {
		return err
	}
	if err := s.holdOut(ctx, tx, target.Holdout, at); err != nil {
		return fmt.Errorf("trials: %w", err)
	}
	return nil
}
