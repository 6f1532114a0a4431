package retention_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/retention"
)

// facts are the counts of single orders.
func facts(orders []retention.Order, asOf int32) retention.Facts {
	q := retention.Question{Unit: retention.Month, Within: retention.Within, Window: retention.Window{AsOf: asOf}}
	c := retention.Count(orders, q)
	q.Unit = retention.Week
	f := retention.Facts{
		Months: c.Cells, Weeks: retention.Count(orders, q).Cells, Visits: c.Visits, Sales: c.Sales, Tallies: c.Tallies, Waits: c.Waits, Gaps: c.Gaps,
		Beginners: c.All, Origins: []retention.Origin{{Kind: retention.Campaign, Keys: c.Newcomers, Names: map[string]string{"spring": "Spring letter"}}},
	}
	return f
}

func TestSummaryIsJSONWithoutLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		orders, q := shop(t)
		s, err := retention.Summarise(facts(orders, q.Window.AsOf), q.Window, "net")
		require.NoError(t, err)
		text, err := json.Marshal(s)
		require.NoError(t, err, "no NaN and no infinity")
		var again retention.Summary
		require.NoError(t, json.Unmarshal(text, &again))
		back, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(text), string(back))
	})
}

func TestSummaryOfAnEmptyShopIsEmpty(t *testing.T) {
	s, err := retention.Summarise(retention.Facts{}, retention.Window{AsOf: january2026}, "net")
	require.NoError(t, err)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.Contains(t, string(text), `"day":"2026-01-01"`)
	require.Contains(t, string(text), `"cohorts":[]`)
	require.NotContains(t, string(text), "known_from")
}

// TestSummaryAddsUp holds the figures of one shop against each other.
func TestSummaryAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		orders, q := shop(t)
		s, err := retention.Summarise(facts(orders, q.Window.AsOf), q.Window, "net")
		require.NoError(t, err)
		people, bought, size := 0, 0, 0
		for _, m := range s.Months {
			people, bought = people+m.New, bought+m.First.Orders+m.Later.Orders
		}
		revenue := s.Revenue
		for _, c := range s.Cohorts {
			size += c.Size
			require.Equal(t, c.Size, c.Customers[0])
			require.LessOrEqual(t, c.Complete, len(c.Customers))
			for _, r := range c.Revenue {
				revenue = revenue.Sub(r)
			}
		}
		require.Equal(t, []int{s.Customers, s.Customers, s.Orders}, []int{people, size, bought})
		require.True(t, revenue.IsZero())
	})
}

func TestOriginsAreNamedAndCut(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var orders []retention.Order
	for person := range int64(400) {
		key := "spring"
		if person%2 == 0 {
			key = ""
		}
		orders = append(orders, retention.Order{Person: person, Day: january2026, Revenue: 10_000, Key: key})
		if key != "" && r.IntN(3) > 0 {
			orders = append(orders, retention.Order{Person: person, Day: january2026 + 10, Revenue: 10_000, Place: 1})
		}
	}
	f := facts(orders, january2026+200)
	s, err := retention.Summarise(f, retention.Window{AsOf: january2026 + 200}, "net")
	require.NoError(t, err)
	require.Len(t, s.Sticks, 1)
	i := slices.IndexFunc(s.Sticks[0].Keys, func(k retention.Named) bool { return k.Name == "Spring letter" })
	require.Equal(t, retention.Better, s.Sticks[0].Keys[i].Verdict)
	require.Empty(t, s.Sticks[0].Keys[1-i].Name, "without a campaign")

	f.Origins[0].Keys = slices.DeleteFunc(f.Origins[0].Keys, func(n retention.Newcomers) bool { return n.Key != "" })
	s, err = retention.Summarise(f, retention.Window{AsOf: january2026 + 200}, "net")
	require.NoError(t, err)
	require.Empty(t, s.Sticks, "a shop without campaigns is not told of them")
}

// TestWhatIsNotWholeIsMarked: orders are known from the middle of January on.
func TestWhatIsNotWholeIsMarked(t *testing.T) {
	orders := []retention.Order{{Person: 1, Day: january2026 + 20, Revenue: 1}, {Person: 1, Day: january2026 + 40, Revenue: 1}, {Person: 2, Day: january2026 + 41}}
	w := retention.Window{From: january2026 + 14, AsOf: january2026 + 70}
	s, err := retention.Summarise(facts(orders, w.AsOf), w, "net")
	require.NoError(t, err)
	require.Equal(t, "2026-01-15", s.From.String())
	require.Equal(t, []bool{false, true}, []bool{s.Cohorts[0].Whole, s.Cohorts[1].Whole})
	require.Equal(t, []bool{false, true, true}, []bool{s.Months[0].Whole, s.Months[1].Whole, s.Months[2].Whole})
}
