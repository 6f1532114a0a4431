package listmonk

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
)

const (
	// createdMark stands among our attributes of people whom we created.
	createdMark = "_created"
	// audiencesKey stands among them where there are no lists, and names the audiences.
	audiencesKey = "audiences"
)

// object is what stands under our prefix.
func (d *destination) object(p person) map[string]any {
	object := map[string]any{}
	if raw, ok := p.Attribs[d.prefix]; ok {
		if json.Unmarshal(raw, &object) != nil || object == nil {
			return map[string]any{} // something else stands in our place
		}
	}
	return object
}

// isMarked reports whether anything stands under our prefix.
func (d *destination) isMarked(p person) bool {
	raw, ok := p.Attribs[d.prefix]
	return ok && string(raw) != "null"
}

// attributes returns our attributes as activation knows them.
func (d *destination) attributes(p person) map[string]string {
	values := map[string]string{}
	for key, value := range d.object(p) {
		if text, ok := value.(string); ok && key != createdMark {
			values[key] = text
		}
	}
	return values
}

// bare is our object without anything that tells of the person.
func (d *destination) bare(p person) map[string]any {
	object := map[string]any{}
	if mark, ok := d.object(p)[createdMark]; ok {
		object[createdMark] = mark
	}
	return object
}

// desired returns what shall stand under our prefix, and whether that differs from what does. listmonk replaces the
// object as a whole.
func (d *destination) desired(p person, c connectors.Change) (map[string]any, bool) {
	now := d.object(p)
	want := map[string]any{}
	switch {
	case c.Attributes != nil:
		for key, value := range c.Attributes {
			want[key] = withoutNUL(value)
		}
		if mark, ok := now[createdMark]; ok {
			want[createdMark] = mark
		}
	default:
		want = maps.Clone(now)
		for _, key := range c.Drop {
			delete(want, key)
		}
	}
	delete(want, audiencesKey) // which stands from another mode where there are lists
	if d.attributesOnly() && len(c.Audiences) > 0 {
		var keys []any
		for _, key := range slices.Compact(slices.Sorted(slices.Values(c.Audiences))) {
			keys = append(keys, key)
		}
		want[audiencesKey] = keys
	}
	return want, !reflect.DeepEqual(now, want)
}

// audiencesOf are the audiences that our attributes name.
func (d *destination) audiencesOf(p person) []string {
	named, _ := d.object(p)[audiencesKey].([]any)
	var keys []string
	for _, name := range named {
		if key, ok := name.(string); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// withoutNUL leaves out what the database of listmonk cannot store: one such byte costs an import everybody in it.
func withoutNUL(text string) string { return strings.ReplaceAll(text, "\x00", "") }
