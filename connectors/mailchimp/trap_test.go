package mailchimp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

var (
	champions = connectors.Audience{Key: "champions", Name: "Champions"}
	atRisk    = connectors.Audience{Key: "at_risk", Name: "At risk"}
)

func (b *bench) open(t *testing.T, changed ...connectors.Settings) *destination {
	t.Helper()
	d, err := factory(patient).NewDestination(b.settings(changed...), connectors.Deps{Prefix: "perennial"})
	require.NoError(t, err)
	if r, is := d.(rolled); is {
		return r.destination
	}
	return d.(*destination)
}

func ensure(t require.TestingT, d *destination, audiences ...connectors.Audience) []connectors.Audience {
	all, err := d.Ensure(background(t), audiences)
	require.NoError(t, err)
	return all
}

// applyAll applies changes, follows the job, and returns outcomes by person.
func applyAll(t require.TestingT, d *destination, changes ...connectors.Change) map[int64]connectors.Outcome {
	ctx := background(t)
	result, err := d.Apply(ctx, changes)
	require.NoError(t, err)
	outcomes := map[int64]connectors.Outcome{}
	for {
		for _, o := range result.Outcomes {
			require.NotContains(t, outcomes, o.PersonID)
			outcomes[o.PersonID] = o
		}
		if result.Job == "" {
			break
		}
		time.Sleep(time.Millisecond)
		result, err = d.Resume(ctx, result.Job)
		require.NoError(t, err)
	}
	require.Len(t, outcomes, len(changes))
	return outcomes
}

func apply(t require.TestingT, d *destination, c connectors.Change) connectors.Outcome {
	return applyAll(t, d, c)[c.Person.ID]
}

func join(p connectors.Person, audiences ...connectors.Audience) connectors.Change {
	c := connectors.Change{Person: p, Attributes: map[string]string{"rfm": "545"}}
	for _, a := range audiences {
		c.Audiences = append(c.Audiences, a.Key)
	}
	return c
}

// before starts a server before whose answers something happens.
func before(t *testing.T, b *bench, happen func(w http.ResponseWriter, r *http.Request) (handled bool)) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !happen(w, r) {
			b.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
}

// TestStatusIsNeverWritten lets everything happen that writes, and looks at every body, those in batches included.
func TestStatusIsNeverWritten(t *testing.T) {
	for _, bulk := range []int{1, 1000} {
		b := startBench(t)
		b.bulk = bulk
		d := b.open(t)
		list := ensure(t, d, champions)[0]
		var changes []connectors.Change
		for _, state := range []simulator.SubscriberState{simulator.Subscribed, simulator.Unsubscribed, simulator.Blocklisted} {
			for _, p := range b.people(state) {
				c := join(p, champions)
				c.Consent = commerce.ConsentSubscribed
				changes = append(changes, c)
			}
		}
		fresh := connectors.Change{
			Person: connectors.Person{ID: 7001, Email: "fresh@example.com"}, Audiences: []string{champions.Key},
			Attributes: map[string]string{"rfm": "111"}, Consent: commerce.ConsentSubscribed,
		}
		outcomes := applyAll(t, d, append(changes, fresh)...)
		require.Equal(t, connectors.Delivered, outcomes[7001].State)
		require.Equal(t, transactional, b.contact(t, "fresh@example.com").Status, "stored, and not subscribed")
		require.Equal(t, []int{tagID(list)}, b.contact(t, "fresh@example.com").Tags)
		require.NotContains(t, b.Mailed(tagID(list)), "fresh@example.com")
		require.Equal(t, connectors.Unchanged, apply(t, d, fresh).State)
		writes := 0
		for _, r := range b.Requests() {
			body := strings.ReplaceAll(r.Body, `\"`, `"`)
			require.NotContains(t, body, `"status":`)
			writes += strings.Count(body, "status_if_new")
			require.Equal(t, strings.Count(body, "status_if_new"), strings.Count(body, `"status_if_new":"transactional"`))
		}
		require.Equal(t, 1, writes, "only who was not there is given a status")
	}
}

func TestWhoIsNotThereIsCreatedOnlyOnDemandAndWithConsent(t *testing.T) {
	b := startBench(t)
	p := connectors.Person{ID: 3, Email: "fresh@example.com"}
	c := join(p, champions)
	d := b.open(t)
	ensure(t, d, champions)
	require.Equal(t, connectors.ReasonNotThere, apply(t, d, c).Reason, "nobody said that they agreed")
	c.Consent = commerce.ConsentSubscribed
	careful := b.open(t, connectors.Settings{"create_missing": false})
	ensure(t, careful, champions)
	require.Equal(t, connectors.ReasonNotThere, apply(t, careful, c).Reason)
	require.Equal(t, connectors.Delivered, apply(t, d, c).State)
	c.Consent = commerce.ConsentUnknown
	require.Equal(t, connectors.ReasonNoConsent, apply(t, d, c).Reason, "having been stored is no consent")
}

func TestWhoWasDeletedIsNotStoredAgain(t *testing.T) {
	for _, crowd := range []int{1, fewPeople + 2} { // looked up one by one, and by a walk
		for _, bulk := range []int{1, 1000} {
			b := startBench(t)
			b.bulk = bulk
			d := b.open(t)
			ensure(t, d, champions)
			fresh := join(connectors.Person{ID: 9001, Email: "fresh@example.com"}, champions)
			changes := append(joinAll(b.people(simulator.Subscribed)[:crowd], champions), fresh)
			for i := range changes {
				changes[i].Consent = commerce.ConsentSubscribed
			}
			outcomes := applyAll(t, d, changes...)
			for i := range changes {
				p := &changes[i].Person
				p.RemoteID = outcomes[p.ID].RemoteID
				require.NotEmpty(t, p.RemoteID)
				require.NoError(t, b.Delete(p.Email))
			}
			asked := len(b.Requests())
			for _, o := range applyAll(t, d, changes...) {
				require.Equal(t, connectors.Withheld, o.State)
				require.Equal(t, connectors.ReasonNotThere, o.Reason, "and not refused by Mailchimp, which would not take them back")
			}
			for _, r := range b.Requests()[asked:] {
				require.False(t, r.Write, "%s %s", r.Method, r.Path)
			}
		}
	}
}

func TestArchivedPeopleAreNotBroughtBack(t *testing.T) {
	for _, crowd := range []int{1, fewPeople + 2} { // looked up one by one, and by a walk
		b := startBench(t)
		d := b.open(t)
		ensure(t, d, champions)
		people := b.people(simulator.Subscribed)[:crowd]
		require.NoError(t, b.SetStatus(people[0].Email, archived))
		var changes []connectors.Change
		for _, p := range people {
			c := join(p, champions)
			c.Consent = commerce.ConsentSubscribed
			changes = append(changes, c)
		}
		o := applyAll(t, d, changes...)[people[0].ID]
		require.Equal(t, connectors.ReasonNotThere, o.Reason, "crowd of %d", crowd)
		require.Equal(t, archived, b.contact(t, people[0].Email).Status)
		require.Equal(t, connectors.Unchanged, apply(t, d, connectors.Change{Person: people[0], Leave: []string{champions.Key}, Drop: []string{"rfm"}}).State)
	}
}

func TestMemberInComplianceStateIsRefusedForGood(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:3]
	before(t, b, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch || !strings.Contains(r.URL.Path, hash(people[1].Email)) {
			return false
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"title":"Member In Compliance State","status":400,"detail":"%s is in a compliance state"}`, people[1].Email)
		return true
	})
	d := b.open(t)
	ensure(t, d, champions)
	outcomes := applyAll(t, d, join(people[0], champions), join(people[1], champions), join(people[2], champions))
	require.Equal(t, connectors.Refused, outcomes[people[1].ID].State)
	require.Contains(t, outcomes[people[1].ID].Reason, "Member In Compliance State")
	require.NotContains(t, outcomes[people[1].ID].Reason, people[1].Email, "a reason names nobody")
	require.Equal(t, connectors.Delivered, outcomes[people[0].ID].State)
	require.Equal(t, connectors.Delivered, outcomes[people[2].ID].State)
}

// TestWhoLeavesWhileWeWriteIsOut unsubscribes somebody after we looked.
func TestWhoLeavesWhileWeWriteIsOut(t *testing.T) {
	for _, bulk := range []int{1, 1000} {
		b := startBench(t)
		b.bulk = bulk
		people := b.people(simulator.Subscribed)[:3]
		var armed atomic.Bool
		before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/segments/") && armed.CompareAndSwap(true, false) {
				require.NoError(t, b.SetStatus(people[1].Email, unsubscribed))
			}
			return false
		})
		d := b.open(t)
		list := ensure(t, d, champions)[0]
		armed.Store(true)
		outcomes := applyAll(t, d, join(people[0], champions), join(people[1], champions), join(people[2], champions))
		require.Equal(t, connectors.ReasonUnsubscribed, outcomes[people[1].ID].Reason)
		require.Empty(t, slices.DeleteFunc(b.contact(t, people[1].Email).Tags, func(id int) bool { return id != tagID(list) }), "out of every tag of ours")
		require.Equal(t, connectors.Delivered, outcomes[people[2].ID].State)
	}
}

// TestWhoLeavesWhileWeTagIsOut is the same for people of whom nothing but tags is written.
func TestWhoLeavesWhileWeTagIsOut(t *testing.T) {
	b := startBench(t)
	people := b.crowdOf(20)
	var armed atomic.Int64
	before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/segments/") && armed.Add(-1) == 0 {
			require.NoError(t, b.SetStatus(people[1].Email, unsubscribed))
			require.NoError(t, b.SetStatus(people[2].Email, cleaned))
		}
		return false
	})
	var audiences []connectors.Audience
	for i := range 10 {
		audiences = append(audiences, connectors.Audience{Key: fmt.Sprint("a", i), Name: fmt.Sprint("A", i)})
	}
	d := b.open(t, usual, onlyLists)
	ensure(t, d, audiences...)
	applyAll(t, d, joinAll(people, audiences[:2]...)...)
	armed.Store(4)
	outcomes := applyAll(t, d, joinAll(people, audiences...)...)
	require.Equal(t, connectors.ReasonUnsubscribed, outcomes[people[1].ID].Reason)
	require.Equal(t, connectors.ReasonSuppressed, outcomes[people[2].ID].Reason)
	for _, p := range people[1:3] {
		require.Empty(t, b.contact(t, p.Email).Tags, "out of every tag, also of those that came before and after")
	}
	require.Equal(t, connectors.Delivered, outcomes[people[3].ID].State)
	require.Len(t, b.contact(t, people[3].Email).Tags, 10)
}

// TestConsentNeverRises lets statuses change between pushes of any kind, and holds that a push changes none, and leaves
// nobody in a tag of ours who is out.
func TestConsentNeverRises(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	lists := ensure(t, d, champions, atRisk)
	people := b.people(simulator.Subscribed)[:4]
	people = append(people, b.people(simulator.Unsubscribed)[:1]...)
	statuses := []string{subscribed, unsubscribed, cleaned, archived, transactional, mailchimptest.Pending}
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(0, 4).Draw(rt, "events") {
			p := rapid.SampledFrom(people).Draw(rt, "person")
			require.NoError(rt, b.SetStatus(p.Email, rapid.SampledFrom(statuses).Draw(rt, "status")))
		}
		foreign := b.state().Foreign
		var changes []connectors.Change
		for _, p := range people {
			c := connectors.Change{Person: p, Consent: rapid.SampledFrom([]commerce.ConsentState{"", commerce.ConsentSubscribed, commerce.ConsentUnsubscribed}).Draw(rt, "consent")}
			keys := []string{champions.Key, atRisk.Key}
			split := rapid.IntRange(0, 2).Draw(rt, "audiences")
			c.Audiences, c.Leave = keys[:split], keys[split:]
			if split > 0 {
				c.Attributes = map[string]string{"rfm": rapid.SampledFrom([]string{"111", "555"}).Draw(rt, "rfm")}
			}
			changes = append(changes, c)
		}
		d.set.BulkFrom = rapid.SampledFrom([]int{1, 1000}).Draw(rt, "bulk")
		outcomes := applyAll(rt, d, changes...)
		require.Equal(rt, foreign, b.state().Foreign)
		for _, c := range changes {
			contact := b.contact(rt, c.Person.Email)
			tagged := slices.Contains(contact.Tags, tagID(lists[0])) || slices.Contains(contact.Tags, tagID(lists[1]))
			out := contact.Status == unsubscribed || contact.Status == cleaned || c.Consent == commerce.ConsentUnsubscribed
			if len(c.Audiences) > 0 && out {
				require.Equal(rt, connectors.Withheld, outcomes[c.Person.ID].State)
				require.False(rt, tagged, "%s is tagged", contact.Status)
			}
		}
	})
}

func TestErasureIsPermanentAndSaysSo(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t), b.people(simulator.Subscribed)
	ensure(t, d, champions)
	require.NoError(t, b.SetStatus(people[1].Email, archived))
	for _, p := range people[:2] { // archiving keeps everything: who is archived has to be erased too
		receipt, err := d.Erase(t.Context(), p)
		require.NoError(t, err)
		require.Contains(t, receipt, "deleted permanently")
		require.Contains(t, receipt, "cannot be undone")
		require.Contains(t, receipt, "only if the person signs up")
		require.NotContains(t, receipt, "@", "a receipt names nobody")
		require.NotContains(t, fmt.Sprint(b.Contacts()), p.Email)
		again, err := d.Erase(t.Context(), p)
		require.NoError(t, err)
		require.Contains(t, again, "nothing was there")
		c := join(p, champions)
		c.Consent = commerce.ConsentSubscribed
		o := apply(t, d, c)
		require.Equal(t, connectors.Refused, o.State, "they do not come back by us")
		require.Contains(t, o.Reason, "Forgotten Email")
	}
	for _, r := range b.Requests() {
		require.NotEqual(t, http.MethodDelete, r.Method)
	}
	receipt, err := d.Erase(t.Context(), connectors.Person{ID: 4})
	require.NoError(t, err)
	require.Contains(t, receipt, "no e-mail")
	_, err = b.open(t, connectors.Settings{"audience": "ffffffffff"}).Erase(t.Context(), people[2])
	require.Error(t, err, "a wrong audience is no erasure")
}

func TestSettings(t *testing.T) {
	for name, change := range map[string]connectors.Settings{
		"api_key":        {"api_key": "canarykeywithoutcentre", "url": ""},
		"audience":       {"audience": "../x"},
		"mode":           {"mode": "everything"},
		"batch":          {"batch": 1001},
		"tag_batch":      {"tag_batch": 501},
		"bulk_from":      {"bulk_from": 0},
		"connections":    {"connections": 11},
		"create_missing": {"create_missing": "perhaps"},
		"url":            {"url": "api.example.com"},
	} {
		settings := connectors.Settings{"api_key": canary, "audience": "1a2b3c4d5e"}
		for key, value := range change {
			settings[key] = value
		}
		_, err := New().NewDestination(settings, connectors.Deps{})
		require.ErrorContains(t, err, name)
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
		require.NotContains(t, err.Error(), "canary")
	}
	d, err := New().NewDestination(connectors.Settings{"api_key": canary, "audience": "1a2b3c4d5e"}, connectors.Deps{})
	require.NoError(t, err)
	require.Equal(t, "us21.api.mailchimp.com", d.(*destination).client.Host(), "the key names the data centre")
	require.Equal(t, peopleAtOnce, d.(connectors.Batcher).BatchSize())
}

func TestClassify(t *testing.T) {
	harmless := func(text string) string { return text }
	for _, tt := range []struct {
		status int
		json   bool
		want   connectors.Kind
	}{
		{401, true, connectors.KindCredentials},
		{403, true, connectors.KindCredentials},
		{403, false, connectors.KindWait},
		{400, true, connectors.KindPermanent},
		{404, false, connectors.KindPermanent},
		{404, true, connectors.KindPermanent},
	} {
		body, err := json.Marshal(map[string]string{"title": "T", "detail": "D"})
		require.NoError(t, err)
		err = classify(response(tt.status, body, tt.json), harmless)
		require.Equal(t, tt.want, connectors.KindOf(err), "%d", tt.status)
		require.Equal(t, tt.json && tt.want == connectors.KindPermanent, refusal(err) != nil, "a page of somebody else refuses nobody")
	}
	for _, status := range []int{408, 425, 429, 500, 503} {
		require.Nil(t, classify(response(status, nil, false), harmless), "%d", status)
	}
}
