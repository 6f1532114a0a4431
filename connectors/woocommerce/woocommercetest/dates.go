package woocommercetest

import (
	"regexp"
	"strings"
	"time"
)

var dateForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?$`)

// span is the window of time that a list was asked for; every bound is exclusive and may be zero.
type span struct {
	after, before, modifiedAfter, modifiedBefore time.Time
}

// covers compares as the shop does: to the second, without the bounds themselves.
func (p span) covers(created, modified time.Time) bool {
	return outside(created, p.after, p.before) && outside(modified, p.modifiedAfter, p.modifiedBefore)
}

func outside(t, after, before time.Time) bool {
	return (after.IsZero() || t.After(after)) && (before.IsZero() || t.Before(before))
}

// span reads the date filters of orders, refunds, products and coupons.
func (s *Server) span(c *call) (span, *answer) {
	var p span
	gmt := c.query.Get("dates_are_gmt")
	switch gmt {
	case "", "true", "false", "1", "0":
	default:
		return p, invalid("dates_are_gmt", "rest_invalid_type", "dates_are_gmt is not of type boolean.")
	}
	isGMT := gmt == "true" || gmt == "1"
	for name, at := range map[string]*time.Time{"after": &p.after, "before": &p.before, "modified_after": &p.modifiedAfter, "modified_before": &p.modifiedBefore} {
		text := c.query.Get(name)
		if text == "" {
			continue
		}
		t, ok := s.date(text, isGMT)
		if !ok {
			return p, invalid(name, "rest_invalid_date", "Invalid date.")
		}
		*at = t
	}
	if s.quirk().ignoreDates {
		return span{}, nil
	}
	return p, nil
}

// date reads one bound. A zone suffix together with dates_are_gmt goes wrong as in real shops: the moment is turned into
// the shop's wall clock, which is then taken for UTC.
func (s *Server) date(text string, gmt bool) (time.Time, bool) {
	if !dateForm.MatchString(text) {
		return time.Time{}, false
	}
	text = strings.Replace(text, " ", "T", 1)
	loc := s.shop.Location()
	if t, err := time.Parse(time.RFC3339, text); err == nil { // fractions are read and cut
		t = t.Truncate(time.Second)
		if gmt {
			t, _ = time.Parse(wallClock, t.In(loc).Format(wallClock)) //nolint:errcheck // just formatted
		}
		return t, true
	}
	if gmt {
		loc = time.UTC
	}
	t, err := time.ParseInLocation(wallClock, text[:len(wallClock)], loc)
	return t, err == nil
}
