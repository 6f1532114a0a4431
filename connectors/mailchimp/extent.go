package mailchimp

import (
	"context"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
)

// audiencesKey is the attribute that names a person's audiences where no tags are written.
const audiencesKey = "audiences"

// Extent says what is written, as the setting "mode" has it.
func (d *destination) Extent() connectors.Extent { return d.set.Mode }

// attributesOnly reports whether tags are left alone, and audiences are a merge field.
func (d *destination) attributesOnly() bool { return d.set.Mode == connectors.OnlyAttributes }

// joined are the keys of audiences as they stand in a merge field, with a comma before and behind each, so that a search
// for ",loyal," does not find those who are in "not_loyal".
func joined(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return "," + strings.Join(slices.Compact(slices.Sorted(slices.Values(keys))), ",") + ","
}

// split are the keys that stand in a merge field, also where somebody wrote them by hand.
func split(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
}

// rolled is a destination whose audiences are a merge field: one walk over all contacts reads everybody back.
type rolled struct{ *destination }

// Everybody reads one page of all contacts and returns those who carry anything of ours.
func (d rolled) Everybody(ctx context.Context, cursor connectors.Cursor) (connectors.MemberPage, error) {
	return d.members(ctx, cursor, func(m connectors.Member) bool { return len(m.Audiences)+len(m.Attributes) > 0 }, nil)
}
