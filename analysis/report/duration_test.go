package report_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
)

func TestTook(t *testing.T) {
	require.Empty(t, report.Run{Started: now}.Took(), "it has not ended")
	for took, words := range map[time.Duration]string{
		-time.Second: "under a second", 300 * time.Millisecond: "under a second", time.Second: "1 second", 59900 * time.Millisecond: "59 seconds",
		time.Minute: "1 minute", 14*time.Minute + 40*time.Second: "15 minutes", time.Hour: "1 hour", 125 * time.Minute: "2 hours 5 minutes",
	} {
		require.Equal(t, words, report.Run{Started: now, Ended: now.Add(took)}.Took())
	}
}
