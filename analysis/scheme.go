package analysis

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

// Definitions returns the segments of a scheme, in the order in which they are shown, from its name and the JSON of its rule.
func Definitions(scheme, rule string) ([]segment.Definition, error) {
	switch {
	case scheme == SchemeRFM:
		r, err := ParseRule(rule)
		if err != nil {
			return nil, err
		}
		preset, err := r.preset()
		return preset.Groups, err
	case scheme == segment.SchemeLifecycle:
		return segment.Stages(), nil
	case scheme == segment.SchemeTier:
		return segment.Tiers(), nil
	case scheme == segment.SchemeChurn:
		return segment.ChurnBands().Definitions(), nil
	case strings.HasPrefix(scheme, segment.SchemeOwn+":"):
		var own OwnRule
		if err := json.Unmarshal([]byte(rule), &own); err != nil {
			return nil, fmt.Errorf("rule of %s: %w", scheme, err)
		}
		return []segment.Definition{own.definition()}, nil
	default:
		return nil, fmt.Errorf("scheme %q: unknown", scheme)
	}
}

// OwnScheme is the name of the scheme of an owner's segment.
func OwnScheme(id string) string { return segment.SchemeOwn + ":" + id }

// OwnRule is the JSON of the scheme of an owner's segment.
type OwnRule struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Rule   string `json:"rule"`
	Action string `json:"action,omitempty"`
}

func (o OwnRule) definition() segment.Definition {
	return segment.Definition{ID: o.ID, Name: o.Name, Meaning: o.Rule, Action: o.Action, Origin: segment.Ours}
}

// TierRule is the JSON of the scheme of value tiers.
type TierRule struct {
	Cuts  []float64 `json:"cuts"`  // in ten-thousandths of the currency, ascending
	Basis string    `json:"basis"` // what of: TierSpent or TierWhole
}

// What tiers of value are made of.
const (
	TierSpent = "spent" // net revenue so far, where nothing is foretold yet
	TierWhole = "whole" // net revenue so far and the value expected over the horizon
)

// ChurnRule is the JSON of the scheme of churn bands.
type ChurnRule struct {
	Cuts []float64 `json:"cuts"` // of the probability to be gone
}

// preset is the preset of a rule, with as many groups as it had.
func (r Rule) preset() (segment.Preset, error) {
	preset, err := segment.FindPreset(r.Preset)
	if err != nil {
		return segment.Preset{}, err
	}
	return preset.With(r.Groups), nil
}
