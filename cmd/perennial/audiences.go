package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// audienceSet are the audiences of one scheme, or all of the owner's own.
type audienceSet struct {
	word      string // that stands for the whole set in the configuration
	audiences []connectors.Audience
}

// audienceSets are all audiences that a shop has.
type audienceSets struct {
	sets      []audienceSet
	preset    segment.Preset        // of the RFM groups in use, with as many as are in use
	possible  []connectors.Audience // RFM groups of the configured preset that may come into use
	prospects string                // key of the group of people who never ordered, if any; it is no part of its set
}

// audienceSets are those of the last analysis; before the first one, those that are configured.
func (s *shop) audienceSets(ctx context.Context) (audienceSets, error) {
	rules, err := s.store().Rules(ctx)
	if err != nil {
		return audienceSets{}, databaseFailure("rules of segments", err)
	}
	return newAudienceSets(s.cfg, rules[analysis.SchemeRFM])
}

// newAudienceSets makes them of the configuration and the rule by which RFM groups were last made, if any.
func newAudienceSets(cfg config.Store, rule string) (audienceSets, error) {
	configured, err := segment.FindPreset(cfg.RFM.Preset)
	if err != nil {
		return audienceSets{}, misconfigured(cfg, "rfm", err)
	}
	a := audienceSets{preset: configured, possible: everyGroup(configured)}
	last := analysis.Rule{}
	if rule != "" {
		if last, err = analysis.ParseRule(rule); err != nil {
			return a, err
		}
		if a.preset, err = segment.FindPreset(last.Preset); err != nil {
			return a, err
		}
	}
	a.preset = a.preset.With(last.Groups)
	own, err := ownRules(cfg)
	if err != nil {
		return a, err
	}
	a.prospects = a.preset.Prospects
	a.add(analysis.SchemeRFM, a.preset.Groups)
	a.add(segment.SchemeLifecycle, segment.Stages())
	a.add(segment.SchemeTier, segment.Tiers())
	a.add(segment.SchemeChurn, segment.ChurnBands().Definitions())
	a.add(segment.SchemeOwn, own)
	return a, nil
}

// everyGroup are the audiences of a preset, and of the groups that small shops get in their place.
func everyGroup(preset segment.Preset) []connectors.Audience {
	var all []connectors.Audience
	for _, groups := range []int{0, 4, 2, 1} { // 0: all of them
		for _, d := range preset.With(groups).Groups {
			if !slices.ContainsFunc(all, func(a connectors.Audience) bool { return a.Key == d.ID }) {
				all = append(all, connectors.Audience{Key: d.ID, Name: d.Name})
			}
		}
	}
	return all
}

func (a *audienceSets) add(scheme string, groups []segment.Definition) {
	set := audienceSet{word: scheme}
	for _, d := range groups {
		set.audiences = append(set.audiences, connectors.Audience{Key: segment.Key(scheme, d.ID), Name: audienceName(scheme, d)})
	}
	a.sets = append(a.sets, set)
}

// audienceName is the name of an audience for people. Stages and RFM groups have names in common.
func audienceName(scheme string, d segment.Definition) string {
	if scheme == segment.SchemeLifecycle {
		return "Lifecycle: " + d.Name
	}
	return d.Name
}

// wanted are the audiences that a destination gets: by key, by the word of a whole set, and where nothing is asked for, the
// RFM groups and the owner's segments. The group of people who never ordered comes only by its key: there may be many more
// of them than customers.
func (a audienceSets) wanted(asked []string) []connectors.Audience {
	if len(asked) == 0 {
		asked = []string{analysis.SchemeRFM, segment.SchemeOwn}
	}
	var wanted []connectors.Audience
	for _, set := range a.sets {
		whole := slices.Contains(asked, set.word)
		for _, audience := range set.audiences {
			if slices.Contains(asked, audience.Key) || whole && (audience.Key != a.prospects || a.prospects == "") {
				wanted = append(wanted, audience)
			}
		}
	}
	return wanted
}

// words are everything that can be asked for: sets, and the keys of audiences that are in use or may come into use.
func (a audienceSets) words() []string {
	var words, keys []string
	for _, set := range a.sets {
		words = append(words, set.word)
		for _, audience := range set.audiences {
			keys = append(keys, audience.Key)
		}
	}
	for _, audience := range a.possible {
		if !slices.Contains(keys, audience.Key) {
			keys = append(keys, audience.Key)
		}
	}
	return append(words, keys...)
}

// checkDestinations refuses audiences and attributes that there are not, before anything is read or worked out.
func checkDestinations(cfg config.Store) error {
	sets, err := newAudienceSets(cfg, "")
	if err != nil {
		return err
	}
	for _, destination := range cfg.Destinations {
		if err := sets.check(cfg, destination); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(cfg.Holdout)) {
		if !slices.Contains(sets.words(), key) {
			return fail(exitUsage, fmt.Sprintf("configuration: store %s: holdout: unknown audience %q", cfg.Name, key),
				"there are "+strings.Join(sets.words(), ", "), nil)
		}
	}
	return checkNames(cfg)
}

// checkNames refuses names for attributes that there are not, and names that are other attributes' keys: a value would be
// taken for another, and in a shop that knows types it would not fit.
func checkNames(cfg config.Store) error {
	known := activation.Attributes()
	for _, key := range slices.Sorted(maps.Keys(cfg.Attributes)) {
		switch name := cfg.Attributes[key]; {
		case !slices.Contains(known, key):
			return fail(exitUsage, fmt.Sprintf("configuration: store %s: attributes: unknown attribute %q", cfg.Name, key), "there are "+strings.Join(known, ", "), nil)
		case name != key && slices.Contains(known, name):
			return fail(exitUsage, fmt.Sprintf("configuration: store %s: attributes: %s cannot be called %q, which is another attribute", cfg.Name, key, name), "choose another name", nil)
		}
	}
	return nil
}

// check refuses what a destination asks for and cannot get.
func (a audienceSets) check(cfg config.Store, destination config.Destination) error {
	for _, wish := range []struct {
		what         string
		asked, known []string
	}{{"audience", destination.Audiences, a.words()}, {"attribute", destination.Attributes, activation.Attributes()}} {
		for _, word := range wish.asked {
			if !slices.Contains(wish.known, word) {
				return fail(exitUsage, fmt.Sprintf("configuration: store %s: destination %s: unknown %s %q", cfg.Name, destination.Name, wish.what, word),
					"there are "+strings.Join(wish.known, ", "), nil)
			}
		}
	}
	return nil
}

// direct fills in the part of a target that is about audiences.
func (a audienceSets) direct(target *activation.Target, asked []string) {
	target.Audiences, target.Prospects = a.wanted(asked), a.prospects
	target.Names = map[string]string{}
	for _, d := range a.preset.Groups {
		target.Names[d.ID] = d.Name
	}
}

// knows says whether an audience that is in use or may come into use has this key or name.
func (a audienceSets) knows(name string) bool {
	return knows(a.possible, name) || slices.ContainsFunc(a.sets, func(set audienceSet) bool { return knows(set.audiences, name) })
}

func knows(audiences []connectors.Audience, name string) bool {
	return slices.ContainsFunc(audiences, func(a connectors.Audience) bool {
		return name == a.Key || strings.EqualFold(name, a.Name)
	})
}
