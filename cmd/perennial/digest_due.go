package main

import (
	"context"
	"errors"
	"time"

	"github.com/perennial-cvo/perennial/sync/postgres"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

// How the weekly mail goes.
const (
	digestLook     = time.Minute      // how often it is looked whether it is due
	digestPatience = 6 * time.Hour    // how long it waits for a night that does not end
	digestClaim    = 15 * time.Minute // how long a process that died at it keeps the others off
	digestWork     = 10 * time.Minute // for reading the figures and sending them
)

// digestWaits are the waits after tries that failed; the last holds for all later ones.
var digestWaits = [...]time.Duration{15 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour}

// digestTries are the tries before a mail is given up: about two days.
const digestTries = 14

// post looks after the weekly mails of some shops.
type post struct {
	app   *app
	shops []*shop
	since map[int64]time.Time // when a mail was first seen to wait for its night
}

func (a *app) post(ctx context.Context) (*post, error) {
	if !a.cfg.Digest.On() {
		return nil, nil
	}
	shops, err := a.shops(ctx)
	if err != nil {
		return nil, err
	}
	return &post{app: a, shops: shops, since: map[int64]time.Time{}}, nil
}

// run sends what is due until ctx ends, beside the nights and never in their way. What it is at then, it ends.
func (p *post) run(ctx context.Context) {
	if p == nil {
		return
	}
	ticker := time.NewTicker(digestLook)
	defer ticker.Stop()
	for {
		_ = p.pass(ctx, digestPatience) // the log has it
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// pass sends the mails that are due, each waiting so long for its night.
func (p *post) pass(ctx context.Context, patience time.Duration) error {
	if p == nil {
		return nil
	}
	var failures []error
	for _, s := range p.shops {
		if ctx.Err() != nil {
			break
		}
		if err := p.look(ctx, s, patience); err != nil {
			_, remedy := classify(err)
			p.app.log.Warn("weekly mail not sent", "store", s.cfg.Name, "err", err, "what to do", remedy)
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// look sends the mail of one shop where it is due, the night before it is over, and no other process is at it.
func (p *post) look(ctx context.Context, s *shop, patience time.Duration) error {
	zone, err := s.location(ctx)
	if err != nil {
		return err
	}
	before, known, err := p.app.db.Digest(ctx, s.id)
	if err != nil {
		return databaseFailure("weekly mail", err)
	}
	occurrence, due, _, err := schedule.Due(p.app.cfg.Digest.Weekly(), zone, p.app.now(), before.Nightly)
	if err != nil {
		return fail(exitUsage, "weekly mail", "correct weekday and at under [digest]", err)
	}
	if !known { // the first one comes on the next such day
		return p.app.db.BeginDigests(ctx, s.id, occurrence)
	}
	if !due {
		return nil
	}
	if before.Attempts == 0 { // else it has waited
		if waits, err := p.waits(ctx, s, patience); err != nil || waits {
			return err
		}
	}
	delete(p.since, s.id)
	mine, err := p.app.db.ClaimDigest(ctx, s.id, before, digestClaim)
	if err != nil || !mine {
		return err
	}
	return p.deliver(ctx, s, occurrence, before)
}

// waits says whether the mail is to wait for the shop's night, whose figures it is to have.
func (p *post) waits(ctx context.Context, s *shop, patience time.Duration) (bool, error) {
	zone, err := s.location(ctx)
	if err != nil {
		return false, err
	}
	nightly, err := p.app.db.Nightly(ctx, s.id)
	if err != nil {
		return false, databaseFailure("schedule", err)
	}
	night, _, _, err := schedule.Due(s.cfg.Nightly(), zone, p.app.now(), nightly)
	if err != nil || night <= nightly.Done {
		return false, err
	}
	if p.since[s.id].IsZero() {
		p.since[s.id] = p.app.now()
	}
	return p.app.now().Sub(p.since[s.id]) < patience, nil
}

// deliver sends the mail as one line of the ledger of runs, and notes whom it reached and when it is tried again.
func (p *post) deliver(ctx context.Context, s *shop, occurrence string, before postgres.Digest) error {
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), digestWork) // half a mail is none
	defer cancel()
	failed := s.step(work, schedule.Digest, func(ctx context.Context) (map[string]int, error) {
		n, err := s.postDigest(ctx, occurrence, before.Reached, func(to string) error {
			return p.app.db.ReachDigest(ctx, s.id, to)
		})
		return map[string]int{"sent": n}, err
	})
	after := schedule.Nightly{Done: occurrence}
	if failed != nil && before.Attempts+1 < digestTries {
		wait := digestWaits[min(before.Attempts, len(digestWaits)-1)]
		after = schedule.Nightly{Done: before.Done, Attempts: before.Attempts + 1, NextTry: p.app.now().Add(wait)}
	}
	closing, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer done()
	return errors.Join(failed, p.app.db.SaveDigest(closing, s.id, after))
}
