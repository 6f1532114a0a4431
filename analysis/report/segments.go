package report

import (
	"io"

	"github.com/perennial-cvo/perennial/analysis"
)

// Segments writes what each segment means, what to do about it and who is in it, set by set.
func Segments(w io.Writer, s SegmentSets, width int, colour bool) error {
	p := newPage(w, width, colour)
	switch {
	case s.AsOf.IsZero():
		p.say(dim, "", "Nothing was analysed yet, so nobody is in a segment so far.")
	case s.set == "" || s.set == analysis.SchemeRFM:
		p.gap(s.Incomplete)
		p.say(bold, "", "%s: segments as of %s, %s revenue in %s", s.Store, s.Day, s.Basis, s.Currency)
		p.say(dim, "", "%s %s", s.Rule, s.Note)
	default:
		p.gap(s.Incomplete)
		p.say(bold, "", "%s: as of %s, %s revenue in %s", s.Store, s.Day, s.Basis, s.Currency)
	}
	p.blocks(s.Segmentation, analysis.SchemeRFM, s.Rows)
	for _, set := range s.Sets {
		p.heading("--- %s ---", set.Title)
		p.say(dim, "", "%s%s", set.Rule, overlap(set))
		p.blocks(s.Segmentation, set.Name, set.Rows)
	}
	if !s.AsOf.IsZero() && s.set != "" && s.set != analysis.SchemeRFM && len(s.Sets) == 0 {
		p.say(plain, "", "%s", MissingSet(s.set))
	}
	if len(s.inUse()) > 0 {
		p.line("")
		p.say(dim, "", "A campaign for each, with its key for one: `perennial segments --playbook KEY`")
	}
	return p.done("segments")
}

// MissingSet says why there is nothing of a set.
func MissingSet(name string) string {
	switch name {
	case "own":
		return "No segment of your own was worked out yet: they are defined under stores.segments in the configuration, and the next analysis finds who is in them."
	case "churn":
		return "Not worked out yet: the risk to be gone needs an appraisal of what customers are worth."
	default:
		return "Not worked out yet: the next analysis does it."
	}
}

func (p *page) blocks(s Segmentation, set string, rows []SegmentRow) {
	one, many := Members(set)
	for _, r := range rows {
		p.heading("%s (%s)", r.Name, r.Audience)
		switch {
		case s.AsOf.IsZero():
		case set == analysis.SchemeRFM && r.ID == s.prospects:
			p.say(plain, "  ", "%s beside the customers.", Of(r.Customers, "person", "people"))
		default:
			p.say(plain, "  ", "%s, %s of all; %s revenue, %s of all.",
				Of(r.Customers, one, many), Percent(r.CustomerShare), Money(r.Revenue, s.Currency), Percent(r.RevenueShare))
		}
		p.say(plain, "  ", "%s", r.Meaning)
		if r.Action != "" {
			p.say(green, "  > ", "%s", r.Action)
		}
	}
}
