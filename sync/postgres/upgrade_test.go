package postgres_test

import (
	"context"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/activation"
	"github.com/perennial-cvo/perennial/sync/postgres"
	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// migrateTo brings an empty database to an old version of the schema.
func migrateTo(t *testing.T, address string, version int64) {
	t.Helper()
	files, err := fs.Sub(postgres.Migrations(), "migrations")
	require.NoError(t, err)
	provider, err := goose.NewProvider(goose.DialectPostgres, postgrestest.SQL(t, address), files)
	require.NoError(t, err)
	_, err = provider.UpTo(context.Background(), version)
	require.NoError(t, err)
}

// grow fills a shop with what a first load brings: buyers, one of whom gave an order back, and a prospect.
func (s *shop) grow() {
	s.t.Helper()
	for i := range 30 {
		name := fmt.Sprint("customer", i)
		for n := range 1 + i%4 {
			o := placed(fmt.Sprint(i, ".", n), name, at(1+(i+5*n)%8, 10+n))
			o.Goods = money(fmt.Sprint(10 + i))
			o.Cost.Valid, o.Cost.Decimal = i%3 > 0, money("4")
			s.put(commerce.Orders, whole(o))
		}
	}
	s.put(commerce.Orders, refunded(placed("back", "ann", at(1, 10)), "4", at(2, 10)))
	s.put(commerce.Orders, refunded(placed("void", "ann", at(2, 10)), "10", at(3, 10)))
	s.put(commerce.Customers, commerce.Batch{Customers: []commerce.Customer{{ID: "reader", Email: "reader@example.com"}}})
	require.NoError(s.t, s.MarkLoaded(context.Background(), noon))
}

// analysedBefore leaves what a night of version 4 left: sums, RFM groups, their history, and nobody to look at again.
func (s *shop) analysedBefore(day int) {
	s.t.Helper()
	_, err := s.raw.Exec(`
		INSERT INTO person_stats (store_id, person_id, orders, first_day, last_day, gross, net)
			SELECT store_id, person_id, count(*), min(placed_at)::date, max(placed_at)::date, sum(gross), sum(gross)
			FROM orders WHERE counted AND person_id IS NOT NULL GROUP BY store_id, person_id;
		INSERT INTO schemes (store_id, scheme, version, rule, first_day) SELECT store_id, 'rfm', 'old',
			'{"convention": "rank_min", "bins": 0, "used": 5, "basis": "net"}', '2026-03-02' FROM stores;
		INSERT INTO rfm_scores SELECT store_id, person_id, 5, 5, 5, 'champions', '2026-03-02' FROM person_stats;
		INSERT INTO memberships SELECT store_id, 'rfm', person_id, '2026-03-02', NULL, 'old', 'champions' FROM person_stats;
		DELETE FROM touched`)
	require.NoError(s.t, err)
	_, err = s.raw.Exec(`INSERT INTO snapshots SELECT store_id, 'rfm', $1::date, 'champions', 'old', $1, 1, count(*), sum(orders), sum(gross), sum(net)
		FROM person_stats GROUP BY store_id`, at(day, 0).Format(time.DateOnly))
	require.NoError(s.t, err)
}

// analysed is a night of today's program: an appraisal, and then where everybody stands.
func (s *shop) analysed(day int) analysis.Saved {
	s.t.Helper()
	ctx := context.Background()
	now := func() time.Time { return at(day, 12) }
	s.refresh(at(day, 0), false)
	worth, err := analysis.Appraise(ctx, s, analysis.WorthOptions{Now: now})
	require.NoError(s.t, err)
	require.NoError(s.t, s.SaveWorth(ctx, worth))
	outcome, err := analysis.Run(ctx, s, analysis.Options{Now: now, Worth: &worth})
	require.NoError(s.t, err)
	return outcome.Saved
}

// TestFirstNightAfterAnUpgrade: a database that a program of version 4 left has, after one night, what a new one has; and the
// history of before is kept. The old program may have worked on the same day already.
func TestFirstNightAfterAnUpgrade(t *testing.T) {
	fresh := newShop(t)
	fresh.grow()
	fresh.analysed(10)
	for _, before := range []int{9, 10} {
		t.Run(fmt.Sprint("analysed on day ", before), func(t *testing.T) {
			url := postgrestest.EmptyURL(t)
			migrateTo(t, url, 4)
			s := openShop(t, url)
			_, err := s.raw.Exec(`CREATE TABLE unsubscribed (store_id bigint, address text, destination text, reason text, at timestamptz)`)
			require.NoError(t, err, "today's program, which fills the shop, looks there")
			s.grow()
			_, err = s.raw.Exec(`DROP TABLE unsubscribed`)
			require.NoError(t, err)
			s.analysedBefore(before)
			require.NoError(t, s.db.Migrate(context.Background()))

			saved := s.analysed(10)
			require.Equal(t, 32, saved.Placed)
			require.Empty(t, cmp.Diff(fresh.customersNow(), s.customersNow()))
			require.Equal(t, fresh.stats(), s.stats())
			require.Equal(t, 1, one[int](s, `SELECT count(*) FROM standings WHERE stage = 'prospect'`))
			require.Equal(t, 31, one[int](s, `SELECT count(*) FROM memberships WHERE scheme = 'rfm' AND last_day = '2026-03-09' AND version = 'old'`))
			require.Equal(t, []string{"churn 10", "lifecycle 10", "rfm 10", "tier 10"}, all[string](s, `SELECT DISTINCT scheme || ' ' ||
				to_char(first_day, 'FMDD') FROM memberships WHERE last_day IS NULL ORDER BY 1`))
			require.Empty(t, one[string](s, `SELECT coalesce(string_agg(person_id::text, ' '), '') FROM touched`))

			rows := s.everything()
			require.Equal(t, analysis.Saved{}, s.analysed(10))
			require.Equal(t, rows, s.everything(), "the same night again rewrites nothing")
		})
	}
}

// TestNoFromBeforeAnUpgradeIsThatOfTheAddress: what people and accounts that are gone said is carried over.
func TestNoFromBeforeAnUpgradeIsThatOfTheAddress(t *testing.T) {
	url := postgrestest.EmptyURL(t)
	migrateTo(t, url, 7)
	s := openShop(t, url)
	_, err := s.raw.Exec(`
		INSERT INTO persons (store_id, person_id, customer_id, email) SELECT 1, n, nullif(c, ''), e FROM (VALUES
			(1, '7', 'ann@example.com'), (2, '', 'ann@example.com'), (3, '8', 'bob@example.com'), (4, '', 'cid@example.com')) AS p(n, c, e);
		INSERT INTO suppressions VALUES (1, 1, 'letters', 'unsubscribed', '2026-02-01'), (1, 2, 'letters', 'unsubscribed', '2026-01-01');
		INSERT INTO customers (store_id, id, person_id, email, first_name, last_name, role, country, region, city, postcode, tags, consent, hash, deleted_at)
			VALUES (1, '9', 4, 'cid@example.com', '', '', '', '', '', '', '', '{}', 'unsubscribed', '', '2026-02-02')`)
	require.NoError(t, err)
	require.NoError(t, s.db.Migrate(context.Background()))
	require.Equal(t, []string{"1 letters 2026-02-01", "2 letters 2026-02-01", "4 shop 2026-02-02"},
		all[string](s, `SELECT concat_ws(' ', person_id, destination, at::date) FROM suppressions ORDER BY 1`))
	require.Equal(t, []string{"bob@example.com"}, s.offered(activation.ConsentOwner))
}
