package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// How people are listed.
const (
	pageOfPeople = 50
	attentive    = 160 * time.Millisecond // a page waits so long for people who are being looked for
)

// How much somebody may ask for: scores, and characters of a search.
const (
	highestScore  = 10
	longestSearch = 320
)

// gathering is what the page of people shows.
type gathering struct {
	Title    string // who they are, in words
	Size     *size  // nil where it was not counted
	Group    *report.SegmentRow
	Play     *segment.Play // the suggested campaign; nil where there is none
	People   []report.PersonRow
	First    string // address of the first page; empty on that
	Next     string // of the next page; empty on the last
	Search   string
	Names    map[string]string // of stages and segments, by audience key
	Counting bool              // it is not known yet
}

// size is how many people there are, by the figures that the board keeps.
type size struct {
	Customers int
	Share     float64 // of all customers, or of everybody known
	Revenue   decimal.Decimal
	Part      float64 // of the revenue
}

// people lists whoever is behind a figure, or leads to the one person that was searched for.
func (s *Server) people(r *http.Request, v *view) (any, error) {
	c, err := crowdOf(r, v)
	if err != nil {
		return nil, err
	}
	c.Limit = pageOfPeople
	page, ok, err := s.crowd(r, v, c)
	if err != nil {
		return nil, err
	}
	if !ok {
		v.Refresh = 2
	}
	found, next := page.people, page.next
	if c.Search != "" && c.Cursor == "" && len(found) == 1 {
		return nil, elsewhere(v.Link.Person(found[0].ID))
	}
	g := &gathering{Title: v.words(c), Size: v.size(c), People: found, Search: c.Search, Names: v.names(), Counting: !ok}
	query := r.URL.Query()
	query.Del("cursor")
	if c.Cursor != "" {
		g.First = v.Link.Page("people") + "?" + query.Encode()
	}
	if next != "" {
		query.Set("cursor", next)
		g.Next = v.Link.Page("people") + "?" + query.Encode()
	}
	if row, ok := v.group(c.Audience); ok {
		g.Group = &row
		if play, ok := segment.FindPlay(c.Audience); ok {
			g.Play = &play
		}
	}
	v.Title = g.Title
	return g, nil
}

// peopleSheet is the same as a table, as many as a spreadsheet takes.
func (s *Server) peopleSheet(r *http.Request, v *view) ([][]string, error) {
	c, err := crowdOf(r, v)
	if err != nil {
		return nil, err
	}
	c.Cursor, c.Limit = "", report.MostPeople
	page, err := gather(r.Context(), v.facts, c)
	if err != nil {
		return nil, err
	}
	rows := [][]string{{
		"person", "email", "account", "name", "segment", "recency", "frequency", "monetary", "stage", "tier", "churn_risk", "orders", "net",
		"first_order", "last_order", "predicted_value",
	}}
	for _, p := range page.people {
		value := ""
		if p.Value != nil {
			value = p.Value.String()
		}
		rows = append(rows, []string{
			fmt.Sprint(p.ID), p.Email, p.CustomerID, p.Name, p.Segment, some(p.R), some(p.F), some(p.M), p.Stage, p.Tier, p.Churn,
			fmt.Sprint(p.Orders), p.Net.String(), dayText(p.FirstDay), dayText(p.LastDay), value,
		})
	}
	return rows, nil
}

// some writes a score; there is none below one.
func some(score int) string {
	if score == 0 {
		return ""
	}
	return fmt.Sprint(score)
}

// dayText writes a local day, which is kept as midnight UTC.
func dayText(day time.Time) string {
	if day.IsZero() {
		return ""
	}
	return day.Format(time.DateOnly)
}

// crowdPage is a page of people, and the cursor of the next.
type crowdPage struct {
	people []report.PersonRow
	next   string
}

// crowdAsked is which page of which people, by which analysis.
type crowdAsked struct {
	report.Crowd // its move is the next field
	move         report.Move
	edition
}

// crowd is a page of people; ok is false where they are still being counted. In a large shop it takes seconds to find who moved
// within a year.
func (s *Server) crowd(r *http.Request, v *view, c report.Crowd) (page crowdPage, ok bool, err error) {
	if c.Search != "" || !v.Analysed() {
		page, err = gather(r.Context(), v.facts, c)
		return page, true, err
	}
	asked := crowdAsked{Crowd: c, edition: v.edition()}
	if c.Move != nil {
		asked.Move, asked.move = nil, *c.Move
	}
	b := s.boards[v.Shop]
	return b.crowds.get(r.Context(), asked, attentive, counter[crowdPage]{b.ctx, func(ctx context.Context) (crowdPage, error) {
		return gather(ctx, b.facts, c)
	}})
}

func gather(ctx context.Context, facts Facts, c report.Crowd) (crowdPage, error) {
	people, next, err := facts.People(ctx, c)
	if errors.Is(err, report.ErrCursor) {
		err = askedError{"The list has no such page. Begin at its first page."}
	}
	return crowdPage{people, next}, err
}

// crowdOf reads whom a request asks for.
func crowdOf(r *http.Request, v *view) (report.Crowd, error) {
	q := r.URL.Query()
	c := report.Crowd{Audience: q.Get("audience"), Search: strings.TrimSpace(q.Get("search")), Cursor: q.Get("cursor")}
	if _, ok := v.group(c.Audience); c.Audience != "" && !ok {
		return c, askedError{"There is no audience with the key " + shortened(c.Audience) + ". The page of segments lists those there are."}
	}
	if len(c.Search) > longestSearch || strings.ContainsRune(c.Search, 0) {
		return c, askedError{"A search is for one e-mail address or one account, whole."}
	}
	for name, score := range map[string]*int{"r": &c.R, "f": &c.F, "m": &c.M} {
		var err error
		if *score, err = whole(r, name, 0, 0, highestScore); err != nil {
			return c, err
		}
	}
	var err error
	c.Move, err = moveOf(r, v)
	return c, err
}

// shortened keeps somebody else's text within bounds.
func shortened(text string) string {
	const longest = 60
	if letters := []rune(text); len(letters) > longest {
		return string(letters[:longest]) + "…"
	}
	return text
}

// moveOf reads a move between two days; nil where none is asked for.
func moveOf(r *http.Request, v *view) (*report.Move, error) {
	q := r.URL.Query()
	if q.Get("before") == "" && q.Get("after") == "" {
		return nil, nil
	}
	m := &report.Move{Scheme: q.Get("scheme"), From: q.Get("from"), To: q.Get("to")}
	if m.Scheme == "" {
		m.Scheme = analysis.SchemeRFM
	}
	for name, day := range map[string]*time.Time{"before": &m.Before, "after": &m.After} {
		var err error
		if *day, err = time.Parse(time.DateOnly, q.Get(name)); err != nil {
			return nil, askedError{name + " must be a day such as 2026-03-21."}
		}
	}
	if !m.Before.Before(m.After) {
		return nil, askedError{"The first day must come before the second."}
	}
	for _, id := range []string{m.From, m.To} {
		if _, ok := v.group(segment.Key(m.Scheme, id)); id != "" && !ok {
			if _, known := segment.GroupOf(segment.Key(m.Scheme, id)); !known {
				return nil, askedError{"There is no segment " + shortened(id) + " in " + shortened(m.Scheme) + "."}
			}
		}
	}
	return m, nil
}

// group is the row of an audience in the report.
func (v *view) group(key string) (report.SegmentRow, bool) {
	all := v.Report.Segments.Rows
	for _, set := range v.Report.Sets {
		all = slices.Concat(all, set.Rows)
	}
	if i := slices.IndexFunc(all, func(r report.SegmentRow) bool { return r.Audience == key }); i >= 0 && key != "" {
		return all[i], true
	}
	return report.SegmentRow{}, false
}

// names are those of all groups, by audience key.
func (v *view) names() map[string]string {
	names := map[string]string{}
	for _, row := range v.Report.Segments.Rows {
		names[row.Audience] = row.Name
	}
	for _, set := range v.Report.Sets {
		for _, row := range set.Rows {
			names[row.Audience] = row.Name
		}
	}
	return names
}

// words says who is in a crowd.
func (v *view) words(c report.Crowd) string {
	var parts []string
	if row, ok := v.group(c.Audience); ok {
		parts = append(parts, row.Name)
	}
	for _, s := range []struct {
		name  string
		score int
	}{{"recency", c.R}, {"frequency", c.F}, {"monetary", c.M}} {
		if s.score != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", s.name, s.score))
		}
	}
	if m := c.Move; m != nil {
		parts = append(parts, fmt.Sprintf("from %s to %s between %s and %s", v.place(m.Scheme, m.From), v.place(m.Scheme, m.To), dayText(m.Before), dayText(m.After)))
	}
	if c.Search != "" {
		parts = append(parts, "found by "+c.Search)
	}
	if len(parts) == 0 {
		return "All customers"
	}
	return report.Capital(strings.Join(parts, ", "))
}

// place names a segment of a scheme, or that it is none.
func (v *view) place(scheme, id string) string {
	key := segment.Key(scheme, id)
	if row, ok := v.group(key); ok {
		return row.Name
	}
	if d, ok := segment.GroupOf(key); ok {
		return d.Name
	}
	return "nowhere"
}

// size is how many people a crowd has, where the report has counted it.
func (v *view) size(c report.Crowd) *size {
	all := v.Report.Segments
	scores := c.R != 0 || c.F != 0 || c.M != 0
	switch row, ok := v.group(c.Audience); {
	case c.Search != "" || c.Move != nil || ok && scores || !v.Analysed():
		return nil
	case ok:
		return &size{row.Customers, row.CustomerShare, row.Revenue, row.RevenueShare}
	case !scores:
		return &size{all.Customers, 1, all.Revenue, 1}
	}
	n := &size{}
	for _, cell := range v.Report.Grid {
		if (c.R == 0 || c.R == cell.R) && (c.F == 0 || c.F == cell.F) && (c.M == 0 || c.M == cell.M) {
			n.Customers += cell.Customers
			if all.Basis == analysis.Gross {
				n.Revenue = n.Revenue.Add(cell.Gross)
			} else {
				n.Revenue = n.Revenue.Add(cell.Net)
			}
		}
	}
	if all.Customers > 0 {
		n.Share = float64(n.Customers) / float64(all.Customers)
	}
	if all.Revenue.IsPositive() {
		n.Part, _ = n.Revenue.Div(all.Revenue).Float64()
	}
	return n
}
