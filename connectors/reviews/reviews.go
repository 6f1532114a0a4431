// Package reviews is what connectors of review platforms have in common: a walk through a list that comes in numbered
// pages and can neither be asked for changes nor for a place to go on from, and the types of loosely written JSON.
//
// What the walk guarantees: while the platform keeps its list in one order, whichever that is, a walk that ends has met
// every review that was in the list from its beginning to its end, whatever was added or deleted meanwhile. Each page is
// asked for in such a number and size that it overlaps the one before; where it does not hold the last review met, the
// walk steps back. It ends only where a page is not full and the page behind it is empty. A review that changes its place
// during a walk, because the platform moved it, may be missed; the next walk meets it.
package reviews

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Sizes of a page. Below the least, windows would not overlap in long lists.
const (
	LeastSize = 20
	MostSize  = 100
)

// Platform is what each platform does in its own way.
type Platform interface {
	// List reads one page, counted from 1, of as many rows as asked, which is never more than the size of the source.
	List(ctx context.Context, number, size int) (Listing, error)
	// Read makes a review of a row. Its error names the field that cannot be read and holds no personal data.
	Read(row []byte) (Reading, error)
}

// Listing is one page as it came.
type Listing struct {
	Rows     []json.RawMessage
	Total    int // reviews of the whole list, 0 where the platform does not say
	Warnings []string
}

// Reading is a row that could be read.
type Reading struct {
	Review commerce.Review
	Gone   bool // the platform lists it as deleted
}

// Source reads the reviews of a platform. With a Check of its own it is a connectors.Source.
type Source struct {
	Kind     string // of the connector, so that a cursor of another is not followed
	Platform Platform
	Size     int // rows a page, LeastSize to MostSize
	Now      func() time.Time
}

// Resources offers reviews, which must be read whole every time.
func (s Source) Resources() []connectors.Offer {
	return []connectors.Offer{{Resource: commerce.Reviews}}
}

// Pull reads one page. A cursor of another connector, or one older than a night, begins anew.
func (s Source) Pull(ctx context.Context, resource commerce.Resource, _ connectors.Mode, cursor connectors.Cursor) (connectors.Page, error) {
	if resource != commerce.Reviews {
		return connectors.Page{}, &connectors.Error{Kind: connectors.KindPermanent, Op: "pull", Err: fmt.Errorf("a review platform has no %q", resource)}
	}
	p := s.position(cursor)
	w, err := s.step(ctx, &p)
	if err != nil {
		return connectors.Page{}, err
	}
	page := connectors.Page{Total: p.Total, Done: w.end, Warnings: w.warnings}
	for _, row := range w.fresh {
		s.read(row, &page)
	}
	if !w.end {
		page.Next = p.cursor()
	}
	return page, nil
}

// read puts one row into the page, or sets it aside with the reason.
func (s Source) read(row []byte, page *connectors.Page) {
	reading, err := s.Platform.Read(row)
	switch {
	case err != nil:
		page.Rejected = append(page.Rejected, connectors.Rejected{ID: mark(row), Reason: err.Error(), Raw: bytes.Clone(row)})
	case reading.Gone:
		page.Deleted = append(page.Deleted, reading.Review.ID)
	default:
		page.Records.Reviews = append(page.Records.Reviews, reading.Review)
	}
}

// Settings returns the error of a connector's settings that cannot be right.
func Settings(kind string, err error) error {
	return &connectors.Error{Kind: connectors.KindPermanent, Op: kind + " settings", Err: err, Remedy: "correct this setting"}
}

// CheckSize refuses a page size with which no walk is possible.
func CheckSize(size int) error {
	if size < LeastSize || size > MostSize {
		return fmt.Errorf(`setting "page_size" is %d: %d to %d are possible`, size, LeastSize, MostSize)
	}
	return nil
}

// unstable is an error about a list that cannot be followed now.
func unstable(kind connectors.Kind, text, remedy string) error {
	return &connectors.Error{Kind: kind, Op: "reviews page", Err: errors.New(text), Remedy: remedy}
}
