package shopify

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
)

// apply brings people there and follows jobs to their end.
func (c *till) apply(d *destination, changes ...connectors.Change) map[int64]connectors.Outcome {
	c.t.Helper()
	result, err := d.Apply(c.t.Context(), changes)
	outcomes := map[int64]connectors.Outcome{}
	for range 10_000 {
		require.NoError(c.t, err)
		for _, o := range result.Outcomes {
			require.NotContains(c.t, outcomes, o.PersonID, "two outcomes")
			outcomes[o.PersonID] = o
		}
		if result.Job == "" {
			require.Equal(c.t, len(changes), len(outcomes))
			return outcomes
		}
		result, err = d.Resume(c.t.Context(), result.Job)
		require.True(c.t, result.Job == "" || len(result.Outcomes) == 0, "nobody is free to be pushed anew while a file is about them")
	}
	c.t.Fatal("the job has no end")
	return nil
}

// taken demands that all were confirmed.
func (c *till) taken(outcomes map[int64]connectors.Outcome) {
	c.t.Helper()
	for id, o := range outcomes {
		require.True(c.t, o.State == connectors.Delivered || o.State == connectors.Unchanged, "person %d: %s %s", id, o.State, o.Reason)
	}
}

func joining(p connectors.Person, audiences ...string) connectors.Change {
	return connectors.Change{
		Person: p, Audiences: audiences,
		Attributes: map[string]string{"segment": strings.Join(audiences, " "), "segment_name": "Größte Fans", "rfm": "545", "since": "2026-11-01"},
	}
}

// bothWays runs a test by batches and by files.
func bothWays(t *testing.T, test func(t *testing.T, c *till, above int)) {
	for name, above := range map[string]int{"batches": bulkAbove, "files": 0} {
		t.Run(name, func(t *testing.T) { test(t, openTill(t, 60, shopifytest.Options{}), above) })
	}
}

func TestTagsOfTheMerchantStayInAnyCase(t *testing.T) {
	bothWays(t, func(t *testing.T, c *till, above int) {
		d, people := c.open(above), c.people(4)
		theirs := []string{"Perennial:Champions", "perennial", "VIP", "loyal"}
		c.tag(people[0].CustomerID, theirs...)
		outcomes := c.apply(d, joining(people[0], "champions"), joining(people[1], "champions"), joining(people[2], "loyal"))
		for _, p := range people[:2] {
			require.Equal(t, connectors.Withheld, outcomes[p.ID].State)
			require.Contains(t, outcomes[p.ID].Reason, `a tag of its own, "Perennial:Champions"`)
		}
		require.Equal(t, connectors.Delivered, outcomes[people[2].ID].State)
		require.ElementsMatch(t, theirs, c.tags(people[0].CustomerID))
		require.Empty(t, c.tags(people[1].CustomerID), "nothing is added that could not be told from theirs")

		var leaving []connectors.Change
		for _, p := range people {
			leaving = append(leaving, connectors.Change{Person: p, Leave: []string{"champions", "loyal"}, Drop: []string{"rfm"}})
		}
		c.taken(c.apply(d, leaving...))
		require.ElementsMatch(t, theirs, c.tags(people[0].CustomerID), "as they wrote it")
		require.Empty(t, c.tags(people[2].CustomerID))
		require.NotContains(t, c.fields(people[2].CustomerID), "rfm")
		require.Zero(t, c.Count("customerUpdate"), "it would replace all tags")

		c.tag(people[0].CustomerID, "VIP") // they renamed it
		_, err := d.Ensure(t.Context(), nil)
		require.NoError(t, err)
		require.NotEqual(t, connectors.Refused, c.apply(d, joining(people[3], "champions"))[people[3].ID].State)
	})
}

func TestWhatNobodyCarriesIsNotRemoved(t *testing.T) {
	c := openTill(t, 60, shopifytest.Options{})
	d, p := c.open(bulkAbove), c.people(1)[0]
	outcomes := c.apply(d, connectors.Change{Person: p, Leave: []string{"champions"}})
	require.Equal(t, connectors.Unchanged, outcomes[p.ID].State)
	require.Zero(t, c.Count("tagsRemove"))
}

func TestOneRefusalIsThatOfOnePerson(t *testing.T) {
	bothWays(t, func(t *testing.T, c *till, above int) {
		d, people := c.open(above), c.people(8)
		var full []string
		for i := range 250 {
			full = append(full, fmt.Sprintf("t%d", i))
		}
		c.tag(people[2].CustomerID, full...)
		gone := connectors.Person{ID: 1, CustomerID: "987654321"}
		changes := []connectors.Change{joining(gone, "champions")}
		for _, p := range people {
			changes = append(changes, joining(p, "champions"))
		}
		outcomes := c.apply(d, changes...)
		require.Equal(t, connectors.Refused, outcomes[people[2].ID].State)
		require.Equal(t, "Tags cannot be more than 250", outcomes[people[2].ID].Reason)
		require.Equal(t, connectors.Withheld, outcomes[gone.ID].State)
		require.Equal(t, connectors.ReasonNotThere, outcomes[gone.ID].Reason)
		for i, p := range people {
			if i != 2 {
				require.Equal(t, connectors.Delivered, outcomes[p.ID].State, outcomes[p.ID].Reason)
				require.Equal(t, "545", c.fields(p.CustomerID)["rfm"])
			}
		}
	})
}

func TestMetafieldsHaveTypesAndCanBeFilteredBy(t *testing.T) {
	c := openTill(t, 60, shopifytest.Options{})
	d, p := c.open(bulkAbove), c.people(1)[0]
	values := map[string]string{
		"segment": "champions", "rfm": "545", "since": "2026-11-01", "r": "5", "f": "4", "m": "5", "value_tier": "top",
		"predicted_value": "120", "next_order_week": "2026-11-23", "lifecycle": "slipping",
		"churn_risk": "low", "shoe_size": "42",
	}
	c.taken(c.apply(d, connectors.Change{Person: p, Attributes: values}))
	require.Equal(t, 1, c.Count("metafieldDefinitions"), "looked at once")
	page, err := d.Everybody(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, page.Members, 1)
	require.Equal(t, values, page.Members[0].Attributes)

	var answer struct {
		Definitions struct {
			Nodes []struct {
				Key  string
				Name string
				Type struct{ Name string }
				Can  struct {
					Filter struct{ Enabled, Eligible bool } `json:"adminFilterable"`
				} `json:"capabilities"`
			}
		} `json:"metafieldDefinitions"`
	}
	require.NoError(t, d.run(t.Context(), query{Op: "definitions", Text: `{ metafieldDefinitions(first: 50, ownerType: CUSTOMER, namespace: "perennial") {
		nodes { key name type { name } capabilities { adminFilterable { enabled eligible } } } } }`}, &answer))
	types := map[string]string{}
	for _, n := range answer.Definitions.Nodes {
		types[n.Key] = n.Type.Name
		require.True(t, strings.HasPrefix(n.Name, "Perennial: "), n.Name)
		require.Equal(t, n.Can.Filter.Eligible, n.Can.Filter.Enabled, n.Key)
	}
	require.Equal(t, map[string]string{
		"segment": textType, "rfm": textType, "since": dateType, "score_r": integerType, "score_f": integerType, "score_m": integerType,
		"value_tier": textType, "predicted_value": decimalType, "next_order_week": dateType, "lifecycle": textType,
		"churn_risk": textType, "shoe_size": textType,
	}, types)
	c.ForgetRequests()
	c.taken(c.apply(d, connectors.Change{Person: p, Attributes: map[string]string{"rfm": "444"}}))
	require.Equal(t, 1, len(c.Requests()), "definitions are known")
	fresh := c.open(bulkAbove)
	c.taken(c.apply(fresh, connectors.Change{Person: p, Attributes: map[string]string{"rfm": "445"}}))
	require.Zero(t, c.Count("metafieldDefinitionCreate"))
}

func TestDefinitionOfAnotherTypeIsNamed(t *testing.T) {
	c := openTill(t, 60, shopifytest.Options{})
	d, p := c.open(bulkAbove), c.people(1)[0]
	var made map[string]any
	for key, kind := range map[string]string{"segment": "number_integer", "rfm": "multi_line_text_field"} {
		require.NoError(t, d.run(t.Context(), query{
			Op: "definition", Text: `mutation M($d: MetafieldDefinitionInput!) { metafieldDefinitionCreate(definition: $d) { userErrors { message } } }`,
			Variables: map[string]any{"d": map[string]any{"name": key, "namespace": "perennial", "key": key, "ownerType": "CUSTOMER", "type": kind}},
		}, &made))
	}
	c.taken(c.apply(d, connectors.Change{Person: p, Audiences: []string{"a"}, Attributes: map[string]string{"rfm": "555"}}))
	require.Equal(t, "555", c.fields(p.CustomerID)["rfm"], "a longer text will do")
	_, err := d.Apply(t.Context(), []connectors.Change{{Person: p, Audiences: []string{"b"}, Attributes: map[string]string{"segment": "x"}}})
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	require.ErrorContains(t, err, "perennial.segment has the type number_integer")
	require.Contains(t, connectors.Remedy(err), "delete this definition")
}

func TestMissingPermissionIsNamed(t *testing.T) {
	bothWays(t, func(t *testing.T, c *till, above int) {
		d, people := c.open(above), c.people(2)
		c.Restrict("write_customers")
		result, err := d.Apply(t.Context(), []connectors.Change{{Person: people[0], Audiences: []string{"champions"}}})
		for err == nil && result.Job != "" {
			result, err = d.Resume(t.Context(), result.Job)
		}
		if err != nil {
			require.Equal(t, connectors.KindCredentials, connectors.KindOf(err))
			var e *connectors.Error
			require.ErrorAs(t, err, &e)
			require.Contains(t, e.Permission, "write_customers")
		}
		for _, o := range result.Outcomes {
			require.NotEqual(t, connectors.Delivered, o.State)
		}
		require.Empty(t, c.tags(people[0].CustomerID))
	})
}

// calls counts what was asked of the API, without polls and the places of files.
func (c *till) calls() int {
	n := 0
	for _, r := range c.Requests() {
		poll := slices.Contains(r.Roots, "bulkOperation") || slices.Contains(r.Roots, "bulkOperations")
		if strings.HasSuffix(r.Path, "/graphql.json") && !poll {
			n++
			require.LessOrEqual(c.t, r.Cost, 1000.0, r.Operation)
		}
	}
	return n
}

func TestManyCustomersNeedFewCalls(t *testing.T) {
	c := openTill(t, 1200, shopifytest.Options{})
	people := c.people(700)
	var changes []connectors.Change
	for _, p := range people {
		changes = append(changes, joining(p, "champions"))
	}
	d := c.open(bulkAbove)
	c.taken(c.apply(d, changes...))
	require.LessOrEqual(t, c.calls(), 10, "all tagged, the number of calls does not grow with that of people")
	require.Equal(t, 1, c.Count("stagedUploadsCreate"), "places for all files are asked for at once")
	require.Len(t, c.members(connectors.Audience{Key: "champions"}), 700)

	for name, n := range map[string]int{"a night of 500": 500, "a night of 60": 60} {
		c.ForgetRequests()
		changes = changes[:0]
		for i, p := range people[:n] {
			change := joining(p, fmt.Sprintf("s%d-%d", n, i%3))
			change.Leave = []string{"champions"}
			changes = append(changes, change)
		}
		c.taken(c.apply(c.open(bulkAbove), changes...))
		require.LessOrEqual(t, c.calls(), 20, name)
	}
}

// TestKilledAnywhere has every step of a push done twice by fresh processes: the first is killed after its work and before
// it could tell anybody.
func TestKilledAnywhere(t *testing.T) {
	for name, delay := range map[string]time.Duration{"operations go on": time.Hour, "operations are over at once": 0} {
		t.Run(name, func(t *testing.T) {
			var ahead atomic.Int64 // of the shop's clock
			c := openTill(t, 60, shopifytest.Options{
				BulkDelay: delay, Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
			})
			people := c.people(20)
			c.taken(c.apply(c.open(bulkAbove), joining(people[0], "champions"), joining(people[1], "champions")))
			c.ForgetRequests()
			var changes []connectors.Change
			for _, p := range people {
				change := joining(p, "loyal")
				change.Leave, change.Drop = []string{"champions"}, []string{"old"}
				changes = append(changes, change)
			}
			_, err := c.open(0).Apply(t.Context(), changes) // killed between the uploads and the ledger
			require.NoError(t, err)
			result, err := c.open(0).Apply(t.Context(), changes)
			require.NoError(t, err)
			require.NotEmpty(t, result.Job)
			require.Zero(t, c.Count("bulkOperationRunMutation"), "nothing runs before the job is kept")
			outcomes := map[int64]connectors.Outcome{}
			for range 10_000 {
				for _, o := range result.Outcomes {
					outcomes[o.PersonID] = o
				}
				if result.Job == "" {
					break
				}
				job := result.Job
				_, err = c.open(0).Resume(t.Context(), job)
				require.NoError(t, err)
				result, err = c.open(0).Resume(t.Context(), job)
				require.NoError(t, err)
				if result.Job == job { // both found it running
					ahead.Add(int64(delay))
				}
			}
			require.Equal(t, len(people), len(outcomes))
			c.taken(outcomes)
			for _, p := range people {
				require.Equal(t, []string{"perennial:loyal"}, c.tags(p.CustomerID))
				require.Equal(t, "loyal", c.fields(p.CustomerID)["segment"])
			}
			if delay > 0 {
				require.Equal(t, 4, c.Count("bulkOperationRunMutation"), "what runs already is found and not started again")
			}
		})
	}
}

func TestBusyShopIsWaitedFor(t *testing.T) {
	c := openTill(t, 60, shopifytest.Options{BulkDelay: time.Hour})
	people := c.people(7)
	d := c.open(0)
	var last connectors.Result
	for _, p := range people[:6] {
		begun, err := d.Apply(t.Context(), []connectors.Change{{Person: p, Audiences: []string{"a"}}})
		require.NoError(t, err)
		last, err = d.Resume(t.Context(), begun.Job)
		require.NoError(t, err)
		if last.Job == begun.Job {
			break
		}
	}
	require.NotEmpty(t, last.Job)
	require.Greater(t, time.Until(last.NotBefore), 10*time.Second, "five run at a time, the sixth waits")
	require.Empty(t, last.Outcomes)
}

func TestFailedOperationIsToldAsItIs(t *testing.T) {
	for _, kind := range []shopifytest.FaultKind{
		shopifytest.BulkFailed, shopifytest.BulkTimeout, shopifytest.BulkCanceled, shopifytest.BulkExpired, shopifytest.BulkShort, shopifytest.BulkDenied,
	} {
		t.Run(string(kind), func(t *testing.T) {
			c := openTill(t, 60, shopifytest.Options{})
			d, people := c.open(0), c.people(12)
			var changes []connectors.Change
			for i, p := range people {
				changes = append(changes, joining(p, "champions"))
				if i%2 == 0 {
					c.tag(p.CustomerID, "perennial:lost")
					changes[i].Leave = []string{"lost"}
				}
			}
			c.Fault(shopifytest.Fault{Kind: kind})
			later := 0
			for _, o := range c.apply(d, changes...) {
				person := people[slices.IndexFunc(people, func(p connectors.Person) bool { return p.ID == o.PersonID })]
				if o.State == connectors.Delivered {
					require.Contains(t, c.tags(person.CustomerID), "perennial:champions")
					continue
				}
				require.Equal(t, connectors.RetryLater, o.State)
				require.NotEmpty(t, o.Reason)
				later++
			}
			require.Positive(t, later)
			if kind == shopifytest.BulkFailed || kind == shopifytest.BulkTimeout {
				require.Less(t, later, len(people), "what was done before it failed is done")
			}
			c.taken(c.apply(d, changes...))
		})
	}
}

func TestFileThatIsGoneIsPushedAnew(t *testing.T) {
	c := openTill(t, 60, shopifytest.Options{})
	d := c.open(0)
	begun, err := d.Apply(t.Context(), []connectors.Change{joining(c.people(1)[0], "a")})
	require.NoError(t, err)
	j, err := openJob(begun.Job)
	require.NoError(t, err)
	j.Files[0].Path += "x"
	text, err := j.text()
	require.NoError(t, err)
	_, err = c.open(0).Resume(t.Context(), text)
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err), "%v", err)
	j.Files[0].Operation = "gid://shopify/BulkOperation/4711"
	text, err = j.text()
	require.NoError(t, err)
	_, err = c.open(0).Resume(t.Context(), text)
	require.Equal(t, connectors.KindRecord, connectors.KindOf(err), "%v", err)
}

func TestSegmentsAreMadeOnceAndRemoved(t *testing.T) {
	c := openTill(t, 60, shopifytest.Options{})
	plain := c.open(bulkAbove)
	wanted := []connectors.Audience{{Key: "champions", Name: "Champions"}, {Key: "at_risk", Name: "At risk"}}
	tags, err := plain.Ensure(t.Context(), wanted)
	require.NoError(t, err)
	require.Equal(t, []string{"perennial:champions", "perennial:at_risk"}, []string{tags[0].ID, tags[1].ID})
	require.Empty(t, c.Requests(), "a tag needs no making")

	c.segments = true
	d := c.open(bulkAbove)
	theirs, err := d.makeSegment(t.Context(), connectors.Audience{Key: "champions", Name: "theirs"})
	require.NoError(t, err)
	made, err := d.Ensure(t.Context(), tags)
	require.NoError(t, err)
	for i, a := range made {
		tag, number := parseID(a.ID)
		require.Equal(t, tags[i].ID, tag)
		require.True(t, isNumber(number))
		require.NotEqual(t, theirs, number)
	}
	again, err := c.open(bulkAbove).Ensure(t.Context(), made)
	require.NoError(t, err)
	require.Equal(t, made, again)
	c.segments = false
	kept, err := c.open(bulkAbove).Ensure(t.Context(), made)
	require.NoError(t, err)
	require.Equal(t, made, kept, "whoever turns segments off keeps them until they are removed")
	c.segments = true

	_, number := parseID(made[0].ID)
	var gone map[string]any
	require.NoError(t, d.ask(t.Context(), "segment_delete", map[string]any{"id": gid("Segment", number)}, &gone))
	remade, err := d.Ensure(t.Context(), made)
	require.NoError(t, err)
	require.NotEqual(t, made[0].ID, remade[0].ID, "the merchant deleted it")
	require.True(t, remade[0].Kept, "whoever carries the tag carries it still")
	require.Equal(t, made[1], remade[1])

	foreign := connectors.Audience{Key: "champions", Name: "theirs", ID: gid("Segment", theirs)}
	misled := connectors.Audience{Key: "lost", Name: "Lost", ID: "perennial:lost" + segmentMark + theirs}
	edited, err := d.makeSegment(t.Context(), connectors.Audience{Key: "loyal", Name: "Loyal"})
	require.NoError(t, err)
	require.NoError(t, d.run(t.Context(), query{
		Op: "segment", Text: `mutation M($id: ID!, $query: String) { segmentUpdate(id: $id, query: $query) { userErrors { message } } }`,
		Variables: map[string]any{"id": gid("Segment", edited), "query": d.condition("loyal") + " AND number_of_orders > 3"},
	}, &gone))
	theirsNow := connectors.Audience{Key: "loyal", Name: "Loyal", ID: "perennial:loyal" + segmentMark + edited}
	require.NoError(t, d.Remove(t.Context(), append(remade, foreign, misled, theirsNow)))
	require.NoError(t, d.Remove(t.Context(), remade), "a second time finds them gone")
	left, err := d.segments(t.Context())
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(left, func(s segment) bool { return tail(s.ID) == theirs }))
	require.True(t, slices.ContainsFunc(left, func(s segment) bool { return tail(s.ID) == edited }), "the merchant made it his own")
	require.False(t, slices.ContainsFunc(left, func(s segment) bool { return s.Name == "Perennial: Champions" || s.Name == "Perennial: At risk" }))
}

func TestAnotherPrefixIsRefused(t *testing.T) {
	d := &destination{api: &api{}, prefix: "perennial"}
	for _, id := range []string{"before:champions", "before:champions" + segmentMark + "7"} {
		_, err := d.Ensure(t.Context(), []connectors.Audience{{Key: "champions", Name: "Champions", ID: id}})
		require.ErrorContains(t, err, `under the prefix "before"`)
	}
	_, err := d.Ensure(t.Context(), []connectors.Audience{{Key: "a,b"}})
	require.ErrorContains(t, err, "not fit for a tag")
}

func TestEraseLeavesTheMerchantsOwn(t *testing.T) {
	c := openTill(t, 60, shopifytest.Options{})
	d, people := c.open(bulkAbove), c.people(2)
	c.tag(people[0].CustomerID, "Perennial:Old", "VIP", "perennial:from-before")
	c.taken(c.apply(d, joining(people[0], "champions"), joining(people[1], "champions")))
	consents := c.consents(d)
	receipt, err := d.Erase(t.Context(), people[0])
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("Shopify: 2 tags and 4 metafields of ours removed from customer %s; the record belongs to the shop and stays", people[0].CustomerID), receipt)
	require.ElementsMatch(t, []string{"Perennial:Old", "VIP"}, c.tags(people[0].CustomerID))
	require.Empty(t, c.fields(people[0].CustomerID))
	require.Contains(t, c.tags(people[1].CustomerID), "perennial:champions")
	require.Equal(t, consents, c.consents(d))

	for person, says := range map[*connectors.Person]string{
		&people[0]: "carries nothing of ours", {CustomerID: "987654321"}: "gone already", {Email: "guest@mail.example"}: "no customer account",
	} {
		receipt, err = d.Erase(t.Context(), *person)
		require.NoError(t, err)
		require.Contains(t, receipt, says)
	}
}

func TestReadBackWalksAllCustomers(t *testing.T) {
	c := openTill(t, 300, shopifytest.Options{})
	d, people := c.open(bulkAbove), c.people(150)
	before := c.consents(d)
	var changes []connectors.Change
	for i, p := range people {
		changes = append(changes, joining(p, []string{"champions", "lost"}[i%2]))
	}
	c.taken(c.apply(d, changes...))
	d.set.PageSize = 7
	members := map[string]connectors.Member{}
	for cursor := connectors.Cursor(""); ; {
		page, err := d.Everybody(t.Context(), cursor)
		require.NoError(t, err)
		for _, m := range page.Members {
			require.NotContains(t, members, m.CustomerID)
			members[m.CustomerID] = m
		}
		if page.Done {
			break
		}
		require.NotEqual(t, cursor, page.Next)
		cursor = page.Next
	}
	require.Len(t, members, 150)
	for i, p := range people {
		m := members[p.CustomerID]
		require.Equal(t, []string{[]string{"champions", "lost"}[i%2]}, m.Audiences)
		require.Equal(t, p.Email, m.Email)
		require.Equal(t, changes[i].Attributes, m.Attributes)
	}
	require.Equal(t, before, c.consents(d), "nobody's consent was touched")
	_, err := d.Everybody(t.Context(), "x")
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
}

// consents are what the customers agreed to, by number.
func (c *till) consents(d *destination) map[string]string {
	c.t.Helper()
	states := map[string]string{}
	for after := int64(0); ; {
		nodes, more, err := d.membersPage(c.t.Context(), after)
		require.NoError(c.t, err)
		for _, n := range nodes {
			states[tail(n.ID)] = n.Email.State
			_, err := fmt.Sscan(tail(n.ID), &after)
			require.NoError(c.t, err)
		}
		if !more {
			return states
		}
	}
}
