package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis"
)

// SaveCourse keeps the course of a scheme in place of the one before.
func (s *Store) SaveCourse(ctx context.Context, course analysis.Course) error {
	text, err := json.Marshal(course)
	if err != nil {
		return fmt.Errorf("course of %s: %w", course.Scheme, err)
	}
	return s.write(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO courses (store_id, scheme, course) VALUES ($1, $2, $3)
			ON CONFLICT (store_id, scheme) DO UPDATE SET course = excluded.course`, s.id, course.Scheme, string(text))
		if err != nil {
			return fmt.Errorf("course of %s: %w", course.Scheme, err)
		}
		return nil
	})
}

// Course reads the course of a scheme; ok is false before the first.
func (s *Store) Course(ctx context.Context, scheme string) (course analysis.Course, ok bool, err error) {
	course, ok, err = document[analysis.Course](ctx, s, `SELECT course FROM courses WHERE store_id = $1 AND scheme = $2`, s.id, scheme)
	if err != nil {
		err = fmt.Errorf("course of %s: %w", scheme, err)
	}
	return course, ok, err
}
