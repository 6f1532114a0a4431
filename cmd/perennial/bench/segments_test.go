package bench

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// measureSegments analyses a shop of a million customers and five million orders: everybody, then nights on which one in
// a hundred bought, then the comparison with what was delivered.
func measureSegments(tb testing.TB, scale float64) []figure {
	p := newPlace(tb)
	people := sized(1_000_000, scale, 200)
	turns := 3
	p.load(people)
	p.exec(`CREATE SCHEMA bare`)
	tb.Logf("appraisal %v", p.appraise())
	memory := p.nightMemory()

	var full, bare, nights []cost
	for range turns {
		p.clear()
		full = append(full, p.meter.measure(func() { p.analyse(people, today, true) }))
		bare = append(bare, p.bareParts(people))
		tb.Logf("full run %v, bare parts %v", full[len(full)-1], bare[len(bare)-1])
	}
	for night := 1; night <= turns; night++ {
		p.buy(people, night)
		p.exec(`VACUUM ANALYZE`) // as the server does by itself in the course of a day
		at := today.AddDate(0, 0, night)
		nights = append(nights, p.meter.measure(func() { p.analyse(people, at, false) }))
		tb.Logf("night %d %v", night, nights[len(nights)-1])
	}
	size := fmt.Sprintf("%d customers", people)
	wall, cpu := func(c cost) float64 { return c.wall.Seconds() }, func(c cost) float64 { return c.cpu().Seconds() }
	each := func(c cost) float64 { return c.cpu().Seconds() * 1e6 / float64(people) }
	smaller, smallest := growth(tb, max(200, people/10)), growth(tb, max(200, people/100))
	figures := []figure{
		{name: "whole analysis of " + size + ", time", unit: "s", ours: middle(full, wall), bare: middle(bare, wall), target: 1.5},
		{name: "whole analysis of " + size + ", CPU", unit: "s", ours: middle(full, cpu), bare: middle(bare, cpu), target: 1.5},
		{name: "night with 1 % changed against the full run, time", unit: "s", ours: middle(nights, wall), bare: middle(full, wall), target: 0.2},
		{name: "night with 1 % changed against the full run, CPU", unit: "s", ours: middle(nights, cpu), bare: middle(full, cpu), target: 0.2},
		{name: "CPU of a customer against a shop of a tenth", unit: "µs", ours: middle(full, each), bare: smaller, target: 1.1},
		{name: "the same, of a tenth against a hundredth", unit: "µs", ours: smaller, bare: smallest, target: 1.1},
		{name: "memory of appraisal and analysis of " + size, unit: "MB", ours: memory, target: 1000, alone: true},
	}
	return append(figures, p.difference(people, turns)...)
}

func middle(costs []cost, of func(cost) float64) float64 {
	var values []float64
	for _, c := range costs {
		values = append(values, of(c))
	}
	return median(values)
}

// indexes returns the definitions and names of the indexes beside the primary keys.
func (p *place) indexes() (definitions, names []string) {
	p.tb.Helper()
	rows, err := p.raw.Query(`SELECT indexdef, indexname FROM pg_indexes WHERE schemaname = 'public'
		AND tablename IN ('orders', 'persons', 'refunds') AND indexname NOT LIKE '%_pkey'`)
	require.NoError(p.tb, err)
	defer func() { require.NoError(p.tb, rows.Close()) }()
	for rows.Next() {
		var definition, name string
		require.NoError(p.tb, rows.Scan(&definition, &name))
		definitions, names = append(definitions, definition), append(names, name)
	}
	require.NoError(p.tb, rows.Err())
	return definitions, names
}

// load fills the tables that the analysis reads: five orders a person, unevenly, and a refund for one order in twenty.
func (p *place) load(people int) {
	p.tb.Helper()
	indexes, names := p.indexes()
	for _, name := range names {
		p.exec(`DROP INDEX ` + name)
	}
	p.exec(`SELECT setseed(0.5)`)
	p.exec(`INSERT INTO persons (store_id, person_id, customer_id, email)
		SELECT $1, g, g::text, 'person' || g || '@example.com' FROM generate_series(1, $2::bigint) g`, p.store.ID(), people)
	p.orders(0, 5*people, people, `CASE WHEN g <= $4 THEN g ELSE 1 + floor($4 * power(random(), 2))::bigint END`)
	p.exec(`INSERT INTO refunds (store_id, order_id, id, customer_id, email, at, currency, amount, goods, shipping, fees, tax,
			reason, lines, person_id, counted, net, whole)
		SELECT store_id, id, 'r' || id, '', '', placed_at + interval '2 days', 'EUR', gross / 2, gross / 2, 0, 0, 0,
			'', '[]', person_id, counted, gross / 2, gross / 2 FROM orders WHERE right(id, 2)::int % 20 = 0`)
	for _, definition := range indexes {
		p.exec(definition)
	}
	p.exec(`VACUUM ANALYZE`)
	require.NoError(p.tb, p.store.MarkLoaded(context.Background(), today))
}

// orders adds count orders behind those with a lower number; $4 is how many people there are.
func (p *place) orders(first, count, people int, person string) {
	p.tb.Helper()
	p.exec(`INSERT INTO orders (store_id, id, number, status, test, customer_id, email, first_name, last_name, country, region,
			city, postcode, placed_at, modified_at, currency, goods, discount, shipping, tax, fees, total, gift_cards,
			buyer_currency, channel, attribution, coupons, consent, hash, complete, person_id, counted, rate, gross)
		SELECT $1, lpad(g::text, 9, '0'), g::text, 'completed', false, person::text, 'person' || person || '@example.com', 'Ada',
			'Lindqvist', 'DE', 'BE', 'Berlin', '10115', at, at, 'EUR', amount, 0, 4.9, amount * 0.19, 0, amount * 1.19 + 4.9, 0, '',
			'checkout', '{}', '{}', '', decode(md5(g::text), 'hex'), true, person, true, 1, amount
		FROM (SELECT g, `+person+` AS person, $5::timestamptz - random() * interval '730 days' AS at,
			round((5 + random() * 200)::numeric, 2) AS amount FROM generate_series($2::bigint + 1, $2::bigint + $3::bigint) g) o`,
		p.store.ID(), first, count, people, today.AddDate(0, 0, -1))
}

// buy lets one person in a hundred buy on the day before the night.
func (p *place) buy(people, night int) {
	p.tb.Helper()
	count := max(1, people/100)
	first := 5*people + night*people
	p.orders(first, count, people, fmt.Sprintf(`1 + (g * 99 + %d + $4 * 0) %% $4`, night))
	p.exec(`UPDATE orders SET placed_at = $2 WHERE store_id = $1 AND id > lpad($3::text, 9, '0')`,
		p.store.ID(), today.AddDate(0, 0, night-1), first)
	p.exec(`INSERT INTO touched SELECT DISTINCT store_id, person_id FROM orders WHERE store_id = $1 AND id > lpad($2::text, 9, '0')
		ON CONFLICT DO NOTHING`, p.store.ID(), first)
}

// bareParts sums up the orders, reads the sums and writes as many scores and standings with their memberships, in tables of
// the same shape.
func (p *place) bareParts(people int) cost {
	p.tb.Helper()
	p.exec(`DROP TABLE IF EXISTS bare.stats, bare.rfm_scores, bare.standings, bare.memberships`)
	p.exec(`CREATE TABLE bare.rfm_scores (LIKE rfm_scores INCLUDING ALL);
		CREATE TABLE bare.standings (LIKE standings INCLUDING ALL);
		CREATE TABLE bare.memberships (LIKE memberships INCLUDING ALL);
		CREATE TABLE bare.stats (LIKE person_stats INCLUDING ALL)`)
	return p.meter.measure(func() {
		tx, err := p.raw.Begin()
		require.NoError(p.tb, err)
		p.bareSums(tx)
		customers := p.bareRead(tx)
		require.Len(p.tb, customers, people)
		p.bareWrite(tx, customers)
		require.NoError(p.tb, tx.Commit())
	})
}

func (p *place) do(tx *sql.Tx, query string, args ...any) {
	p.tb.Helper()
	_, err := tx.Exec(query, args...)
	require.NoError(p.tb, err)
}

func (p *place) bareSums(tx *sql.Tx) {
	p.do(tx, `SET LOCAL work_mem = '256MB'; SET LOCAL timezone = 'Europe/Berlin'`)
	p.do(tx, `INSERT INTO bare.stats (store_id, person_id, orders, first_day, last_day, gross, net, days, bought)
		SELECT $1, person_id, count(*), min(day), max(day), sum(gross), sum(gross), count(*) FILTER (WHERE before IS DISTINCT FROM day),
			sum(gross)
		FROM (SELECT person_id, gross, placed_at::date AS day, lag(placed_at::date) OVER (PARTITION BY person_id ORDER BY placed_at) AS before
			FROM orders WHERE store_id = $1 AND counted AND person_id IS NOT NULL AND placed_at < $2) AS o
		GROUP BY person_id`, p.store.ID(), today)
}

func (p *place) bareRead(tx *sql.Tx) []analysis.Customer {
	rows, err := tx.Query(`SELECT person_id, orders, first_day - DATE '1970-01-01', last_day - DATE '1970-01-01',
		round(gross * 10000)::bigint, round(net * 10000)::bigint, days, round(bought * 10000)::bigint FROM bare.stats WHERE store_id = $1 ORDER BY person_id`, p.store.ID())
	require.NoError(p.tb, err)
	defer func() { _ = rows.Close() }()
	var all []analysis.Customer
	for rows.Next() {
		var c analysis.Customer
		if err := rows.Scan(&c.Person, &c.Orders, &c.FirstDay, &c.LastDay, &c.Gross, &c.Net, &c.Days, &c.Bought); err != nil {
			require.NoError(p.tb, err)
		}
		all = append(all, c)
	}
	require.NoError(p.tb, rows.Err())
	return all
}

func (p *place) bareWrite(tx *sql.Tx, customers []analysis.Customer) {
	p.do(tx, `CREATE TEMP TABLE bare_scores (person_id bigint, r smallint, f smallint, m smallint, segment text, stage text, tier text, churn text,
		value numeric, next_week date) ON COMMIT DROP`)
	rows := make([][]any, len(customers))
	groups, stages, tiers, churns := segment.Definitions(), segment.Stages(), segment.Tiers(), segment.ChurnBands().Definitions()
	for i, c := range customers {
		rows[i] = []any{
			c.Person, int64(1 + i%5), int64(1 + i/5%5), int64(1 + i/25%5), groups[i%len(groups)].ID, stages[i%len(stages)].ID, tiers[i%len(tiers)].ID,
			churns[i%len(churns)].ID, strconv.Itoa(10 * (i % 90)), today.AddDate(0, 0, 7*(i%20)).Format(time.DateOnly),
		}
	}
	copyIn(p.tb, tx, "bare_scores", []string{"person_id", "r", "f", "m", "segment", "stage", "tier", "churn", "value", "next_week"}, rows)
	p.do(tx, `INSERT INTO bare.rfm_scores SELECT $1, person_id, r, f, m, segment, DATE '2026-11-02' FROM bare_scores`, p.store.ID())
	p.do(tx, `INSERT INTO bare.standings (store_id, person_id, stage, tier, churn, value, next_week)
		SELECT $1, person_id, stage, tier, churn, value, next_week FROM bare_scores`, p.store.ID())
	for scheme, column := range map[string]string{"rfm": "segment", "lifecycle": "stage", "tier": "tier", "churn": "churn"} {
		p.do(tx, `INSERT INTO bare.memberships SELECT $1, '`+scheme+`', person_id, DATE '2026-11-02', NULL, 'abcdef', `+column+`
			FROM bare_scores`, p.store.ID())
	}
}

// difference holds a plan that finds everybody delivered as desired against the bare join of the two sides.
func (p *place) difference(people, turns int) []figure {
	p.tb.Helper()
	target := activation.Target{Destination: "shop", NeedsAccount: true, Names: map[string]string{}, Attributes: activation.Attributes()}
	for _, d := range segment.Definitions() {
		target.Audiences = append(target.Audiences, connectors.Audience{Key: d.ID, Name: d.Name})
		target.Names[d.ID] = d.Name
	}
	for scheme, groups := range map[string][]segment.Definition{
		segment.SchemeLifecycle: segment.Stages(), segment.SchemeTier: segment.Tiers(),
		segment.SchemeChurn: segment.ChurnBands().Definitions(), segment.SchemeOwn: {{ID: "abroad"}, {ID: "vip"}},
	} {
		for _, d := range groups {
			key := segment.Key(scheme, d.ID)
			target.Audiences = append(target.Audiences, connectors.Audience{Key: key, Name: key})
		}
	}
	p.stand()
	ctx := context.Background()
	plan, err := p.store.Plan(ctx, target, false, today)
	require.NoError(p.tb, err)
	require.Equal(p.tb, people, plan.Changes)
	p.exec(`INSERT INTO deliveries (store_id, destination, person_id, address, audiences, attributes, hash, state, at)
		SELECT store_id, destination, person_id, address, audiences, attributes, hash, 'delivered', now() FROM outbox`)
	p.exec(`DELETE FROM outbox`)
	p.exec(`VACUUM ANALYZE`)
	var ours, bare []cost
	for range turns {
		ours = append(ours, p.meter.measure(func() {
			plan, err := p.store.Plan(ctx, target, true, today)
			require.NoError(p.tb, err)
			require.Equal(p.tb, people, plan.Unchanged)
		}))
		bare = append(bare, p.meter.measure(func() { p.bareJoin(people) }))
		p.tb.Logf("difference %v, bare join %v", ours[len(ours)-1], bare[len(bare)-1])
	}
	wall, cpu := func(c cost) float64 { return c.wall.Seconds() }, func(c cost) float64 { return c.cpu().Seconds() }
	name := fmt.Sprintf("difference of %d desired and delivered, ", people)
	return []figure{
		{name: name + "time", unit: "s", ours: middle(ours, wall), bare: middle(bare, wall), target: 2},
		{name: name + "CPU", unit: "s", ours: middle(ours, cpu), bare: middle(bare, cpu), target: 2},
	}
}

// stand puts everybody somewhere in every scheme, as an appraised shop with segments of its own has them.
func (p *place) stand() {
	p.tb.Helper()
	p.exec(`DELETE FROM standings WHERE store_id = $1`, p.store.ID())
	p.exec(`UPDATE rfm_scores SET previous = (ARRAY['lost', 'loyal', NULL])[1 + person_id % 3] WHERE store_id = $1`, p.store.ID())
	p.exec(`INSERT INTO standings (store_id, person_id, stage, tier, churn, own, value, next_week, last_order, favourite)
		SELECT store_id, person_id, (ARRAY['first_time', 'active', 'won_back', 'slipping', 'lapsed', 'lost'])[1 + person_id % 6],
			(ARRAY['low', 'middle', 'high', 'top'])[1 + person_id / 7 % 4], (ARRAY['low', 'medium', 'high'])[1 + person_id / 3 % 3],
			(ARRAY['{}', '{abroad}', '{vip}', '{abroad,vip}'])[1 + person_id / 11 % 4]::text[], 10 * (person_id % 90),
			DATE '2026-11-02' + 7 * (person_id % 20)::int, DATE '2026-11-01' - (person_id % 700)::int,
			(ARRAY['Tea', 'Cups', 'Honey', ''])[1 + person_id / 5 % 4] FROM rfm_scores WHERE store_id = $1`, p.store.ID())
}

// bareJoin joins what is desired, as it lies in the tables and hashed to be compared, with what was delivered.
func (p *place) bareJoin(people int) {
	tx, err := p.raw.Begin()
	require.NoError(p.tb, err)
	defer func() { _ = tx.Rollback() }()
	p.do(tx, `SET LOCAL work_mem = '256MB'`)
	var same int
	require.NoError(p.tb, tx.QueryRow(`SELECT count(*) FILTER (WHERE w.hash = d.hash OR d.hash IS NOT NULL AND w.address = d.address)
		FROM (SELECT person_id, customer_id AS address, decode(md5(concat(segment, r, f, m, since, previous, stage, tier, churn, own, value,
				next_week, last_order, favourite)), 'hex') AS hash
			FROM (SELECT * FROM persons WHERE store_id = $1) p JOIN (SELECT * FROM rfm_scores WHERE store_id = $1) s USING (person_id)
			JOIN (SELECT * FROM standings WHERE store_id = $1) t USING (person_id)) w
		FULL JOIN (SELECT person_id, address, hash FROM deliveries WHERE store_id = $1 AND destination = 'shop') d
		USING (person_id)`, p.store.ID()).Scan(&same))
	require.Equal(p.tb, people, same)
}
