package mailchimp

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
)

// TestRequestsOfANight counts what a difference of a thousand people in ten audiences costs, with everything that a push
// asks. Unavoidable are
//
//   - 1 request for the tags and 1 for the merge fields that are there, for somebody may have deleted one;
//   - 2 for those who left: who unsubscribed and who was cleaned cannot be asked for in one;
//   - 1 for every 1,000 contacts of the audience, for everybody's status has to be known before anything is written, and
//     Mailchimp tells nothing of many people by their addresses;
//   - for every tag 1 for every 500 people who join and, in the same, 500 who leave;
//   - for every 1,000 people whose merge fields change a batch, with 3 requests: to begin it, to ask for it once it is
//     finished, and to fetch what became of everybody.
//
// One more question about those who left, and every poll of a batch that is not finished yet, is ours.
func TestRequestsOfANight(t *testing.T) {
	const contacts, pages = 5000, 5
	for name, tt := range map[string]struct {
		join, leave, tagChanges int // audiences that everybody joins and leaves
	}{
		"from one to the next":   {1, 1, 10}, // 100 and 100 a tag
		"from half to the other": {5, 5, 10}, // 500 and 500 a tag
		"from none to all":       {10, 0, 20},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBench(t, unjudged, func(o *mailchimptest.Options) { o.Polls = -1 })
			people := b.crowdOf(contacts - len(b.Contacts()))[:1000]
			var audiences []connectors.Audience
			for i := range 10 {
				audiences = append(audiences, connectors.Audience{Key: fmt.Sprint("a", i), Name: fmt.Sprint("A", i)})
			}
			var yesterday, today []connectors.Change
			for i, p := range people {
				var before, after []connectors.Audience
				var gone []string
				for j := range 10 {
					switch a := audiences[(i+j)%10]; {
					case j < tt.leave:
						before, gone = append(before, a), append(gone, a.Key)
					case j < tt.leave+tt.join:
						after = append(after, a)
					}
				}
				yesterday = append(yesterday, join(p, before...))
				change := with(join(p, after...), "rfm", "111")
				change.Leave = gone
				today = append(today, change)
			}
			d := b.open(t, usual)
			audiences = ensure(t, d, audiences...)
			applyAll(t, d, yesterday...)

			var count atomic.Int64
			before(t, b, func(http.ResponseWriter, *http.Request) bool { count.Add(1); return false })
			d = b.open(t, usual)
			d.leaversSince(t, b.shop.Now().Add(-24*time.Hour))
			ensure(t, d, audiences...)
			for _, o := range applyAll(t, d, today...) {
				require.Equal(t, connectors.Delivered, o.State, o.Reason)
			}
			unavoidable := 1 + 1 + 2 + pages + tt.tagChanges + 3
			t.Logf("%d requests, of which %d are unavoidable", count.Load(), unavoidable)
			require.LessOrEqual(t, float64(count.Load()), 1.1*float64(unavoidable))
			require.Zero(t, b.count(http.MethodGet, "/members/"), "nobody is looked up alone")
			require.Zero(t, b.count(http.MethodPatch, ""), "nobody is written alone")

			count.Store(0)
			d = b.open(t, usual)
			ensure(t, d, audiences...)
			applyAll(t, d, today...)
			require.EqualValues(t, 1+1+pages, count.Load(), "what is there already is only looked at")
		})
	}
}

// TestRequestsOfASmallNight counts what a few people of a large audience cost: at most a request for each and one more, or a
// walk.
func TestRequestsOfASmallNight(t *testing.T) {
	const contacts, pages = 30_000, 30
	b := startBench(t, unjudged)
	people := b.crowdOf(contacts - len(b.Contacts()))
	d := b.openEnsured(t, usual, onlyLists)
	for _, few := range []int{1, fewPeople, fewPeople + 1, 20, 29, 30, 31, 500} {
		before := len(b.Requests())
		for _, o := range applyAll(t, d, joinAll(people[len(people)-few:], champions)...) {
			require.Contains(t, []connectors.OutcomeState{connectors.Delivered, connectors.Unchanged}, o.State)
		}
		unavoidable := min(few, pages) + 1 // and the change of the tag
		require.LessOrEqual(t, float64(len(b.Requests())-before), 1.1*float64(unavoidable), "%d people", few)
	}
}
