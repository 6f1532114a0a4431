package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/experiment"
	"github.com/perennial-cvo/perennial/analysis/product"
	"github.com/perennial-cvo/perennial/analysis/value"
)

var _ analysis.Sums = (*Store)(nil)

// The questions whose answers are kept.
const (
	aboutProducts = "products"
	aboutValues   = "values"
	aboutTrials   = "trials"
)

// SaveProducts keeps what is told of products in place of the summary before.
func (s *Store) SaveProducts(ctx context.Context, summary product.Summary) error {
	return s.saveSummary(ctx, aboutProducts, summary.Day, summary)
}

// SaveValues keeps who is worth what in place of the summary before.
func (s *Store) SaveValues(ctx context.Context, summary value.Summary) error {
	return s.saveSummary(ctx, aboutValues, summary.Day, summary)
}

// SaveTrials keeps what audiences bring in place of the summary before.
func (s *Store) SaveTrials(ctx context.Context, summary experiment.Summary) error {
	return s.saveSummary(ctx, aboutTrials, summary.Day, summary)
}

func (s *Store) saveSummary(ctx context.Context, question, day string, summary any) error {
	text, err := json.Marshal(summary)
	if err != nil {
		return fmt.Errorf("summary of %s: %w", question, err)
	}
	return s.write(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO summaries AS s (store_id, question, day, summary) VALUES ($1, $2, $3, $4)
			ON CONFLICT (store_id, question) DO UPDATE SET day = excluded.day, summary = excluded.summary
			WHERE (s.day, s.summary) <> (excluded.day, excluded.summary)`, s.id, question, day, string(text))
		if err != nil {
			return fmt.Errorf("summary of %s: %w", question, err)
		}
		return nil
	})
}

// ProductSummary reads what SaveProducts kept; ok is false before the first.
func (s *Store) ProductSummary(ctx context.Context) (product.Summary, bool, error) {
	return summary[product.Summary](ctx, s, aboutProducts)
}

// ValueSummary reads what SaveValues kept; ok is false before the first.
func (s *Store) ValueSummary(ctx context.Context) (value.Summary, bool, error) {
	return summary[value.Summary](ctx, s, aboutValues)
}

// TrialSummary reads what SaveTrials kept; ok is false before the first.
func (s *Store) TrialSummary(ctx context.Context) (experiment.Summary, bool, error) {
	return summary[experiment.Summary](ctx, s, aboutTrials)
}

// Summed says whether products and values were ever worked out.
func (s *Store) Summed(ctx context.Context) (bool, error) {
	var kept int
	err := s.db.GetContext(ctx, &kept, `SELECT count(*) FROM summaries WHERE store_id = $1 AND question IN ($2, $3)`, s.id, aboutProducts, aboutValues)
	if err != nil {
		return false, fmt.Errorf("summaries: %w", err)
	}
	return kept == 2, nil
}

func summary[T any](ctx context.Context, s *Store, question string) (T, bool, error) {
	all, ok, err := document[T](ctx, s, `SELECT summary FROM summaries WHERE store_id = $1 AND question = $2`, s.id, question)
	if err != nil {
		err = fmt.Errorf("summary of %s: %w", question, err)
	}
	return all, ok, err
}
