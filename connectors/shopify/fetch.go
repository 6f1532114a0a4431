package shopify

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Fetch reads single records. Null in the place of an id says that it does not exist, but for orders that the key may
// not see because they are too old: those stay undecided.
func (s *source) Fetch(ctx context.Context, resource commerce.Resource, ids []string) (connectors.Page, error) {
	k, err := kindOf(resource)
	if err != nil {
		return connectors.Page{}, err
	}
	w := &pull{source: s, kind: k, mode: connectors.Sweep}
	w.out.Done, w.out.Settled = true, resource == commerce.Orders
	wanted := map[string]string{}
	var gids []string
	for _, id := range ids {
		if g := k.gid(id); g != "" && wanted[g] == "" {
			wanted[g] = id
			gids = append(gids, g)
		}
	}
	if len(gids) == 0 {
		return w.out, nil
	}
	hides := false
	if resource == commerce.Orders {
		if hides, err = s.mayHide(ctx); err != nil {
			return connectors.Page{}, err
		}
	}
	err = s.byID(ctx, k.root+"_by_id", gids, func(gid string, raw []byte) error {
		if !isNull(raw) {
			return w.take(ctx, []json.RawMessage{raw})
		}
		if hides {
			w.out.Warnings = append(w.out.Warnings, "orders that were not found stay as they are: without the scope read_all_orders, old ones are only hidden")
			return nil
		}
		w.out.Deleted = append(w.out.Deleted, wanted[gid])
		return nil
	})
	if err != nil {
		return connectors.Page{}, err
	}
	return w.out, nil
}

// gid is the global id of a record of the kind, empty for what cannot be one.
func (k kind) gid(id string) string {
	typ := k.typ
	if number, variant := strings.CutPrefix(id, variantMark); variant && k.resource == commerce.Products {
		id, typ = number, "ProductVariant"
	}
	if n, err := strconv.ParseUint(id, 10, 63); err != nil || n == 0 {
		return ""
	}
	return gid(typ, id)
}

// byID asks for records by their global ids and hands each answer over; null where there is none. It asks for fewer at
// once where the shop cannot answer so many.
func (s *source) byID(ctx context.Context, document string, gids []string, each func(gid string, raw []byte) error) error {
	most := idBatch
	for len(gids) > 0 {
		some := gids[:min(most, len(gids))]
		var answer struct {
			Nodes []json.RawMessage `json:"nodes"`
		}
		err := s.granting(ctx, document, map[string]any{"ids": some}, &answer)
		if shrinkable(err) && len(some) > 1 && ctx.Err() == nil {
			most = len(some) / 2
			continue
		}
		if err != nil {
			return err
		}
		if len(answer.Nodes) != len(some) {
			return trouble(document, fmt.Sprintf("%d answers came for %d ids", len(answer.Nodes), len(some)))
		}
		for i, raw := range answer.Nodes {
			if err := each(some[i], raw); err != nil {
				return err
			}
		}
		gids = gids[len(some):]
	}
	return nil
}

// idBatch is how many records are asked by id at once.
const idBatch = 50
