package webhook

import (
	"context"
	"fmt"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

// drift is how far the clocks may be apart: receivers refuse what was signed more than five minutes ago.
const drift = 2 * time.Minute

// Check sends a signed ping, which tells of nobody and must start nothing.
func (d *destination) Check(ctx context.Context) (connectors.Report, error) {
	var report connectors.Report
	before := d.now()
	answer, err := d.post(ctx, "ping", message{Type: typePing, Timestamp: before, Data: data{Prefix: d.prefix, Store: d.store}})
	if err != nil {
		return report, err
	}
	report.Shop.Platform = "webhook at " + d.client.Host()
	report.Findings = append(report.Findings, connectors.Finding{
		Subject: "receiver", Text: fmt.Sprintf("%s answered %d to a signed ping", d.client.Host(), answer.Status),
	})
	if apart := answer.Date.Sub(d.now()); !answer.Date.IsZero() && apart.Abs() > drift {
		report.Findings = append(report.Findings, connectors.Finding{
			Level: connectors.Notice, Subject: "clock", Text: fmt.Sprintf("the receiver's clock differs by %s; it may refuse signatures as too old", apart.Abs().Round(time.Second)),
			Remedy: "set both clocks by NTP",
		})
	}
	if d.unknown {
		report.Findings = append(report.Findings, connectors.Finding{
			Level: connectors.Notice, Subject: "consent", Text: `people of whom nobody knows whether they agreed are sent too, as "unknown"`,
			Remedy: "let the receiver mail nobody whose consent it does not know itself",
		})
	}
	return report, nil
}
