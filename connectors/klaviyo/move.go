package klaviyo

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// move takes people off lists and puts them on lists, one request for each list and batch. Leaving comes first, so that
// somebody who changes audiences is never in both.
func (d *destination) move(ctx context.Context, tasks []*task) error {
	for _, step := range []struct {
		to     endpoint
		method string
		lists  func(*task) []string
	}{
		{removeMembers, http.MethodDelete, func(t *task) []string { return t.leave }},
		{addMembers, http.MethodPost, func(t *task) []string { return t.join }},
	} {
		byList := map[string][]*task{}
		for _, t := range tasks {
			for _, id := range step.lists(t) {
				byList[id] = append(byList[id], t)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(byList)) {
			c := call{op: "list membership", to: step.to, method: step.method, path: "/api/lists/" + id + "/relationships/profiles"}
			for chunk := range slices.Chunk(byList[id], d.listBatch) {
				if err := d.moveTogether(ctx, c, id, chunk); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// moveTogether sends one request for many people. Where Klaviyo stumbles over somebody who is gone, those it points at are
// left out, and where it points at nobody the halves are sent by themselves until that one is found. A list that is gone is
// made anew by the next push.
func (d *destination) moveTogether(ctx context.Context, c call, list string, tasks []*task) error {
	if len(tasks) == 0 {
		return nil
	}
	people := make([]resource, len(tasks))
	for i, t := range tasks {
		people[i] = resource{Type: "profile", ID: t.id}
	}
	c.body = people
	err := d.api.send(ctx, c)
	switch {
	case err == nil:
		return nil
	case !saysStatus(err, http.StatusNotFound) && !saysStatus(err, http.StatusBadRequest):
		return err
	}
	gone, asked := d.isGone(ctx, list)
	if asked != nil {
		return asked
	}
	if gone {
		for _, t := range tasks {
			if c.to == addMembers { // whoever was to leave it is out of it
				t.putOff("the list was deleted in Klaviyo meanwhile")
			}
		}
		return nil
	}
	if bad := pointed(refusal(err), "/data/", len(tasks)); len(bad) > 0 {
		for place := range bad {
			tasks[place].putOff("deleted in Klaviyo meanwhile")
		}
		return d.moveTogether(ctx, c, list, without(tasks, bad))
	}
	if len(tasks) == 1 {
		tasks[0].putOff(refusal(err).Error())
		return nil
	}
	half := len(tasks) / 2
	if err := d.moveTogether(ctx, c, list, tasks[:half]); err != nil {
		return err
	}
	return d.moveTogether(ctx, c, list, tasks[half:])
}

// isGone asks whether a list is there no more.
func (d *destination) isGone(ctx context.Context, id string) (bool, error) {
	_, err := ask[list](ctx, d.api, call{op: "list", to: readList, path: "/api/lists/" + id, query: url.Values{"fields[list]": {"name"}}})
	if saysStatus(err, http.StatusNotFound) {
		return true, nil
	}
	return false, err
}

// pointed returns the places among n that a refusal points at, behind the beginning of its pointers, with the words.
func pointed(said *apiError, beginning string, n int) map[int]string {
	places := map[int]string{}
	for _, item := range said.Items {
		rest, ours := strings.CutPrefix(item.Source.Pointer, beginning)
		number, _, _ := strings.Cut(rest, "/")
		if place, err := strconv.Atoi(number); ours && err == nil && place >= 0 && place < n {
			places[place] = item.Detail
		}
	}
	return places
}

// without returns the tasks that are not at the places.
func without(tasks []*task, places map[int]string) []*task {
	var rest []*task
	for i, t := range tasks {
		if _, out := places[i]; !out {
			rest = append(rest, t)
		}
	}
	return rest
}
