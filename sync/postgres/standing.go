package postgres

import (
	"context"
	"fmt"
)

// Rules returns the rule of the last snapshot of each scheme, as JSON, by scheme.
func (s *Store) Rules(ctx context.Context) (map[string]string, error) {
	var rows []struct {
		Scheme string `db:"scheme"`
		Rule   string `db:"rule"`
	}
	err := s.db.SelectContext(ctx, &rows, `
		SELECT DISTINCT ON (n.scheme) n.scheme, v.rule::text AS rule
		FROM snapshots n JOIN schemes v USING (store_id, scheme, version)
		WHERE n.store_id = $1 ORDER BY n.scheme, n.day DESC`, s.id)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	rules := map[string]string{}
	for _, row := range rows {
		rules[row.Scheme] = row.Rule
	}
	return rules, nil
}
