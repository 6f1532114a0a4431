package klaviyo

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// lookUpBatch is how many people one look-up asks for: as many as one page of profiles holds.
const lookUpBatch = 100

// found is what look-ups found.
type found struct {
	people  map[string]profile // by what was asked for: normalised address, or id
	refused map[string]string  // what Klaviyo does not take for an address, with its words
}

// lookUp finds people by "email" or "id", with their consent and our properties. Those whom Klaviyo does not know are
// missing in the answer.
func (d *destination) lookUp(ctx context.Context, by string, values []string) (found, error) {
	all := found{people: map[string]profile{}, refused: map[string]string{}}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for chunk := range slices.Chunk(values, lookUpBatch) {
		group.Go(func() error { return d.lookUpChunk(ctx, by, chunk, &mu, &all) })
	}
	return all, group.Wait()
}

// lookUpChunk asks for some people at once. Where Klaviyo stumbles over one of them, the halves are asked for by
// themselves until that one is found.
func (d *destination) lookUpChunk(ctx context.Context, by string, values []string, mu *sync.Mutex, all *found) error {
	people, err := d.filtered(ctx, by, values)
	if saysStatus(err, http.StatusBadRequest) {
		if len(values) == 1 {
			mu.Lock()
			defer mu.Unlock()
			all.refused[values[0]] = refusal(err).Error()
			return nil
		}
		half := len(values) / 2
		if err := d.lookUpChunk(ctx, by, values[:half], mu, all); err != nil {
			return err
		}
		return d.lookUpChunk(ctx, by, values[half:], mu, all)
	}
	if err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	for _, p := range people {
		key := p.ID
		if by == "email" {
			key = commerce.Email(p.Attributes.Email)
		}
		if slices.Contains(values, key) {
			all.people[key] = p
		}
	}
	return nil
}

func (d *destination) filtered(ctx context.Context, by string, values []string) ([]profile, error) {
	list, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	query := profileQuery()
	query.Set("filter", "any("+by+","+string(list)+")")
	answer, err := ask[[]profile](ctx, d.api, call{op: "profile look-up", to: readProfiles, path: "/api/profiles", query: query})
	return answer.Data, err
}

// profileQuery asks for what we need of profiles, consent included, in pages as large as there are.
func profileQuery() url.Values {
	return url.Values{
		"additional-fields[profile]": {"subscriptions"}, "fields[profile]": {profileFields}, "page[size]": {"100"},
	}
}
