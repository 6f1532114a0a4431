package csvfile

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/shopspring/decimal"
	"golang.org/x/text/currency"
)

// The first day of trade that is believed, and how far a date may lie in the future (clocks and time zones differ).
var firstDay = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)

const future = 48 * time.Hour

// maxAmount is the largest amount that is believed.
var maxAmount = decimal.New(1, 12)

// amount is a number read from a cell, with the currency code that stood beside it, if any.
type amount struct {
	value decimal.Decimal
	code  string
}

var isoCode = regexp.MustCompile(`^[A-Za-z]{3}\b|\b[A-Za-z]{3}$`)

// plain reports whether text is digits with at most one point, and nothing else.
func plain(text string) bool {
	digits, points := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.':
			points++
		default:
			return false
		}
	}
	return digits > 0 && points <= 1
}

// parseAmount reads money or a quantity as people and shops write it: "1,234.50", "(12.00)", "-€ 5", "5 EUR". The point
// says which of "." and "," splits off the decimals; the other one, a space or an apostrophe may stand between groups
// of three digits, and nowhere else.
func parseAmount(text, point string) (amount, error) {
	text = strings.TrimSpace(text)
	if rest, negative := strings.CutPrefix(text, "-"); point == "." && plain(rest) { // nearly all of them
		return finish(amount{}, rest, negative)
	}
	var a amount
	negative := false
	if strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")") {
		negative, text = true, text[1:len(text)-1]
	}
	text = strings.ReplaceAll(strings.TrimSpace(text), "\u2212", "-")
	text = strings.TrimSpace(strings.Map(dropSymbols, text))
	if code := isoCode.FindString(text); code != "" {
		a.code = strings.ToUpper(code)
		text = strings.TrimSpace(strings.Replace(text, code, "", 1))
	}
	for _, sign := range []string{"-", "+"} {
		rest, found := strings.CutPrefix(text, sign)
		if !found {
			rest, found = strings.CutSuffix(text, sign)
		}
		if !found {
			continue
		}
		if negative {
			return a, errors.New("has two signs")
		}
		negative, text = sign == "-", strings.TrimSpace(rest)
		break
	}
	if a.code == "" {
		if code := isoCode.FindString(text); code != "" {
			a.code = strings.ToUpper(code)
			text = strings.TrimSpace(strings.Replace(text, code, "", 1))
		}
	}
	digits, err := ungroup(text, point)
	if err != nil {
		return a, err
	}
	return finish(a, digits, negative)
}

// finish puts the value into an amount, within what is believed.
func finish(a amount, digits string, negative bool) (amount, error) {
	var err error
	if a.value, err = decimal.NewFromString(digits); err != nil {
		return a, errors.New("is no amount")
	}
	if a.value.GreaterThanOrEqual(maxAmount) {
		return a, errors.New("is too large an amount to be believed")
	}
	if negative {
		a.value = a.value.Neg()
	}
	return a, nil
}

// dropSymbols removes currency signs and turns every kind of space into a plain one.
func dropSymbols(r rune) rune {
	switch {
	case unicode.Is(unicode.Sc, r):
		return -1
	case unicode.IsSpace(r) || r == '\u202f':
		return ' '
	case r == '\u2019':
		return '\''
	}
	return r
}

// ungroup removes the marks between groups of three digits and gives the number with a point.
func ungroup(text, point string) (string, error) {
	whole, fraction, split := strings.Cut(text, point)
	group := ","
	if point == "," {
		group = "."
	}
	for _, mark := range []string{group, " ", "'"} {
		if !strings.Contains(whole, mark) {
			continue
		}
		groups := strings.Split(whole, mark)
		if len(groups[0]) == 0 || len(groups[0]) > 3 {
			return "", errors.New("is no amount")
		}
		for _, g := range groups[1:] {
			if len(g) != 3 {
				return "", fmt.Errorf("is ambiguous as an amount: %q is set as the decimal mark", point)
			}
		}
		whole = strings.Join(groups, "")
		break
	}
	digits := whole
	if split && fraction != "" {
		digits += "." + fraction
	}
	if !plain(digits) {
		return "", errors.New("is no amount")
	}
	return digits, nil
}

// parseCurrency returns an ISO 4217 code in upper case.
func parseCurrency(text string) (string, error) {
	unit, err := currency.ParseISO(strings.ToUpper(strings.TrimSpace(text)))
	if err != nil {
		return "", errors.New("is no ISO 4217 currency")
	}
	return unit.String(), nil
}

// isoLayouts are tried where the settings name no layouts.
var isoLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 MST",
	"2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
}

// tokens turns the way people write layouts into Go's, longest first.
var tokens = strings.NewReplacer(
	"YYYY", "2006", "YY", "06", "MMMM", "January", "MMM", "Jan", "MM", "01", "DD", "02", "HH", "15", "hh", "03", "mm", "04",
	"ss", "05", "ZZ", "-0700", "Z", "Z07:00", "A", "PM", "M", "1", "D", "2", "H", "15", "h", "3",
)

// layoutsOf checks layouts such as "DD/MM/YYYY HH:mm".
func layoutsOf(dates []string) ([]string, error) {
	if len(dates) == 0 {
		return isoLayouts, nil
	}
	layouts := make([]string, 0, len(dates))
	for _, date := range dates {
		layout := tokens.Replace(date)
		sample := time.Date(2001, 11, 23, 0, 0, 0, 0, time.UTC)
		read, err := time.Parse(layout, sample.Format(layout))
		if err != nil || !read.Equal(sample) {
			return nil, fmt.Errorf(`dates: %q does not name year, month and day, as "DD/MM/YYYY HH:mm" does`, date)
		}
		layouts = append(layouts, layout)
	}
	return layouts, nil
}

// parseDate reads a date in one of the layouts; without a zone it is the shop's local time.
func (p *plan) parseDate(text string, layouts []string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, layout := range layouts {
		t, err := time.ParseInLocation(layout, text, p.location)
		if err != nil {
			continue
		}
		switch {
		case t.Before(firstDay):
			return time.Time{}, fmt.Errorf("is a date in the year %d", t.Year())
		case t.After(now.Add(future)):
			return time.Time{}, fmt.Errorf("is a date in the future (%d)", t.Year())
		}
		return t.UTC(), nil
	}
	return time.Time{}, errors.New("is no date in the expected layout")
}

// cleanText trims a cell and takes the apostrophe away that exports put before digits and formulas for spreadsheets.
func cleanText(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > 1 && text[0] == '\'' && strings.IndexByte("0123456789=+-@", text[1]) >= 0 {
		return text[1:]
	}
	return text
}

// splitList splits a cell of names at commas or bars.
func splitList(text string) []string {
	var names []string
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '|' }) {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// splitName splits a full name into first and last name at the last space.
func splitName(name string) (first, last string) {
	name = strings.TrimSpace(name)
	if at := strings.LastIndexByte(name, ' '); at > 0 {
		return strings.TrimSpace(name[:at]), name[at+1:]
	}
	return name, ""
}

// yes reports whether a cell says yes, and whether it says anything that is understood.
func yes(text string) (answer, known bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "yes", "y", "true", "1", "subscribed":
		return true, true
	case "no", "n", "false", "0", "unsubscribed", "not_subscribed":
		return false, true
	}
	return false, false
}
