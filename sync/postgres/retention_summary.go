package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/retention"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

var _ analysis.Returns = (*Store)(nil)

// SaveRetention keeps a summary in place of the one before.
func (s *Store) SaveRetention(ctx context.Context, summary retention.Summary) error {
	text, err := json.Marshal(summary)
	if err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	return s.write(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO retention AS r (store_id, day, summary) VALUES ($1, DATE '1970-01-01' + $2::int, $3)
			ON CONFLICT (store_id) DO UPDATE SET day = excluded.day, summary = excluded.summary WHERE r.summary <> excluded.summary`,
			s.id, summary.Day, string(text))
		if err != nil {
			return fmt.Errorf("retention: %w", err)
		}
		return nil
	})
}

// RetentionSummary reads the summary that SaveRetention kept; ok is false before the first.
func (s *Store) RetentionSummary(ctx context.Context) (summary retention.Summary, ok bool, err error) {
	summary, ok, err = document[retention.Summary](ctx, s, `SELECT summary FROM retention WHERE store_id = $1`, s.id)
	if err != nil {
		err = fmt.Errorf("retention: %w", err)
	}
	return summary, ok, err
}

// RefreshedSinceRetention says whether a run of the analysis that began after the last one that kept a summary found
// anybody's orders changed. One that did not end well may have, and nobody wrote it down.
func (s *Store) RefreshedSinceRetention(ctx context.Context) (bool, error) {
	var changed bool
	err := s.db.GetContext(ctx, &changed, `SELECT EXISTS (SELECT FROM runs
		WHERE store_id = $1 AND kind IN ('worth', 'analyze') AND (state <> $2 OR (counts->>'refreshed')::bigint > 0)
			AND run_id > (SELECT coalesce(max(run_id), 0) FROM runs WHERE store_id = $1 AND kind = 'retention' AND state = $2))`,
		s.id, schedule.Succeeded)
	if err != nil {
		return false, fmt.Errorf("runs: %w", err)
	}
	return changed, nil
}
