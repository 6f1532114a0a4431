package brevo

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var (
	champions = connectors.Audience{Key: "champions", Name: "Champions"}
	atRisk    = connectors.Audience{Key: "at_risk", Name: "At risk"}
)

// open makes a destination on the bench with some settings changed.
func (b *bench) open(t *testing.T, changed connectors.Settings, deps ...connectors.Deps) *destination {
	t.Helper()
	settings := connectors.Settings{}
	for _, from := range []connectors.Settings{b.set, changed} {
		for key, value := range from {
			settings[key] = value
		}
	}
	with := connectors.Deps{Prefix: "perennial"}
	if len(deps) > 0 {
		with = deps[0]
	}
	d, err := factory(hurry).NewDestination(settings, with)
	require.NoError(t, err)
	return d.(*destination)
}

func ensure(t *testing.T, d *destination, audiences ...connectors.Audience) []connectors.Audience {
	t.Helper()
	all, err := d.Ensure(t.Context(), audiences)
	require.NoError(t, err)
	return all
}

// apply applies changes, follows the job to its end, and returns the outcomes by person.
func apply(t *testing.T, d *destination, changes ...connectors.Change) map[int64]connectors.Outcome {
	t.Helper()
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	return collect(t, d, result)
}

func collect(t *testing.T, d *destination, result connectors.Result) map[int64]connectors.Outcome {
	t.Helper()
	outcomes := map[int64]connectors.Outcome{}
	for range 10_000 {
		for _, o := range result.Outcomes {
			require.NotContains(t, outcomes, o.PersonID)
			outcomes[o.PersonID] = o
		}
		if result.Job == "" {
			return outcomes
		}
		time.Sleep(time.Until(result.NotBefore))
		var err error
		result, err = d.Resume(t.Context(), result.Job)
		require.NoError(t, err)
	}
	require.Fail(t, "the job has no end")
	return nil
}

// one applies one change.
func one(t *testing.T, d *destination, c connectors.Change) connectors.Outcome {
	t.Helper()
	outcomes := apply(t, d, c)
	require.Len(t, outcomes, 1)
	return outcomes[c.Person.ID]
}

func join(p connectors.Person, audiences ...connectors.Audience) connectors.Change {
	c := connectors.Change{Person: p, Attributes: map[string]string{"rfm": "545"}}
	for _, a := range audiences {
		c.Audiences = append(c.Audiences, a.Key)
	}
	return c
}

func joinAll(people []connectors.Person, audiences ...connectors.Audience) []connectors.Change {
	var all []connectors.Change
	for _, p := range people {
		all = append(all, join(p, audiences...))
	}
	return all
}

// crowd makes people who are on the shop's newsletter.
func (b *bench) crowd(n int) []connectors.Person {
	var all []connectors.Person
	for i := range n {
		email := fmt.Sprintf("person%d@crowd.example.com", i)
		b.Subscribe(email, b.Newsletter())
		all = append(all, connectors.Person{ID: int64(10_000 + i), Email: email})
	}
	return all
}

// strangers are people whom Brevo does not know, with the shop's word that they agreed.
func strangers(n int, audience connectors.Audience) []connectors.Change {
	var all []connectors.Change
	for i := range n {
		c := join(connectors.Person{ID: int64(50_000 + i), Email: fmt.Sprintf("new%d@example.com", i)}, audience)
		c.Consent = commerce.ConsentSubscribed
		all = append(all, c)
	}
	return all
}

// person returns a contact as the fake has them.
func (b *bench) person(t *testing.T, email string) brevotest.Person {
	t.Helper()
	p, known := b.look(email)
	require.True(t, known, "no such contact")
	return p
}

func (b *bench) look(email string) (brevotest.Person, bool) {
	all := b.People()
	i := slices.IndexFunc(all, func(p brevotest.Person) bool { return p.Email == email })
	if i < 0 {
		return brevotest.Person{}, false
	}
	return all[i], true
}

// asked returns the requests since a moment, as method and path without the query.
func (b *bench) asked(since int) []string {
	var all []string
	for _, r := range b.Requests()[since:] {
		path, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/v3"), "?")
		all = append(all, r.Method+" "+path)
	}
	return all
}

// count says how many of the requests are the given one.
func count(asked []string, what string) int {
	n := 0
	for _, a := range asked {
		if a == what {
			n++
		}
	}
	return n
}

// clock is a time that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }
