package mailchimp

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// leaverQueries ask for everybody who left. That somebody unsubscribed is asked for in both ways that there are: who was
// imported as unsubscribed has changed, and whether they count as having unsubscribed then nobody says.
var leaverQueries = []struct{ status, since string }{
	{unsubscribed, "unsubscribed_since"}, {unsubscribed, "since_last_changed"}, {cleaned, "since_last_changed"},
}

// leaverOverlap is how many contacts two pages share: those who come back meanwhile move the rest towards the front.
const leaverOverlap = 100

// leaverFields are what is asked for of those who left.
var leaverFields = []string{"members.id", "members.email_address", "members.status", "members.last_changed"}

// Leavers pages through those who unsubscribed or were cleaned since a moment. Some come twice.
func (d *destination) Leavers(ctx context.Context, since time.Time, cursor connectors.Cursor) (connectors.MemberPage, error) {
	which, offset, err := openLeaverCursor(cursor)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	asked := leaverQueries[which]
	query := page(offset, largestPage, leaverFields...)
	query.Set("status", asked.status)
	query.Set("sort_field", "last_changed") // who changes moves to the end, where they are met again
	query.Set("sort_dir", "ASC")
	if !since.IsZero() {
		query.Set(asked.since, since.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05+00:00"))
	}
	read, err := d.leavers(ctx, query)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	var out connectors.MemberPage
	for _, p := range read.Members {
		if m := d.member(p, nil); m.Email != "" && m.Consent.State == commerce.ConsentUnsubscribed {
			out.Members = append(out.Members, m)
		}
	}
	switch {
	case len(read.Members) == largestPage:
		out.Next = leaverCursor(which, offset+largestPage-leaverOverlap)
	case which+1 < len(leaverQueries):
		out.Next = leaverCursor(which+1, 0)
	default:
		out.Done = true
	}
	return out, nil
}

func (a *api) leavers(ctx context.Context, query url.Values) (roll, error) {
	return ask[roll](ctx, a, httpapi.Request{Op: "who left", Path: a.path("members"), Query: query}, nil)
}

// leaverCursor says which question stands where.
func leaverCursor(which, offset int) connectors.Cursor {
	return connectors.Cursor(strconv.Itoa(which) + ":" + strconv.Itoa(offset))
}

func openLeaverCursor(cursor connectors.Cursor) (which, offset int, err error) {
	if cursor == "" {
		return 0, 0, nil
	}
	first, second, _ := strings.Cut(string(cursor), ":")
	which, wrong := strconv.Atoi(first)
	offset, worse := strconv.Atoi(second)
	if wrong != nil || worse != nil || which < 0 || which >= len(leaverQueries) || offset < 0 {
		return 0, 0, &connectors.Error{Kind: connectors.KindPermanent, Op: "who left", Err: errors.New("the cursor is not ours")}
	}
	return which, offset, nil
}
