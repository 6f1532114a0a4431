package mailchimp

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// count counts requests whose method and path hold the texts.
func (b *bench) count(method, path string) (n int) {
	for _, r := range b.Requests() {
		if r.Method == method && strings.Contains(r.Path, path) {
			n++
		}
	}
	return n
}

// TestManyPeopleTakeFewRequests counts: a walk over all contacts, and for 1,201 people two batches and three changes of a
// tag.
func TestManyPeopleTakeFewRequests(t *testing.T) {
	b := startBench(t)
	people := b.crowdOf(1201)
	d := b.open(t, usual, connectors.Settings{"create_missing": false})
	list := ensure(t, d, champions)[0]
	outcomes := applyAll(t, d, joinAll(people, champions)...)
	for _, o := range outcomes {
		require.Equal(t, connectors.Delivered, o.State, o.Reason)
		require.NotEmpty(t, o.RemoteID)
	}
	require.Len(t, b.Mailed(tagID(list)), len(people))
	require.Equal(t, 2, b.count(http.MethodPost, "/batches"))
	require.Equal(t, 3, b.count(http.MethodPost, "/segments/"))
	require.Equal(t, 2, b.count(http.MethodGet, "/members?"), "one request for a thousand contacts")
	require.Zero(t, b.count(http.MethodPatch, ""))
	require.Zero(t, b.count(http.MethodGet, "/members/"))

	before := len(b.Requests())
	for _, o := range applyAll(t, d, joinAll(people, champions)...) {
		require.Equal(t, connectors.Unchanged, o.State)
	}
	require.Equal(t, before+2, len(b.Requests()), "no difference: nothing but looking")
}

// TestJobIsResumedByAnotherProcess kills the process that began a job. What is kept of it names nobody.
func TestJobIsResumedByAnotherProcess(t *testing.T) {
	b := startBench(t)
	b.bulk = 1
	d := b.open(t)
	list := ensure(t, d, champions)[0]
	changes := joinAll(b.people(simulator.Subscribed)[:7], champions)
	fresh := connectors.Change{
		Person: connectors.Person{ID: 7001, Email: "fresh@example.com"}, Audiences: []string{champions.Key},
		Attributes: map[string]string{"rfm": "111"}, Consent: commerce.ConsentSubscribed,
	}
	result, err := d.Apply(t.Context(), append(changes, fresh))
	require.NoError(t, err)
	require.Empty(t, result.Outcomes)
	require.NotEmpty(t, result.Job)
	outcomes := map[int64]connectors.OutcomeState{}
	for job := result.Job; job != ""; {
		next := b.open(t)
		list := list
		ensure(t, next, list)
		plain, err := next.openJob(job)
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprint(plain), "@")
		result, err := next.Resume(t.Context(), job)
		require.NoError(t, err)
		for _, o := range result.Outcomes {
			outcomes[o.PersonID] = o.State
		}
		job = result.Job
	}
	require.Len(t, outcomes, 8)
	for _, state := range outcomes {
		require.Equal(t, connectors.Delivered, state)
	}
	require.Equal(t, []int{tagID(list)}, b.contact(t, "fresh@example.com").Tags, "who was stored is tagged then")
}

func TestBatchFaults(t *testing.T) {
	for fault, want := range map[mailchimptest.BatchFault]struct {
		delivered, later int
		reason           string
	}{
		mailchimptest.BatchStalls: {0, 3, "stood still"},
		mailchimptest.BatchPartly: {1, 2, ""},
		mailchimptest.BatchNone:   {0, 3, "without an answer"},
		mailchimptest.BatchCut:    {3, 0, ""},
	} {
		t.Run(string(fault), func(t *testing.T) {
			b := startBench(t)
			b.bulk = 1
			d := b.open(t)
			d.timing = quick
			ensure(t, d, champions)
			changes := joinAll(b.people(simulator.Subscribed)[:3], champions)
			b.FailBatch(fault)
			delivered, later := 0, 0
			for _, o := range follow(t, d, changes) {
				switch o.State {
				case connectors.Delivered:
					delivered++
				case connectors.RetryLater:
					later++
					require.Contains(t, o.Reason, want.reason)
				}
			}
			require.Equal(t, []int{want.delivered, want.later}, []int{delivered, later})
			if fault == mailchimptest.BatchStalls {
				require.Zero(t, b.Batches(), "it is called off, so that it does not write old values some day")
			}
			for _, o := range applyAll(t, d, changes...) {
				require.Contains(t, []connectors.OutcomeState{connectors.Delivered, connectors.Unchanged}, o.State)
			}
			for _, c := range changes {
				require.Equal(t, "545", b.contact(t, c.Person.Email).Fields["PE_RFM"])
			}
		})
	}
}

// follow is applyAll that asks again where a job could not be asked for.
func follow(t *testing.T, d *destination, changes []connectors.Change) []connectors.Outcome {
	t.Helper()
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	outcomes, job := result.Outcomes, result.Job
	for job != "" {
		time.Sleep(time.Millisecond)
		result, err := d.Resume(t.Context(), job)
		if err != nil {
			require.Equal(t, connectors.KindRetry, connectors.KindOf(err), "%v", err)
			continue
		}
		outcomes, job = append(outcomes, result.Outcomes...), result.Job
	}
	return outcomes
}

// TestJobStandsInTheSameWords holds what the contract says of a job: the same words while it stands, others when it moves.
func TestJobStandsInTheSameWords(t *testing.T) {
	b := startBench(t, func(o *mailchimptest.Options) { o.Polls = 3 })
	b.bulk = 1
	d := b.open(t)
	ensure(t, d, champions)
	result, err := d.Apply(t.Context(), joinAll(b.people(simulator.Subscribed)[:4], champions)) // two batches
	require.NoError(t, err)
	job := result.Job
	for range 3 {
		result, err = d.Resume(t.Context(), job)
		require.NoError(t, err)
		require.Equal(t, job, result.Job)
		require.True(t, result.NotBefore.After(time.Now().Add(-time.Second)))
	}
	result, err = d.Resume(t.Context(), job)
	require.NoError(t, err)
	require.Len(t, result.Outcomes, 3)
	require.NotEqual(t, job, result.Job)
}

func TestBatchThatIsForgottenIsDoneAnew(t *testing.T) {
	b := startBench(t)
	b.bulk = 1
	d := b.open(t)
	ensure(t, d, champions)
	changes := joinAll(b.people(simulator.Subscribed)[:3], champions)
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	j, err := d.openJob(result.Job)
	require.NoError(t, err)
	require.NoError(t, d.drop(t.Context(), j.Batches[0].ID))
	result, err = d.Resume(t.Context(), result.Job)
	require.NoError(t, err)
	require.Empty(t, result.Job)
	for _, o := range result.Outcomes {
		require.Equal(t, connectors.RetryLater, o.State)
	}
}

func TestJobsThatAreNotOurs(t *testing.T) {
	b := startBench(t)
	b.bulk = 1
	d := b.open(t)
	ensure(t, d, champions)
	result, err := d.Apply(t.Context(), joinAll(b.people(simulator.Subscribed)[:1], champions))
	require.NoError(t, err)
	other := b.open(t, connectors.Settings{"audience": "ffffffffff"})
	for _, job := range []connectors.Job{"x", "", "AAAA", result.Job} {
		_, err := other.Resume(t.Context(), job)
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err), "%s", job)
	}
}

// TestBatchThatIsNotTakenLeavesTheOthers refuses the second batch as Mailchimp does with 500 of them open.
func TestBatchThatIsNotTakenLeavesTheOthers(t *testing.T) {
	b := startBench(t)
	b.bulk = 1
	var sent atomic.Int64
	before(t, b, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/batches") || sent.Add(1) == 1 {
			return false
		}
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	d := b.open(t)
	ensure(t, d, champions)
	changes := joinAll(b.people(simulator.Subscribed)[:5], champions)
	states := map[connectors.OutcomeState]int{}
	for _, o := range applyAll(t, d, changes...) {
		states[o.State]++
	}
	require.Equal(t, map[connectors.OutcomeState]int{connectors.Delivered: 3, connectors.RetryLater: 2}, states)
}

// TestKeyRevokedBetweenBatches loses nothing of what was begun, and tells what is wrong.
func TestKeyRevokedBetweenBatches(t *testing.T) {
	b := startBench(t)
	b.bulk = 1
	before(t, b, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && b.Batches() == 1 {
			b.Revoke()
		}
		return false
	})
	d := b.open(t)
	ensure(t, d, champions)
	result, err := d.Apply(t.Context(), joinAll(b.people(simulator.Subscribed)[:5], champions))
	require.Equal(t, connectors.KindCredentials, connectors.KindOf(err))
	require.NotEmpty(t, result.Job)
	require.Len(t, result.Outcomes, 2)
}

func TestTimeOutAfterAcceptanceIsHarmless(t *testing.T) {
	b := startBench(t)
	b.bulk = 1
	d := b.open(t)
	ensure(t, d, champions)
	people := b.people(simulator.Subscribed)[:3]
	applyAll(t, d, joinAll(people, champions)...) // merge fields and tag are there
	changes := joinAll(people, champions)
	for i := range changes {
		changes[i].Attributes = map[string]string{"rfm": "111"}
	}
	b.Fault(mailchimptest.Fault{Kind: simulator.LostAnswer, Times: 1, Writes: true})
	for _, o := range applyAll(t, d, changes...) {
		require.Equal(t, connectors.Delivered, o.State)
	}
	require.Equal(t, 3, b.Batches(), "the batch is sent again, and doing it twice changes nothing")
}
