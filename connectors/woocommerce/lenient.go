package woocommerce

import (
	"bytes"
	"errors"
	"html"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-json"
	"github.com/shopspring/decimal"
	nethtml "golang.org/x/net/html"
)

// The shop is written in PHP, where a number may come as a string, an absent one as "", false or null, an empty object
// as [], and a list with a gap as an object. The types of this file take all of that and nothing else.

// text is a string fit for the database: valid UTF-8 without NUL.
type text string

// UnmarshalJSON takes strings, numbers and booleans; null and false are empty.
func (t *text) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) == 0, bytes.Equal(b, null), bytes.Equal(b, no):
		*t = ""
	case b[0] == '"':
		s, err := unquote(b)
		if err != nil {
			return err
		}
		*t = text(s)
	case b[0] == '[' || b[0] == '{':
		if len(bytes.TrimSpace(b[1:len(b)-1])) > 0 {
			return errors.New("text was due, a list or object came")
		}
		*t = ""
	default:
		*t = text(b)
	}
	return nil
}

var (
	null = []byte("null")
	no   = []byte("false")
)

func unquote(b []byte) (string, error) {
	inner := b[1 : len(b)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return clean(string(inner)), nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return "", errors.New("not a string")
	}
	return clean(s), nil
}

// clean makes text fit for the database.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return s
}

// name returns the text with HTML entities decoded, as people write it.
func (t text) name() string { return strings.TrimSpace(clean(html.UnescapeString(string(t)))) }

// trim returns the text without white space around it.
func (t text) trim() string { return strings.TrimSpace(string(t)) }

// plain returns HTML as plain text.
func plain(markup string) string {
	var out strings.Builder
	z := nethtml.NewTokenizer(strings.NewReader(markup))
	for {
		switch z.Next() {
		case nethtml.ErrorToken:
			return strings.TrimSpace(clean(out.String()))
		case nethtml.TextToken:
			out.Write(z.Text())
		case nethtml.StartTagToken, nethtml.SelfClosingTagToken:
			if tag, _ := z.TagName(); string(tag) == "br" || string(tag) == "p" {
				out.WriteByte('\n')
			}
		}
	}
}

// ident is an id of WordPress. It never passes through a float.
type ident int64

// UnmarshalJSON takes whole numbers, bare or quoted; nothing is 0.
func (i *ident) UnmarshalJSON(b []byte) error {
	s := strings.TrimSpace(strings.Trim(string(b), `"`))
	if s == "" || s == "null" || s == "false" {
		*i = 0
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return errors.New("not an id")
	}
	*i = ident(n)
	return nil
}

// String returns the id as text, and nothing for 0.
func (i ident) String() string {
	if i == 0 {
		return ""
	}
	return strconv.FormatInt(int64(i), 10)
}

// flag is a yes or no.
type flag bool

// UnmarshalJSON takes booleans, 0 and 1, and PHP's words for them.
func (f *flag) UnmarshalJSON(b []byte) error {
	switch strings.ToLower(strings.Trim(string(b), `"`)) {
	case "true", "1", "yes":
		*f = true
	default:
		*f = false
	}
	return nil
}

// amount is a number of money or pieces, invalid where nothing was said.
type amount struct{ decimal.NullDecimal }

// absurd is beyond what the database keeps as an amount.
var absurd = decimal.New(1, 15)

var sixty = decimal.NewFromInt(60)

// UnmarshalJSON takes numbers, bare or quoted, with a point and without grouping.
func (a *amount) UnmarshalJSON(b []byte) error {
	s := strings.TrimSpace(strings.Trim(string(b), `"`))
	if s == "" || s == "null" || s == "false" {
		*a = amount{}
		return nil
	}
	if len(s) > 40 {
		return errors.New("not an amount")
	}
	d, err := decimal.NewFromString(s)
	if err != nil || d.Exponent() > 15 || d.Exponent() < -30 || d.Abs().GreaterThan(absurd) {
		return errors.New("not an amount")
	}
	*a = amount{decimal.NewNullDecimal(d)}
	return nil
}

// or0 returns the amount, or zero where nothing was said.
func (a amount) or0() decimal.Decimal { return a.Decimal }

// positive returns the amount where it is above zero, and unknown otherwise: WooCommerce says 0 where it does not know.
func (a amount) positive() decimal.NullDecimal {
	if a.Valid && a.Decimal.IsPositive() {
		return a.NullDecimal
	}
	return decimal.NullDecimal{}
}

// moment is a time of a *_gmt field: UTC without a zone suffix.
type moment struct {
	at  time.Time // zero where absent or absurd
	bad bool      // something was said that is no sensible time
}

// UnmarshalJSON never fails: whether a missing time matters is for the record to say.
func (m *moment) UnmarshalJSON(b []byte) error {
	s := strings.TrimSpace(strings.Trim(string(b), `"`))
	*m = moment{}
	if s == "" || s == "null" || s == "false" {
		return nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", time.RFC3339, "2006-01-02 15:04:05"} {
		if at, err := time.Parse(layout, s); err == nil && at.Year() >= 1990 && at.Year() <= 2100 {
			m.at = at.UTC()
			return nil
		}
	}
	m.bad = true
	return nil
}

// list is a JSON list that may come as an object with numbers for keys, or as nothing.
type list[T any] []T

// UnmarshalJSON takes a list, an object whose values are the list, and nothing.
func (l *list[T]) UnmarshalJSON(b []byte) error {
	*l = nil
	switch {
	case len(b) > 0 && b[0] == '[':
		var values []T
		if err := json.Unmarshal(b, &values); err != nil {
			return err
		}
		*l = values
		return nil
	case len(b) > 0 && b[0] == '{':
		return l.fromObject(b)
	case bytes.Equal(b, null), bytes.Equal(b, no), bytes.Equal(b, []byte(`""`)):
		return nil
	default:
		return errors.New("a list was due")
	}
}

func (l *list[T]) fromObject(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		if _, err := dec.Token(); err != nil {
			return err
		}
		var value T
		if err := dec.Decode(&value); err != nil {
			return err
		}
		*l = append(*l, value)
	}
	return nil
}

// object is a JSON object that may come as an empty list or as nothing.
type object[T any] struct{ V T }

// UnmarshalJSON takes an object, an empty list and nothing.
func (o *object[T]) UnmarshalJSON(b []byte) error {
	var zero T
	o.V = zero
	switch {
	case len(b) > 0 && b[0] == '{':
		return json.Unmarshal(b, &o.V)
	case len(b) > 1 && b[0] == '[' && len(bytes.TrimSpace(b[1:len(b)-1])) == 0,
		bytes.Equal(b, null), bytes.Equal(b, no), bytes.Equal(b, []byte(`""`)):
		return nil
	default:
		return errors.New("an object was due")
	}
}

// meta is one field of meta_data. Its value may be anything.
type meta struct {
	Key   text            `json:"key"`
	Value json.RawMessage `json:"value"`
}

// string returns the value where it is a scalar.
func (m meta) string() string {
	var t text
	if t.UnmarshalJSON(m.Value) != nil {
		return ""
	}
	return string(t)
}

// metas are the meta fields of a record.
type metas list[meta]

// UnmarshalJSON reads the list leniently.
func (m *metas) UnmarshalJSON(b []byte) error { return (*list[meta])(m).UnmarshalJSON(b) }

// get returns the scalar value of the last field of that name, and whether there is one.
func (m metas) get(key string) (string, bool) {
	for i := len(m) - 1; i >= 0; i-- {
		if string(m[i].Key) == key {
			return m[i].string(), true
		}
	}
	return "", false
}
