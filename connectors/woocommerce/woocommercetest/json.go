package woocommercetest

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// fields is what _fields leaves of a record: nil is everything, an empty map below a name is the whole of that name.
type fields map[string]fields

func parseFields(list []string) fields {
	if len(list) == 0 {
		return nil
	}
	all := fields{}
	for _, name := range list {
		head, rest, dotted := strings.Cut(strings.TrimSpace(name), ".")
		if head == "" {
			continue
		}
		have, known := all[head]
		switch {
		case !dotted:
			all[head] = fields{}
		case known && len(have) == 0: // the whole is wanted already
		default:
			if have == nil {
				have = fields{}
			}
			have[rest] = fields{}
			all[head] = have
		}
	}
	return all
}

// writer builds JSON as PHP does: slashes and everything beyond ASCII escaped.
type writer struct {
	b      []byte
	loc    *time.Location
	digits int // of the shop's money
	dp     int // digits wanted
}

func (w *writer) comma() {
	if last := len(w.b) - 1; last >= 0 && w.b[last] != '{' && w.b[last] != '[' && w.b[last] != ':' {
		w.b = append(w.b, ',')
	}
}

// key writes the name of a field if it is wanted.
func (w *writer) key(f fields, name string) bool {
	if f != nil {
		if _, wanted := f[name]; !wanted {
			return false
		}
	}
	w.name(name)
	return true
}

// list writes the name of a field that holds a list; a dotted wish for a part of a list drops the whole, as WordPress
// does.
func (w *writer) list(f fields, name string) bool {
	if len(f[name]) > 0 {
		return false
	}
	return w.key(f, name)
}

func (w *writer) name(name string) {
	w.comma()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) open(c byte)  { w.comma(); w.b = append(w.b, c) }
func (w *writer) close(c byte) { w.b = append(w.b, c) }
func (w *writer) raw(s string) { w.comma(); w.b = append(w.b, s...) }

func (w *writer) int(n int64) { w.comma(); w.b = strconv.AppendInt(w.b, n, 10) }

func (w *writer) bool(v bool) { w.comma(); w.b = strconv.AppendBool(w.b, v) }

func (w *writer) str(s string) {
	w.comma()
	w.b = appendString(w.b, s)
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			b = appendRune(b, r)
			i += size
			continue
		}
		i++
		switch {
		case c == '"' || c == '\\' || c == '/':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func appendRune(b []byte, r rune) []byte {
	if r >= 0x10000 {
		r -= 0x10000
		b = appendRune(b, 0xd800+(r>>10))
		r = 0xdc00 + (r & 0x3ff)
	}
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// money writes an amount as text with the digits asked for.
func (w *writer) money(a simulator.Amount) {
	w.comma()
	w.b = append(w.b, '"')
	w.b = w.appendMoney(w.b, a)
	w.b = append(w.b, '"')
}

func (w *writer) appendMoney(b []byte, a simulator.Amount) []byte {
	digits := w.digits
	for ; digits < w.dp; digits++ {
		a *= 10
	}
	for ; digits > w.dp; digits-- {
		if a < 0 {
			a = (a - 5) / 10
		} else {
			a = (a + 5) / 10
		}
	}
	if a < 0 {
		b = append(b, '-')
		a = -a
	}
	scale := simulator.Amount(1)
	for range digits {
		scale *= 10
	}
	b = strconv.AppendInt(b, int64(a/scale), 10)
	if digits > 0 {
		fraction := strconv.FormatInt(int64(scale+a%scale), 10)
		b = append(append(b, '.'), fraction[1:]...)
	}
	return b
}

// number writes an amount as a JSON number, divided among so many.
func (w *writer) number(a simulator.Amount, among int64) {
	w.comma()
	scale := float64(1)
	for range w.digits {
		scale *= 10
	}
	w.b = strconv.AppendFloat(w.b, float64(a)/float64(max(among, 1))/scale, 'f', -1, 64)
}

const wallClock = "2006-01-02T15:04:05"

// local and gmt write a moment as the shop's wall clock and as UTC, both without a zone; zero is null.
func (w *writer) local(t time.Time) { w.clock(t, w.loc) }
func (w *writer) gmt(t time.Time)   { w.clock(t, time.UTC) }

func (w *writer) clock(t time.Time, loc *time.Location) {
	w.comma()
	if t.IsZero() {
		w.b = append(w.b, "null"...)
		return
	}
	w.b = append(w.b, '"')
	w.b = t.In(loc).AppendFormat(w.b, wallClock)
	w.b = append(w.b, '"')
}

// moment is a pair of fields: name in local time, name_gmt in UTC.
func (w *writer) moment(f fields, name string, t time.Time) {
	if w.key(f, name) {
		w.local(t)
	}
	if w.key(f, name+"_gmt") {
		w.gmt(t)
	}
}

// The plain fields.
func (w *writer) text(f fields, name, value string) {
	if w.key(f, name) {
		w.str(value)
	}
}

func (w *writer) integer(f fields, name string, value int64) {
	if w.key(f, name) {
		w.int(value)
	}
}

func (w *writer) flag(f fields, name string, value bool) {
	if w.key(f, name) {
		w.bool(value)
	}
}

func (w *writer) amount(f fields, name string, value simulator.Amount) {
	if w.key(f, name) {
		w.money(value)
	}
}

// plain writes fields whose value is the same for every record.
func (w *writer) plain(f fields, name, json string) {
	if w.key(f, name) {
		w.raw(json)
	}
}

// links writes _links: self with the methods that it allows, collection, and more.
func (w *writer) links(self, collection, allow string, more ...link) {
	w.name("_links")
	w.open('{')
	w.name("self")
	w.raw(`[{"href":`)
	w.str(self)
	if allow != "" {
		w.name("targetHints")
		w.raw(`{"allow":["` + strings.ReplaceAll(allow, ", ", `","`) + `"]}`)
	}
	w.b = append(w.b, "}]"...)
	if collection != "" {
		w.name("collection")
		w.raw(`[{"href":`)
		w.str(collection)
		w.b = append(w.b, "}]"...)
	}
	for _, l := range more {
		w.name(l.rel)
		w.b = append(w.b, "[{"...)
		if l.embeddable {
			w.raw(`"embeddable":true`)
		}
		w.name("href")
		w.str(l.href)
		w.b = append(w.b, "}]"...)
	}
	w.close('}')
}

type link struct {
	rel, href  string
	embeddable bool
}
