package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis"
)

var _ analysis.Purchases = (*Store)(nil)

// SaveWorth keeps an appraisal as that of its day, in place of an earlier one of the same day.
func (s *Store) SaveWorth(ctx context.Context, worth analysis.Worth) error {
	text, err := json.Marshal(worth)
	if err != nil {
		return fmt.Errorf("appraisal: %w", err)
	}
	return s.write(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO appraisals AS a (store_id, day, worth) VALUES ($1, DATE '1970-01-01' + $2::int, $3)
			ON CONFLICT (store_id, day) DO UPDATE SET worth = excluded.worth WHERE a.worth <> excluded.worth`,
			s.id, worth.Day, string(text))
		if err != nil {
			return fmt.Errorf("appraisal: %w", err)
		}
		return nil
	})
}

// Worth reads the last appraisal; ok is false before the first.
func (s *Store) Worth(ctx context.Context) (worth analysis.Worth, ok bool, err error) {
	worth, ok, err = document[analysis.Worth](ctx, s, `SELECT worth FROM appraisals WHERE store_id = $1 ORDER BY day DESC LIMIT 1`, s.id)
	if err != nil {
		err = fmt.Errorf("appraisal: %w", err)
	}
	return worth, ok, err
}

// Buyers counts the customers with a purchase, by the aggregates that Refresh made: those whom an appraisal would be about.
func (s *Store) Buyers(ctx context.Context) (int, error) {
	var buyers int
	if err := s.db.GetContext(ctx, &buyers, `SELECT count(*) FROM person_stats WHERE store_id = $1 AND days > 0`, s.id); err != nil {
		return 0, fmt.Errorf("buyers: %w", err)
	}
	return buyers, nil
}
