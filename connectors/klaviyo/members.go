package klaviyo

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Members reads one page of a list, or in mode attributes one page of those who carry the audience.
func (d *destination) Members(ctx context.Context, audience connectors.Audience, cursor connectors.Cursor) (connectors.MemberPage, error) {
	if d.attributesOnly() {
		return d.marked(ctx, cursor, audience.Key)
	}
	path, err := listPath(audience)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	c := call{op: "list members", to: readMembers, path: path + "/profiles", query: profileQuery()}
	return d.page(ctx, c, cursor, func(profile) bool { return true })
}

// marked reads one page of all profiles and returns those who are in an audience, or with no key those who carry anything
// of ours.
func (d *destination) marked(ctx context.Context, cursor connectors.Cursor, key string) (connectors.MemberPage, error) {
	query := profileQuery()
	query.Set("sort", "id")
	return d.page(ctx, call{op: "profiles", to: readProfiles, path: "/api/profiles", query: query}, cursor, func(p profile) bool {
		if key == "" {
			return len(d.properties(p)) > 0
		}
		return slices.Contains(d.audiencesOf(p), key)
	})
}

// page reads one page of profiles and keeps those that are wanted.
func (d *destination) page(ctx context.Context, c call, cursor connectors.Cursor, wanted func(profile) bool) (connectors.MemberPage, error) {
	if cursor != "" {
		c.query.Set("page[cursor]", string(cursor))
	}
	answer, err := ask[[]profile](ctx, d.api, c)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	page := connectors.MemberPage{Next: connectors.Cursor(answer.next())}
	page.Done = page.Next == ""
	for _, p := range answer.Data {
		if p.Attributes.Email != "" && wanted(p) { // some are known by their telephone only
			page.Members = append(page.Members, connectors.Member{
				RemoteID: p.ID, Email: commerce.Email(p.Attributes.Email), Attributes: d.attributes(p), Consent: d.consentOf(p),
				Audiences: d.audiencesOf(p),
			})
		}
	}
	return page, nil
}

// Erase asks Klaviyo to delete the person, which it does a little later. The profile goes as a whole: Klaviyo holds people
// for marketing only.
func (d *destination) Erase(ctx context.Context, who connectors.Person) (string, error) {
	if who.Email == "" {
		return "Klaviyo: nothing to do, the person has no e-mail address", nil
	}
	there, err := d.lookUp(ctx, "email", []string{who.Email})
	if err != nil {
		return "", err
	}
	p, known := there.people[who.Email]
	if !known {
		return "Klaviyo: nothing was there", nil
	}
	body := map[string]any{"type": "data-privacy-deletion-job", "attributes": map[string]any{"profile": map[string]any{
		"data": map[string]any{"type": "profile", "id": p.ID, "attributes": map[string]any{}},
	}}}
	err = d.api.send(ctx, call{op: "erasure", to: eraseProfile, method: http.MethodPost, path: "/api/data-privacy-deletion-jobs", body: body})
	if saysStatus(err, http.StatusNotFound) {
		return "Klaviyo: the profile is gone already", nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Klaviyo: the deletion of profile %s was asked for and accepted; Klaviyo carries it out by itself", p.ID), nil
}
