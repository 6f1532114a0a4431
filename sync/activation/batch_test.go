package activation_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// wholesale is a platform that takes many people at once and answers later, by a job with a long text.
type wholesale struct {
	*platform
	size    int
	batches []int
	texts   []connectors.Job
}

func (w *wholesale) BatchSize() int { return w.size }

func (w *wholesale) Apply(ctx context.Context, changes []connectors.Change) (connectors.Result, error) {
	w.batches = append(w.batches, len(changes))
	result, err := w.platform.Apply(ctx, changes)
	if result.Job != "" {
		long := connectors.Job(string(result.Job) + strings.Repeat("x", 100_000))
		w.jobs[long] = w.jobs[result.Job]
		delete(w.jobs, result.Job)
		result.Job = long
	}
	return result, err
}

func (w *wholesale) Resume(ctx context.Context, job connectors.Job) (connectors.Result, error) {
	w.texts = append(w.texts, job)
	return w.platform.Resume(ctx, job)
}

// crowd makes n people of a shop, known to the platform.
func crowd(s *shop, p *platform, n int) {
	for i := range n {
		address := fmt.Sprintf("p%d@example.com", i)
		s.place(s.person("", address), "champions")
		p.people[address] = newPlatform("x").people["x"]
	}
}

func TestBatcherGetsItsSizeInPushAndPurge(t *testing.T) {
	for name, c := range map[string]struct {
		size    int
		batches []int
	}{
		"all at once":         {size: 10_000, batches: []int{1203}},
		"its own size":        {size: 700, batches: []int{700, 503}},
		"none of its own":     {size: 0, batches: []int{500, 500, 203}},
		"as small as it says": {size: 1000, batches: []int{1000, 203}},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := newShop(t), &wholesale{platform: newPlatform(), size: c.size}
			crowd(s, w.platform, 1203)
			o := s.options(w.platform, list())
			o.Destination = w
			var seen []int
			o.Progress = func(done, total int) { seen = append(seen, done, total) }
			sum, err := activation.Push(context.Background(), o)
			require.NoError(t, err)
			require.Equal(t, 1203, sum.Delivered)
			require.Equal(t, c.batches, w.batches)
			require.Equal(t, []int{1203, 1203}, seen[len(seen)-2:])

			w.batches = nil
			purged, err := activation.Purge(context.Background(), o)
			require.NoError(t, err)
			require.Equal(t, 1203, purged.People)
			require.Equal(t, c.batches, w.batches)
		})
	}
}

func TestManyAnswersAreRecordedInParts(t *testing.T) {
	s, w := newShop(t), &wholesale{platform: newPlatform(), size: 100_000}
	crowd(s, w.platform, 1203)
	o := s.options(w.platform, list())
	o.Destination = w
	var seen []int
	o.Progress = func(done, _ int) { seen = append(seen, done) }
	sum, err := activation.Push(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, 1203, sum.Delivered)
	require.Equal(t, []int{500, 1000, 1203}, seen)
}

// A job may hold what it is about: the ledger keeps its text once, not with each person in it nor in an index.
func TestLongJobsAreKeptWhole(t *testing.T) {
	s, w := newShop(t), &wholesale{platform: newPlatform("ann@example.com", "bob@example.com"), size: 1000}
	s.place(s.person("", "ann@example.com"), "champions")
	s.place(s.person("", "bob@example.com"), "lost")
	w.asJobs, w.finish = true, func(int) bool { return false }
	o := s.options(w.platform, list())
	o.Destination, o.JobWait = w, time.Nanosecond
	sum, err := activation.Push(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, 2, sum.Pending)
	require.Equal(t, 1, s.count(`SELECT count(*) FROM jobs WHERE store_id = $1 AND length(job) < 100 AND length(text) > 100000`))
	require.Equal(t, 2, s.count(`SELECT count(*) FROM outbox WHERE store_id = $1 AND length(job) BETWEEN 1 AND 100`))

	w.finish, w.texts = nil, nil
	sum, err = activation.Push(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, []string{"champions"}, w.ours("ann@example.com"))
	require.Equal(t, []string{"lost"}, w.ours("bob@example.com"))
	require.Len(t, w.texts, 1)
	require.Greater(t, len(w.texts[0]), 100_000)
	require.Equal(t, 2, sum.Delivered)
	require.Zero(t, s.count(`SELECT count(*) FROM jobs WHERE store_id = $1`))
}

func TestPushSaysThatItWaits(t *testing.T) {
	s, w := newShop(t), &wholesale{platform: newPlatform("ann@example.com"), size: 1000}
	s.place(s.person("", "ann@example.com"), "champions")
	w.asJobs, w.finish = true, func(int) bool { return false }
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	o := s.options(w.platform, list())
	defer cancel()
	waits := 0
	o.Destination, o.JobWait, o.Waiting = w, time.Hour, func() { waits++; cancel() }
	_, err := activation.Push(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, waits)
}
