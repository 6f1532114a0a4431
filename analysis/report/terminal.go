package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// stamp is how moments are written, in the shop's time zone.
const stamp = "2006-01-02 15:04"

// Terminal writes the report for people, as wide as the terminal allows: what an owner reads every week.
func Terminal(w io.Writer, r Report, width int, colour bool) error {
	return newPage(w, width, colour).report(r)
}

// Full writes the whole report for people: the rules behind the tables, cohorts, every audience, every comparison with naive
// forecasts too.
func Full(w io.Writer, r Report, width int, colour bool) error {
	p := newPage(w, width, colour)
	p.full = true
	return p.report(r)
}

func (p *page) report(r Report) error {
	loc := location(r.Overview)
	p.line(p.paint(bold, cells.Truncate(title(r.Overview), p.width, "…")))
	p.gap(r.Incomplete)
	p.say(dim, "", "Made %s, %s. %s", r.MadeAt.In(loc).Format(stamp), zone(r.Overview), people(r.Overview))
	p.segments(r.Segments)
	p.grid(r.Grid, r.Segments)
	p.sets(r.Sets, r.Segments.Currency)
	p.movement(r.Movement, r.Segments.Currency)
	p.next(r.Next)
	p.worth(r)
	p.retention(r)
	p.products(r)
	p.spread(r)
	p.trials(r)
	p.bridge(r)
	for _, d := range r.Deliveries {
		p.delivery(d, loc)
	}
	if p.full {
		p.quarantine(r.Quarantined, r.Overview.Quarantined)
	}
	if len(r.Warnings) > 0 {
		p.heading("Please note")
		for _, warning := range r.Warnings {
			p.say(yellow, "  ! ", "%s", warning)
		}
	}
	if !p.full && !r.Segments.AsOf.IsZero() {
		p.line("")
		p.say(dim, "", "More with `perennial report --full`: the rules behind the tables, cohorts, every audience. Everything with --json.")
	}
	return p.done("report")
}

func (p *page) done(what string) error {
	if p.err != nil {
		return fmt.Errorf("write %s: %w", what, p.err)
	}
	return nil
}

func title(o Overview) string {
	text := clean(o.Store)
	if o.Shop != "" && o.Shop != o.Store {
		text += ": " + clean(o.Shop)
	}
	if o.Platform != "" {
		text += " (" + clean(o.Platform) + ")"
	}
	return text
}

func zone(o Overview) string {
	if o.TimeZone == "" {
		return "UTC"
	}
	return o.TimeZone
}

func people(o Overview) string {
	if o.Guests == 0 {
		return Of(o.People, "person.", "people.")
	}
	return fmt.Sprintf("%s, of whom %s no account in the shop.", Of(o.People, "person", "people"), Of(o.Guests, "has", "have"))
}

// segments writes the table of segments with shares and bars.
func (p *page) segments(s Segmentation) {
	if s.AsOf.IsZero() {
		p.heading("Segments")
		p.say(plain, "  ", "None yet.")
		return
	}
	p.heading("Segments as of %s, %s revenue in %s", s.Day, s.Basis, s.Currency)
	s.Rows = s.Scored()
	rows := []row{{dim, []string{"", "customers", "", "revenue", "", "per order", ""}}}
	for _, r := range s.Rows {
		rows = append(rows, row{plain, []string{
			r.Name, Count(r.Customers), Percent(r.CustomerShare), Money(r.Revenue, s.Currency), Percent(r.RevenueShare),
			average(r.Orders, Money(r.AverageOrder, s.Currency)), "",
		}})
	}
	total := s.row(segment.Definition{}, Group{Orders: s.Orders, Gross: s.Revenue, Net: s.Revenue})
	rows = append(rows, row{bold, []string{
		"All", Count(s.Customers), "", Money(s.Revenue, s.Currency), "", average(s.Orders, Money(total.AverageOrder, s.Currency)), "",
	}})
	p.bars(s, rows)
	aligns := []align{left, right, right, right, right, right, left}
	if p.taken(rows) > p.width+2 { // the last column is empty then
		for i := range rows {
			rows[i].cells = rows[i].cells[:5]
		}
		aligns = aligns[:5]
	}
	p.table(aligns, rows)
	rule := ""
	if p.full {
		rule = s.Rule + " "
	}
	p.say(dim, "  ", "%sOrders placed before %s count. %s", rule, s.Day, BasisWords(s.Basis))
}

// bars fills the last column with bars of the share of revenue, as far as the page has room.
func (p *page) bars(s Segmentation, rows []row) {
	const longest, shortest = 20, 4
	taken := 0
	for i := range rows[0].cells {
		widest := 0
		for _, r := range rows {
			widest = max(widest, cells.StringWidth(r.cells[i]))
		}
		taken += widest + 2
	}
	room := min(p.width-taken, longest)
	if room < shortest {
		return
	}
	most := 0.0
	for _, r := range s.Rows {
		most = max(most, r.RevenueShare)
	}
	for i, r := range s.Rows {
		if most > 0 {
			rows[i+1].cells[len(rows[i+1].cells)-1] = bar(r.RevenueShare/most, room)
		}
	}
}

// Scored are the segments of customers, without that of people who have not bought: they stand among the stages.
func (s Segmentation) Scored() []SegmentRow {
	return slices.DeleteFunc(slices.Clone(s.Rows), func(r SegmentRow) bool { return r.ID == s.prospects })
}

func average(orders int, amount string) string {
	if orders == 0 {
		return "-"
	}
	return amount
}

// BasisWords says what revenue is.
func BasisWords(b analysis.Basis) string {
	if b == analysis.Gross {
		return "Gross revenue: goods less discounts, before refunds."
	}
	return "Net revenue: goods less discounts and refunds."
}

// bridge leads from the shop's own revenue to ours.
func (p *page) bridge(r Report) {
	if len(r.Bridge) == 0 || r.Overview.Currency == "" { // the shop was never asked who it is
		return
	}
	p.heading("From the shop's revenue to ours, orders before %s, in %s",
		r.BridgeAsOf.In(location(r.Overview)).Format(stamp), r.Overview.Currency)
	rows := []row{{dim, []string{"", "orders", "amount"}}}
	for _, b := range r.Bridge {
		look, orders := plain, ""
		if b.Sum {
			look = bold
		}
		if b.Orders != 0 {
			orders = Count(b.Orders)
		}
		label := b.Label
		if !b.Sum {
			label = "  " + label
		}
		rows = append(rows, row{look, []string{label, orders, Money(b.Amount, r.Overview.Currency)}})
	}
	p.table([]align{left, right, right}, rows)
}

// delivery writes what stands at one destination, and what was kept back and why.
func (p *page) delivery(d Delivery, loc *time.Location) {
	if d.PushedAt.IsZero() {
		p.heading("%s: nothing pushed yet", Where(d.Destination))
	} else {
		p.heading("%s: pushed %s", Where(d.Destination), d.PushedAt.In(loc).Format(stamp))
	}
	var rows []row
	if p.full {
		for _, a := range d.Audiences {
			rows = append(rows, row{plain, []string{a.Name, Count(a.Members)}})
		}
	} else if len(d.Audiences) > 0 {
		rows = append(rows, row{plain, []string{"Audiences", Count(len(d.Audiences))}})
	}
	rows = append(rows, row{bold, []string{"People delivered", Count(d.Delivered)}})
	if d.Waiting > 0 {
		rows = append(rows, row{plain, []string{"Waiting for the next push", Count(d.Waiting)}})
	}
	rows = append(rows, reasons("Withheld", d.Withheld)...)
	rows = append(rows, reasons("Refused", d.Refused)...)
	p.table([]align{left, right}, rows)
	if len(d.Held) > 0 {
		p.say(yellow, "  ! ", "The guard holds this push, but for people who unsubscribed; the notes below say what it would do and how to let it pass.")
	}
}

// Where names a destination for people.
func Where(destination string) string {
	if destination == "shop" {
		return "Shop tags"
	}
	return destination
}

// reasons lists counts by reason, the largest first.
func reasons(what string, counts map[string]int) []row {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		if a < b {
			return -1
		}
		return 1
	})
	var rows []row
	for _, name := range names {
		rows = append(rows, row{plain, []string{what + ": " + activation.ReasonFor(name, counts[name]), Count(counts[name])}})
	}
	return rows
}

// quarantine lists records that could not be read.
func (p *page) quarantine(list []Quarantined, total int) {
	if len(list) == 0 {
		return
	}
	p.heading("Records that could not be read")
	rows := []row{{dim, []string{"record", "reason", "tries"}}}
	for _, q := range list {
		rows = append(rows, row{plain, []string{q.Resource + " " + q.ID, q.Reason, Count(q.Tries)}})
	}
	p.table([]align{left, left, right}, rows)
	if total > len(list) {
		p.say(dim, "  ", "and %s more.", Count(total-len(list)))
	}
}
