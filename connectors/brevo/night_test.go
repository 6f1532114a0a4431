package brevo

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
)

// tenAudiences are the audiences of a usual shop.
func tenAudiences() []connectors.Audience {
	var all []connectors.Audience
	for i := range 10 {
		all = append(all, connectors.Audience{Key: fmt.Sprint("a", i), Name: fmt.Sprint("A", i)})
	}
	return all
}

// nextNight moves everybody from one audience to the next.
func nextNight(people []connectors.Person, audiences []connectors.Audience, night int) []connectors.Change {
	var changes []connectors.Change
	for i, p := range people {
		c := join(p, audiences[(i+night)%len(audiences)])
		c.Attributes = map[string]string{"rfm": "545", "segment": fmt.Sprint("night ", night), "since": "2026-11-02"}
		if night > 0 {
			c.Leave = []string{audiences[(i+night-1)%len(audiences)].Key}
		}
		changes = append(changes, c)
	}
	return changes
}

// TestANightlyDifferenceTakesFewRequests: 1,000 people, each of whom leaves one of ten audiences and joins another, with
// new attributes, in an account of 3,000 contacts.
//
// What Brevo makes unavoidable: it has no question about many addresses, so whoever is to be found is found on pages of
// 1,000 contacts, here 2 of 3; an update holds 100 people, so 10 updates; it has no condition for a write, so whoever said
// no meanwhile has to be looked for afterwards, among 1,000 modified contacts on 1 page. That makes 13 requests in every
// mode, none of them about one person: 14 is the most that may be needed.
func TestANightlyDifferenceTakesFewRequests(t *testing.T) {
	for mode, minimum := range map[string]int{"both": 13, "attributes": 13, "lists": 13} {
		t.Run(mode, func(t *testing.T) {
			b := startBench(t)
			people, audiences := b.crowd(3000)[1:1001], tenAudiences()
			d := b.open(t, connectors.Settings{"batch": 100, "import_from": 2000, "mode": mode})
			ensure(t, d, audiences...)
			apply(t, d, nextNight(people, audiences, 0)...)
			b.Age(24 * time.Hour)
			since := len(b.Requests())
			for _, o := range apply(t, d, nextNight(people, audiences, 1)...) {
				require.Equal(t, connectors.Delivered, o.State, "%+v", o)
			}
			asked := b.asked(since)
			require.LessOrEqual(t, float64(len(asked)), 1.1*float64(minimum), "%v", asked)
			require.GreaterOrEqual(t, len(asked), minimum, "the minimum that is stated is none: %v", asked)
			for _, a := range asked {
				require.NotRegexp(t, `/contacts/\d+$|@`, a, "a request about one person")
			}
		})
	}
}

// TestAQuietNightTakesNoRequestPerPerson: nothing is to be written, and everybody is found on the pages.
func TestAQuietNightTakesNoRequestPerPerson(t *testing.T) {
	b := startBench(t)
	people, audiences := b.crowd(1000), tenAudiences()
	d := b.open(t, connectors.Settings{"batch": 100})
	ensure(t, d, audiences...)
	apply(t, d, nextNight(people, audiences, 0)...)
	since := len(b.Requests())
	for _, o := range apply(t, d, nextNight(people, audiences, 0)...) {
		require.Equal(t, connectors.Unchanged, o.State)
	}
	require.Equal(t, []string{"GET /contacts", "GET /contacts"}, b.asked(since), "with the shop's own the account has more than a page")
}

// TestAFirstLoadTakesAFewRequests: 5,000 people who join the same list are one import, one question about it and the pages.
func TestAFirstLoadTakesAFewRequests(t *testing.T) {
	b := startBench(t, func(o *brevotest.Options) { o.Validate = nil }) // which takes long for so many
	people := b.crowd(5000)
	b.Age(24 * time.Hour)
	d := b.open(t, connectors.Settings{"batch": 100, "import_from": 2000})
	ensure(t, d, champions)
	changes := joinAll(people, champions)
	since := len(b.Requests())
	for _, o := range apply(t, d, changes...) {
		require.Equal(t, connectors.Delivered, o.State, "%+v", o)
	}
	asked := b.asked(since)
	require.Equal(t, 1, count(asked, "POST /contacts/import"))
	// Six pages to look up, the attributes before and after one was made, the import, its state, and five pages to read
	// back. On a slow machine the import is held to be stuck and its state is not asked for.
	require.LessOrEqual(t, len(asked), 6+3+1+1+5, "%v", asked)
}

// TestAPushUsesTheRateAndNeverExceedsIt pushes people for minutes to a fake that counts every second, over networks near and
// far that take longer for some requests than for others. The pages at its beginning and end come one after another, which
// a short push over a slow network feels.
func TestAPushUsesTheRateAndNeverExceedsIt(t *testing.T) {
	for _, tt := range []struct {
		rate, seconds   int
		latency, jitter time.Duration
	}{
		{rate: 10, seconds: 60, latency: 40 * time.Millisecond, jitter: 20 * time.Millisecond},
		{rate: 10, seconds: 150, latency: 400 * time.Millisecond, jitter: 60 * time.Millisecond},
		{rate: 60, seconds: 40, latency: 60 * time.Millisecond, jitter: 5 * time.Millisecond},
	} {
		t.Run(fmt.Sprint(tt.rate, tt.latency), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := brevotest.New(nil, brevotest.Options{APIKey: canary, Rate: tt.rate})
				w := &wire{server: fake, latency: func(n int64) time.Duration {
					slow := tt.latency + time.Duration(n*7919%1000)*tt.jitter/1000
					if n < 10 || n%41 == 0 { // a connection is made
						slow += 250 * time.Millisecond
					}
					return slow
				}}
				made, err := factory(tuning{transport: w}).NewDestination(connectors.Settings{
					"api_key": canary, "rate": tt.rate, "batch": 2, "import_from": 0,
				}, connectors.Deps{})
				require.NoError(t, err)
				d, b := made.(*destination), &bench{Server: fake}
				people, audiences := b.crowd(tt.seconds*tt.rate*2), tenAudiences()
				fake.Age(24 * time.Hour)
				ensure(t, d, audiences...)
				before, start := len(fake.Requests()), time.Now()
				for _, o := range apply(t, d, nextNight(people, audiences, 0)...) {
					require.Equal(t, connectors.Delivered, o.State, "%+v", o)
				}
				took := time.Since(start).Seconds()
				asked := fake.Requests()[before:]
				for _, r := range asked {
					require.NotEqual(t, http.StatusTooManyRequests, r.Status)
					require.False(t, strings.HasPrefix(r.Path, "/v3/processes"))
				}
				used := float64(len(asked)) / took / float64(tt.rate)
				require.GreaterOrEqual(t, used, 0.9, "%d requests in %.0f s", len(asked), took)
			})
		})
	}
}
