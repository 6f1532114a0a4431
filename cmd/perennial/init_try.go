package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/all"
)

// tryOut loads a drafted configuration as every later command will, and asks the shop and the e-mail platform whether they
// accept the keys. It refuses a configuration that would not work.
func (g *globals) tryOut(ctx context.Context, drafted config.Config) error {
	dir, err := os.MkdirTemp("", "perennial-init-")
	if err != nil {
		return fail(exitFailure, "temporary directory", "", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // holds the keys until here
	path := filepath.Join(dir, "perennial.toml")
	if err := config.Write(path, drafted, nil, false); err != nil {
		return fail(exitFailure, "temporary file", "", err)
	}
	cfg, err := config.Load(path, g.getenv)
	if err != nil {
		place := regexp.MustCompile(regexp.QuoteMeta(path) + `(:\d+)?: `) // nobody has seen that file
		return fail(exitUsage, "nothing was written: "+place.ReplaceAllString(err.Error(), ""), "", nil)
	}
	c := &checklist{g: g}
	for _, store := range cfg.Stores {
		c.tryStore(ctx, cfg, store)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := c.verdict(); err != nil {
		return fmt.Errorf("nothing was written: %w", err)
	}
	return nil
}

// tryStore asks one shop and its e-mail platforms.
func (c *checklist) tryStore(ctx context.Context, cfg config.Config, store config.Store) {
	deps := connectors.Deps{Log: c.g.logger("warn", "text"), Now: c.g.now, Store: store.Name, Prefix: cfg.Prefix}
	factory, _ := all.Find(store.Kind)
	c.part(fmt.Sprintf("store %s (%s)", store.Name, factory.Title))
	source, err := factory.NewSource(connectors.Settings(store.Settings), deps)
	if err != nil {
		c.fault(err)
		return
	}
	report, err := source.Check(ctx)
	c.answer(report, err)
	for _, d := range store.Destinations {
		mailer, _ := all.Find(d.Kind)
		c.part(fmt.Sprintf("destination %s (%s)", d.Name, mailer.Title))
		destination, err := mailer.NewDestination(connectors.Settings(d.Settings), deps)
		if err != nil {
			c.fault(err)
			continue
		}
		report, err := destination.Check(ctx)
		c.answer(report, err)
	}
}
