package main

import (
	"context"
	"errors"
	"slices"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// readBackEvery is how often shops and platforms are asked what really stands there, so that what others changed of ours is
// found and the next push mends it. Where being in an audience means being mailed, every push asks first.
const readBackEvery = sweepEvery

// readBackStep holds what stands in the shop against the record, once a week from the first push on.
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
	receivers = slices.DeleteFunc(receivers, func(r receiver) bool {
		_, blind := r.destination.(connectors.OneWay)
		return blind || r.target.NeedsConsent
	})
	if len(receivers) == 0 {
		return nil
	}
	return s.step(ctx, "readback", func(ctx context.Context) (map[string]int, error) {
		counts := map[string]int{}
		var failures []error
		for _, r := range receivers {
			if err := s.readBack(ctx, r, counts); err != nil {
				failures = append(failures, err)
			}
		}
		return counts, errors.Join(failures...)
	})
}

// readBack holds one destination against the record, and adds up what it found.
func (s *shop) readBack(ctx context.Context, r receiver, counts map[string]int) error {
	drift, err := activation.ReadBack(ctx, s.pushOptions(r, nil))
	return s.found(r, drift, err, counts)
}

// found adds up what a look at a destination found, and says what the push mends.
func (s *shop) found(r receiver, drift activation.Drift, err error, counts map[string]int) error {
	name := r.target.Destination
	for what, n := range map[string]int{
		"read": drift.Read, "lost": drift.Lost, "changed": drift.Changed, "unsubscribed": drift.Unsubscribed, "stray": drift.Stray,
	} {
		counts[name+" "+what] = n
	}
	if err != nil {
		return err
	}
	if found := drift.Lost + drift.Changed + drift.Unsubscribed + drift.Stray; found > 0 {
		s.line("%s: %d tags or memberships lost and %d changed by others, %d people unsubscribed, %d carry tags of ours that were "+
			"another customer's; the push mends what is ours", name, drift.Lost, drift.Changed, drift.Unsubscribed, drift.Stray)
	}
	return nil
}

// askEverywhere asks every platform that mails people who unsubscribed there, before anything is sent to any: a no at
// one is a no at all. It returns which could not be asked, and why; nothing may be sent there. One of those that nothing is to be sent to
// (the flags name the others, if any) holds nobody up, and is told of.
func (s *shop) askEverywhere(ctx context.Context, flags pushFlags, counts map[string]int) (map[string]error, error) {
	all, err := s.receivers(ctx, pushFlags{})
	if err != nil {
		return nil, err
	}
	deaf := map[string]error{}
	for _, r := range all {
		name := r.target.Destination
		err := s.lookFirst(ctx, r, flags, counts)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			continue
		}
		if deaf[name] = err; len(flags.only) > 0 && !slices.Contains(flags.only, name) {
			s.line("%s: could not be asked who unsubscribed there since the last push: %v", name, err)
		}
	}
	return deaf, nil
}

// lookFirst asks a platform that mails people who unsubscribed there since the last push: whoever left one of our lists may
// be on others of ours. Once a week, and where it cannot say who left, everything is read back. Before anything was delivered
// there is nothing to ask.
//
// Between two nights nothing is read back whole where the platform tells who left: that is enough until the night.
func (s *shop) lookFirst(ctx context.Context, r receiver, flags pushFlags, counts map[string]int) error {
	if !r.target.NeedsConsent {
		return nil
	}
	every := readBackEvery
	if flags.between {
		every *= 2
	}
	audiences, err := s.store().Audiences(ctx, r.target.Destination)
	if err != nil {
		return databaseFailure("audiences", err)
	}
	if len(audiences) == 0 {
		return nil
	}
	drift, err := activation.Look(ctx, s.pushOptions(r, nil), every)
	return s.found(r, drift, err, counts)
}
