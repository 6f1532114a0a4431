package shopify

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// TestRefundAdjustments keeps what left the shop, not what the goods once cost the buyer.
func TestRefundAdjustments(t *testing.T) {
	line := `{"quantity":1,"restockType":"%s","subtotalSet":{"shopMoney":{"amount":"100.0"}},"totalTaxSet":{"shopMoney":{"amount":"0.0"}},
		"lineItem":{"id":"gid://shopify/LineItem/1","variant":{"id":"gid://shopify/ProductVariant/2","inventoryItem":{"unitCost":{"amount":"30.0"}}}}}`
	adjusted := `{"reason":"%s","amountSet":{"shopMoney":{"amount":"%s"}},"taxAmountSet":{"shopMoney":{"amount":"%s"}}}`
	for name, c := range map[string]struct {
		amount, line, adjustment string
		goods, tax, cost         string
	}{
		"plain":                {"100.0", fmt.Sprintf(line, "RETURN"), "", "100", "0", "30"},
		"restocking fee":       {"80.0", fmt.Sprintf(line, "RETURN"), fmt.Sprintf(adjusted, "RESTOCK", "20.0", "0.0"), "80", "0", "30"},
		"goodwill on top":      {"110.0", fmt.Sprintf(line, "RETURN"), fmt.Sprintf(adjusted, "CUSTOMER", "-10.0", "0.0"), "110", "0", "30"},
		"money yet to come":    {"0.0", fmt.Sprintf(line, "RETURN"), fmt.Sprintf(adjusted, "PENDING_REFUND_DISCREPANCY", "100.0", "0.0"), "100", "0", "30"},
		"amount alone":         {"12.0", "", fmt.Sprintf(adjusted, "REFUND_DISCREPANCY", "-10.0", "-2.0"), "0", "2", "-"},
		"removed by editing":   {"0.0", fmt.Sprintf(line, "CANCEL"), "", "100", "0", "30"},
		"not put on the shelf": {"100.0", fmt.Sprintf(line, "NO_RESTOCK"), "", "100", "0", "0"},
	} {
		var n refundNode
		require.NoError(t, json.Unmarshal([]byte(fmt.Sprintf(`{"id":"gid://shopify/Refund/1","processedAt":"2026-02-01T00:00:00Z",
			"totalRefundedSet":{"shopMoney":{"amount":"%s","currencyCode":"EUR"}},"refundLineItems":{"nodes":[%s]},"orderAdjustments":{"nodes":[%s]}}`,
			c.amount, c.line, c.adjustment)), &n))
		f, err := refundOf(&n, "7", false)
		require.NoError(t, err, name)
		require.Equal(t, c.goods, f.Goods.String(), name)
		require.Equal(t, c.tax, f.Tax.String(), name)
		cost := "-"
		if f.Cost.Valid {
			cost = f.Cost.Decimal.String()
		}
		require.Equal(t, c.cost, cost, name)
	}
}

// TestCustomersOverlapDays asks for customers from two days before the last pull, because searches compare whole days.
func TestCustomersOverlapDays(t *testing.T) {
	k, err := kindOf(commerce.Customers)
	require.NoError(t, err)
	require.Equal(t, "updated_at:>='2026-03-08T00:10:00Z'", k.filter(position{Since: time.Date(2026, 3, 10, 0, 10, 0, 0, time.UTC)}))
	require.Equal(t, "customer_date:<'2026-03-10T00:00:00Z'", k.filter(position{Window: window{To: time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)}}))
}
