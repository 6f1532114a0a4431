package dashboard

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// segmentSet is one way in which people are divided, as a table.
type segmentSet struct {
	Name, Title, Rule string
	Many              string // what the people in it are called
	People            int    // in one of its segments; 0 where it overlaps
	Overlaps          bool
	Foretold          bool // what they are expected to spend is known of some
	Moves             bool // it is known who came and went in the last month
	Margins           bool // what is left of the revenue is known, about
	Rows              []segmentRow
}

// segmentRow is one segment with what a page tells of it beside the report.
type segmentRow struct {
	report.SegmentRow
	Play    *segment.Play // the campaign; nil where there is none
	In, Out int           // people who came from and went to other segments in the last month
	Margin  decimal.Decimal
}

// segments shows how people are divided. Everything it shows is in the report, for it stands in the file too.
func (s *Server) segments(*http.Request, *view) (any, error) { return nil, nil }

// SegmentSets are the sets of segments, that of RFM first.
func (v *view) SegmentSets() []segmentSet {
	if !v.Analysed() {
		return nil
	}
	s := v.Report.Segments
	rfm := segmentSet{Name: analysis.SchemeRFM, Rule: s.Rule, People: s.Customers}
	all := []segmentSet{v.segmentSet(rfm, s.Scored())}
	for _, set := range v.Report.Sets {
		all = append(all, v.segmentSet(segmentSet{Name: set.Name, Rule: set.Rule, People: set.Customers, Overlaps: set.Overlaps}, set.Rows))
	}
	return all
}

func (v *view) segmentSet(set segmentSet, rows []report.SegmentRow) segmentSet {
	set.Title = report.SetTitle(set.Name)
	_, set.Many = report.Members(set.Name)
	in, out := v.cameAndWent(set.Name)
	set.Moves = in != nil
	for _, r := range rows {
		row := segmentRow{SegmentRow: r, In: in[r.ID], Out: out[r.ID]}
		set.Foretold = set.Foretold || r.Foretold != nil
		if play, ok := segment.FindPlay(r.Audience); ok {
			row.Play = prosaic(play)
		}
		if w := v.Report.Worth; w != nil && w.Margin != nil {
			set.Margins = true
			row.Margin = r.Net.Mul(decimal.NewFromFloat(w.Margin.Rate))
		}
		set.Rows = append(set.Rows, row)
	}
	return set
}

// cameAndWent counts by segment who came from and went to others in the last month; nil where that is not known.
func (v *view) cameAndWent(set string) (in, out map[string]int) {
	m := v.Report.Movement
	if m == nil || m.Note != "" || m.Scheme != set {
		return nil, nil
	}
	in, out = map[string]int{}, map[string]int{}
	for _, f := range m.Flows {
		if f.From != f.To {
			in[f.To] += f.Customers
			out[f.From] += f.Customers
		}
	}
	return in, out
}

// prosaic is a campaign without the marks that set off what stands in a configuration.
func prosaic(p segment.Play) *segment.Play {
	for _, text := range []*string{&p.Goal, &p.Timing, &p.Message, &p.Offer, &p.Exit} {
		*text = strings.ReplaceAll(*text, "`", "")
	}
	return &p
}

// BasisWords says what revenue is.
func (v *view) BasisWords() string { return report.BasisWords(v.Report.Segments.Basis) }

// segmentSheet is all sets in one table.
func (s *Server) segmentSheet(_ *http.Request, v *view) ([][]string, error) {
	rows := [][]string{{
		"set", "segment", "name", "people", "share_of_people", "orders", "net_revenue", "gross_revenue", "revenue", "share_of_revenue",
		"average_order", "predicted_value", "came_last_month", "left_last_month", "currency",
	}}
	for _, set := range v.SegmentSets() {
		for _, r := range set.Rows {
			came, left, foretold := "", "", ""
			if r.Foretold != nil {
				foretold = r.Foretold.String()
			}
			if set.Moves {
				came, left = strconv.Itoa(r.In), strconv.Itoa(r.Out)
			}
			rows = append(rows, []string{
				set.Name, r.Audience, r.Name, strconv.Itoa(r.Customers), decimals(r.CustomerShare), strconv.Itoa(r.Orders), r.Net.String(),
				r.Gross.String(), r.Revenue.String(), decimals(r.RevenueShare), r.AverageOrder.String(), foretold, came, left, v.Currency(),
			})
		}
	}
	return rows, nil
}

// decimals writes a share or a mean for a spreadsheet.
func decimals(v float64) string { return decimal.NewFromFloat(v).Round(6).String() }
