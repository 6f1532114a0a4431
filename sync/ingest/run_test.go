package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// script is a source that plays pages from a list, or answers by a function.
type script struct {
	offers []connectors.Offer
	pull   func(resource commerce.Resource, mode connectors.Mode, cursor connectors.Cursor) (connectors.Page, error)
}

func (s *script) Check(context.Context) (connectors.Report, error) { return connectors.Report{}, nil }
func (s *script) Resources() []connectors.Offer                    { return s.offers }
func (s *script) Pull(_ context.Context, r commerce.Resource, m connectors.Mode, c connectors.Cursor) (connectors.Page, error) {
	return s.pull(r, m, c)
}

// asking is a script that confirms deletions.
type asking struct {
	script
	asked   [][]string
	present map[string]bool
	unsure  map[string]bool
}

func (a *asking) Fetch(_ context.Context, _ commerce.Resource, ids []string) (connectors.Page, error) {
	a.asked = append(a.asked, ids)
	var page connectors.Page
	for _, id := range ids {
		switch {
		case a.present[id]:
			page.Records.Orders = append(page.Records.Orders, commerce.Order{ID: id})
		case !a.unsure[id]:
			page.Deleted = append(page.Deleted, id)
		}
	}
	return page, nil
}

// memory is Records in memory.
type memory struct {
	progress map[string]ingest.Progress
	living   map[string]bool
	met      map[string]bool
	commits  []ingest.Commit
	deleted  []string
	since    time.Time // as the last question for unseen records named it
	loaded   bool
	lost     int // how often the notes of a sweep are gone
	fenced   bool
}

func newMemory() *memory {
	return &memory{progress: map[string]ingest.Progress{}, living: map[string]bool{}, met: map[string]bool{}}
}

func key(r commerce.Resource, m connectors.Mode) string { return string(r) + string(m) }

func (m *memory) Cursor(_ context.Context, r commerce.Resource, mode connectors.Mode) (ingest.Progress, error) {
	return m.progress[key(r, mode)], nil
}

func (m *memory) Commit(_ context.Context, c ingest.Commit) (ingest.Written, error) {
	p := m.progress[key(c.Resource, c.Mode)]
	if m.fenced {
		return ingest.Written{}, ingest.ErrFenced
	}
	if p.Cursor != c.Old {
		return ingest.Written{}, ingest.ErrCursorMoved
	}
	if c.Start {
		p.Records, p.StartedAt, p.Unswept = 0, c.At, c.Mode == connectors.Sweep
		m.met = map[string]bool{}
	}
	p.Cursor, p.Done = c.Page.Next, c.Page.Done
	p.Records += c.Page.Records.Len()
	if c.Page.Done && c.Mode == connectors.Increment {
		p.EndedAt = c.At
	}
	m.progress[key(c.Resource, c.Mode)] = p
	for _, o := range c.Page.Records.Orders {
		m.living[o.ID], m.met[o.ID] = true, true
	}
	m.commits = append(m.commits, c)
	return ingest.Written{Read: c.Page.Records.Len() + len(c.Page.Rejected), Quarantined: len(c.Page.Rejected)}, nil
}

func (m *memory) Unseen(_ context.Context, _ commerce.Resource, since time.Time) (ids []string, living int, err error) {
	m.since = since
	if m.lost > 0 {
		m.lost--
		return nil, 0, ingest.ErrSweepLost
	}
	for id := range m.living {
		if !m.met[id] {
			ids = append(ids, id)
		}
	}
	return ids, len(m.living), nil
}

func (m *memory) EndSweep(_ context.Context, r commerce.Resource, deleted []string) (ingest.Written, error) {
	p := m.progress[key(r, connectors.Sweep)]
	p.Unswept, p.EndedAt = false, p.StartedAt
	m.progress[key(r, connectors.Sweep)] = p
	for _, id := range deleted {
		delete(m.living, id)
	}
	m.deleted = append(m.deleted, deleted...)
	return ingest.Written{Deleted: len(deleted)}, nil
}

func (m *memory) Reset(context.Context, commerce.Resource) error { return nil }
func (m *memory) MarkLoaded(context.Context, time.Time) error    { m.loaded = true; return nil }

func orders(ids ...string) connectors.Page {
	page := connectors.Page{}
	for _, id := range ids {
		page.Records.Orders = append(page.Records.Orders, commerce.Order{ID: id})
	}
	return page
}

// pages answers cursors "", "1", "2" ... with the pages of the list, the last one being the end.
func pages(list ...connectors.Page) func(commerce.Resource, connectors.Mode, connectors.Cursor) (connectors.Page, error) {
	return func(_ commerce.Resource, _ connectors.Mode, cursor connectors.Cursor) (connectors.Page, error) {
		var at int
		_, _ = fmt.Sscan(string(cursor), &at) // the empty cursor is the first page
		at %= len(list)
		page := list[at]
		page.Next, page.Done = connectors.Cursor(fmt.Sprint(at+1)), at == len(list)-1
		return page, nil
	}
}

func offer(incremental bool) []connectors.Offer {
	return []connectors.Offer{{Resource: commerce.Orders, Incremental: incremental}}
}

func run(source connectors.Source, records ingest.Records) (ingest.Summary, error) {
	return ingest.Run(context.Background(), ingest.Options{Source: source, Records: records, Now: func() time.Time { return noon }})
}

func TestRunReadsEverythingAndResumes(t *testing.T) {
	m := newMemory()
	broken := &script{offers: offer(true)}
	list := pages(orders("1", "2"), orders("3"), orders("4"))
	broken.pull = func(r commerce.Resource, mode connectors.Mode, cursor connectors.Cursor) (connectors.Page, error) {
		if cursor == "2" {
			return connectors.Page{}, errors.New("502")
		}
		return list(r, mode, cursor)
	}
	summary, err := run(broken, m)
	require.ErrorContains(t, err, "orders: 502")
	require.False(t, m.loaded || summary.Loaded)
	require.Equal(t, 3, summary.Written().Read, "what was read is kept")

	var steps []ingest.Step
	summary, err = ingest.Run(context.Background(), ingest.Options{
		Source: &script{offers: offer(true), pull: list}, Records: m, Now: func() time.Time { return noon },
		Progress: func(s ingest.Step) { steps = append(steps, s) },
	})
	require.NoError(t, err)
	require.True(t, m.loaded)
	require.Equal(t, 1, summary.Written().Read, "only the rest")
	require.Len(t, steps, 1)
	require.Equal(t, 4, steps[0].Read, "bars count the whole pull")
	require.False(t, m.commits[len(m.commits)-1].Start)
}

func TestRunRefusesSourcesThatDoNotMove(t *testing.T) {
	for name, c := range map[string]struct {
		pull func(commerce.Resource, connectors.Mode, connectors.Cursor) (connectors.Page, error)
		want string
	}{
		"no advance": {func(_ commerce.Resource, _ connectors.Mode, c connectors.Cursor) (connectors.Page, error) {
			page := orders("1")
			page.Next = c
			return page, nil
		}, "did not advance"},
		"circle": {func(_ commerce.Resource, _ connectors.Mode, c connectors.Cursor) (connectors.Page, error) {
			page := orders("1")
			page.Next = map[connectors.Cursor]connectors.Cursor{"": "a", "a": "b", "b": "a"}[c]
			return page, nil
		}, "circle"},
		"no end": {func(_ commerce.Resource, _ connectors.Mode, c connectors.Cursor) (connectors.Page, error) {
			return connectors.Page{Next: c + "."}, nil
		}, "no end after 50 pages"},
		"panic": {func(commerce.Resource, connectors.Mode, connectors.Cursor) (connectors.Page, error) {
			panic("secret canary")
		}, "broke down (string)"},
		"nil map": {func(commerce.Resource, connectors.Mode, connectors.Cursor) (connectors.Page, error) {
			var list []int
			_ = list[len(list)]
			return connectors.Page{}, nil
		}, "index out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ingest.Run(context.Background(), ingest.Options{
				Source: &script{offers: offer(true), pull: c.pull}, Records: newMemory(), Now: func() time.Time { return noon }, MaxPages: 50,
			})
			require.ErrorContains(t, err, c.want)
			require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
			require.NotContains(t, err.Error(), "canary")
		})
	}
}

func TestRunWaitsWithinReason(t *testing.T) {
	asked := 0
	source := &script{offers: offer(true)}
	source.pull = func(commerce.Resource, connectors.Mode, connectors.Cursor) (connectors.Page, error) {
		asked++
		if asked == 3 {
			page := orders("1")
			page.Next, page.Done = "end", true
			return page, nil
		}
		return connectors.Page{Next: "job 1", NotBefore: noon.Add(time.Duration(asked) * time.Minute)}, nil
	}
	var waits []time.Time
	var waiting []bool
	options := ingest.Options{
		Source: source, Records: newMemory(), Now: func() time.Time { return noon },
		Wait:     func(_ context.Context, until time.Time) error { waits = append(waits, until); return nil },
		Progress: func(s ingest.Step) { waiting = append(waiting, s.Waiting) },
	}
	_, err := ingest.Run(context.Background(), options)
	require.NoError(t, err)
	require.Len(t, waits, 2)
	require.Equal(t, []bool{false, true, true, false}, waiting, "a bar can say why it stands still")

	asked, options.Records, options.Patience = 0, newMemory(), time.Second
	_, err = ingest.Run(context.Background(), options)
	require.Equal(t, connectors.KindWait, connectors.KindOf(err))
	var e *connectors.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, noon.Add(time.Minute), e.Until)
}

// TestRunWaitsByItsOwnClock: where the clock of the run is not that of the machine, it waits as long as the source asked,
// neither for days nor not at all.
func TestRunWaitsByItsOwnClock(t *testing.T) {
	for _, shift := range []time.Duration{-100 * time.Hour, 100 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			asked, began := 0, time.Now()
			now := func() time.Time { return time.Now().Add(shift) }
			source := &script{offers: offer(true)}
			source.pull = func(commerce.Resource, connectors.Mode, connectors.Cursor) (connectors.Page, error) {
				if asked++; asked == 1 {
					return connectors.Page{Next: "job 1", NotBefore: now().Add(time.Minute)}, nil
				}
				page := orders("1")
				page.Next, page.Done = "end", true
				return page, nil
			}
			_, err := ingest.Run(t.Context(), ingest.Options{Source: source, Records: newMemory(), Now: now})
			require.NoError(t, err)
			require.Equal(t, time.Minute, time.Since(began))
		})
	}
}

func TestSweepConfirmsDeletions(t *testing.T) {
	m := newMemory()
	for _, id := range []string{"gone", "hidden", "unsure"} {
		m.living[id] = true
	}
	source := &asking{present: map[string]bool{"hidden": true}, unsure: map[string]bool{"unsure": true}}
	source.offers, source.pull = offer(false), pages(orders("1"), orders("2"))
	summary, err := run(source, m)
	require.NoError(t, err)
	require.Equal(t, []string{"gone"}, m.deleted)
	require.Equal(t, 3, summary.Pulls[0].Missing)
	require.Equal(t, "hidden", m.commits[2].Page.Records.Orders[0].ID)
	require.False(t, m.progress[key(commerce.Orders, connectors.Sweep)].Unswept)
}

func TestSweepPassesOverWhatTheKeyCannotSee(t *testing.T) {
	m := newMemory()
	options := ingest.Options{
		Source: &script{offers: offer(false), pull: pages(orders("1"))}, Records: m, Now: func() time.Time { return noon },
	}
	_, err := ingest.Run(context.Background(), options)
	require.NoError(t, err)
	require.Zero(t, m.since, "it sees everything")

	options.Since = noon.Add(-60 * 24 * time.Hour)
	_, err = ingest.Run(context.Background(), options)
	require.NoError(t, err)
	require.Equal(t, options.Since.Add(48*time.Hour), m.since)
}

func TestSweepRefusesThatMuchVanishes(t *testing.T) {
	m := newMemory()
	for i := range 11 {
		m.living[fmt.Sprint("old", i)] = true
	}
	options := ingest.Options{
		Source: &script{offers: offer(false), pull: pages(orders("1"))}, Records: m, Now: func() time.Time { return noon },
	}
	summary, err := ingest.Run(context.Background(), options)
	require.ErrorContains(t, err, "orders sweep: 11 of 12 vanished", "the ledger of runs tells the owner")
	require.Contains(t, connectors.Remedy(err), "--accept-deletions")
	var partial *ingest.PartialError
	require.ErrorAs(t, err, &partial, "analysis goes on")
	require.True(t, summary.Loaded)
	require.Empty(t, m.deleted)

	options.AcceptDeletions = true
	_, err = ingest.Run(context.Background(), options)
	require.NoError(t, err)
	require.Len(t, m.deleted, 11)
}

func TestSweepIsReadAgainWhenItsNotesAreLost(t *testing.T) {
	m := newMemory()
	m.lost = 1
	_, err := run(&script{offers: offer(false), pull: pages(orders("1"))}, m)
	require.NoError(t, err)
	require.Len(t, m.commits, 2)
}

func TestInterruptedSweepIsFinishedFirst(t *testing.T) {
	m := newMemory()
	m.living["gone"] = true
	m.progress[key(commerce.Orders, connectors.Sweep)] = ingest.Progress{Cursor: "1", Done: true, Unswept: true, StartedAt: noon}
	_, err := run(&script{offers: offer(false), pull: pages(orders("1"))}, m)
	require.NoError(t, err)
	require.Equal(t, []string{"gone"}, m.deleted)
	require.Empty(t, m.commits, "everything was read before")
}

func TestSweepIsDueByTime(t *testing.T) {
	for age, swept := range map[time.Duration]bool{6 * 24 * time.Hour: false, 7 * 24 * time.Hour: true} {
		m := newMemory()
		ended := noon.Add(-age)
		m.progress[key(commerce.Orders, connectors.Sweep)] = ingest.Progress{Done: true, StartedAt: ended, EndedAt: ended}
		_, err := ingest.Run(context.Background(), ingest.Options{
			Source: &script{offers: offer(true), pull: pages(orders("1"))}, Records: m, Now: func() time.Time { return noon },
			SweepEvery: 7 * 24 * time.Hour,
		})
		require.NoError(t, err)
		require.Equal(t, swept, len(m.commits) == 2)
	}
}

func TestTooMuchUnreadableFailsTheRun(t *testing.T) {
	for bad, fails := range map[int]bool{10: false, 11: true} {
		page := orders(strings.Split(strings.Repeat("x,", 100), ",")...)
		for i := range bad {
			page.Rejected = append(page.Rejected, connectors.Rejected{ID: fmt.Sprint(i)})
		}
		m := newMemory()
		summary, err := run(&script{offers: offer(true), pull: pages(page)}, m)
		require.Equal(t, fails, err != nil, err)
		require.Len(t, m.commits, 1, "the rest is stored")
		require.True(t, summary.Loaded)
	}
}

func TestOneResourceWithoutPermissionKeepsNoOtherFromBeingRead(t *testing.T) {
	source := &script{offers: []connectors.Offer{{Resource: commerce.Coupons, Incremental: true}, {Resource: commerce.Orders, Incremental: true}}}
	list := pages(orders("1"))
	source.pull = func(r commerce.Resource, mode connectors.Mode, cursor connectors.Cursor) (connectors.Page, error) {
		if r == commerce.Coupons {
			return connectors.Page{}, &connectors.Error{Kind: connectors.KindCredentials, Permission: "read coupons", Op: "coupons page"}
		}
		return list(r, mode, cursor)
	}
	m := newMemory()
	_, err := run(source, m)
	require.Equal(t, connectors.KindCredentials, connectors.KindOf(err))
	require.Len(t, m.commits, 1)
	require.True(t, m.loaded)

	m = newMemory()
	m.fenced = true
	_, err = run(source, m)
	require.ErrorIs(t, err, ingest.ErrFenced)
	require.False(t, m.loaded)
}

// failing is a source whose resources fail as named; the others give one order.
func failing(errs map[commerce.Resource]error) *script {
	source := &script{}
	for _, r := range []commerce.Resource{commerce.Coupons, commerce.Orders, commerce.Reviews} {
		source.offers = append(source.offers, connectors.Offer{Resource: r, Incremental: true})
	}
	list := pages(orders("1"))
	source.pull = func(r commerce.Resource, mode connectors.Mode, cursor connectors.Cursor) (connectors.Page, error) {
		if err := errs[r]; err != nil {
			return connectors.Page{}, err
		}
		return list(r, mode, cursor)
	}
	return source
}

func TestWhatAnalysisDoesWithoutDoesNotHoldItUp(t *testing.T) {
	noRoute := &connectors.Error{Kind: connectors.KindPermanent, Op: "reviews page"}
	forbidden := &connectors.Error{Kind: connectors.KindCredentials, Permission: "read", Op: "coupons page"}
	away := &connectors.Error{Kind: connectors.KindRetry, Op: "page"}
	for name, c := range map[string]struct {
		errs    map[commerce.Resource]error
		partial bool
		kind    connectors.Kind
	}{
		"no reviews in this shop": {map[commerce.Resource]error{commerce.Reviews: noRoute}, true, connectors.KindPermanent},
		"neither of two":          {map[commerce.Resource]error{commerce.Coupons: forbidden, commerce.Reviews: noRoute}, true, connectors.KindCredentials},
		"orders forbidden":        {map[commerce.Resource]error{commerce.Orders: forbidden}, false, connectors.KindCredentials},
		"away after a forbidden one": {
			map[commerce.Resource]error{commerce.Coupons: forbidden, commerce.Orders: away}, false, connectors.KindRetry,
		},
		"reviews away for now": {map[commerce.Resource]error{commerce.Reviews: away}, false, connectors.KindRetry},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			summary, err := run(failing(c.errs), m)
			require.Error(t, err)
			require.Equal(t, c.kind, connectors.KindOf(err), "what may pass decides when to try again")
			var partial *ingest.PartialError
			require.Equal(t, c.partial, errors.As(err, &partial), err)
			require.Equal(t, c.partial, summary.Loaded)
			require.Equal(t, c.partial, m.loaded)
		})
	}
}

// TestAPlatformOfItsOwnHoldsUpNothing lets reviews that do not come from the shop fail in every way.
func TestAPlatformOfItsOwnHoldsUpNothing(t *testing.T) {
	for _, kind := range []connectors.Kind{
		connectors.KindRetry, connectors.KindWait, connectors.KindCredentials, connectors.KindRecord, connectors.KindPermanent,
	} {
		source := failing(map[commerce.Resource]error{commerce.Reviews: &connectors.Error{Kind: kind, Op: "reviews page"}})
		source.offers[2].Apart = true
		m := newMemory()
		summary, err := run(source, m)
		require.Equal(t, kind, connectors.KindOf(err), "it is told")
		var partial *ingest.PartialError
		require.ErrorAs(t, err, &partial, kind.String())
		require.True(t, summary.Loaded)
		require.True(t, m.loaded)
	}

	source := failing(nil)
	source.offers[2].Apart = true
	m := newMemory()
	m.fenced = true
	_, err := run(source, m)
	require.ErrorIs(t, err, ingest.ErrFenced)
	var partial *ingest.PartialError
	require.False(t, errors.As(err, &partial), "what fails on our side stops the run")
}

// TestWhatIsUnreadableElsewhereIsJudgedApart sets aside more reviews than a run of the shop may have unreadable.
func TestWhatIsUnreadableElsewhereIsJudgedApart(t *testing.T) {
	odd := connectors.Page{Done: true}
	for i := range 20 {
		odd.Rejected = append(odd.Rejected, connectors.Rejected{ID: fmt.Sprint(i), Reason: "field rating"})
	}
	for _, apart := range []bool{true, false} {
		source := failing(nil)
		source.offers[2] = connectors.Offer{Resource: commerce.Reviews, Apart: apart}
		one := source.pull
		source.pull = func(r commerce.Resource, mode connectors.Mode, cursor connectors.Cursor) (connectors.Page, error) {
			if r == commerce.Reviews {
				return odd, nil
			}
			return one(r, mode, cursor)
		}
		_, err := run(source, newMemory())
		require.Equal(t, connectors.KindRecord, connectors.KindOf(err))
		var partial *ingest.PartialError
		require.Equal(t, apart, errors.As(err, &partial), "apart %t", apart)
	}
}

func TestCancelledRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	m := newMemory()
	source := &script{offers: offer(true)}
	source.pull = func(_ commerce.Resource, _ connectors.Mode, c connectors.Cursor) (connectors.Page, error) {
		cancel()
		return connectors.Page{Next: c + "."}, nil
	}
	_, err := ingest.Run(ctx, ingest.Options{Source: source, Records: m, Now: func() time.Time { return noon }})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, m.commits, 1)
	require.False(t, m.loaded)
}
