package dashboard

import (
	"context"
	"net/http"
	"time"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// shopState says what can be told of a shop.
type shopState string

const (
	ready   shopState = "ready"
	reading shopState = "reading" // its figures are being read for the first time
	unread  shopState = "unavailable"
)

// shopEntry is one shop in the list of shops. What is not known yet is left out.
type shopEntry struct {
	Name     string    `json:"name"` // as in addresses
	State    shopState `json:"state"`
	Title    string    `json:"title,omitempty"` // as the shop calls itself
	Platform string    `json:"platform,omitempty"`
	Currency string    `json:"currency,omitempty"`
	TimeZone string    `json:"time_zone,omitempty"`
	Day      string    `json:"day,omitempty"` // of the last analysis
	ReadAt   time.Time `json:"read_at,omitzero"`
}

// tellShops lists the shops.
func (s *Server) tellShops(w http.ResponseWriter, r *http.Request) {
	if err := onlyKnown(r.URL.Query(), nil); err != nil {
		s.failed(w, r, err)
		return
	}
	list := struct {
		Shops []shopEntry `json:"shops"`
	}{[]shopEntry{}}
	for _, shop := range s.Shops {
		list.Shops = append(list.Shops, s.boards[shop.Name].entry(r.Context()))
	}
	s.writeJSON(w, list)
}

// entry is what is known of a shop at once.
func (b *board) entry(ctx context.Context) shopEntry {
	b.look(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	e := shopEntry{Name: b.name, State: ready}
	switch {
	case b.err != nil:
		e.State = unread
	case b.last == nil:
		e.State = reading
	}
	if b.last != nil {
		o := b.last.Report.Overview
		e.Title, e.Platform, e.Currency, e.TimeZone = o.Shop, o.Platform, o.Currency, o.TimeZone
		e.Day, e.ReadAt = b.last.Report.Segments.Day, b.last.at
	}
	return e
}

// tellReport tells what `perennial report --json` does.
func tellReport(_ *http.Request, v *view) (any, error) { return v.Report, nil }

// tellStatus tells what `perennial status --json` does.
func tellStatus(_ *http.Request, v *view) (any, error) { return v.Status, nil }

// tellSegments tells what `perennial segments --json` does.
func tellSegments(_ *http.Request, v *view) (any, error) {
	return report.SegmentSets{Segmentation: v.Report.Segments, Sets: v.Report.Sets}, nil
}

// tellMovement tells what `perennial segments --moves --json` does.
func (s *Server) tellMovement(r *http.Request, v *view) (any, error) {
	asked, err := askedMovement(r)
	if err != nil {
		return nil, err
	}
	m := report.Movements{
		Store: v.Report.Overview.Store, Incomplete: v.Report.Incomplete, Currency: v.Currency(), Set: asked.Set, Movements: []report.Movement{},
	}
	if !v.Analysed() {
		return m, nil
	}
	found, ok, err := s.moved(r, v, asked, downloading)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errCounting
	}
	m.Movements = append(m.Movements, found...)
	return m, nil
}
