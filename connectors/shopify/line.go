package shopify

import (
	"fmt"
	"math"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

type lineNode struct {
	ID        string       `json:"id"`
	Parent    string       `json:"__parentId"` // in files
	Name      string       `json:"name"`
	SKU       string       `json:"sku"`
	Quantity  int64        `json:"quantity"`
	GiftCard  bool         `json:"isGiftCard"`
	Price     bag          `json:"originalTotalSet"`
	Discounts []allocation `json:"discountAllocations"`
	Taxes     []taxLine    `json:"taxLines"`
	Product   ref          `json:"product"`
	Variant   variantRef   `json:"variant"`
}

type variantRef struct {
	ID   string `json:"id"`
	Item struct {
		Cost *money `json:"unitCost"`
	} `json:"inventoryItem"`
}

func inLine(err error) error { return fmt.Errorf("line: %w", err) }

// lineOf turns a line over. Whether its prices contain their tax stands on the order alone.
func lineOf(n *lineNode, order string, included bool) (commerce.Line, error) {
	l := commerce.Line{
		OrderID: order, ID: tail(n.ID), ProductID: tail(n.Product.ID), VariantID: variantID(n.Variant.ID),
		SKU: n.SKU, Name: n.Name, Quantity: decimal.NewFromInt(n.Quantity), GiftCard: n.GiftCard,
	}
	if l.ID == "" {
		return l, missing("id")
	}
	v := &values{}
	l.Subtotal = v.amount("originalTotalSet", n.Price.Shop.Amount)
	l.Total, l.Tax = l.Subtotal, sumTaxes(v, n.Taxes)
	if len(n.Discounts) > 0 {
		l.Total = l.Total.Sub(sumAllocations(v, n.Discounts))
	}
	if included && !l.Tax.IsZero() {
		price := l.Total
		l.Total = price.Sub(l.Tax)
		l.Subtotal = scaled(l.Subtotal, l.Total, price)
	}
	l.Cost = n.Variant.cost(l.Quantity, v)
	return l, v.err
}

// cost is what so many units cost the shop now; unknown where it keeps no cost, or the variant is gone.
func (r variantRef) cost(quantity decimal.Decimal, v *values) decimal.NullDecimal {
	if r.Item.Cost == nil {
		return decimal.NullDecimal{}
	}
	unit := v.maybeAmount("unitCost", r.Item.Cost.Amount)
	unit.Decimal = unit.Decimal.Mul(quantity)
	return unit
}

// taxes says how the orders of a file meant their prices so far.
type taxes uint8

// The ways; both bits mean that the file is mixed.
const (
	taxesApart taxes = 1 << iota
	taxesIncluded
)

func (t taxes) with(included bool) taxes {
	if included {
		return t | taxesIncluded
	}
	return t | taxesApart
}

// includes tells whether the prices of a line contain its tax, when its order stood further ahead in the file. In a file
// of both ways the tax itself tells: it is the rate of the price, or the share of it that the rate makes.
func (t taxes) includes(n *lineNode) bool {
	if t != taxesApart|taxesIncluded {
		return t == taxesIncluded
	}
	v := &values{}
	price := v.amount("", n.Price.Shop.Amount).Sub(sumAllocations(v, n.Discounts)).InexactFloat64()
	tax, rate := sumTaxes(v, n.Taxes).InexactFloat64(), 0.0
	for _, line := range n.Taxes {
		rate += line.Rate
	}
	apart, included := price*rate, price*rate/(1+rate)
	return math.Abs(tax-included) < math.Abs(tax-apart)
}
