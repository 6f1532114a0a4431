package shopify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// lag is how far behind the shop its search index may be: an increment asks from this long before the start of the one
// before it.
const lag = 10 * time.Minute

// source reads one shop. What it remembers beside the cursor can be asked for again by any instance.
type source struct {
	*api
	granted map[string]bool // scopes
	asked   time.Time       // when they were asked for; zero never
	unseen  *bool           // whether orders may be hidden from us; nil until it is asked for
	done    operation       // the completed operation whose file is being read
	filed   memberships     // which collections the products of that file are in
}

func newSource(a *api) *source { return &source{api: a} }

// Check asks the shop who it is and what our app may read.
func (s *source) Check(ctx context.Context) (connectors.Report, error) { return s.checkSource(ctx) }

// Resources lists what Shopify can tell. Discount codes stand on the orders, and reviews belong to apps.
func (s *source) Resources() []connectors.Offer {
	return []connectors.Offer{
		{Resource: commerce.Products, Incremental: true},
		{Resource: commerce.Customers, Incremental: true},
		{Resource: commerce.Orders, Incremental: true},
	}
}

// kind is what is special about reading one resource.
type kind struct {
	resource commerce.Resource
	root     string        // the connection, such as "orders"
	typ      string        // of its nodes, such as "Order"
	created  string        // the search field for the time of creation
	overlap  time.Duration // by which a search for changes must start earlier
	page     int           // most records of a page
	subject  string        // of events
	needed   []string      // without which nothing of it can be read
}

func kindOf(resource commerce.Resource) (kind, error) {
	switch resource {
	case commerce.Products:
		return kind{
			resource: resource, root: "products", typ: "Product", created: "created_at", page: 250, subject: "PRODUCT",
			needed: []string{"read_products"},
		}, nil
	case commerce.Customers: // searches compare the whole day of their last change
		return kind{
			resource: resource, root: "customers", typ: "Customer", created: "customer_date", page: 250, subject: "CUSTOMER",
			overlap: 48 * time.Hour, needed: []string{"read_customers"},
		}, nil
	case commerce.Orders:
		return kind{
			resource: resource, root: "orders", typ: "Order", created: "created_at", page: 250, subject: "ORDER",
			needed: []string{"read_orders"},
		}, nil
	default:
		return kind{}, &connectors.Error{Kind: connectors.KindPermanent, Op: "pull", Err: fmt.Errorf("no %q in a Shopify shop", resource)}
	}
}

// filter is the search that a position asks for; empty for everything.
func (k kind) filter(p position) string {
	var terms []string
	if !p.Since.IsZero() {
		terms = append(terms, "updated_at:>="+stamp(p.Since.Add(-k.overlap)))
	}
	if !p.Window.From.IsZero() {
		terms = append(terms, k.created+":>="+stamp(p.Window.From))
	}
	if !p.Window.To.IsZero() {
		terms = append(terms, k.created+":<"+stamp(p.Window.To))
	}
	return strings.Join(terms, " AND ")
}

// pull is one call of Pull under way.
type pull struct {
	*source
	kind
	mode connectors.Mode
	position
	out connectors.Page
}

// Pull reads one page.
func (s *source) Pull(ctx context.Context, resource commerce.Resource, mode connectors.Mode, cursor connectors.Cursor) (connectors.Page, error) {
	k, err := kindOf(resource)
	if err != nil {
		return connectors.Page{}, err
	}
	p, err := parseCursor(cursor)
	if err != nil {
		return connectors.Page{}, err
	}
	if mode == connectors.Sweep && p.Phase == deciding {
		p.Since = time.Time{}
	}
	w := &pull{source: s, kind: k, mode: mode, position: p}
	if err := w.step(ctx); err != nil {
		return connectors.Page{}, err
	}
	w.out.Total = w.Total
	if !w.out.Done {
		w.out.Next = w.cursor()
	}
	return w.out, nil
}

func (w *pull) step(ctx context.Context) error {
	switch w.Phase {
	case deciding, catchup:
		return w.decide(ctx)
	case paging:
		return w.readPage(ctx)
	case starting:
		return w.start(ctx)
	case reading:
		return w.result(ctx)
	case costs:
		return w.readCosts(ctx)
	case deletions:
		return w.readDeletions(ctx)
	default:
		return &connectors.Error{
			Kind: connectors.KindPermanent, Op: w.root + " page", Err: errors.New("the cursor is of another kind of pull"),
			Remedy: "run resync for this shop",
		}
	}
}

// decide counts what there is to read: few records are read in pages, many by a bulk operation.
func (w *pull) decide(ctx context.Context) error {
	n, err := w.count(ctx) // which also tells what time it is in the shop
	w.Began = w.present()
	switch {
	case shrinkable(err): // so much that it cannot be counted
		n = max(n, w.set.BulkFrom)
	case err != nil:
		return err
	}
	if w.Phase == deciding {
		w.Total = n
	}
	if n >= w.set.BulkFrom {
		w.Phase = starting
		return w.start(ctx)
	}
	w.Phase = paging
	return w.readPage(ctx)
}

func (w *pull) count(ctx context.Context) (int, error) {
	var answer map[string]struct {
		Count int `json:"count"`
	}
	variables := map[string]any{}
	if filter := w.filter(w.position); filter != "" {
		variables["query"] = filter
	}
	if err := w.ask(ctx, "count_"+w.root, variables, &answer); err != nil {
		return 0, err
	}
	return answer[w.root+"Count"].Count, nil
}

// proceed goes on behind the records: to what else has to be asked where changes are read, or to the end. The file of a
// sweep may be older than what increments have stored meanwhile, so what changed since it was made is read once more.
func (w *pull) proceed() {
	next := position{Since: w.Since, Began: w.Began, Total: w.Total, Hold: w.Hold}
	changes := !w.Since.IsZero()
	switch {
	case w.mode == connectors.Sweep && w.Phase == reading && !changes:
		next.Phase, next.Since = catchup, w.Began.Add(-lag)
	case changes && w.resource == commerce.Products && (w.Phase == paging || w.Phase == reading):
		next.Phase = costs
	case changes && w.Phase != deletions:
		next.Phase = deletions
	default:
		w.finish()
	}
	w.position = next
}

// finish ends the pull. The next one asks for what changed since a little before this one began, so nothing that the
// index learnt late is missed, and never for what came after.
func (w *pull) finish() {
	w.out.Done, w.out.Next = true, ""
	w.out.Settled = w.resource == commerce.Orders
	switch {
	case w.mode == connectors.Sweep:
	case w.Began.IsZero():
		w.out.Next = position{Since: w.Since}.cursor()
	default:
		since := w.Began.Add(-lag)
		if !w.Hold.IsZero() && w.Hold.Before(since) {
			since = w.Hold
		}
		w.out.Next = position{Since: since}.cursor()
	}
}
