package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// isConfigured reports whether the shop still has a destination of this name.
func (s *shop) isConfigured(destination string) bool {
	if destination == ownTags {
		return s.cfg.Tags
	}
	return slices.ContainsFunc(s.cfg.Destinations, func(d config.Destination) bool { return d.Name == destination })
}

// left says where something of ours stands that no push reaches any more, because the configuration lost the destination
// or gave the shop another name, and how to take it back.
func (s *shop) left(ctx context.Context, deliveries []report.Delivery) ([]string, error) {
	var all []string
	for _, d := range deliveries {
		if s.isConfigured(d.Destination) {
			continue
		}
		what, remedy := fmt.Sprintf("%q is not in the configuration any more", d.Destination), "put it back"
		if d.Destination == ownTags {
			what, remedy = "The shop's own tags are switched off", "set tags = true"
		}
		all = append(all, fmt.Sprintf("%s, and what was delivered there to %d people still stands, unsubscribed or not. To take it back: %s, and perennial purge --yes --store %s --to %s",
			what, d.Delivered, remedy, s.cfg.Name, d.Destination))
	}
	stores, err := s.app.db.Stores(ctx)
	if err != nil {
		return nil, databaseFailure("stores", err)
	}
	if name, was := formerName(stores, s.cfg.Name, s.app.cfg.Stores); was {
		all = append(all, fmt.Sprintf("The database knows this shop by the name %q too, which is not in the configuration any more. If you renamed it: "+
			"what was delivered under that name is forgotten under this one, so put the old name back, or purge under it first", name))
	}
	return all, nil
}

// formerName finds another name under which the same shop is stored, and which the configuration does not know.
func formerName(stores []postgres.StoreInfo, name string, configured []config.Store) (string, bool) {
	identity := ""
	for _, known := range stores {
		if known.Name == name {
			identity = known.Shop.Identity
		}
	}
	for _, known := range stores {
		inUse := slices.ContainsFunc(configured, func(c config.Store) bool { return c.Name == known.Name })
		if identity != "" && known.Shop.Identity == identity && !inUse {
			return known.Name, true
		}
	}
	return "", false
}
