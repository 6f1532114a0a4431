package shopify

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

// needs marks a line of a document that may be asked only where a scope is granted: one field that may not be read fails
// a whole bulk operation.
const needs = "# needs "

// prune leaves out the lines of a document for which a scope is missing, and all comments.
func prune(document string, granted map[string]bool) string {
	var kept strings.Builder
	for line := range strings.Lines(document) {
		body, comment, _ := strings.Cut(strings.TrimRight(line, "\n"), "#")
		if scope, wanted := strings.CutPrefix("#"+comment, needs); wanted && !granted[strings.TrimSpace(scope)] {
			continue
		}
		if body = strings.TrimRight(body, " "); body != "" {
			kept.WriteString(body + "\n")
		}
	}
	return kept.String()
}

// scopesLife is how long we go by what the app was granted before we ask again.
const scopesLife = 30 * time.Minute

// scopes returns what the app was granted. A scope to write includes the one to read.
func (s *source) scopes(ctx context.Context) (map[string]bool, error) {
	if !s.asked.IsZero() && s.now().Sub(s.asked) < scopesLife {
		return s.granted, nil
	}
	var answer struct {
		Installation *struct {
			Scopes []struct {
				Handle string `json:"handle"`
			} `json:"accessScopes"`
		} `json:"currentAppInstallation"`
	}
	if err := s.ask(ctx, "access_scopes", nil, &answer); err != nil {
		return nil, err
	}
	if answer.Installation == nil { // or fields would be left out that are only not seen
		return nil, shapeless("access scopes")
	}
	granted := map[string]bool{}
	for _, scope := range answer.Installation.Scopes {
		granted[scope.Handle] = true
		if what, ok := strings.CutPrefix(scope.Handle, "write_"); ok {
			granted["read_"+what] = true
		}
	}
	s.granted, s.asked = granted, s.now()
	return granted, nil
}

// granting runs an embedded document without the fields for which a scope is missing.
func (s *source) granting(ctx context.Context, document string, variables map[string]any, target any) error {
	granted, err := s.scopes(ctx)
	if err != nil {
		return err
	}
	first, paged := variables["first"].(int)
	return s.run(ctx, query{
		Op: strings.ReplaceAll(document, "_", " "), Text: prune(text(document), granted), Variables: variables,
		Cost: believed(document, first), Idempotent: true, Shrinkable: paged || variables["ids"] != nil,
	}, target)
}

// lacking lists the scopes of a kind that are not granted.
func (k kind) lacking(granted map[string]bool) []string {
	return slices.DeleteFunc(slices.Clone(k.needed), func(scope string) bool { return granted[scope] })
}

// hidden is the age from which on orders are not shown without read_all_orders.
const hidden = 61 * 24 * time.Hour

// mayHide reports whether orders may be hidden from us. The scope says that none are; apps made in the admin may see
// all without it, and then an old order is the proof.
func (s *source) mayHide(ctx context.Context) (bool, error) {
	if s.unseen != nil {
		return *s.unseen, nil
	}
	granted, err := s.scopes(ctx)
	if err != nil {
		return true, err
	}
	hides := !granted["read_all_orders"]
	if hides {
		var answer struct {
			Orders list[struct {
				CreatedAt time.Time `json:"createdAt"`
			}] `json:"orders"`
		}
		if err := s.ask(ctx, "orders_oldest", map[string]any{"first": 1}, &answer); err != nil {
			return true, err
		}
		for _, o := range answer.Orders.Nodes {
			hides = s.now().Sub(o.CreatedAt) < hidden
		}
	}
	s.unseen = &hides
	return hides, nil
}

var _ connectors.Fetcher = (*source)(nil)
