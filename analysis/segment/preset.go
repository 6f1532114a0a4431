package segment

import (
	"fmt"
	"slices"
	"strings"
)

// Preset is a ready-made set of segments with a map from RFM scores to them.
type Preset struct {
	ID      string // as in the configuration, such as "shopify"
	Name    string // for people
	Meaning string // one line
	Bins    int    // how many scores there are in the original, 3 or 5; Map places any other number
	// Prospects is the segment of people without a counted order, who have no scores; empty where the preset has none.
	Prospects string
	Groups    []Definition // in the order in which they are shown; not to be changed
	// Reduced says in one sentence why fewer groups than the preset has are in use; empty where they are all there.
	Reduced string
	of      func(r, f, m int) string
}

// Map returns the map of the preset on the grid of fives. Every combination of scores belongs to exactly one of the groups.
func (p Preset) Map() Map { return fill(p.Groups, p.of) }

// Find returns the group with an id.
func (p Preset) Find(id string) (Definition, bool) {
	if i := indexIn(p.Groups, id); i >= 0 {
		return p.Groups[i], true
	}
	return Definition{}, false
}

// IDs returns the ids of the groups in their order.
func (p Preset) IDs() []string { return idsOf(p.Groups) }

// Keys returns the ids of its groups and of those that small shops get in their place: everything that can become of it.
func (p Preset) Keys() []string {
	ids := p.IDs()
	for _, r := range reduced {
		for _, d := range r.Groups {
			if !slices.Contains(ids, d.ID) {
				ids = append(ids, d.ID)
			}
		}
	}
	return ids
}

// presets are all that can be chosen, the default first.
var presets = []Preset{usual, shopify, klaviyo, omniconvert}

// Presets returns everything that can be chosen, the default first. The caller may change the slice.
func Presets() []Preset { return slices.Clone(presets) }

// FindPreset returns the preset with an id; the empty id is the default. The error lists what there is.
func FindPreset(id string) (Preset, error) {
	var known []string
	for _, p := range presets {
		if p.ID == id || id == "" {
			return p, nil
		}
		known = append(known, p.ID)
	}
	return Preset{}, fmt.Errorf("rfm preset %q: not one of %s", id, strings.Join(known, ", "))
}

// UsualPreset is the id of the default preset.
const UsualPreset = "usual"

// usual is the map of Default.
var usual = Preset{
	ID: UsualPreset, Name: "The usual eleven", Bins: Fives,
	Meaning: "The segments in common use among RFM tools, from Champions to Lost.",
	Groups:  definitions[:],
	of:      Default().at,
}

// PerGroup is how many customers there must be for each group of a preset, on average, for it to be used whole. Below that
// a group is a handful of people, and they change it at every order. This limit is the project's own choice.
const PerGroup = 10

// For returns the preset as a shop with so many customers should use it: whole where there are PerGroup customers for each
// of its groups, those without scores not counted; else the four, the two or the one group that there are enough for.
// Reduced then says so.
func (p Preset) For(customers int) Preset {
	if customers >= PerGroup*p.scored() {
		return p
	}
	groups := 1
	for _, r := range reduced {
		if customers >= PerGroup*len(r.Groups) {
			groups = len(r.Groups)
			break
		}
	}
	few := p.With(groups)
	few.Reduced = p.Why(groups, customers)
	return few
}

// Why says in a sentence why no more than 4, 2 or 1 groups are in use in a shop with so many customers.
func (p Preset) Why(groups, customers int) string {
	whole := p.scored()
	if groups == 1 {
		return fmt.Sprintf("One group, because there are only %d customers; two begin at %d, all %d of %q at %d.",
			customers, 2*PerGroup, whole, p.Name, PerGroup*whole)
	}
	return fmt.Sprintf("%d of the %d groups of %q, because there are only %d customers; all begin at %d, %d for each.",
		groups, whole, p.Name, customers, PerGroup*whole, PerGroup)
}

// With returns the preset with one of the smaller numbers of groups that For may choose: 4, 2 or 1. With any other number it
// is whole.
func (p Preset) With(groups int) Preset {
	for _, r := range reduced {
		if len(r.Groups) == groups && groups < p.scored() {
			p.Groups, p.of, p.Prospects = r.Groups, r.of, ""
		}
	}
	return p
}

// scored is how many groups are made of scores.
func (p Preset) scored() int {
	if p.Prospects != "" {
		return len(p.Groups) - 1
	}
	return len(p.Groups)
}

// reduced are what small shops get, the finest first.
var reduced = []Preset{
	{
		Groups: []Definition{
			{
				"loyal", "Loyal", "Bought lately, and more often or for more than most.",
				"Offer what goes with their favourites and a loyalty reward; ask what they would like to see.", Ours,
			},
			{
				"new_customers", "New Customers", "Bought lately, seldom and for little so far.",
				"Welcome them, help them get the most of the purchase, and suggest the next one early.", Ours,
			},
			{
				"at_risk", "At Risk", "Bought often or for good money, but longer ago than most.",
				"Write personally, ask what went wrong, and offer a reason to return.", Ours,
			},
			{
				"lost", "Lost", "Bought seldom and for little, longer ago than most.",
				"One last attempt to win them back, then leave them out of paid campaigns.", Ours,
			},
		},
		of: func(r, f, m int) string {
			switch recent, valuable := r >= 3, f+m >= 6; {
			case recent && valuable:
				return "loyal"
			case recent:
				return "new_customers"
			case valuable:
				return "at_risk"
			default:
				return "lost"
			}
		},
	},
	{
		Groups: []Definition{
			{
				"recent", "Recent", "Bought more lately than others.",
				"Thank them, and suggest what goes with what they bought.", Ours,
			},
			{
				"inactive", "Inactive", "Bought longer ago than others.",
				"Ask each why, and give them a reason to return.", Ours,
			},
		},
		of: func(r, _, _ int) string {
			if r >= 3 {
				return "recent"
			}
			return "inactive"
		},
	},
	{
		Groups: []Definition{{
			"customers", "Customers", "Everybody who ever bought: too few to tell groups apart.",
			"Talk to each of them; at this size it is worth more than any statistics.", Ours,
		}},
		of: func(_, _, _ int) string { return "customers" },
	},
}
