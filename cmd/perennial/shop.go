package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/all"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// shop is one store of the configuration with its parts made.
type shop struct {
	app     *app
	cfg     config.Store
	factory connectors.Factory
	source  connectors.Source // of everything, reviews from their own platform included
	reviews reviewer
	id      int64
	epoch   int64 // 0 where this process only reads
}

// shop registers a store and makes its source. Nothing is asked of the shop itself.
func (a *app) shop(ctx context.Context, store config.Store) (*shop, error) {
	factory, ok := all.Find(store.Kind)
	if !ok || !isSource(factory) {
		return nil, fail(exitUsage, fmt.Sprintf("configuration: store %s: unknown kind %q", store.Name, store.Kind), "known kinds of shop: "+kinds(isSource), nil)
	}
	source, err := factory.NewSource(connectors.Settings(store.Settings), a.deps(store.Name))
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", store.Name, err)
	}
	reviews, err := a.reviewer(store)
	if err != nil {
		return nil, err
	}
	if reviews.source != nil {
		source = connectors.WithReviews(source, reviews.source)
	}
	id, err := a.db.Register(ctx, store.Name, store.Kind)
	if err != nil {
		return nil, databaseFailure("store "+store.Name, err)
	}
	return &shop{app: a, cfg: store, factory: factory, source: source, reviews: reviews, id: id}, nil
}

// reviewer is the review platform of a store; the zero value where the store has none.
type reviewer struct {
	title  string
	source connectors.Source
}

// reviewer makes the source of a store's reviews, where they do not come from the shop.
func (a *app) reviewer(store config.Store) (reviewer, error) {
	if store.Reviews.Kind == "" {
		return reviewer{}, nil
	}
	factory, ok := all.Find(store.Reviews.Kind)
	if !ok || !isReviewer(factory) {
		return reviewer{}, fail(exitUsage, fmt.Sprintf("configuration: reviews of store %s: unknown kind %q", store.Name, store.Reviews.Kind), "known kinds of review platform: "+kinds(isReviewer), nil)
	}
	source, err := factory.NewSource(connectors.Settings(store.Reviews.Settings), a.deps(store.Name))
	if err != nil {
		return reviewer{}, fmt.Errorf("reviews of store %s: %w", store.Name, err)
	}
	return reviewer{title: factory.Title, source: source}, nil
}

// deps are what a connector may use.
func (a *app) deps(store string) connectors.Deps {
	return connectors.Deps{Log: a.log.With("store", store), Now: a.now, Store: store, Prefix: a.cfg.Prefix}
}

// store is the shop in the database, for a writer if this process has the lease.
func (s *shop) store() *postgres.Store { return s.app.db.Store(s.id, s.epoch) }

// identify asks the shop who it is, pins that, and sees to it that the rules by which orders count are the configured
// ones. The report tells what the key may do.
func (s *shop) identify(ctx context.Context) (connectors.Report, error) {
	report, err := s.source.Check(ctx)
	if err != nil {
		return report, err
	}
	identity := report.Shop
	if s.cfg.TimeZone != "" {
		identity.TimeZone = s.cfg.TimeZone
	}
	if identity.Currency == "" {
		// Every amount would be in a foreign currency, and everybody would leave their segment.
		return report, &connectors.Error{
			Kind: connectors.KindPermanent, Op: "shop", Err: errors.New("the shop names no currency; what is stored is kept"),
			Remedy: "set the currency in the shop's settings",
		}
	}
	if err := s.app.db.SetShop(ctx, s.id, identity); err != nil {
		return report, err
	}
	if _, err := s.app.db.SavePolicy(ctx, s.id, s.policy(identity.Currency)); err != nil {
		return report, databaseFailure("policy", err)
	}
	return report, nil
}

// location is the shop's time zone as far as the database knows it; UTC before the first contact.
func (s *shop) location(ctx context.Context) (*time.Location, error) {
	facts, err := s.store().Shop(ctx)
	if err != nil {
		return nil, databaseFailure("shop", err)
	}
	return facts.Location, nil
}
