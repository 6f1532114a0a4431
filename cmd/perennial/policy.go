package main

import (
	"maps"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/activation"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// policy is what decides how orders count, as configured.
func (s *shop) policy(currency string) postgres.Policy {
	policy := postgres.Policy{
		Statuses:        statuses(s.factory, s.cfg),
		Revenue:         s.cfg.Revenue,
		IncludeTax:      s.cfg.IncludeTax,
		IncludeShipping: s.cfg.IncludeShipping,
		Currency:        currency,
	}
	for _, email := range s.cfg.SharedEmails {
		policy.SharedEmails = append(policy.SharedEmails, commerce.Email(email))
	}
	for _, rate := range s.cfg.Rates {
		policy.Rates = append(policy.Rates, postgres.Rate(rate))
	}
	return policy
}

// statuses is the connector's table of order statuses, with the owner's own list of purchases over it.
func statuses(factory connectors.Factory, store config.Store) map[string]bool {
	table := maps.Clone(factory.Statuses)
	if table == nil {
		table = map[string]bool{}
	}
	if len(store.PurchaseStatuses) == 0 {
		return table
	}
	for status := range table {
		table[status] = false
	}
	for _, status := range store.PurchaseStatuses {
		table[status] = true
	}
	return table
}

// consentMode is the mode in the configuration; people already subscribed in the e-mail platform by default.
func consentMode(store config.Store) activation.ConsentMode {
	if store.Consent == "" {
		return activation.ConsentPlatform
	}
	return activation.ConsentMode(store.Consent)
}

// analysisOptions are the rules of scoring and grouping as configured, by the shop's clock.
func (s *shop) analysisOptions() (analysis.Options, error) {
	options, err := analysisOptions(s.cfg)
	options.Now = s.app.now
	return options, err
}
