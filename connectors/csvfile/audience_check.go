package csvfile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/perennial-cvo/perennial/connectors"
)

// Check says whether the folder can be written to, what of ours is in it, and which names of audiences the platform may
// refuse. It leaves nothing behind.
func (d *audienceFiles) Check(ctx context.Context) (connectors.Report, error) {
	var report connectors.Report
	report.Shop.Platform = "CSV files (" + d.layout.format + ")"
	say := func(level connectors.Level, subject, text, remedy string) {
		report.Findings = append(report.Findings, connectors.Finding{Level: level, Subject: subject, Text: text, Remedy: remedy})
	}
	if err := ctx.Err(); err != nil {
		return report, err
	}
	info, err := os.Stat(d.folder)
	if err == nil && !info.IsDir() {
		err = errors.New(d.folder + " is no folder")
	}
	if err == nil {
		err = d.tryWriting()
	}
	if err != nil {
		return report, &connectors.Error{
			Kind: connectors.KindPermanent, Op: "folder", Err: err, Remedy: "make the folder " + d.folder + ", writable for Perennial",
		}
	}
	h, err := d.readHead()
	switch {
	case isMissing(err):
		say(connectors.Fine, "folder", d.folder+" can be written to; nothing of ours is in it yet", "")
	case err != nil:
		say(connectors.Notice, "folder", err.Error(), "nothing to do: the next push begins anew and writes everybody")
	case d.store != "" && h.store != "" && h.store != d.store:
		say(connectors.Problem, "folder", (&foreignError{store: h.store}).Error(), "give each store a folder of its own")
	default:
		say(connectors.Fine, "folder", fmt.Sprintf("%s holds %d audiences", d.folder, len(h.names)), "")
	}
	for _, key := range slices.Sorted(maps.Keys(h.names)) {
		if word := d.layout.suspect(key, h.names[key]); word != "" {
			say(connectors.Notice, "audience "+key, fmt.Sprintf("the word %q hints at health or money: Meta flags such audiences, and they cannot be used", word),
				"give the audience another name before you upload it")
		}
	}
	if d.unknown {
		say(connectors.Notice, "consent", "people of whom nobody knows whether they agreed are written too",
			"mail nobody, and show nobody advertisements, who did not agree")
	}
	return report, nil
}

// tryWriting makes a file and takes it away.
func (d *audienceFiles) tryWriting() error {
	file, err := os.CreateTemp(d.folder, d.tempPattern())
	if err != nil {
		return fmt.Errorf("trial: %w", err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}
