package klaviyo

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

var (
	champions = connectors.Audience{Key: "champions", Name: "Champions"}
	atRisk    = connectors.Audience{Key: "at_risk", Name: "At risk"}
)

// open makes a destination with some settings changed.
func (b *bench) open(t *testing.T, changed ...connectors.Settings) connectors.Destination {
	t.Helper()
	settings := b.settings()
	for _, more := range changed {
		for key, value := range more {
			settings[key] = value
		}
	}
	d, err := factory(quick).NewDestination(settings, connectors.Deps{Prefix: "perennial"})
	require.NoError(t, err)
	return d
}

func large() connectors.Settings {
	return connectors.Settings{"batch": largestBatch, "list_batch": largestListBatch}
}

func ensure(t *testing.T, d connectors.Destination, audiences ...connectors.Audience) []connectors.Audience {
	t.Helper()
	all, err := d.Ensure(t.Context(), audiences)
	require.NoError(t, err)
	return all
}

// follow resumes a job until it ends.
func follow(t *testing.T, d connectors.Destination, result connectors.Result) map[int64]connectors.Outcome {
	t.Helper()
	outcomes := map[int64]connectors.Outcome{}
	for {
		for _, o := range result.Outcomes {
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
}

func apply(t *testing.T, d connectors.Destination, changes ...connectors.Change) map[int64]connectors.Outcome {
	t.Helper()
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	return follow(t, d, result)
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

// many puts n subscribed people into Klaviyo.
func (b *bench) many(n int) []connectors.Person {
	people := make([]connectors.Person, n)
	for i := range people {
		people[i] = connectors.Person{ID: int64(10_000 + i), Email: fmt.Sprintf("many%d@example.com", i)}
		b.AddPerson(people[i].Email)
	}
	return people
}

// person returns a profile as the fake has it.
func (b *bench) person(t *testing.T, email string) klaviyotest.Person {
	t.Helper()
	i := slices.IndexFunc(b.People(), func(p klaviyotest.Person) bool { return p.Email == email })
	require.GreaterOrEqual(t, i, 0, "no such profile")
	return b.People()[i]
}

// asked counts requests.
func (b *bench) asked(method, part string) (n int) {
	for _, r := range b.Requests() {
		if r.Method == method && strings.Contains(r.Path, part) {
			n++
		}
	}
	return n
}

// makeList makes a list as a program of somebody else does, and returns the status.
func (b *bench) makeList(t *testing.T, name string) int {
	t.Helper()
	body := fmt.Sprintf(`{"data":{"type":"list","attributes":{"name":%q}}}`, name)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/api/lists", strings.NewReader(body))
	require.NoError(t, err)
	r.Header = http.Header{"Authorization": {"Klaviyo-API-Key " + canary}, "Revision": {revision}, "Content-Type": {mediaType}}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}

func TestMalformedAddressesKillNoBatch(t *testing.T) {
	b := startBench(t)
	d := b.open(t, large())
	list := ensure(t, d, champions)[0]
	changes := joinAll(b.people(simulator.Subscribed)[:8], champions)
	good := len(changes)
	for i, email := range []string{"two..dots@example.com", "no-at-sign", "spaced out@example.com"} {
		bad := join(connectors.Person{ID: int64(9000 + i), Email: email}, champions)
		bad.Consent = commerce.ConsentSubscribed
		changes = slices.Insert(changes, 2*i, bad)
	}
	outcomes := apply(t, d, changes...)
	require.Len(t, outcomes, len(changes))
	for _, c := range changes {
		o := outcomes[c.Person.ID]
		if c.Person.ID >= 9000 {
			require.Equal(t, connectors.Refused, o.State)
			require.Equal(t, "Invalid email address.", o.Reason)
			continue
		}
		require.Equal(t, connectors.Delivered, o.State, o.Reason)
	}
	require.Len(t, b.members(list), good)
	require.Equal(t, 2, b.asked("POST", "/api/profile-bulk-import-jobs"), "those whom the pointers name are left out, and the rest is tried once more")
}

func TestRefusalWithoutPointersIsHalved(t *testing.T) {
	b := startBench(t)
	b.HidePointers()
	d := b.open(t, large())
	ensure(t, d, champions)
	changes := joinAll(b.people(simulator.Subscribed)[:7], champions)
	bad := join(connectors.Person{ID: 9000, Email: "two..dots@example.com"}, champions)
	bad.Consent = commerce.ConsentSubscribed
	outcomes := apply(t, d, slices.Insert(changes, 3, bad)...)
	for id, o := range outcomes {
		if id == 9000 {
			require.Equal(t, connectors.Refused, o.State)
		} else {
			require.Equal(t, connectors.Delivered, o.State, o.Reason)
		}
	}
	require.Len(t, outcomes, 8)
}

func TestDailyLimitOfListsDefersAndLosesNothing(t *testing.T) {
	b := startBench(t)
	for i := range 149 {
		require.Equal(t, 201, b.makeList(t, fmt.Sprint("somebody's ", i)))
	}
	d := b.open(t)
	before := len(b.Lists())
	_, err := d.Ensure(t.Context(), []connectors.Audience{champions, atRisk})
	require.Equal(t, connectors.KindWait, connectors.KindOf(err), "%v", err)
	require.Contains(t, connectors.Remedy(err), "150 lists")
	require.Len(t, b.Lists(), before+1, "one was made before the limit")
	require.Equal(t, 2+149, b.asked("POST", "/api/lists"), "and nobody knocks again and again")
	made := ensure(t, d, champions)[0]
	require.Equal(t, b.Lists()[before].ID, made.ID, "it is found again by its name")
}

func TestGate(t *testing.T) {
	cases := []struct {
		name    string
		consent string
		reason  string // of a suppression
		left    string // "ours" or "theirs"
		said    commerce.ConsentState
		want    string // reason, empty for delivered
	}{
		{name: "subscribed", consent: "SUBSCRIBED"},
		{name: "never subscribed, though Klaviyo would mail them", consent: "NEVER_SUBSCRIBED", want: connectors.ReasonNoConsent},
		{name: "never subscribed, the shop says yes", consent: "NEVER_SUBSCRIBED", said: commerce.ConsentSubscribed},
		{name: "unsubscribed, the shop says yes", consent: "UNSUBSCRIBED", said: commerce.ConsentSubscribed, want: connectors.ReasonUnsubscribed},
		{name: "suppressed as unsubscribed", consent: "SUBSCRIBED", reason: "UNSUBSCRIBE", want: connectors.ReasonUnsubscribed},
		{name: "bounced", consent: "SUBSCRIBED", reason: "HARD_BOUNCE", want: connectors.ReasonSuppressed},
		{name: "invalid", consent: "SUBSCRIBED", reason: "INVALID_EMAIL", want: connectors.ReasonSuppressed},
		{name: "complained", consent: "SUBSCRIBED", reason: "SPAM_COMPLAINT", said: commerce.ConsentSubscribed, want: connectors.ReasonSuppressed},
		{name: "suppressed by hand", consent: "SUBSCRIBED", reason: "USER_SUPPRESSED", want: connectors.ReasonSuppressed},
		{name: "left a list of ours", consent: "SUBSCRIBED", left: "ours", want: connectors.ReasonUnsubscribed},
		{name: "left somebody else's list", consent: "SUBSCRIBED", left: "theirs"},
		{name: "the shop says no", consent: "SUBSCRIBED", said: commerce.ConsentUnsubscribed, want: connectors.ReasonUnsubscribed},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := startBench(t)
			d := b.open(t)
			lists := ensure(t, d, champions, atRisk)
			p := b.many(1)[0]
			require.NoError(t, b.SetConsent(p.Email, tt.consent))
			if tt.reason != "" {
				require.NoError(t, b.Suppress(p.Email, tt.reason))
			}
			if tt.left != "" {
				require.NoError(t, b.UnsubscribeFrom(p.Email, map[string]string{"ours": lists[1].ID, "theirs": b.Newsletter()}[tt.left]))
			}
			before := b.person(t, p.Email)
			c := join(p, champions)
			c.Consent = tt.said
			o := apply(t, d, c)[p.ID]
			require.Equal(t, tt.want, o.Reason)
			after := b.person(t, p.Email)
			require.Equal(t, before.Consent, after.Consent)
			require.Equal(t, before.Suppressed, after.Suppressed)
			if tt.want == "" {
				require.Equal(t, connectors.Delivered, o.State)
				return
			}
			require.Equal(t, connectors.Withheld, o.State)
			require.Empty(t, b.members(lists[0]))
			require.Equal(t, before.Properties, after.Properties)
		})
	}
}

func TestWithheldLeaveTheListsWhereTheyStillAre(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	lists := ensure(t, d, champions, atRisk)
	apply(t, d, join(p, champions))
	require.NoError(t, b.Unsubscribe(p.Email))
	move := join(p, atRisk)
	move.Leave = []string{champions.Key}
	require.Equal(t, connectors.ReasonUnsubscribed, apply(t, d, move)[p.ID].Reason)
	require.Empty(t, b.members(lists[0]))
	require.Empty(t, b.members(lists[1]))
}

func TestUnsubscribingWhileAnImportIsAtWorkHolds(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t), b.people(simulator.Subscribed)[:2]
	list := ensure(t, d, champions)[0]
	result, err := d.Apply(t.Context(), joinAll(people, champions))
	require.NoError(t, err)
	require.NotEmpty(t, result.Job)
	require.NoError(t, b.Unsubscribe(people[0].Email))
	outcomes := follow(t, d, result)
	require.Equal(t, connectors.Withheld, outcomes[people[0].ID].State)
	require.Equal(t, connectors.ReasonUnsubscribed, outcomes[people[0].ID].Reason)
	require.Equal(t, []string{people[1].Email}, b.members(list))
}

// TestNothingEverSubscribesAnybody looks at everything that is sent through a full life, which the whole of Klaviyo's file
// judges here.
func TestNothingEverSubscribesAnybody(t *testing.T) {
	b := startBench(t, klaviyotest.Options{Judge: judge(t, "klaviyo.json.gz")})
	d, people := b.open(t, connectors.Settings{"events": true}), b.people(simulator.Subscribed)
	_, err := d.Check(t.Context())
	require.NoError(t, err)
	lists := ensure(t, d, champions, atRisk)
	stranger := enter(connectors.Person{ID: 9001, Email: "new@example.com", FirstName: "Nora"}, champions)
	stranger.Consent = commerce.ConsentSubscribed
	apply(t, d, append(enterAll(people, champions), stranger)...)
	require.Len(t, b.Events(), len(people)+1)
	require.NoError(t, b.UnsubscribeFrom(people[2].Email, lists[0].ID))
	require.NotEmpty(t, leavers(t, d, time.Time{}))
	apply(t, d, connectors.Change{Person: people[0], Leave: []string{champions.Key}, Drop: []string{"rfm"}})
	_, err = d.(connectors.Eraser).Erase(t.Context(), people[1])
	require.NoError(t, err)
	require.NoError(t, d.(connectors.Remover).Remove(t.Context(), lists))
	for _, r := range b.Requests() {
		require.NotContains(t, r.Path, "subscription-bulk")
		require.NotContains(t, r.Path, "suppression-bulk")
		require.NotContains(t, r.Path, "/api/events")
		if r.Write {
			require.NotContains(t, r.Body, "subscriptions")
			require.NotContains(t, r.Body, "consent")
			require.NotContains(t, r.Body, `"relationships"`, "an import that names a list would put people on it unseen")
		}
	}
	require.Equal(t, "NEVER_SUBSCRIBED", b.person(t, "new@example.com").Consent)
}

func TestNullDoesNotClearSoUnsetDoes(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	ensure(t, d, champions)
	apply(t, d, join(p, champions))
	require.Equal(t, "545", b.person(t, p.Email).Properties["perennial_rfm"])
	o := apply(t, d, connectors.Change{Person: p, Leave: []string{champions.Key}, Drop: []string{"rfm"}})
	require.Equal(t, connectors.Delivered, o[p.ID].State, o[p.ID].Reason)
	after := b.person(t, p.Email).Properties
	require.NotContains(t, after, "perennial_rfm")
	require.Contains(t, after, "perennials", "a property that only begins like ours is somebody else's")
	for _, r := range b.Requests() {
		require.NotContains(t, r.Body, "null")
	}
}
