package brevo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Check asks Brevo whether the key is right and whether our attributes can take what will be written. Everything is asked
// of contacts, because of the rest Brevo answers a hundred questions an hour only; but for whose account it is.
func (d *destination) Check(ctx context.Context) (connectors.Report, error) {
	report := connectors.Report{}
	p, err := d.api.page(ctx, "contacts", "/contacts", url.Values{"limit": {"1"}})
	if err != nil {
		return report, err
	}
	report.Shop.Platform = "Brevo"
	report.Findings = append(report.Findings,
		connectors.Finding{Subject: "API key", Text: "accepted"},
		connectors.Finding{Subject: "contacts", Text: fmt.Sprintf("%d in this account", p.Count)},
	)
	if report.Account, err = d.account(ctx); err != nil {
		return report, err
	}
	if p.Count == 0 && !d.set.CreateMissing {
		report.Findings = append(report.Findings, connectors.Finding{
			Level: connectors.Notice, Subject: "contacts", Text: "nobody is there, so nobody will be in an audience",
			Remedy: "connect the shop's newsletter form to Brevo, or set create_missing = true",
		})
	}
	if err := d.meetOurs(ctx); err != nil {
		return report, err
	}
	if strings.HasPrefix(d.set.URL, "http://") && !isLocal(d.set.URL) {
		report.Findings = append(report.Findings, connectors.Finding{
			Level: connectors.Notice, Subject: "connection", Text: "the key travels unencrypted over http", Remedy: "use an https address",
		})
	}
	lists := len(d.ourLists())
	if !d.writesLists() && lists > 0 {
		report.Findings = append(report.Findings, connectors.Finding{
			Level: connectors.Notice, Subject: "lists", Text: fmt.Sprintf("%d lists of ours from another mode are in this account", lists),
			Remedy: "delete them in Brevo once no campaign goes to them; whoever is pushed is taken off them",
		})
	}
	if !d.writesAttributes() {
		return report, nil
	}
	d.forgetSchema()
	schema, err := d.knownSchema(ctx)
	if err != nil {
		return report, err
	}
	report.Findings = append(report.Findings, d.checkSchema(schema)...)
	return report, nil
}

// account asks whose account it is. Where Brevo does not say, perhaps because the questions of this hour are used up, that
// stays unknown.
func (d *destination) account(ctx context.Context) (string, error) {
	var account struct {
		Organisation string `json:"organization_id"`
	}
	answer, err := d.api.others.Do(ctx, httpapi.Request{Op: "account", Path: "/account"})
	if err == nil {
		err = json.Unmarshal(answer.Body, &account)
	}
	if err != nil {
		return "", ctx.Err()
	}
	return d.api.others.Harmless(account.Organisation), nil
}

// checkSchema tells of attributes under our prefix that take nothing of what we write.
func (d *destination) checkSchema(schema map[string]attribute) []connectors.Finding {
	var found []connectors.Finding
	for name, a := range schema {
		key, ours := strings.CutPrefix(name, d.attributePrefix())
		if !ours || a.Category == "normal" && slices.Contains(typesFor(strings.ToLower(key)), a.Type) {
			continue
		}
		found = append(found, connectors.Finding{
			Level: connectors.Problem, Subject: "attribute " + name,
			Text:   fmt.Sprintf("it is a %s attribute of type %s, and Brevo would ignore what we write", a.Category, a.Type),
			Remedy: "delete it in Brevo under Contacts > Settings > Contact attributes; it is made anew with the right type",
		})
	}
	slices.SortFunc(found, func(a, b connectors.Finding) int { return strings.Compare(a.Subject, b.Subject) })
	return found
}

// typesFor are the types that an attribute of ours may have. Those whose key the owner chose may have any that takes
// values.
func typesFor(key string) []string {
	switch key {
	case "since", "next_order_week", "last_order":
		return []string{typeText, typeDate}
	case "predicted_value":
		return []string{typeText, typeFloat}
	case "r", "f", "m", "rfm":
		return []string{typeText, typeFloat}
	case "segment", "segment_name", "previous_segment", "lifecycle", "value_tier", "churn_risk", "favourite_category", audiencesKey:
		return []string{typeText}
	default:
		return []string{typeText, typeDate, typeFloat, typeBoolean}
	}
}

// isLocal reports whether an address is on this machine.
func isLocal(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}
