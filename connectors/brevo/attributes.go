package brevo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// The types of attributes that take what we write.
const (
	typeText    = "text"
	typeDate    = "date"
	typeFloat   = "float"
	typeBoolean = "boolean"
)

// attribute is an attribute as the account knows it.
type attribute struct {
	Name     string `json:"name"`
	Category string `json:"category"`
	Type     string `json:"type"`
}

// audiencesKey is the key of the attribute that names the audiences where there are no lists.
const audiencesKey = "audiences"

var (
	keyShape = regexp.MustCompile(`^[a-z0-9_]+$`)
	decimal  = regexp.MustCompile(`^-?[0-9]+\.[0-9]+$`)
)

// typeFor is the type with which an attribute of ours is made, by all values that are at hand: dates and amounts can be
// compared in Brevo's segments. A number without a point may be a name, such as that of a collection.
func typeFor(values []string) string {
	all := func(is func(string) bool) bool {
		return len(values) > 0 && !slices.ContainsFunc(values, func(value string) bool { return !is(value) })
	}
	switch {
	case all(isDate):
		return typeDate
	case all(decimal.MatchString):
		return typeFloat
	default:
		return typeText
	}
}

func isDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

// attributePrefix is how the names of our attributes begin.
func (d *destination) attributePrefix() string {
	return strings.ToUpper(strings.ReplaceAll(d.prefix, "-", "_")) + "_"
}

func (d *destination) attributeName(key string) string {
	return d.attributePrefix() + strings.ToUpper(key)
}

// knownSchema returns the attributes of the account, read where this instance has not met them yet.
func (d *destination) knownSchema(ctx context.Context) (map[string]attribute, error) {
	d.mu.Lock()
	known := d.schema
	d.mu.Unlock()
	if known != nil {
		return known, nil
	}
	answer, err := ask[struct {
		Attributes []attribute `json:"attributes"`
	}](ctx, d.api.contacts, httpapi.Request{Op: "attributes", Path: "/contacts/attributes"})
	if err != nil {
		return nil, err
	}
	known = map[string]attribute{}
	for _, a := range answer.Attributes {
		if a.Category == "normal" || known[a.Name].Name == "" {
			known[a.Name] = a
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.schema = known
	return known, nil
}

func (d *destination) forgetSchema() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.schema = nil
}

// ensureAttributes makes the attributes of what the changes set where they are missing. Without them Brevo would take the
// values and drop them without a word. It returns all attributes of the account.
func (d *destination) ensureAttributes(ctx context.Context, changes []connectors.Change) (map[string]attribute, error) {
	schema, err := d.knownSchema(ctx)
	if err != nil {
		return nil, err
	}
	values := d.valuesOf(changes)
	keys := slices.Sorted(maps.Keys(values))
	var refused error
	missing := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return schema[d.attributeName(key)].Name != "" })
	for _, key := range missing {
		_, err := send[struct{}](ctx, d.api.contacts, httpapi.Request{
			Op: "new attribute", Path: "/contacts/attributes/normal/" + d.attributeName(key), MayBeEmpty: true, Idempotent: true,
		}, map[string]string{"type": typeFor(values[key])})
		switch {
		case isAbout(err, http.StatusBadRequest):
			refused = err // perhaps somebody else has just made it
		case err != nil:
			return nil, err
		}
	}
	if len(missing) > 0 {
		d.forgetSchema()
		if schema, err = d.knownSchema(ctx); err != nil {
			return nil, err
		}
	}
	return schema, d.usable(schema, keys, refused)
}

// usable returns an error where an attribute is missing still, for which refused may be the reason, or takes no values.
func (d *destination) usable(schema map[string]attribute, keys []string, refused error) error {
	for _, key := range keys {
		switch a := schema[d.attributeName(key)]; {
		case a.Name == "" && refused != nil:
			return refused
		case a.Name == "":
			return &connectors.Error{Kind: connectors.KindRetry, Op: "attribute " + d.attributeName(key), Err: errors.New("it was made and is not there")}
		case a.Category != "normal":
			return &connectors.Error{
				Kind: connectors.KindPermanent, Op: "attribute " + a.Name,
				Err:    fmt.Errorf("the account has it as a %s attribute, which takes no values", a.Category),
				Remedy: "rename or delete it in Brevo under Contacts > Settings > Contact attributes",
			}
		}
	}
	return nil
}

// valuesOf returns the values of all attributes that the changes set, by key.
func (d *destination) valuesOf(changes []connectors.Change) map[string][]string {
	values := map[string][]string{}
	for _, c := range changes {
		for key, value := range c.Attributes {
			if keyShape.MatchString(key) && key != audiencesKey && value != "" {
				values[key] = append(values[key], value)
			}
		}
		if !d.writesLists() && len(c.Audiences) > 0 {
			values[audiencesKey] = []string{""} // a text
		}
	}
	return values
}

// attributesOf returns our attributes of a contact as activation knows them. Empty ones are none, and so are all where
// nothing is written to contacts.
func (d *destination) attributesOf(c contact) map[string]string {
	if !d.writesAttributes() {
		return map[string]string{}
	}
	values := d.standing(c)
	delete(values, audiencesKey)
	return values
}

// standing are all values under our prefix, by key.
func (d *destination) standing(c contact) map[string]string {
	values := map[string]string{}
	for name, value := range c.Attributes {
		key, ours := strings.CutPrefix(name, d.attributePrefix())
		if text := textOf(value); ours && text != "" {
			values[strings.ToLower(key)] = text
		}
	}
	return values
}

// audiencesText names audiences in one text. Each stands between two commas, so that "contains ,risk," in a segment of
// Brevo's does not find ",at_risk,".
func audiencesText(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return "," + strings.Join(slices.Compact(slices.Sorted(slices.Values(keys))), ",") + ","
}

// audiencesIn reads such a text.
func audiencesIn(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
}

var timed = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T00:00:00(\.0+)?Z$`)

// textOf writes a value as it came from Brevo as a text.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		if timed.MatchString(v) {
			return v[:len(time.DateOnly)]
		}
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	default:
		return ""
	}
}

// valueFor returns what to send for a value of an attribute. A value of another type is an error, because Brevo would
// ignore it and say nothing.
func valueFor(a attribute, text string) (any, error) {
	switch a.Type {
	case typeFloat:
		if number, err := strconv.ParseFloat(text, 64); err == nil {
			return number, nil
		}
	case typeDate:
		if isDate(text) {
			return text, nil
		}
	case typeBoolean:
		if truth, err := strconv.ParseBool(text); err == nil {
			return truth, nil
		}
	case typeText:
		return text, nil
	}
	return nil, fmt.Errorf("the attribute %s has the type %s in Brevo and takes no such value", a.Name, a.Type)
}

// differences returns what has to be written so that the attributes of a change stand, with "" for what has to go. Where
// nothing is written to contacts, something may have to go all the same that stood there from another mode.
func (d *destination) differences(c contact, change connectors.Change, schema map[string]attribute) (map[string]any, error) {
	now, set := d.standing(c), map[string]any{}
	wanted := map[string]string{}
	if d.writesAttributes() {
		maps.Copy(wanted, change.Attributes)
	}
	if _, taken := wanted[audiencesKey]; taken {
		return nil, fmt.Errorf("the attribute %s names the audiences: give yours another name", d.attributeName(audiencesKey))
	}
	if !d.writesLists() {
		wanted[audiencesKey] = audiencesText(change.Audiences)
	}
	for key, text := range wanted {
		if !keyShape.MatchString(key) {
			return nil, errors.New("an attribute key is not fit for a name in Brevo")
		}
		if text == "" {
			continue
		}
		name := d.attributeName(key)
		value, err := valueFor(schema[name], text)
		if err != nil {
			return nil, err
		}
		if now[key] != textOf(value) {
			set[name] = value
		}
	}
	replaces := d.writesAttributes() && change.Attributes != nil
	for key := range now {
		if wanted[key] == "" && (replaces || key == audiencesKey || slices.Contains(change.Drop, key)) {
			set[d.attributeName(key)] = ""
		}
	}
	return set, nil
}
