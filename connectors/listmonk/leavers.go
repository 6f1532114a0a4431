package listmonk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Leavers asks who unsubscribed from any list since a moment, whose record says since then that they are on the blocklist or
// disabled, and keeps those whom the gate would not let in again. The moment of a record does not tell of everybody: whoever
// asks in a mail never to be mailed again is put on the blocklist without it, but leaves every list, and the rows of those
// have moments of their own.
//
// A key that may not send SQL cannot ask that. Then all of our lists are read, which takes as long as reading them back, or
// where there are no lists, everybody.
func (d *destination) Leavers(ctx context.Context, since time.Time, cursor connectors.Cursor) (connectors.MemberPage, error) {
	moment := quoteAll([]string{since.UTC().Format(time.RFC3339Nano)})[0]
	people, page, err := d.walk(ctx, cursor, "(subscribers.id IN (SELECT subscriber_id FROM subscriber_lists"+
		" WHERE subscriber_lists.status = 'unsubscribed' AND subscriber_lists.updated_at >= "+moment+")"+
		" OR (subscribers.status <> 'enabled' AND subscribers.updated_at >= "+moment+"))")
	if err != nil {
		return page, err
	}
	for _, who := range people {
		if consent := d.consentOf(who, lastLeft(who)); consent.State == commerce.ConsentUnsubscribed {
			page.Members = append(page.Members, d.member(who, consent))
		}
	}
	return page, nil
}

// lastLeft is the row of a list that a person left last, or none.
func lastLeft(p person) list {
	var last list
	for _, l := range p.Lists {
		if l.Status == unsubscribed && l.Changed.After(last.Changed) {
			last = l
		}
	}
	return last
}

// walk reads one page of the people for whom a condition holds, from the last to come to the first. Keys that may not send
// SQL get pages of all our lists, one after the other, or of everybody where there are to be none.
func (d *destination) walk(ctx context.Context, cursor connectors.Cursor, condition string) ([]person, connectors.MemberPage, error) {
	var page connectors.MemberPage
	way, at, _ := strings.Cut(string(cursor), ":")
	if way == "list" {
		return d.walkLists(ctx, at)
	}
	if below, err := strconv.Atoi(at); err == nil && way == "below" {
		condition += fmt.Sprintf(" AND subscribers.id < %d", below)
	} else if cursor != "" {
		return nil, page, notOurs()
	}
	if d.isBlind() {
		return d.walkLists(ctx, "")
	}
	p, err := d.api.people(ctx, "subscribers", url.Values{"query": {condition}, "per_page": {strconv.Itoa(membersPage)}})
	if saysAny(err, http.StatusForbidden, "subscribers:sql_query") {
		d.blind()
		return d.walkLists(ctx, "")
	}
	if err != nil {
		return nil, page, err
	}
	page.Done = len(p.Results) < membersPage
	if !page.Done {
		page.Next = connectors.Cursor(fmt.Sprintf("below:%d", p.Results[len(p.Results)-1].ID))
	}
	return p.Results, page, nil
}

// walkLists reads one page of one of our lists, at a place such as "3:2" for the second page of list 3.
func (d *destination) walkLists(ctx context.Context, place string) ([]person, connectors.MemberPage, error) {
	var page connectors.MemberPage
	ids := []int{0}
	if !d.attributesOnly() {
		ours, err := d.tagged(ctx)
		if err != nil {
			return nil, page, err
		}
		ids = nil
		for _, l := range ours {
			ids = append(ids, l.ID)
		}
	}
	id, at := 0, 1
	if place == "" && len(ids) > 0 {
		id = ids[0]
	} else if _, err := fmt.Sscanf(place, "%d:%d", &id, &at); place != "" && (err != nil || at < 1) {
		return nil, page, notOurs()
	}
	if len(ids) == 0 {
		page.Done = true
		return nil, page, nil
	}
	people, err := d.listPage(ctx, id, at)
	if err != nil {
		return nil, page, err
	}
	next := slices.IndexFunc(ids, func(other int) bool { return other > id })
	switch {
	case len(people) == membersPage:
		page.Next = connectors.Cursor(fmt.Sprintf("list:%d:%d", id, at+1))
	case next >= 0:
		page.Next = connectors.Cursor(fmt.Sprintf("list:%d:1", ids[next]))
	default:
		page.Done = true
	}
	return people, page, nil
}

func notOurs() error {
	return &connectors.Error{Kind: connectors.KindPermanent, Op: "members", Err: errors.New("the cursor is not ours")}
}
