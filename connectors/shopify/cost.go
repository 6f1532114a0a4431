package shopify

import (
	"math"
	"sync"
)

// price is what Shopify is believed to ask for a document, in points: base, and node for each of the steps that the
// page size comes to. The model was fitted to recorded answers: an object costs 1, a connection 2 and its nodes, of which
// about 2·ln(first) are counted.
type price struct{ base, node float64 }

// prices lists the documents by name. What is asked alone, without a page, has a base only.
func prices() map[string]price {
	return map[string]price{
		"access_scopes":         {base: 2},
		"bulk_mutation":         {base: 10},
		"bulk_operation":        {base: 1},
		"bulk_query":            {base: 10},
		"bulk_running":          {base: 2, node: 1},
		"check":                 {base: 6},
		"count_customers":       {base: 10},
		"count_orders":          {base: 10},
		"count_products":        {base: 10},
		"customer_ours":         {base: 14},
		"customers_by_id":       {base: 2},
		"customers_page":        {base: 2, node: 2},
		"customers_seen":        {base: 2, node: 2},
		"deletions":             {base: 2, node: 1},
		"inventory_costs":       {base: 2, node: 15},
		"members_page":          {base: 2, node: 10},
		"metafield_definitions": {base: 24},
		"order_lines":           {base: 69},
		"order_refunds":         {base: 52},
		"orders_by_id":          {base: 58},
		"orders_oldest":         {base: 2, node: 1},
		"orders_page":           {base: 2, node: 58},
		"product_collections":   {base: 14},
		"product_variants":      {base: 36},
		"products_by_id":        {base: 41},
		"products_page":         {base: 2, node: 41},
		"refund_adjustments":    {base: 14},
		"refund_lines":          {base: 58},
		"refund_shipping":       {base: 14},
		"segment_create":        {base: 10},
		"segment_delete":        {base: 10},
		"segments_by_id":        {base: 1},
		"segments_page":         {base: 2, node: 1},
		"staged_upload":         {base: 11},
	}
}

// unpriced is what a document costs that nobody priced.
const unpriced = 50

// believed returns the price of an embedded document with a page size, 0 where it has none.
func believed(document string, first int) float64 {
	p, known := prices()[document]
	if !known {
		return unpriced
	}
	return p.base + p.node*steps(first)
}

// steps is how many nodes of a page Shopify counts.
func steps(first int) float64 {
	if first <= 0 {
		return 0
	}
	return max(1, math.Floor(2*math.Log(float64(first))))
}

// ledger learns from the answers how far belief and price are apart. It is safe for concurrent use.
type ledger struct {
	mu     sync.Mutex
	factor map[string]float64 // by operation
}

// expect returns what an operation will cost.
func (l *ledger) expect(op string, believed float64) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.factor[op]; f > 0 {
		return believed * f
	}
	return believed
}

// learn notes what an operation did cost.
func (l *ledger) learn(op string, believed, requested float64) {
	if believed <= 0 || requested <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.factor == nil {
		l.factor = map[string]float64{}
	}
	l.factor[op] = requested / believed
}
