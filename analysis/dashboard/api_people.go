package dashboard

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// errAudience is about a key that no audience has.
var errAudience = errors.New("no audience has this key")

// How many people the API lists at once.
const (
	usualList = 100
	longList  = 1000
)

// peopleList is one page of people.
type peopleList struct {
	People []listedPerson `json:"people"`
	Next   string         `json:"next,omitempty"` // cursor of the next page; left out on the last
}

// listedPerson writes the days of a row, which are no moments.
type listedPerson struct {
	report.PersonRow
	FirstDay string `json:"first_day,omitempty"`
	LastDay  string `json:"last_day,omitempty"`
}

// tellPeople lists everybody who has bought, or who is found by an address or account.
func tellPeople(r *http.Request, v *view) (any, error) {
	return listPeople(r, v, report.Crowd{Search: r.URL.Query().Get("search")})
}

// tellAudience lists the people in an audience.
func tellAudience(r *http.Request, v *view) (any, error) {
	key := r.PathValue("audience")
	is := func(row report.SegmentRow) bool { return row.Audience == key }
	known := slices.ContainsFunc(v.Report.Segments.Rows, is) ||
		slices.ContainsFunc(v.Report.Sets, func(s report.Set) bool { return slices.ContainsFunc(s.Rows, is) })
	if !known {
		return nil, errAudience
	}
	return listPeople(r, v, report.Crowd{Audience: key})
}

// listPeople reads a page of people.
func listPeople(r *http.Request, v *view, c report.Crowd) (any, error) {
	var err error
	if c.Limit, err = whole(r, "limit", usualList, 1, longList); err != nil {
		return nil, err
	}
	c.Cursor = r.URL.Query().Get("cursor")
	people, next, err := v.facts.People(r.Context(), c)
	if err != nil {
		return nil, err
	}
	page := peopleList{People: []listedPerson{}, Next: next}
	for _, p := range people {
		page.People = append(page.People, listedPerson{p, written(p.FirstDay), written(p.LastDay)})
	}
	return page, nil
}

// written is a local day in JSON; empty for none.
func written(day time.Time) string {
	if day.IsZero() {
		return ""
	}
	return day.Format(time.DateOnly)
}

// tellPerson tells of one person what `perennial explain --json` does.
func tellPerson(r *http.Request, v *view) (any, error) {
	id, err := strconv.ParseInt(r.PathValue("person"), 10, 64)
	if err != nil || id < 1 {
		return nil, askedError{"A person's id is a number; the lists of people have it."}
	}
	e, ok, err := report.CollectPersonByID(r.Context(), v.facts, id, v.Report)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errNobody
	}
	return e, nil
}
