package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/activation"
)

func newForget(g *globals) *cobra.Command {
	var file string
	var named bool
	cmd := &cobra.Command{
		Use:   "forget EMAIL",
		Short: "Erase a person everywhere, for good",
		Long: "Erases the person at every destination and in the database, quarantine included. Amounts stay without a name, and\n" +
			"a keyed hash keeps the person from coming back with the next sync. The shop's own records are the shop's to erase.\n" +
			"Where a destination fails, the others are done, and the same command goes on from there.",
		Args: oneArg("EMAIL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			email := commerce.Email(args[0])
			if email == "" {
				return fail(exitUsage, fmt.Sprintf("command line: %q is not an e-mail address", args[0]), "perennial forget EMAIL", nil)
			}
			kept, err := newReceipt(email, file, named)
			if err != nil {
				return err
			}
			err = g.writing(cmd.Context(), func(ctx context.Context, s *shop) error { return s.forget(ctx, email, kept) })
			if failed := kept.write(); failed != nil {
				return errors.Join(err, failed)
			}
			if kept.path != "" {
				g.printf("the receipt is in %s.txt, and for machines in %s.json\n", kept.path, kept.path)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&file, "receipt", "", "write what was erased where into this `file`, once for people (.txt) and once for machines (.json)")
	cmd.Flags().BoolVar(&named, "with-address", false, "in the receipt, name the address and the numbers of the person")
	return cmd
}

// forget erases at the destinations first: what fails there can be tried again only while we still know the person.
func (s *shop) forget(ctx context.Context, email string, kept *receipt) error {
	return s.step(ctx, "forget", func(ctx context.Context) (map[string]int, error) {
		kept.Shop(s.cfg.Name).At = s.app.now().UTC()
		people, err := s.store().Erasing(ctx, email)
		if err != nil {
			return nil, databaseFailure("person", err)
		}
		if err := s.keepOut(ctx, people); err != nil {
			return nil, err
		}
		var failures []error
		for _, person := range people {
			if err := s.eraseRemotely(ctx, person, kept); err != nil {
				failures = append(failures, err)
			}
		}
		if err := errors.Join(failures...); err != nil {
			return nil, fmt.Errorf("%w; the database still knows the person, so that forget can be run again", err)
		}
		erased, err := s.store().ErasePerson(ctx, email, s.app.now())
		if err != nil {
			return nil, databaseFailure("erasure", err)
		}
		s.line("database: deleted %s; took the name from %s, %s and %s; emptied %s in quarantine",
			of(erased.Customers, "account"), of(erased.Orders, "order"), of(erased.Refunds, "refund"), of(erased.Reviews, "review"),
			of(erased.Quarantined, "record"))
		s.line("a keyed hash of each address and customer number keeps the person from coming back")
		kept.Shop(s.cfg.Name).Count(report.DatabaseReceipt{
			At: s.app.now().UTC(), Accounts: erased.Customers, Orders: erased.Orders, Refunds: erased.Refunds, Reviews: erased.Reviews,
			Quarantined: erased.Quarantined, Hashes: erased.Keys,
		})
		return map[string]int{"orders": erased.Orders, "accounts": erased.Customers, "reviews": erased.Reviews}, kept.write()
	})
}

// keepOut sees to it that no push brings people back to a mailing platform while another destination is not done yet.
func (s *shop) keepOut(ctx context.Context, people []connectors.Person) error {
	var known []int64
	for _, person := range people {
		if person.ID != 0 {
			known = append(known, person.ID)
		}
	}
	if err := s.store().Suppress(ctx, ownTags, known, connectors.ReasonForgotten, s.app.now()); err != nil {
		return databaseFailure("person", err)
	}
	return nil
}

// eraseRemotely erases the person at every destination that can, takes them out of what is ours at the others, and notes and
// prints what was done.
func (s *shop) eraseRemotely(ctx context.Context, person connectors.Person, kept *receipt) error {
	receivers, err := s.receivers(ctx, pushFlags{})
	if err != nil {
		return err
	}
	var failures []error
	for _, r := range receivers {
		erasure, err := activation.Erase(ctx, s.pushOptions(r, nil), person)
		kept.Shop(s.cfg.Name).Note(kept.place(s, r.target.Destination, erasure, err))
		if failed := kept.write(); failed != nil {
			return failed
		}
		switch {
		case err != nil:
			failures = append(failures, fmt.Errorf("destination %s: %w", r.target.Destination, err))
			continue
		case !erasure.Able:
			s.line("%s: %s; it offers no erasure, so look there yourself", r.target.Destination, erasure.Done)
		default:
			s.line("%s: %s", r.target.Destination, erasure.Done)
		}
	}
	return errors.Join(append(failures, s.outOfReach(ctx, person, kept))...)
}

// kindOf is the kind of a destination that is configured.
func (s *shop) kindOf(destination string) string {
	for _, d := range s.cfg.Destinations {
		if d.Name == destination {
			return d.Kind
		}
	}
	return s.cfg.Kind
}

// outOfReach tells at which destinations the person stands that the configuration does not know any more. That does not
// stop the erasure: such a platform may be gone for good.
func (s *shop) outOfReach(ctx context.Context, person connectors.Person, kept *receipt) error {
	deliveries, err := s.store().Deliveries(ctx)
	if err != nil {
		return databaseFailure("deliveries", err)
	}
	for _, d := range deliveries {
		if s.isConfigured(d.Destination) {
			continue
		}
		_, stands, err := s.store().Standing(ctx, d.Destination, person.ID)
		if err != nil {
			return databaseFailure("deliveries", err)
		}
		if stands {
			kept.Shop(s.cfg.Name).Note(report.PlaceReceipt{
				Destination: d.Destination, Outcome: report.NotAsked, At: s.app.now().UTC(), Why: "it is not in the configuration any more",
				ByHand: "something of ours was delivered there: erase the person there",
			})
			s.line("%s: is not in the configuration any more, and the person was delivered there: erase them there by hand", d.Destination)
		}
	}
	return nil
}
