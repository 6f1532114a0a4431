package listmonk

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/perennial-cvo/perennial/connectors"
)

// moveOnLists does one action for all, one request for each list and batch.
func (d *destination) moveOnLists(ctx context.Context, action string, tasks []*task, lists func(*task) []int) error {
	byList := map[int][]*task{}
	for _, t := range tasks {
		for _, id := range lists(t) {
			byList[id] = append(byList[id], t)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(byList)) {
		for chunk := range slices.Chunk(byList[id], d.listBatch) {
			if err := d.moveTogether(ctx, action, chunk, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// moveTogether sends one request for many people. listmonk takes all or none, so where it stumbles over somebody who is
// gone, the halves are sent by themselves until that one is found.
func (d *destination) moveTogether(ctx context.Context, action string, tasks []*task, id int) error {
	ids := make([]int, len(tasks))
	for i, t := range tasks {
		ids[i] = t.id
	}
	err := d.api.manage(ctx, "list membership", action, ids, []int{id})
	switch {
	case saysAny(err, http.StatusInternalServerError, "subscriber_lists_list_id_fkey"):
		d.forgetLists()
		return &connectors.Error{
			Kind: connectors.KindRetry, Op: "list membership", Err: errors.New("the list was deleted in listmonk meanwhile"),
			Remedy: "nothing to do: the next push makes it anew",
		}
	case !saysAny(err, http.StatusInternalServerError, "subscriber_lists_subscriber_id_fkey"):
		return err
	case len(tasks) == 1:
		tasks[0].conclude(connectors.RetryLater, "deleted in listmonk meanwhile")
		return nil
	}
	half := len(tasks) / 2
	if err := d.moveTogether(ctx, action, tasks[:half], id); err != nil {
		return err
	}
	return d.moveTogether(ctx, action, tasks[half:], id)
}
