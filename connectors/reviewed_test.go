package connectors_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// named is a source that says its name in the cursor of each page.
type named struct {
	name   string
	offers []connectors.Offer
}

func (n named) Check(context.Context) (connectors.Report, error) {
	return connectors.Report{Shop: commerce.Shop{Identity: n.name}}, nil
}
func (n named) Resources() []connectors.Offer { return n.offers }
func (n named) Pull(_ context.Context, r commerce.Resource, _ connectors.Mode, c connectors.Cursor) (connectors.Page, error) {
	return connectors.Page{Next: connectors.Cursor(n.name+" "+string(r)+" ") + c}, nil
}

// asked is a named source that finds whatever is fetched.
type asked struct{ named }

func (a asked) Fetch(_ context.Context, r commerce.Resource, ids []string) (connectors.Page, error) {
	return connectors.Page{Next: connectors.Cursor(a.name + " " + string(r) + " " + ids[0])}, nil
}

func TestReviewsComeFromElsewhere(t *testing.T) {
	shop := named{name: "shop", offers: []connectors.Offer{
		{Resource: commerce.Orders, Incremental: true}, {Resource: commerce.Reviews},
	}}
	reviews := named{name: "platform", offers: []connectors.Offer{{Resource: commerce.Orders}, {Resource: commerce.Reviews}}}
	source := connectors.WithReviews(shop, reviews)

	require.Equal(t, []connectors.Offer{
		{Resource: commerce.Orders, Incremental: true}, {Resource: commerce.Reviews, Apart: true},
	}, source.Resources(), "the shop's own reviews are left out, and nothing but reviews comes from the platform")
	require.Len(t, shop.offers, 2, "what the shop offers stays as it is")
	for resource, want := range map[commerce.Resource]connectors.Cursor{commerce.Orders: "shop orders 7", commerce.Reviews: "platform reviews 7"} {
		page, err := source.Pull(t.Context(), resource, connectors.Sweep, "7")
		require.NoError(t, err)
		require.Equal(t, want, page.Next)
	}
	report, err := source.Check(t.Context())
	require.NoError(t, err)
	require.Equal(t, "shop", report.Shop.Identity)
	_, ok := source.(connectors.Fetcher)
	require.False(t, ok, "no shop that can be asked, no Fetcher")
}

func TestFetchGoesWhereTheRecordsAre(t *testing.T) {
	shop, platform := asked{named{name: "shop"}}, named{name: "platform"}
	source, ok := connectors.WithReviews(shop, platform).(connectors.Fetcher)
	require.True(t, ok)
	page, err := source.Fetch(t.Context(), commerce.Orders, []string{"1"})
	require.NoError(t, err)
	require.Equal(t, connectors.Cursor("shop orders 1"), page.Next)
	page, err = source.Fetch(t.Context(), commerce.Reviews, []string{"1", "2"})
	require.NoError(t, err)
	require.Equal(t, []string{"1", "2"}, page.Deleted, "absence is all that this platform can tell")

	source, ok = connectors.WithReviews(shop, asked{platform}).(connectors.Fetcher)
	require.True(t, ok)
	page, err = source.Fetch(t.Context(), commerce.Reviews, []string{"1"})
	require.NoError(t, err)
	require.Equal(t, connectors.Cursor("platform reviews 1"), page.Next)
}
