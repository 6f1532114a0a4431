package shopify

import (
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
)

// payload is what one mutation answers.
type payload struct {
	Node *struct {
		ID   string   `json:"id"`
		Tags []string `json:"tags"`
	} `json:"node"`
	Metafields []struct {
		Key string `json:"key"`
	} `json:"metafields"`
	Errors userErrors `json:"userErrors"`
}

// shows is how many things an answer without errors names in proof of a step: the customer, or the metafields set. Of what
// is deleted Shopify names only what was there, so no proof is asked for.
func (p *payload) shows(s step) int {
	switch {
	case s == setting:
		return len(p.Metafields)
	case s != dropping && p.Node == nil:
		return 0
	}
	return 1
}

// verdict is what came of a mutation for one person; the zero verdict is success.
type verdict struct {
	state  connectors.OutcomeState
	reason string
}

func (v verdict) good() bool { return v.state == "" }

func gone() verdict { return verdict{state: connectors.Withheld, reason: connectors.ReasonNotThere} }

func later(reason string) verdict { return verdict{state: connectors.RetryLater, reason: reason} }

func unconfirmed() verdict { return later("Shopify took the request and did not confirm it") }

// outcome tells what came of a wish.
func (w wish) outcome(v verdict) connectors.Outcome {
	if v.good() {
		v.state = connectors.Delivered
	}
	return connectors.Outcome{PersonID: w.person, State: v.state, RemoteID: w.customer, Reason: v.reason}
}

// userErrors are what Shopify has against one mutation.
type userErrors []userError

func (e userErrors) code(code string) bool {
	return slices.ContainsFunc(e, func(one userError) bool { return one.Code == code })
}

// gone reports whether the customer does not exist any more.
func (e userErrors) gone() bool {
	return slices.ContainsFunc(e, func(one userError) bool {
		return strings.HasSuffix(strings.TrimRight(one.Message, "."), "does not exist")
	})
}

// passing reports whether the same mutation may well succeed the next time.
func (e userErrors) passing() bool {
	return e.code("INTERNAL_ERROR") || e.code("STALE_OBJECT") || slices.ContainsFunc(e, func(one userError) bool {
		return strings.Contains(strings.ToLower(one.Message), "try again") // mutations of tags give no codes
	})
}

// words are Shopify's own, without secrets.
func (d *destination) words(errs userErrors) string {
	var all []string
	for _, e := range errs {
		if !slices.Contains(all, e.Message) {
			all = append(all, e.Message)
		}
	}
	return d.http.Harmless(strings.Join(all, "; "))
}

// judge says what the answer of a mutation means for the people in it.
func (d *destination) judge(p *payload) verdict {
	switch {
	case p == nil:
		return later("Shopify gave no answer for this customer")
	case len(p.Errors) == 0:
		return verdict{}
	case p.Errors.gone():
		return gone()
	case p.Errors.passing():
		return later(d.words(p.Errors))
	default:
		return verdict{state: connectors.Refused, reason: d.words(p.Errors)}
	}
}
