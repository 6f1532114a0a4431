package bench

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/all"
	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// groups is in how many audiences the people of a measured night are.
const groups = 10

// mailer is one e-mail platform over the people of an invented shop.
type mailer struct {
	kind     string
	fake     http.Handler
	path     string // of its API
	settings connectors.Settings
	// unavoidable is how many requests the sizes of the platform's batches demand of a night in which so many people leave one
	// audience, join another and get new attributes.
	unavoidable func(people int) int
}

// mailers are the platforms, each over the same shop, with what they demand of a night.
func mailers(shop *simulator.Shop) []mailer {
	mail := listmonktest.New(shop, listmonktest.Options{Now: time.Now})
	klaviyo := klaviyotest.New(shop, klaviyotest.Options{Now: time.Now})
	mailchimp := mailchimptest.New(shop, mailchimptest.Options{Now: time.Now, Polls: -1, Key: "fake-us21", Audience: "1a2b3c4d5e"})
	brevo := brevotest.New(shop, brevotest.Options{Now: time.Now, Rate: 1 << 20, Hourly: 1 << 20})
	return []mailer{
		{
			// What lists there are; who left; look-ups of 500; an addition and a removal for each list. Attributes are one person's
			// at a time: listmonk has no call for those of many that spares what other programs wrote.
			kind: "listmonk", fake: mail, path: "",
			settings:    connectors.Settings{"username": mail.Username(), "token": mail.Token(), "mode": "lists"},
			unavoidable: func(people int) int { return 1 + 1 + pages(people, 500) + 2*groups },
		}, {
			// What lists there are, 10 a page; who left, a question for each list and one for all mail; look-ups of 100; an import
			// that is over no sooner than at the second question; a list change takes 1,000 people of one list.
			kind: "klaviyo", fake: klaviyo, path: "",
			settings: connectors.Settings{"api_key": "fake-klaviyo-key"},
			unavoidable: func(people int) int {
				return pages(len(klaviyo.Lists()), 10) + groups + 1 + pages(people, 100) + 3*pages(people, 10_000) + 2*groups*pages(people, 1000*groups)
			},
		}, {
			// Which tags and merge fields there are; who left by either way; the contacts with their status, 1,000 a page; a tag
			// change takes 500 who join and 500 who leave; a batch of 1,000 is begun, asked for and fetched.
			kind: "mailchimp", fake: mailchimp, path: "/3.0",
			settings: connectors.Settings{"api_key": "fake-us21", "audience": "1a2b3c4d5e"},
			unavoidable: func(people int) int {
				return 2 + 2 + pages(len(mailchimp.Contacts()), 1000) + groups*pages(people, 500*groups) + 3*pages(people, 1000)
			},
		}, {
			// Which attributes and lists there are; who left, among 1,000 modified contacts a page; the contacts, 1,000 a page; updates
			// of 100; and once more who left meanwhile.
			kind: "brevo", fake: brevo, path: "/v3",
			settings: connectors.Settings{"api_key": "fake-brevo-key"},
			unavoidable: func(people int) int {
				return 3 + pages(people, 1000) + pages(len(brevo.People()), 1000) + pages(people, 100) + pages(people, 1000)
			},
		},
	}
}

func pages(items, size int) int { return (items + size - 1) / size }

// measurePlatforms counts the requests that a night takes at every e-mail platform, all of them: what stands there, who left,
// and what is written.
func measurePlatforms(tb testing.TB, scale float64) []figure {
	shop := simulator.New(simulator.Options{Customers: sized(3200, scale, 60), GuestShare: -1})
	var figures []figure
	for _, m := range mailers(shop) {
		var count atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			count.Add(1)
			m.fake.ServeHTTP(w, r)
		}))
		tb.Cleanup(server.Close)
		m.settings["url"] = server.URL + m.path
		people := m.night(tb, sized(1000, scale, 10), 0, everybody(shop))
		count.Store(0)
		moved := m.night(tb, len(people), 1, people)
		figures = append(figures, figure{
			name: fmt.Sprintf("requests to %s for %d people in %d audiences", m.kind, len(moved), groups), unit: "requests",
			ours: float64(count.Load()), bare: float64(m.unavoidable(len(moved))), target: 1.1,
		})
	}
	return figures
}

// everybody are the people of a shop with an account.
func everybody(shop *simulator.Shop) (people []connectors.Person) {
	for _, c := range shop.Customers() {
		people = append(people, connectors.Person{ID: c.ID, Email: commerce.Email(c.Email)})
	}
	return people
}

// night is what a push asks and writes: everybody goes from one audience to the next. The first night finds people whom the
// platform takes.
func (m mailer) night(tb testing.TB, most, night int, people []connectors.Person) []connectors.Person {
	tb.Helper()
	ctx := context.Background()
	factory, ok := all.Find(m.kind)
	require.True(tb, ok)
	destination, err := factory.NewDestination(m.settings, connectors.Deps{Prefix: "perennial"})
	require.NoError(tb, err)
	var audiences []connectors.Audience
	for i := range groups {
		audiences = append(audiences, connectors.Audience{Key: fmt.Sprintf("group_%d", i), Name: fmt.Sprintf("Group %d", i)})
	}
	_, err = destination.Ensure(ctx, audiences)
	require.NoError(tb, err)
	if night > 0 {
		for page := (connectors.MemberPage{}); !page.Done; {
			page, err = destination.(connectors.Leavers).Leavers(ctx, time.Now().Add(-24*time.Hour), page.Next)
			require.NoError(tb, err)
		}
	}
	var changes []connectors.Change
	byID := map[int64]connectors.Person{}
	for i, p := range people {
		c := connectors.Change{
			Person: p, Audiences: []string{audiences[(i+night)%groups].Key}, Consent: commerce.ConsentSubscribed,
			Attributes: map[string]string{"segment": fmt.Sprint("night ", night), "since": fmt.Sprintf("2026-11-%02d", night+1)},
		}
		if night > 0 {
			c.Leave = []string{audiences[(i+night-1)%groups].Key}
		}
		changes, byID[p.ID] = append(changes, c), p
	}
	var taken []connectors.Person
	for _, o := range applied(tb, destination, changes) {
		if o.State == connectors.Delivered && len(taken) < most {
			taken = append(taken, byID[o.PersonID])
		}
	}
	require.NotEmpty(tb, taken)
	return taken
}

// applied hands over changes and follows the job to its end.
func applied(tb testing.TB, destination connectors.Destination, changes []connectors.Change) []connectors.Outcome {
	tb.Helper()
	ctx := context.Background()
	result, err := destination.Apply(ctx, changes)
	outcomes := result.Outcomes
	for require.NoError(tb, err); result.Job != ""; require.NoError(tb, err) {
		time.Sleep(min(2*time.Second, max(0, time.Until(result.NotBefore))))
		result, err = destination.Resume(ctx, result.Job)
		outcomes = append(outcomes, result.Outcomes...)
	}
	return outcomes
}
