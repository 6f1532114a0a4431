package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/retention"
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
	var text []byte
	err = s.db.GetContext(ctx, &text, `SELECT summary FROM retention WHERE store_id = $1`, s.id)
	if errors.Is(err, sql.ErrNoRows) {
		return retention.Summary{}, false, nil
	}
	if err != nil {
		return retention.Summary{}, false, fmt.Errorf("retention: %w", err)
	}
	if err := json.Unmarshal(text, &summary); err != nil {
		return retention.Summary{}, false, fmt.Errorf("retention: %w", err)
	}
	return summary, true, nil
}
