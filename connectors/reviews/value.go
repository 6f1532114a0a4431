package reviews

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-json"
	"github.com/shopspring/decimal"
	nethtml "golang.org/x/net/html"
)

// Text is a string fit for the database: valid UTF-8 without NUL and white space around it.
type Text string

// UnmarshalJSON takes strings, numbers and booleans; null is empty.
func (t *Text) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) == 0, bytes.Equal(b, []byte("null")):
		*t = ""
	case b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return errors.New("not a string")
		}
		*t = Text(clean(s))
	case b[0] == '[' || b[0] == '{':
		return errors.New("text was due, a list or object came")
	default:
		*t = Text(b)
	}
	return nil
}

func clean(s string) string {
	return strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", ""))
}

// Name returns the text with HTML entities decoded, as people write it.
func (t Text) Name() string { return clean(html.UnescapeString(string(t))) }

// Plain returns HTML, or text without any, as plain text.
func (t Text) Plain() string {
	var out strings.Builder
	z := nethtml.NewTokenizer(strings.NewReader(string(t)))
	hidden := 0
	for {
		kind := z.Next()
		if kind == nethtml.ErrorToken {
			return clean(out.String())
		}
		if kind == nethtml.TextToken && hidden == 0 {
			out.Write(z.Text())
			continue
		}
		name, _ := z.TagName()
		switch tag := string(name); {
		case (tag == "script" || tag == "style") && kind == nethtml.StartTagToken:
			hidden++
		case (tag == "script" || tag == "style") && kind == nethtml.EndTagToken:
			hidden = max(0, hidden-1)
		case (tag == "br" || tag == "p") && kind != nethtml.EndTagToken:
			out.WriteByte('\n')
		}
	}
}

// Flag is a yes or no, or nothing where nothing was said.
type Flag struct{ Known, Yes bool }

// UnmarshalJSON takes booleans, 0 and 1, and the usual words; anything else says nothing.
func (f *Flag) UnmarshalJSON(b []byte) error {
	switch strings.ToLower(strings.Trim(string(b), `"`)) {
	case "true", "1", "yes":
		*f = Flag{Known: true, Yes: true}
	case "false", "0", "no":
		*f = Flag{Known: true}
	default:
		*f = Flag{}
	}
	return nil
}

// Stars is a rating.
type Stars struct{ decimal.NullDecimal }

// UnmarshalJSON takes numbers, bare or quoted.
func (s *Stars) UnmarshalJSON(b []byte) error {
	text := strings.TrimSpace(strings.Trim(string(b), `"`))
	if text == "" || text == "null" {
		*s = Stars{}
		return nil
	}
	if len(text) > 20 || strings.ContainsAny(text, "eE") { // an exponent could make it as long as the memory
		return errors.New("not a rating")
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return errors.New("not a rating")
	}
	*s = Stars{decimal.NewNullDecimal(d)}
	return nil
}

// Rating returns whole stars, 1 to 5, a half rounded up, and 0 where none was given, as null or 0 says.
func (s Stars) Rating(field string) (int, error) {
	if !s.Valid || s.Decimal.IsZero() {
		return 0, nil
	}
	if s.Decimal.LessThan(decimal.NewFromInt(1)) || s.Decimal.GreaterThan(decimal.NewFromInt(5)) {
		return 0, fmt.Errorf("field %s is not within 1 and 5", field)
	}
	return int(s.Decimal.Round(0).IntPart()), nil
}

// Moment is a time, zero where nothing sensible was said.
type Moment struct{ At time.Time }

// UnmarshalJSON takes RFC 3339, and seconds since 1970; it never fails.
func (m *Moment) UnmarshalJSON(b []byte) error {
	*m = Moment{}
	text := strings.TrimSpace(strings.Trim(string(b), `"`))
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			m.set(at)
			return nil
		}
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		m.set(time.Unix(seconds, 0))
	}
	return nil
}

func (m *Moment) set(at time.Time) {
	if at.Year() >= 1990 && at.Year() <= 2100 {
		m.At = at.UTC()
	}
}

// Product returns a product's id as the shop's connector writes it: the last part of a gid, or the id as it stands.
func (t Text) Product() string { return string(t[strings.LastIndexByte(string(t), '/')+1:]) }

// Join puts a title above a text.
func Join(title, body string) string { return strings.TrimSpace(title + "\n" + body) }

// Decode reads a row. Its error names the field that cannot be read.
func Decode[T any](row []byte) (T, error) {
	var value T
	err := json.Unmarshal(row, &value)
	if err == nil {
		return value, nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(row, &fields) != nil {
		return value, errors.New("not an object")
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		var alone T
		one, _ := json.Marshal(map[string]json.RawMessage{name: fields[name]})
		if json.Unmarshal(one, &alone) != nil {
			return value, fmt.Errorf("field %s cannot be read", name)
		}
	}
	return value, errors.New("a field cannot be read")
}
