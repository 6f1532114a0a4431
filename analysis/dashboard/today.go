package dashboard

import (
	"net/http"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// today is what there is to see at a glance: everything on it comes from the report, as in the file.
func (s *Server) today(*http.Request, *view) (any, error) { return nil, nil }

// listedMoves is how many moves are told of each way.
const listedMoves = 4

// Moved is who went up, down, came and left since the first day of the movement.
func (v *view) Moved() *moved {
	m := v.Report.Movement
	if m == nil {
		return nil
	}
	out := &moved{Movement: *m}
	for direction, sum := range map[report.Direction]*tally{
		report.Up: &out.Up, report.Down: &out.Down, report.Came: &out.Came, report.Left: &out.Gone, report.Moved: &out.Aside,
	} {
		for _, f := range sum.add(m.Flows, direction) {
			sum.Most = append(sum.Most, move{moveWords(f), f.Money, v.Link.Page("people", "scheme", m.Scheme, "from", f.From, "to", f.To, "before", m.From, "after", m.To)})
		}
	}
	return out
}

// moveWords tells who went where.
func moveWords(f report.Flow) string {
	who := report.Count(f.Customers) + " " + f.FromName
	if f.From == "" {
		who = report.Of(f.Customers, "newcomer", "newcomers")
	}
	if f.To == "" {
		return who
	}
	return who + " became " + f.ToName
}

type moved struct {
	report.Movement
	Up, Down, Came, Gone, Aside tally
}

// Quiet says that nobody went anywhere.
func (m moved) Quiet() bool {
	return m.Up.Customers+m.Down.Customers+m.Came.Customers+m.Gone.Customers+m.Aside.Customers == 0
}

// tally is everybody who went one way.
type tally struct {
	Customers int
	Money     decimal.Decimal
	Most      []move // those with the most money
	Rest      int    // moves that are not listed
}

// move is one of the moves.
type move struct {
	Words   string
	Money   decimal.Decimal
	Address string // of the people who made it; empty in a file
}

// add counts everybody who went one way, and returns the moves to tell.
func (t *tally) add(flows []report.Flow, way report.Direction) []report.Flow {
	var most []report.Flow
	for _, f := range flows {
		if f.Direction == way {
			t.Customers, t.Money, most = t.Customers+f.Customers, t.Money.Add(f.Money), append(most, f)
		}
	}
	slices.SortStableFunc(most, func(a, b report.Flow) int { return b.Money.Cmp(a.Money) })
	t.Rest = max(0, len(most)-listedMoves)
	return most[:len(most)-t.Rest]
}

// stake is what people brought who may not come again.
type stake struct {
	People int
	Money  decimal.Decimal
	Share  float64             // of all revenue
	Stages []report.SegmentRow // slipping and lapsed: nobody is in both
	Groups []report.SegmentRow // of RFM, who are mostly the same people
}

// Stake is the money at stake; nil before the stages were worked out, and where nobody bought yet.
func (v *view) Stake() *stake {
	var s stake
	for _, set := range v.Report.Sets {
		if set.Name != segment.SchemeLifecycle {
			continue
		}
		for _, r := range set.Rows {
			if r.ID == segment.Slipping || r.ID == segment.Lapsed {
				s.Stages = append(s.Stages, r)
				s.People, s.Money = s.People+r.Customers, s.Money.Add(r.Revenue)
			}
		}
	}
	if s.Stages == nil || v.Report.Segments.Customers == 0 {
		return nil
	}
	for _, r := range v.Report.Segments.Rows {
		if slices.Contains(risky(), r.ID) && r.Customers > 0 {
			s.Groups = append(s.Groups, r)
		}
	}
	if all := v.Report.Segments.Revenue; all.IsPositive() {
		s.Share = s.Money.Div(all).InexactFloat64()
	}
	return &s
}

// risky are the RFM groups of all presets that brought much and stay away.
func risky() []string {
	return []string{"at_risk", "cannot_lose_them", "previously_loyal", "almost_lost", "about_to_dump_you", "ex_lovers"}
}

// AverageOrder is the revenue an order; nil where there was none.
func (v *view) AverageOrder() *decimal.Decimal {
	s := v.Report.Segments
	if s.Orders == 0 {
		return nil
	}
	average := s.Revenue.DivRound(decimal.NewFromInt(int64(s.Orders)), 4)
	return &average
}

// monthName writes a day as its month, such as "March 2026".
func monthName[D ~int32](d D) string { return analysis.Date(int(d)).Format("January 2006") }
