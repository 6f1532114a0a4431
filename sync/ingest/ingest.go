// Package ingest brings a shop into the database, page by page. The batch and its cursor commit together, deletions are
// confirmed before they are believed, and what cannot be read is set aside with its reason. Killed anywhere and started
// again, the result is the same.
package ingest

import (
	"context"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Records is the store of one shop's records as ingest needs it; sync/postgres satisfies it. Every writing method runs
// in one transaction, checks the fencing epoch of the writer in it, and returns ErrFenced where another writer took over.
type Records interface {
	// Cursor returns where the pull of a resource stands.
	Cursor(ctx context.Context, resource commerce.Resource, mode connectors.Mode) (Progress, error)

	// Commit writes the batch and moves the cursor from old to next in one transaction. It returns ErrCursorMoved,
	// and has written nothing, where the stored cursor is not old. Only records whose content differs from what is
	// stored are written.
	Commit(ctx context.Context, page Commit) (Written, error)

	// Unseen returns the ids of living records that the finished sweep has not met, and how many living ones there
	// are. Orders placed before since, unless that is zero, are neither. It returns ErrSweepLost where the notes of the
	// sweep are gone (the database crashed): sweep again.
	Unseen(ctx context.Context, resource commerce.Resource, since time.Time) (ids []string, living int, err error)

	// EndSweep applies confirmed deletions and revivals, and forgets the notes of the sweep.
	EndSweep(ctx context.Context, resource commerce.Resource, deleted []string) (Written, error)

	// Reset makes the next pull of the resource start from the beginning, in both modes; stored records stay.
	Reset(ctx context.Context, resource commerce.Resource) error

	// MarkLoaded notes that the first load of all resources is complete.
	MarkLoaded(ctx context.Context, at time.Time) error
}

// Progress is where a pull stands.
type Progress struct {
	Cursor    connectors.Cursor
	Done      bool      // the pull that made Cursor was finished; the cursor is the start of the next one
	Records   int       // read in the pull under way, or in the last one
	Total     int       // as announced, 0 unknown
	StartedAt time.Time // of the pull under way, or of the last one
	EndedAt   time.Time // of the last finished pull, zero if none ever was; a sweep finishes with EndSweep
	Unswept   bool      // a sweep began, and EndSweep was not called for it yet
}

// Commit is one page on its way into the database.
type Commit struct {
	Resource commerce.Resource
	Mode     connectors.Mode
	Old      connectors.Cursor
	Start    bool // this page is the first of its pull; Old is then where the last pull ended
	Page     connectors.Page
	At       time.Time // when it was read
}

// Written counts what a commit changed.
type Written struct {
	Read        int // records in the page
	Added       int
	Changed     int
	Deleted     int
	Quarantined int
}

// Add sums two counts.
func (w Written) Add(o Written) Written {
	return Written{
		Read: w.Read + o.Read, Added: w.Added + o.Added, Changed: w.Changed + o.Changed,
		Deleted: w.Deleted + o.Deleted, Quarantined: w.Quarantined + o.Quarantined,
	}
}

// Errors that Records returns.
var (
	ErrFenced      = errorText("another daemon took over this shop")
	ErrCursorMoved = errorText("the cursor was moved by someone else")
	ErrSweepLost   = errorText("the notes of the sweep are gone")
)

type errorText string

func (e errorText) Error() string { return string(e) }
