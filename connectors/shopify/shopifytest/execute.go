package shopifytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// execution answers one document. It writes JSON as it goes, in the order in which fields were asked.
type execution struct {
	call   *call
	out    []byte
	errors []map[string]any
	broken bool // data is null as a whole
	used   float64
	known  map[string]*object // in bulk, things that many others name, such as products, by id; nil elsewhere
	most   int                // roots of each connection that are answered in a bulk operation; 0 means all
}

// run answers the fields of a root object.
func (x *execution) run(root *object, d *document) {
	x.object(root, d.roots, nil)
	if x.broken {
		x.out = append(x.out[:0], "null"...)
	}
}

// object writes what is asked of an object; own are fields that come before the object's, such as __parentId's.
func (x *execution) object(o *object, all []*selection, own map[string]resolver) {
	x.out = append(x.out, '{')
	first := true
	for _, s := range x.chosen(o, all) {
		if !first {
			x.out = append(x.out, ',')
		}
		first = false
		x.out = appendString(x.out, s.key)
		x.out = append(x.out, ':')
		x.field(o, s, own)
	}
	x.out = append(x.out, '}')
}

// chosen are the selections that apply to the object; those with the same key are put together.
func (x *execution) chosen(o *object, all []*selection) []*selection {
	same := true
	for _, s := range all {
		same = same && len(s.on) == 0
	}
	if same {
		return all
	}
	chosen := make([]*selection, 0, len(all))
	for _, s := range all {
		if !s.applies(o) {
			continue
		}
		at := slices.IndexFunc(chosen, func(there *selection) bool { return there.key == s.key })
		if at < 0 {
			chosen = append(chosen, s)
			continue
		}
		both := *chosen[at]
		both.subs = append(slices.Clone(both.subs), s.subs...)
		chosen[at] = &both
	}
	return chosen
}

func (s *selection) applies(o *object) bool {
	for _, condition := range s.on {
		if !o.is(condition) {
			return false
		}
	}
	return true
}

// field writes one value, null where its resolver fails.
func (x *execution) field(o *object, s *selection, own map[string]resolver) {
	x.call.path = append(x.call.path, s.key)
	defer func() { x.call.path = x.call.path[:len(x.call.path)-1] }()
	if s.name == "__typename" {
		x.out = appendString(x.out, o.typ)
		return
	}
	r := own[s.name]
	if r == nil {
		r = o.resolver(s.name)
	}
	mark := len(x.out)
	var v any
	var err error
	if r == nil {
		err = &failure{message: fmt.Sprintf("Field '%s' doesn't exist on type '%s'", s.name, o.typ), code: "undefinedField", more: map[string]any{"typeName": o.typ, "fieldName": s.name}, top: true}
	} else if v, err = r(x.call, s.args); err == nil {
		x.charge(o, s, v)
		err = x.value(v, s)
	}
	if err != nil {
		x.fail(err, s)
		x.out = append(x.out[:mark], "null"...)
	}
}

// charge counts what an answered field costs; connections count for themselves.
func (x *execution) charge(o *object, s *selection, v any) {
	switch {
	case v == nil || s.leaf || o.wrapper || s.paged():
	case o.typ == queryRoot && strings.HasSuffix(s.name, "Count"):
		x.used += countCost
	case !s.free():
		x.used++
	}
}

// average makes what n alike cost together what one of them costs, times the factor.
func (x *execution) average(before float64, n int, factor float64) {
	if n > 0 {
		x.used = before + (x.used-before)/float64(n)*factor
	}
}

const queryRoot = "QueryRoot"

// fail notes an error at the present path.
func (x *execution) fail(err error, s *selection) {
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{message: "Internal error. Looks like something went wrong on our end: " + err.Error(), code: "INTERNAL_SERVER_ERROR", top: true}
	}
	e := map[string]any{"message": f.message, "path": slices.Clone(x.call.path)}
	if s.at != nil {
		e["locations"] = []any{map[string]any{"line": s.at.Line, "column": s.at.Column}}
	}
	extensions := map[string]any{}
	for k, v := range f.more {
		extensions[k] = v
	}
	if f.code != "" {
		extensions["code"] = f.code
	}
	if len(extensions) > 0 {
		e["extensions"] = extensions
	}
	x.errors = append(x.errors, e)
	x.broken = x.broken || f.top || s.paged() // connections are never null, nor what holds them
}

// value writes what a resolver answered.
func (x *execution) value(v any, s *selection) error {
	switch v := v.(type) {
	case *object:
		if v == nil {
			x.out = append(x.out, "null"...)
			return nil
		}
		x.object(x.familiar(v), s.subs, nil)
	case *connection:
		return x.page(v, s)
	case []*object:
		return list(x, v, s)
	case []any:
		if v == nil {
			x.out = append(x.out, "null"...)
			return nil
		}
		return list(x, v, s)
	case map[string]any:
		if v == nil || s.leaf {
			return x.json(v)
		}
		x.object(&object{plain: v}, s.subs, nil)
	default:
		return x.scalar(v)
	}
	return nil
}

// familiar is the same thing as it was met before, with its fields made already.
func (x *execution) familiar(o *object) *object {
	if x.known == nil || o.id == "" || o.fill == nil {
		return o
	}
	if met, ok := x.known[o.id]; ok {
		return met
	}
	x.known[o.id] = o
	return o
}

func list[T any](x *execution, all []T, s *selection) error {
	x.out = append(x.out, '[')
	before := x.used
	defer func() { x.average(before, len(all), 1) }()
	for i, v := range all {
		if i > 0 {
			x.out = append(x.out, ',')
		}
		x.call.path = append(x.call.path, i)
		err := x.value(v, s)
		x.call.path = x.call.path[:len(x.call.path)-1]
		if err != nil {
			return err
		}
	}
	x.out = append(x.out, ']')
	return nil
}

func (x *execution) scalar(v any) error {
	switch v := v.(type) {
	case nil:
		x.out = append(x.out, "null"...)
	case string:
		x.out = appendString(x.out, v)
	case bool:
		x.out = strconv.AppendBool(x.out, v)
	case int:
		x.out = strconv.AppendInt(x.out, int64(v), 10)
	case int64:
		x.out = strconv.AppendInt(x.out, v, 10)
	case float64:
		x.out = appendNumber(x.out, v)
	case time.Time:
		x.out = append(x.out, '"')
		x.out = v.UTC().AppendFormat(x.out, "2006-01-02T15:04:05Z")
		x.out = append(x.out, '"')
	case []string:
		x.out = append(x.out, '[')
		for i, text := range v {
			if i > 0 {
				x.out = append(x.out, ',')
			}
			x.out = appendString(x.out, text)
		}
		x.out = append(x.out, ']')
	default:
		return x.json(v)
	}
	return nil
}

func (x *execution) json(v any) error {
	b, err := json.Marshal(v)
	x.out = append(x.out, b...)
	return err
}

// appendNumber writes a Float: whole ones with a decimal, as Ruby does.
func appendNumber(b []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.AppendFloat(b, v, 'f', 1, 64)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

const hexadecimal = "0123456789abcdef"

// appendString writes a JSON string without needless escapes.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hexadecimal[c>>4], hexadecimal[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
