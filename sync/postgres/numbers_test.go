package postgres

import (
	"fmt"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNumbersAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.Int64Range(-1e17, 1e17).Draw(t, "whole")
		amount := decimal.New(rapid.Int64Range(-1e14, 1e14).Draw(t, "amount"), -rapid.Int32Range(0, 9).Draw(t, "decimals"))
		n := numbers{text: fmt.Sprintf("%d %s NaN %s", whole, amount.StringFixed(-amount.Exponent()), amount)}
		require.Equal(t, whole, n.whole())
		want := amount.Shift(4).Round(0).IntPart()
		require.Equal(t, want, n.amount(), amount)
		require.True(t, n.missing())
		require.False(t, n.missing())
		require.Equal(t, want, n.amount(), amount)
		require.NoError(t, n.err)
		require.Empty(t, n.text)
	})
}

func TestUnreadableNumbers(t *testing.T) {
	for _, text := range []string{"", "-", "x", "1x", "9223372036854775807", "NaN"} {
		n := numbers{text: text}
		n.whole()
		require.ErrorIs(t, n.err, errNumber, "%q", text)
	}
	for _, text := range []string{"", "-", ".5", "1.2.3", "1,2", "922337203685478", "99999999999999999999.5", "Infinity"} {
		n := numbers{text: text}
		n.amount()
		require.ErrorIs(t, n.err, errNumber, "%q", text)
	}
}
