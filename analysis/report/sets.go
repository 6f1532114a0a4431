package report

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// Set is how the last analysis divided people by something else than RFM.
type Set struct {
	Name      string `json:"name"`      // one of SetNames
	Title     string `json:"title"`     // for people
	Rule      string `json:"rule"`      // in words
	Customers int    `json:"customers"` // in one of its segments; 0 where it overlaps
	// Overlaps says that people are in any number of its segments: shares are of everybody known, and do not add up.
	Overlaps bool         `json:"overlaps"`
	Rows     []SegmentRow `json:"rows"`
}

// SetNames are the sets of segments, in the order in which they are shown.
func SetNames() []string {
	return []string{analysis.SchemeRFM, segment.SchemeLifecycle, segment.SchemeTier, segment.SchemeChurn, segment.SchemeOwn}
}

var setTitles = map[string]string{
	analysis.SchemeRFM: "RFM groups", segment.SchemeLifecycle: "Stages of the lifecycle", segment.SchemeTier: "Tiers of value",
	segment.SchemeChurn: "Risk to be gone", segment.SchemeOwn: "Your own segments",
}

// SetTitle is what one of SetNames is called.
func SetTitle(name string) string { return setTitles[name] }

// setOf is the set to which a scheme belongs.
func setOf(scheme string) string {
	name, _, _ := strings.Cut(scheme, ":")
	return name
}

// snapshots are those that the last analysis made, by scheme. A segment that the owner took out of the configuration has
// an older one, and is left out.
func snapshots(ctx context.Context, facts Facts) (map[string]Snapshot, error) {
	rules, err := facts.Rules(ctx)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	all, latest := map[string]Snapshot{}, Snapshot{}
	for scheme := range rules {
		s, err := facts.Groups(ctx, scheme)
		if err != nil {
			return nil, fmt.Errorf("segments: %w", err)
		}
		s.Scheme = scheme
		if all[scheme] = s; s.AsOf.After(latest.AsOf) {
			latest = s
		}
	}
	maps.DeleteFunc(all, func(_ string, s Snapshot) bool { return s.AsOf.Before(latest.AsOf) })
	return all, nil
}

// sets turns the snapshots beside that of RFM into sets.
func sets(all map[string]Snapshot, s Segmentation, overview Overview) ([]Set, error) {
	found := []Set{}
	for _, name := range SetNames()[1:] {
		set := Set{Name: name, Title: setTitles[name], Overlaps: name == segment.SchemeOwn}
		whole := Segmentation{Basis: s.Basis}
		for _, scheme := range slices.Sorted(maps.Keys(all)) {
			if setOf(scheme) != name {
				continue
			}
			definitions, err := analysis.Definitions(scheme, all[scheme].Rule)
			if err != nil {
				return nil, err
			}
			if set.Rule, err = ruleWords(scheme, all[scheme].Rule, s.Currency); err != nil {
				return nil, err
			}
			if set.Overlaps {
				whole.Customers, whole.Revenue = everybody(all, s, overview)
			} else {
				whole.sum(all[scheme].Groups)
			}
			set.Rows = append(set.Rows, whole.rows(scheme, definitions, all[scheme].Groups)...)
		}
		if len(set.Rows) == 0 {
			continue
		}
		if !set.Overlaps {
			set.Customers = whole.Customers
		}
		found = append(found, set)
	}
	return found, nil
}

// everybody is how many people are known, and what they brought: everybody has a stage.
func everybody(all map[string]Snapshot, s Segmentation, overview Overview) (people int, brought decimal.Decimal) {
	whole := Segmentation{Basis: s.Basis}
	if whole.sum(all[segment.SchemeLifecycle].Groups); whole.Customers > 0 {
		return whole.Customers, whole.Revenue
	}
	return overview.People, s.Revenue
}

// ruleWords says by which rule a scheme divides people.
func ruleWords(scheme, rule, currency string) (string, error) {
	switch setOf(scheme) {
	case segment.SchemeLifecycle:
		var l segment.Lifecycle
		if err := json.Unmarshal([]byte(rule), &l); err != nil {
			return "", fmt.Errorf("rule of the lifecycle: %w", err)
		}
		return fmt.Sprintf("An order is overdue after %g times the days expected of each person, long overdue after %g, beyond hope "+
			"after %g. The shop's usual gap is %s.", l.Slipping, l.Lapsed, l.Lost, days(l.Interval)), nil
	case segment.SchemeTier:
		var t analysis.TierRule
		if err := json.Unmarshal([]byte(rule), &t); err != nil {
			return "", fmt.Errorf("rule of the tiers: %w", err)
		}
		return fmt.Sprintf("Cut at %s: %s.", amounts(t.Cuts, currency), tierBasis(t.Basis)), nil
	case segment.SchemeChurn:
		var c analysis.ChurnRule
		if err := json.Unmarshal([]byte(rule), &c); err != nil {
			return "", fmt.Errorf("rule of the risk to be gone: %w", err)
		}
		var cuts []string
		for _, cut := range c.Cuts {
			cuts = append(cuts, Percent(cut))
		}
		return fmt.Sprintf("The probability to have stopped buying, cut at %s.", strings.Join(cuts, " and ")), nil
	default:
		return "A person may be in any number of them.", nil
	}
}

// tierBasis says what tiers are made of.
func tierBasis(basis string) string {
	if basis == analysis.TierWhole {
		return "net revenue so far and the value expected"
	}
	return "net revenue so far; nothing is foretold yet"
}

func days(n float64) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%.4g days", n)
}

// amounts lists cuts that are in ten-thousandths.
func amounts(cuts []float64, currency string) string {
	var all []string
	for _, cut := range cuts {
		all = append(all, Money(decimal.NewFromFloat(cut).Shift(-4), currency))
	}
	return strings.Join(all, ", ")
}

// sets writes every set as a table of who is in it.
func (p *page) sets(all []Set, currency string) {
	for _, set := range all {
		if set.Customers == 0 && !set.Overlaps {
			continue // nobody is anywhere yet
		}
		p.heading("%s", set.Title)
		_, many := Members(set.Name)
		rows := []row{{dim, []string{"", many, "", "revenue", ""}}}
		for _, r := range set.Rows {
			rows = append(rows, row{plain, []string{
				r.Name, Count(r.Customers), Percent(r.CustomerShare), Money(r.Revenue, currency), Percent(r.RevenueShare),
			}})
		}
		p.table([]align{left, right, right, right, right}, rows)
		switch {
		case p.full:
			p.say(dim, "  ", "%s%s", set.Rule, overlap(set))
		case set.Overlaps:
			p.say(dim, "  ", "Of everybody known; somebody may be in several.")
		}
	}
}

// Members is what the people in a set are called: in some there is who never bought.
func Members(set string) (one, many string) {
	if set == segment.SchemeLifecycle || set == segment.SchemeOwn {
		return "person", "people"
	}
	return "customer", "customers"
}

func overlap(s Set) string {
	if s.Overlaps {
		return " Shares are of everybody known."
	}
	return ""
}
