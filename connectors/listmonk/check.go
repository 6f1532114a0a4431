package listmonk

import (
	"context"
	"slices"

	"github.com/perennial-cvo/perennial/connectors"
)

// Check asks listmonk whether it is there, whether the token is right, and what its role may do. It finds permissions by
// asking for what cannot be done, such as a list without a name, so nothing is changed.
func (d *destination) Check(ctx context.Context) (connectors.Report, error) {
	var report connectors.Report
	if err := d.api.health(ctx); err != nil {
		return report, err
	}
	if err := d.checkRole(ctx, &report); err != nil {
		return report, err
	}
	if version := d.api.version(ctx); version != "" {
		report.Shop.Platform = "listmonk " + version
		report.Findings = append(report.Findings, connectors.Finding{Subject: "version", Text: "listmonk " + version})
	}
	if d.plain {
		report.Findings = append(report.Findings, connectors.Finding{
			Level: connectors.Notice, Subject: "connection", Text: "the token travels unencrypted over http",
			Remedy: "use an https address",
		})
	}
	return report, nil
}

// probe is one permission and a request that needs it and changes nothing.
type probe struct {
	permission string
	level      connectors.Level
	missing    string // what does not work without it
	ask        func(context.Context) error
}

func (d *destination) checkRole(ctx context.Context, report *connectors.Report) error {
	var ours []list
	visible := 0
	probes := []probe{
		{"subscribers:get_all", connectors.Problem, "people cannot be looked up", d.api.tryReadPeople},
		{"subscribers:manage", connectors.Problem, "people cannot be put on lists, and their attributes not written", d.api.tryManagePeople},
		{"subscribers:sql_query", connectors.Notice, "people are looked up one by one, and who left is found by reading all lists, both of which is slow", d.api.trySQL},
	}
	if !d.attributesOnly() {
		probes = append([]probe{
			{"lists:get_all", connectors.Problem, "lists cannot be found again", func(ctx context.Context) (err error) {
				if visible, err = d.api.countLists(ctx); err == nil && visible > 0 {
					ours, err = d.tagged(ctx)
				}
				return err
			}},
			{"lists:manage_all", connectors.Problem, "lists cannot be made", d.api.tryCreateList},
		}, probes...)
	}
	if d.create && d.importFrom > 0 && !d.attributesOnly() {
		probes = append(probes, probe{"subscribers:import", connectors.Notice, "people are created one by one, which is slow", d.api.tryImport})
	}
	for _, p := range probes {
		finding := connectors.Finding{Subject: "permission " + p.permission, Text: "granted"}
		err := p.ask(ctx)
		switch {
		case isMissing(err), err == nil && p.permission == "lists:get_all" && visible == 0:
			finding.Level, finding.Text = p.level, "missing: "+p.missing
			finding.Remedy = "grant " + p.permission + " to the API user's role under Admin > User roles"
		case err != nil:
			return err
		}
		report.Findings = append(report.Findings, finding)
	}
	i := slices.IndexFunc(ours, func(l list) bool { return l.Optin != single })
	if i >= 0 {
		report.Findings = append(report.Findings, connectors.Finding{
			Level: connectors.Problem, Subject: "list " + ours[i].Name, Text: "it is double opt-in: people on it would be sent a request to confirm",
			Remedy: "set its opt-in to single",
		})
	}
	return nil
}
