package csvfile

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAmountsAsPeopleWriteThem(t *testing.T) {
	for _, tt := range []struct {
		text, point, want, code string
	}{
		{"12", ".", "12", ""},
		{" 12.50 ", ".", "12.5", ""},
		{".5", ".", "0.5", ""},
		{"12.", ".", "12", ""},
		{"-3.99", ".", "-3.99", ""},
		{"3.99-", ".", "-3.99", ""},
		{"\u22123.99", ".", "-3.99", ""},
		{"+3", ".", "3", ""},
		{"(12.00)", ".", "-12", ""},
		{"($12.00)", ".", "-12", ""},
		{"1,234.50", ".", "1234.5", ""},
		{"1,234,567", ".", "1234567", ""},
		{"1.234,50", ",", "1234.5", ""},
		{"1 234,50", ",", "1234.5", ""},
		{"1\u00a0234,50", ",", "1234.5", ""},
		{"1\u202f234,50 \u20ac", ",", "1234.5", ""},
		{"1'234.50", ".", "1234.5", ""},
		{"1\u2019234.50", ".", "1234.5", ""},
		{"\u20ac 5", ".", "5", ""},
		{"-\u20ac5", ".", "-5", ""},
		{"\u20ac-5", ".", "-5", ""},
		{"EUR 5.00", ".", "5", "EUR"},
		{"5.00 eur", ".", "5", "EUR"},
		{"-EUR 5", ".", "-5", "EUR"},
	} {
		got, err := parseAmount(tt.text, tt.point)
		require.NoError(t, err, tt.text)
		require.Equal(t, tt.want, got.value.String(), tt.text)
		require.Equal(t, tt.code, got.code, tt.text)
	}
}

func TestAmountsThatCouldMeanTwoThingsAreRefused(t *testing.T) {
	for _, tt := range []struct{ text, point string }{
		{"12,50", "."}, // decimals by a comma, where the point was set
		{"1.234.50", "."},
		{"1.50", ","}, // the other way round
		{"1,23,456", "."},
		{"1234,567.8", "."},
		{"", "."},
		{"-", "."},
		{"()", "."},
		{"(-5)", "."},
		{"--5", "."},
		{"NaN", "."},
		{"Inf", "."},
		{"1e5", "."},
		{"0x10", "."},
		{"twelve", "."},
		{"5 apples", "."},
		{"1000000000000", "."},
		{"12.00.00", "."},
		{"5;6", "."},
	} {
		_, err := parseAmount(tt.text, tt.point)
		require.Error(t, err, tt.text)
	}
}

func TestAmountsKeepEveryDigit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := decimal.New(rapid.Int64Range(-1e14, 1e14).Draw(t, "units"), -int32(rapid.IntRange(3, 6).Draw(t, "digits")))
		got, err := parseAmount(want.String(), ".")
		require.NoError(t, err)
		require.True(t, want.Equal(got.value), "%s became %s", want, got.value)
	})
}

func TestDates(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	p := &plan{location: berlin}
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ text, layout, want string }{
		{"2025-07-01", "", "2025-06-30T22:00:00Z"}, // midnight in the shop
		{"2025-01-01 09:30:00", "", "2025-01-01T08:30:00Z"},
		{"2025-01-01T09:30:00", "", "2025-01-01T08:30:00Z"},
		{"2025-01-01T09:30:00Z", "", "2025-01-01T09:30:00Z"},
		{"2025-01-01 09:30:00 -0500", "", "2025-01-01T14:30:00Z"},
		{"31/12/2024 23:30", "DD/MM/YYYY HH:mm", "2024-12-31T22:30:00Z"},
		{"12/31/24 11:30 PM", "MM/DD/YY hh:mm A", "2024-12-31T22:30:00Z"},
		{"1.2.2025", "D.M.YYYY", "2025-01-31T23:00:00Z"},
		{"3 Feb 2025", "D MMM YYYY", "2025-02-02T23:00:00Z"},
	} {
		var dates []string
		if tt.layout != "" {
			dates = []string{tt.layout}
		}
		layouts, err := layoutsOf(dates)
		require.NoError(t, err, tt.layout)
		got, err := p.parseDate(tt.text, layouts, now)
		require.NoError(t, err, tt.text)
		require.Equal(t, tt.want, got.Format(time.RFC3339), tt.text)
	}
	for _, text := range []string{"0000-00-00", "0001-01-01", "1969-12-31", "2999-01-01", "2026-03-04", "2025-02-30", "01/02/2025", "yesterday", ""} {
		_, err := p.parseDate(text, isoLayouts, now)
		require.Error(t, err, text)
	}
	for _, layout := range []string{"YYYY-MM", "HH:mm", "", "date"} {
		_, err := layoutsOf([]string{layout})
		require.Error(t, err, layout)
	}
}
