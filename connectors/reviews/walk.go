package reviews

import (
	"context"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
)

const (
	// overlap is how many rows a page shares with the one before it, where the numbers allow.
	overlap = 5
	// memory is how many of the last rows met are known again: any of them shows where the walk stands.
	memory = 12
	// patience is how often a walk may step back or find nothing new before it is called off.
	patience = 30
	// stale is when the places of a list have moved so far that its walk begins anew.
	stale = 12 * time.Hour
)

// position is what a cursor says: how far the walk is.
type position struct {
	Kind  string    `json:"k"`
	Began time.Time `json:"b"`
	Place int       `json:"p"`           // places of the list that are behind the walk
	Tail  []string  `json:"l,omitempty"` // marks of the last rows met, the last one last
	Met   int       `json:"m,omitempty"`
	Total int       `json:"t,omitempty"` // as announced
	Stray int       `json:"s,omitempty"` // how often it stepped back or met nothing new
}

func (p position) cursor() connectors.Cursor {
	b, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	return connectors.Cursor(b)
}

// position reads a cursor, and begins anew where it leads nowhere: that reads more than need be, and loses nothing.
func (s Source) position(cursor connectors.Cursor) position {
	var p position
	now := s.Now().UTC().Truncate(time.Second)
	err := json.Unmarshal([]byte(cursor), &p)
	if cursor == "" || err != nil || p.Kind != s.Kind || p.Place < 0 || now.Sub(p.Began) > stale || p.Began.After(now) {
		return position{Kind: s.Kind, Began: now}
	}
	return p
}

// window is what one step of the walk brought.
type window struct {
	fresh    []json.RawMessage // not met before in this walk
	end      bool
	warnings []string
}

// step reads the next page that holds something the walk has met, and moves p behind it.
func (s Source) step(ctx context.Context, p *position) (window, error) {
	var w window
	for {
		number, size := pageAt(p.Place, s.Size)
		first := (number - 1) * size
		listing, err := s.list(ctx, number, size)
		if err != nil {
			return w, err
		}
		w.warnings = append(w.warnings, listing.Warnings...)
		if first == 0 && len(p.Tail) == 0 {
			p.Total = listing.Total
		}
		known := p.behind(listing.Rows)
		switch {
		case known == 0 && len(p.Tail) > 0 && len(listing.Rows) == 0 && first == 0:
			return w, unstable(connectors.KindRetry, "a list that held reviews is empty", "nothing: the next run reads it again")
		case known == 0 && len(p.Tail) > 0 && first > 0: // rows slipped to the left
			p.Place = first
			if err := p.stray(); err != nil {
				return w, err
			}
			continue
		}
		w.fresh = listing.Rows[known:]
		before := p.Place
		p.move(first, listing.Rows, known)
		if len(listing.Rows) < size {
			return w, s.finish(ctx, p, &w, number, size)
		}
		if len(w.fresh) == 0 || p.Place <= before {
			return w, p.stray()
		}
		return w, nil
	}
}

func (s Source) list(ctx context.Context, number, size int) (Listing, error) {
	listing, err := s.Platform.List(ctx, number, size)
	if err == nil && len(listing.Rows) > size {
		err = unstable(connectors.KindPermanent, "the platform gives more rows than asked for", "report this fault; what was read is kept")
	}
	return listing, err
}

// finish decides whether a page that is not full is the last one: the page behind it must be empty.
func (s Source) finish(ctx context.Context, p *position, w *window, number, size int) error {
	behind, err := s.list(ctx, number+1, size)
	switch {
	case err != nil:
		return err
	case len(behind.Rows) > 0:
		return p.stray() // a page that is short in the middle of the list, or the list grew just now
	case p.Met == 0 && p.Total > 0:
		return unstable(connectors.KindRetry, "reviews announced, none given", "nothing: the next run reads it again")
	}
	if p.Met < p.Total {
		w.warnings = append(w.warnings, "the platform announced "+strconv.Itoa(p.Total)+" reviews and gave "+strconv.Itoa(p.Met)+" of them")
	}
	w.end = true
	return nil
}

// behind returns the number of the first row that was not met, counted from the start of the page; 0 where none of the
// last rows met stands in it.
func (p *position) behind(rows []json.RawMessage) int {
	marks := make([]string, len(rows))
	for i, row := range rows {
		marks[i] = mark(row)
	}
	for _, met := range slices.Backward(p.Tail) {
		for i, m := range slices.Backward(marks) {
			if m == met {
				return i + 1
			}
		}
	}
	return 0
}

// move takes note of a page of which the rows from known on are new.
func (p *position) move(first int, rows []json.RawMessage, known int) {
	p.Place = first + len(rows)
	p.Met += len(rows) - known
	for _, row := range rows[known:] {
		p.Tail = append(p.Tail, mark(row))
	}
	p.Tail = p.Tail[max(0, len(p.Tail)-memory):]
}

// stray counts a step that did not lead on, and calls off a walk that takes too many.
func (p *position) stray() error {
	if p.Stray++; p.Stray <= patience {
		return nil
	}
	return unstable(connectors.KindPermanent, "the list cannot be followed: it changes faster than it is read, or its pages do not answer to number and size",
		"nothing was deleted, and the next night begins anew; if it stays so, report this fault")
}

// pageAt chooses the page, by number and size, that reaches farthest behind the place while it begins some rows before it.
func pageAt(place, most int) (number, size int) {
	if place == 0 {
		return 1, most
	}
	for shared := min(overlap, place); shared > 0; shared-- {
		best, end := 0, place
		for size := most; size >= most/2; size-- {
			if e := (place-shared)/size*size + size; e > end {
				best, end = size, e
			}
		}
		if best > 0 {
			return (place-shared)/best + 1, best
		}
	}
	return place/most + 1, most // not reached for any list that fits into a platform
}

// mark is what a row is known by: its id, or where that cannot be read, its content.
func mark(row []byte) string {
	var head struct {
		ID Text `json:"id"`
	}
	if json.Unmarshal(row, &head) == nil && head.ID != "" {
		return string(head.ID)
	}
	h := fnv.New64a()
	_, _ = h.Write(row)
	return "unreadable id, " + strconv.FormatUint(h.Sum64(), 36)
}
