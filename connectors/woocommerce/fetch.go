package woocommerce

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Fetch reads single records. Lists hide living records, such as orders whose status went away with its plugin, so an
// id that no list gives is asked for alone: only the shop's "invalid id" means deleted.
func (s *source) Fetch(ctx context.Context, resource commerce.Resource, ids []string) (connectors.Page, error) {
	page := connectors.Page{Done: true}
	wanted := map[string]bool{}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 63); err == nil && n > 0 {
			wanted[id] = true
		}
	}
	if len(wanted) == 0 {
		return page, nil
	}
	p := position{Children: childrenListed}
	if resource == commerce.Products {
		p.Children = 0
	}
	legs, err := s.legs(ctx, resource, &p)
	if err != nil {
		return page, err
	}
	for _, l := range legs {
		if err := s.fetchListed(ctx, resource, l, wanted, &page); err != nil {
			return page, err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		if err := s.fetchOne(ctx, resource, legs[0], id, &page); err != nil {
			return page, err
		}
	}
	return page, s.complete(ctx, resource, position{}, &page)
}

// fetchListed reads the wanted records that the list gives and takes them off the wanted ones.
func (s *source) fetchListed(ctx context.Context, resource commerce.Resource, l leg, wanted map[string]bool, page *connectors.Page) error {
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(wanted)), 100) {
		q := l.page(position{}, 100)
		q.Set("include", strings.Join(chunk, ","))
		answer, err := s.list(ctx, l.op, l.path, q)
		if status, _ := codeOf(err); l.optional && (noRoute(err) || status == 400) {
			return nil
		}
		if err != nil {
			return err
		}
		page.Warnings = append(page.Warnings, answer.warnings...)
		for _, raw := range answer.rows {
			id := idOf(raw)
			if !wanted[id] {
				continue // unreadable, or a shop that ignores include
			}
			delete(wanted, id)
			s.read(resource, l, row{raw: raw}, page)
		}
	}
	return nil
}

// fetchOne asks for one record by its id.
func (s *source) fetchOne(ctx context.Context, resource commerce.Resource, l leg, id string, page *connectors.Page) error {
	var raw json.RawMessage
	_, err := s.get(ctx, strings.TrimSuffix(l.op, " page")+" by id", l.path+"/"+id, url.Values{"_fields": l.query["_fields"]}, &raw)
	status, _ := codeOf(err)
	switch kind := connectors.KindOf(err); {
	case gone(err):
		page.Deleted = append(page.Deleted, id)
		return nil
	case err != nil && (ctx.Err() != nil || kind != connectors.KindRetry && kind != connectors.KindRecord && status != http.StatusForbidden):
		return err
	case err != nil:
		page.Warnings = append(page.Warnings, fmt.Sprintf("%s %s: undecided: %v", resource, id, err))
		return nil //nolint:nilerr // the one record stays undecided, and the warning says so
	}
	r := row{raw: raw}
	if idOf(raw) != id {
		page.Rejected = append(page.Rejected, connectors.Rejected{ID: id, Reason: "field id cannot be read", Raw: withoutKeys(raw)})
		return nil
	}
	s.read(resource, l, r, page)
	return nil
}

// idOf reads the id of a record, and nothing where it cannot be read.
func idOf(raw []byte) string {
	var r row
	if json.Unmarshal(raw, &r) != nil {
		return ""
	}
	return r.ID.String()
}
