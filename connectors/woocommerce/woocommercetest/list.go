package woocommercetest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// quirks are lasting faults of lists.
type quirks struct {
	pageSize    int  // given instead of per_page, 0 for none
	ignoreDates bool // date filters change nothing
	repeatPage  bool // every page is the first
}

// IgnorePerPage makes every list give this many rows a page, whatever was asked; 0 mends it.
func (s *Server) IgnorePerPage(rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quirks.pageSize = rows
}

// IgnoreDates makes lists ignore date filters, as shops before 5.8 did.
func (s *Server) IgnoreDates(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quirks.ignoreDates = on
}

// RepeatPage makes every page of a list the first one.
func (s *Server) RepeatPage(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quirks.repeatPage = on
}

func (s *Server) quirk() quirks {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quirks
}

// window is the part of a list that was asked for.
type window struct {
	page, size, offset int
	hasOffset          bool
}

// listing says how a kind of list behaves.
type listing struct {
	orderby []string // what it can be ordered by
	link    string   // what the shop adds to the query in Link, such as "&dp=2"
	hpos    bool     // totals are 0 past the end
}

// window reads and checks the paging parameters.
func (s *Server) window(c *call, l listing) (window, *answer) {
	w := window{page: 1, size: 10}
	for name, at := range map[string]*int{"per_page": &w.size, "page": &w.page, "offset": &w.offset} {
		text := c.query.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			return w, invalid(name, "rest_invalid_type", name+" is not of type integer.")
		case name == "per_page" && (n < 1 || n > 100):
			return w, invalid(name, "rest_out_of_bounds", "per_page must be between 1 (inclusive) and 100 (inclusive)")
		case name == "page" && n < 1:
			return w, invalid(name, "rest_out_of_bounds", "page must be greater than or equal to 1")
		}
		*at = n
		w.hasOffset = w.hasOffset || name == "offset"
	}
	if order := c.query.Get("order"); order != "" && order != "asc" && order != "desc" {
		return w, invalid("order", "rest_not_in_enum", "order is not one of asc and desc.")
	}
	if by := c.query.Get("orderby"); by != "" && !slices.Contains(l.orderby, by) {
		last := len(l.orderby) - 1
		return w, invalid("orderby", "rest_not_in_enum", "orderby is not one of "+strings.Join(l.orderby[:last], ", ")+", and "+l.orderby[last]+".")
	}
	return w, nil
}

// writer makes a JSON writer for the call.
func (s *Server) writer(c *call, size int) *writer {
	w := &writer{b: make([]byte, 0, size), loc: s.shop.Location(), digits: s.shop.Decimals()}
	w.dp = w.digits
	if dp, err := strconv.Atoi(c.query.Get("dp")); err == nil && dp >= 0 && dp < 10 {
		w.dp = dp
	}
	return w
}

// paged answers with one page of the rows.
func paged[T any](s *Server, c *call, l listing, rows []T, write func(*writer, T)) *answer {
	win, refused := s.window(c, l)
	if refused != nil {
		return refused
	}
	q := s.quirk()
	if q.pageSize > 0 {
		win.size = q.pageSize
	}
	if q.repeatPage {
		win.page, win.offset = 1, 0
	}
	from := (win.page - 1) * win.size
	if win.hasOffset {
		from = win.offset
	}
	from = min(max(from, 0), len(rows))
	part := rows[from:min(from+win.size, len(rows))]
	w := s.writer(c, 256+len(part)*4352)
	w.b = append(w.b, '[')
	for _, row := range part {
		write(w, row)
	}
	w.b = append(w.b, ']')
	a := s.reply(http.StatusOK, w.b)
	s.totals(c, l, a, win, len(rows), len(part))
	return a
}

// totals sets the headers of a list.
func (s *Server) totals(c *call, l listing, a *answer, win window, total, given int) {
	if l.hpos && !s.opts.Legacy && given == 0 { // the count comes with the rows
		total = 0
	}
	pages := (total + win.size - 1) / win.size
	a.header.Set("X-WP-Total", strconv.Itoa(total))
	a.header.Set("X-WP-TotalPages", strconv.Itoa(pages))
	var links []string
	add := func(page int, rel string) {
		links = append(links, "<"+s.linkBase(c, l)+"page="+strconv.Itoa(page)+`>; rel="`+rel+`"`)
	}
	if win.page > 1 {
		add(min(win.page-1, pages), "prev")
	}
	if win.page < pages {
		add(win.page+1, "next")
	}
	if len(links) > 0 {
		a.header.Set("Link", strings.Join(links, ", "))
	}
}

// linkBase repeats the query as it came, signatures and secrets included.
func (s *Server) linkBase(c *call, l listing) string {
	var parts []string
	statuses := ""
	for _, part := range strings.Split(c.raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		switch {
		case name == "page" || part == "":
		case name == "status" && strings.Contains(l.link, "status"):
			for i, status := range strings.Split(strings.ReplaceAll(value, "%2C", ","), ",") {
				statuses += "&status%5B" + strconv.Itoa(i) + "%5D=" + status
			}
		default:
			parts = append(parts, part)
		}
	}
	extra := l.link
	if statuses != "" {
		extra = strings.Replace(extra, "&status%5B0%5D=any", statuses, 1)
	}
	query := strings.TrimPrefix(strings.Join(parts, "&")+extra, "&")
	if query != "" {
		query += "&"
	}
	return s.home() + strings.TrimPrefix(c.r.URL.Path, s.opts.SubPath) + "?" + query
}

// included applies include and exclude, which every list knows.
func included[T any](c *call, rows []T, id func(T) int64) []T {
	numbers := func(name string) []int64 {
		var all []int64
		for _, text := range c.list(name) {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				all = append(all, n)
			}
		}
		return all
	}
	if want := numbers("include"); len(want) > 0 {
		rows = slices.DeleteFunc(slices.Clone(rows), func(row T) bool { return !slices.Contains(want, id(row)) })
		if c.query.Get("orderby") == "include" {
			slices.SortStableFunc(rows, func(a, b T) int { return slices.Index(want, id(a)) - slices.Index(want, id(b)) })
		}
	}
	if not := numbers("exclude"); len(not) > 0 {
		rows = slices.DeleteFunc(slices.Clone(rows), func(row T) bool { return slices.Contains(not, id(row)) })
	}
	return rows
}

// single answers with one record.
func (s *Server) single(c *call, write func(*writer)) *answer {
	w := s.writer(c, 4096)
	write(w)
	return s.reply(http.StatusOK, w.b)
}

func missing(code string) *answer { return failure(http.StatusNotFound, code, "Invalid ID.") }

// cachedList is a filtered and ordered list of orders, good while the shop stays as it is.
type cachedList struct {
	generation uint64
	rows       []*simulator.Order
}
