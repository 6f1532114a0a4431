package chart_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/chart"
)

func TestDataOfColumns(t *testing.T) {
	c := chart.ColumnChart{Title: "Revenue", Columns: []chart.Column{
		{Name: "Jan", Parts: []chart.Part{{Value: 120, Label: "first 120"}, {Value: 80, Label: "later 80"}}},
		{Name: hostile, Parts: []chart.Part{{Value: -5, Label: "first -5"}, {Value: math.NaN(), Label: hostile}}},
		{Name: "Mar", Parts: []chart.Part{{Value: 7, Label: "first 7"}}},
	}}
	require.JSONEq(t, `{"columns": true, "title": "Revenue", "x": [0, 1, 2], "names": ["Jan", `+quoted(hostile)+`, "Mar"],
		"rows": [{"class": 1, "y": [200, 0, 0]}, {"class": 0, "y": [120, 0, 7]}],
		"says": ["first 120; later 80", `+quoted("first -5; "+hostile)+`, "first 7"]}`, c.Data(chart.Plain), "the higher parts stand behind the lower ones")
	require.Empty(t, chart.ColumnChart{Columns: c.Columns[:1]}.Data(chart.Plain), "one value is nothing to explore")
	require.Empty(t, chart.ColumnChart{}.Data(chart.Plain))
}

func TestDataOfLines(t *testing.T) {
	foretold := chart.Line{Points: []chart.Point{{X: 1, Y: 0.5, Low: 0.4, High: 0.6, Ranged: true, Label: "a"}, {X: 2, Y: math.Inf(1), Low: 0.1, High: 0.2, Ranged: true, Label: "b", Quiet: true}}}
	came := chart.Line{Points: []chart.Point{{X: 1, Y: 3, Label: "c"}, {X: 2, Y: 4, Label: "d"}}}
	require.JSONEq(t, `{"title": "", "unit": "%", "x": [1, 2], "rows": [
		{"class": 0, "y": [0.5, 0], "low": [0.4, 0.1], "high": [0.6, 0.2]}, {"class": 1, "y": [3, 4]}], "says": ["a; c", "b; d"]}`,
		chart.LineChart{Lines: []chart.Line{foretold, came}}.Data(chart.Parts))
	for name, other := range map[string]chart.Line{
		"other places":  {Points: []chart.Point{{X: 1}, {X: 3}}},
		"fewer":         {Points: came.Points[:1]},
		"more":          {Points: append(came.Points[:2:2], chart.Point{X: 3})},
		"half a range":  {Points: []chart.Point{{X: 1, Ranged: true}, {X: 2}}},
		"none whatever": {},
	} {
		require.Empty(t, chart.LineChart{Lines: []chart.Line{came, other}}.Data(chart.Plain), name)
	}
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}
