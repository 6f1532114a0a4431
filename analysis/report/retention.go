package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/retention"
)

// What the terminal shows; JSON has everything.
const (
	shownPeriods = 12
	shortPeriods = 6  // in short
	shownKeys    = 10 // with the most newcomers, and behind them those that stand out
	mostKeys     = 20
	// youngShop is until how many days after its first order a shop is shown by weeks.
	youngShop = 183
	// Of fewer customers or pauses no more is said than that.
	fewCustomers, fewPauses = 10, 30
	// regular is from which regularity on buying is called so: below it is hard to tell from chance in single customers.
	regular = 1.5
)

// retention writes who comes back, how soon, and after which beginning.
func (p *page) retention(r Report) {
	if r.Retention == nil {
		return
	}
	s := *r.Retention
	p.heading("Who comes back, as of %s, %s revenue in %s", s.Day, s.Basis, r.Overview.Currency)
	if r.Incomplete != nil {
		p.say(yellow, "  ! ", "INCOMPLETE: without the older orders, old customers are taken for new ones. Periods that are touched by it have a !.")
	}
	if s.Customers == 0 {
		p.say(plain, "  ", "Nobody has bought yet.")
		return
	}
	p.comingBack(s, r.Overview.Currency)
	if p.full {
		p.months(s, shownPeriods)
		p.triangle(s, r.Overview.Currency)
	} else {
		if text := CurveWords(s.Curve); text != "" {
			p.say(plain, "  ", "%s", text)
		}
		p.months(s, shortPeriods)
	}
	p.beginnings(s)
}

// comingBack writes how many customers come back and how soon, in sentences.
func (p *page) comingBack(s retention.Summary, currency string) {
	for _, text := range []string{AgainWords(s, currency), BestWords(s), SecondWords(s.Second)} {
		if text != "" {
			p.say(plain, "  ", "%s", text)
		}
	}
	if n := len(s.Second.Back); n > 0 {
		rows := []row{{dim, []string{"after so many days"}}, {plain, []string{"have bought again"}}}
		aligns := []align{left}
		for _, b := range s.Second.Back {
			aligns = append(aligns, right)
			rows[0].cells, rows[1].cells = append(rows[0].cells, Count(int(b.Days))), append(rows[1].cells, Percent(b.Share))
		}
		p.table(aligns, rows)
	}
	if s.Pauses.Count == 0 {
		return
	}
	p.say(plain, "  ", "%s", PauseWords(s.Pauses))
	if k := s.Pauses.Regularity; k != nil && (p.full || k.Low > 1 && k.K >= regular || k.High < 1) {
		p.say(dim, "  ", "%s", RegularWords(*k))
	}
}

// AgainWords says how many customers have ordered again.
func AgainWords(s retention.Summary, currency string) string {
	again := s.Repeat.ByOrders
	return fmt.Sprintf("%s of %s ordered again (%s, likely %s): %.1f orders a customer, %s each on average.",
		Count(again.Hits), Of(again.Of, "customer", "customers"), Percent(again.Rate), between(again.Low, again.High),
		s.Repeat.OrdersPerCustomer, Money(s.Repeat.AverageOrder, currency))
}

// BestWords says what the best customers bring; it is empty of too few.
func BestWords(s retention.Summary) string {
	if s.BestShare == nil || s.Customers < fewCustomers {
		return ""
	}
	return fmt.Sprintf("The best fifth of the customers brings %s of the revenue.", Percent(*s.BestShare))
}

// PauseWords says how long customers pause; it is empty where nobody came back.
func PauseWords(s retention.Pauses) string {
	if s.Count == 0 {
		return ""
	}
	advice := ""
	if s.Count >= fewPauses {
		advice = " Whoever has been away longer is late: that is the moment to write to them."
	}
	return fmt.Sprintf("Of those who came back, half did so within %s of the purchase before, three quarters within %s.%s",
		Of(int(s.Median), "day", "days"), Of(int(s.Three), "day", "days"), advice)
}

// RegularWords says how regularly customers buy.
func RegularWords(k retention.Steady) string {
	return fmt.Sprintf("%s (regularity %.2f, likely %.2f to %.2f; 1 is by chance).", regularity(k), k.K, k.Low, k.High)
}

// SecondWords says how long half of the customers take, or that half do not come back.
func SecondWords(s retention.Second) string {
	early, middle := s.Quantiles[0], s.Quantiles[1]
	switch {
	case s.Events == 0:
		return "Nobody has bought on a second day yet."
	case middle.Days != nil:
		return fmt.Sprintf("Half of the customers have bought again %s after their first order%s.", Of(int(*middle.Days), "day", "days"), limits(middle))
	case early.Days != nil:
		return fmt.Sprintf("A quarter of the customers have bought again %s after their first order%s; fewer than half come back in the time that is known.",
			Of(int(*early.Days), "day", "days"), limits(early))
	default:
		return "Fewer than a quarter of the customers come back in the time that is known."
	}
}

func limits(a retention.After) string {
	if a.Early == nil || a.Late == nil {
		return ""
	}
	return fmt.Sprintf(" (likely %s to %s)", Count(int(*a.Early)), Count(int(*a.Late)))
}

func regularity(k retention.Steady) string {
	switch {
	case k.Low > 1 && k.K >= regular:
		return "Customers buy more regularly than by chance: a reminder in time meets a habit"
	case k.High < 1:
		return "Customers buy in bursts: a second order is likeliest soon after one"
	default:
		return "The pauses of a customer come as if by chance"
	}
}

// between writes the limits of a share, such as "38.0 to 44.5 %".
func between(low, high float64) string {
	return fmt.Sprintf("%.1f to %s", 100*low, Percent(high))
}

// mark adds to a period that it is not over, or that older orders are missing.
func mark(start string, over, whole bool) string {
	if !whole {
		start += " !"
	}
	if !over {
		start += " *"
	}
	return start
}

// month writes a day as its month.
func month(d retention.Date) string { return d.String()[:len("2006-01")] }

// months writes the last months: who stayed and who came, and what newcomers and others brought.
func (p *page) months(s retention.Summary, most int) {
	shown := s.Months[max(0, len(s.Months)-most):]
	if !slices.ContainsFunc(shown, func(m retention.MonthRow) bool { return m.New+m.Retained+m.Reactivated > 0 }) {
		return // nobody has bought for so long
	}
	rows := []row{{dim, []string{"month", "new", "", "stayed", "back", "first orders", "later orders", "share"}}}
	open := false
	for _, m := range shown {
		open = open || !m.Complete
		stayed, later := "-", "-"
		if m.Retention.Of > 0 {
			stayed = Percent(m.Retention.Rate)
		}
		if m.ReturningShare != nil {
			later = Percent(*m.ReturningShare)
		}
		rows = append(rows, row{plain, []string{
			mark(month(m.Start), m.Complete, m.Whole), Count(m.New), Count(m.Retained), stayed, Count(m.Reactivated),
			Units(m.First.Revenue), Units(m.Later.Revenue), later,
		}})
	}
	p.line("")
	p.fitted(rows, []int{4, 2})
	note := "Stayed: bought in the month before too; back: had paused for longer; first and later orders: what they brought, and the share " +
		"of the later ones."
	if open {
		note += " * The month is not over."
	}
	if p.full && s.Churn.Of > 0 {
		note += " " + ChurnWords(s.Churn)
	}
	p.say(dim, "  ", "%s", note)
}

// ChurnWords says how many buyers of one month did not buy in the next; it is empty where there were none.
func ChurnWords(churn retention.Share) string {
	if churn.Of == 0 {
		return ""
	}
	return fmt.Sprintf("In the last months %s of those who bought in one month did not buy in the next; many of them come back later.", Percent(churn.Rate))
}

// CurveWords says in a sentence what part of the newcomers bought in later months; it is empty before enough of them could.
func CurveWords(curve []retention.Share) string {
	var said []string
	for _, at := range []struct {
		after int
		words string
	}{{1, "in the month after"}, {6, "six months later"}, {12, "twelve months later"}} {
		if at.after < len(curve) && curve[at.after].Of >= fewCustomers {
			said = append(said, fmt.Sprintf("%.0f %s", 100*curve[at.after].Rate, at.words))
		}
	}
	if len(said) == 0 {
		return ""
	}
	return fmt.Sprintf("Of 100 newcomers of a month, so many bought something in a later one: %s.", strings.Join(said, ", "))
}

// Units writes an amount without decimals.
func Units(amount decimal.Decimal) string { return group(amount.StringFixed(0)) }

// fitted writes a table whose first column is set to the left, without some of the columns named, from the right to the left,
// where it is wider than the page.
func (p *page) fitted(rows []row, dispensable []int) {
	for _, column := range dispensable {
		if p.taken(rows) <= p.width {
			break
		}
		for i := range rows {
			rows[i].cells = slices.Delete(slices.Clone(rows[i].cells), column, column+1)
		}
	}
	aligns := make([]align, len(rows[0].cells))
	for i := range aligns {
		aligns[i] = align(i > 0)
	}
	p.table(aligns, rows)
}

// taken is how wide a table of the rows is.
func (p *page) taken(rows []row) int {
	taken := 0
	for i := range rows[0].cells {
		widest := 0
		for _, r := range rows {
			widest = max(widest, cells.StringWidth(r.cells[i]))
		}
		taken += widest + 2
	}
	return taken
}
