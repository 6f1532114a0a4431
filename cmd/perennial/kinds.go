package main

import (
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/all"
)

// isSource is a shop.
func isSource(f connectors.Factory) bool { return f.NewSource != nil && !f.Reviews }

// isReviewer is a review platform.
func isReviewer(f connectors.Factory) bool { return f.NewSource != nil && f.Reviews }

// isMailer is a destination that is not a shop writing its own tags.
func isMailer(f connectors.Factory) bool { return f.NewDestination != nil && !f.WritesBack() }

// kinds lists the names of the connectors that pass.
func kinds(pass func(connectors.Factory) bool) string {
	var names []string
	for _, factory := range all.Factories() {
		if pass(factory) {
			names = append(names, factory.Kind)
		}
	}
	return strings.Join(names, ", ")
}
