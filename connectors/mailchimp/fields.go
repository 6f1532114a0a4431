package mailchimp

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

const (
	longestTag   = 10  // characters of a merge tag
	longestValue = 255 // bytes of a text
)

// field is a merge field: a tag for templates, and a name for people.
type field struct {
	ID       int    `json:"merge_id"`
	Tag      string `json:"tag"`
	Name     string `json:"name"`
	Type     string `json:"type"`
	Help     string `json:"help_text"`
	Required bool   `json:"required"`
}

// readFields reads all merge fields, ours and others.
func (d *destination) readFields(ctx context.Context) ([]field, error) {
	type answer struct {
		Fields []field `json:"merge_fields"`
	}
	return pages(func(offset int) ([]field, error) {
		query := page(offset, largestPage, "merge_fields.merge_id", "merge_fields.tag", "merge_fields.name", "merge_fields.type",
			"merge_fields.help_text", "merge_fields.required")
		a, err := ask[answer](ctx, d.api, httpapi.Request{Op: "merge fields", Path: d.path("merge-fields"), Query: query}, nil)
		return a.Fields, err
	})
}

// mark stands in the help text of a merge field of ours, so that people may rename it. The name alone does as well.
func (d *destination) mark(key string) string { return d.prefix + ":" + key }

func (d *destination) fieldName(key string) string { return d.prefix + ": " + key }

// keyOf returns the attribute for which a merge field of ours stands.
func (d *destination) keyOf(f field) (string, bool) {
	if f.Type != "text" {
		return "", false
	}
	if key, is := strings.CutPrefix(strings.Fields(f.Help + " .")[0], d.mark("")); is && key != "" {
		return key, true
	}
	key, is := strings.CutPrefix(f.Name, d.fieldName(""))
	return key, is && key != ""
}

// tagFor makes a merge tag out of prefix and key: at most 10 characters, of which every word of the key has its share, and
// none that somebody has already.
func (d *destination) tagFor(key string) string {
	short := letters(d.prefix)
	short = short[:min(2, len(short))]
	room := longestTag - 1 - len(short)
	words := strings.FieldsFunc(key, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	tag := short + "_"
	for i, word := range words {
		left := len(words) - i
		share := (room + left - 1) / left
		part := letters(word)
		part = part[:min(share, len(part))]
		tag, room = tag+part, room-len(part)
	}
	free := tag
	for n := 2; d.taken[free]; n++ {
		number := strconv.Itoa(n)
		free = tag[:min(len(tag), longestTag-len(number))] + number
	}
	return free
}

// letters keeps what a merge tag may hold.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, text)
}

// learnFields reads which merge fields are ours, once for each instance.
func (d *destination) learnFields(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fields != nil {
		return nil
	}
	all, err := d.readFields(ctx)
	if err != nil {
		return err
	}
	fields, taken := map[string]string{}, map[string]bool{"EMAIL": true}
	for _, f := range all {
		taken[strings.ToUpper(f.Tag)] = true
		if key, is := d.keyOf(f); is && fields[key] == "" {
			fields[key] = f.Tag
		}
	}
	d.fields, d.taken = fields, taken
	return nil
}

// knownFields returns our merge tags by attribute key.
func (d *destination) knownFields() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.fields)
}

// makeFields makes the merge fields that the changes need and that are missing: Mailchimp ignores a value for a field that
// it does not know.
func (d *destination) makeFields(ctx context.Context, changes []connectors.Change) error {
	if d.set.Mode == connectors.OnlyLists {
		return nil
	}
	wanted := map[string]bool{}
	for _, c := range changes {
		if d.attributesOnly() && len(c.Audiences) > 0 {
			wanted[audiencesKey] = true
		}
		for key, value := range c.Attributes {
			if strings.TrimSpace(value) != "" {
				wanted[key] = true
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		if d.fields[key] != "" {
			continue
		}
		if err := d.makeField(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (d *destination) makeField(ctx context.Context, key string) error {
	body := map[string]any{
		"name": d.fieldName(key), "type": "text", "tag": d.tagFor(key), "public": false, "required": false,
		"help_text": d.mark(key) + " is kept up to date by Perennial",
	}
	request := httpapi.Request{Op: "new merge field", Method: http.MethodPost, Path: d.path("merge-fields")}
	made, err := ask[field](ctx, d.api, request, body)
	if err != nil {
		d.fields = nil // it may have been made all the same
		if said := refusal(err); said != nil {
			return &connectors.Error{
				Kind: connectors.KindPermanent, Op: "new merge field", Err: fmt.Errorf("for the attribute %s: %w", key, said),
				Remedy: fmt.Sprintf("an audience has room for %d merge fields: delete some that nobody uses, push fewer attributes, or set mode to lists", usualMergeFields),
			}
		}
		return err
	}
	d.fields[key], d.taken[strings.ToUpper(made.Tag)] = made.Tag, true
	return nil
}

// forgetFields makes the next push read the merge fields anew.
func (d *destination) forgetFields() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fields = nil
}
