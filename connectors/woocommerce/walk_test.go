package woocommerce

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// coupon stands for any record of a list that can be asked for changes.
type coupon struct {
	id       int
	modified time.Time
}

// shelf is a list as WooCommerce serves it, with faults. Coupons are the simplest list there is.
type shelf struct {
	rows         []coupon
	made         int
	ignoreWindow bool
	ignoreOffset bool
	cap          int // the shop gives no more rows than this, whatever it is asked
	fails        int // status 500 for so many requests with more rows than failAbove
	failAbove    int
	sizes        []int // asked for
	since        []string
	before       func(n int) // called before the n-th request is answered
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.before != nil {
		s.before(len(s.sizes))
	}
	q := r.URL.Query()
	size, _ := strconv.Atoi(q.Get("per_page"))
	offset, _ := strconv.Atoi(q.Get("offset"))
	s.sizes = append(s.sizes, size)
	s.since = append(s.since, q.Get("modified_after"))
	if s.fails > 0 && size > s.failAbove {
		s.fails--
		answerJSON(w, 500, `{"code":"internal_server_error","message":"memory","data":{"status":500}}`)
		return
	}
	found := s.window(q.Get("modified_after"))
	if s.cap > 0 {
		size = min(size, s.cap)
	}
	if s.ignoreOffset {
		offset = 0
	}
	page := found[min(offset, len(found)):min(offset+size, len(found))]
	var out []string
	for _, c := range page {
		out = append(out, fmt.Sprintf(`{"id":%d,"code":"C%d","amount":"1","date_modified_gmt":%q}`, c.id, c.id, c.modified.Format(naive)))
	}
	w.Header().Set("X-WP-Total", strconv.Itoa(len(found)))
	answerJSON(w, 200, "["+strings.Join(out, ",")+"]")
}

func (s *shelf) window(after string) []coupon {
	slices.SortFunc(s.rows, func(a, b coupon) int { return a.id - b.id })
	since, err := time.Parse(naive, after)
	if err != nil || s.ignoreWindow {
		return s.rows
	}
	var found []coupon
	for _, c := range s.rows {
		if c.modified.After(since) {
			found = append(found, c)
		}
	}
	return found
}

func (s *shelf) add(n int, modified time.Time) {
	for range n {
		s.made++ // no id is given twice
		s.rows = append(s.rows, coupon{id: s.made, modified: modified})
	}
}

func (s *shelf) ids() []string {
	var all []string
	for _, c := range s.rows {
		all = append(all, strconv.Itoa(c.id))
	}
	return all
}

func (s *shelf) source(t *testing.T, pageSize int) *source {
	return newSource(setUp(t, s.ServeHTTP, func(set *settings) { set.PageSize = pageSize }).api)
}

// drain walks to the end, each page with a fresh instance, and returns the ids in order of arrival.
func drain(t require.TestingT, open func() *source, mode connectors.Mode, cursor connectors.Cursor) (ids []string, end connectors.Cursor, warnings []string, err error) {
	for range 10_000 {
		page, err := open().Pull(contextOf(t), commerce.Coupons, mode, cursor)
		if err != nil {
			return ids, cursor, warnings, err
		}
		for _, c := range page.Records.Coupons {
			ids = append(ids, c.ID)
		}
		warnings = append(warnings, page.Warnings...)
		if page.Done {
			return ids, page.Next, warnings, nil
		}
		if page.Next == cursor {
			require.FailNow(t, "the cursor does not advance")
		}
		cursor = page.Next
	}
	require.FailNow(t, "the walk does not end")
	return
}

var old = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

func TestWalkOfEverySize(t *testing.T) {
	for n := range 40 {
		s := &shelf{}
		s.add(n, old)
		ids, end, _, err := drain(t, func() *source { return s.source(t, 10) }, connectors.Increment, "")
		require.NoError(t, err)
		require.Equal(t, s.ids(), ids, "%d rows", n)
		p, err := parseCursor(end)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(-holdBack), p.Since, 2*time.Second, "behind the shop's clock at the start")
		_, end, _, err = drain(t, func() *source { return s.source(t, 10) }, connectors.Sweep, "")
		require.NoError(t, err)
		require.Empty(t, end, "the next sweep starts at the beginning")
	}
}

func TestIncrementAsksNaiveUTC(t *testing.T) {
	s := &shelf{}
	s.add(30, old)
	s.rows[4].modified = time.Now().UTC()
	cursor := position{Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))}.cursor()
	ids, _, warnings, err := drain(t, func() *source { return s.source(t, 10) }, connectors.Increment, cursor)
	require.NoError(t, err)
	require.Equal(t, []string{"5"}, ids)
	require.Equal(t, "2026-01-02T02:04:05", s.since[0])
	require.Empty(t, warnings)
}

// A first load that stops half-way and goes on a day later is followed from the start of its first day: what changed in
// pages read before the stop would be lost else.
func TestWatermarkOfAnInterruptedWalkIsItsFirstStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, began := &shelf{}, time.Now()
		s.add(35, began.AddDate(-1, 0, 0).UTC())
		page, err := s.source(t, 10).Pull(t.Context(), commerce.Coupons, connectors.Increment, "")
		require.NoError(t, err)
		time.Sleep(24 * time.Hour)
		s.rows[3].modified = began.Add(time.Hour).UTC()
		_, end, _, err := drain(t, func() *source { return s.source(t, 10) }, connectors.Increment, page.Next)
		require.NoError(t, err)
		p, err := parseCursor(end)
		require.NoError(t, err)
		require.WithinDuration(t, began.Add(-holdBack), p.Since, time.Second)
		ids, _, _, err := drain(t, func() *source { return s.source(t, 10) }, connectors.Increment, end)
		require.NoError(t, err)
		require.Equal(t, []string{"4"}, ids)
	})
}

func TestDeletionInAPageAlreadyRead(t *testing.T) {
	for _, gone := range []int{1, 3, 9, 10} {
		s := &shelf{}
		s.add(35, old)
		s.before = func(n int) {
			if n == 1 {
				s.rows = slices.Delete(s.rows, 0, gone)
			}
		}
		ids, _, _, err := drain(t, func() *source { return s.source(t, 10) }, connectors.Increment, "")
		require.NoError(t, err)
		require.Len(t, ids, 35, "%d deleted: nothing lost, nothing twice", gone)
	}
}

func TestNothingIsLostWhateverIsDeletedOrAdded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &shelf{}
		s.add(rapid.IntRange(1, 60).Draw(rt, "rows"), old)
		size := rapid.IntRange(5, 20).Draw(rt, "size")
		if rapid.Bool().Draw(rt, "capped") {
			s.cap = rapid.IntRange(5, 12).Draw(rt, "cap")
		}
		changes := rapid.IntRange(0, 12).Draw(rt, "changes")
		s.before = func(int) {
			if changes == 0 || len(s.rows) == 0 {
				return
			}
			changes--
			if rapid.Bool().Draw(rt, "delete") {
				from := rapid.IntRange(0, len(s.rows)-1).Draw(rt, "from")
				s.rows = slices.Delete(s.rows, from, min(len(s.rows), from+rapid.IntRange(1, 8).Draw(rt, "n")))
			} else {
				s.add(rapid.IntRange(1, 5).Draw(rt, "more"), old)
			}
		}
		living := map[string]bool{}
		first := s.ids()
		ids, _, _, err := drain(rt, func() *source { return s.source(t, size) }, connectors.Increment, "")
		require.NoError(rt, err)
		for _, id := range ids {
			require.False(rt, living[id], "row %s twice", id)
			living[id] = true
		}
		for _, id := range s.ids() {
			if slices.Contains(first, id) {
				require.True(rt, living[id], "row %s lived all the time and was lost", id)
			}
		}
	})
}

func TestIgnoredWindowTurnsIntoFullWalk(t *testing.T) {
	s := &shelf{ignoreWindow: true}
	s.add(30, old)
	cursor := position{Since: time.Now().UTC().Add(-time.Hour)}.cursor()
	ids, end, warnings, err := drain(t, func() *source { return s.source(t, 10) }, connectors.Increment, cursor)
	require.NoError(t, err)
	require.Equal(t, s.ids(), ids)
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], "ignores the filter")
	p, err := parseCursor(end)
	require.NoError(t, err)
	require.False(t, p.Since.IsZero(), "the next night tries the filter again")
}

func TestCursorFromTheFutureIsClamped(t *testing.T) {
	s := &shelf{}
	s.add(20, old)
	s.rows[3].modified = time.Now().UTC()
	cursor := position{Since: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)}.cursor()
	ids, end, warnings, err := drain(t, func() *source { return s.source(t, 10) }, connectors.Increment, cursor)
	require.NoError(t, err)
	require.Equal(t, []string{"4"}, ids)
	require.Len(t, warnings, 1)
	p, err := parseCursor(end)
	require.NoError(t, err)
	require.True(t, p.Since.Before(time.Now()))
}

func TestSamePageForEverIsAnError(t *testing.T) {
	s := &shelf{ignoreOffset: true}
	s.add(30, old)
	_, _, _, err := drain(t, func() *source { return s.source(t, 10) }, connectors.Increment, "")
	require.ErrorContains(t, err, "same page")
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	require.NotEmpty(t, connectors.Remedy(err))
}

func TestShopThatGivesFewerRowsThanAsked(t *testing.T) {
	s := &shelf{cap: 10}
	s.add(57, old)
	ids, _, _, err := drain(t, func() *source { return s.source(t, 100) }, connectors.Increment, "")
	require.NoError(t, err)
	require.Equal(t, s.ids(), ids)
}

func TestAnnouncedButNotGiven(t *testing.T) {
	src := newSource(setUp(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-WP-Total", "12")
		answerJSON(w, 200, `[]`)
	}).api)
	_, err := src.Pull(t.Context(), commerce.Coupons, connectors.Increment, "")
	require.ErrorContains(t, err, "12 records announced")
	require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
}

func TestPageSizeHalvesAndGrowsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{fails: 4, failAbove: 25}
		s.add(1200, old)
		ids, _, _, err := drain(t, func() *source { return s.source(t, 100) }, connectors.Increment, "")
		require.NoError(t, err)
		require.Equal(t, s.ids(), ids)
		require.Equal(t, []int{100, 100, 50, 50, 25}, s.sizes[:5])
		require.Equal(t, 100, slices.Max(s.sizes[5:]), "grown back")
	})
}

func TestPageThatAlwaysFailsIsNeverSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{fails: 1 << 30}
		s.add(40, old)
		_, cursor, _, err := drain(t, func() *source { return s.source(t, 20) }, connectors.Increment, "")
		require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
		require.Empty(t, cursor)
		require.Equal(t, leastPer, slices.Min(s.sizes))
		s.fails = 0
		ids, _, _, err := drain(t, func() *source { return s.source(t, 20) }, connectors.Increment, cursor)
		require.NoError(t, err)
		require.Equal(t, s.ids(), ids)
	})
}

func TestBadRowDoesNotStopThePage(t *testing.T) {
	src := newSource(setUp(t, func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, 200, `[{"id":1,"code":"a"},{"id":2,"code":"b","amount":"ten"},{"id":"x"},null,{"id":4,"code":"d"}]`)
	}).api)
	page, err := src.Pull(t.Context(), commerce.Coupons, connectors.Increment, "")
	require.NoError(t, err)
	require.True(t, page.Done)
	require.Len(t, page.Records.Coupons, 2)
	require.Len(t, page.Rejected, 3)
	require.Equal(t, "2", page.Rejected[0].ID)
	require.Equal(t, "field amount cannot be read", page.Rejected[0].Reason)
	require.NotEmpty(t, page.Rejected[1].ID)
	require.NotEqual(t, page.Rejected[1].ID, page.Rejected[2].ID)
}

func TestBrokenCursor(t *testing.T) {
	src := (&shelf{}).source(t, 10)
	for _, c := range []connectors.Cursor{"x", "bm90IGpzb24", position{Offset: -1}.cursor(), position{Leg: 7}.cursor()} {
		_, err := src.Pull(t.Context(), commerce.Coupons, connectors.Increment, c)
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err), c)
		require.Contains(t, connectors.Remedy(err), "resync")
	}
}

func TestUnsortedListIsAnError(t *testing.T) {
	src := newSource(setUp(t, func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, 200, `[{"id":3},{"id":1}]`)
	}).api)
	_, err := src.Pull(t.Context(), commerce.Coupons, connectors.Increment, "")
	require.ErrorContains(t, err, "order of ids")
}

// A shop that sells nothing yet has nothing of anything, and that is no fault; nor is a server without a clock.
func TestEmptyShop(t *testing.T) {
	s := newSource(setUp(t, serveSite(t, func(w http.ResponseWriter, r *http.Request) bool {
		switch trailing(r) {
		case "", "system_status":
			return false
		case "orders/statuses":
			answerJSON(w, 200, string(recorded(t, "orders_statuses.json")))
		default:
			w.Header().Set("Date", "never")
			w.Header().Set("X-WP-Total", "0")
			answerJSON(w, 200, `[]`)
		}
		return true
	})).api)
	report, err := s.Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), "%+v", report.Findings)
	for _, offer := range s.Resources() {
		for _, mode := range []connectors.Mode{connectors.Increment, connectors.Sweep} {
			cursor, done := connectors.Cursor(""), false
			for range 5 {
				page, err := s.Pull(t.Context(), offer.Resource, mode, cursor)
				require.NoError(t, err)
				require.Zero(t, page.Records.Len()+len(page.Rejected))
				if cursor, done = page.Next, page.Done; done {
					break
				}
			}
			require.True(t, done, "%s %s", offer.Resource, mode)
			p, err := parseCursor(cursor)
			require.NoError(t, err)
			if offer.Incremental && mode == connectors.Increment {
				require.WithinDuration(t, time.Now().Add(-holdBack-blindness), p.Since, time.Minute, "our own clock is not trusted further")
			}
		}
	}
}
