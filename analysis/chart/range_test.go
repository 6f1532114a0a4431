package chart_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/chart"
)

func units(v float64) string { return fmt.Sprintf("%+.1f", v) }

func TestInterval(t *testing.T) {
	drawn := string(chart.Interval(chart.Range{
		Title: "Lapsed", Words: "3 <more>", Low: 1, Value: 3, High: 5, Least: -5, Most: 5, Class: "good", Label: units,
	}))
	require.Contains(t, drawn, `aria-label="Lapsed. 3 &lt;more&gt;"`)
	require.Contains(t, drawn, `<line class="zero" x1="170" x2="170"`)
	require.Contains(t, drawn, `<line class="extent good" x1="202" x2="330"`)
	require.Contains(t, drawn, `<circle class="value good" cx="266"`)
	require.Contains(t, drawn, `>-5.0</text>`)
	require.Contains(t, drawn, `text-anchor="middle" x="170" y="54">+0.0</text>`)
}

// TestIntervalOfAnything: what is no number, an empty axis, and one that 0 is not on are drawn, and stay within the drawing.
func TestIntervalOfAnything(t *testing.T) {
	nan := math.NaN()
	for _, c := range []chart.Range{
		{},
		{Low: nan, Value: nan, High: math.Inf(1), Label: units},
		{Low: 3, Value: 4, High: 5, Label: units},
		{Low: -5, Value: -4, High: -3, Label: units},
		{Low: -1e300, Value: 0, High: 1e300, Label: units},
	} {
		decoder := xml.NewDecoder(strings.NewReader(string(chart.Interval(c))))
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			element, _ := token.(xml.StartElement)
			for _, a := range element.Attr {
				if strings.HasPrefix(a.Name.Local, "x") || a.Name.Local == "cx" {
					var at float64
					_, err := fmt.Sscan(a.Value, &at)
					require.NoError(t, err, a.Value)
					require.True(t, at >= 0 && at <= 340, a.Value)
				}
			}
		}
	}
}
