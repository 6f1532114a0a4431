package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/connectors"
)

func newCheck(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Say for each part what is right, what is missing, and how to mend it",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.check(cmd.Context())
		},
	}
}

// check looks at configuration, database, clock, every shop and every destination, and goes on after a problem.
func (g *globals) check(ctx context.Context) error {
	c := &checklist{g: g}
	cfg, err := g.load()
	if err != nil {
		return err
	}
	c.part("configuration")
	c.add(connectors.Finding{Subject: "file", Text: fmt.Sprintf("read, %d store(s)", len(cfg.Stores))})
	for _, finding := range sharedPlatforms(cfg) {
		c.add(finding)
	}
	a, err := g.open(ctx)
	if err != nil {
		c.part("database")
		c.fault(err)
		return c.verdict()
	}
	defer a.close(ctx)
	c.part("database")
	c.database(ctx, a)
	c.digest(ctx, a)
	for _, store := range a.selected() {
		s, err := a.shop(ctx, store)
		if err != nil {
			c.part("store " + store.Name)
			c.fault(err)
			continue
		}
		c.shop(ctx, s)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.verdict()
}

// checklist prints findings by part and remembers the worst.
type checklist struct {
	g        *globals
	problems int
	accounts []place // destinations that were asked, as far as their platforms say whose account it is
	worst    int     // exit code of the first problem
}

func (c *checklist) part(name string) { c.g.printf("%s\n", name) }

func (c *checklist) add(f connectors.Finding) {
	mark := "ok     "
	switch f.Level {
	case connectors.Notice:
		mark = "notice "
	case connectors.Problem:
		mark = "PROBLEM"
		c.problems++
		if c.worst == 0 {
			c.worst = exitFindings
		}
	}
	c.g.printf("  %s  %s: %s\n", mark, f.Subject, f.Text)
	if f.Remedy != "" {
		c.g.printf("           what to do: %s\n", f.Remedy)
	}
}

// fault adds an error as a problem; its exit code wins over that of plain findings.
func (c *checklist) fault(err error) {
	code, remedy := classify(err)
	if c.worst == 0 || c.worst == exitFindings {
		c.worst = code
	}
	c.problems++
	c.g.printf("  PROBLEM  %v\n", err)
	if remedy != "" {
		c.g.printf("           what to do: %s\n", remedy)
	}
}

func (c *checklist) verdict() error {
	if c.problems == 0 {
		c.g.printf("everything is in order\n")
		return nil
	}
	return fail(c.worst, fmt.Sprintf("check: %d problem(s), see above", c.problems), "", nil)
}

// database says which server it is and whether its clock agrees with ours.
func (c *checklist) database(ctx context.Context, a *app) {
	facts, err := a.db.Server(ctx)
	if err != nil {
		c.fault(databaseFailure("server", err))
		return
	}
	kind := "private"
	if a.cluster == nil {
		kind = "as configured by database.url"
	}
	c.add(connectors.Finding{Subject: "server", Text: fmt.Sprintf("PostgreSQL %s, %s", facts.Version, kind)})
	c.add(connectors.Finding{Subject: "schema", Text: fmt.Sprintf("version %d", facts.Schema)})
	skew := time.Until(facts.Now).Abs().Round(time.Second)
	finding := connectors.Finding{Subject: "clock", Text: "agrees with the database's"}
	if skew > 30*time.Second {
		finding = connectors.Finding{
			Level: connectors.Problem, Subject: "clock", Text: fmt.Sprintf("differs from the database's by %s", skew),
			Remedy: "switch on time synchronisation (NTP) on both machines",
		}
	}
	c.add(finding)
}

// shop asks the shop and its destinations.
func (c *checklist) shop(ctx context.Context, s *shop) {
	c.part(fmt.Sprintf("store %s (%s)", s.cfg.Name, s.factory.Title))
	report, err := s.identify(ctx)
	c.answer(report, err)
	if s.reviews.source != nil {
		c.part(fmt.Sprintf("reviews of store %s (%s)", s.cfg.Name, s.reviews.title))
		report, err := s.reviews.source.Check(ctx)
		c.answer(report, err)
	}
	receivers, err := s.receivers(ctx, pushFlags{})
	if err != nil {
		c.fault(err)
		return
	}
	deliveries, err := s.store().Deliveries(ctx)
	if err != nil {
		c.fault(databaseFailure("deliveries", err))
	}
	for _, r := range receivers {
		if r.target.Destination == ownTags {
			c.part(fmt.Sprintf("tags of store %s", s.cfg.Name))
		} else {
			c.part(fmt.Sprintf("destination %s of store %s", r.target.Destination, s.cfg.Name))
		}
		report, err := r.destination.Check(ctx)
		c.answer(report, err)
		c.meet(s.cfg, r.target.Destination, report.Account)
		for _, d := range deliveries {
			if text := absent(d, s.cfg.Destinations); text != "" && d.Destination == r.target.Destination {
				c.add(connectors.Finding{Level: connectors.Notice, Subject: "people", Text: text, Remedy: absentRemedy})
			}
		}
	}
}

func (c *checklist) answer(report connectors.Report, err error) {
	for _, finding := range report.Findings {
		c.add(finding)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		c.fault(err)
	}
}
