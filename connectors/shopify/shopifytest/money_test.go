package shopifytest_test

import (
	"encoding/json"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
)

const shownOrder = `query($id: ID!) { order(id: $id) {
	taxesIncluded
	totalPriceSet { shopMoney { amount } } subtotalPriceSet { shopMoney { amount } } totalTaxSet { shopMoney { amount } }
	totalDiscountsSet { shopMoney { amount } } currentTotalPriceSet { shopMoney { amount } } totalRefundedSet { shopMoney { amount } }
	shippingLine {
		originalPriceSet { shopMoney { amount } } discountedPriceSet { shopMoney { amount } }
		discountAllocations { allocatedAmountSet { shopMoney { amount } } } taxLines { priceSet { shopMoney { amount } } }
	}
	additionalFees { price { shopMoney { amount } } taxLines { priceSet { shopMoney { amount } } } }
	lineItems(first: 50) { nodes {
		quantity currentQuantity originalTotalSet { shopMoney { amount } } taxLines { priceSet { shopMoney { amount } } }
		discountAllocations { allocatedAmountSet { shopMoney { amount } } }
	} }
} }`

type shopMoney struct {
	Shop struct {
		Amount decimal.Decimal `json:"amount"`
	} `json:"shopMoney"`
}

type allocated []struct {
	Amount shopMoney `json:"allocatedAmountSet"`
}

func (a allocated) sum() (sum decimal.Decimal) {
	for _, one := range a {
		sum = sum.Add(one.Amount.Shop.Amount)
	}
	return sum
}

type taxed []struct {
	Price shopMoney `json:"priceSet"`
}

func (t taxed) sum() (sum decimal.Decimal) {
	for _, one := range t {
		sum = sum.Add(one.Price.Shop.Amount)
	}
	return sum
}

type shownAs struct {
	Included  bool      `json:"taxesIncluded"`
	Total     shopMoney `json:"totalPriceSet"`
	Subtotal  shopMoney `json:"subtotalPriceSet"`
	Tax       shopMoney `json:"totalTaxSet"`
	Discounts shopMoney `json:"totalDiscountsSet"`
	Refunded  shopMoney `json:"totalRefundedSet"`
	Shipping  struct {
		Original   shopMoney `json:"originalPriceSet"`
		Discounted shopMoney `json:"discountedPriceSet"`
		Off        allocated `json:"discountAllocations"`
		Taxes      taxed     `json:"taxLines"`
	} `json:"shippingLine"`
	Fees []struct {
		Price shopMoney `json:"price"`
		Taxes taxed     `json:"taxLines"`
	} `json:"additionalFees"`
	Lines struct {
		Nodes []struct {
			Original shopMoney `json:"originalTotalSet"`
			Taxes    taxed     `json:"taxLines"`
			Off      allocated `json:"discountAllocations"`
		} `json:"nodes"`
	} `json:"lineItems"`
}

// requireShown holds what the shop answers of an order against itself: lines make the subtotal, and that the total.
func requireShown(t require.TestingT, s *shopifytest.Server, id int64) {
	body := post(t, s, shownOrder, map[string]any{"id": "gid://shopify/Order/" + number(id)})
	var a struct {
		Data struct {
			Order *shownAs `json:"order"`
		} `json:"data"`
	}
	require.NoError(t, json.Unmarshal(body, &a), string(body))
	o := a.Data.Order
	require.NotNil(t, o, string(body))
	var subtotal, discounts decimal.Decimal
	tax := o.Shipping.Taxes.sum()
	for _, l := range o.Lines.Nodes {
		subtotal = subtotal.Add(l.Original.Shop.Amount).Sub(l.Off.sum())
		discounts = discounts.Add(l.Off.sum())
		tax = tax.Add(l.Taxes.sum())
	}
	total := subtotal.Add(o.Shipping.Discounted.Shop.Amount)
	for _, f := range o.Fees {
		total = total.Add(f.Price.Shop.Amount)
		tax = tax.Add(f.Taxes.sum())
	}
	if !o.Included {
		total = total.Add(tax)
	}
	discounts = discounts.Add(o.Shipping.Off.sum())
	require.True(t, o.Shipping.Original.Shop.Amount.Sub(o.Shipping.Off.sum()).Equal(o.Shipping.Discounted.Shop.Amount), string(body))
	require.True(t, subtotal.Equal(o.Subtotal.Shop.Amount), "%s %s", subtotal, string(body))
	require.True(t, discounts.Equal(o.Discounts.Shop.Amount), "%s %s", discounts, string(body))
	require.True(t, tax.Equal(o.Tax.Shop.Amount), "%s %s", tax, string(body))
	require.True(t, total.Equal(o.Total.Shop.Amount), "%s %s", total, string(body))
}
