package mailchimp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Check asks Mailchimp whether the key is right, whether the audience is there, whether the key may write, and whether
// there is room for merge fields. The permission is found by asking for a tag without a name, so nothing is changed.
func (d *destination) Check(ctx context.Context) (connectors.Report, error) {
	var report connectors.Report
	a, err := d.audience(ctx)
	switch {
	case isStatus(err, http.StatusNotFound):
		return report, d.noAudience(ctx)
	case err != nil:
		return report, err
	}
	report.Shop.Platform = "Mailchimp"
	report.Findings = append(report.Findings, connectors.Finding{
		Subject: "audience", Text: fmt.Sprintf("%s, %d subscribed", d.client.Harmless(a.Name), a.Stats.Members),
	})
	if err := d.checkRole(ctx, &report); err != nil {
		return report, err
	}
	if d.set.Mode == connectors.OnlyLists {
		return report, nil
	}
	return report, d.checkFields(ctx, &report)
}

// noAudience says that the audience is not there, and which ones are.
func (d *destination) noAudience(ctx context.Context) error {
	there, err := d.audiences(ctx)
	if err != nil {
		return err
	}
	remedy := "take the Audience ID from Audience > Settings > Audience name and defaults"
	if len(there) > 0 {
		remedy = "set audience to one of those that the key can see: " + strings.Join(there, ", ")
	}
	return &connectors.Error{
		Kind: connectors.KindPermanent, Op: "audience", Err: fmt.Errorf("there is no audience %s", d.list), Remedy: remedy,
	}
}

func (d *destination) checkRole(ctx context.Context, report *connectors.Report) error {
	finding := connectors.Finding{Subject: "permission to write", Text: "granted"}
	made, err := ask[segment](ctx, d.api, httpapi.Request{Op: "tag permission", Method: http.MethodPost, Path: d.path("segments")},
		map[string]any{"name": "", "static_segment": []string{}})
	var e *connectors.Error
	switch {
	case errors.As(err, &e) && e.Kind == connectors.KindCredentials && e.Permission != "":
		finding.Level, finding.Text, finding.Remedy = connectors.Problem, "missing: tags cannot be made, people cannot be tagged", e.Remedy
	case err != nil && !isStatus(err, http.StatusBadRequest):
		return err
	case err == nil && made.ID != 0: // taken all the same
		if err := d.deleteSegment(ctx, strconv.Itoa(made.ID)); err != nil {
			return err
		}
	}
	report.Findings = append(report.Findings, finding)
	return nil
}

// checkFields counts merge fields. How many the plan allows Mailchimp does not tell.
func (d *destination) checkFields(ctx context.Context, report *connectors.Report) error {
	all, err := d.readFields(ctx)
	if err != nil {
		return err
	}
	ours := 0
	for _, f := range all {
		if _, is := d.keyOf(f); is {
			ours++
		}
	}
	finding := connectors.Finding{
		Subject: "merge fields", Text: fmt.Sprintf("%d of %d in use, %d of them ours", len(all), usualMergeFields, ours),
	}
	if room := usualMergeFields - len(all); ours < neededMergeFields && room < neededMergeFields-ours {
		finding.Level = connectors.Notice
		finding.Text += fmt.Sprintf("; every attribute takes one, and with all attributes that is %d", neededMergeFields)
		finding.Remedy = "delete merge fields that nobody uses, push fewer attributes, or set mode to lists; a Premium plan has room for 80"
		if room <= 0 && ours == 0 {
			finding.Level = connectors.Problem
		}
	}
	report.Findings = append(report.Findings, finding)
	return nil
}
