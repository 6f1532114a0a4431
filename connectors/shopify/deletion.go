package shopify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
)

// readDeletions asks which records were deleted since the last pull. A shop that does not tell loses nothing: the next
// sweep finds them missing.
func (w *pull) readDeletions(ctx context.Context) error {
	filter := fmt.Sprintf("subject_type:'%s' AND action:'destroy' AND created_at:>=%s", w.subject, stamp(w.Since))
	found, err := w.ask250(ctx, "deletions", filter)
	if err != nil {
		return w.without(ctx, "deletions", err)
	}
	for _, raw := range found.Nodes {
		var event struct {
			Action  string `json:"action"`
			Subject string `json:"subjectId"`
		}
		if json.Unmarshal(raw, &event) != nil || event.Action != "destroy" {
			continue
		}
		if strings.HasPrefix(event.Subject, gid(w.typ, "")) {
			w.out.Deleted = append(w.out.Deleted, tail(event.Subject))
		}
	}
	return w.turn(found)
}

// without goes on without what only saves waiting for the sweep, where the shop does not tell it in any way: a search that
// always fails must not keep everything else from being read. What may pass is returned.
func (w *pull) without(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil || permissionOf(err) == "" && connectors.KindOf(err) != connectors.KindPermanent && !shrinkable(err) {
		return err
	}
	w.out.Warnings = append(w.out.Warnings, fmt.Sprintf("%s are found by the weekly sweep only: %v", what, err))
	w.proceed()
	return nil
}

// permissionOf returns the permission that an error names as missing.
func permissionOf(err error) string {
	var e *connectors.Error
	if errors.As(err, &e) {
		return e.Permission
	}
	return ""
}
