package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/rfm"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/config"
)

// misconfigured is a part of a store's configuration that the analysis does not take.
func misconfigured(cfg config.Store, part string, err error) error {
	return fail(exitUsage, fmt.Sprintf("configuration: store %s: %s", cfg.Name, part), "", err)
}

// analysisOptions are the rules of scoring and grouping as configured, checked, without a clock.
func analysisOptions(cfg config.Store) (analysis.Options, error) {
	options := analysis.Options{
		Rule: rfm.Rule{
			Convention: rfm.Convention(cfg.RFM.Convention),
			Bins:       cfg.RFM.Bins,
			Recency:    cfg.RFM.Recency,
			Frequency:  cfg.RFM.Frequency,
		},
		Preset:    cfg.RFM.Preset,
		Segments:  cfg.RFM.Segments,
		Basis:     analysis.Basis(cfg.Revenue),
		Lifecycle: lifecycle(cfg),
		Own:       ownSegments(cfg),
	}
	for _, text := range cfg.RFM.Monetary {
		amount, err := decimal.NewFromString(text)
		if err != nil {
			return analysis.Options{}, fail(exitUsage, fmt.Sprintf("configuration: store %s: rfm.monetary: %q", cfg.Name, text), "give amounts such as \"49.90\"", nil)
		}
		options.Rule.Monetary = append(options.Rule.Monetary, amount.Shift(4).Round(0).IntPart())
	}
	preset, err := segment.FindPreset(cfg.RFM.Preset)
	if err != nil {
		return analysis.Options{}, misconfigured(cfg, "rfm", err)
	}
	if _, err := preset.Map().With(cfg.RFM.Segments); err != nil {
		return analysis.Options{}, misconfigured(cfg, "rfm.segments", err)
	}
	if err := options.Rule.Check(); err != nil {
		return analysis.Options{}, misconfigured(cfg, "rfm", err)
	}
	if err := options.Lifecycle.Check(); err != nil {
		return analysis.Options{}, misconfigured(cfg, "lifecycle", err)
	}
	_, err = ownRules(cfg)
	return options, err
}

func lifecycle(cfg config.Store) segment.Lifecycle {
	l := cfg.Lifecycle
	return segment.Lifecycle{Interval: l.Interval, Slipping: l.Slipping, Lapsed: l.Lapsed, Lost: l.Lost}
}

func ownSegments(cfg config.Store) []segment.Own {
	var own []segment.Own
	for _, s := range cfg.Segments {
		own = append(own, segment.Own{ID: s.ID, Name: s.Name, Rule: s.Rule, Action: s.Action})
	}
	return own
}

// ownRules compiles the owner's segments. The error names each that is wrong, with line and column of its rule.
func ownRules(cfg config.Store) ([]segment.Definition, error) {
	preset, err := segment.FindPreset(cfg.RFM.Preset)
	if err != nil {
		return nil, misconfigured(cfg, "rfm", err)
	}
	rules, err := segment.CompileAll(ownSegments(cfg), preset.Keys())
	if err != nil {
		return nil, fail(exitUsage, fmt.Sprintf("configuration: store %s", cfg.Name), "docs/segments.md says what a rule can ask about", err)
	}
	var own []segment.Definition
	var taken []error
	names := builtInNames(preset)
	for _, rule := range rules {
		if names[strings.ToLower(rule.Name)] {
			taken = append(taken, fmt.Errorf("segment %q: the name %q is that of another audience", rule.ID, rule.Name))
		}
		names[strings.ToLower(rule.Name)] = true
		own = append(own, rule.Definition)
	}
	if err := errors.Join(taken...); err != nil {
		return nil, fail(exitUsage, fmt.Sprintf("configuration: store %s", cfg.Name), "give it a name of its own", err)
	}
	return own, nil
}

// builtInNames are the names of all audiences that a shop with this preset can have beside the owner's, in small letters.
func builtInNames(preset segment.Preset) map[string]bool {
	names := map[string]bool{}
	for _, audience := range everyGroup(preset) {
		names[strings.ToLower(audience.Name)] = true
	}
	for scheme, groups := range map[string][]segment.Definition{
		segment.SchemeLifecycle: segment.Stages(), segment.SchemeTier: segment.Tiers(), segment.SchemeChurn: segment.ChurnBands().Definitions(),
	} {
		for _, d := range groups {
			names[strings.ToLower(audienceName(scheme, d))] = true
		}
	}
	return names
}

// worthOptions say what to appraise, as configured.
func worthOptions(cfg config.Store) analysis.WorthOptions {
	o := analysis.WorthOptions{Horizon: cmp.Or(cfg.Worth.Horizon, analysis.DefaultHorizon), AnnualRate: analysis.DefaultAnnualRate}
	if rate := cfg.Worth.DiscountRate; rate != nil {
		if o.AnnualRate = *rate; *rate == 0 {
			o.AnnualRate = -1 // nothing; zero would be the usual rate
		}
	}
	return o
}
