package main

import (
	"context"
	"time"
)

// see keeps since when the key sees orders. Once it sees all of them, after it did not, they are read from the beginning.
func (s *shop) see(ctx context.Context, since time.Time) error {
	if !since.IsZero() {
		s.app.log.Warn("the key sees no older orders; figures about a customer's whole life are incomplete",
			"store", s.cfg.Name, "since", since.UTC().Format(time.DateOnly))
		if err := s.app.db.SetVisible(ctx, s.id, since); err != nil {
			return databaseFailure("visible orders", err)
		}
		return nil
	}
	again, err := s.store().Widen(ctx)
	if err != nil {
		return databaseFailure("visible orders", err)
	}
	if again {
		s.line("the key sees all orders now: they are read from the beginning; nothing is analysed or pushed before that is done")
	}
	return nil
}
