package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lib/pq"
	"github.com/shopspring/decimal"
)

// hashSize is the length of content hashes.
const hashSize = 16

// content gathers a record, and whatever belongs to it, in normalised values, to be hashed: 1.50 and 1.5, and the same
// moment in two zones, are the same content.
type content struct{ text *[]byte }

func newContent() content {
	text := make([]byte, 0, 1024)
	return content{&text}
}

func (c content) reset() { *c.text = (*c.text)[:0] }

func (c content) add(text string) {
	*c.text = append(binary.BigEndian.AppendUint32(*c.text, uint32(len(text))), text...)
}

func (c content) sum() []byte {
	sum := sha256.Sum256(*c.text)
	return sum[:hashSize]
}

// row gathers the values of one record in the order of its table's columns as a line of COPY, adds them to its content,
// and notes the first value that Postgres could not store.
type row struct {
	content
	line []byte
	err  error
}

func newRow(content content, store int64, columns int) *row {
	return &row{content: content, line: strconv.AppendInt(make([]byte, 0, 16*columns), store, 10)}
}

func (r *row) refuse(column, why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %s", column, why)
	}
}

func (r *row) put(value string) {
	r.line = appendText(append(r.line, '\t'), value)
	r.add(value)
}

// none puts no value.
func (r *row) none() {
	r.derived(null)
	r.add("null")
}

// text takes any text that Postgres can store.
func (r *row) text(column, value string) {
	if why := unstorable(value); why != "" {
		r.refuse(column, why)
	}
	r.put(value)
}

// id takes text that must not be empty.
func (r *row) id(column, value string) {
	if value == "" {
		r.refuse(column, "is missing")
	}
	r.text(column, value)
}

func unstorable(text string) string {
	switch {
	case strings.IndexByte(text, 0) >= 0:
		return "has a NUL byte"
	case !utf8.ValidString(text):
		return "is not UTF-8"
	default:
		return ""
	}
}

// storable drops from a message what Postgres cannot store.
func storable(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
}

// maxExponent keeps amounts in what numeric can hold, and out of what would fill memory: 1e9999999 is six characters.
const maxExponent = 100

func (r *row) amount(column string, value decimal.Decimal) {
	exponent := int64(value.Exponent())
	if exponent > maxExponent || exponent < -maxExponent || value.NumDigits() > maxExponent {
		r.refuse(column, "is out of range")
		value = decimal.Decimal{}
	}
	r.put(plain(value))
}

// plain is value.String(), the one text for equal amounts, without the detour over big numbers where it is not needed.
func plain(value decimal.Decimal) string {
	exponent := int(value.Exponent())
	if exponent > 0 || exponent < -18 || value.NumDigits() > 18 {
		return value.String()
	}
	coefficient := value.CoefficientInt64()
	for exponent < 0 && coefficient%10 == 0 {
		coefficient /= 10
		exponent++
	}
	if exponent == 0 {
		return strconv.FormatInt(coefficient, 10)
	}
	unit := int64(1)
	for range -exponent {
		unit *= 10
	}
	whole, part := coefficient/unit, coefficient%unit
	text := make([]byte, 0, 24)
	if coefficient < 0 {
		text = append(text, '-')
		whole, part = -whole, -part
	}
	text = append(strconv.AppendInt(text, whole, 10), '.')
	for unit /= 10; part < unit; unit /= 10 {
		text = append(text, '0')
	}
	return string(strconv.AppendInt(text, part, 10))
}

func (r *row) maybeAmount(column string, value decimal.NullDecimal) {
	if !value.Valid {
		r.none()
		return
	}
	r.amount(column, value.Decimal)
}

// moment takes a time that must be there.
func (r *row) moment(column string, value time.Time) {
	if value.IsZero() {
		r.refuse(column, "is missing")
	}
	r.maybeMoment(column, value)
}

// maybeMoment takes a time; the zero time is none.
func (r *row) maybeMoment(column string, value time.Time) {
	if value.IsZero() {
		r.none()
		return
	}
	value = value.UTC()
	if value.Year() < 1 || value.Year() > 9999 {
		r.refuse(column, "is no date between the years 1 and 9999")
		value = time.Time{}
	}
	r.put(value.Format("2006-01-02 15:04:05.999999Z07:00"))
}

// claim takes a time that the shop may change without a change of content, such as a date of modification: it is stored
// with the next change, and is none by itself.
func (r *row) claim(column string, value time.Time) {
	kept := len(*r.content.text)
	r.maybeMoment(column, value)
	*r.content.text = (*r.content.text)[:kept]
}

// beside takes a value that is no content; what counts as content in its place is given.
func (r *row) beside(put func(), content string) {
	kept := len(*r.content.text)
	put()
	*r.content.text = (*r.content.text)[:kept]
	r.add(content)
}

func (r *row) integer(column string, value int, limit int) {
	if value > limit || value < -limit {
		r.refuse(column, "is out of range")
	}
	r.put(strconv.Itoa(value))
}

func (r *row) boolean(value bool) { r.put(strconv.FormatBool(value)) }

func (r *row) texts(column string, values []string) {
	for _, value := range values {
		if why := unstorable(value); why != "" {
			r.refuse(column, why)
		}
	}
	text := "{}"
	if len(values) > 0 {
		encoded, err := pq.StringArray(values).Value()
		if err != nil {
			r.refuse(column, "cannot be stored")
		}
		text, _ = encoded.(string)
	}
	r.put(text)
}

func (r *row) json(column string, value any) {
	text, err := json.Marshal(value)
	switch {
	case err != nil:
		r.refuse(column, "cannot be stored")
	case strings.Contains(string(text), `\u0000`):
		r.refuse(column, "has a NUL byte")
	}
	r.put(string(text))
}

// derived takes fields that follow from others and from the rules, and are no content.
func (r *row) derived(fields ...string) { r.line = appendFields(r.line, fields...) }

// maxInteger and maxSmall are the limits of the column types integer and smallint.
const (
	maxInteger = math.MaxInt32
	maxSmall   = math.MaxInt16
)

// amountField is a nullable amount for COPY.
func amountField(value decimal.NullDecimal) string {
	if !value.Valid {
		return null
	}
	return plain(value.Decimal)
}

// personField is a nullable person for COPY.
func personField(id int64) string {
	if id == 0 {
		return null
	}
	return strconv.FormatInt(id, 10)
}
