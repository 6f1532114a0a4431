package shopify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/goccy/go-json"
	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors"
)

// money is an amount as the shop writes it, such as "30.0".
type money struct {
	Amount   string `json:"amount"`
	Currency string `json:"currencyCode"`
}

// bag is an amount in the shop's currency and in the buyer's.
type bag struct {
	Shop  money `json:"shopMoney"`
	Buyer money `json:"presentmentMoney"`
}

// ref is a record that is only named.
type ref struct {
	ID string `json:"id"`
}

// unreadable says which field of a record cannot be read. It carries no value.
type unreadable struct {
	id    string // of the record, as far as it could be read
	cause error
}

func (u *unreadable) Error() string { return u.cause.Error() }

func (u *unreadable) reject(raw []byte) connectors.Rejected {
	id := u.id
	if id == "" {
		id = tail(gidOf(raw))
	}
	if id == "" {
		id = "unreadable id, " + fingerprint(raw)
	}
	return connectors.Rejected{ID: id, Reason: u.cause.Error(), Raw: bytes.Clone(raw)}
}

func missing(field string) error { return fmt.Errorf("field %s is missing", field) }

// values reads amounts and times, and remembers the first field that could not be read.
type values struct{ err error }

func (v *values) fail(field, why string) {
	if v.err == nil {
		v.err = fmt.Errorf("field %s %s", field, why)
	}
}

// amount reads a decimal; null is zero.
func (v *values) amount(field, text string) decimal.Decimal {
	if text == "" || text == "0.0" || text == "0.00" || text == "0" {
		return decimal.Decimal{}
	}
	d, err := parseAmount(text)
	if err != nil {
		v.fail(field, "is no amount")
	}
	return d
}

// maybeAmount reads a decimal that may be unknown.
func (v *values) maybeAmount(field, text string) decimal.NullDecimal {
	return decimal.NullDecimal{Decimal: v.amount(field, text), Valid: text != ""}
}

// moment reads a time; null is the zero time.
func (v *values) moment(field, text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		v.fail(field, "is no time")
		return time.Time{}
	}
	return t.UTC()
}

// parseAmount reads the amounts that occur, up to 18 digits, without the general machinery.
func parseAmount(text string) (decimal.Decimal, error) {
	digits, sign := text, int64(1)
	if strings.HasPrefix(digits, "-") {
		digits, sign = digits[1:], -1
	}
	if len(digits) == 0 || len(digits) > 18 {
		return decimal.NewFromString(text)
	}
	var value int64
	var places int32
	point := false
	for i := range len(digits) {
		c := digits[i]
		switch {
		case c == '.' && !point:
			point = true
		case c < '0' || c > '9':
			return decimal.NewFromString(text)
		default:
			value = value*10 + int64(c-'0')
			if point {
				places++
			}
		}
	}
	if len(digits) == 1 && point {
		return decimal.Decimal{}, errors.New("no digits")
	}
	for places > 0 && value%10 == 0 {
		value, places = value/10, places-1
	}
	return decimal.New(sign*value, -places), nil
}

// lineType returns the __typename of a line, which is asked for first; where it is missing, the type that its id names.
func lineType(line []byte) string {
	const key = `"__typename":"`
	if i := bytes.Index(line, []byte(key)); i >= 0 {
		line = line[i+len(key):]
		if end := bytes.IndexByte(line, '"'); end >= 0 {
			switch name := line[:end]; string(name) {
			case "Order":
				return "Order"
			case "LineItem":
				return "LineItem"
			default:
				return string(name)
			}
		}
	}
	parts := strings.Split(gidOf(line), "/")
	if len(parts) < 2 {
		return ""
	}
	return parts[len(parts)-2]
}

// gidOf returns the id of a record as it came.
func gidOf(raw []byte) string {
	var r ref
	if json.Unmarshal(raw, &r) == nil {
		return r.ID
	}
	raw = bytes.ReplaceAll(raw, []byte(`\/`), []byte(`/`)) // the rest of it is broken
	const key = `"id":"`
	if i := bytes.Index(raw, []byte(key+gidRoot)); i >= 0 {
		rest := raw[i+len(key):]
		if end := bytes.IndexByte(rest, '"'); end >= 0 {
			return string(rest[:end])
		}
	}
	return ""
}

// parentKey is in every line that belongs to another one. Inside a text it could only stand with its quotes escaped.
const parentKey = `"__parentId":`

func isChild(line []byte) bool { return bytes.Contains(line, []byte(parentKey)) }

// decode reads a record. Its error names the field that could not be read.
func decode[T any](raw []byte, target *T) error {
	err := json.Unmarshal(raw, target)
	if err == nil {
		return nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return errors.New("not an object")
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		var alone T
		one, _ := json.Marshal(map[string]json.RawMessage{name: fields[name]})
		if err := json.Unmarshal(one, &alone); err != nil {
			return fmt.Errorf("field %s cannot be read", name)
		}
	}
	return errors.New("a field cannot be read")
}

// parentOf returns the id of the record that a line belongs to.
func parentOf(line []byte) string {
	var child struct {
		Parent string `json:"__parentId"`
	}
	if json.Unmarshal(line, &child) != nil {
		return ""
	}
	return child.Parent
}

// fingerprint names a record that has no readable id.
func fingerprint(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:6])
}
