// Package all is the list of built-in connectors: one line each.
package all

import (
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/csvfile"
	"github.com/perennial-cvo/perennial/connectors/listmonk"
	"github.com/perennial-cvo/perennial/connectors/woocommerce"
)

// Factories returns every built-in connector.
func Factories() []connectors.Factory {
	return []connectors.Factory{
		woocommerce.New(),
		csvfile.New(),
		listmonk.New(),
	}
}

// Find returns the connector of a kind.
func Find(kind string) (connectors.Factory, bool) {
	for _, factory := range Factories() {
		if factory.Kind == kind {
			return factory, true
		}
	}
	return connectors.Factory{}, false
}
