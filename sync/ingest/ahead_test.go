package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
)

// slowRecords take a second for every commit, and may fail at one.
type slowRecords struct {
	*memory
	failAt int
	done   int
}

func (s *slowRecords) Commit(ctx context.Context, c ingest.Commit) (ingest.Written, error) {
	time.Sleep(time.Second)
	if s.done++; s.done == s.failAt {
		return ingest.Written{}, errors.New("disk full")
	}
	return s.memory.Commit(ctx, c)
}

// slowScript answers five pages, each after a second, and notices when it is asked twice at once.
func slowScript(t *testing.T, busy *atomic.Int32) *script {
	n := 0
	return &script{offers: offer(true), pull: func(_ commerce.Resource, _ connectors.Mode, _ connectors.Cursor) (connectors.Page, error) {
		require.EqualValues(t, 1, busy.Add(1), "one request at a time")
		defer busy.Add(-1)
		time.Sleep(time.Second)
		n++
		page := orders(fmt.Sprint(n))
		page.Next, page.Done = connectors.Cursor(fmt.Sprint(n)), n == 5
		return page, nil
	}}
}

func TestTheNextPageIsReadWhileOneIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy atomic.Int32
		began := time.Now()
		summary, err := ingest.Run(t.Context(), ingest.Options{Source: slowScript(t, &busy), Records: &slowRecords{memory: newMemory()}, Now: time.Now})
		require.NoError(t, err)
		require.Equal(t, 5, summary.Written().Read)
		require.Equal(t, 6*time.Second, time.Since(began), "five pages, and the last commit")
	})
}

func TestAFailedCommitLeavesNoRequestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails where a goroutine stays
		var busy atomic.Int32
		records := &slowRecords{memory: newMemory(), failAt: 2}
		_, err := ingest.Run(t.Context(), ingest.Options{Source: slowScript(t, &busy), Records: records, Now: time.Now})
		require.ErrorContains(t, err, "disk full")
		require.Zero(t, busy.Load())
	})
}
