package postgres_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// TestTextsAreStoredAsTheyAre has every text that could mean something to COPY, and more rows than are sent at once.
func TestTextsAreStoredAsTheyAre(t *testing.T) {
	s := newShop(t)
	texts := []string{
		`\N`, `\.`, `\`, `\\`, `\x41`, "a\tb", "a\nb", "a\r\nb", "\t", "\n", "'\"$1", "ü\U0001F33B", "\b\f\v\x7f", strings.Repeat(`\`, 100_000),
	}
	var b commerce.Batch
	for i, text := range texts {
		o := order(strings.Repeat("x", i+1), "", "")
		o.Number, o.Attribution.Source, o.Coupons = text, text, []string{text, "plain"}
		b.Orders = append(b.Orders, o)
	}
	s.put(commerce.Orders, b)
	for _, column := range []string{"number", "attribution->>'source'", "coupons[1]"} {
		require.Equal(t, texts, all[string](s, `SELECT `+column+` FROM orders ORDER BY length(id)`), column)
	}
}
