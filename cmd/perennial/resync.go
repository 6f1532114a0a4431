package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

func newResync(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "resync [resource...]",
		Short: "Read everything again from the beginning",
		Long: "Forgets where the pulls stand and reads everything again. Records stay as they are until they are read again;\n" +
			"nothing is lost if it is interrupted. Resources: products, coupons, customers, orders, reviews (default: all).",
		RunE: func(cmd *cobra.Command, args []string) error {
			wanted, err := resources(args)
			if err != nil {
				return err
			}
			return g.writing(cmd.Context(), func(ctx context.Context, s *shop) error { return s.resync(ctx, wanted) })
		},
	}
}

// resources checks the names of resources; none means all.
func resources(names []string) ([]commerce.Resource, error) {
	known := map[commerce.Resource]bool{}
	for _, resource := range commerce.Resources() {
		known[resource] = true
	}
	if len(names) == 0 {
		return commerce.Resources(), nil
	}
	var wanted []commerce.Resource
	for _, name := range names {
		if !known[commerce.Resource(name)] {
			return nil, fail(exitUsage, fmt.Sprintf("command line: unknown resource %q", name), "known resources: products, coupons, customers, orders, reviews", nil)
		}
		wanted = append(wanted, commerce.Resource(name))
	}
	return wanted, nil
}

func (s *shop) resync(ctx context.Context, wanted []commerce.Resource) error {
	for _, resource := range wanted {
		if err := s.store().Reset(ctx, resource); err != nil {
			return databaseFailure("resync of "+string(resource), err)
		}
	}
	return s.syncStep(ctx, syncFlags{})
}
