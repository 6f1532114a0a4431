package csvfile

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// samples is how many problem rows Check names.
const samples = 5

// Check reads all files once and says what is in them: rows by file, what would be set aside and where, and which
// currency and time zone are taken for granted.
func (s *source) Check(ctx context.Context) (connectors.Report, error) {
	settings := s.plan.settings
	zone := cmp.Or(settings.TimeZone, "UTC")
	report := connectors.Report{Shop: commerce.Shop{
		Identity: s.plan.identity, Name: settings.Shop, Currency: settings.Currency, TimeZone: zone,
		Platform: "CSV files (" + settings.Format + ")",
	}}
	info, err := os.Stat(settings.Folder)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", settings.Folder)
	}
	if err != nil {
		return report, &connectors.Error{
			Kind: connectors.KindPermanent, Op: "folder", Err: err,
			Remedy: `set "folder" to the folder that holds the files, and see that it can be read`,
		}
	}
	c := checking{source: s, report: &report, used: map[string]bool{}}
	c.say(connectors.Fine, "currency and time zone", fmt.Sprintf("amounts without a currency are in %s, dates without a zone in %s",
		settings.Currency, zone), "")
	for _, offer := range s.Resources() {
		if err := c.resource(ctx, offer.Resource); err != nil {
			return report, err
		}
	}
	return report, c.unused()
}

// checking gathers findings.
type checking struct {
	source *source
	report *connectors.Report
	used   map[string]bool // files that belong to a resource
}

func (c *checking) say(level connectors.Level, subject, text, remedy string) {
	c.report.Findings = append(c.report.Findings, connectors.Finding{Level: level, Subject: subject, Text: text, Remedy: remedy})
}

func (c *checking) resource(ctx context.Context, resource commerce.Resource) error {
	names, print, err := c.source.look(resource)
	if err == nil && len(names) == 0 {
		c.say(connectors.Notice, string(resource), "no file of this kind is in the folder", "")
		return nil
	}
	var sp *spool
	if err == nil {
		sp, err = c.source.open(ctx, resource, names, print)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		c.say(connectors.Problem, string(resource), err.Error(), connectors.Remedy(pullError(ctx, string(resource), err)))
		return nil
	}
	defer c.source.drop()
	for i, name := range sp.names {
		c.used[name] = true
		text := fmt.Sprintf("%d rows", sp.counts[i].rows)
		if left := sp.counts[i].left; left > 0 {
			text += fmt.Sprintf(", %d of them left out by the conditions", left)
		}
		c.say(connectors.Fine, string(resource)+" in "+name, text, "")
	}
	for _, odd := range sp.oddities() {
		c.say(connectors.Notice, string(resource), odd, "")
	}
	return c.records(ctx, sp)
}

// records builds everything once, as a pull would, and tells what would be set aside.
func (c *checking) records(ctx context.Context, sp *spool) error {
	var page connectors.Page
	found, orders, nameless, rejected := 0, 0, 0, 0
	var reasons []string
	for i := 0; i < len(sp.entries); {
		if err := ctx.Err(); err != nil {
			return err
		}
		page = connectors.Page{}
		b := &builder{plan: c.source.plan, table: sp.table, spool: sp, now: c.source.now(), page: &page}
		recs, next, err := sp.read(i)
		if err != nil {
			return err
		}
		b.add(recs)
		i = next
		found += page.Records.Len() + len(page.Records.Refunds)
		orders += len(page.Records.Orders)
		rejected += len(page.Rejected)
		for _, r := range page.Rejected[:min(len(page.Rejected), samples-len(reasons))] {
			reasons = append(reasons, r.Reason)
		}
		if slices.ContainsFunc(page.Records.Orders, func(o commerce.Order) bool { return o.CustomerID == "" && o.Email == "" }) {
			nameless++
		}
	}
	resource := string(sp.resource)
	if rejected > 0 {
		level := connectors.Notice
		if rejected*100 > found+rejected { // the share at which a run fails
			level = connectors.Problem
		}
		c.say(level, resource, fmt.Sprintf("%d of %d records cannot be read: %s", rejected, found+rejected,
			strings.Join(reasons, "; ")), "correct these rows, or the columns in perennial.toml; the other records are read all the same")
	}
	if nameless > 0 {
		c.say(connectors.Notice, resource, fmt.Sprintf("%d of %d orders name neither a customer id nor an e-mail address; "+
			"they count as revenue and for no customer", nameless, orders),
			"export the orders with an e-mail column, or map the column that says who bought")
	}
	return nil
}

// unused names the files that no table of a format knows.
func (c *checking) unused() error {
	if c.source.plan.settings.Format == formatColumns {
		return nil
	}
	names, err := c.source.plan.candidates()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !c.used[name] {
			c.say(connectors.Notice, name, "the columns are of no export that is known; the file is not read",
				`give its columns in a mapping`)
		}
	}
	return nil
}
