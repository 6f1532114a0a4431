package postgres

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAmountsAreWrittenAsEverywhere(t *testing.T) {
	for _, text := range []string{"0", "0.00", "-0.05", "1.50", "150", "-12.3400", "0.000000000000000001", "999999999999999999", "1e5", "12e-19"} {
		value := decimal.RequireFromString(text)
		require.Equal(t, value.String(), plain(value), text)
	}
	rapid.Check(t, func(t *rapid.T) {
		value := decimal.New(rapid.Int64().Draw(t, "coefficient"), rapid.Int32Range(-25, 5).Draw(t, "exponent"))
		require.Equal(t, value.String(), plain(value))
	})
}
