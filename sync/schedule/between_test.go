package schedule

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBetweenNights: what is due between two nights is done as the shop's one writer, never while the night is due or at work,
// and what goes wrong there leaves the nights as they are.
func TestBetweenNights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC, 1 January 2000
		ledger, seen := newMemory(), &diary{}
		last, busy := time.Time{}, atomic.Int32{}
		r := NewRunner(Options{
			Holder: Holder{Ledger: ledger, Name: "a", TTL: time.Minute}, Shops: shops(1),
			Job: func(context.Context, int64, int64, string) error {
				require.Equal(t, int32(1), busy.Add(1))
				defer busy.Add(-1)
				seen.enter("night " + time.Now().UTC().Format("02 15:04"))
				time.Sleep(90 * time.Minute)
				last = time.Now()
				return nil
			},
			Between: func(context.Context, int64) (bool, error) { return time.Since(last) >= 4*time.Hour, nil },
			Light: func(_ context.Context, store, epoch int64, occurrence string) error {
				require.Equal(t, int32(1), busy.Add(1))
				defer busy.Add(-1)
				require.Equal(t, []any{int64(1), ledger.leases[1].epoch, ""}, []any{store, epoch, occurrence})
				seen.enter("between " + time.Now().UTC().Format("02 15:04"))
				last = time.Now()
				return errors.New("the shop is away")
			},
		})
		require.NoError(t, r.Start(t.Context()))
		time.Sleep(29 * time.Hour)
		synctest.Wait()
		require.NoError(t, stop(t, r, 2*time.Hour))
		require.Equal(t, []string{
			"night 01 00:00", "night 01 03:00", "between 01 08:30", "between 01 12:30", "between 01 16:30", "between 01 20:30",
			"between 02 00:30", "night 02 03:00",
		}, seen.entries())
		require.Equal(t, Nightly{Done: "2000-01-02T03:00"}, ledger.night(1))
	})
}
