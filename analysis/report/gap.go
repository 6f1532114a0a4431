package report

import (
	"time"
)

// Gap says that older orders are not known, because the key does not show them. While there is one, nothing that is told of
// a customer's whole life is whole.
type Gap struct {
	Since  time.Time `json:"since"`  // orders before are missing
	Text   string    `json:"text"`   // in words
	Remedy string    `json:"remedy"` // what to do
}

// NewGap describes the gap before a moment; nil where the moment is zero and nothing is missing.
func NewGap(since time.Time, zone *time.Location) *Gap {
	if since.IsZero() {
		return nil
	}
	return &Gap{
		Since: since.UTC(),
		Text: "Orders before " + since.In(zone).Format(time.DateOnly) + " are missing, because the key does not show them: first orders, " +
			"numbers of orders and sums are incomplete, and whoever looks new may be an old customer.",
		Remedy: "Let the key see all orders (in Shopify: request read_all_orders for the app); the next `perennial sync` then reads the older ones.",
	}
}

func missing(o Overview) *Gap { return NewGap(o.Since, location(o)) }

// String returns the gap as one line.
func (g *Gap) String() string { return "INCOMPLETE: " + g.Text + " " + g.Remedy }

// gap writes what is missing, where anything is, before the figures.
func (p *page) gap(g *Gap) {
	if g != nil {
		p.say(yellow, "! ", "%s", g)
	}
}
