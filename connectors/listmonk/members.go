package listmonk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Members reads one page of a list. The whole list at once would cost listmonk minutes and its memory.
func (d *destination) Members(ctx context.Context, audience connectors.Audience, cursor connectors.Cursor) (connectors.MemberPage, error) {
	id, err := listID(audience)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	at := 1
	if cursor != "" {
		if at, err = strconv.Atoi(string(cursor)); err != nil || at < 1 {
			return connectors.MemberPage{}, &connectors.Error{Kind: connectors.KindPermanent, Op: "members", Err: errors.New("the cursor is not ours")}
		}
	}
	query := url.Values{"list_id": {strconv.Itoa(id)}, "per_page": {strconv.Itoa(membersPage)}, "page": {strconv.Itoa(at)}}
	p, err := d.api.people(ctx, "list members", query)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	out := connectors.MemberPage{Next: connectors.Cursor(strconv.Itoa(at + 1)), Done: len(p.Results) < membersPage}
	for _, who := range p.Results {
		row, there := who.row(id)
		if !there {
			continue
		}
		out.Members = append(out.Members, connectors.Member{
			RemoteID: strconv.Itoa(who.ID), Email: commerce.Email(who.Email), Attributes: d.attributes(who),
			Consent: d.consentOf(who, row),
		})
	}
	return out, nil
}

// consentOf says what listmonk knows of a person on one list. Whom the gate would not let in again for a no of theirs, or
// of the platform, is out, though the row itself may say nothing of it.
func (d *destination) consentOf(p person, row list) commerce.Consent {
	consent := commerce.Consent{State: commerce.ConsentUnknown, At: row.Changed.UTC()}
	switch no := d.gate(p, true, commerce.ConsentUnknown); {
	case no == connectors.ReasonUnsubscribed || no == connectors.ReasonSuppressed:
		consent.State = commerce.ConsentUnsubscribed
	case isLiving(row):
		consent.State = commerce.ConsentSubscribed
	}
	return consent
}

// Erase deletes the person where nobody but us had anything to do with them, and else takes away what is ours. Rows on
// our lists that say "unsubscribed" stay with a person who stays, and so does somebody on the blocklist: both keep them
// from being mailed.
func (d *destination) Erase(ctx context.Context, who connectors.Person) (string, error) {
	if who.Email == "" {
		return "listmonk: nothing to do, the person has no e-mail address", nil
	}
	people, err := d.lookUp(ctx, []string{who.Email})
	if err != nil {
		return "", err
	}
	p, known := people[who.Email]
	switch {
	case !known:
		return "listmonk: nothing was there", nil
	case d.isOnlyOurs(p):
		path := "/api/subscribers/" + strconv.Itoa(p.ID)
		if _, err := ask[bool](ctx, d.api, httpapi.Request{Op: "subscriber removal", Method: http.MethodDelete, Path: path}); err != nil {
			return "", err
		}
		return fmt.Sprintf("listmonk: subscriber %d was deleted", p.ID), nil
	default:
		return d.withdraw(ctx, p)
	}
}

// isOnlyOurs reports whether we created the person, or they are on lists of ours, and no other list knows them.
func (d *destination) isOnlyOurs(p person) bool {
	if p.Status != enabled {
		return false
	}
	_, created := d.object(p)[createdMark]
	for _, l := range p.Lists {
		if !d.isOurs(l) {
			return false
		}
	}
	return created || len(p.Lists) > 0
}

// withdraw takes away what is ours of somebody who stays.
func (d *destination) withdraw(ctx context.Context, p person) (string, error) {
	living := d.livingOurs(p)
	if len(living) > 0 {
		if err := d.api.manage(ctx, "list membership", "remove", []int{p.ID}, living); err != nil {
			return "", err
		}
	}
	cleared := d.isMarked(p)
	if cleared {
		if err := d.api.setAttributes(ctx, p.ID, d.prefix, nil); err != nil {
			return "", err
		}
	}
	if len(living) == 0 && !cleared {
		return fmt.Sprintf("listmonk: nothing of ours stood at subscriber %d", p.ID), nil
	}
	return fmt.Sprintf("listmonk: subscriber %d was taken off %d of our lists and our attributes were cleared; the subscriber stays, because other lists or the blocklist hold them", p.ID, len(living)), nil
}
