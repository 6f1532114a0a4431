package main

import (
	"context"
	"errors"

	"github.com/perennial-cvo/perennial/sync/activation"
)

// readBackEvery is how often shops and platforms are asked what really stands there, so that what others changed of ours is
// found and the next push mends it.
const readBackEvery = sweepEvery

// readBackStep holds every destination against the record, once a week from the first push on.
func (s *shop) readBackStep(ctx context.Context) error {
	pushed, _, err := s.app.db.RunTimes(ctx, s.id, "push")
	if err != nil {
		return databaseFailure("ledger of runs", err)
	}
	_, last, err := s.app.db.RunTimes(ctx, s.id, "readback")
	if err != nil {
		return databaseFailure("ledger of runs", err)
	}
	if last.IsZero() {
		last = pushed
	}
	if last.IsZero() || s.app.now().Sub(last) < readBackEvery {
		return nil
	}
	receivers, err := s.receivers(ctx, pushFlags{})
	if err != nil {
		return err
	}
	return s.step(ctx, "readback", func(ctx context.Context) (map[string]int, error) {
		counts := map[string]int{}
		var failures []error
		for _, r := range receivers {
			drift, err := activation.ReadBack(ctx, s.pushOptions(r, nil))
			name := r.target.Destination
			counts[name+" read"], counts[name+" lost"] = drift.Read, drift.Lost
			counts[name+" changed"], counts[name+" unsubscribed"] = drift.Changed, drift.Unsubscribed
			if err != nil {
				failures = append(failures, err)
				continue
			}
			counts[name+" stray"] = drift.Stray
			if found := drift.Lost + drift.Changed + drift.Unsubscribed + drift.Stray; found > 0 {
				s.line("%s: %d tags or memberships lost and %d changed by others, %d people unsubscribed, %d carry tags of ours that were "+
					"another customer's; the push mends what is ours", name, drift.Lost, drift.Changed, drift.Unsubscribed, drift.Stray)
			}
		}
		return counts, errors.Join(failures...)
	})
}
