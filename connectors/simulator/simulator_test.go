package simulator_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func TestDefaultShopHasTheSizePromised(t *testing.T) {
	shop := simulator.New(simulator.Options{})
	require.InDelta(t, 2000, len(shop.Subscribers()), 45)
	statuses := map[string]int{}
	for _, o := range shop.Orders() {
		statuses[o.Status]++
	}
	paid := statuses[simulator.Completed] + statuses[simulator.Processing] + statuses[simulator.Refunded] + statuses[simulator.OnHold]
	require.InDelta(t, 6000, paid, 150)
	t.Log(statuses, len(shop.Customers()), len(shop.Products()), len(shop.Reviews()), shop.Parameters())
	for _, status := range []string{"pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "checkout-draft", "trash"} {
		require.NotZero(t, statuses[status], status)
	}
}
