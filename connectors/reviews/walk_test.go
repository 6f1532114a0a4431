package reviews

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/goccy/go-json"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// platform is a list that may change before each request.
type platform struct {
	ids   []int
	total int
	asked int
	moves func(p *platform)
	spoil func(number, size int, rows []json.RawMessage) []json.RawMessage
	fail  error
}

func (p *platform) List(_ context.Context, number, size int) (Listing, error) {
	if p.moves != nil {
		p.moves(p)
	}
	p.asked++
	if p.fail != nil {
		return Listing{}, p.fail
	}
	from := min((number-1)*size, len(p.ids))
	var rows []json.RawMessage
	for _, id := range p.ids[from:min(from+size, len(p.ids))] {
		rows = append(rows, json.RawMessage(fmt.Sprintf(`{"id":%d}`, id)))
	}
	if p.spoil != nil {
		rows = p.spoil(number, size, rows)
	}
	return Listing{Rows: rows, Total: p.total}, nil
}

func (p *platform) Read(row []byte) (Reading, error) {
	var head struct {
		ID int `json:"id"`
	}
	if err := json.Unmarshal(row, &head); err != nil {
		return Reading{}, errors.New("field id cannot be read")
	}
	return Reading{Review: commerce.Review{ID: strconv.Itoa(head.ID)}, Gone: head.ID < 0}, nil
}

func numbers(n int) []int {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = n - i // newest first
	}
	return ids
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func source(p Platform, size int) Source {
	return Source{Kind: "test", Platform: p, Size: size, Now: func() time.Time { return noon }}
}

// walk pulls to the end and returns the ids met, in order.
func walk(s Source) (ids []string, pages []connectors.Page, err error) {
	cursor := connectors.Cursor("")
	for range 10_000 {
		page, err := s.Pull(context.Background(), commerce.Reviews, connectors.Sweep, cursor)
		if err != nil {
			return ids, pages, err
		}
		pages = append(pages, page)
		for _, v := range page.Records.Reviews {
			ids = append(ids, v.ID)
		}
		if page.Done {
			return ids, pages, nil
		}
		if page.Next == cursor {
			return ids, pages, errors.New("the cursor stands still")
		}
		cursor = page.Next
	}
	return ids, pages, errors.New("no end")
}

func TestQuietListIsReadOnceInFewRequests(t *testing.T) {
	for _, n := range []int{0, 1, 19, 20, 21, 99, 100, 101, 197, 1000, 2520, 5040, 30_000} {
		p := &platform{ids: numbers(n), total: n}
		ids, pages, err := walk(source(p, 100))
		require.NoError(t, err)
		require.Len(t, ids, n)
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(ids))), n, "each once")
		require.LessOrEqual(t, p.asked, 4+n*12/1000, "requests for %d", n)
		require.Empty(t, pages[len(pages)-1].Next, "the next walk begins anew")
	}
}

// TestEachPageReachesFarther looks at every place of a long list, with every size.
func TestEachPageReachesFarther(t *testing.T) {
	for _, most := range []int{LeastSize, 21, 50, 99, MostSize} {
		for place := 1; place < 20_000; place++ {
			number, size := pageAt(place, most)
			require.LessOrEqual(t, size, most)
			require.Less(t, (number-1)*size, place, "it begins before the place")
			require.Greater(t, number*size, place, "it ends behind it")
		}
	}
}

// TestNothingThatStaysIsMissed changes the list at random before each request.
func TestNothingThatStaysIsMissed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &platform{ids: numbers(rapid.IntRange(0, 400).Draw(t, "reviews"))}
		stays := map[int]bool{}
		for _, id := range p.ids {
			stays[id] = true
		}
		next := 1_000_000
		p.moves = func(p *platform) {
			for range rapid.SampledFrom([]int{0, 0, 0, 1, 3, 30}).Draw(t, "deletions") {
				if len(p.ids) == 0 {
					break
				}
				i := rapid.IntRange(0, len(p.ids)-1).Draw(t, "deleted")
				delete(stays, p.ids[i])
				p.ids = slices.Delete(p.ids, i, i+1)
			}
			for range rapid.SampledFrom([]int{0, 0, 0, 1, 5, 40}).Draw(t, "additions") {
				next++
				p.ids = slices.Insert(p.ids, rapid.IntRange(0, len(p.ids)).Draw(t, "added"), next)
			}
			if p.asked > 60 { // a list that never rests has no end
				p.moves = nil
			}
		}
		ids, _, err := walk(source(p, rapid.IntRange(LeastSize, 60).Draw(t, "size")))
		if err != nil { // it may give up, it may not end short
			require.Regexp(t, "cannot be followed|that held reviews is empty", err.Error())
			return
		}
		met := map[string]bool{}
		for _, id := range ids {
			met[id] = true
		}
		for id := range stays {
			require.True(t, met[strconv.Itoa(id)], "review %d stayed and was not met", id)
		}
	})
}

func TestNoWalkEndsShort(t *testing.T) {
	for name, c := range map[string]struct {
		p    platform
		kind connectors.Kind
	}{
		"an empty first page where reviews were announced": {platform{total: 50}, connectors.KindRetry},
		"empty from the second page on": {platform{ids: numbers(90), spoil: func(_, size int, rows []json.RawMessage) []json.RawMessage {
			if size < 30 {
				return nil
			}
			return rows
		}}, connectors.KindPermanent},
		"short pages all along": {platform{ids: numbers(300), spoil: func(_, _ int, rows []json.RawMessage) []json.RawMessage {
			return rows[:min(len(rows), 1)]
		}}, connectors.KindPermanent},
		"the same page for ever": {platform{ids: numbers(90), spoil: func(int, int, []json.RawMessage) []json.RawMessage {
			var rows []json.RawMessage
			for i := range 20 {
				rows = append(rows, json.RawMessage(fmt.Sprintf(`{"id":%d}`, i+1)))
			}
			return rows
		}}, connectors.KindPermanent},
		"more than asked for": {platform{ids: numbers(90), spoil: func(_, _ int, rows []json.RawMessage) []json.RawMessage {
			return append(rows, make([]json.RawMessage, 100)...)
		}}, connectors.KindPermanent},
		"a failure": {platform{fail: &connectors.Error{Kind: connectors.KindWait, Op: "reviews page"}}, connectors.KindWait},
	} {
		t.Run(name, func(t *testing.T) {
			_, pages, err := walk(source(&c.p, 30))
			require.Error(t, err)
			require.Equal(t, c.kind.String(), connectors.KindOf(err).String(), "%v", err)
			for _, page := range pages {
				require.False(t, page.Done)
			}
		})
	}
}

func TestListThatLostItsFrontIsFollowed(t *testing.T) {
	p := &platform{ids: numbers(300)}
	s := source(p, 50)
	first, err := s.Pull(t.Context(), commerce.Reviews, connectors.Sweep, "")
	require.NoError(t, err)
	second, err := s.Pull(t.Context(), commerce.Reviews, connectors.Sweep, first.Next)
	require.NoError(t, err)
	p.ids = p.ids[80:] // of them some that stand in the tail
	third, err := s.Pull(t.Context(), commerce.Reviews, connectors.Sweep, second.Next)
	require.NoError(t, err)
	last := second.Records.Reviews[len(second.Records.Reviews)-1].ID
	at, _ := strconv.Atoi(last)
	require.Equal(t, strconv.Itoa(at-1), third.Records.Reviews[0].ID, "it goes on right behind the last one met")
}

func TestListShorterThanAnnouncedIsTold(t *testing.T) {
	_, pages, err := walk(source(&platform{ids: numbers(30), total: 40}, 20))
	require.NoError(t, err)
	require.Contains(t, pages[len(pages)-1].Warnings[0], "announced 40 reviews and gave 30")
}

func TestCursorsThatLeadNowhereBeginAnew(t *testing.T) {
	p := &platform{ids: numbers(60)}
	s := source(p, 20)
	first, err := s.Pull(t.Context(), commerce.Reviews, connectors.Sweep, "")
	require.NoError(t, err)
	later := s
	later.Now = func() time.Time { return noon.Add(13 * time.Hour) }
	other := s
	other.Kind = "other"
	for name, c := range map[string]struct {
		s      Source
		cursor connectors.Cursor
	}{
		"of a night ago": {later, first.Next}, "of another platform": {other, first.Next}, "of a shop": {s, "eyJvIjoxMDB9"}, "broken": {s, "{"},
	} {
		page, err := c.s.Pull(t.Context(), commerce.Reviews, connectors.Sweep, c.cursor)
		require.NoError(t, err, name)
		require.Equal(t, "60", page.Records.Reviews[0].ID, name)
	}
	next, err := s.Pull(t.Context(), commerce.Reviews, connectors.Sweep, first.Next)
	require.NoError(t, err)
	require.Equal(t, "40", next.Records.Reviews[0].ID, "one of this walk goes on")

	_, err = s.Pull(t.Context(), commerce.Orders, connectors.Sweep, "")
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
}

func TestGoneAndUnreadableRows(t *testing.T) {
	rows := []json.RawMessage{json.RawMessage(`{"id":1}`), json.RawMessage(`{"id":-2}`), json.RawMessage(`{"id":"x y"}`), json.RawMessage(`[]`)}
	p := &platform{spoil: func(number, _ int, _ []json.RawMessage) []json.RawMessage {
		if number > 1 {
			return nil
		}
		return rows
	}}
	ids, pages, err := walk(source(p, 20))
	require.NoError(t, err)
	require.Equal(t, []string{"1"}, ids)
	require.Equal(t, []string{"-2"}, pages[0].Deleted)
	require.Len(t, pages[0].Rejected, 2)
	require.Equal(t, "x y", pages[0].Rejected[0].ID)
	require.Equal(t, "field id cannot be read", pages[0].Rejected[0].Reason)
	require.Contains(t, pages[0].Rejected[1].ID, "unreadable id")
	require.Equal(t, "[]", string(pages[0].Rejected[1].Raw))
}
