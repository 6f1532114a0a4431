// Package all lists the built-in connectors. Adding one is a folder of its own and one line here.
package all

import (
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/brevo"
	"github.com/perennial-cvo/perennial/connectors/csvfile"
	"github.com/perennial-cvo/perennial/connectors/judgeme"
	"github.com/perennial-cvo/perennial/connectors/klaviyo"
	"github.com/perennial-cvo/perennial/connectors/listmonk"
	"github.com/perennial-cvo/perennial/connectors/mailchimp"
	"github.com/perennial-cvo/perennial/connectors/shopify"
	"github.com/perennial-cvo/perennial/connectors/webhook"
	"github.com/perennial-cvo/perennial/connectors/woocommerce"
	"github.com/perennial-cvo/perennial/connectors/yotpo"
)

// Factories returns the factory of every built-in connector, in the order in which they are offered to people.
func Factories() []connectors.Factory {
	return []connectors.Factory{
		woocommerce.New(),
		shopify.New(),
		csvfile.New(),
		listmonk.New(),
		klaviyo.New(),
		mailchimp.New(),
		brevo.New(),
		webhook.New(),
		judgeme.New(),
		yotpo.New(),
	}
}

// Find returns the factory of a kind as it is written in the configuration.
func Find(kind string) (connectors.Factory, bool) {
	for _, f := range Factories() {
		if f.Kind == kind {
			return f, true
		}
	}
	return connectors.Factory{}, false
}
