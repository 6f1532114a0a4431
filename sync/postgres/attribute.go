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
	hashed string // the person's own part of the hash, '' where there is none; empty where the rule or the place decides
	place  bool   // whether the place decides
	known  string // whether somebody with a score has a value; empty where that is so for all, or where the place decides
}

// attributes are all that can be pushed, by key. The hash of somebody who stands in nothing but a segment is as old as the
// segments: nothing may be put into it that would change it.
var attributes = map[string]attribute{
	"segment":            {value: `coalesce(r.shown, s.segment)`},
	"segment_name":       {value: `coalesce(r.name, s.segment)`},
	"rfm":                {value: `nullif(concat(s.r, s.f, s.m), '')`, hashed: `coalesce((s.r * 10000 + s.f * 100 + s.m)::text || '/', '')`},
	"r":                  {value: `s.r::text`, hashed: `coalesce('r' || s.r, '')`},
	"f":                  {value: `s.f::text`, hashed: `coalesce('f' || s.f, '')`},
	"m":                  {value: `s.m::text`, hashed: `coalesce('m' || s.m, '')`},
	"since":              {value: `to_char(s.since, 'YYYY-MM-DD')`, hashed: `coalesce((s.since - DATE '1970-01-01')::text, '')`},
	"lifecycle":          {value: `t.stage`, place: true},
	"value_tier":         {value: `nullif(t.tier, '')`, place: true},
	"churn_risk":         {value: `nullif(t.churn, '')`, place: true},
	"predicted_value":    {value: `round(t.value, w.digits)::text`, hashed: `coalesce('v' || round(t.value, w.digits), '')`, known: `t.value IS NOT NULL`},
	"next_order_week":    {value: `to_char(t.next_week, 'YYYY-MM-DD')`, hashed: `coalesce('w' || (t.next_week - DATE '1970-01-01'), '')`, known: `t.next_week IS NOT NULL`},
	"previous_segment":   {value: `s.previous`, hashed: `coalesce('/' || s.previous, '')`, known: `s.previous IS NOT NULL`},
	"last_order":         {value: `to_char(t.last_order, 'YYYY-MM-DD')`, hashed: `coalesce('l' || (t.last_order - DATE '1970-01-01'), '')`, known: `t.last_order IS NOT NULL`},
	"favourite_category": {value: `nullif(t.favourite, '')`, hashed: `coalesce('c' || t.favourite, '')`, known: `t.favourite <> ''`},
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

// bothDays are the week of the next order and the day of the last one as one number, which costs half as much as two.
const bothDays = `'w' || (coalesce(t.next_week - DATE '1970-01-01', 0)::bigint * 1000000 + coalesce(t.last_order - DATE '1970-01-01', 0))::text`

// within is the attribute whose part of the hash says everything about another one too; empty where there is none.
func (p pushed) within(key string) string {
	switch {
	case slices.Contains([]string{"r", "f", "m"}, key) && p.has(key) && p.has("rfm"):
		return "rfm"
	case key == "last_order" && p.has(key) && p.has("next_order_week"):
		return "next_order_week"
	default:
		return ""
	}
}

// hashed is the person's own part of the hash, with an operator before it where there is any. What came first, scores and
// the day, stays first.
func (p pushed) hashed() string {
	text, names := "", ""
	for _, key := range []string{
		"rfm", "since", "predicted_value", "next_order_week", "r", "f", "m", "previous_segment", "last_order", "favourite_category",
	} {
		switch within := p.within(key); {
		case within != "":
			names += key + " in " + within + " "
		case key == "next_order_week" && p.has("last_order"):
			text += "\n\t\t\t\t|| " + bothDays
		case p.has(key):
			text += "\n\t\t\t\t|| " + attributes[key].hashed
		}
	}
	for _, key := range p.keys {
		if name := p.name(key); name != key {
			names += key + "=" + name + " "
		}
	}
	if names != "" {
		text += "\n\t\t\t\t|| (chr(28) || " + pq.QuoteLiteral(names) + ")"
	}
	return text
}

// shown is the part of the hash that the attributes of a place t are, ” where it has none.
func (p pushed) shown() string {
	text := `''`
	for _, key := range p.keys {
		if a := attributes[key]; a.place {
			text += ` || coalesce(chr(31) || '` + key + `=' || ` + a.value + `, '')`
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
