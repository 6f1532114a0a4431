package main

import (
	"fmt"
	"maps"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/rfm"
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

// analysisOptions are the rules of scoring and grouping as configured.
func (s *shop) analysisOptions() (analysis.Options, error) {
	rule := rfm.Rule{
		Convention: rfm.Convention(s.cfg.RFM.Convention),
		Bins:       s.cfg.RFM.Bins,
		Recency:    s.cfg.RFM.Recency,
		Frequency:  s.cfg.RFM.Frequency,
	}
	for _, text := range s.cfg.RFM.Monetary {
		amount, err := decimal.NewFromString(text)
		if err != nil {
			return analysis.Options{}, fail(exitUsage, fmt.Sprintf("configuration: store %s: rfm.monetary: %q", s.cfg.Name, text), "give amounts such as \"49.90\"", nil)
		}
		rule.Monetary = append(rule.Monetary, amount.Shift(4).Round(0).IntPart())
	}
	if err := rule.Check(); err != nil {
		return analysis.Options{}, fail(exitUsage, fmt.Sprintf("configuration: store %s: rfm", s.cfg.Name), "", err)
	}
	return analysis.Options{
		Now:      s.app.now,
		Rule:     rule,
		Segments: s.cfg.RFM.Segments,
		Basis:    analysis.Basis(s.cfg.Revenue),
	}, nil
}
