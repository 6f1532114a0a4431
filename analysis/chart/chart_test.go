package chart_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/chart"
)

var update = flag.Bool("update", false, "write the golden files anew")

const hostile = `<script>alert("1")</script> & 'co'`

func euros(v float64) string { return fmt.Sprintf("%.0f €", v) }

// charts are one of each form.
func charts() map[string]template.HTML {
	line := chart.Line{Name: "back", Points: []chart.Point{
		{X: 0, Y: 0, Ranged: true},
		{X: 30, Y: 0.22, Low: 0.2, High: 0.25, Ranged: true, Label: "30 days: 22 %"},
		{X: 90, Y: 0.4, Low: 0.36, High: 0.44, Ranged: true, Label: hostile},
	}}
	return map[string]template.HTML{
		"bar": chart.Bar(0.375),
		"lines": chart.Lines(chart.LineChart{
			Title: "Time to the second order", Words: hostile, Lines: []chart.Line{line, {Name: "none"}},
			XTicks: []chart.Tick{{At: 0, Label: "0"}, {At: 90, Label: "90"}}, YLabel: func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) },
		}),
		"columns": chart.Columns(chart.ColumnChart{Title: "Revenue", YLabel: euros, Columns: []chart.Column{
			{Name: "Jan", Parts: []chart.Part{{Value: 120, Label: "first orders: 120"}, {Value: 80, Label: hostile, Link: "/people?a=1&b=2"}}},
			{Name: hostile, Parts: []chart.Part{{Value: -5}, {Value: 40, Label: "40"}}},
		}}),
		"flows": chart.Flows(chart.FlowChart{
			Title: "Who went where", Left: []string{"Champions", hostile, "Nobody"}, Right: []string{"Champions", "Loyal"},
			Streams: []chart.Stream{
				{From: 0, To: 1, Value: 12, Class: "down", Label: "12 Champions became Loyal"}, {From: 1, To: 0, Value: 30, Class: "up", Label: hostile, Link: "/people"},
			},
		}),
	}
}

func TestCharts(t *testing.T) {
	for name, svg := range charts() {
		t.Run(name, func(t *testing.T) {
			wellFormed(t, svg)
			path := filepath.Join("testdata", name+".svg")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(path, []byte(svg), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "run the test with -update to write it")
			require.Equal(t, string(want), string(svg))
		})
	}
}

// wellFormed holds that a drawing is XML without a style or a script of its own, and that no coordinate is no number.
func wellFormed(t require.TestingT, svg template.HTML) {
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, svg)
		start, is := token.(xml.StartElement)
		if !is {
			continue
		}
		require.NotEqual(t, "script", start.Name.Local)
		for _, a := range start.Attr {
			require.NotEqual(t, "style", a.Name.Local)
			require.False(t, strings.HasPrefix(a.Name.Local, "on"), a.Name.Local)
			require.NotContains(t, a.Value, "NaN")
			require.NotContains(t, a.Value, "Inf")
		}
	}
}

// TestWhateverIsDrawnIsWellFormed draws numbers that are none, and all else that there may be.
func TestWhateverIsDrawnIsWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 1e-300}))
		words := rapid.StringOf(rapid.RuneFrom([]rune("abc <>&\"'=;é☕")))
		var points []chart.Point
		var parts []chart.Part
		var streams []chart.Stream
		for range rapid.IntRange(0, 5).Draw(t, "size") {
			points = append(points, chart.Point{X: value.Draw(t, "x"), Y: value.Draw(t, "y"), Low: value.Draw(t, "low"), High: value.Draw(t, "high"), Ranged: true, Label: words.Draw(t, "label")})
			parts = append(parts, chart.Part{Value: value.Draw(t, "part"), Label: words.Draw(t, "part label"), Link: words.Draw(t, "link")})
			streams = append(streams, chart.Stream{
				From: rapid.IntRange(0, 1).Draw(t, "from"), To: rapid.IntRange(0, 1).Draw(t, "to"), Value: value.Draw(t, "stream"),
				Class: words.Draw(t, "class"), Label: words.Draw(t, "stream label"),
			})
		}
		names := []string{words.Draw(t, "one"), words.Draw(t, "other")}
		wellFormed(t, chart.Lines(chart.LineChart{Title: words.Draw(t, "title"), Lines: []chart.Line{{Points: points}}, YLabel: euros}))
		wellFormed(t, chart.Columns(chart.ColumnChart{Columns: []chart.Column{{Name: names[0], Parts: parts}}, YLabel: euros}))
		wellFormed(t, chart.Flows(chart.FlowChart{Left: names, Right: names, Streams: streams}))
		wellFormed(t, chart.Bar(value.Draw(t, "bar")))
	})
}

func TestStep(t *testing.T) {
	for _, tt := range []struct {
		share, largest float64
		want           int
	}{{0, 1, 0}, {1, 1, 9}, {2, 1, 9}, {0.0001, 1, 1}, {0.5, 1, 5}, {1, 0, 0}, {math.NaN(), 1, 0}, {1, math.Inf(1), 0}} {
		require.Equal(t, tt.want, chart.Step(tt.share, tt.largest), tt)
	}
}
