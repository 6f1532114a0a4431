package klaviyo

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
)

// account is the Klaviyo account of a key.
type account struct {
	ID         string `json:"id"`
	Attributes struct {
		Contact struct {
			Organisation string `json:"organization_name"`
		} `json:"contact_information"`
		Test bool `json:"test_account"`
	} `json:"attributes"`
}

// nowhere is an id that nothing at Klaviyo has.
const nowhere = "perennial-check"

// probe is one scope and a request that needs it and changes nothing.
type probe struct {
	scope   string
	level   connectors.Level
	missing string // what does not work without it
	ask     call
	refused int // the status that shows that the scope is there; 0 where that is success
}

func (d *destination) probes() []probe {
	one := url.Values{"page[size]": {"1"}}
	both := map[string]any{"type": "data-privacy-deletion-job", "attributes": map[string]any{"profile": map[string]any{
		"data": map[string]any{"type": "profile", "id": nowhere, "attributes": map[string]any{"email": nowhere + "@example.invalid"}},
	}}}
	nobody := map[string]any{"type": "profile", "id": nowhere, "attributes": map[string]any{}}
	all := []probe{
		{
			"lists:read", connectors.Problem, "lists cannot be found again",
			call{op: "lists", to: readLists, path: "/api/lists", query: one},
			0,
		},
		{
			"lists:write", connectors.Problem, "lists cannot be made, and nobody can be put on them",
			call{op: "list permission", to: deleteList, method: http.MethodDelete, path: "/api/lists/" + nowhere},
			http.StatusNotFound,
		},
		{
			"profiles:read", connectors.Problem, "people and their consent cannot be looked up",
			call{op: "profiles", to: readProfiles, path: "/api/profiles", query: one},
			0,
		},
		{
			"profiles:write", connectors.Problem, "properties cannot be written",
			call{op: "profile permission", to: updateProfile, method: http.MethodPatch, path: "/api/profiles/" + nowhere, body: nobody},
			http.StatusNotFound,
		},
		// Two identifiers at once are refused, whoever they are.
		{
			"data-privacy:write", connectors.Notice, "forget cannot erase people",
			call{op: "erasure permission", to: eraseProfile, method: http.MethodPost, path: "/api/data-privacy-deletion-jobs", body: both},
			http.StatusBadRequest,
		},
	}
	if d.events {
		none := map[string]any{"type": "event-bulk-create-job", "attributes": map[string]any{"events-bulk-create": map[string]any{"data": []any{}}}}
		all = append(all, probe{
			"events:write", connectors.Problem, "no events can be sent, and nobody is delivered for whom there are some",
			call{op: "event permission", to: createEvents, method: http.MethodPost, path: "/api/event-bulk-create-jobs", body: none},
			http.StatusBadRequest,
		})
	}
	return all
}

// Check asks Klaviyo which account the key belongs to and what it may do. It finds scopes by asking for what cannot be
// done, such as deleting a list that is not there, so nothing is changed.
func (d *destination) Check(ctx context.Context) (connectors.Report, error) {
	var report connectors.Report
	answer, err := ask[[]account](ctx, d.api, call{op: "account", to: readAccount, path: "/api/accounts"})
	switch {
	case isDenied(err):
		report.Findings = append(report.Findings, missing("accounts:read", connectors.Notice, "the account's name is not known"))
	case err != nil:
		return report, err
	case len(answer.Data) > 0:
		report.Account = d.api.client.Harmless(answer.Data[0].ID)
		report.Findings = append(report.Findings, describe(answer.Data[0], d.api.client.Harmless))
	}
	for _, p := range d.probes() {
		err := d.api.send(ctx, p.ask)
		switch {
		case isDenied(err):
			report.Findings = append(report.Findings, missing(p.scope, p.level, p.missing))
		case err != nil && !saysStatus(err, p.refused):
			return report, err
		default:
			report.Findings = append(report.Findings, connectors.Finding{Subject: "scope " + p.scope, Text: "granted"})
		}
	}
	return report, nil
}

func describe(a account, harmless func(string) string) connectors.Finding {
	f := connectors.Finding{Subject: "account", Text: strings.TrimSpace("Klaviyo " + harmless(a.Attributes.Contact.Organisation))}
	if a.Attributes.Test {
		f.Level, f.Text = connectors.Notice, f.Text+", a test account"
	}
	return f
}

func missing(scope string, level connectors.Level, without string) connectors.Finding {
	return connectors.Finding{
		Level: level, Subject: "scope " + scope, Text: "missing: " + without,
		Remedy: "make a key that has " + scope + " under Settings > API keys",
	}
}

// isDenied reports whether the key lacks a scope, as opposed to being wrong.
func isDenied(err error) bool {
	var e *connectors.Error
	return errors.As(err, &e) && e.Kind == connectors.KindCredentials && saysStatus(err, http.StatusForbidden)
}
