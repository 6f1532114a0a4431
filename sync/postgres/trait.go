package postgres

import (
	"context"
	"time"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

// Traits calls each once for everybody of whom one of the fields is known.
func (s *Store) Traits(ctx context.Context, fields []string, asOf time.Time, each func(person int64, p *segment.Person)) error {
	return nil
}
