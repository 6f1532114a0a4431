package main

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/sync/schedule"
)

// stopTimeout is how long a stop waits for work in hand before it is cancelled and rolls back.
const stopTimeout = 15 * time.Second

func newRun(g *globals) *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon: every shop, every night",
		Long: "Runs every shop at its local hour, once per local day; a missed night is caught up. Ctrl-C or SIGTERM finishes or\n" +
			"rolls back what is in hand; the next start goes on from there.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := g.open(cmd.Context())
			if err != nil {
				return err
			}
			defer a.close(cmd.Context())
			if once {
				return a.once(cmd.Context())
			}
			return a.daemon(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "do what is due now, then exit")
	return cmd
}

// runner schedules the selected shops. Their time zones are asked of the database at every tick, since a first contact
// makes them known.
func (a *app) runner(ctx context.Context) (*schedule.Runner, error) {
	shops, err := a.shops(ctx)
	if err != nil {
		return nil, err
	}
	byID := map[int64]*shop{}
	for _, s := range shops {
		byID[s.id] = s
	}
	holder := a.holder()
	holder.Now = a.now
	return schedule.NewRunner(schedule.Options{
		Holder: holder,
		Log:    a.log,
		Shops: func(ctx context.Context) ([]schedule.Shop, error) {
			var list []schedule.Shop
			for _, s := range shops {
				zone, err := s.location(ctx)
				if err != nil {
					return nil, err
				}
				list = append(list, schedule.Shop{ID: s.id, Name: s.cfg.Name, Spec: s.cfg.Nightly(), Zone: zone})
			}
			return list, nil
		},
		Job: func(ctx context.Context, store, epoch int64, _ string) error {
			writer := *byID[store] // each run has its own epoch
			writer.epoch = epoch
			return writer.scheduled(ctx)
		},
		Between: func(ctx context.Context, store int64) (bool, error) { return byID[store].isBetween(ctx) },
		Light: func(ctx context.Context, store, epoch int64, _ string) error {
			writer := *byID[store]
			writer.epoch = epoch
			return writer.between(ctx)
		},
	}), nil
}

// once does what is due and returns what failed. What is not due it says.
func (a *app) once(ctx context.Context) error {
	runner, err := a.runner(ctx)
	if err != nil {
		return err
	}
	err = a.each(ctx, func(ctx context.Context, s *shop) error {
		next, err := s.nextRun(ctx)
		if err != nil || !next.After(a.now()) {
			return err
		}
		zone, err := s.location(ctx)
		if err == nil {
			s.line("nothing is due before %s", next.In(zone).Format("2006-01-02 15:04"))
		}
		return err
	})
	if err != nil {
		return err
	}
	post, err := a.post(ctx)
	if err != nil {
		return err
	}
	err = errors.Join(runner.Once(ctx), post.pass(ctx, 0))
	if code, _ := classify(err); code == exitFailure && errors.Is(err, schedule.ErrBusy) {
		return fail(exitBusy, "run", busyRemedy, err)
	}
	return err
}

// daemon runs until ctx ends.
func (a *app) daemon(ctx context.Context) error {
	runner, err := a.runner(ctx)
	if err != nil {
		return err
	}
	// Jobs end through Stop, which gives them time, not through the signal itself.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	served, err := a.serve(ctx)
	if err != nil {
		return err
	}
	post, err := a.post(ctx)
	if err != nil {
		return err
	}
	if err := runner.Start(work); err != nil {
		return err
	}
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		post.run(ctx)
	}()
	a.log.Info("daemon runs", "stores", len(a.selected()), "version", version)
	notify(daemon.SdNotifyReady)
	go watchdog(ctx, a.db.Ping)
	go a.revive(work)
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-served:
	}
	notify(daemon.SdNotifyStopping)
	a.log.Info("daemon stops: finishing what is in hand")
	stopping, done := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer done()
	failed = errors.Join(failed, runner.Stop(stopping))
	select {
	case <-posted:
	case <-stopping.Done(): // what was being sent may go once more
	}
	return failed
}

// serve begins to serve health and dashboard, where they are on. What ends one of them before ctx does comes on the channel.
func (a *app) serve(ctx context.Context) (<-chan error, error) {
	pages, err := a.dashboard(ctx)
	if err != nil {
		return nil, err
	}
	served := make(chan error, 2)
	if health := (listener{"health", a.cfg.Health.Listen}); health.address != "" {
		go func() {
			served <- health.serve(ctx, healthServer(a.db.Ping, a.metrics), func(addr net.Addr) {
				a.log.Info("health and metrics", "address", addr.String())
			})
		}()
	}
	if pages != nil {
		go func() {
			served <- listener{"dashboard", a.cfg.Dashboard.Listen}.serve(ctx, pages, func(addr net.Addr) {
				a.log.Info("dashboard", "address", cmp.Or(a.cfg.Dashboard.URL, "http://"+addr.String()))
			})
		}()
	}
	return served, nil
}

// notify tells systemd, where it started us.
func notify(state string) {
	_, _ = daemon.SdNotify(false, state) // without systemd there is nobody to tell
}

// watchdog tells systemd twice per interval that the daemon lives and its database answers. When the database is away the
// daemon waits for it, so only the process itself is vouched for.
func watchdog(ctx context.Context, ping func(context.Context) error) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 || os.Getenv("NOTIFY_SOCKET") == "" {
		return
	}
	ticker := time.NewTicker(interval / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		call, cancel := context.WithTimeout(ctx, interval/4)
		state := "STATUS=working"
		if err := ping(call); err != nil {
			state = "STATUS=the database does not answer; waiting for it"
		}
		cancel()
		notify(daemon.SdNotifyWatchdog + "\n" + state)
	}
}
