package postgres

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// Foretold sums up the predicted value of the people in every segment in which it is known of anybody.
func (s *Store) Foretold(ctx context.Context) ([]report.Foretold, error) {
	var rows []struct {
		Scheme  string          `db:"scheme"`
		Segment string          `db:"segment"`
		Value   decimal.Decimal `db:"value"`
	}
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		return tx.SelectContext(ctx, &rows, `
			WITH valued AS MATERIALIZED (
				SELECT t.stage, t.tier, t.churn, t.own, coalesce(f.segment, '') AS segment, sum(t.value) AS value
				FROM standings t LEFT JOIN rfm_scores f ON f.store_id = $1 AND f.person_id = t.person_id
				WHERE t.store_id = $1 AND t.value IS NOT NULL GROUP BY 1, 2, 3, 4, 5)
			SELECT scheme, segment, sum(value) AS value FROM (
				SELECT $2::text AS scheme, segment, value FROM valued
				UNION ALL SELECT $3::text, stage, value FROM valued
				UNION ALL SELECT $4::text, tier, value FROM valued
				UNION ALL SELECT $5::text, churn, value FROM valued
				UNION ALL SELECT $6::text, unnest(own), value FROM valued) AS divided
			WHERE segment <> '' GROUP BY scheme, segment ORDER BY scheme, segment`,
			s.id, analysis.SchemeRFM, segment.SchemeLifecycle, segment.SchemeTier, segment.SchemeChurn, segment.SchemeOwn)
	})
	if err != nil {
		return nil, fmt.Errorf("predicted value: %w", err)
	}
	all := make([]report.Foretold, len(rows))
	for i, row := range rows {
		all[i] = report.Foretold{Scheme: row.Scheme, Segment: row.Segment, Value: row.Value}
	}
	return all, nil
}
