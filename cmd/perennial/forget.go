package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/activation"
)

func newForget(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "forget EMAIL",
		Short: "Erase a person everywhere, for good",
		Long: "Erases the person at every destination and in the database, quarantine included. Amounts stay without a name, and\n" +
			"a keyed hash keeps the person from coming back with the next sync. The shop's own records are the shop's to erase.",
		Args: oneArg("EMAIL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			email := commerce.Email(args[0])
			if email == "" {
				return fail(exitUsage, fmt.Sprintf("command line: %q is not an e-mail address", args[0]), "perennial forget EMAIL", nil)
			}
			return g.writing(cmd.Context(), func(ctx context.Context, s *shop) error { return s.forget(ctx, email) })
		},
	}
}

// forget erases at the destinations first: what fails there can be tried again only while we still know the person.
func (s *shop) forget(ctx context.Context, email string) error {
	return s.step(ctx, "forget", func(ctx context.Context) (map[string]int, error) {
		people, err := s.store().Erasing(ctx, email)
		if err != nil {
			return nil, databaseFailure("person", err)
		}
		for _, person := range people {
			if err := s.eraseRemotely(ctx, person); err != nil {
				return nil, fmt.Errorf("%w; the database still knows the person, so that forget can be run again", err)
			}
		}
		erased, err := s.store().ErasePerson(ctx, email, s.app.now())
		if err != nil {
			return nil, databaseFailure("erasure", err)
		}
		s.line("database: deleted %s; took the name from %s, %s and %s; emptied %s in quarantine",
			of(erased.Customers, "account"), of(erased.Orders, "order"), of(erased.Refunds, "refund"), of(erased.Reviews, "review"),
			of(erased.Quarantined, "record"))
		s.line("a keyed hash of each address and customer number keeps the person from coming back")
		return map[string]int{"orders": erased.Orders, "accounts": erased.Customers, "reviews": erased.Reviews}, nil
	})
}

// eraseRemotely erases the person at every destination that can, and prints each receipt.
func (s *shop) eraseRemotely(ctx context.Context, person connectors.Person) error {
	receivers, err := s.receivers(ctx, pushFlags{})
	if err != nil {
		return err
	}
	var failures []error
	for _, r := range receivers {
		receipt, err := activation.Erase(ctx, s.pushOptions(r, nil), person)
		if err != nil {
			failures = append(failures, fmt.Errorf("destination %s: %w", r.target.Destination, err))
			continue
		}
		s.line("%s: %s", r.target.Destination, receipt)
	}
	return errors.Join(append(failures, s.outOfReach(ctx, person))...)
}

// outOfReach tells at which destinations the person stands that the configuration does not know any more. That does not
// stop the erasure: such a platform may be gone for good.
func (s *shop) outOfReach(ctx context.Context, person connectors.Person) error {
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
			s.line("%s: is not in the configuration any more, and the person was delivered there: erase them there by hand", d.Destination)
		}
	}
	return nil
}
