package mailchimp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Members reads one page of a tag, those who unsubscribed and were cleaned included. Where only attributes are written, it
// reads one page of all contacts and returns those whose merge field names the audience.
func (d *destination) Members(ctx context.Context, audience connectors.Audience, cursor connectors.Cursor) (connectors.MemberPage, error) {
	if d.attributesOnly() {
		return d.members(ctx, cursor, func(m connectors.Member) bool { return slices.Contains(m.Audiences, audience.Key) }, nil)
	}
	id, err := segmentID(audience)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	everybody := url.Values{"include_unsubscribed": {"true"}, "include_cleaned": {"true"}, "include_transactional": {"true"}}
	return d.members(ctx, cursor, func(connectors.Member) bool { return true }, everybody, "segments", id)
}

// members reads one page of contacts and keeps those that are wanted.
func (d *destination) members(
	ctx context.Context, cursor connectors.Cursor, wanted func(connectors.Member) bool, query url.Values, below ...string,
) (connectors.MemberPage, error) {
	offset := 0
	if cursor != "" {
		var err error
		if offset, err = strconv.Atoi(string(cursor)); err != nil || offset < 1 {
			return connectors.MemberPage{}, &connectors.Error{Kind: connectors.KindPermanent, Op: "members", Err: errors.New("the cursor is not ours")}
		}
	}
	if d.set.Mode != connectors.OnlyLists {
		if err := d.learnFields(ctx); err != nil {
			return connectors.MemberPage{}, err
		}
	}
	read, err := d.roll(ctx, offset, query, below...)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	out := connectors.MemberPage{Done: len(read.Members) < largestPage}
	if !out.Done {
		out.Next = connectors.Cursor(strconv.Itoa(offset + len(read.Members)))
	}
	fields := d.knownFields()
	for _, p := range read.Members {
		if p.Status == archived || p.Email == "" { // not there any more, or known by a telephone only
			continue
		}
		if m := d.member(p, fields); wanted(m) {
			out.Members = append(out.Members, m)
		}
	}
	return out, nil
}

// member is a contact as activation sees it.
func (d *destination) member(p person, fields map[string]string) connectors.Member {
	m := connectors.Member{RemoteID: p.ID, Email: commerce.Email(p.Email), Attributes: map[string]string{}, Consent: p.consent()}
	for key, tag := range fields {
		switch value := p.value(tag); {
		case value == "":
		case d.attributesOnly() && key == audiencesKey:
			m.Audiences = split(value)
		default:
			m.Attributes[key] = value
		}
	}
	return m
}

// consent says what Mailchimp knows of a contact's consent.
func (p person) consent() commerce.Consent {
	var c commerce.Consent
	switch p.Status {
	case subscribed:
		c.State = commerce.ConsentSubscribed
	case unsubscribed, cleaned:
		c.State = commerce.ConsentUnsubscribed
	}
	if at, err := time.Parse(time.RFC3339, p.Changed); err == nil {
		c.At = at.UTC()
	}
	return c
}

// Erase deletes the contact for good. Archiving, which Mailchimp calls deleting, would keep everything.
func (d *destination) Erase(ctx context.Context, who connectors.Person) (string, error) {
	if who.Email == "" {
		return "mailchimp: nothing to do, the person has no e-mail address", nil
	}
	path := d.path("members", hash(who.Email), "actions", "delete-permanent")
	request := httpapi.Request{Op: "contact erasure", Method: http.MethodPost, Path: path, Idempotent: true, MayBeEmpty: true}
	_, err := ask[any](ctx, d.api, request, nil)
	switch {
	case isStatus(err, http.StatusNotFound):
		if _, err := d.audience(ctx); err != nil { // then it is not the person who is missing
			return "", err
		}
		return "mailchimp: nothing was there", nil
	case err != nil:
		return "", err
	}
	return "mailchimp: the contact was deleted permanently, with all tags, merge fields and history; this cannot be undone, and Mailchimp takes the address again only if the person signs up through a form themselves", nil
}
