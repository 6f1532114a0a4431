package postgres

// productQuery counts what was sold of each product and category as of $2, in a transaction with local days. $3 says that
// refunds are not taken off revenue, $4 after how many days it is told whether something came back, $5 which part of the
// customers are the best where there are no tiers. Amounts are in ten-thousandths, in the shop's currency.
//
// As everywhere, an order of which all money was given back is no purchase: it brings nothing and is nobody's first, but what
// was in it has come back. A row of the result says what it counts, a word and its name, and the numbers.
const productQuery = `WITH ` + productOrders + productBest + productItems + productRatings + productColumns

// productOrders are the orders that count, and everybody's first purchase.
const productOrders = `today AS (
		SELECT $2::timestamptz::date - DATE '1970-01-01' AS day
	), given AS MATERIALIZED (
		SELECT order_id, net, lines, EXISTS (SELECT FROM jsonb_to_recordset(lines) AS l (line_id text) WHERE line_id <> '') AS told
		FROM refunds WHERE store_id = $1 AND counted AND order_id <> '' AND at < $2
	), returned AS MATERIALIZED (
		SELECT order_id, line_id, sum(amount) AS amount, sum(quantity) AS quantity
		FROM given CROSS JOIN jsonb_to_recordset(lines) AS l (line_id text, amount numeric, quantity numeric)
		WHERE line_id <> '' GROUP BY order_id, line_id
	), placed AS MATERIALIZED (
		SELECT o.id, o.person_id AS person, o.placed_at, o.placed_at::date - DATE '1970-01-01' AS day, o.rate, o.gross,
			o.gross > 0 AND coalesce(k.net, 0) >= o.gross AS void, coalesce(k.loose, 0) AS loose
		FROM orders o
		LEFT JOIN (SELECT order_id, sum(net) AS net, sum(net) FILTER (WHERE NOT told) AS loose FROM given GROUP BY order_id) k ON k.order_id = o.id
		WHERE o.store_id = $1 AND o.counted AND o.placed_at < $2
	), begun AS MATERIALIZED (
		SELECT DISTINCT ON (person) person, id FROM placed WHERE person IS NOT NULL AND NOT void
		ORDER BY person, day, placed_at, id COLLATE "C"
	)`

// productBest finds the best customers: the top tier, or those who spent most.
const productBest = `, tiers AS MATERIALIZED (
		SELECT person_id AS person, tier = 'top' AS top FROM standings WHERE store_id = $1 AND tier <> ''
	), best AS MATERIALIZED (
		SELECT person FROM begun JOIN tiers USING (person) WHERE top
		UNION ALL SELECT person FROM (
			SELECT person, row_number() OVER (ORDER BY coalesce(s.bought, 0) DESC, person) AS place, count(*) OVER () AS n
			FROM begun b LEFT JOIN person_stats s ON s.store_id = $1 AND s.person_id = b.person
			WHERE NOT EXISTS (SELECT FROM tiers)
		) p WHERE place <= ceil(n * $5::float8)
	)`

// productItems sums up the lines of each order by product, and those by category: a product in several counts in each.
const productItems = `, item AS MATERIALIZED (
		SELECT p.id, p.person, p.day, p.void, f.id IS NOT NULL AS first, l.product_id, max(l.name) AS name, sum(l.quantity) AS units,
			sum(CASE WHEN p.void THEN 0 ELSE l.total - CASE WHEN $3 THEN 0 ELSE coalesce(r.amount, 0) END END * p.rate) AS revenue,
			sum(CASE WHEN p.void THEN l.quantity ELSE least(coalesce(r.quantity, 0), l.quantity) END) AS back,
			sum(CASE WHEN p.void THEN l.total ELSE coalesce(r.amount, 0) END * p.rate) AS money
		FROM placed p JOIN lines l ON l.store_id = $1 AND l.order_id = p.id
		LEFT JOIN returned r ON r.order_id = p.id AND r.line_id = l.id LEFT JOIN begun f ON f.id = p.id
		WHERE NOT l.gift_card GROUP BY p.id, p.person, p.day, p.void, f.id, l.product_id
	), named AS MATERIALIZED (
		SELECT i.product_id, coalesce(nullif(max(p.name), ''), max(i.name), '') AS name, coalesce(bool_or(p.deleted_at IS NOT NULL), false) AS gone
		FROM item i LEFT JOIN products p ON p.store_id = $1 AND p.id = i.product_id GROUP BY i.product_id
	), shelf AS MATERIALIZED (
		SELECT DISTINCT n.product_id, k AS category FROM named n JOIN products p ON p.store_id = $1 AND p.id = n.product_id
		CROSS JOIN unnest(p.categories) c CROSS JOIN btrim(left(regexp_replace(c, '[[:cntrl:]]+', ' ', 'g'), 100)) k
		WHERE lower(k) NOT IN ('', 'uncategorized', 'uncategorised')
	), each AS (
		SELECT 'product' AS what, product_id COLLATE "C" AS word, id, person, day, void, first, units, revenue, back, money FROM item
		UNION ALL SELECT 'category', category COLLATE "C", id, person, day, void, first, sum(units), sum(revenue), sum(back), sum(money)
		FROM item JOIN shelf USING (product_id) GROUP BY person, id, category, day, void, first
	), bought AS (
		SELECT what, word, person, count(*) FILTER (WHERE NOT void) AS orders, sum(units) AS units, sum(revenue) AS revenue, sum(back) AS back,
			sum(money) AS money, count(*) FILTER (WHERE e.day < t.day - $4::int) AS seen,
			count(*) FILTER (WHERE e.day < t.day - $4::int AND (back > 0 OR money > 0)) AS returned, bool_or(first) AS first
		FROM each e, today t GROUP BY person, word, what -- numbers first, which are quickly sorted
	)`

// productRatings sums up reviews that shoppers can read, by product; where there are none, what the shop says of them. A
// review of a variation is one of its product.
const productRatings = `, dear AS MATERIALIZED (
		SELECT DISTINCT k.email FROM best b JOIN persons k ON k.store_id = $1 AND k.person_id = b.person WHERE k.email <> ''
	), told AS MATERIALIZED (
		SELECT coalesce(nullif(p.parent_id, ''), r.product_id) AS product_id, r.rating, d.email IS NOT NULL AS best
		FROM reviews r LEFT JOIN products p ON p.store_id = $1 AND p.id = r.product_id LEFT JOIN dear d ON d.email = r.email
		WHERE r.store_id = $1 AND r.deleted_at IS NULL AND r.rating BETWEEN 1 AND 5 AND coalesce(r.created_at < $2, true)
			AND lower(r.status) IN ('', 'approved', 'published')
	), rated AS MATERIALIZED (
		SELECT product_id, count(*) AS count, sum(rating) AS sum, count(*) FILTER (WHERE best) AS best_count,
			coalesce(sum(rating) FILTER (WHERE best), 0) AS best_sum, false AS stated
		FROM told GROUP BY product_id
		UNION ALL SELECT id, ratings, rating * ratings, 0, 0, true FROM products
		WHERE store_id = $1 AND ratings > 0 AND rating BETWEEN 1 AND 5 AND id NOT IN (SELECT product_id FROM told)
	), ratings AS (
		SELECT 'product' AS what, product_id AS word, * FROM rated
		UNION ALL SELECT 'category', category, '', sum(count), sum(sum), sum(best_count), sum(best_sum), bool_and(stated)
		FROM rated JOIN shelf USING (product_id) GROUP BY category
	)`

const productColumns = `
	SELECT 'shop' AS what, '' AS word, '' AS name, concat_ws(' ', (SELECT count(*) FROM begun), (SELECT count(*) FROM best),
		EXISTS (SELECT FROM tiers), (SELECT count(*) FROM placed WHERE NOT void), (SELECT count(*) FROM item),
		(SELECT coalesce(sum(count), 0) FROM rated), (SELECT (coalesce(sum(loose), 0) * 10000)::bigint FROM placed WHERE NOT void)) AS numbers
	UNION ALL SELECT s.what, s.word, coalesce(n.name, ''), concat_ws(' ', coalesce(n.gone, false), s.orders, s.units, s.revenue, s.back,
		s.money, s.seen, s.returned, s.buyers, s.again, s.firsts, s.best, coalesce(r.count, 0), coalesce(r.sum, 0), coalesce(r.best_count, 0),
		coalesce(r.best_sum, 0), coalesce(r.stated, false))
	FROM (
		SELECT what, word, sum(orders) AS orders, sum(units) AS units, (sum(revenue) * 10000)::bigint AS revenue, sum(back) AS back,
			(sum(money) * 10000)::bigint AS money, sum(seen) AS seen, sum(returned) AS returned,
			count(person) FILTER (WHERE orders > 0) AS buyers, count(person) FILTER (WHERE orders > 1) AS again,
			count(*) FILTER (WHERE first) AS firsts, count(*) FILTER (WHERE first AND best.person IS NOT NULL) AS best
		FROM bought LEFT JOIN best USING (person) GROUP BY what, word
	) s LEFT JOIN named n ON s.what = 'product' AND n.product_id = s.word LEFT JOIN ratings r ON r.what = s.what AND r.word = s.word`
