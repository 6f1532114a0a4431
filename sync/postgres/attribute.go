package postgres

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// attribute is one that can be pushed, in SQL over a person's score s and standing t, with their rule r and place w.
type attribute struct {
	value  string // the text, null where there is none
	hashed string // the person's own part of the hash, null where there is none; empty where the rule or the place decides
	place  bool   // whether the place decides
	known  string // whether somebody with a score has a value; empty where that is so for all, or where the place decides
}

// attributes are all that can be pushed, by key. The hash of somebody who stands in nothing but a segment is as old as the
// segments: nothing may be put into it that would change it.
var attributes = map[string]attribute{
	"segment":            {value: `coalesce(r.shown, s.segment)`},
	"segment_name":       {value: `coalesce(r.name, s.segment)`},
	"rfm":                {value: `nullif(concat(s.r, s.f, s.m), '')`, hashed: `(s.r * 10000 + s.f * 100 + s.m)::text || '/'`},
	"r":                  {value: `s.r::text`, hashed: `'r' || s.r`},
	"f":                  {value: `s.f::text`, hashed: `'f' || s.f`},
	"m":                  {value: `s.m::text`, hashed: `'m' || s.m`},
	"since":              {value: `to_char(s.since, 'YYYY-MM-DD')`, hashed: `(s.since - DATE '1970-01-01')::text`},
	"lifecycle":          {value: `t.stage`, place: true},
	"value_tier":         {value: `nullif(t.tier, '')`, place: true},
	"churn_risk":         {value: `nullif(t.churn, '')`, place: true},
	"predicted_value":    {value: `round(t.value, w.digits)::text`, hashed: `'v' || round(t.value, w.digits)`, known: `t.value IS NOT NULL`},
	"next_order_week":    {value: `to_char(t.next_week, 'YYYY-MM-DD')`, hashed: `'w' || ` + nextWeek, known: `t.next_week IS NOT NULL`},
	"previous_segment":   {value: `s.previous`, hashed: `'/' || s.previous`, known: `s.previous IS NOT NULL`},
	"last_order":         {value: `to_char(t.last_order, 'YYYY-MM-DD')`, hashed: `'w' || ` + lastOrder, known: `t.last_order IS NOT NULL`},
	"favourite_category": {value: `nullif(t.favourite, '')`, hashed: `'c' || nullif(t.favourite, '')`, known: `t.favourite <> ''`},
}

// standingKeys are the keys of the audiences in which a standing t puts people, as SQL; those of what is not known are keys
// of no audience.
var standingKeys = `ARRAY['` + segment.Key(segment.SchemeLifecycle, "") + `' || t.stage, '` + segment.Key(segment.SchemeTier, "") +
	`' || t.tier, '` + segment.Key(segment.SchemeChurn, "") + `' || t.churn] || t.own`

// pushed are the keys of the attributes that go to a destination, in order, and their names there where those are others.
type pushed struct {
	keys    []string
	renamed map[string]string
}

// newPushed refuses keys that there are not.
func newPushed(target activation.Target) (pushed, error) {
	p := pushed{keys: slices.Compact(slices.Sorted(slices.Values(target.Attributes))), renamed: target.Renamed}
	for _, key := range p.keys {
		if _, ok := attributes[key]; !ok {
			return pushed{}, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "push to " + target.Destination,
				Err:    fmt.Errorf("unknown attribute %q", key),
				Remedy: "choose among " + strings.Join(slices.Sorted(maps.Keys(attributes)), ", "),
			}
		}
	}
	return p, nil
}

func (p pushed) has(key string) bool { return slices.Contains(p.keys, key) }

// name is what an attribute is called there.
func (p pushed) name(key string) string { return cmp.Or(p.renamed[key], key) }

// The week of the next order and the day of the last one as numbers that can be added: one number costs half as much as two.
const (
	nextWeek  = `(t.next_week - DATE '1970-01-01')::bigint * 1000000`
	lastOrder = `(t.last_order - DATE '1970-01-01')`
	bothDays  = `'w' || nullif(coalesce(` + nextWeek + `, 0) + coalesce(` + lastOrder + `, 0), 0)`
)

// within is the attribute whose part of the hash says everything about another one too; empty where there is none.
func (p pushed) within(key string) string {
	switch {
	case slices.Contains([]string{"r", "f", "m"}, key) && p.has(key) && p.has("rfm"):
		return "rfm"
	case key == "last_order" && p.has(key) && p.has("next_order_week") && p.name(key) == key && p.name("next_order_week") == "next_order_week":
		return "next_order_week"
	default:
		return ""
	}
}

// hashed is the person's own part of the hash, with an operator before it where there is any. What came first, scores and
// the day, stays first. What stands under another name than its key is marked with that, where it stands.
func (p pushed) hashed() string {
	text := ""
	for _, key := range []string{
		"rfm", "since", "predicted_value", "next_order_week", "r", "f", "m", "previous_segment", "last_order", "favourite_category",
	} {
		if !p.has(key) || p.within(key) != "" {
			continue
		}
		value := attributes[key].hashed
		if key == "next_order_week" && p.within("last_order") == key {
			value = bothDays
		}
		if mark := p.mark(key); mark != "" {
			value += ` || ` + pq.QuoteLiteral(mark)
		}
		text += "\n\t\t\t\t|| coalesce(" + value + ", '')"
	}
	return text
}

// mark is what an attribute and the scores within it are called, where that is not as usual.
func (p pushed) mark(key string) string {
	mark := ""
	if name := p.name(key); name != key {
		mark = "\x1c" + name
	}
	for _, score := range []string{"r", "f", "m"} {
		if key == "rfm" && p.within(score) == key {
			mark += "\x1c" + score + "=" + p.name(score)
		}
	}
	if mark != "" {
		mark += "\x1c"
	}
	return mark
}

// shown is the part of the hash that the attributes of a place t are, ” where it has none.
func (p pushed) shown() string {
	text := `''`
	for _, key := range p.keys {
		if a := attributes[key]; a.place {
			text += ` || coalesce(chr(31) || ` + pq.QuoteLiteral(p.name(key)+"=") + ` || ` + a.value + `, '')`
		}
	}
	return text
}

// known says whether there is any attribute of somebody with a score s, in a place w.
func (p pushed) known() string {
	var any []string
	for _, key := range p.keys {
		switch a := attributes[key]; {
		case a.place:
			any = append(any, `w.shown <> ''`)
		case a.known != "":
			any = append(any, a.known)
		default:
			return `s.person_id IS NOT NULL`
		}
	}
	if len(any) == 0 {
		return `false`
	}
	return `s.person_id IS NOT NULL AND coalesce(` + strings.Join(slices.Compact(any), ` OR `) + `, false)`
}

// object is the attributes object.
func (p pushed) object() string {
	pairs := make([]string, len(p.keys))
	for i, key := range p.keys {
		pairs[i] = pq.QuoteLiteral(p.name(key)) + `, ` + attributes[key].value
	}
	return `jsonb_strip_nulls(jsonb_build_object(` + strings.Join(pairs, ", ") + `))`
}
