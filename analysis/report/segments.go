package report

import (
	"io"
)

// Segments writes what each segment means, what to do about it and who is in it.
func Segments(w io.Writer, s Segmentation, width int, colour bool) error {
	p := newPage(w, width, colour)
	if s.AsOf.IsZero() {
		p.say(dim, "", "Nothing was analysed yet, so nobody is in a segment so far.")
	} else {
		p.gap(s.Incomplete)
		p.say(bold, "", "%s: segments as of %s, %s revenue in %s", s.Store, s.Day, s.Basis, s.Currency)
		p.say(dim, "", "%s %s", s.Rule, s.Note)
	}
	for _, r := range s.Rows {
		p.heading("%s (%s)", r.Name, r.ID)
		if !s.AsOf.IsZero() {
			p.say(plain, "  ", "%s, %s of all; %s revenue, %s of all.",
				of(r.Customers, "customer", "customers"), percent(r.CustomerShare), Money(r.Revenue, s.Currency), percent(r.RevenueShare))
		}
		p.say(plain, "  ", "%s", r.Meaning)
		p.say(green, "  > ", "%s", r.Action)
	}
	return p.done("segments")
}
