package shopify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
)

const (
	longestTag = 255 // characters
	// listSize is how many customers one list of ids may hold.
	listSize = 250
	// listsAtOnce is how many such lists are looked at in one request.
	listsAtOnce = 10
)

// tag is an audience as customers carry it.
func (d *destination) tag(key string) string { return d.prefix + ":" + key }

// heed leaves the merchant's own tags alone, whatever their letter case. It returns what is left to do, and outcomes for
// those about whom nothing is left.
func (d *destination) heed(ctx context.Context, wishes []wish) ([]wish, []connectors.Outcome, error) {
	left, said, err := d.unclaimed(ctx, wishes)
	if err != nil {
		return nil, said, err
	}
	left, more, err := d.spare(ctx, left)
	return left, append(said, more...), err
}

// spare looks at the tags of customers who are to lose some. Shopify removes a tag in any letter case, so a tag that the
// merchant set himself, such as "Perennial:Champions", would go with ours: only what stands there exactly as we write it is
// removed.
func (d *destination) spare(ctx context.Context, wishes []wish) ([]wish, []connectors.Outcome, error) {
	var ids []string
	for _, w := range wishes {
		if len(w.leave) > 0 {
			ids = append(ids, w.customer)
		}
	}
	if len(ids) == 0 {
		return wishes, nil, nil
	}
	carried, err := d.carried(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	left := make([]wish, 0, len(wishes))
	var said []connectors.Outcome
	for _, w := range wishes {
		if len(w.leave) > 0 {
			tags, there := carried[w.customer]
			if !there {
				said = append(said, w.outcome(gone()))
				continue
			}
			w.leave = slices.DeleteFunc(w.leave, func(key string) bool { return !slices.Contains(tags, d.tag(key)) })
			if w.empty() {
				said = append(said, w.outcome(verdict{state: connectors.Unchanged}))
				continue
			}
		}
		left = append(left, w)
	}
	return left, said, nil
}

// unclaimed leaves out people who are to join an audience whose tag the merchant uses himself in another letter case. A
// shop knows a tag once, in the letters in which it was written first: what we add would stand there as his, and nobody
// could say later which of them are ours to remove.
func (d *destination) unclaimed(ctx context.Context, wishes []wish) ([]wish, []connectors.Outcome, error) {
	if err := d.readClaims(ctx, wishes); err != nil {
		return nil, nil, err
	}
	left := make([]wish, 0, len(wishes))
	var said []connectors.Outcome
	for _, w := range wishes {
		taken := slices.IndexFunc(w.join, func(key string) bool { return d.claims[key] != "" })
		if taken < 0 {
			left = append(left, w)
			continue
		}
		said = append(said, w.outcome(verdict{
			state:  connectors.Withheld,
			reason: fmt.Sprintf("the shop has a tag of its own, %q, which Shopify takes for ours: rename it, or set another prefix", d.claims[w.join[taken]]),
		}))
	}
	return left, said, nil
}

// readClaims asks once for each tag how somebody who carries it has it.
func (d *destination) readClaims(ctx context.Context, wishes []wish) error {
	var keys []string
	for _, w := range wishes {
		for _, key := range w.join {
			if _, known := d.claims[key]; !known {
				d.claims[key] = ""
				keys = append(keys, key)
			}
		}
	}
	for part := range slices.Chunk(keys, perRequest) {
		var answer map[string]struct {
			Nodes []struct {
				Tags []string `json:"tags"`
			} `json:"nodes"`
		}
		if err := d.run(ctx, d.claimsQuery(part), &answer); err != nil {
			clear(d.claims)
			return err
		}
		for i, key := range part {
			for _, customer := range answer[alias(i)].Nodes {
				d.claims[key] = foreign(customer.Tags, d.tag(key))
			}
		}
	}
	return nil
}

// foreign returns a tag that is ours but for the letter case, or nothing.
func foreign(tags []string, ours string) string {
	if slices.Contains(tags, ours) {
		return ""
	}
	for _, tag := range tags {
		if strings.EqualFold(tag, ours) {
			return tag
		}
	}
	return ""
}

func (d *destination) claimsQuery(keys []string) query {
	q := query{Op: "tags of the shop", Variables: map[string]any{}, Cost: float64(3 * len(keys)), Idempotent: true}
	var head, body []string
	for i, key := range keys {
		head = append(head, fmt.Sprintf("$q%d: String!", i))
		body = append(body, fmt.Sprintf("  %s: customers(first: 1, query: $q%d) { nodes { id tags } }", alias(i), i))
		q.Variables[fmt.Sprintf("q%d", i)] = "tag:'" + d.tag(key) + "'"
	}
	q.Text = "query TagsOfTheShop(" + strings.Join(head, ", ") + ") {\n" + strings.Join(body, "\n") + "\n}"
	return q
}

// carried returns the tags under our prefix, in any letter case, of those customers who exist, by the shop's id.
func (d *destination) carried(ctx context.Context, ids []string) (map[string][]string, error) {
	carried := map[string][]string{}
	for len(ids) > 0 {
		n := min(len(ids), d.lists*listSize)
		lists := slices.Collect(slices.Chunk(ids[:n], listSize))
		var answer map[string][]struct {
			ID   string   `json:"id"`
			Tags []string `json:"tags"`
		}
		err := d.run(ctx, carriedQuery(lists), &answer)
		if tooMuch(err) && d.lists > 1 {
			d.lists = max(1, len(lists)/2)
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, list := range answer {
			for _, customer := range list {
				if customer.ID != "" {
					carried[tail(customer.ID)] = slices.DeleteFunc(customer.Tags, func(tag string) bool { return !d.marked(tag) })
				}
			}
		}
		ids = ids[n:]
	}
	return carried, nil
}

// marked reports whether a tag stands under our prefix, in any letter case.
func (d *destination) marked(tag string) bool {
	return len(tag) > len(d.prefix)+1 && strings.EqualFold(tag[:len(d.prefix)+1], d.prefix+":")
}

func carriedQuery(lists [][]string) query {
	q := query{Op: "customers' tags", Variables: map[string]any{}, Cost: float64(len(lists)), Idempotent: true, Shrinkable: true}
	var head, body []string
	for i, list := range lists {
		ids := make([]string, len(list))
		for n, id := range list {
			ids[n] = gid("Customer", id)
		}
		head = append(head, fmt.Sprintf("$l%d: [ID!]!", i))
		body = append(body, fmt.Sprintf("  l%d: nodes(ids: $l%d) { ... on Customer { id tags } }", i, i))
		q.Variables[fmt.Sprintf("l%d", i)] = ids
	}
	q.Text = "query CustomerTags(" + strings.Join(head, ", ") + ") {\n" + strings.Join(body, "\n") + "\n}"
	return q
}
