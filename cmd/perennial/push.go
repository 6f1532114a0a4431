package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/all"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// ownTags is the name of the destination that is the shop itself.
const ownTags = "shop"

// pushFlags are what a person can say to one push.
type pushFlags struct {
	dry     bool
	list    bool
	confirm []string
	only    []string // destinations
	between bool     // two nights: who was put off is left in peace until due, and nothing is read back whole
}

func newPush(g *globals) *cobra.Command {
	var flags pushFlags
	cmd := &cobra.Command{
		Use:   "push",
		Short: "Bring tags and audiences to where they should be",
		Long: "Compares what each shop and platform should have with what was delivered, and sends the difference. A push that\n" +
			"would empty an audience, or shrink a large one by too much, stops until it is confirmed by name.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			run := g.writing
			if flags.dry {
				run = g.reading
			}
			return run(cmd.Context(), func(ctx context.Context, s *shop) error {
				var stale error
				if !flags.dry {
					if stale = s.catchUp(ctx); ctx.Err() != nil {
						return stale
					}
				}
				return errors.Join(s.pushStep(ctx, flags), stale)
			})
		},
	}
	cmd.Flags().BoolVar(&flags.dry, "dry-run", false, "print the difference, send nothing")
	cmd.Flags().BoolVar(&flags.list, "list", false, "with --dry-run: print every person to write, and what would stand there")
	cmd.Flags().StringSliceVar(&flags.confirm, "confirm", nil, "let this `audience` shrink or empty, this time; \"history\": push though older orders are not known")
	cmd.Flags().StringSliceVar(&flags.only, "to", nil, "only this `destination` (\"shop\" is the shop's own tags)")
	return cmd
}

// receiver is one destination of a shop, made, and what goes there.
type receiver struct {
	destination connectors.Destination
	target      activation.Target
}

// receivers makes the destinations of the shop: its own tags first, then the e-mail platforms.
func (s *shop) receivers(ctx context.Context, flags pushFlags) ([]receiver, error) {
	sets, err := s.audienceSets(ctx)
	if err != nil {
		return nil, err
	}
	var list []receiver
	if s.cfg.Tags {
		if !s.factory.WritesBack() {
			return nil, fail(exitUsage, fmt.Sprintf("configuration: store %s: tags", s.cfg.Name), fmt.Sprintf("a %s shop takes no tags; set tags = false", s.cfg.Kind), nil)
		}
		own, err := s.receiver(config.Destination{Name: ownTags, Kind: s.cfg.Kind, Settings: s.cfg.Settings}, sets)
		if err != nil {
			return nil, err
		}
		own.target.NeedsAccount = true
		list = append(list, own)
	}
	for _, destination := range s.cfg.Destinations {
		r, err := s.receiver(destination, sets)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	for i := range list {
		list[i].target.Guard.Confirmed = flags.confirm
	}
	s.holdOut(list)
	if len(flags.only) == 0 {
		return list, nil
	}
	list = slices.DeleteFunc(list, func(r receiver) bool { return !slices.Contains(flags.only, r.target.Destination) })
	if len(list) == 0 {
		return nil, fail(exitUsage, fmt.Sprintf("flag --to: %s has no such destination", s.cfg.Name), "perennial config show lists the destinations", nil)
	}
	return list, nil
}

// holdOut tells every destination of whom shares are held out, and lets those decide who is due whose audiences are mailed; of
// audiences that none of them has, those that have them.
func (s *shop) holdOut(list []receiver) {
	for i := range list {
		if list[i].target.Holdout = s.cfg.Holdout; list[i].target.Holdout == nil {
			list[i].target.Holdout = map[string]float64{}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.cfg.Holdout)) {
		var all, mailed []int
		for i, r := range list {
			if slices.ContainsFunc(r.target.Audiences, func(a connectors.Audience) bool { return a.Key == key }) {
				if all = append(all, i); r.target.NeedsConsent {
					mailed = append(mailed, i)
				}
			}
		}
		if len(mailed) > 0 {
			all = mailed
		}
		for _, i := range all {
			list[i].target.Exposes = append(list[i].target.Exposes, key)
		}
	}
}

// receiver makes one destination.
func (s *shop) receiver(cfg config.Destination, sets audienceSets) (receiver, error) {
	factory, ok := all.Find(cfg.Kind)
	if !ok || factory.NewDestination == nil {
		return receiver{}, fail(exitUsage, fmt.Sprintf("configuration: destination %s: unknown kind %q", cfg.Name, cfg.Kind), "known kinds: "+kinds(isMailer), nil)
	}
	destination, err := factory.NewDestination(connectors.Settings(cfg.Settings), s.app.deps(s.cfg.Name))
	if err != nil {
		return receiver{}, fmt.Errorf("destination %s: %w", cfg.Name, err)
	}
	target, err := s.target(cfg, factory, sets)
	limit(&target, destination)
	return receiver{destination: destination, target: target}, err
}

// limit leaves out of a target what the destination does not write.
func limit(target *activation.Target, destination connectors.Destination) {
	limited, is := destination.(connectors.Limited)
	if !is {
		return
	}
	if target.Extent = limited.Extent(); target.Extent == connectors.OnlyLists {
		target.Attributes = nil
	}
}

// target is what goes to a destination.
func (s *shop) target(cfg config.Destination, factory connectors.Factory, sets audienceSets) (activation.Target, error) {
	target := activation.Target{
		Destination:  cfg.Name,
		Attributes:   cfg.Attributes,
		Renamed:      s.cfg.Attributes,
		NeedsConsent: factory.NeedsConsent,
		Consent:      consentMode(s.cfg),
		Guard:        activation.Guard{Shrink: s.cfg.Guard.Shrink, MinSize: s.cfg.Guard.MinSize},
	}
	for _, address := range cfg.Exclude {
		target.Exclude = append(target.Exclude, commerce.Email(address))
	}
	if len(target.Attributes) == 0 {
		target.Attributes = activation.Attributes()
	}
	if err := sets.check(s.cfg, cfg); err != nil {
		return target, err
	}
	sets.direct(&target, cfg.Audiences)
	return target, nil
}

// pushStep pushes to every destination of the shop; trouble at one leaves the others alone.
func (s *shop) pushStep(ctx context.Context, flags pushFlags) error {
	receivers, err := s.receivers(ctx, flags)
	if err != nil {
		return err
	}
	if err := s.known(ctx, receivers, flags.confirm); err != nil {
		return err
	}
	if len(receivers) == 0 {
		s.line("nothing to push: neither tags nor destinations are configured")
		return nil
	}
	facts, err := s.loaded(ctx)
	if err != nil {
		return err
	}
	if !s.cfg.Guard.ShortHistory {
		for i := range receivers {
			receivers[i].target.Guard.Since = facts.Since
		}
	}
	if flags.dry {
		if gap := report.NewGap(facts.Since, facts.Location); gap != nil {
			s.line("%s", gap)
		}
		return s.dryPush(ctx, receivers, flags)
	}
	return s.step(ctx, "push", func(ctx context.Context) (map[string]int, error) {
		counts := map[string]int{}
		var failures []error
		deaf, err := s.askEverywhere(ctx, flags, counts)
		if err != nil {
			return counts, err
		}
		for _, r := range receivers {
			err := deaf[r.target.Destination]
			if err == nil {
				err = s.push(ctx, r, flags, counts)
			}
			if ctx.Err() != nil {
				return counts, ctx.Err()
			}
			if err != nil {
				failures = append(failures, err)
			}
		}
		return counts, errors.Join(failures...)
	})
}

// loaded refuses to push before the first load is complete: half a shop makes wrong audiences.
func (s *shop) loaded(ctx context.Context) (analysis.Shop, error) {
	facts, err := s.store().Shop(ctx)
	if err != nil {
		return facts, databaseFailure("shop", err)
	}
	if !facts.Loaded {
		return facts, fail(exitFindings, "the first load is not complete, so nothing was pushed; what was read so far is kept",
			"perennial sync goes on with it, perennial status says how far it is", nil)
	}
	return facts, nil
}

// known refuses to confirm what is no audience, nor was one when something was last delivered: the push would go on without a
// word and be held again.
func (s *shop) known(ctx context.Context, receivers []receiver, names []string) error {
	if len(names) == 0 {
		return nil
	}
	sets, err := s.audienceSets(ctx)
	if err != nil {
		return err
	}
	var standing []connectors.Audience
	for _, r := range receivers {
		audiences, err := s.store().Audiences(ctx, r.target.Destination)
		if err != nil {
			return databaseFailure("audiences", err)
		}
		standing = append(standing, audiences...)
	}
	for _, name := range names {
		if name != activation.History && !sets.knows(name) && !knows(standing, name) {
			return fail(exitUsage, fmt.Sprintf("flag --confirm: no audience is called %q", name), "perennial segments lists them; \"history\" stands for orders that are not known", nil)
		}
	}
	return nil
}

// push brings one destination to the desired state and adds up what it did.
func (s *shop) push(ctx context.Context, r receiver, flags pushFlags, counts map[string]int) error {
	name := r.target.Destination
	bars := s.progress()
	options := s.pushOptions(r, func(done, total int) { bars.step("push to "+name, done, total) })
	options.BackOff = flags.between
	options.Waiting = func() { bars.wait("push to "+name, platform(name)) }
	summary, err := activation.Push(ctx, options)
	bars.finish()
	for outcome, n := range outcomes(summary) {
		counts[outcome+" ("+name+")"] += n
		s.app.metrics.pushed.WithLabelValues(s.cfg.Name, name, outcome).Add(float64(n))
	}
	if err == nil {
		s.line("%s: %s", name, tally(summary))
	}
	return err
}

// platform is how a person calls a destination.
func platform(destination string) string {
	if destination == ownTags {
		return "the shop"
	}
	return destination
}

func (s *shop) pushOptions(r receiver, progress func(done, total int)) activation.Options {
	return activation.Options{
		Ledger:      s.store(),
		Destination: r.destination,
		Target:      r.target,
		Now:         s.app.now,
		Log:         s.app.log.With("store", s.cfg.Name, "destination", r.target.Destination),
		Progress:    progress,
	}
}

// dryPush prints the exact difference and sends nothing.
func (s *shop) dryPush(ctx context.Context, receivers []receiver, flags pushFlags) error {
	for _, r := range receivers {
		options := s.pushOptions(r, nil)
		options.DryRun = true
		summary, err := activation.Push(ctx, options)
		if err != nil {
			return err
		}
		s.printPlan(r.target.Destination, summary.Plan)
		if !flags.list {
			continue
		}
		if err := s.store().Writings(ctx, r.target, s.app.now(), s.printWriting); err != nil {
			return databaseFailure("difference", err)
		}
	}
	return nil
}
