package listmonk

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Erase deletes the person where nobody but us had anything to do with them, and else takes away what is ours. Rows on
// our lists that say "unsubscribed" stay with a person who stays, and so does somebody on the blocklist: both keep them
// from being mailed.
func (d *destination) Erase(ctx context.Context, who connectors.Person) (string, error) {
	if who.Email == "" {
		return "listmonk: nothing to do, the person has no e-mail address", nil
	}
	people, err := d.lookUp(ctx, []connectors.Person{who})
	if err != nil {
		return "", err
	}
	p, known := people.of(who)
	switch {
	case !known:
		return "listmonk: nothing was there", nil
	case d.isOnlyOurs(p):
		path := "/api/subscribers/" + strconv.Itoa(p.ID)
		if _, err := ask[bool](ctx, d.api, httpapi.Request{Op: "subscriber removal", Method: http.MethodDelete, Path: path}); err != nil {
			return "", err
		}
		return fmt.Sprintf("listmonk: subscriber %d was deleted", p.ID), nil
	default:
		return d.withdraw(ctx, p)
	}
}

// isOnlyOurs reports whether we created the person, or they are on lists of ours, and no other list knows them.
func (d *destination) isOnlyOurs(p person) bool {
	if p.Status != enabled {
		return false
	}
	_, created := d.object(p)[createdMark]
	for _, l := range p.Lists {
		if !d.isOurs(l) {
			return false
		}
	}
	return created || len(p.Lists) > 0
}

// withdraw takes away what is ours of somebody who stays.
func (d *destination) withdraw(ctx context.Context, p person) (string, error) {
	living := d.livingOurs(p)
	if len(living) > 0 {
		if err := d.api.manage(ctx, "list membership", "remove", []int{p.ID}, living); err != nil {
			return "", err
		}
	}
	cleared := d.isMarked(p)
	if cleared {
		if err := d.api.setAttributes(ctx, p.ID, d.prefix, nil); err != nil {
			return "", err
		}
	}
	if len(living) == 0 && !cleared {
		return fmt.Sprintf("listmonk: nothing of ours stood at subscriber %d", p.ID), nil
	}
	return fmt.Sprintf("listmonk: subscriber %d was taken off %d of our lists and our attributes were cleared; the subscriber stays, because other lists or the blocklist hold them", p.ID, len(living)), nil
}
