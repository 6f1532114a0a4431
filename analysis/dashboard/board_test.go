package dashboard

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// statusFacts answers what a status asks, and nothing else: a report would count every order.
type statusFacts struct {
	shopFacts
	read int
}

func (f *statusFacts) Overview(context.Context) (report.Overview, error) {
	f.read++
	return report.Overview{Store: "tea", Resources: []report.Resource{{Name: "orders", Read: 100 * f.read, Total: 1000}}}, nil
}

func (f *statusFacts) Deliveries(context.Context) ([]report.Delivery, error) { return nil, nil }

func (f *statusFacts) Quarantine(context.Context, int) ([]report.Quarantined, error) { return nil, nil }

func (f *statusFacts) Groups(context.Context, string) (report.Snapshot, error) {
	return report.Snapshot{}, nil
}

// TestARunUnderWayIsFollowedByItsStatus: figures change when it ends, so they are not counted anew every few seconds.
func TestARunUnderWayIsFollowedByItsStatus(t *testing.T) {
	f := &statusFacts{shopFacts: shopFacts{runs: []report.Run{{Kind: "sync", State: "running", Started: readAt}}}}
	now := readAt
	b := newBoard(t.Context(), Shop{Facts: f}, Options{Now: func() time.Time { return now }})
	mark, err := b.mark(t.Context())
	require.NoError(t, err)
	b.last = &state{Report: report.Report{Warnings: []string{"kept"}}, runs: mark, at: readAt}
	for i := range 3 {
		now = now.Add(unfolding)
		read, err := b.collect(t.Context(), mark)
		require.NoError(t, err)
		require.Equal(t, 100*(i+1), read.Status.Overview.Resources[0].Read)
		require.Equal(t, read.Status.Overview, read.Report.Overview)
		require.Equal(t, []string{"kept"}, read.Report.Warnings)
		require.Equal(t, now, read.at)
	}
}

// TestBoardsKnowTheConfiguration: when the next run is, the database cannot say.
func TestBoardsKnowTheConfiguration(t *testing.T) {
	f := &statusFacts{}
	next, gone := readAt.Add(23*time.Hour), errors.New("connection refused")
	b := newBoard(t.Context(), Shop{Facts: f, Complete: func(_ context.Context, s *report.StoreStatus) error {
		s.Overview.NextRun = next
		return nil
	}}, Options{Now: func() time.Time { return readAt }})
	b.last = &state{}
	read, err := b.collect(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, next, read.Status.Overview.NextRun)
	require.Equal(t, next, read.Report.Overview.NextRun)

	b.known = func(context.Context, *report.StoreStatus) error { return gone }
	_, err = b.collect(t.Context(), "")
	require.ErrorIs(t, err, gone)
}
