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
	switch {
	case permissionOf(err) != "" || connectors.KindOf(err) == connectors.KindPermanent || shrinkable(err) && ctx.Err() == nil:
		w.out.Warnings = append(w.out.Warnings, fmt.Sprintf("deletions are found by the weekly sweep only: %v", err))
		w.proceed()
		return nil
	case err != nil:
		return err
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

// permissionOf returns the permission that an error names as missing.
func permissionOf(err error) string {
	var e *connectors.Error
	if errors.As(err, &e) {
		return e.Permission
	}
	return ""
}
