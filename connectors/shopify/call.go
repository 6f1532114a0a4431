package shopify

import (
	"fmt"
	"slices"
	"strings"
)

// step is one of the four things that are done to customers, in their order: what goes is taken away before what comes,
// so that a customer who passes from one person to another keeps what the second one put there.
type step string

// The steps.
const (
	removing step = "bulk_tags_remove"
	adding   step = "bulk_tags_add"
	dropping step = "bulk_metafields_delete"
	setting  step = "bulk_metafields_set"
)

func steplist() []step { return []step{removing, adding, dropping, setting} }

// perCall is how many metafields one mutation takes; it does all of them or none.
const perCall = 25

// call is one mutation: the tags of one customer, or metafields of one or several.
type call struct {
	step     step
	wishes   []int  // whose it is, by place
	customer string // global id, of tags
	tags     []string
	fields   []metafield
	keys     []metafieldKey
}

// variables are what the mutation is given.
func (c call) variables() map[string]any {
	switch c.step {
	case setting:
		return map[string]any{"metafields": c.fields}
	case dropping:
		return map[string]any{"metafields": c.keys}
	default:
		return map[string]any{"id": c.customer, "tags": c.tags}
	}
}

// mutations is about how many mutations wishes come to.
func mutations(wishes []wish) int {
	n, fields, keys := 0, 0, 0
	for _, w := range wishes {
		n += min(len(w.leave), 1) + min(len(w.join), 1)
		fields += len(w.set)
		keys += len(w.drop)
	}
	return n + (fields+perCall-1)/perCall + (keys+perCall-1)/perCall
}

// callsOf lists the mutations of one step of one wish.
func (d *destination) callsOf(s step, place int, w wish) []call {
	var calls []call
	of := call{step: s, wishes: []int{place}, customer: gid("Customer", w.customer)}
	switch s {
	case removing, adding:
		keys := w.join
		if s == removing {
			keys = w.leave
		}
		for _, key := range keys {
			of.tags = append(of.tags, d.tag(key))
		}
		if len(of.tags) > 0 {
			calls = append(calls, of)
		}
	case dropping:
		for keys := range slices.Chunk(d.dropped(w), perCall) {
			of.keys = keys
			calls = append(calls, of)
		}
	case setting:
		for fields := range slices.Chunk(d.metafields(w), perCall) {
			of.fields = fields
			calls = append(calls, of)
		}
	}
	return calls
}

// calls lists the mutations of all wishes, step by step. Metafields of several customers share a mutation.
func (d *destination) calls(wishes []wish) []call {
	var all []call
	for _, s := range steplist() {
		var shared *call
		for place, w := range wishes {
			for _, c := range d.callsOf(s, place, w) {
				if n := len(c.fields) + len(c.keys); n > 0 && shared != nil && len(shared.fields)+len(shared.keys)+n <= perCall {
					shared.wishes = append(shared.wishes, place)
					shared.fields = append(slices.Clip(shared.fields), c.fields...)
					shared.keys = append(slices.Clip(shared.keys), c.keys...)
					continue
				}
				all = append(all, c)
				shared = &all[len(all)-1]
			}
		}
	}
	return all
}

// shape is how a step's mutation is written in a request of several: its parameters and its body.
func (c call) shape(i int) (head, body string) {
	const tagged = "node { ... on Customer { id tags } } userErrors { field message }"
	switch c.step {
	case removing:
		return fmt.Sprintf("$i%d: ID!, $t%d: [String!]!", i, i), fmt.Sprintf("tagsRemove(id: $i%d, tags: $t%d) { %s }", i, i, tagged)
	case adding:
		return fmt.Sprintf("$i%d: ID!, $t%d: [String!]!", i, i), fmt.Sprintf("tagsAdd(id: $i%d, tags: $t%d) { %s }", i, i, tagged)
	case dropping:
		return fmt.Sprintf("$m%d: [MetafieldIdentifierInput!]!", i),
			fmt.Sprintf("metafieldsDelete(metafields: $m%d) { userErrors { field message } }", i)
	default:
		return fmt.Sprintf("$m%d: [MetafieldsSetInput!]!", i),
			fmt.Sprintf("metafieldsSet(metafields: $m%d) { metafields { key } userErrors { field message code } }", i)
	}
}

// batch is a request that holds many mutations, which Shopify runs one after the other.
func batch(calls []call) query {
	q := query{
		Op: "customers batch", Variables: map[string]any{}, Cost: float64(10 * len(calls)), Idempotent: true, Shrinkable: true,
	}
	head, body := make([]string, len(calls)), make([]string, len(calls))
	for i, c := range calls {
		h, b := c.shape(i)
		head[i], body[i] = h, fmt.Sprintf("  %s: %s", alias(i), b)
		for name, value := range c.variables() {
			q.Variables[fmt.Sprintf("%c%d", name[0], i)] = value
		}
	}
	q.Text = "mutation PerennialWrite(" + strings.Join(head, ", ") + ") {\n" + strings.Join(body, "\n") + "\n}"
	return q
}

func alias(i int) string { return fmt.Sprintf("c%d", i) }

// document is the mutation that a bulk operation runs over the lines of a step.
func document(s step) string { return text(string(s)) }
