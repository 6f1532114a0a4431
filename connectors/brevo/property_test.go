package brevo

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// nights is a destination to which random people are pushed over some nights, in which anything happens.
type nights struct {
	*bench
	t         *testing.T
	d         *destination
	audiences []connectors.Audience
	people    []connectors.Person
	consent   map[int64]commerce.ConsentState
	said      map[string]bool // addresses of people who said no and were not deleted since
}

// TestWhateverHappensEverybodyIsAnsweredAndNoMeansNo pushes random people in random modes through random faults. At the
// end of each story a clean night brings everybody where they belong, and another one writes nothing.
func TestWhateverHappensEverybodyIsAnsweredAndNoMeansNo(t *testing.T) {
	b := startBench(t, func(o *brevotest.Options) { o.Validate = nil }) // the rest of the tests are validated
	story := 0
	rapid.Check(t, func(r *rapid.T) {
		story++
		n := startNights(t, r, b, story)
		var desired []connectors.Change
		for range rapid.IntRange(1, 3).Draw(r, "nights") {
			desired = n.desire(r)
			n.happen(r)
			n.disturb(r)
			n.push(desired)
			b.Fault(brevotest.Fault{})
			b.Job("")
		}
		outcomes := n.settle(desired)
		n.check(desired, outcomes)
		desired = slices.DeleteFunc(desired, func(c connectors.Change) bool { return outcomes[c.Person.ID].State == connectors.Refused })
		before := len(b.Requests())
		n.settle(desired)
		for _, q := range b.Requests()[before:] {
			require.False(t, q.Write, "a quiet night writes %s %s %s", q.Method, q.Path, q.Body)
		}
	})
}

// startNights makes some people of every kind.
func startNights(t *testing.T, r *rapid.T, b *bench, story int) *nights {
	mode := rapid.SampledFrom([]string{"both", "attributes", "lists"}).Draw(r, "mode")
	d := b.open(t, connectors.Settings{
		"mode": mode, "batch": rapid.SampledFrom([]int{1, 3, 100}).Draw(r, "batch"), "create_missing": rapid.Bool().Draw(r, "create"),
		"import_from": rapid.SampledFrom([]int{0, 1, 4}).Draw(r, "import"),
	}, connectors.Deps{Prefix: fmt.Sprint("story", story)})
	n := &nights{bench: b, t: t, d: d, consent: map[int64]commerce.ConsentState{}, said: map[string]bool{}}
	n.audiences = ensure(t, d, champions, atRisk)
	states := []commerce.ConsentState{commerce.ConsentUnknown, commerce.ConsentSubscribed, commerce.ConsentUnsubscribed}
	for i := range rapid.IntRange(1, 9).Draw(r, "people") {
		p := connectors.Person{ID: int64(i + 1), Email: fmt.Sprintf("p%d@story%d.example.com", i, story)}
		switch rapid.SampledFrom([]string{"subscribed", "subscribed", "buyer", "stranger", "bad", "left", "blacklisted"}).Draw(r, "kind") {
		case "subscribed":
			b.Subscribe(p.Email, b.Newsletter())
		case "buyer":
			b.Subscribe(p.Email)
		case "bad":
			p.Email = fmt.Sprintf("two..dots%d@story%d.example.com", i, story)
		case "left":
			b.Subscribe(p.Email, b.Newsletter())
			require.NoError(t, b.Unsubscribe(p.Email, b.Newsletter()))
			n.said[p.Email] = true
		case "blacklisted":
			b.Subscribe(p.Email, b.Newsletter())
			require.NoError(t, b.Blacklist(p.Email))
			n.said[p.Email] = true
		}
		n.people = append(n.people, p)
		n.consent[p.ID] = rapid.SampledFrom(states).Draw(r, "consent")
	}
	return n
}

// desire draws the whole desired state.
func (n *nights) desire(r *rapid.T) []connectors.Change {
	var changes []connectors.Change
	for _, p := range n.people {
		c := connectors.Change{Person: p, Consent: n.consent[p.ID], Drop: []string{"since"}}
		for _, a := range n.audiences {
			if rapid.Bool().Draw(r, "in") {
				c.Audiences = append(c.Audiences, a.Key)
			} else {
				c.Leave = append(c.Leave, a.Key)
			}
		}
		if len(c.Audiences) > 0 {
			c.Attributes = map[string]string{"rfm": rapid.SampledFrom([]string{"111", "555"}).Draw(r, "rfm")}
			if rapid.Bool().Draw(r, "since") {
				c.Attributes["since"], c.Drop = "2026-11-02", nil
			}
		} else {
			c.Drop = []string{"rfm", "since"}
		}
		changes = append(changes, c)
	}
	return changes
}

// happen lets people and admins do something.
func (n *nights) happen(r *rapid.T) {
	for range rapid.IntRange(0, 3).Draw(r, "events") {
		email := rapid.SampledFrom(n.people).Draw(r, "who").Email
		p, there := n.look(email)
		if !there {
			continue
		}
		switch rapid.SampledFrom([]string{"blacklist", "leave", "delete", "tamper"}).Draw(r, "event") {
		case "blacklist":
			require.NoError(n.t, n.Blacklist(email))
			n.said[email] = true
		case "leave":
			if len(p.Lists) > 0 {
				list := rapid.SampledFrom(p.Lists).Draw(r, "list")
				require.NoError(n.t, n.Unsubscribe(email, list))
				n.said[email] = true
			}
		case "delete":
			require.NoError(n.t, n.Delete(email))
			delete(n.said, email)
		case "tamper":
			if name := n.d.attributeName("rfm"); n.Attributes()[name] != "" {
				require.NoError(n.t, n.SetAttribute(email, name, "999"))
			}
		}
	}
}

// disturb lets Brevo misbehave in the next push.
func (n *nights) disturb(r *rapid.T) {
	kinds := []brevotest.FaultKind{simulator.LostAnswer, simulator.CutBody, simulator.ServerError, simulator.EmptyBody}
	n.Fault(brevotest.Fault{
		Kind: rapid.SampledFrom(kinds).Draw(r, "fault"), Times: rapid.IntRange(0, 4).Draw(r, "times"), Writes: rapid.Bool().Draw(r, "writes"),
	})
	n.Job(rapid.SampledFrom([]brevotest.JobFault{"", brevotest.JobPartly, brevotest.JobDoesNone}).Draw(r, "job"))
}

// push is a night whose errors are no matter.
func (n *nights) push(changes []connectors.Change) {
	result, err := n.d.Apply(n.t.Context(), changes)
	for err == nil && result.Job != "" {
		result, err = n.d.Resume(n.t.Context(), result.Job)
	}
}

// settle pushes until nobody is to be tried again.
func (n *nights) settle(changes []connectors.Change) map[int64]connectors.Outcome {
	n.audiences = ensure(n.t, n.d, n.audiences...)
	var outcomes map[int64]connectors.Outcome
	for range 4 {
		outcomes = apply(n.t, n.d, changes...)
		require.Len(n.t, outcomes, len(changes), "nobody is passed over")
		again := false
		for _, o := range outcomes {
			again = again || o.State == connectors.RetryLater
		}
		if !again {
			return outcomes
		}
	}
	require.Fail(n.t, "it does not converge", "%+v", outcomes)
	return nil
}

// check holds what stands against what was desired.
func (n *nights) check(changes []connectors.Change, outcomes map[int64]connectors.Outcome) {
	for _, c := range changes {
		o, email := outcomes[c.Person.ID], c.Person.Email
		p, there := n.look(email)
		in := n.in(p)
		if n.said[email] {
			require.True(n.t, p.Blacklisted || len(p.Left) > 0, "the no of %s stands", email)
			require.Empty(n.t, in, "%s said no: %+v", email, o)
		}
		switch o.State {
		case connectors.Delivered, connectors.Unchanged:
			if len(c.Audiences) > 0 {
				require.True(n.t, there)
			}
			require.ElementsMatch(n.t, c.Audiences, in, "%s: %+v", email, o)
			for key, value := range c.Attributes {
				if n.d.writesAttributes() {
					require.Equal(n.t, value, textOf(p.Attributes[n.d.attributeName(key)]))
				}
			}
			for _, key := range c.Drop {
				require.NotContains(n.t, p.Attributes, n.d.attributeName(key))
			}
		case connectors.Withheld, connectors.Refused:
			require.NotEmpty(n.t, o.Reason)
			require.Empty(n.t, in)
		default:
			require.Fail(n.t, "no outcome", "%+v", o)
		}
	}
}

// in are the audiences in which a person is and in which a campaign would reach them.
func (n *nights) in(p brevotest.Person) []string {
	var keys []string
	text, _ := p.Attributes[n.d.attributeName(audiencesKey)].(string)
	for _, a := range n.audiences {
		id := idOf(a)
		listed := slices.Contains(p.Lists, id) && !slices.Contains(p.Left, id)
		if listed || strings.Contains(text, ","+a.Key+",") {
			keys = append(keys, a.Key)
		}
	}
	return keys
}
