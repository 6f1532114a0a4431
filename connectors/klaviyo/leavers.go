package klaviyo

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// marketingPath is how the names of what Klaviyo filters people's consent by begin.
const marketingPath = "subscriptions.email.marketing."

// founded is before anybody can have left: from then on is for ever, in a year that Klaviyo reads.
var founded = time.Date(2012, time.January, 1, 0, 0, 0, 0, time.UTC)

// Leavers asks who was suppressed since a moment, which whoever unsubscribes is too, and then for every list of ours, those
// of former audiences too, who left it. Klaviyo answers the second for one list at a time and the two never together, so
// a quiet night costs one request and one for each list. A cursor is a list's id and Klaviyo's own cursor; without an id
// it stands among the suppressed.
func (d *destination) Leavers(ctx context.Context, since time.Time, cursor connectors.Cursor) (connectors.MemberPage, error) {
	ours, err := d.ourLists(ctx)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	list, at, _ := strings.Cut(string(cursor), "|")
	answer, err := d.leftPage(ctx, since, list, at)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	var page connectors.MemberPage
	for _, p := range answer.Data {
		if p.Attributes.Email != "" { // some are known by their telephone only
			page.Members = append(page.Members, connectors.Member{
				RemoteID: p.ID, Email: commerce.Email(p.Attributes.Email),
				Consent: commerce.Consent{State: commerce.ConsentUnsubscribed, At: p.leftAt(list)},
			})
		}
	}
	next := slices.IndexFunc(ours, func(id string) bool { return id > list })
	switch {
	case answer.next() != "" && answer.next() != at:
		page.Next = connectors.Cursor(list + "|" + answer.next())
	case next >= 0:
		page.Next = connectors.Cursor(ours[next] + "|")
	default:
		page.Done = true
	}
	return page, nil
}

// leftPage reads one page of those who left a list since a moment, or with no list of those who were suppressed. Nobody
// leaves a list that is gone.
func (d *destination) leftPage(ctx context.Context, since time.Time, list, cursor string) (document[[]profile], error) {
	query := profileQuery()
	query.Set("filter", leftFilter(since, list))
	if cursor != "" {
		query.Set("page[cursor]", cursor)
	}
	answer, err := ask[[]profile](ctx, d.api, call{op: "people who left", to: readProfiles, path: "/api/profiles", query: query})
	if list != "" && (saysStatus(err, http.StatusNotFound) || saysStatus(err, http.StatusBadRequest)) {
		gone, asked := d.isGone(ctx, list)
		if asked != nil {
			return answer, asked
		}
		if gone {
			return document[[]profile]{}, nil
		}
	}
	return answer, err
}

// leftFilter is the question in Klaviyo's language of filters.
func leftFilter(since time.Time, list string) string {
	if since.Before(founded) {
		since = founded
	}
	moment := since.UTC().Truncate(time.Second).Format(time.RFC3339)
	if list == "" {
		return "greater-or-equal(" + marketingPath + "suppression.timestamp," + moment + ")"
	}
	quoted, _ := json.Marshal(list) //nolint:errcheck,errchkjson // a text is always JSON
	return "greater-or-equal(" + marketingPath + "list_suppressions.timestamp," + moment + ")," +
		"equals(" + marketingPath + "list_suppressions.list_id," + string(quoted) + ")"
}

// leftAt is when a person left a list last, or with no list when they were suppressed last.
func (p profile) leftAt(list string) (at time.Time) {
	m := p.Attributes.Subscriptions.Email.Marketing
	if m == nil {
		return at
	}
	later := func(t time.Time) {
		if t.After(at) {
			at = t.UTC()
		}
	}
	for _, s := range m.Suppressions {
		if list == "" {
			later(s.At)
		}
	}
	for _, s := range m.ListSuppressions {
		if s.ListID == list {
			later(s.At)
		}
	}
	return at
}

// ourLists returns the ids of all lists of ours, in their order, which it reads where Ensure has not been called yet.
func (d *destination) ourLists(ctx context.Context) ([]string, error) {
	d.mu.Lock()
	surveyed := d.surveyed
	d.mu.Unlock()
	if !surveyed {
		known, err := d.allLists(ctx)
		if err != nil {
			return nil, err
		}
		d.remember(known)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ours := maps.Clone(d.ours)
	maps.DeleteFunc(ours, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(ours)), nil
}
