// Package connectors holds the contracts between the house and the world: Source, Destination, Factory, Page, Cursor
// and the kinds of error. It does no I/O. The suites in connectortest say what a connector must do; the package
// documentation of a connector says only what is special about it.
package connectors

import (
	"context"
	"time"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Mode says what a pull is for.
type Mode string

// The modes.
const (
	// Increment asks for what changed since the cursor; with the empty cursor, for everything.
	Increment Mode = "increment"
	// Sweep asks for everything, so that deletions and silent edits are found: what a sweep does not carry from its
	// first page to its last is missing from the shop.
	Sweep Mode = "sweep"
)

// Cursor says where a pull stands. It is opaque to everyone but its source; the empty cursor is the beginning. The
// cursor of a page that is Done is where the next pull of the same resource and mode starts.
type Cursor string

// Source reads a shop. It is stateless and writes nothing: everything it must remember is in the cursor, so that any
// instance can go on where another stopped. A Source is used by one goroutine at a time.
type Source interface {
	// Check asks the shop who it is and what the key may do. Its error is for a shop that cannot be read at all;
	// what is missing for single abilities is in the report.
	Check(ctx context.Context) (Report, error)

	// Resources lists what this source offers, in pulling order.
	Resources() []Offer

	// Pull reads one page. The same cursor gives at least the same records again. Unless NotBefore is set, the
	// cursor of the page differs from the one given, or the page is Done.
	Pull(ctx context.Context, resource commerce.Resource, mode Mode, cursor Cursor) (Page, error)
}

// Offer is one resource that a source can read.
type Offer struct {
	Resource commerce.Resource
	// Incremental is false where the shop has no way to ask for changes: then every night is a sweep.
	Incremental bool
	// Apart says that the records come from somewhere else than the shop: whatever fails there concerns them alone.
	Apart bool
}

// Fetcher is a Source that can read single records by id. It confirms deletions: an id that a sweep missed is deleted
// only if Fetch says so, because shops hide living records from their lists.
type Fetcher interface {
	// Fetch reads the named records. The page carries those that exist, and in Deleted those that surely do not; an
	// id in neither is undecided and stays.
	Fetch(ctx context.Context, resource commerce.Resource, ids []string) (Page, error)
}

// Page is the answer to one pull.
type Page struct {
	Records  commerce.Batch
	Rejected []Rejected // what could not be read, each with its reason; the page commits without them
	Deleted  []string   // ids that the shop says are gone
	Total    int        // records of the whole pull as announced by the shop, 0 where it does not say; a hint only
	Next     Cursor
	Done     bool
	// Settled says that the pull has now carried the whole set of every order that it left open, as an order is that
	// came without being listed in Records.Complete, its lines and refunds on any page of the pull. From this page on
	// they are complete. GiftCards and Cost of an open order are summed from its lines then.
	Settled bool
	// NotBefore, where set, says that nothing is ready yet: pull again with the same cursor, not before this time.
	NotBefore time.Time
	// Warnings tell the owner what was odd though readable, such as a notice printed before the JSON.
	Warnings []string
}

// Rejected is a record that could not be read.
type Rejected struct {
	ID     string // as far as it could be read; else a stable mark of its place
	Reason string // names the field; carries no personal data
	Raw    []byte // the record as it came, kept in quarantine
}

// Report is what Check found.
type Report struct {
	Shop     commerce.Shop // zero for destinations that are not shops
	Findings []Finding
	// Account is a stable mark of the very account that a destination writes to, the same whatever key opens it; empty
	// where the platform does not tell.
	Account string
	// Since is the moment before which the key sees no orders; zero where it sees all there are. Where it is set, every
	// figure about a whole life, such as a first order or a sum of all orders, is incomplete and must be shown as such.
	Since time.Time
}

// OK reports whether nothing in the report is a Problem.
func (r Report) OK() bool {
	for _, f := range r.Findings {
		if f.Level == Problem {
			return false
		}
	}
	return true
}

// Level says how much a finding matters.
type Level int

// The levels.
const (
	Fine    Level = iota // as it should be
	Notice               // works, but the owner should know
	Problem              // an ability is missing
)

// Finding is one line of a report.
type Finding struct {
	Level   Level
	Subject string // what was looked at, such as "write permission"
	Text    string // what was found
	Remedy  string // what to do, empty where nothing is to be done
}
