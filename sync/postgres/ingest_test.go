package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
)

// stall is an invented shop that answers in small pages. Increments carry what changed since a tick, sweeps all.
type stall struct {
	tick       int
	orders     map[string]stalled
	unreadable map[string]bool
}

type stalled struct {
	order   commerce.Order
	changed int // the tick of the last edit that the shop admits
}

func (s *stall) Check(context.Context) (connectors.Report, error) { return connectors.Report{}, nil }

func (s *stall) Resources() []connectors.Offer {
	return []connectors.Offer{{Resource: commerce.Orders, Incremental: true}}
}

// Pull understands cursors "since/upto/after": changes in (since, upto], ids after the last one sent. A page overlaps
// the one before by one record.
func (s *stall) Pull(_ context.Context, _ commerce.Resource, mode connectors.Mode, cursor connectors.Cursor) (connectors.Page, error) {
	since, upto, after := 0, s.tick, ""
	if parts := strings.Split(string(cursor), "/"); len(parts) == 3 {
		since, _ = strconv.Atoi(parts[0])
		upto, _ = strconv.Atoi(parts[1])
		after = parts[2]
	}
	if after == "" {
		upto = s.tick
	}
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(s.orders)) {
		if id >= after && (mode == connectors.Sweep || s.orders[id].changed > since) {
			ids = append(ids, id)
		}
	}
	page := connectors.Page{Total: len(s.orders)}
	if len(ids) > 3 {
		ids = ids[:3]
		page.Next = connectors.Cursor(fmt.Sprintf("%d/%d/%s", since, upto, ids[2]))
	} else {
		page.Next, page.Done = connectors.Cursor(fmt.Sprintf("%d/%d/", upto, upto)), true
	}
	for _, id := range ids {
		s.give(id, &page)
	}
	if len(ids) > 0 { // the same record twice in a page
		s.give(ids[0], &page)
	}
	return page, nil
}

func (s *stall) give(id string, page *connectors.Page) {
	if s.unreadable[id] {
		page.Rejected = append(page.Rejected, connectors.Rejected{ID: id, Reason: "unreadable"})
		return
	}
	page.Records = join(page.Records, whole(s.orders[id].order))
}

func (s *stall) Fetch(_ context.Context, _ commerce.Resource, ids []string) (connectors.Page, error) {
	var page connectors.Page
	for _, id := range ids {
		if _, ok := s.orders[id]; ok {
			s.give(id, &page)
		} else {
			page.Deleted = append(page.Deleted, id)
		}
	}
	return page, nil
}

func join(a, b commerce.Batch) commerce.Batch {
	a.Orders = append(a.Orders, b.Orders...)
	a.Lines = append(a.Lines, b.Lines...)
	a.Complete = append(a.Complete, b.Complete...)
	return a
}

var errKilled = errors.New("killed")

// mortal are records whose process dies at one of the writes: before it, or after it with the answer lost.
type mortal struct {
	ingest.Records
	left  int
	after bool
}

func (m *mortal) die(write func() error) error {
	m.left--
	switch {
	case m.left > 0:
		return write()
	case m.left == 0 && m.after:
		return errors.Join(write(), errKilled)
	default:
		return errKilled
	}
}

func (m *mortal) Commit(ctx context.Context, page ingest.Commit) (w ingest.Written, err error) {
	err = m.die(func() error { w, err = m.Records.Commit(ctx, page); return err })
	return w, err
}

func (m *mortal) EndSweep(ctx context.Context, resource commerce.Resource, deleted []string) (w ingest.Written, err error) {
	err = m.die(func() error { w, err = m.Records.EndSweep(ctx, resource, deleted); return err })
	return w, err
}

// TestNothingLostNothingDoubled lives through random histories of a shop and of a process that is killed at any write,
// and compares the database with the shop after a clean sweep.
func TestNothingLostNothingDoubled(t *testing.T) {
	base := newShop(t)
	history := 0
	rapid.Check(t, func(rt *rapid.T) {
		history++
		s := base.another(fmt.Sprint("stall ", history))
		source := &stall{orders: map[string]stalled{}, unreadable: map[string]bool{}}
		now := noon
		options := func(records ingest.Records, sweep bool) ingest.Options {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{1, 1, 13}).Draw(rt, "hours")) * time.Hour)
			return ingest.Options{Source: source, Records: records, Now: func() time.Time { return now }, Sweep: sweep, AcceptDeletions: true}
		}
		for range rapid.IntRange(1, 3).Draw(rt, "nights") {
			change(rt, source)
			s.mishap(rt)
			records := &mortal{Records: s.Store, left: rapid.IntRange(1, 9).Draw(rt, "life"), after: rapid.Bool().Draw(rt, "after")}
			_, err := ingest.Run(context.Background(), options(records, rapid.Bool().Draw(rt, "sweep")))
			if err != nil && !errors.Is(err, errKilled) {
				rt.Fatalf("night: %v", err)
			}
		}
		_, err := ingest.Run(context.Background(), options(s.Store, true))
		require.NoError(rt, err)
		want, got := map[string]string{}, map[string]string{}
		var bad []string
		for id, o := range source.orders {
			want[id] = o.order.Goods.String() + "/1"
			if source.unreadable[id] {
				bad = append(bad, id)
			}
		}
		slices.Sort(bad)
		quarantined := all[string](s, `SELECT id FROM quarantine WHERE store_id = $1 ORDER BY id`, s.id)
		require.ElementsMatch(rt, bad, quarantined, "in quarantine is what cannot be read now")
		for _, line := range all[string](s, `SELECT id || '=' || goods || '/' || (SELECT count(*) FROM lines l
			WHERE l.store_id = o.store_id AND l.order_id = o.id) FROM orders o WHERE store_id = $1 AND deleted_at IS NULL`, s.id) {
			id, text, _ := strings.Cut(line, "=")
			got[id] = text
		}
		for _, id := range bad { // it is stored as it was last read, if ever
			delete(want, id)
			delete(got, id)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("the database is not the shop (-shop +database):\n%s", diff)
		}
		summary, err := ingest.Run(context.Background(), options(s.Store, true))
		require.NoError(rt, err)
		w := summary.Written()
		require.Zero(rt, w.Added+w.Changed+w.Deleted, "a second run changes nothing: %+v", w)
	})
}

// mishap is what happens to the database between two runs: the owner asks to read everything anew, or a crash empties the
// notes of a sweep.
func (s *shop) mishap(rt *rapid.T) {
	switch rapid.IntRange(0, 5).Draw(rt, "mishap") {
	case 0:
		require.NoError(rt, s.Reset(context.Background(), commerce.Orders))
	case 1:
		_, err := s.raw.Exec(`DELETE FROM sweep_seen WHERE store_id = $1`, s.id)
		require.NoError(rt, err)
	}
}

// change is what happens in the shop on one day.
func change(rt *rapid.T, s *stall) {
	for range rapid.IntRange(0, 6).Draw(rt, "changes") {
		s.tick++
		id := fmt.Sprintf("%02d", rapid.IntRange(1, 12).Draw(rt, "id"))
		o, ok := s.orders[id]
		if !ok {
			o.order = order(id, "", "ann@example.com")
		}
		s.unreadable[id] = id == "02" && rapid.Bool().Draw(rt, "unreadable")
		switch rapid.IntRange(0, 3).Draw(rt, "kind") {
		case 0:
			delete(s.orders, id)
			continue
		case 1: // an edit that the shop does not admit
			if !ok {
				o.changed = s.tick
			}
		default:
			o.changed = s.tick
		}
		o.order.Goods = money(strconv.Itoa(s.tick))
		s.orders[id] = o
	}
}
