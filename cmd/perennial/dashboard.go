package main

import (
	"context"
	"net/http"
	"time"

	"github.com/perennial-cvo/perennial/analysis/dashboard"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// dashboard makes the server of the pages; nil where it is off.
func (a *app) dashboard(ctx context.Context) (*http.Server, error) {
	d := a.cfg.Dashboard
	if d.Listen == "" {
		return nil, nil
	}
	if d.Password.IsZero() && d.Token.IsZero() {
		a.log.Info("dashboard is off: no password is set; perennial password makes one")
		return nil, nil
	}
	shops, err := a.shops(ctx)
	if err != nil {
		return nil, err
	}
	o := dashboard.Options{
		Password: d.Password.Reveal(), Token: d.Token.Reveal(), URL: d.URL, Sessions: a.db.Visits(a.now), Now: a.now, Log: a.log, Version: version,
	}
	for _, s := range shops {
		o.Shops = append(o.Shops, dashboard.Shop{Name: s.cfg.Name, Facts: a.db.Store(s.id, 0), Complete: s.complete})
	}
	pages, err := dashboard.New(ctx, o)
	if err != nil {
		return nil, fail(exitUsage, "dashboard", "", err)
	}
	return &http.Server{
		Handler:           pages,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}, nil
}

var _ dashboard.Facts = (*postgres.Store)(nil)
