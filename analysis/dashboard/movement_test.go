package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// movedFacts is a shop whose movements take a while to count.
type movedFacts struct {
	*shopFacts
	takes time.Duration
	fails error

	mu    sync.Mutex
	asked [][2]int
}

func (f *movedFacts) Rules(context.Context) (map[string]string, error) {
	return map[string]string{segment.SchemeTier: `{"cuts":[3,2,1],"basis":"spent"}`}, nil
}

func (f *movedFacts) Groups(_ context.Context, scheme string) (report.Snapshot, error) {
	return report.Snapshot{AsOf: readAt, Scheme: scheme, Rule: `{"cuts":[3,2,1],"basis":"spent"}`}, nil
}

func (f *movedFacts) Span(context.Context, string) (analysis.Span, bool, error) {
	last := analysis.Day(readAt, time.UTC)
	return analysis.Span{First: last - 100, Last: last}, true, nil
}

func (f *movedFacts) Moves(_ context.Context, _ string, before, after int) ([]segment.Flow, error) {
	f.mu.Lock()
	f.asked = append(f.asked, [2]int{before, after})
	f.mu.Unlock()
	time.Sleep(f.takes)
	return []segment.Flow{
		{From: "low", To: "top", Customers: 7, Money: 70_000},
		{From: "top", To: "low", Customers: 3, Money: 90_000},
		{From: "top", To: "top", Customers: 40, Money: 400_000},
		{To: "low", Customers: 5, Money: 50_000},
		{From: "low", Customers: 2},
	}, f.fails
}

// times is how often movement was asked for.
func (f *movedFacts) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

// servedMoving is a dashboard of the shop.
func servedMoving(t *testing.T, f *movedFacts) *Server {
	t.Helper()
	s := served(t, f.shopFacts)
	s.boards["tea"].facts = f
	return s
}

func movingShop(t *testing.T) *movedFacts { return &movedFacts{shopFacts: teaShop(t)} }

func TestMovement(t *testing.T) {
	s := servedMoving(t, movingShop(t))
	goldenPage(t, s, "/shops/tea/movement", "movement.html")
	golden(t, "movement.csv", got(t, s, "/shops/tea/movement.csv").Body.Bytes())
	goldenPage(t, s, "/shops/tea/movement?set=tier&days=30", "movement_tier.html")
}

func TestMovementBetweenDays(t *testing.T) {
	last := analysis.Day(readAt, time.UTC)
	for query, want := range map[string][2]int{
		"":                               {last - 28, last},
		"&days=7":                        {last - 7, last},
		"&days=365":                      {last - 100, last}, // as far as there is history
		"&from=2026-03-01":               {last - 20, last},
		"&from=2026-03-01&to=2026-03-11": {last - 20, last - 10},
		"&from=2026-03-01&days=7":        {last - 20, last},
	} {
		t.Run(query, func(t *testing.T) {
			f := movingShop(t)
			require.Contains(t, got(t, servedMoving(t, f), "/shops/tea/movement?set=tier"+query).Body.String(), "from "+analysis.Date(want[0]).Format(time.DateOnly))
			require.Equal(t, [][2]int{want}, f.asked)
		})
	}
}

func TestMovementOfNoSense(t *testing.T) {
	for query, says := range map[string]string{
		"set=none":                               "set must be one of rfm, lifecycle, tier, churn, own.",
		"set=" + strings.Repeat("x", 999):        "set must be one of",
		"days=0":                                 "days must be a number from 1 to 36500.",
		"days=-7":                                "days must be a number",
		"days=99999999999999999999":              "days must be a number",
		"from=yesterday":                         "from must be a day such as 2026-03-21.",
		"from=0001-01-01":                        "from must be a day",
		"to=2026-02-30":                          "to must be a day",
		"set=tier&from=2026-03-20&to=2026-03-20": "2026-03-20 is not before 2026-03-20",
		"set=tier&from=2020-01-01":               "lies before the first analysis",
		"set=tier&to=2027-01-01":                 "lies after the last analysis",
	} {
		for _, page := range []string{"movement", "movement.csv"} {
			w := got(t, servedMoving(t, movingShop(t)), "/shops/tea/"+page+"?"+query)
			require.Equal(t, http.StatusBadRequest, w.Code, query)
			require.Contains(t, w.Body.String(), says, query)
		}
	}
}

// TestMovementIsCountedOnce: whoever does not want to wait is told so, and the next one gets it.
func TestMovementIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := movingShop(t)
		f.takes = 4 * time.Second
		b, asked := boardOf(t, f), movesAsked{Between: report.Between{Set: segment.SchemeTier}}
		for range 5 {
			began := time.Now()
			_, ok, err := countedOn(t, b, f, asked, patient)
			require.NoError(t, err)
			require.False(t, ok)
			require.Equal(t, patient, time.Since(began))
		}
		m, ok, err := countedOn(t, b, f, asked, time.Minute)
		require.NoError(t, err)
		require.True(t, ok)
		require.Len(t, m.Movements[0].Flows, 5)
		_, ok, _ = countedOn(t, b, f, asked, 0)
		require.True(t, ok)
		require.Equal(t, 1, f.times())

		asked.ran = readAt // another run may have analysed the day anew
		_, ok, _ = countedOn(t, b, f, asked, time.Minute)
		require.True(t, ok)
		require.Equal(t, 2, f.times())
	})
}

func TestMovementThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := movingShop(t)
		f.fails = errors.New("the database is gone")
		b := boardOf(t, f)
		for range 2 {
			_, _, err := countedOn(t, b, f, movesAsked{Between: report.Between{Set: segment.SchemeTier}}, time.Minute)
			require.ErrorIs(t, err, f.fails)
		}
		require.Equal(t, 2, f.times())
		require.Empty(t, b.moves.known)
	})
}

// TestMovementsAreBounded: however many are asked for, only some are kept, and few are counted at a time.
func TestMovementsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := movingShop(t)
		f.takes = time.Second
		b := boardOf(t, f)
		ask := func(days int) bool {
			_, ok, err := countedOn(t, b, f, movesAsked{Between: report.Between{Set: segment.SchemeTier, Days: days}}, 0)
			require.NoError(t, err)
			return ok
		}
		for days := range 3 * countsKept {
			require.False(t, ask(days+1))
		}
		synctest.Wait()
		require.Equal(t, countsAtOnce, f.times())
		time.Sleep(countsKept * time.Second)
		synctest.Wait()
		require.Equal(t, countsKept, f.times())
		require.True(t, ask(1))
		require.False(t, ask(1000))
		require.Len(t, b.moves.known, countsKept)
		require.False(t, ask(1), "the oldest has made room")
		time.Sleep(time.Minute)
	})
}

func TestMovementThatIsBeingCounted(t *testing.T) {
	f := movingShop(t)
	f.takes = 3 * time.Second
	s := servedMoving(t, f)
	synctest.Test(t, func(t *testing.T) {
		s.boards["tea"].ctx = t.Context()
		w := got(t, s, "/shops/tea/movement?set=tier&days=90")
		require.Equal(t, http.StatusOK, w.Code)
		require.Contains(t, w.Body.String(), "is being counted")
		require.Equal(t, "2", w.Header().Get("Refresh"))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		w = got(t, s, "/shops/tea/movement?set=tier&days=90")
		require.Contains(t, w.Body.String(), "Every move")
		require.Empty(t, w.Header().Get("Refresh"))
	})
}

// countedOn asks a board for a movement.
func countedOn(t *testing.T, b *board, f *movedFacts, asked movesAsked, wait time.Duration) (report.Movements, bool, error) {
	t.Helper()
	return b.moves.get(t.Context(), asked, wait, b.movement(asked.Between, f.report.Overview))
}

func boardOf(t *testing.T, f Facts) *board {
	t.Helper()
	return newBoard(t.Context(), Shop{Name: "tea", Facts: f}, Options{Now: time.Now})
}

// TestMatrixAddsUp: rows and columns have everybody who stands in the flows, whatever the flows are.
func TestMatrixAddsUp(t *testing.T) {
	f := teaShop(t)
	v := &view{Report: &f.report, Link: links{shop: "tea"}}
	m := *f.report.Movement
	x := v.Matrix(m)
	all, across := 0, 0
	for _, row := range x.Rows {
		all += row.Customers
	}
	for _, column := range x.Columns {
		across += column.Customers
	}
	require.Equal(t, x.All, all)
	require.Equal(t, x.All, across)
	require.Contains(t, string(x.Chart), "New Customers")
	require.NotContains(t, string(x.Chart), "stayed")
	require.Equal(t, "/shops/tea/people?after=2026-03-21&before=2026-02-21&from=champions&scheme=rfm&to=at_risk", x.Largest[1].Address)
	for i := range 40 {
		id := strconv.Itoa(i)
		m.Flows = append(m.Flows, report.Flow{From: "champions", FromName: "Champions", To: id, ToName: fmt.Sprintf("S%d", i), Customers: 1, Direction: report.Moved})
	}
	x = v.Matrix(m)
	require.Len(t, x.Largest, largestMoves)
	require.Positive(t, x.More)
}
