package listmonk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

var (
	champions = connectors.Audience{Key: "champions", Name: "Champions"}
	atRisk    = connectors.Audience{Key: "at_risk", Name: "At risk"}
)

func (b *bench) open(t *testing.T, changed ...connectors.Settings) *destination {
	t.Helper()
	settings := b.settings()
	for _, more := range changed {
		for key, value := range more {
			settings[key] = value
		}
	}
	d, err := factory(time.Millisecond).NewDestination(settings, connectors.Deps{Prefix: "perennial"})
	require.NoError(t, err)
	if r, is := d.(rolled); is {
		return r.destination
	}
	return d.(*destination)
}

func ensure(t *testing.T, d *destination, audiences ...connectors.Audience) []connectors.Audience {
	t.Helper()
	all, err := d.Ensure(t.Context(), audiences)
	require.NoError(t, err)
	return all
}

func apply(t *testing.T, d *destination, c connectors.Change) connectors.Outcome {
	t.Helper()
	result, err := d.Apply(t.Context(), []connectors.Change{c})
	require.NoError(t, err)
	require.Len(t, result.Outcomes, 1)
	return result.Outcomes[0]
}

func join(p connectors.Person, audiences ...connectors.Audience) connectors.Change {
	c := connectors.Change{Person: p, Attributes: map[string]string{"rfm": "545"}}
	for _, a := range audiences {
		c.Audiences = append(c.Audiences, a.Key)
	}
	return c
}

// person returns a subscriber as the fake has them.
func (b *bench) person(t *testing.T, email string) listmonktest.Person {
	t.Helper()
	for _, p := range b.People() {
		if p.Email == email {
			return p
		}
	}
	require.Fail(t, "no such subscriber")
	return listmonktest.Person{}
}

// call makes a request as an admin would.
func (b *bench) call(t *testing.T, method, path string, body any) map[string]any {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), method, b.url+path, bytes.NewReader(text))
	require.NoError(t, err)
	r.SetBasicAuth("pusher", canary)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, string(answer))
	var out struct{ Data any }
	require.NoError(t, json.Unmarshal(answer, &out))
	data, _ := out.Data.(map[string]any)
	return data
}

// TestOneClickUnsubscribeHoldsForEverySegment follows somebody from a campaign through the link in the mail into other
// segments, and proves with campaigns that no mail follows.
func TestOneClickUnsubscribeHoldsForEverySegment(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	lists := ensure(t, d, champions, atRisk)
	require.Equal(t, connectors.Delivered, apply(t, d, join(p, champions)).State)

	campaign := b.call(t, "POST", "/api/campaigns", map[string]any{"name": "Hello", "lists": []int{b.listID(lists[0])}})
	who := b.call(t, "GET", fmt.Sprintf("/api/subscribers/%d", b.person(t, p.Email).ID), nil)
	require.Contains(t, b.Mailed(b.listID(lists[0])), p.Email)
	b.call(t, "POST", fmt.Sprintf("/subscription/%s/%s", campaign["uuid"], who["uuid"]), nil)

	move := join(p, atRisk)
	move.Leave = []string{champions.Key}
	for _, c := range []connectors.Change{move, join(p, champions), {Person: p, Leave: []string{champions.Key}}, join(p, champions, atRisk)} {
		apply(t, b.open(t), c)
		require.NotContains(t, b.Mailed(b.listID(lists[0]), b.listID(lists[1])), p.Email)
		require.Equal(t, unsubscribed, b.person(t, p.Email).Lists[b.listID(lists[0])], "the memory of leaving is kept")
	}
}

// TestDangerousRequestsAreNeverMade looks at everything that was sent through a full life.
func TestDangerousRequestsAreNeverMade(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t, importing), b.people(simulator.Subscribed)
	_, err := d.Check(t.Context())
	require.NoError(t, err)
	lists := ensure(t, d, champions, atRisk)
	apply(t, d, join(people[0], champions))
	apply(t, d, connectors.Change{Person: people[0], Leave: []string{champions.Key}, Drop: []string{"rfm"}})
	stranger := join(connectors.Person{ID: 1, Email: "new@example.com"}, champions)
	stranger.Consent = commerce.ConsentSubscribed
	require.Equal(t, connectors.Delivered, apply(t, d, stranger).State)
	load, err := d.Apply(t.Context(), welcome(6, champions, atRisk))
	require.NoError(t, err)
	require.Len(t, b.follow(t, load, importing), 6)
	_, err = d.Leavers(t.Context(), time.Time{}, "")
	require.NoError(t, err)
	renamed := lists[0]
	renamed.Name = "Heroes"
	ensure(t, d, renamed)
	for _, p := range people {
		_, err := d.Erase(t.Context(), p)
		require.NoError(t, err)
	}
	require.NoError(t, d.Remove(t.Context(), lists))

	for _, r := range b.Requests() {
		replaces := r.Method == "PUT" && strings.HasPrefix(r.Path, "/api/subscribers/") && r.Path != "/api/subscribers/lists"
		require.False(t, replaces, "PUT wipes what is not sent: %s", r.Path)
		require.NotContains(t, r.Path, "/query/lists", "an empty query would mean everybody")
		require.NotContains(t, r.Path, "minimal=true", "the minimal form ignores tags")
		if r.Write && strings.Contains(r.Path, "/import/") {
			require.Contains(t, r.Body, `"overwrite_userinfo":false`, "other tools' attributes would be lost")
			require.Contains(t, r.Body, `"overwrite_subscription_status":false`, "who left would be subscribed again")
			require.NotContains(t, r.Body, `"overwrite":`, "the same by an older name")
			require.NotContains(t, r.Body, `"subscription_status"`)
			require.Contains(t, r.Body, `"mode":"subscribe"`)
		} else if r.Write {
			require.NotContains(t, r.Body, `"status"`, "a status raises consent")
			require.NotContains(t, r.Body, `"lists"`, "lists at a person send opt-in mails and replace others")
			require.NotContains(t, r.Body, "preconfirm")
		}
	}
	require.Empty(t, b.OptinMails())
}

func TestGate(t *testing.T) {
	const newsletter, double, other = "newsletter", "double", "other"
	cases := []struct {
		name   string
		rows   map[string]string // list -> status
		status string
		said   commerce.ConsentState
		want   string // reason, empty for delivered
	}{
		{name: "confirmed elsewhere", rows: map[string]string{newsletter: "confirmed"}},
		{name: "unconfirmed on single opt-in", rows: map[string]string{newsletter: "unconfirmed"}},
		{name: "unconfirmed on double opt-in", rows: map[string]string{double: "unconfirmed"}, want: connectors.ReasonNoConsent},
		{name: "confirmed on double opt-in", rows: map[string]string{double: "confirmed"}},
		{name: "on no list", want: connectors.ReasonNoConsent},
		{name: "on no list, the shop says yes", said: commerce.ConsentSubscribed},
		{name: "left the newsletter", rows: map[string]string{newsletter: "unsubscribed"}, want: connectors.ReasonUnsubscribed},
		{name: "left the newsletter, the shop says yes", rows: map[string]string{newsletter: "unsubscribed"}, said: commerce.ConsentSubscribed, want: connectors.ReasonUnsubscribed},
		{name: "left one of two", rows: map[string]string{newsletter: "unsubscribed", other: "confirmed"}},
		{name: "the shop says no", rows: map[string]string{newsletter: "confirmed"}, said: commerce.ConsentUnsubscribed, want: connectors.ReasonUnsubscribed},
		{name: "disabled", rows: map[string]string{newsletter: "confirmed"}, status: "disabled", want: connectors.ReasonSuppressed},
		{name: "blocklisted", rows: map[string]string{newsletter: "confirmed"}, status: "blocklisted", want: connectors.ReasonSuppressed},
		{name: "blocklisted, the shop says yes", status: "blocklisted", said: commerce.ConsentSubscribed, want: connectors.ReasonSuppressed},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			b := startBench(t)
			ids := map[string]int{newsletter: b.Newsletter(), double: b.AddList("Double", "double"), other: b.AddList("Other", "single")}
			p := connectors.Person{ID: 7, Email: "somebody@example.com"}
			require.NoError(t, b.Subscribe(p.Email, ids[other], ""))
			b.call(t, "PUT", "/api/subscribers/lists", map[string]any{"ids": []int{b.person(t, p.Email).ID}, "action": "remove", "target_list_ids": []int{ids[other]}})
			for name, status := range tt.rows {
				require.NoError(t, b.Subscribe(p.Email, ids[name], status))
			}
			if tt.status != "" {
				require.NoError(t, b.SetStatus(p.Email, tt.status))
			}
			d := b.open(t)
			ours := ensure(t, d, champions)[0]
			require.NoError(t, b.Subscribe(p.Email, b.listID(ours), "")) // as an earlier push left it
			c := join(p, champions)
			c.Consent = tt.said
			o := apply(t, d, c)
			if tt.want == "" {
				require.Contains(t, []connectors.OutcomeState{connectors.Delivered, connectors.Unchanged}, o.State, o.Reason)
				require.Contains(t, b.Mailed(b.listID(ours)), p.Email)
				return
			}
			require.Equal(t, connectors.Withheld, o.State)
			require.Equal(t, tt.want, o.Reason)
			require.NotContains(t, b.members(ours), p.Email, "withheld means out of every list of ours")
		})
	}
}

func TestDoubleOptinListIsRefused(t *testing.T) {
	b := startBench(t)
	b.AddList("perennial: Champions", "double", "perennial", "perennial:champions")
	d := b.open(t)
	_, err := d.Ensure(t.Context(), []connectors.Audience{champions})
	require.ErrorContains(t, err, "double opt-in")
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	_, err = d.Apply(t.Context(), []connectors.Change{join(b.people(simulator.Subscribed)[0], champions)})
	require.ErrorContains(t, err, "double opt-in")
	require.Empty(t, b.OptinMails())
	report, err := d.Check(t.Context())
	require.NoError(t, err)
	require.False(t, report.OK())
}

func TestCheckNamesEveryMissingPermission(t *testing.T) {
	for _, permission := range []string{
		listmonktest.ListsGetAll, listmonktest.ListsManageAll, listmonktest.SubscribersGetAll, listmonktest.SubscribersManage,
		listmonktest.SubscribersSQL,
	} {
		b := startBench(t)
		before := b.state()
		b.Restrict(permission)
		report, err := b.open(t).Check(t.Context())
		require.NoError(t, err)
		require.Equal(t, permission == listmonktest.SubscribersSQL, report.OK(), permission)
		i := slices.IndexFunc(report.Findings, func(f connectors.Finding) bool { return f.Level != connectors.Fine })
		require.GreaterOrEqual(t, i, 0, permission)
		require.Contains(t, report.Findings[i].Remedy, permission)
		require.Equal(t, before, b.state(), "looking changes nothing")
	}
}

func TestWritesOnlyDifferences(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	ensure(t, d, champions)
	b.call(t, "PATCH", fmt.Sprintf("/api/subscribers/%d", b.person(t, p.Email).ID), map[string]any{"attribs": map[string]any{"crm": map[string]int{"score": 3}}})
	require.Equal(t, connectors.Delivered, apply(t, d, join(p, champions)).State)
	attribs := b.person(t, p.Email).Attribs
	require.Equal(t, map[string]any{"score": float64(3)}, attribs["crm"], "other tools' attributes stay")
	require.Equal(t, map[string]any{"rfm": "545"}, attribs["perennial"])

	count := func() (n int) {
		for _, r := range b.Requests() {
			if r.Write {
				n++
			}
		}
		return n
	}
	before := count()
	require.Equal(t, connectors.Unchanged, apply(t, d, join(p, champions)).State)
	require.Equal(t, before, count(), "no difference, no write")
}

func TestApplyWithoutEnsure(t *testing.T) {
	b := startBench(t)
	p := b.people(simulator.Subscribed)[0]
	first := b.open(t)
	lists := ensure(t, first, champions)
	apply(t, first, join(p, champions))
	fresh := b.open(t) // another process, which wants this audience no more
	require.Equal(t, connectors.Delivered, apply(t, fresh, connectors.Change{Person: p, Leave: []string{champions.Key}}).State)
	require.Empty(t, b.members(lists[0]))
	_, err := fresh.Apply(t.Context(), []connectors.Change{join(p, connectors.Audience{Key: "unheard_of"})})
	require.ErrorContains(t, err, "unheard_of")
}

func TestOddAddresses(t *testing.T) {
	odd := []string{"o'brien@example.com", "a+b@example.com", "aab@example.com", "ann@example.com", "xann@example.com", "a|b@example.com", "zoë@example.com", `b\c@example.com`}
	for _, sql := range []bool{true, false} {
		b := startBench(t)
		if !sql {
			b.Restrict(listmonktest.SubscribersSQL)
		}
		var changes []connectors.Change
		for i, email := range odd {
			require.NoError(t, b.Subscribe(email, b.Newsletter(), "confirmed"))
			changes = append(changes, join(connectors.Person{ID: int64(i + 1), Email: email}, champions))
		}
		d := b.open(t)
		list := ensure(t, d, champions)[0]
		changes = append(changes, join(connectors.Person{ID: 50}, champions), join(connectors.Person{ID: 51, Email: "nul\x00@example.com"}, champions))
		result, err := d.Apply(t.Context(), changes)
		require.NoError(t, err)
		require.ElementsMatch(t, odd, b.members(list), "with SQL: %v", sql)
		require.Len(t, result.Outcomes, len(changes))
		for _, o := range result.Outcomes {
			switch o.PersonID {
			case 50:
				require.Equal(t, connectors.ReasonNoEmail, o.Reason)
			case 51:
				require.Equal(t, connectors.Refused, o.State)
			default:
				require.Equal(t, connectors.Delivered, o.State)
			}
		}
		searched := slices.ContainsFunc(b.Requests(), func(r listmonktest.Request) bool { return strings.Contains(r.Path, "search=") })
		require.Equal(t, !sql, searched)
	}
}

// before starts a listmonk before whose answers something happens.
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

func TestSomebodyDeletedMeanwhileBlocksNobody(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:9]
	victim, done := people[4], false
	before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "PUT" && !done {
			done = true
			require.NoError(t, b.Delete(victim.Email))
		}
		return false
	})
	d := b.open(t, connectors.Settings{"list_batch": 100, "batch": 100})
	list := ensure(t, d, champions)[0]
	var changes []connectors.Change
	for _, p := range people {
		changes = append(changes, connectors.Change{Person: p, Audiences: []string{champions.Key}})
	}
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	for _, o := range result.Outcomes {
		if o.PersonID == victim.ID {
			require.Equal(t, connectors.RetryLater, o.State)
			continue
		}
		require.Equal(t, connectors.Delivered, o.State)
	}
	require.Len(t, b.members(list), len(people)-1)
}

// TestWhoLeavesWhileWeWriteStaysOut presses the link of a mail after we looked and before we change lists: the row that
// remembers it must stay, and no other list may follow.
func TestWhoLeavesWhileWeWriteStaysOut(t *testing.T) {
	for name, onList := range map[string]bool{"moving": true, "joining": false} {
		t.Run(name, func(t *testing.T) {
			b := startBench(t)
			people := b.people(simulator.Subscribed)[:3]
			var armed atomic.Bool
			var lists []connectors.Audience
			before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == "PATCH" && armed.CompareAndSwap(true, false) {
					left := b.Newsletter()
					if onList {
						left = b.listID(lists[0])
					}
					require.NoError(t, b.Unsubscribe(people[1].Email, left))
				}
				return false
			})
			d := b.open(t)
			lists = ensure(t, d, champions, atRisk)
			var changes []connectors.Change
			for _, p := range people {
				if onList {
					require.Equal(t, connectors.Delivered, apply(t, d, join(p, champions)).State)
				}
				c := join(p, atRisk)
				c.Attributes, c.Leave = map[string]string{"rfm": "255"}, []string{champions.Key}
				changes = append(changes, c)
			}
			armed.Store(true)
			result, err := d.Apply(t.Context(), changes)
			require.NoError(t, err)
			states := map[int64]string{}
			for _, o := range result.Outcomes {
				states[o.PersonID] = string(o.State) + o.Reason
			}
			require.Equal(t, map[int64]string{
				people[0].ID: "delivered", people[1].ID: "withheldunsubscribed", people[2].ID: "delivered",
			}, states)
			require.Equal(t, []string{people[0].Email, people[2].Email}, b.members(lists[1]))
			require.NotContains(t, b.Mailed(b.listID(lists[0]), b.listID(lists[1])), people[1].Email)
			require.Empty(t, b.person(t, people[1].Email).Attribs["perennial"], "nothing of ours is left behind unknown")
			require.Equal(t, connectors.Withheld, apply(t, d, join(people[1], atRisk)).State, "and it is remembered")
		})
	}
}

func TestSomebodySignedUpMeanwhile(t *testing.T) {
	b := startBench(t)
	p, done := connectors.Person{ID: 3, Email: "late@example.com"}, false
	before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "POST" && r.URL.Path == "/api/subscribers" && !done {
			done = true
			require.NoError(t, b.Subscribe(p.Email, b.Newsletter(), unsubscribed))
		}
		return false
	})
	d := b.open(t)
	ensure(t, d, champions)
	c := join(p, champions)
	c.Consent = commerce.ConsentSubscribed
	o := apply(t, d, c)
	require.Equal(t, connectors.Withheld, o.State, "they came and left while we tried to create them")
	require.Equal(t, connectors.ReasonUnsubscribed, o.Reason)
}

func TestLongAddressesAreHalved(t *testing.T) {
	b := startBench(t)
	before(t, b, func(w http.ResponseWriter, r *http.Request) bool {
		if len(r.URL.RawQuery) < 300 {
			return false
		}
		http.Error(w, "<html>Request-URI Too Large</html>", http.StatusRequestURITooLong)
		return true
	})
	d := b.open(t, connectors.Settings{"batch": 500})
	list := ensure(t, d, champions)[0]
	var changes []connectors.Change
	people := b.people(simulator.Subscribed)
	for _, p := range people {
		changes = append(changes, join(p, champions))
	}
	_, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	require.Len(t, b.members(list), len(people))
}

// TestWhoWasDeletedIsNotCreatedAgain deletes people who came singly or by an import, and people who were there before.
func TestWhoWasDeletedIsNotCreatedAgain(t *testing.T) {
	for name, imports := range map[string]int{"imports": 1, "singly": 0} {
		t.Run(name, func(t *testing.T) {
			b := startBench(t)
			settings := connectors.Settings{"import_from": imports}
			d := b.open(t, settings)
			ensure(t, d, champions)
			changes := append(welcome(3, champions), join(b.people(simulator.Subscribed)[0], champions))
			result, err := d.Apply(t.Context(), changes)
			require.NoError(t, err)
			outcomes := b.follow(t, result, settings)
			for i := range changes {
				c := &changes[i]
				c.Person.RemoteID, c.Consent = outcomes[c.Person.ID].RemoteID, commerce.ConsentSubscribed
				require.NotEmpty(t, c.Person.RemoteID)
				require.NoError(t, b.Delete(c.Person.Email))
			}
			before := len(b.People())
			result, err = d.Apply(t.Context(), changes)
			require.NoError(t, err)
			require.Empty(t, result.Job)
			require.Len(t, result.Outcomes, len(changes))
			for _, o := range result.Outcomes {
				require.Equal(t, connectors.Withheld, o.State)
				require.Equal(t, connectors.ReasonNotThere, o.Reason)
			}
			require.Len(t, b.People(), before)
		})
	}
}

func TestCreateOnlyWithConsent(t *testing.T) {
	b := startBench(t)
	p := connectors.Person{ID: 3, Email: "fresh@example.com", FirstName: "Zoë", LastName: "Nowak"}
	d := b.open(t)
	list := ensure(t, d, champions)[0]
	c := join(p, champions)
	require.Equal(t, connectors.ReasonNotThere, apply(t, d, c).Reason)
	c.Consent = commerce.ConsentSubscribed
	require.Equal(t, connectors.ReasonNotThere, apply(t, b.open(t, connectors.Settings{"create_missing": false}), c).Reason)
	require.Equal(t, connectors.Delivered, apply(t, d, c).State)
	made := b.person(t, p.Email)
	require.Equal(t, "Zoë Nowak", made.Name)
	require.Equal(t, map[int]string{b.listID(list): "unconfirmed"}, made.Lists)
	require.Equal(t, connectors.Unchanged, apply(t, d, c).State)
	require.Empty(t, b.OptinMails())
}

func TestErase(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t), b.people(simulator.Subscribed)
	list := ensure(t, d, champions)[0]
	made := connectors.Person{ID: 3, Email: "fresh@example.com"}
	c := join(made, champions)
	c.Consent = commerce.ConsentSubscribed
	apply(t, d, c)
	apply(t, d, join(people[0], champions))
	apply(t, d, join(people[1], champions))
	require.NoError(t, b.Unsubscribe(people[1].Email, b.listID(list)))
	apply(t, d, join(people[2], champions))
	require.NoError(t, b.Blocklist(people[2].Email))

	erase := func(p connectors.Person) string {
		receipt, err := d.Erase(t.Context(), p)
		require.NoError(t, err)
		require.NotContains(t, receipt, "@", "a receipt names nobody")
		return receipt
	}
	require.Contains(t, erase(made), "was deleted")
	require.NotContains(t, fmt.Sprint(b.People()), made.Email)
	require.Contains(t, erase(made), "nothing was there")

	require.Contains(t, erase(people[0]), "taken off 1 of our lists")
	stays := b.person(t, people[0].Email)
	require.Equal(t, map[int]string{b.Newsletter(): "confirmed"}, stays.Lists)
	require.Nil(t, stays.Attribs["perennial"])
	require.Contains(t, erase(people[0]), "nothing of ours")

	erase(people[1])
	require.Equal(t, unsubscribed, b.person(t, people[1].Email).Lists[b.listID(list)], "the memory of leaving stays")
	erase(people[2])
	require.Equal(t, "blocklisted", b.person(t, people[2].Email).Status, "the blocklist stays")
	require.Contains(t, erase(connectors.Person{ID: 4}), "no e-mail")

	apply(t, d, c)
	require.NoError(t, b.Blocklist(made.Email))
	erase(made)
	require.Equal(t, "blocklisted", b.person(t, made.Email).Status, "even of those whom we created")
}

func TestMembersInPages(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	list := ensure(t, d, champions)[0]
	for i := range membersPage + 5 {
		require.NoError(t, b.Subscribe(fmt.Sprintf("m%d@example.com", i), b.listID(list), ""))
	}
	require.NoError(t, b.SetStatus("m1@example.com", "disabled"))
	first, err := d.Members(t.Context(), list, "")
	require.NoError(t, err)
	require.Len(t, first.Members, membersPage)
	require.False(t, first.Done)
	second, err := d.Members(t.Context(), list, first.Next)
	require.NoError(t, err)
	require.True(t, second.Done)
	require.Len(t, second.Members, 5)
	for _, m := range second.Members {
		want := commerce.ConsentSubscribed
		if m.Email == "m1@example.com" {
			want = commerce.ConsentUnsubscribed
		}
		require.Equal(t, want, m.Consent.State)
	}
	for _, r := range b.Requests() {
		require.False(t, strings.Contains(r.Path, "list_id") && strings.Contains(r.Path, "per_page=all"))
	}
	_, err = d.Members(t.Context(), champions, "")
	require.ErrorContains(t, err, "no list id", "without an id listmonk would return everybody")
	_, err = d.Members(t.Context(), list, "x")
	require.ErrorContains(t, err, "cursor")
}

// TestReadBackSeesWhoLeftTheListThatWasTheirConsent holds that not only rows on our lists tell who unsubscribed.
func TestReadBackSeesWhoLeftTheListThatWasTheirConsent(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	list, people := ensure(t, d, champions)[0], b.people(simulator.Subscribed)[:3]
	for _, p := range people {
		apply(t, d, join(p, champions))
	}
	require.NoError(t, b.Unsubscribe(people[0].Email, b.Newsletter()))
	require.NoError(t, b.Unsubscribe(people[1].Email, b.Newsletter()))
	require.NoError(t, b.Subscribe(people[1].Email, b.AddList("Letters", single), confirmed))
	page, err := d.Members(t.Context(), list, "")
	require.NoError(t, err)
	states := map[string]commerce.ConsentState{}
	for _, m := range page.Members {
		states[m.Email] = m.Consent.State
	}
	require.Equal(t, map[string]commerce.ConsentState{
		people[0].Email: commerce.ConsentUnsubscribed, people[1].Email: commerce.ConsentSubscribed, people[2].Email: commerce.ConsentSubscribed,
	}, states)
}

func TestSettings(t *testing.T) {
	for name, change := range map[string]connectors.Settings{
		"url":            {"url": "lists.example.com"},
		"batch":          {"batch": 501},
		"list_batch":     {"list_batch": 0},
		"create_missing": {"create_missing": "perhaps"},
	} {
		b := connectors.Settings{"url": "https://lists.example.com", "username": "u", "token": canary}
		for key, value := range change {
			b[key] = value
		}
		_, err := New().NewDestination(b, connectors.Deps{})
		require.ErrorContains(t, err, name)
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
		require.NotContains(t, err.Error(), canary)
	}
	require.True(t, isPlain("http://lists.example.com"))
	require.False(t, isPlain("http://127.0.0.1:9000"))
	require.False(t, isPlain("https://lists.example.com"))
}

func TestResumeKnowsNoForeignJobs(t *testing.T) {
	for _, text := range []connectors.Job{"x", "", "e30=", `{"v":1}`} {
		_, err := startBench(t).open(t).Resume(context.Background(), text)
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	}
}
