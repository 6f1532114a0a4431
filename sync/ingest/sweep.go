package ingest

import (
	"context"
	"fmt"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// finish ends a sweep that has read everything: what it did not meet is deleted, if the shop confirms it where it can,
// and if not so much is missing that the shop's answer is more likely to be wrong.
func (r *runner) finish(ctx context.Context, resource commerce.Resource) error {
	since := r.Since
	if !since.IsZero() {
		since = since.Add(windowMargin)
	}
	missing, living, err := r.Records.Unseen(ctx, resource, since)
	if err != nil {
		return err
	}
	pull := r.pullOf(resource)
	pull.Missing = len(missing)
	if len(missing) > vanishFloor && float64(len(missing)) > vanishShare*float64(living) && !r.AcceptDeletions {
		r.refused = append(r.refused, &connectors.Error{
			Kind: connectors.KindRecord, Op: string(resource) + " sweep",
			Err:    fmt.Errorf("%d of %d vanished from the shop at once; that looks like a fault, so nothing was deleted", len(missing), living),
			Remedy: "look into the shop; if it is right: perennial sync --sweep --accept-deletions",
		})
		missing = nil
	}
	confirmed, err := r.confirm(ctx, resource, missing)
	if err != nil {
		return err
	}
	written, err := r.Records.EndSweep(ctx, resource, confirmed)
	if err != nil {
		return err
	}
	pull = r.pullOf(resource)
	pull.Written = pull.Written.Add(written)
	return nil
}

// pullOf returns the sweep of a resource in the summary, also where it was read by an earlier process.
func (r *runner) pullOf(resource commerce.Resource) *Pull {
	for i := len(r.summary.Pulls) - 1; i >= 0; i-- {
		if p := &r.summary.Pulls[i]; p.Resource == resource && p.Mode == connectors.Sweep {
			return p
		}
	}
	r.summary.Pulls = append(r.summary.Pulls, Pull{Resource: resource, Mode: connectors.Sweep, Done: true})
	return &r.summary.Pulls[len(r.summary.Pulls)-1]
}

// confirm asks the shop about each missing record by its id, where it can be asked, and stores those that live though
// its lists hide them.
func (r *runner) confirm(ctx context.Context, resource commerce.Resource, missing []string) ([]string, error) {
	fetcher, ok := r.Source.(connectors.Fetcher)
	if !ok {
		return missing, nil
	}
	var confirmed []string
	for len(missing) > 0 {
		n := min(len(missing), fetchSize)
		page, err := r.fetch(ctx, fetcher, resource, missing[:n])
		if err != nil {
			return nil, err
		}
		confirmed = append(confirmed, page.Deleted...)
		missing = missing[n:]
		if err := r.storeHidden(ctx, resource, page); err != nil {
			return nil, err
		}
	}
	return confirmed, nil
}

func (r *runner) fetch(ctx context.Context, fetcher connectors.Fetcher, resource commerce.Resource, ids []string) (page connectors.Page, err error) {
	defer r.recovered(resource, &err)
	return fetcher.Fetch(ctx, resource, ids)
}

// storeHidden commits records that were fetched by id, as one more page of the sweep that leaves the cursor where it is.
func (r *runner) storeHidden(ctx context.Context, resource commerce.Resource, page connectors.Page) error {
	if page.Records.Len() == 0 && len(page.Rejected) == 0 {
		return nil
	}
	stand, err := r.Records.Cursor(ctx, resource, connectors.Sweep)
	if err != nil {
		return err
	}
	page.Deleted, page.Next, page.Done = nil, stand.Cursor, true
	written, err := r.Records.Commit(ctx, Commit{
		Resource: resource, Mode: connectors.Sweep, Old: stand.Cursor, Page: page, At: r.Now(),
	})
	if err != nil {
		return err
	}
	pull := r.pullOf(resource)
	pull.Written = pull.Written.Add(written)
	return nil
}
