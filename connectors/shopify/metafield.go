package shopify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
)

// longestKey is how many characters the key of an attribute may have; a metafield's has 64.
const longestKey = 58

// Types of metafields.
const (
	textType    = "single_line_text_field"
	longText    = "multi_line_text_field"
	integerType = "number_integer"
	decimalType = "number_decimal"
	dateType    = "date"
)

// fieldType is the type of an attribute: Shopify's editor of segments compares numbers and dates as such.
func fieldType(key string) string {
	switch key {
	case "r", "f", "m":
		return integerType
	case "predicted_value":
		return decimalType
	case "since", "next_order_week", "last_order":
		return dateType
	default:
		return textType
	}
}

// short precedes the keys of attributes that are too short for a metafield, such as those of the three scores.
const short = "score_"

// fieldOf is the key of the metafield that holds an attribute; a metafield's has two characters at least.
func fieldOf(key string) string {
	if len(key) < 2 {
		return short + key
	}
	return key
}

// attributeOf is the attribute that stands in a metafield.
func attributeOf(field string) string {
	if rest, is := strings.CutPrefix(field, short); is && len(rest) == 1 {
		return rest
	}
	return field
}

// metafield is one value as it is sent.
type metafield struct {
	Owner     string `json:"ownerId"`
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
	Type      string `json:"type,omitempty"` // only where no definition says it
	Value     string `json:"value"`
}

// metafieldKey names one metafield of one customer.
type metafieldKey struct {
	Owner     string `json:"ownerId"`
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
}

// metafields are the attributes of a wish as they are sent.
func (d *destination) metafields(w wish) []metafield {
	fields := make([]metafield, 0, len(w.set))
	for _, key := range slices.Sorted(maps.Keys(w.set)) {
		m := metafield{Owner: gid("Customer", w.customer), Namespace: d.prefix, Key: fieldOf(key), Value: w.set[key]}
		if d.types[m.Key] == "" {
			m.Type = fieldType(key)
		}
		fields = append(fields, m)
	}
	return fields
}

// dropped are the metafields that a wish takes away.
func (d *destination) dropped(w wish) []metafieldKey {
	keys := make([]metafieldKey, len(w.drop))
	for i, key := range w.drop {
		keys[i] = metafieldKey{Owner: gid("Customer", w.customer), Namespace: d.prefix, Key: fieldOf(key)}
	}
	return keys
}

// define sees to it that every attribute of the wishes has a definition, so that the merchant finds it in Shopify's own
// editor of segments: a definition is made before the first value. Where Shopify takes no more of them, the values are
// written with their type and cannot be filtered by.
func (d *destination) define(ctx context.Context, wishes []wish) error {
	wanted := map[string]bool{}
	for _, w := range wishes {
		for key := range w.set {
			wanted[fieldOf(key)] = true
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	if err := d.readTypes(ctx); err != nil {
		return err
	}
	var missing []string
	for field := range wanted {
		if _, defined := d.types[field]; !defined {
			missing = append(missing, field)
		}
	}
	slices.Sort(missing)
	if err := d.makeDefinitions(ctx, missing); err != nil {
		return err
	}
	for field := range wanted {
		if err := d.fits(field); err != nil {
			return err
		}
	}
	return nil
}

// readTypes asks once which definitions there are.
func (d *destination) readTypes(ctx context.Context) error {
	if d.types != nil {
		return nil
	}
	var answer struct {
		Definitions struct {
			Nodes []struct {
				Key  string `json:"key"`
				Type struct {
					Name string `json:"name"`
				} `json:"type"`
			} `json:"nodes"`
		} `json:"metafieldDefinitions"`
	}
	if err := d.ask(ctx, "metafield_definitions", map[string]any{"namespace": d.prefix}, &answer); err != nil {
		return err
	}
	d.types = map[string]string{}
	for _, n := range answer.Definitions.Nodes {
		d.types[n.Key] = n.Type.Name
	}
	return nil
}

// fits refuses a definition that somebody made with a type that cannot hold our values.
func (d *destination) fits(field string) error {
	want, is := fieldType(attributeOf(field)), d.types[field]
	if is == "" || is == want || is == textType || is == longText || want == integerType && is == decimalType {
		return nil
	}
	d.types = nil // once it is corrected, the next push finds that out
	return &connectors.Error{
		Kind: connectors.KindPermanent, Op: "metafield definitions",
		Err:    fmt.Errorf("customer metafield %s.%s has the type %s, and %s is needed", d.prefix, field, is, want),
		Remedy: "delete this definition under Settings > Custom data > Customers, or set another prefix",
	}
}

// definition is the answer to making one.
type definition struct {
	Created *struct {
		Type struct {
			Name string `json:"name"`
		} `json:"type"`
	} `json:"createdDefinition"`
	Errors userErrors `json:"userErrors"`
}

// makeDefinitions makes definitions by which segments can be filtered, and where Shopify has no room for more such, plain
// ones. A field for which there can be none is remembered with no type.
func (d *destination) makeDefinitions(ctx context.Context, fields []string) error {
	for _, filterable := range []bool{true, false} {
		if len(fields) == 0 {
			return nil
		}
		var answer map[string]definition
		if err := d.run(ctx, d.definitionQuery(fields, filterable), &answer); err != nil {
			return permitted(err)
		}
		var again []string
		for i, field := range fields {
			switch made := answer[fmt.Sprintf("d%d", i)]; {
			case made.Created != nil:
				d.types[field] = made.Created.Type.Name
			case made.Errors.code("TAKEN"): // somebody was faster
				d.types[field] = fieldType(attributeOf(field))
			case filterable:
				again = append(again, field)
			default:
				d.log.WarnContext(ctx, "metafield has no definition", "field", d.prefix+"."+field, "err", d.words(made.Errors))
				d.types[field] = ""
			}
		}
		fields = again
	}
	return nil
}

func (d *destination) definitionQuery(fields []string, filterable bool) query {
	q := query{
		Op: "metafield definitions", Variables: map[string]any{}, Cost: float64(11 * len(fields)), Idempotent: true,
	}
	var head, body []string
	for i, field := range fields {
		input := map[string]any{
			"name": d.title() + ": " + strings.ReplaceAll(attributeOf(field), "_", " "), "namespace": d.prefix, "key": field,
			"ownerType": "CUSTOMER", "type": fieldType(attributeOf(field)),
		}
		if filterable {
			input["capabilities"] = map[string]any{"adminFilterable": map[string]any{"enabled": true}}
		}
		head = append(head, fmt.Sprintf("$d%d: MetafieldDefinitionInput!", i))
		body = append(body, fmt.Sprintf("  d%d: metafieldDefinitionCreate(definition: $d%d) {"+
			" createdDefinition { type { name } } userErrors { field message code } }", i, i))
		q.Variables[fmt.Sprintf("d%d", i)] = input
	}
	q.Text = "mutation MetafieldDefinitions(" + strings.Join(head, ", ") + ") {\n" + strings.Join(body, "\n") + "\n}"
	return q
}

// title is our prefix as people read it.
func (d *destination) title() string { return strings.ToUpper(d.prefix[:1]) + d.prefix[1:] }

// plain returns a value as it was sent: Shopify writes 120 as 120.0 where it keeps decimals.
func plain(value, kind string) string {
	if kind != decimalType {
		return value
	}
	number, err := parseAmount(value)
	if err != nil {
		return value
	}
	return number.String()
}
