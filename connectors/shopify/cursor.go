package shopify

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

// phase is what a pull does next.
type phase string

// The phases, in the order in which a pull passes them.
const (
	deciding  phase = ""          // how much is there, and which way is it read?
	paging    phase = "paging"    // page by page, by time of change
	starting  phase = "starting"  // a bulk operation is due for the window
	reading   phase = "reading"   // the operation is waited for, then its file is read
	catchup   phase = "catchup"   // of a sweep by files: what changed since they were made
	costs     phase = "costs"     // products whose costs changed
	deletions phase = "deletions" // what the shop says was deleted
)

// position is where a pull stands: everything that must be known to go on after a crash.
type position struct {
	Phase phase `json:"phase,omitempty"`
	// Since is the moment from which on changes are asked for; zero asks for everything.
	Since time.Time `json:"since,omitzero"`
	// Began is the moment as of which this pull reads at the earliest: the next one starts a little before it.
	Began time.Time `json:"began,omitzero"`
	Total int       `json:"total,omitempty"` // records, as counted at the beginning
	// Hold is when the oldest order changed that must be read again in the next pull; zero where there is none.
	Hold time.Time `json:"hold,omitzero"`

	After string `json:"after,omitempty"` // cursor of the page before
	Size  int    `json:"size,omitempty"`  // of pages, where the shop could not make larger ones; 0: as large as we like
	Good  int    `json:"good,omitempty"`  // pages of that size in a row

	Window window    `json:"window,omitzero"`  // by time of creation, of the operation under way
	Rest   []window  `json:"rest,omitempty"`   // windows still to be read
	Op     string    `json:"op,omitempty"`     // the operation
	Asked  time.Time `json:"asked,omitzero"`   // when it was started
	Tries  int       `json:"tries,omitempty"`  // how often the window was begun again
	Offset int64     `json:"offset,omitempty"` // bytes of the file that are read
	Lines  int64     `json:"lines,omitempty"`  // lines of the file that are read
	Roots  int64     `json:"roots,omitempty"`  // those of them that are no children
	Taxes  taxes     `json:"taxes,omitempty"`  // how prices were meant so far
}

// window is a span of time: from included, to excluded; zero is open.
type window struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// Limits of windows.
const (
	minWindow = time.Hour // operations over less are not halved
	longspan  = 96 * time.Hour
)

// origin is before the first shop.
func origin() time.Time { return time.Date(2006, 1, 1, 0, 0, 0, 0, time.UTC) }

func parseCursor(cursor connectors.Cursor) (position, error) {
	var p position
	if cursor == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(cursor), &p); err != nil {
		return p, &connectors.Error{
			Kind: connectors.KindPermanent, Op: "cursor", Err: errors.New("it is not one of ours"), Remedy: "run resync for this shop",
		}
	}
	return p, nil
}

func (p position) cursor() connectors.Cursor {
	text, _ := json.Marshal(p) // of plain values only
	return connectors.Cursor(text)
}

// patience is how long a journey may take to be built.
const patience = 48 * time.Hour

// await notes an order of which the journey is not built yet.
func (p *position) await(n *orderNode, changed time.Time) {
	if n.Journey.pending() && p.Began.Sub(changed) < patience && (p.Hold.IsZero() || changed.Before(p.Hold)) {
		p.Hold = changed
	}
}

// restart makes the window of the position due once more, from its first byte.
func (p *position) restart() {
	p.Phase, p.Op, p.Asked = starting, "", time.Time{}
	p.Offset, p.Lines, p.Roots, p.Taxes = 0, 0, 0, 0
}

// halve makes the older half of the window due, and leaves the younger half for later. It returns false where the window
// is too small for that.
func (p *position) halve() bool {
	from, to := p.Window.From, p.Window.To
	if from.IsZero() {
		from = origin()
	}
	if to.IsZero() {
		to = p.Began
	}
	span := to.Sub(from)
	if span < 2*minWindow {
		return false
	}
	middle := from.Add(span / 2).Truncate(time.Second)
	if span > longspan { // some dates are compared by the day
		middle = middle.Truncate(24 * time.Hour)
	}
	p.Rest = slices.Insert(slices.Clone(p.Rest), 0, window{From: middle, To: p.Window.To})
	p.Window.To = middle
	p.Tries = 0
	p.restart()
	return true
}

// advance makes the next window due. It returns false where there is none.
func (p *position) advance() bool {
	if len(p.Rest) == 0 {
		return false
	}
	p.Window, p.Rest = p.Rest[0], slices.Clone(p.Rest[1:])
	p.Tries = 0
	p.restart()
	return true
}

// stamp writes a moment as searches take it: in UTC and in quotes. Without quotes they find nothing.
func stamp(t time.Time) string { return "'" + t.UTC().Format("2006-01-02T15:04:05Z") + "'" }
