package shopify

import (
	"context"

	"github.com/goccy/go-json"
)

// readCosts reads again the products of which an inventory item changed: a new unit cost does not move the product.
func (w *pull) readCosts(ctx context.Context) error {
	found, err := w.ask250(ctx, "inventory_costs", "updated_at:>="+stamp(w.Since))
	if err != nil {
		return w.without(ctx, "new unit costs", err)
	}
	var ids []string
	seen := map[string]bool{}
	for _, raw := range found.Nodes {
		var item struct {
			Variants list[struct {
				Product ref `json:"product"`
			}] `json:"variants"`
		}
		if json.Unmarshal(raw, &item) != nil {
			return shapeless("inventory costs")
		}
		for _, v := range item.Variants.Nodes {
			if id := v.Product.ID; id != "" && !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	err = w.byID(ctx, "products_by_id", ids, func(_ string, raw []byte) error {
		return w.take(ctx, []json.RawMessage{raw})
	})
	if err != nil {
		return err
	}
	return w.turn(found)
}
