package postgres_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

// BenchmarkMovement asks for movement in a year of history: of everybody, six intervals each.
func BenchmarkMovement(b *testing.B) {
	people := 100_000
	if n, err := strconv.Atoi(os.Getenv("PERENNIAL_BENCH_PEOPLE")); err == nil {
		people = n
	}
	s, ctx := newShop(b), context.Background()
	_, err := s.raw.Exec(`INSERT INTO memberships (store_id, scheme, person_id, first_day, last_day, version, segment)
		SELECT $1, 'rfm', person, DATE '2025-01-01' + part * 60 + person % 60,
			CASE WHEN part < 5 THEN DATE '2025-01-01' + (part + 1) * 60 + person % 60 - 1 END, 'v1',
			(ARRAY['champions', 'loyal', 'promising', 'at_risk', 'lost'])[1 + (person * 7 + part * (person % 3)) % 5]
		FROM generate_series(1, $2::int) AS person, generate_series(0, 5) AS part`, s.id, people)
	require.NoError(b, err)
	_, err = s.raw.Exec(`INSERT INTO person_stats (store_id, person_id, orders, gross, net)
		SELECT $1, person, 2, 30, person % 1000 + 0.5 FROM generate_series(1, $2::int) AS person`, s.id, people)
	require.NoError(b, err)
	_, err = s.raw.Exec(`VACUUM ANALYZE memberships, person_stats`)
	require.NoError(b, err)
	first := int(time.Date(2025, 2, 28, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
	weeks, months := []int{}, []int{}
	for i := range 43 {
		weeks = append(weeks, first+7*i)
	}
	for i := range 11 {
		months = append(months, first+30*i)
	}
	for b.Loop() {
		for what, ask := range map[string]func() error{
			"moves":  func() error { _, err := s.Moves(ctx, "rfm", first+250, first+280); return err },
			"weeks":  func() error { _, err := s.MovementSteps(ctx, "rfm", weeks); return err },
			"months": func() error { _, err := s.MovementSteps(ctx, "rfm", months); return err },
			"events": func() error {
				return s.Events(ctx, "rfm", first+250, first+251, func(segment.Event) error { return nil })
			},
		} {
			began := time.Now()
			require.NoError(b, ask())
			b.ReportMetric(time.Since(began).Seconds(), "s-"+what)
		}
	}
}
