package connectortest

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// position is where a pull stands.
type position struct {
	resource commerce.Resource
	mode     connectors.Mode
	cursor   connectors.Cursor
}

// harvest is everything that one pull brought, from its first page to its last.
type harvest struct {
	ids      []string // in order of arrival, repeats included
	cursors  []connectors.Cursor
	pages    [][]string // ids by page
	reviews  map[string]commerce.Review
	orders   map[string]commerce.Order
	lines    map[string][]commerce.Line
	refunds  map[string][]commerce.Refund
	complete map[string]bool
	rejected []connectors.Rejected
	deleted  []string
	end      connectors.Cursor
}

// maxPages ends a pull that goes round in circles.
const maxPages = 2000

// drain pulls until the last page. Any error fails the test.
func (r *sourceRun) drain(source connectors.Source, at position) *harvest {
	r.Helper()
	return r.collect(source, at, 0)
}

// collect pulls until the last page and repeats a page that failed for a passing reason, at most retries times in all,
// as the next runs of the daemon would.
func (r *sourceRun) collect(source connectors.Source, at position, retries int) *harvest {
	r.Helper()
	h := newHarvest()
	for range maxPages {
		a := r.pull(source, at)
		if a.err != nil {
			require.True(r, transient(a.err), "%s: %v is %s", at.resource, a.err, connectors.KindOf(a.err))
			require.Positive(r, retries, "%s: %v", at.resource, a.err)
			retries--
			continue
		}
		if r.notYet(a.value) {
			if at.cursor != a.value.Next {
				h.add(at, a.value)
				at.cursor = a.value.Next
			}
			continue
		}
		h.add(at, a.value)
		if a.value.Done {
			h.end = a.value.Next
			return h
		}
		at.cursor = a.value.Next
	}
	r.Fatalf("%s: no end after %d pages", at.resource, maxPages)
	return h
}

// notYet waits where a page says that nothing is ready. Its cursor may name the job that has begun.
func (r *sourceRun) notYet(page connectors.Page) bool {
	if page.NotBefore.IsZero() || page.Done {
		return false
	}
	time.Sleep(min(time.Second, max(0, page.NotBefore.Sub(r.Now()))))
	return true
}

// firstPage pulls until there is a page with something in it, or the last one.
func (r *sourceRun) firstPage(source connectors.Source, at position) connectors.Page {
	r.Helper()
	for range maxPages {
		a := r.pull(source, at)
		require.NoError(r, a.err)
		at.cursor = a.value.Next
		if !r.notYet(a.value) && (a.value.Done || a.value.Records.Len() > 0) {
			return a.value
		}
	}
	r.Fatalf("%s: no page with a record", at.resource)
	return connectors.Page{}
}

func newHarvest() *harvest {
	return &harvest{
		reviews: map[string]commerce.Review{}, orders: map[string]commerce.Order{}, lines: map[string][]commerce.Line{},
		refunds: map[string][]commerce.Refund{}, complete: map[string]bool{},
	}
}

func (h *harvest) add(at position, page connectors.Page) {
	ids := idsOf(page.Records, at.resource)
	h.cursors = append(h.cursors, at.cursor)
	h.pages = append(h.pages, ids)
	h.ids = append(h.ids, ids...)
	h.rejected = append(h.rejected, page.Rejected...)
	h.deleted = append(h.deleted, page.Deleted...)
	for _, id := range page.Records.Complete { // the set that comes now is the whole set
		h.complete[id] = true
		h.lines[id], h.refunds[id] = nil, nil
	}
	for _, review := range page.Records.Reviews {
		h.reviews[review.ID] = review
	}
	for _, order := range page.Records.Orders {
		h.orders[order.ID] = order
	}
	for _, line := range page.Records.Lines {
		h.lines[line.OrderID] = append(h.lines[line.OrderID], line)
	}
	for _, refund := range page.Records.Refunds {
		h.refunds[refund.OrderID] = append(h.refunds[refund.OrderID], refund)
	}
	if page.Settled {
		for id := range h.orders {
			h.complete[id] = true
		}
	}
}

// distinct returns the ids without repeats, sorted.
func (h *harvest) distinct() []string { return distinct(h.ids) }

func distinct(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

func idsOf(batch commerce.Batch, resource commerce.Resource) []string {
	var ids []string
	switch resource {
	case commerce.Products:
		for _, p := range batch.Products {
			ids = append(ids, p.ID)
		}
	case commerce.Coupons:
		for _, c := range batch.Coupons {
			ids = append(ids, c.ID)
		}
	case commerce.Customers:
		for _, c := range batch.Customers {
			ids = append(ids, c.ID)
		}
	case commerce.Orders:
		for _, o := range batch.Orders {
			ids = append(ids, o.ID)
		}
	case commerce.Reviews:
		for _, v := range batch.Reviews {
			ids = append(ids, v.ID)
		}
	}
	return ids
}
