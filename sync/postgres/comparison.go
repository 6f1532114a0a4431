package postgres

import (
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// attributeValues are the attributes that can be pushed, as SQL over a compared row c and its rule r.
var attributeValues = map[string]string{
	"segment":      `c.segment`,
	"segment_name": `coalesce(r.name, c.segment)`,
	"rfm":          `concat(c.score / 10000, c.score / 100 % 100, c.score % 100)`,
	"since":        `to_char(c.since, 'YYYY-MM-DD')`,
}

// leftOut is the reason why the plan itself leaves out a person p, in SQL. Consent matters only where membership means
// mail: there, a no in the shop or at any destination outweighs every yes that is not newer.
func leftOut(target activation.Target) string {
	text := `CASE WHEN NOT ($10 OR coalesce(r.audience, '') <> '') THEN NULL
		WHEN p.email IN (SELECT unnest($9::text[])) THEN '` + connectors.ReasonExcluded + `'
		WHEN $8 AND coalesce(p.customer_id, '') = '' THEN '` + connectors.ReasonNoAccount + `'
		WHEN NOT $8 AND coalesce(p.email, '') = '' THEN '` + connectors.ReasonNoEmail + `'`
	if target.NeedsConsent {
		text += `
		WHEN y.consent = 'unsubscribed' THEN '` + connectors.ReasonUnsubscribed + `'
		WHEN u.at IS NOT NULL AND NOT coalesce(y.consent = 'subscribed' AND y.said_at > u.at, false) THEN u.reason`
		if target.Consent == activation.ConsentShop {
			text += `
		WHEN y.consent IS NULL THEN '` + connectors.ReasonNoConsent + `'`
		}
	}
	return text + ` END`
}

// comparison returns the query parts that hold everybody's desired state against what stands at the destination and what
// earlier tries left without an answer. The goal is what to write: the desired state, or nothing for those who have to
// leave: whom the plan leaves out, whom the platform knows under an old address, and whom it withheld lately while
// something of ours stood there. Verdicts: job (a pending job decides), change (to be written), none (nothing stands and
// nothing shall), same, tried (the platform did not take exactly this).
//
// $1 store, $2 destination, $3 segments with their $4 audiences, $5 fixed parts of the hash and $12 names, $6 and $7
// whether score and day are pushed, $8 whether an account is needed, $9 excluded addresses, $10 whether attributes are
// pushed, $11 the moment since which people withheld by the platform are left in peace.
func comparison(target activation.Target) string {
	consent := ""
	if target.NeedsConsent {
		consent = `
		LEFT JOIN ` + consents + ` y ON y.person_id = p.person_id
		LEFT JOIN (SELECT DISTINCT ON (person_id) person_id, at, reason FROM suppressions WHERE store_id = $1
			ORDER BY person_id, at DESC) u ON u.person_id = p.person_id`
	}
	return `
	rules AS MATERIALIZED (
		SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $12::text[]) AS r (segment, audience, fixed, name)
	), wanted AS (
		SELECT p.person_id, s.segment, nullif(r.audience, '') AS audience, s.since,
			s.r * 10000 + s.f * 100 + s.m AS score, CASE WHEN $8 THEN p.customer_id ELSE p.email END AS address,
			` + leftOut(target) + ` AS reason,
			CASE WHEN $10 OR coalesce(r.audience, '') <> '' THEN decode(md5(coalesce(r.fixed, s.segment)
				|| CASE WHEN $6 THEN (s.r * 10000 + s.f * 100 + s.m)::text || '/' ELSE '' END
				|| CASE WHEN $7 THEN (s.since - DATE '1970-01-01')::text ELSE '' END), 'hex') END AS hash
		FROM rfm_scores s JOIN persons p ON p.store_id = $1 AND p.person_id = s.person_id
		LEFT JOIN rules r ON r.segment = s.segment` + consent + `
		WHERE s.store_id = $1
	), side AS (
		SELECT coalesce(w.person_id, d.person_id) AS person_id, w.segment, w.audience, w.since, w.score, w.address, w.reason,
			CASE WHEN w.reason IS NULL THEN w.hash END AS desired, d.hash, d.address AS place, d.audiences,
			d.tried_hash, d.state, d.at, d.reason AS tried_reason
		FROM wanted w FULL JOIN (SELECT * FROM deliveries WHERE store_id = $1 AND destination = $2) d
			ON d.person_id = w.person_id
	), beside AS (
		SELECT coalesce(s.person_id, o.person_id) AS person_id, s.segment, s.audience, s.since, s.score, s.address, s.reason,
			s.desired, s.hash, s.audiences, s.tried_hash, s.state, s.at, s.tried_reason, o.job,
			s.place AS last_address, CASE WHEN s.hash IS NOT NULL THEN s.place ELSE o.address END AS place,
			s.desired IS NOT NULL AND coalesce(CASE WHEN s.hash IS NOT NULL THEN s.place ELSE o.address END
				<> s.address, false) AS moved
		FROM side s FULL JOIN (SELECT * FROM outbox WHERE store_id = $1 AND destination = $2) o ON o.person_id = s.person_id
	), judged AS (
		SELECT *, coalesce(state = 'withheld' AND tried_hash = desired AND last_address = address, false) AS again,
			CASE WHEN NOT moved AND NOT coalesce(state = 'withheld' AND tried_hash = desired AND last_address = address
				AND at > $11, false) THEN desired END AS goal
		FROM beside
	), compared AS (
		SELECT person_id, segment, audience, since, score, address, reason, place, moved, desired, goal, again, tried_reason,
			hash IS NOT NULL AS stands, CASE WHEN hash IS NOT NULL THEN audiences END AS before,
			CASE WHEN job <> '' THEN 'job' WHEN job = '' THEN 'change'
				WHEN goal IS NULL AND hash IS NULL THEN CASE WHEN desired IS NULL THEN 'none' ELSE 'tried' END
				WHEN goal = hash THEN 'same'
				WHEN state = 'refused' AND tried_hash = coalesce(goal, '') AND (goal IS NULL OR last_address = address)
					AND (NOT moved OR at > $11) THEN 'tried'
				ELSE 'change' END AS verdict
		FROM judged
	)`
}

// summary sums up the comparison.
const summary = ` SELECT verdict, moved, again, before, audience, desired IS NOT NULL AS wanted,
		coalesce(reason, '') AS reason, CASE WHEN again THEN tried_reason ELSE '' END AS tried, count(*) AS people
	FROM compared GROUP BY 1, 2, 3, 4, 5, 6, 7, 8`

// workList returns the statement parts that store what is to be written. Whom the plan leaves out has no memory of
// earlier tries.
func workList(attributes string) string {
	return `, written AS (` + toWrite(attributes, "c.verdict = 'change'") + `), forgotten AS (
		DELETE FROM deliveries d USING compared c WHERE d.store_id = $1 AND d.destination = $2
			AND d.person_id = c.person_id AND d.hash IS NULL AND c.reason IS NOT NULL AND NOT c.stands
	)`
}

// withdrawals stores only those who leave because they unsubscribed, and returns who they are.
func withdrawals(attributes string) string {
	return toWrite(attributes, `c.verdict = 'change' AND c.goal IS NULL
		AND coalesce(c.reason, CASE WHEN c.again THEN c.tried_reason END) IN ('`+
		connectors.ReasonUnsubscribed+`', '`+connectors.ReasonSuppressed+`')`) + ` RETURNING person_id`
}

// toWrite puts compared people on the work list. Where an earlier try has no answer yet, what it may have put there is
// kept in mind.
func toWrite(attributes, which string) string {
	return `
	INSERT INTO outbox AS b (store_id, destination, person_id, address, audiences, attributes, hash)
	SELECT $1, $2, c.person_id, CASE WHEN c.goal IS NULL THEN coalesce(c.place, c.address, '') ELSE c.address END,
		CASE WHEN c.goal IS NULL OR c.audience IS NULL THEN '{}'::text[] ELSE ARRAY[c.audience] END,
		CASE WHEN c.goal IS NULL THEN '{}'::jsonb ELSE ` + attributes + ` END, c.goal
	FROM compared c LEFT JOIN rules r ON r.segment = c.segment WHERE ` + which + `
	ON CONFLICT (store_id, destination, person_id) DO UPDATE SET address = excluded.address,
		audiences = excluded.audiences, attributes = excluded.attributes, hash = excluded.hash,
		strays = ARRAY(SELECT DISTINCT k FROM unnest(b.strays || b.audiences) k ORDER BY k),
		stray_keys = ARRAY(SELECT k FROM unnest(b.stray_keys) k UNION SELECT jsonb_object_keys(b.attributes) ORDER BY 1)`
}
