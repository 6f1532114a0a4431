package woocommerce

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

const (
	// holdBack is how far a window reaches back behind the start of the walk before: WooCommerce dates the changes of
	// the repeated hour in autumn one hour early.
	holdBack = 2 * time.Hour
	// overlap is how many rows of the page before are read again, to see that nothing slipped to the left.
	overlap  = 3
	leastPer = 5 // records per request, when heavy requests fail
	growth   = 5 // good pages before the page size grows again
	naive    = "2006-01-02T15:04:05"
)

// position is what a cursor says: which walk, and where in it.
type position struct {
	Since    time.Time `json:"s,omitzero"` // window of the walk; zero walks everything
	Started  time.Time `json:"b,omitzero"` // the shop's clock at the first page; zero before it
	Leg      int       `json:"g,omitempty"`
	Offset   int       `json:"o,omitempty"`
	Last     int64     `json:"l,omitempty"` // highest id seen in this leg
	Print    string    `json:"p,omitempty"` // of the ids of the page before
	Size     int       `json:"n,omitempty"` // records per request, 0 for the setting
	Good     int       `json:"k,omitempty"` // pages since the size last changed
	Total    int       `json:"t,omitempty"` // as announced by the legs begun
	Statuses string    `json:"st,omitempty"`
	Children int       `json:"c,omitempty"` // for products: how variations are read in this walk
}

func (p position) cursor() connectors.Cursor {
	b, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	return connectors.Cursor(base64.RawURLEncoding.EncodeToString(b))
}

func parseCursor(c connectors.Cursor) (position, error) {
	var p position
	if c == "" {
		return p, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(string(c))
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil || p.Offset < 0 || p.Leg < 0 || p.Size < 0 {
		return p, &connectors.Error{
			Kind: connectors.KindPermanent, Op: "cursor", Err: errors.New("not a cursor of this connector"),
			Remedy: "run resync for this shop: it reads everything anew, and nothing stored is lost",
		}
	}
	return p, nil
}

// leg is one list that a walk goes through.
type leg struct {
	op, path string
	query    url.Values
	windowed bool // the list can be asked for changes
	optional bool // a shop that refuses this list has nothing of it
	only     text // status of every row, where the list is of one status that a shop may not filter by
}

// row is one record of a list as far as the walk needs it.
type row struct {
	ID       ident  `json:"id"`
	Modified moment `json:"date_modified_gmt"`
	Status   text   `json:"status"`
	raw      []byte
}

// chunk is what one step of a walk brought.
type chunk struct {
	rows     []row // not seen before in this leg, by id
	legDone  bool
	warnings []string
}

// step reads the next page of the leg at p and moves p on. Rows are in the order of their ids, so everything up to
// p.Last has been seen; a page must begin at or before it, else rows slipped to the left and the walk steps back.
func (s *source) step(ctx context.Context, l leg, p *position) (chunk, error) {
	var c chunk
	for steppedBack := false; ; {
		page, size, err := s.fetch(ctx, l, p)
		if err != nil {
			return c, err
		}
		c.warnings = append(c.warnings, page.warnings...)
		if s.begin(l, p, page, &c) {
			continue
		}
		rows, err := s.heads(l, page.rows)
		if err != nil {
			return c, err
		}
		if l.windowed && outside(rows, p.Since) {
			c.warnings = append(c.warnings, l.op+": the shop ignores the filter by time of change; everything is read instead")
			p.Since, p.Total = time.Time{}, p.Total-page.total
			restart := p.Offset > 0
			p.Offset, p.Last, p.Print = 0, 0, ""
			if restart {
				continue
			}
		}
		if p.Offset > 0 && (len(rows) == 0 || int64(rows[0].ID) > p.Last) {
			p.Offset, steppedBack = max(0, p.Offset-size), true
			continue
		}
		if err := repeated(l, p, rows, size, steppedBack); err != nil {
			return c, err
		}
		return c, s.advance(l, p, page, rows, &c)
	}
}

// begin takes note of the first page of a walk or leg. It reports whether the page has to be asked for again, because
// the window lay in the shop's future.
func (s *source) begin(l leg, p *position, page listing, c *chunk) bool {
	if p.Started.IsZero() {
		p.Started = page.date
	}
	if p.Since.After(page.date) {
		c.warnings = append(c.warnings, l.op+": the stored position lay in the future and was set back to the shop's clock")
		p.Since = page.date.Add(-holdBack)
		return true
	}
	if p.Offset == 0 && p.Last == 0 {
		p.Total += page.total
	}
	return false
}

// advance keeps the rows not seen before and moves the position behind the page. Only a short page ends a leg; a total
// above it says that the shop gave fewer rows than it was asked for, and then the walk goes on.
func (s *source) advance(l leg, p *position, page listing, rows []row, c *chunk) error {
	size := s.size(p)
	if len(rows) == 0 && page.total > 0 && p.Offset == 0 {
		return &connectors.Error{
			Kind: connectors.KindRetry, Op: l.op, Err: fmt.Errorf("%d records announced, none given", page.total),
			Remedy: "a plugin or cache changes the answers of the REST API: look which one",
		}
	}
	p.Print = fingerprint(rows)
	for _, r := range rows {
		if int64(r.ID) > p.Last || r.ID == 0 {
			c.rows = append(c.rows, r)
		}
		p.Last = max(p.Last, int64(r.ID))
	}
	if of := func(r row) bool { return r.Status != l.only }; l.only != "" && slices.ContainsFunc(c.rows, of) {
		c.rows, c.legDone = slices.DeleteFunc(c.rows, of), true // the filter is ignored: these were all read before
		return nil
	}
	short := len(rows) < size
	step := len(rows) - min(overlap, size/2)
	if short && (page.total <= p.Offset+len(rows) || step <= 0) {
		c.legDone = true
		return nil
	}
	if short {
		p.Size, p.Good = max(leastPer, len(rows)), 0
	}
	p.Offset += step
	if p.Good++; p.Size > 0 && p.Good >= growth {
		p.Size, p.Good = min(p.Size*2, s.set.PageSize), 0
	}
	return nil
}

// fetch reads the page at p. After time-outs and server failures it asks for half as many records; the smaller size
// stays with the position and grows back later.
func (s *source) fetch(ctx context.Context, l leg, p *position) (listing, int, error) {
	for {
		size := s.size(p)
		page, err := s.list(ctx, l.op, l.path, l.page(*p, size))
		if err == nil {
			return page, size, nil
		}
		if !errors.Is(err, httpapi.ErrHeavy) || size <= leastPer {
			return listing{}, size, err
		}
		p.Size, p.Good = max(leastPer, size/2), 0
		s.log.Warn("the shop is asked for smaller pages", "op", l.op, "size", p.Size, "err", err)
	}
}

func (s *source) size(p *position) int {
	if p.Size > 0 {
		return min(p.Size, s.set.PageSize)
	}
	return s.set.PageSize
}

// page returns the query for one page of the leg.
func (l leg) page(p position, size int) url.Values {
	q := url.Values{"per_page": {strconv.Itoa(size)}, "orderby": {"id"}, "order": {"asc"}}
	for name, values := range l.query {
		q[name] = values
	}
	if p.Offset > 0 {
		q.Set("offset", strconv.Itoa(p.Offset))
	}
	if l.windowed && !p.Since.IsZero() {
		q.Set("modified_after", p.Since.UTC().Format(naive))
		q.Set("dates_are_gmt", "true")
	}
	return q
}

// heads reads id and time of change of each row and checks that the list is in the order asked for.
func (s *source) heads(l leg, raws []json.RawMessage) ([]row, error) {
	rows := make([]row, len(raws))
	last := ident(0)
	for i, raw := range raws {
		if json.Unmarshal(raw, &rows[i]) != nil {
			rows[i] = row{}
		}
		rows[i].raw = raw
		if id := rows[i].ID; id != 0 {
			if id < last {
				return nil, &connectors.Error{
					Kind: connectors.KindPermanent, Op: l.op, Err: errors.New("the shop does not give its list in the order of ids"),
					Remedy: "a plugin changes the order of lists in the REST API: look which one",
				}
			}
			last = id
		}
	}
	return rows, nil
}

// outside reports whether a row lies before the window, which means that the shop ignored it.
func outside(rows []row, since time.Time) bool {
	return !since.IsZero() && slices.ContainsFunc(rows, func(r row) bool {
		return !r.Modified.at.IsZero() && r.Modified.at.Before(since.Truncate(time.Second))
	})
}

func repeated(l leg, p *position, rows []row, size int, steppedBack bool) error {
	if steppedBack || p.Offset == 0 || p.Print == "" || len(rows) < min(size, leastPer) || fingerprint(rows) != p.Print {
		return nil
	}
	return &connectors.Error{
		Kind: connectors.KindPermanent, Op: l.op, Err: errors.New("the shop gives the same page again and again"),
		Remedy: "the web server or a cache drops the query of the address: let /wp-json/ through uncached and with its query string",
	}
}

func fingerprintBytes(b []byte) string {
	h := fnv.New64a()
	_, _ = h.Write(b)
	return strconv.FormatUint(h.Sum64(), 36)
}

func fingerprint(rows []row) string {
	h := fnv.New64a()
	for _, r := range rows {
		_, _ = h.Write(strconv.AppendInt([]byte{','}, int64(r.ID), 10))
	}
	return strconv.FormatUint(h.Sum64(), 36)
}
