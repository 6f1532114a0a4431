package report

import (
	"context"
	"fmt"

	"github.com/shopspring/decimal"
)

// Foretold is what the people of a segment are expected to spend within the horizon, all together.
type Foretold struct {
	Scheme, Segment string
	Value           decimal.Decimal
}

// appraise gathers what customers are worth: how that is foretold, and of each segment.
func (r *Report) appraise(ctx context.Context, facts Facts) error {
	worth, err := last(ctx, facts.Worth)
	if err != nil {
		return fmt.Errorf("worth: %w", err)
	}
	if worth == nil {
		return nil
	}
	r.Worth = &Appraisal{Worth: *worth, Day: day(worth.Day)}
	all, err := facts.Foretold(ctx)
	if err != nil {
		return fmt.Errorf("value foretold: %w", err)
	}
	for _, f := range all {
		for _, row := range r.rowsOf(setOf(f.Scheme)) {
			if row.ID == f.Segment {
				row.Foretold = &f.Value
			}
		}
	}
	return nil
}

// rowsOf are the segments of a set, to be filled in.
func (r *Report) rowsOf(set string) []*SegmentRow {
	rows := r.Segments.Rows
	if set != SetNames()[0] {
		rows = nil
		for i := range r.Sets {
			if r.Sets[i].Name == set {
				rows = r.Sets[i].Rows
			}
		}
	}
	all := make([]*SegmentRow, len(rows))
	for i := range rows {
		all[i] = &rows[i]
	}
	return all
}
