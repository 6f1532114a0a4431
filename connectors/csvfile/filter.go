package csvfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// kept reports whether a row meets every condition.
func (p *plan) kept(filters []Filter, rec record) (bool, error) {
	for _, f := range filters {
		ok, err := p.passes(f, rec)
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func (p *plan) passes(f Filter, rec record) (bool, error) {
	at, found := rec.head.column[strings.ToLower(strings.TrimSpace(f.Column))]
	if !found {
		return true, nil // a lenient one; others are refused when the file is opened
	}
	cell := strings.TrimSpace(rec.cells[at])
	switch {
	case f.Present && cell == "",
		len(f.Is) > 0 && !slices.Contains(f.Is, cell),
		slices.Contains(f.Not, cell),
		f.Prefix != "" && !strings.HasPrefix(cell, f.Prefix),
		f.NotPrefix != "" && strings.HasPrefix(cell, f.NotPrefix):
		return false, nil
	}
	if !f.Positive && f.Min == nil {
		return true, nil
	}
	number, err := parseAmount(cell, p.settings.Decimal)
	if err != nil {
		return false, rec.fault(f.Column, err)
	}
	if f.Positive && !number.value.IsPositive() {
		return false, nil
	}
	if f.Min == nil {
		return true, nil
	}
	least, err := decimal.NewFromString(fmt.Sprint(f.Min))
	if err != nil {
		return false, fmt.Errorf("keep: min %v: %w", f.Min, err)
	}
	return number.value.GreaterThanOrEqual(least), nil
}

// record is one row of a file that was split and has as many cells as the file has columns.
type record struct {
	row
	file string
	head *head
}

// place names the row for people and serves as the id of a record that has none.
func (r record) place() string { return fmt.Sprintf("%s:%d", r.file, r.line) }

// text returns the cell of a field, empty where the file has no such column.
func (r record) text(field string) string {
	at, ok := r.head.fields[field]
	if !ok {
		return ""
	}
	return cleanText(r.cells[at])
}

// fault says where something is wrong and what, without the value: it may be about a person.
func (r record) fault(column string, err error) error {
	return fmt.Errorf("%s: column %q %w", r.place(), column, err)
}

// fieldFault is fault for a field of the mapping.
func (r record) fieldFault(field string, err error) error {
	return r.fault(r.head.names[r.head.fields[field]], err)
}
