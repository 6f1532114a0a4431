package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/sync/postgres"
	"github.com/perennial-cvo/perennial/sync/postgres/embedded"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

// leaseTTL is how long a shop stays locked after its process died; the hidden flag --lease sets another time for tests.
const leaseTTL = 60 * time.Second

const busyRemedy = "wait until the daemon's run has ended (perennial status shows it), then try again; after a process that was killed, a minute"

// app is configuration and database of one command, opened together and closed together.
type app struct {
	*globals
	cfg     config.Config
	log     *slog.Logger
	db      *postgres.DB
	cluster *embedded.Cluster // nil with database.url
	metrics *metrics
}

// load reads the configuration.
func (g *globals) load() (config.Config, error) {
	path := g.config
	if path == "" {
		found, err := config.Find(g.getenv)
		if err != nil {
			return config.Config{}, fail(exitUsage, err.Error(), "", nil)
		}
		path = found
	}
	cfg, err := config.Load(path, g.getenv)
	if errors.Is(err, fs.ErrNotExist) {
		return config.Config{}, fail(exitUsage, "configuration: "+path+" is not there", "perennial init writes one; --config names another place", nil)
	}
	if err != nil {
		return config.Config{}, fail(exitUsage, "the configuration cannot be used", "", err)
	}
	for _, store := range cfg.Stores {
		if _, err := analysisOptions(store); err != nil {
			return config.Config{}, err
		}
		if err := checkDestinations(store); err != nil {
			return config.Config{}, err
		}
	}
	for _, name := range g.stores {
		if !slices.ContainsFunc(cfg.Stores, func(s config.Store) bool { return s.Name == name }) {
			return config.Config{}, fail(exitUsage, fmt.Sprintf("flag --store: no store is called %q", name), "perennial config show lists the stores", nil)
		}
	}
	return cfg, nil
}

// open loads the configuration, joins or reaches the database and brings its schema up to date.
func (g *globals) open(ctx context.Context) (*app, error) {
	cfg, err := g.load()
	if err != nil {
		return nil, err
	}
	a := &app{globals: g, cfg: cfg, log: g.logger(cfg.Log.Level, cfg.Log.Format), metrics: newMetrics()}
	if err := a.connect(ctx); err != nil {
		a.close(ctx)
		return nil, err
	}
	if err := a.db.Migrate(ctx); err != nil {
		a.close(ctx)
		return nil, databaseFailure("schema", err)
	}
	return a, nil
}

// connect opens the database: the configured one, or the private one, which it joins.
func (a *app) connect(ctx context.Context) error {
	url := a.cfg.Database.URL
	if url.IsZero() {
		dir := a.cfg.Database.DataDir
		if dir == "" {
			var err error
			if dir, err = embedded.DefaultDataDir(a.getenv, os.Geteuid() == 0); err != nil {
				return databaseFailure("data directory", err)
			}
		}
		cluster, err := embedded.Join(ctx, embedded.Options{DataDir: dir, Log: a.log})
		if err != nil {
			return databaseFailure("private database", err)
		}
		a.cluster = cluster
		url = secret.New(cluster.URL())
	}
	db, err := postgres.Open(ctx, postgres.Options{URL: url})
	if err != nil {
		return databaseFailure("database", err)
	}
	a.db = db
	return nil
}

// close leaves the database; the private one stops with its last user.
func (a *app) close(ctx context.Context) {
	if a.db != nil {
		_ = a.db.Close() // every transaction has ended
	}
	if a.cluster == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := a.cluster.Leave(ctx); err != nil {
		a.log.Warn("private database not stopped; the next start adopts it", "err", err)
	}
}

func databaseFailure(what string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fail(exitDatabase, what, "", err)
}

// holder takes leases in this process' name.
func (a *app) holder() schedule.Holder {
	host, _ := os.Hostname() // the random part makes it unique
	return schedule.Holder{
		Ledger: a.db,
		Name:   fmt.Sprintf("%s:%d:%s", host, os.Getpid(), rand.Text()[:8]),
		TTL:    a.lease,
	}
}

// selected are the configured stores that the flags ask for.
func (a *app) selected() []config.Store {
	if len(a.stores) == 0 {
		return a.cfg.Stores
	}
	return slices.DeleteFunc(slices.Clone(a.cfg.Stores), func(s config.Store) bool { return !slices.Contains(a.stores, s.Name) })
}

// shops are the selected stores, registered in the database and with their connectors made.
func (a *app) shops(ctx context.Context) ([]*shop, error) {
	var shops []*shop
	for _, store := range a.selected() {
		s, err := a.shop(ctx, store)
		if err != nil {
			return nil, err
		}
		shops = append(shops, s)
	}
	if len(shops) == 0 {
		return nil, fail(exitUsage, "configuration: no store", "run perennial init to add one", nil)
	}
	return shops, nil
}

// each runs fn for every selected shop and joins the errors, so that one shop's trouble leaves the others alone.
func (a *app) each(ctx context.Context, fn func(context.Context, *shop) error) error {
	shops, err := a.shops(ctx)
	if err != nil {
		return err
	}
	var failures []error
	for _, s := range shops {
		if err := fn(ctx, s); err != nil {
			if ctx.Err() != nil {
				return err
			}
			failures = append(failures, fmt.Errorf("%s: %w", s.cfg.Name, err))
		}
	}
	return errors.Join(failures...)
}

// write runs fn for every selected shop as its one writer.
func (a *app) write(ctx context.Context, fn func(context.Context, *shop) error) error {
	holder := a.holder()
	return a.each(ctx, func(ctx context.Context, s *shop) error {
		err := holder.Hold(ctx, s.id, func(ctx context.Context, epoch int64) error {
			s.epoch = epoch
			return fn(ctx, s)
		})
		if errors.Is(err, schedule.ErrBusy) {
			return fail(exitBusy, "shop in other hands", "wait until the other run has ended, then try again; if it was killed, the shop is free a minute later", err)
		}
		return err
	})
}
