package analysis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/experiment"
	"github.com/perennial-cvo/perennial/analysis/product"
	"github.com/perennial-cvo/perennial/analysis/value"
)

// counted is a shop whose orders are counted already; it notes as of when it was asked.
type counted struct {
	shop  analysis.Shop
	err   error
	asOf  time.Time
	gross bool
}

func (c *counted) Shop(context.Context) (analysis.Shop, error) { return c.shop, nil }

func (c *counted) Products(_ context.Context, asOf time.Time, gross bool) (product.Facts, error) {
	c.asOf, c.gross = asOf, gross
	return product.Facts{Customers: 3}, c.err
}

func (c *counted) Values(_ context.Context, asOf time.Time) (value.Facts, error) {
	c.asOf = asOf
	return value.Facts{People: []value.Person{{Net: 10_000}}}, c.err
}

func (c *counted) Experiments(_ context.Context, asOf time.Time, each func(experiment.Facts) error) error {
	c.asOf = asOf
	return errors.Join(c.err, each(experiment.Facts{Audience: "lost", Share: 0.1, AsOf: 20533}))
}

func TestSumsAreAsOfTheStartOfTheShopsDay(t *testing.T) {
	loc := time.FixedZone("CET", 60*60)
	c := &counted{shop: analysis.Shop{Name: "tea", Location: loc, Loaded: true}}
	o := analysis.RetentionOptions{Now: func() time.Time { return time.Date(2026, 3, 20, 23, 30, 0, 0, time.UTC) }, Basis: analysis.Gross}
	ctx, midnight := t.Context(), time.Date(2026, 3, 20, 23, 0, 0, 0, time.UTC)

	sold, err := analysis.Sell(ctx, c, o)
	require.NoError(t, err)
	require.Equal(t, []any{"2026-03-21", "gross", 3, true}, []any{sold.Day, sold.Basis, sold.Customers, c.gross})
	require.True(t, midnight.Equal(c.asOf))
	spread, err := analysis.Spread(ctx, c, o, 365)
	require.NoError(t, err)
	require.Equal(t, []any{"2026-03-21", 1, 365}, []any{spread.Day, spread.Customers, spread.Horizon})
	tried, err := analysis.Try(ctx, c, o)
	require.NoError(t, err)
	require.Equal(t, []any{"2026-03-21", "lost"}, []any{tried.Day, tried.Results[0].Audience})
	require.True(t, midnight.Equal(c.asOf))
}

func TestSumsFailInWords(t *testing.T) {
	c := &counted{err: errors.New("no answer")}
	o := analysis.RetentionOptions{Now: func() time.Time { return time.Date(2026, 3, 21, 2, 0, 0, 0, time.UTC) }}
	for name, sum := range map[string]func() error{
		"products": func() error { _, err := analysis.Sell(t.Context(), c, o); return err },
		"values":   func() error { _, err := analysis.Spread(t.Context(), c, o, 365); return err },
		"trials":   func() error { _, err := analysis.Try(t.Context(), c, o); return err },
	} {
		c.shop = analysis.Shop{Name: "tea"}
		require.ErrorIs(t, sum(), analysis.ErrNotLoaded, name)
		c.shop.Loaded = true
		require.ErrorIs(t, sum(), c.err, name)
		ahead := o
		o.AsOf = o.Now().AddDate(0, 0, 2)
		require.ErrorIs(t, sum(), analysis.ErrFuture, name)
		o = ahead
	}
}
