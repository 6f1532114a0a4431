package postgres

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis"
)

// CustomerOf reads one of those that Customers reads; ok is false where they are not among them.
func (s *Store) CustomerOf(ctx context.Context, person int64) (c analysis.Customer, ok bool, err error) {
	err = s.read(ctx, func(tx *sqlx.Tx) error {
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		r := &customerReader{tx: tx, store: s.id, person: person, places: places{}}
		known, err := r.people(ctx)
		if err != nil {
			return err
		}
		if err := r.buyers(ctx, customerTexts("person_stats WHERE store_id = $1 AND person_id = $2 AND"), s.id, person); err != nil {
			return err
		}
		prospects := func(ctx context.Context) error { return r.prospects(ctx, known) }
		for _, step := range []func(context.Context) error{prospects, r.memberships, r.standings} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		if ok = len(r.all) > 0; ok {
			c = r.all[0]
		}
		return nil
	})
	return c, ok, err
}
