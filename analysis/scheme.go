package analysis

import (
	"crypto/sha256"
	"encoding/hex"
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

// Note says in a sentence or two why fewer scores or groups are in use than there are; empty where all of them are.
func (r Rule) Note(customers int) string {
	note := r.Rule.Note(customers, r.Used)
	preset, err := segment.FindPreset(r.Preset)
	if err == nil && r.Bins == 0 && r.Used >= preset.Bins {
		note = "" // as many scores as the preset was made for
	}
	if err != nil || r.Groups == 0 {
		return note
	}
	reduced := preset.Why(r.Groups, customers)
	if note == "" {
		return reduced
	}
	return note + " " + reduced
}

// scheme names the rule by a hash of everything that decides membership, the whole map included, so that a change of the
// built-in map is a new version too.
func (r Rule) scheme(cells segment.Map) (Scheme, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return Scheme{}, fmt.Errorf("scheme rule: %w", err)
	}
	decisive := r
	decisive.Bins, decisive.Segments = r.Used, nil // what was asked for does not matter, what is used does
	key, err := json.Marshal(decisive)
	if err != nil {
		return Scheme{}, fmt.Errorf("scheme version: %w", err)
	}
	return Scheme{Name: SchemeRFM, Version: version(append(key, cells.String()...)), Rule: string(text)}, nil
}

// schemeOf names any other rule by a hash of its JSON.
func schemeOf(name string, rule any) (Scheme, error) {
	text, err := json.Marshal(rule)
	if err != nil {
		return Scheme{}, fmt.Errorf("rule of %s: %w", name, err)
	}
	return Scheme{Name: name, Version: version(text), Rule: string(text)}, nil
}

func version(of []byte) string {
	sum := sha256.Sum256(of)
	return hex.EncodeToString(sum[:6])
}

// groups sums up segments in their order, those without anybody included.
type groups struct {
	all   []Group
	index map[string]int
}

func newGroups(definitions []segment.Definition) groups {
	g := groups{index: map[string]int{}}
	for i, d := range definitions {
		g.all = append(g.all, Group{Segment: d.ID})
		g.index[d.ID] = i
	}
	return g
}

func (g groups) add(id string, c *Customer) {
	group := &g.all[g.index[id]]
	group.Customers++
	group.Orders += c.Orders
	group.Gross += c.Gross
	group.Net += c.Net
}
