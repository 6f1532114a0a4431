package dashboard

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
)

// longestPeriod is how many days movement may be asked for.
const longestPeriod = 36_500

// movementPage is what the page of movement has of its own.
type movementPage struct {
	Set           string
	From, To      string // as they were asked for
	Sets, Periods []tab
	Counting      bool   // it is not known yet
	Missing       string // why there is nothing
	Movements     []report.Movement
}

// movement shows who went from where to where between two days.
func (s *Server) movement(r *http.Request, v *view) (any, error) {
	asked, err := askedMovement(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	p := &movementPage{Set: asked.Set, From: q.Get("from"), To: q.Get("to")}
	for _, name := range report.SetNames() {
		p.Sets = append(p.Sets, tab{report.SetTitle(name), v.Link.Page("movement", "set", name, "days", asked.Days, "from", p.From, "to", p.To), name == asked.Set})
	}
	chosen := !asked.From.IsZero() || !asked.To.IsZero()
	for _, period := range []struct {
		title string
		days  int
	}{{"Week", 7}, {"Month", 0}, {"90 days", 90}, {"Year", 365}} {
		p.Periods = append(p.Periods, tab{period.title, v.Link.Page("movement", "set", asked.Set, "days", period.days), !chosen && period.days == asked.Days})
	}
	if !v.Analysed() {
		return p, nil
	}
	found, ok, err := s.moved(r, v, asked, patient)
	if err != nil {
		return nil, err
	}
	if !ok {
		p.Counting, v.Refresh = true, 2
		return p, nil
	}
	if p.Movements = found; len(found) == 0 {
		p.Missing = report.MissingSet(asked.Set)
	}
	return p, nil
}

// moved is the movement asked for: that of the last month by RFM is in the report, any other is counted.
func (s *Server) moved(r *http.Request, v *view, asked report.Between, wait time.Duration) (all []report.Movement, ok bool, err error) {
	if m := v.Report.Movement; m != nil && asked == (report.Between{Set: m.Scheme}) {
		return []report.Movement{*m}, true, nil
	}
	b := s.boards[v.Shop]
	found, ok, err := b.moves.get(r.Context(), movesAsked{asked, v.edition()}, wait, b.movement(asked, v.Report.Overview))
	return found.Movements, ok, err
}

// movesAsked is which movement, by which analysis.
type movesAsked struct {
	report.Between
	edition
}

// movement counts a movement that the report does not have.
func (b *board) movement(asked report.Between, o report.Overview) counter[report.Movements] {
	return counter[report.Movements]{b.ctx, func(ctx context.Context) (report.Movements, error) {
		return report.MovementOf(ctx, b.facts, o, asked)
	}}
}

// askedMovement reads the set and the days out of a query.
func askedMovement(r *http.Request) (report.Between, error) {
	q := r.URL.Query()
	asked := report.Between{Set: analysis.SchemeRFM}
	if set := q.Get("set"); set != "" {
		asked.Set = set
	}
	if !slices.Contains(report.SetNames(), asked.Set) {
		return asked, askedError{"set must be one of " + strings.Join(report.SetNames(), ", ") + "."}
	}
	var err error
	if asked.Days, err = whole(r, "days", 0, 1, longestPeriod); err != nil {
		return asked, err
	}
	if asked.From, err = askedDay(r, "from"); err != nil {
		return asked, err
	}
	if asked.To, err = askedDay(r, "to"); err != nil {
		return asked, err
	}
	if !asked.From.IsZero() {
		asked.Days = 0
	}
	return asked, nil
}

// askedDay reads a day out of a query; it is zero where there is none.
func askedDay(r *http.Request, name string) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil || at.IsZero() {
		return time.Time{}, askedError{name + " must be a day such as 2026-03-21."}
	}
	return at, nil
}

// movementSheet is every move, those who stayed included.
func (s *Server) movementSheet(r *http.Request, v *view) ([][]string, error) {
	asked, err := askedMovement(r)
	if err != nil {
		return nil, err
	}
	rows := [][]string{{"scheme", "first_day", "last_day", "from", "from_name", "to", "to_name", "direction", "customers", "share", "net_revenue", "currency"}}
	if !v.Analysed() {
		return rows, nil
	}
	all, ok, err := s.moved(r, v, asked, downloading)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errCounting
	}
	for _, m := range all {
		for _, f := range m.Flows {
			rows = append(rows, []string{
				m.Scheme, m.From, m.To, f.From, f.FromName, f.To, f.ToName, string(f.Direction), strconv.Itoa(f.Customers), decimals(f.Share),
				f.Money.String(), v.Currency(),
			})
		}
	}
	return rows, nil
}
