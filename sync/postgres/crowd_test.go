package postgres_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// member is one person of a crowd in memory.
type member struct {
	report.PersonRow
	own []string
}

// drawMembers puts people into the tables as an analysis leaves them.
func (s *shop) drawMembers(t *rapid.T) []member {
	var all []member
	score := rapid.IntRange(1, 3)
	for id := int64(1); id <= int64(rapid.IntRange(0, 14).Draw(t, "people")); id++ {
		m := member{PersonRow: report.PersonRow{ID: id, CustomerID: fmt.Sprint("c", id), Email: fmt.Sprintf("p%d@example.com", id)}}
		m.Stage = rapid.SampledFrom([]string{"prospect", "active", "lost"}).Draw(t, "stage")
		if m.Stage != "prospect" {
			m.R, m.F, m.M = score.Draw(t, "r"), score.Draw(t, "f"), score.Draw(t, "m")
			m.Segment = rapid.SampledFrom([]string{"champions", "lost"}).Draw(t, "segment")
			m.Tier, m.Churn = rapid.SampledFrom([]string{"", "top", "low"}).Draw(t, "tier"), rapid.SampledFrom([]string{"", "high"}).Draw(t, "churn")
			m.Orders, m.Net = 2, decimal.NewFromInt(id)
		}
		if rapid.Bool().Draw(t, "tea") {
			m.own = []string{"tea"}
		}
		if rapid.Bool().Draw(t, "valued") {
			value := decimal.NewFromInt(rapid.Int64Range(0, 3).Draw(t, "value"))
			m.Value = &value
		}
		all = append(all, m)
		s.insertMember(t, m)
	}
	return all
}

func (s *shop) insertMember(t require.TestingT, m member) {
	do := func(query string, args ...any) {
		_, err := s.raw.Exec(query, append([]any{s.id, m.ID}, args...)...)
		require.NoError(t, err)
	}
	do(`INSERT INTO persons (store_id, person_id, customer_id, email) VALUES ($1, $2, $3, $4)`, m.CustomerID, m.Email)
	do(`INSERT INTO standings (store_id, person_id, stage, tier, churn, own, value) VALUES ($1, $2, $3, $4, $5, string_to_array($6, ','), $7)`,
		m.Stage, m.Tier, m.Churn, strings.Join(m.own, ","), m.Value)
	if m.R != 0 {
		do(`INSERT INTO rfm_scores (store_id, person_id, r, f, m, segment, since) VALUES ($1, $2, $3, $4, $5, $6, '2026-03-01')`, m.R, m.F, m.M, m.Segment)
		do(`INSERT INTO person_stats (store_id, person_id, orders, gross, net) VALUES ($1, $2, $3, 9, $4)`, m.Orders, m.Net)
	}
}

// in says whether a member is in a crowd, without moves and searches.
func (m member) in(c report.Crowd) bool {
	scores := (c.R == 0 || c.R == m.R) && (c.F == 0 || c.F == m.F) && (c.M == 0 || c.M == m.M)
	if c.Audience == "" {
		return scores && m.R != 0
	}
	keys := append([]string{segment.Key(segment.SchemeLifecycle, m.Stage)}, m.own...)
	for key, has := range map[string]bool{
		m.Segment: m.Segment != "", "tier_" + m.Tier: m.Tier != "", "churn_" + m.Churn: m.Churn != "", "prospects": m.Stage == "prospect",
	} {
		if has {
			keys = append(keys, key)
		}
	}
	return scores && slices.Contains(keys, c.Audience)
}

func before(byValue bool) func(a, b member) int {
	return func(a, b member) int {
		if !byValue {
			return cmp.Or(b.M-a.M, b.F-a.F, b.R-a.R, cmp.Compare(a.ID, b.ID))
		}
		value := func(m member) decimal.Decimal {
			if m.Value == nil {
				return decimal.NewFromInt(-1)
			}
			return *m.Value
		}
		return cmp.Or(value(b).Cmp(value(a)), cmp.Compare(a.ID, b.ID))
	}
}

// TestCrowdsAreThoseOfTheirDefinition holds lists, page by page, against members in memory, beside a shop that must not show.
func TestCrowdsAreThoseOfTheirDefinition(t *testing.T) {
	base := newShop(t)
	base.insertMember(t, member{PersonRow: report.PersonRow{
		ID: 1, CustomerID: "c1", Email: "p1@example.com", Stage: "active", Segment: "champions", R: 1, F: 1, M: 1, Tier: "top",
	}, own: []string{"tea"}})
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		ctx, s := context.Background(), base.another(fmt.Sprint("crowd-", runs))
		all := s.drawMembers(t)
		score := rapid.SampledFrom([]int{0, 0, 1, 3})
		c := report.Crowd{
			Audience: rapid.SampledFrom([]string{"", "champions", "lost", "lifecycle_lost", "lifecycle_prospect", "prospects", "tier_top", "churn_high", "tea", "nothing", "tier_"}).Draw(t, "audience"),
			R:        score.Draw(t, "r"), F: score.Draw(t, "f"), M: score.Draw(t, "m"), Limit: rapid.IntRange(1, 5).Draw(t, "limit"),
		}
		var want []report.PersonRow
		slices.SortFunc(all, before(c.Audience != "" && c.Audience != "champions" && c.Audience != "lost"))
		for _, m := range all {
			if m.in(c) {
				want = append(want, m.PersonRow)
			}
		}
		var got []report.PersonRow
		for {
			people, next, err := s.People(ctx, c)
			require.NoError(t, err)
			require.LessOrEqual(t, len(people), c.Limit)
			got = append(got, people...)
			if c.Cursor = next; next == "" {
				break
			}
			require.Len(t, people, c.Limit)
		}
		require.Empty(t, gocmp.Diff(want, got))
	})
}

// TestMoversAreThoseOfTheMoves holds who moved against how many did, for every move that there was.
func TestMoversAreThoseOfTheMoves(t *testing.T) {
	base := newShop(t)
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		ctx, s := context.Background(), base.another(fmt.Sprint("movers-", runs))
		history := drawHistory(t)
		s.keep(t, "rfm", history)
		s.keep(t, "tier", []segment.Interval{{Person: 61, Segment: "loyal", First: firstDay, Last: segment.Open}})
		day := rapid.IntRange(firstDay-2, firstDay+40)
		first, last := day.Draw(t, "before"), day.Draw(t, "after")
		flows, err := s.Moves(ctx, "rfm", first, last)
		require.NoError(t, err)
		standing := func(person int64, day int) string {
			for _, i := range history {
				if i.Person == person && i.First <= day && day <= i.Last {
					return i.Segment
				}
			}
			return ""
		}
		for _, f := range flows {
			people, next, err := s.People(ctx, report.Crowd{Limit: 100, Move: &report.Move{
				Scheme: "rfm", From: f.From, To: f.To, Before: analysis.Date(first), After: analysis.Date(last),
			}})
			require.NoError(t, err)
			require.Empty(t, next)
			require.Len(t, people, f.Customers, "%+v", f)
			for _, p := range people {
				require.Equal(t, []string{f.From, f.To}, []string{standing(p.ID, first), standing(p.ID, last)})
			}
		}
	})
}

func TestCursorsThatWereNeverGivenOut(t *testing.T) {
	s := newShop(t)
	for _, plain := range []string{"", "1", "1 x", "1 -4", " ", "1e9 4", "NaN 4", "1;DROP 4", strings.Repeat("9", 40) + " 4", "1 " + strings.Repeat("9", 30), "1  4"} {
		_, _, err := s.People(t.Context(), report.Crowd{Limit: 5, Cursor: base64.RawURLEncoding.EncodeToString([]byte(plain)) + strings.Repeat("=", len(plain)&1)})
		if plain != "" {
			require.ErrorIs(t, err, report.ErrCursor, plain)
		}
	}
	_, _, err := s.People(t.Context(), report.Crowd{Limit: 5, Cursor: "<script>"})
	require.ErrorIs(t, err, report.ErrCursor)
	_, _, err = s.People(t.Context(), report.Crowd{Limit: 5, Cursor: base64.RawURLEncoding.EncodeToString([]byte("30201 4"))})
	require.NoError(t, err)
}

func TestPeopleAreFoundByAddressAndAccount(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	s.put(commerce.Customers, customers(commerce.Customer{ID: "7", Email: "ann@example.com", FirstName: "Ann", LastName: "Lee"}))
	older, newer := order("2", "", "bob@example.com"), order("3", "", "bob@example.com")
	older.FirstName, older.LastName, newer.FirstName, newer.LastName = "Robert", "Old", "Bob", "New"
	newer.PlacedAt = older.PlacedAt.Add(time.Hour)
	lost := order("4", "", "bob@example.com") // it counts for nothing, nor does its name where another counts
	lost.FirstName, lost.Status, lost.PlacedAt = "Bobby", "cancelled", newer.PlacedAt.Add(time.Hour)
	never := order("5", "9", "cyd@example.com")
	never.FirstName, never.LastName, never.Status = "Cyd", "Ray", "cancelled"
	s.put(commerce.Orders, whole(placed("1", "7", at(1, 10)), older, newer, lost, never))
	s.refresh(at(5, 0), false)
	for search, want := range map[string][]string{
		" Ann@Example.COM ": {"Ann Lee 7"}, "7": {"Ann Lee 7"}, "bob@example.com": {"Bob New "}, "7@example.com": {"Ann Lee 7"},
		"nobody@example.com": nil, "bob": nil, "%": nil, "8": nil, "9": {"Cyd Ray 9"},
	} {
		people, next, err := s.People(ctx, report.Crowd{Search: search, Limit: 5})
		require.NoError(t, err)
		require.Empty(t, next)
		var got []string
		for _, p := range people {
			got = append(got, p.Name+" "+p.CustomerID)
		}
		require.Equal(t, want, got, search)
	}
	people, _, err := s.People(ctx, report.Crowd{Search: "7", Audience: "champions", Limit: 5})
	require.NoError(t, err)
	require.Empty(t, people, "all of it must be met")
}
