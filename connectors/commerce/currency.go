package commerce

import "golang.org/x/text/currency"

// Decimals is how many decimals amounts of a currency are written with: 2 for EUR, 0 for JPY, 3 for BHD, and 2 for a code
// that is not known.
func Decimals(code string) int32 {
	unit, err := currency.ParseISO(code)
	if err != nil {
		return 2
	}
	scale, _ := currency.Standard.Rounding(unit)
	return int32(scale) //nolint:gosec // 0 to 4
}
