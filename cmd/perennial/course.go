package main

import (
	"context"

	"github.com/perennial-cvo/perennial/analysis"
)

// courseStep counts anew where customers go next, for every scheme of which another week or month is over; else it does
// nothing and leaves no line in the ledger.
func (s *shop) courseStep(ctx context.Context) error {
	rules, err := s.store().Rules(ctx)
	if err != nil {
		return databaseFailure("rules of segments", err)
	}
	due := map[string]analysis.Course{}
	for _, scheme := range analysis.ChartedSchemes() {
		if rules[scheme] == "" {
			continue
		}
		course, ok, err := s.course(ctx, scheme, rules[scheme])
		if err != nil {
			return databaseFailure("where customers go next", err)
		}
		if ok {
			due[scheme] = course
		}
	}
	if len(due) == 0 {
		return nil
	}
	return s.step(ctx, "course", func(ctx context.Context) (map[string]int, error) {
		counts := map[string]int{}
		for scheme, course := range due {
			if err := s.store().SaveCourse(ctx, course); err != nil {
				return nil, err
			}
			counts[scheme+"_steps"] = len(course.Days) - 1
		}
		s.line("where customers go next, counted anew in %s", of(len(due), "set"))
		return counts, nil
	})
}

// course counts the course of one scheme, where a step is due.
func (s *shop) course(ctx context.Context, scheme, rule string) (analysis.Course, bool, error) {
	definitions, err := analysis.Definitions(scheme, rule)
	if err != nil {
		return analysis.Course{}, false, err
	}
	var states []string
	for _, d := range definitions {
		states = append(states, d.ID)
	}
	standing, ok, err := s.store().Course(ctx, scheme)
	if err != nil {
		return analysis.Course{}, false, err
	}
	if !ok {
		return analysis.Chart(ctx, s.store(), scheme, states, nil)
	}
	return analysis.Chart(ctx, s.store(), scheme, states, &standing)
}
