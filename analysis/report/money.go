package report

import (
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Money writes an amount with the decimals that its currency is written with and thousands apart, such as "1,234.50" in
// EUR, "1,235" in JPY and "1.234" in BHD. An unknown currency has two decimals.
func Money(amount decimal.Decimal, code string) string {
	return group(amount.StringFixed(commerce.Decimals(code)))
}

// group puts a comma between thousands of a plain number.
func group(number string) string {
	whole, fraction, hasFraction := strings.Cut(number, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	if hasFraction {
		b.WriteString("." + fraction)
	}
	return b.String()
}
