package analysis

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/perennial-cvo/perennial/analysis/experiment"
	"github.com/perennial-cvo/perennial/analysis/product"
	"github.com/perennial-cvo/perennial/analysis/value"
)

// Sums are what a look at products, at who is worth what and at what audiences bring reads; sync/postgres satisfies it.
type Sums interface {
	// Shop returns currency, time zone and the state of the first load.
	Shop(ctx context.Context) (Shop, error)

	// Products counts what was sold before a moment, by product and category, with revenue before refunds or after.
	Products(ctx context.Context, asOf time.Time, gross bool) (product.Facts, error)

	// Values reads who is worth what by the last analysis, and what they began with before a moment.
	Values(ctx context.Context, asOf time.Time) (value.Facts, error)

	// Experiments calls each with the trial of every audience of which a share is held out, or was, as of the start of a local
	// day.
	Experiments(ctx context.Context, asOf time.Time, each func(experiment.Facts) error) error
}

// Sell works out what the best customers buy first, what comes back and how products are rated. It fails where the facts
// cannot be read, and with ErrNotLoaded and ErrFuture. Nothing is saved.
func Sell(ctx context.Context, facts Sums, o RetentionOptions) (product.Summary, error) {
	shop, day, err := o.day(ctx, facts)
	if err != nil {
		return product.Summary{}, err
	}
	basis := cmp.Or(o.Basis, Net)
	counts, err := facts.Products(ctx, StartOfDay(day, shop.Location), basis == Gross)
	if err != nil {
		return product.Summary{}, err
	}
	return product.Summarise(counts, Date(day).Format(time.DateOnly), string(basis))
}

// Spread works out who is worth what. The horizon is that of the appraisal by which values are foretold, in days. It fails as
// Sell does; nothing is saved.
func Spread(ctx context.Context, facts Sums, o RetentionOptions, horizon int) (value.Summary, error) {
	shop, day, err := o.day(ctx, facts)
	if err != nil {
		return value.Summary{}, err
	}
	people, err := facts.Values(ctx, StartOfDay(day, shop.Location))
	if err != nil {
		return value.Summary{}, err
	}
	people.Horizon = horizon
	return value.Summarise(people, Date(day).Format(time.DateOnly)), nil
}

// Try judges all audiences of which a share is held out, or was. It fails as Sell does; nothing is saved.
func Try(ctx context.Context, facts Sums, o RetentionOptions) (experiment.Summary, error) {
	shop, day, err := o.day(ctx, facts)
	if err != nil {
		return experiment.Summary{}, err
	}
	s := experiment.Summary{Day: Date(day).Format(time.DateOnly), Results: []experiment.Result{}}
	err = facts.Experiments(ctx, StartOfDay(day, shop.Location), func(f experiment.Facts) error {
		s.Results = append(s.Results, experiment.Measure(f))
		return ctx.Err()
	})
	if err != nil {
		return experiment.Summary{}, fmt.Errorf("trials: %w", err)
	}
	experiment.Decide(s.Results)
	return s, nil
}
