package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/retention"
)

func (f *facts) RetentionSummary(context.Context) (retention.Summary, bool, error) {
	return retention.Summary{}, false, nil
}

// remembered is a shop whose last night worked out who comes back.
type remembered struct {
	*facts
	summary retention.Summary
}

func (r remembered) RetentionSummary(context.Context) (retention.Summary, bool, error) {
	return r.summary, true, nil
}

// drinkersOf are the orders of tea drinkers who came within so many days before the last: whoever began with green tea comes
// back more often.
func drinkersOf(days int32, people int64) (retention.Facts, retention.Window) {
	r := rand.New(rand.NewPCG(7, 11))
	w := retention.Window{AsOf: int32(analysis.Day(midnight, berlin()))}
	var orders []retention.Order
	for person := range people {
		day, key, pause := w.AsOf-1-r.Int32N(days), "12", int32(60)
		if person%3 == 0 {
			key, pause = "14", 20
		}
		for place := int64(0); day < w.AsOf; place++ {
			revenue := int64(200_000 + r.IntN(400_000))
			orders = append(orders, retention.Order{Person: person, Day: day, Place: place, Revenue: revenue, Margin: revenue / 3, Costed: revenue, Key: key})
			if r.IntN(5) < 2 {
				break
			}
			day += 1 + r.Int32N(2*pause)
		}
	}
	q := retention.Question{Unit: retention.Month, Within: retention.Within, Window: w}
	c := retention.Count(orders, q)
	q.Unit = retention.Week
	f := retention.Facts{
		Months: c.Cells, Weeks: retention.Count(orders, q).Cells, Visits: c.Visits, Sales: c.Sales, Tallies: c.Tallies, Waits: c.Waits, Gaps: c.Gaps,
		Beginners: c.All, Best: 40_000_000,
		Origins: []retention.Origin{{
			Kind: retention.Product, Keys: c.Newcomers, Names: map[string]string{"12": "Earl \x1b[31mGrey", "14": "Grüner Tee, 茶"},
		}},
	}
	if c.All.Observed > 100 {
		f.Origins = append(f.Origins, retention.Origin{
			Kind: retention.Coupon, Keys: []retention.Newcomers{{Key: "welcome", Observed: 30, Returned: 14}, {Observed: 30, Returned: 17}, {Key: "x", Observed: 2}},
		})
	}
	for _, p := range c.Pairs {
		d := float64(p.Earlier)/float64(p.Earlier+p.Later) - 0.5
		n := float64(p.Customers)
		f.Spread.Customers, f.Spread.Squares, f.Spread.Fourth = f.Spread.Customers+p.Customers, f.Spread.Squares+n*d*d, f.Spread.Fourth+n*d*d*d*d
	}
	return f, w
}

// printed is the part of the report about who comes back.
func printed(t *testing.T, shop remembered, width int) string {
	t.Helper()
	r, err := report.Collect(t.Context(), shop, report.Options{Now: now})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.Full(&b, r, width, false))
	_, text, found := strings.Cut(b.String(), "\nWho comes back")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "\n\nFrom the shop's")
	for _, line := range strings.Split(text, "\n") {
		require.LessOrEqual(t, len([]rune(line)), max(width, 60), line)
	}
	return "Who comes back" + text + "\n"
}

func TestRetention(t *testing.T) {
	f, w := drinkersOf(600, 900)
	summary, err := retention.Summarise(f, w, "net")
	require.NoError(t, err)
	shop := remembered{teaShop(), summary}
	for _, width := range []int{60, 80, 120} {
		golden(t, fmt.Sprintf("retention_%d.txt", width), []byte(printed(t, shop, width)))
	}
}

// TestRetentionInShort: sentences and the last months, without cohorts.
func TestRetentionInShort(t *testing.T) {
	f, w := drinkersOf(600, 900)
	summary, err := retention.Summarise(f, w, "net")
	require.NoError(t, err)
	r, err := report.Collect(t.Context(), remembered{teaShop(), summary}, report.Options{Now: now})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.Terminal(&b, r, 80, false))
	_, text, _ := strings.Cut(b.String(), "\nWho comes back")
	text, _, _ = strings.Cut(text, "\n\nFrom the shop's")
	golden(t, "retention_short.txt", []byte("Who comes back"+text+"\n"))
}

func TestRetentionAsJSON(t *testing.T) {
	f, w := drinkersOf(100, 150)
	summary, err := retention.Summarise(f, w, "net")
	require.NoError(t, err)
	r, err := report.Collect(t.Context(), remembered{teaShop(), summary}, report.Options{Now: now})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.JSON(&b, r.Retention))
	golden(t, "retention.json", b.Bytes())
}

func TestRetentionOfAYoungShopIsByWeeks(t *testing.T) {
	f, w := drinkersOf(70, 300)
	w.From = w.AsOf - 50
	summary, err := retention.Summarise(f, w, "gross")
	require.NoError(t, err)
	shop := remembered{teaShop(), summary}
	shop.overview.Since = midnight.AddDate(0, 0, -50)
	golden(t, "retention_young.txt", []byte(printed(t, shop, 80)))
}

// TestRetentionOfLittle: nobody, one order, one day, all orders given away. Sentences, and nothing that JSON cannot say.
func TestRetentionOfLittle(t *testing.T) {
	var text strings.Builder
	day := int32(analysis.Day(midnight, berlin())) - 1
	for _, orders := range [][]retention.Order{
		nil,
		{{Person: 1, Day: day, Revenue: 1_000_000}},
		{{Person: 1, Day: day}, {Person: 1, Day: day}, {Person: 2, Day: day}},
		{{Person: 1, Day: day - 100, Revenue: -5}, {Person: 1, Day: day - 40}, {Person: 2, Day: day - 1}},
	} {
		q := retention.Question{Unit: retention.Month, Within: retention.Within, Window: retention.Window{AsOf: day + 1}}
		c := retention.Count(orders, q)
		q.Unit = retention.Week
		summary, err := retention.Summarise(retention.Facts{
			Months: c.Cells, Weeks: retention.Count(orders, q).Cells, Visits: c.Visits, Sales: c.Sales, Tallies: c.Tallies, Waits: c.Waits, Gaps: c.Gaps,
			Beginners: c.All, Origins: []retention.Origin{{Kind: retention.Campaign, Keys: []retention.Newcomers{{Key: "x", Young: c.All.Young, Observed: c.All.Observed, Returned: c.All.Returned}}}},
		}, q.Window, "net")
		require.NoError(t, err)
		_, err = json.Marshal(summary)
		require.NoError(t, err)
		text.WriteString(printed(t, remembered{teaShop(), summary}, 80))
	}
	require.NotContains(t, text.String(), "NaN")
	golden(t, "retention_little.txt", []byte(text.String()))
}
