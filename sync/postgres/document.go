package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
)

// document reads the one JSON text that a query returns; ok is false where it returns none.
func document[T any](ctx context.Context, s *Store, query string, args ...any) (value T, ok bool, err error) {
	var text []byte
	if err := s.db.GetContext(ctx, &text, query, args...); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return value, false, err
	}
	if err := json.Unmarshal(text, &value); err != nil {
		var none T
		return none, false, err
	}
	return value, true, nil
}
