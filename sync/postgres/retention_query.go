package postgres

// retentionQuery counts who comes back, as of $2, in a transaction with local days. Days are counted from 1970-01-01, months
// by the array $4 of their first days. $3 says that refunds are not taken off, $5 is in how many days a newcomer's second
// order counts, and $6 how many weeks are told apart. Amounts are in ten-thousandths.
//
// The orders are read once, and gone through for the first of each person, the days of each and the months of each; all
// counts follow from these. A row of the result says what it counts, a word and its name where the group has one, and the
// numbers of the row, the group's first.
const retentionQuery = `WITH today AS (
		SELECT $2::timestamptz::date - DATE '1970-01-01' AS day
	), back AS (
		SELECT order_id, sum(net) AS net, sum(cost) AS cost FROM refunds
		WHERE store_id = $1 AND counted AND at < $2 AND order_id <> '' GROUP BY order_id
	), sold AS MATERIALIZED (
		SELECT person, id, placed_at, day, width_bucket(day, $4::int[]) AS month, revenue, revenue - cost AS margin,
			CASE WHEN cost IS NOT NULL THEN revenue END AS costed
		FROM (
			SELECT o.person_id AS person, o.id, o.placed_at, o.placed_at::date - DATE '1970-01-01' AS day,
				((o.gross - CASE WHEN $3 THEN 0 ELSE coalesce(k.net, 0) END) * 10000)::bigint AS revenue,
				((o.cost - CASE WHEN $3 THEN 0 ELSE coalesce(k.cost, 0) END) * 10000)::bigint AS cost
			FROM orders o LEFT JOIN back k ON k.order_id = o.id
			WHERE o.store_id = $1 AND o.counted AND o.placed_at < $2 AND NOT (o.gross > 0 AND coalesce(k.net, 0) >= o.gross)
		) o
	), begun AS MATERIALIZED (
		SELECT DISTINCT ON (person) person, id, day, month, revenue, margin, costed FROM sold WHERE person IS NOT NULL
		ORDER BY person, day, placed_at, id COLLATE "C"
	), bought AS MATERIALIZED (
		SELECT person, count(*) AS orders, sum(revenue) AS revenue, array_agg(day ORDER BY day) AS each,
			array_agg(DISTINCT day ORDER BY day) AS days
		FROM sold WHERE person IS NOT NULL GROUP BY person
	), ` + retentionMonths + `, ` + retentionBeginners + retentionPeriods + retentionPeople + retentionOrigins

// retentionMonths sums up everybody's months by that of the first order and the last one before in which they bought. Again is
// who placed another order in it than the first.
const retentionMonths = `months AS MATERIALIZED (
		SELECT cohort, month, previous, count(*) AS people, count(*) FILTER (WHERE cohort <> month OR orders > 1) AS again,
			sum(orders) AS orders, sum(revenue) AS revenue, coalesce(sum(margin), 0) AS margin, coalesce(sum(costed), 0) AS costed
		FROM (
			SELECT *, first_value(month) OVER own AS cohort, lag(month) OVER own AS previous FROM (
				SELECT person, month, count(*) AS orders, sum(revenue) AS revenue, sum(margin) AS margin, sum(costed) AS costed
				FROM sold WHERE person IS NOT NULL GROUP BY person, month
			) m WINDOW own AS (PARTITION BY person ORDER BY month)
		) m GROUP BY cohort, month, previous
	)`

// retentionBeginners finds the first order of everybody, whether a second one followed in time (null where that cannot be told
// yet), and what was in it.
const retentionBeginners = `first AS MATERIALIZED (
		SELECT b.id, CASE WHEN b.day + $5 < t.day THEN coalesce(p.each[2] - b.day <= $5, false) END AS stayed
		FROM begun b JOIN bought p USING (person), today t
	), origin AS MATERIALIZED (
		SELECT f.stayed, coalesce(o.attribution->>'campaign', '') AS campaign, coalesce(o.attribution->>'source', '') AS source, o.coupons
		FROM first f JOIN orders o ON o.store_id = $1 AND o.id = f.id
	), item AS MATERIALIZED (
		SELECT f.id, f.stayed, l.product_id, max(l.name) AS name FROM first f JOIN lines l ON l.store_id = $1 AND l.order_id = f.id
		WHERE l.product_id <> '' GROUP BY f.id, f.stayed, l.product_id
	)`

// amounts are the last numbers of a row that has some.
const amounts = `sum(orders), sum(revenue), sum(margin), sum(costed)`

// retentionPeriods counts by month; by week only those who began in one of the last ones.
const retentionPeriods = `
	SELECT 'month' AS what, '' AS word, '' AS name, concat_ws(' ', cohort, month, sum(people), ` + amounts + `) AS numbers
	FROM months GROUP BY cohort, month
	UNION ALL SELECT 'visit', '', '', concat_ws(' ', month, coalesce(previous, -1), sum(people), ` + amounts + `)
	FROM months GROUP BY month, previous
	UNION ALL SELECT 'sale', 'returning', '', concat_ws(' ', month, sum(again), ` + amounts + `) FROM months GROUP BY month
	UNION ALL SELECT 'sale', CASE WHEN person IS NULL THEN 'unknown' ELSE 'new' END, '', concat_ws(' ', month, count(person), count(*),
			sum(revenue), coalesce(sum(margin), 0), coalesce(sum(costed), 0))
	FROM (SELECT person, month, revenue, margin, costed FROM begun
		UNION ALL SELECT person, month, revenue, margin, costed FROM sold WHERE person IS NULL) o GROUP BY month, person IS NULL
	UNION ALL SELECT 'week', '', '', concat_ws(' ', cohort, week, count(*), ` + amounts + `)
	FROM (
		SELECT (b.day + 3) / 7 AS cohort, (s.day + 3) / 7 AS week, count(*) AS orders, sum(s.revenue) AS revenue,
			coalesce(sum(s.margin), 0) AS margin, coalesce(sum(s.costed), 0) AS costed
		FROM today t JOIN begun b ON b.day >= ((t.day + 2) / 7 - $6 + 1) * 7 - 3 JOIN sold s USING (person)
		GROUP BY person, cohort, week
	) w GROUP BY cohort, week`

// retentionPeople counts people: by how often they bought, how long the second purchase took or has not come, their pauses,
// the spread of their last two, and what the best fifth of them spent.
const retentionPeople = `
	UNION ALL SELECT 'tally', '', '', concat_ws(' ', orders, cardinality(days), count(*), sum(revenue))
	FROM bought GROUP BY orders, cardinality(days)
	UNION ALL SELECT 'wait', '', '', concat_ws(' ', coalesce(days[2], t.day - 1) - days[1], (days[2] IS NOT NULL)::int, count(*))
	FROM bought, today t GROUP BY coalesce(days[2], t.day - 1) - days[1], days[2] IS NOT NULL
	UNION ALL SELECT 'gap', '', '', concat_ws(' ', later - earlier, count(*))
	FROM bought, unnest(days[:cardinality(days) - 1], days[2:]) AS pause (earlier, later)
	WHERE cardinality(days) > 1 GROUP BY later - earlier
	UNION ALL SELECT 'spread', '', '', concat_ws(' ', count(*), coalesce(sum(d ^ 2), 0), coalesce(sum(d ^ 4), 0))
	FROM (
		SELECT (days[n - 1] - days[n - 2])::float8 / (days[n] - days[n - 2]) - 0.5 AS d
		FROM (SELECT days, cardinality(days) AS n FROM bought) p WHERE n > 2
	) p
	UNION ALL SELECT 'best', '', '', coalesce(sum(revenue), 0)::text
	FROM (SELECT revenue, row_number() OVER (ORDER BY revenue DESC) AS place, count(*) OVER () AS n FROM bought) p
	WHERE place <= (n + 4) / 5`

// stays counts newcomers: whose first days are over, who of them came back, and who came too lately to tell.
const stays = `concat_ws(' ', count(stayed), count(*) FILTER (WHERE stayed), count(*) FILTER (WHERE stayed IS NULL))`

// retentionOrigins counts newcomers by what their first order has.
const retentionOrigins = `
	UNION ALL SELECT 'first', '', '', ` + stays + ` FROM first
	UNION ALL SELECT 'campaign', campaign, '', ` + stays + ` FROM origin GROUP BY campaign
	UNION ALL SELECT 'source', source, '', ` + stays + ` FROM origin GROUP BY source
	UNION ALL SELECT 'coupon', code, '', ` + stays + `
	FROM origin, LATERAL (SELECT DISTINCT unnest(CASE WHEN coupons = '{}' THEN '{""}' ELSE coupons END)) AS used (code) GROUP BY code
	UNION ALL SELECT 'product', i.product_id, coalesce(max(p.name), max(i.name)), ` + stays + `
	FROM item i LEFT JOIN products p ON p.store_id = $1 AND p.id = i.product_id GROUP BY i.product_id
	UNION ALL SELECT 'category', category, '', ` + stays + `
	FROM (
		SELECT DISTINCT i.id, i.stayed, unnest(p.categories) AS category
		FROM item i JOIN products p ON p.store_id = $1 AND p.id = i.product_id
	) c GROUP BY category`
