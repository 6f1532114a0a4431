package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// analyse is what a night does once everything is read, as of a moment: the aggregates, then everybody's segment, stage, tier,
// risk and worth.
func (p *place) analyse(people int, at time.Time, full bool) {
	out, err := analysis.Run(context.Background(), p.store, analysis.Options{Now: func() time.Time { return at }, Full: full, Worth: p.worth})
	require.NoError(p.tb, err)
	require.Equal(p.tb, people, out.Customers)
	p.tb.Logf("saved %+v", out.Saved)
}

// appraise works out what customers are worth, as a night does once a week.
func (p *place) appraise() cost {
	p.tb.Helper()
	return p.meter.measure(func() {
		worth, err := analysis.Appraise(context.Background(), p.store, analysis.WorthOptions{Now: func() time.Time { return today }})
		require.NoError(p.tb, err)
		p.worth = &worth
		p.tb.Logf("appraised by %s", worth.Kind)
	})
}

// growth measures the full run of smaller shops, for the CPU time of a customer, in microseconds.
func growth(tb testing.TB, people int) float64 {
	p := newPlace(tb)
	defer p.close()
	p.load(people)
	p.appraise()
	var runs []cost
	for range 3 {
		p.clear()
		runs = append(runs, p.meter.measure(func() { p.analyse(people, today, true) }))
	}
	each := middle(runs, func(c cost) float64 { return c.cpu().Seconds() * 1e6 / float64(people) })
	tb.Logf("full run of %d customers: %.1f µs a customer", people, each)
	return each
}

// clear takes back every analysis.
func (p *place) clear() {
	p.exec(`TRUNCATE person_stats, rfm_scores, standings, memberships, schemes, snapshots`)
}

// nightVariable makes this binary a process that appraises and analyses a shop: its database, number and epoch.
const nightVariable = "PERENNIAL_BENCH_NIGHT"

// nightMemory lets a process of its own appraise and analyse everybody, with the garbage collector set as the command sets
// it, and watches its memory, in MB.
func (p *place) nightMemory() float64 {
	p.tb.Helper()
	p.clear()
	var epoch int64
	require.NoError(p.tb, p.raw.QueryRow(`SELECT epoch FROM fences WHERE store_id = $1`, p.store.ID()).Scan(&epoch))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", nightVariable, p.store.ID(), epoch, p.url))
	return watched(p.tb, cmd)
}

// runNight does the work of a measured night where this is one.
func runNight() bool {
	var id, epoch int64
	var url string
	if n, _ := fmt.Sscanf(os.Getenv(nightVariable), "%d %d %s", &id, &epoch, &url); n != 3 {
		return false
	}
	debug.SetGCPercent(40)
	if err := night(id, epoch, url); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func night(id, epoch int64, url string) error {
	ctx, now := context.Background(), func() time.Time { return today }
	db, err := postgres.Open(ctx, postgres.Options{URL: secret.New(url)})
	if err != nil {
		return err
	}
	store := db.Store(id, epoch)
	worth, err := analysis.Appraise(ctx, store, analysis.WorthOptions{Now: now})
	if err != nil {
		return err
	}
	_, err = analysis.Run(ctx, store, analysis.Options{Now: now, Full: true, Worth: &worth})
	return err
}
