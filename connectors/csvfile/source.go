package csvfile

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// A page holds this many groups where the settings say nothing, and no more than about this many rows.
const (
	pageGroups = 1000
	pageRows   = 20000
)

// position is what a cursor says: which files were read, and how far.
type position struct {
	print string
	place uint64
	end   bool
}

const endMark = "end"

func (p position) cursor() connectors.Cursor {
	if p.end {
		return connectors.Cursor(p.print + "@" + endMark)
	}
	return connectors.Cursor(p.print + "@" + strconv.FormatUint(p.place, 10))
}

// parsePosition reads a cursor; what is no cursor of ours is the beginning.
func parsePosition(cursor connectors.Cursor) position {
	print, place, ok := strings.Cut(string(cursor), "@")
	if !ok {
		return position{}
	}
	if place == endMark {
		return position{print: print, end: true}
	}
	at, err := strconv.ParseUint(place, 10, 63)
	if err != nil {
		return position{}
	}
	return position{print: print, place: at}
}

// Pull reads one page of whole records. An increment over files that have not changed since the cursor is done at once;
// where they have changed, and in every sweep, everything is read.
func (s *source) Pull(ctx context.Context, resource commerce.Resource, mode connectors.Mode, cursor connectors.Cursor) (connectors.Page, error) {
	if err := ctx.Err(); err != nil {
		return connectors.Page{}, err
	}
	page, err := s.pull(ctx, resource, mode, parsePosition(cursor))
	if err != nil {
		s.drop()
		return connectors.Page{}, pullError(ctx, string(resource)+" page", err)
	}
	return page, nil
}

func (s *source) pull(ctx context.Context, resource commerce.Resource, mode connectors.Mode, from position) (connectors.Page, error) {
	var page connectors.Page
	names, print, err := s.look(resource)
	if err != nil {
		return page, err
	}
	changed := from.print != print
	if len(names) == 0 || (mode == connectors.Increment && from.end && !changed) {
		page.Done, page.Next = true, position{print: print, end: true}.cursor()
		return page, nil
	}
	if changed && from.print != "" && !from.end {
		page.Warnings = append(page.Warnings, "the files changed while they were read; they are read again from the beginning")
	}
	if changed || from.end {
		from = position{print: print}
	}
	sp, err := s.open(ctx, resource, names, print)
	if err != nil {
		return page, err
	}
	if from.place == 0 {
		page.Warnings = append(page.Warnings, sp.oddities()...)
	}
	return s.read(ctx, sp, from, page)
}

// look lists the files of a resource and fingerprints them. Orders must be there: their absence is a mistake, and not a
// shop that lost all its orders.
func (s *source) look(resource commerce.Resource) (names []string, print string, err error) {
	if s.plan.tables[resource] == nil {
		return nil, "", &permanent{fmt.Errorf("no files are set for %s", resource)}
	}
	if names, err = s.plan.list(resource); err != nil {
		return nil, "", err
	}
	if len(names) == 0 && (resource == commerce.Orders || len(s.plan.tables[resource].marks) == 0) {
		return nil, "", fmt.Errorf("no %s file is in the folder", resource)
	}
	print, err = s.plan.fingerprint(names)
	return names, print, err
}

// open returns the spool of a resource, made anew where another one or none is at hand.
func (s *source) open(ctx context.Context, resource commerce.Resource, names []string, print string) (*spool, error) {
	if s.cache != nil && s.cache.resource == resource && s.cache.print == print {
		return s.cache, nil
	}
	s.drop()
	sp, err := newSpool(ctx, s.plan, resource, names)
	if err != nil {
		return nil, err
	}
	sp.print, s.cache = print, sp
	after, err := s.plan.fingerprint(names)
	if err != nil {
		return nil, err
	}
	if after != print {
		return nil, errors.New("the files are being written just now")
	}
	return sp, nil
}

// read fills the page from the spool.
func (s *source) read(ctx context.Context, sp *spool, from position, page connectors.Page) (connectors.Page, error) {
	b := &builder{plan: s.plan, table: sp.table, spool: sp, now: s.now(), page: &page}
	i, rows := sp.seek(from.place), 0
	for groups := 0; i < len(sp.entries) && groups < s.plan.settings.PageSize && rows < pageRows; groups++ {
		if err := ctx.Err(); err != nil {
			return page, err
		}
		recs, next, err := sp.read(i)
		if err != nil {
			return page, err
		}
		b.add(recs)
		rows += next - i
		i = next
	}
	page.Warnings = append(page.Warnings, b.warnings()...)
	page.Total = sp.groups
	next := position{print: sp.print, end: i >= len(sp.entries)}
	if page.Done = next.end; !page.Done {
		next.place = sp.entries[i].group
	} else {
		s.drop()
	}
	page.Next = next.cursor()
	return page, nil
}

// drop gives the spool back to the system.
func (s *source) drop() {
	if s.cache != nil {
		_ = s.cache.close() // only read from, and without a name: nothing can be lost
		s.cache = nil
	}
}

// oddities tells what was repaired in the files.
func (s *spool) oddities() []string {
	var told []string
	for i, c := range s.counts {
		if c.odd.nul > 0 {
			told = append(told, fmt.Sprintf("%s: %d NUL characters were taken out", s.names[i], c.odd.nul))
		}
		if c.odd.invalid > 0 {
			told = append(told, fmt.Sprintf(`%s: %d cells are not in the encoding that is set; try encoding = "windows-1252"`,
				s.names[i], c.odd.invalid))
		}
	}
	return told
}

// pullError gives an error its kind: what is wrong with a file's columns stays wrong, the rest may pass.
func pullError(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := &connectors.Error{Kind: connectors.KindRetry, Op: op, Err: err, Remedy: "see that the folder and its files are there and can be read"}
	var p *permanent
	if errors.As(err, &p) {
		e.Kind, e.Remedy = connectors.KindPermanent, "correct the file, or the columns in perennial.toml"
	}
	return e
}
