package postgres

import (
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// leftOut is the reason why the plan itself leaves out a person p, in SQL. Consent matters only where membership means
// mail: there, a no in the shop or at any destination outweighs every yes that is not newer.
func leftOut(target activation.Target) string {
	text := `CASE WHEN p.email = ANY ($4) THEN '` + connectors.ReasonExcluded + `'
		WHEN $3 AND coalesce(p.customer_id, '') = '' THEN '` + connectors.ReasonNoAccount + `'
		WHEN NOT $3 AND coalesce(p.email, '') = '' THEN '` + connectors.ReasonNoEmail + `'`
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

// consentJoins find for a person p what is known of their consent: y in the shop, u at destinations.
const consentJoins = `
		LEFT JOIN ` + consents + ` y ON y.person_id = p.person_id
		LEFT JOIN (SELECT DISTINCT ON (person_id) person_id, at, reason FROM suppressions WHERE store_id = $1
			ORDER BY person_id, at DESC) u ON u.person_id = p.person_id`

// comparison returns the query parts that hold everybody's desired state against what stands at the destination and what
// earlier tries left without an answer. Who has the same segment has the same rule, and who stands alike beside that has the
// same place: what both decide is worked out once for all of them. The goal is what to write: the desired state, or nothing
// for those who have to leave: whom the plan leaves out, whom the platform knows under an old address, and whom it withheld
// lately while something of ours stood there. Verdicts: job (a pending job decides), change (to be written), none (nothing
// stands and nothing shall), same, tried (the platform did not take exactly this).
//
// Where people are held out of audiences, who they are is found first, by their lots: out are the audiences that somebody is
// held out of and would be in. What is left for them are their other audiences, without attributes.
//
// $1 store, $2 destination, $3 whether an account is needed, $4 excluded addresses, $5 the moment since which people
// withheld by the platform are left in peace, $6 digits of the currency, $7 audiences wanted, $8 segments with their $9
// audiences, $10 fixed parts of the hash, and $11 ids and $12 names that are shown. $now, $tried, $shares and $exposes have
// numbers where they are mentioned; see arguments.
func (p *planner) comparison() string {
	consent, held, trials, of := "", "", "", holding{}
	reason, desired := leftOut(p.target), `decode(md5(coalesce(r.fixed, s.segment, '')`+p.pushed.hashed()+p.extent()+`
				|| coalesce(w.fixed, '')), 'hex')`
	if p.tries() {
		trials, of = p.trials(), holding{out: ", out", of: ", h.out", from: ", w.out", next: ", s.out", compared: ", out"}
		held = `
		LEFT JOIN held h ON h.person_id = p.person_id`
		left := `ARRAY(SELECT k FROM unnest(coalesce(r.audience, '') || coalesce(w.audiences, '{}')) k
				WHERE k <> '' AND k <> ALL (h.out) ORDER BY k COLLATE "C")`
		reason = `coalesce(` + reason + `, CASE WHEN h.out IS NOT NULL AND ` + left + ` = '{}' THEN '` + connectors.ReasonHeldOut + `' END)`
		desired = `CASE WHEN h.out IS NULL THEN ` + desired + ` ELSE ` + p.reduced() + ` END`
	}
	if p.target.NeedsConsent {
		consent = consentJoins
	}
	sought := `(` + p.pushed.known() + ` OR coalesce(r.audience, '') <> '' OR coalesce(w.audiences <> '{}', false))`
	return trials + `
	rules AS MATERIALIZED (
		SELECT * FROM unnest($8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
			WITH ORDINALITY AS r (segment, audience, fixed, shown, name, rule)
	), places AS MATERIALIZED (
		SELECT *, row_number() OVER () AS place, $6::integer AS digits, CASE WHEN audiences = '{}' AND shown = '' THEN ''
			ELSE chr(30) || array_to_string(audiences, ',') || shown END AS fixed
		FROM (SELECT *, ` + p.pushed.shown() + ` AS shown, ARRAY(SELECT k FROM unnest(` + standingKeys + `) k
				WHERE k = ANY ($7) ORDER BY k COLLATE "C") AS audiences
			FROM (SELECT DISTINCT stage, tier, churn, own FROM standings WHERE store_id = $1) t) t
	), wanted AS (
		SELECT p.person_id, r.rule, w.place, CASE WHEN $3 THEN p.customer_id ELSE p.email END AS address,
			CASE WHEN ` + sought + ` THEN ` + reason + ` END AS reason,
			CASE WHEN ` + sought + ` THEN ` + desired + ` END AS hash` + of.of + `
		FROM persons p LEFT JOIN rfm_scores s ON s.store_id = $1 AND s.person_id = p.person_id
		LEFT JOIN standings t ON t.store_id = $1 AND t.person_id = p.person_id
		LEFT JOIN rules r ON r.segment = coalesce(s.segment, '')
		LEFT JOIN places w ON (w.stage, w.tier, w.churn, w.own) = (t.stage, t.tier, t.churn, t.own)` + consent + held + `
		WHERE p.store_id = $1 AND (s.person_id IS NOT NULL OR t.person_id IS NOT NULL)
	), side AS (
		SELECT coalesce(w.person_id, d.person_id) AS person_id, w.rule, w.place, w.address, w.reason,
			CASE WHEN w.reason IS NULL THEN w.hash END AS desired, d.hash, d.address AS held, d.audiences,
			d.tried_hash, d.state, d.at, d.reason AS tried_reason` + of.from + `
		FROM wanted w FULL JOIN (SELECT * FROM deliveries WHERE store_id = $1 AND destination = $2) d
			ON d.person_id = w.person_id
	), beside AS (
		SELECT coalesce(s.person_id, o.person_id) AS person_id, s.rule, s.place, s.address, s.reason, s.desired, s.hash,
			s.audiences, s.tried_hash, s.state, s.at, s.tried_reason, o.job, s.held AS last_address` + of.next + `,
			CASE WHEN s.hash IS NOT NULL THEN s.held ELSE o.address END AS old_address,
			s.desired IS NOT NULL AND coalesce(CASE WHEN s.hash IS NOT NULL THEN s.held ELSE o.address END
				<> s.address, false) AS moved
		FROM side s FULL JOIN (SELECT * FROM outbox WHERE store_id = $1 AND destination = $2) o ON o.person_id = s.person_id
	), judged AS (
		SELECT *, coalesce(state = 'withheld' AND tried_hash = desired AND last_address = address, false) AS again,
			CASE WHEN NOT moved AND NOT coalesce(state = 'withheld' AND tried_hash = desired AND last_address = address
				AND at > $5, false) THEN desired END AS goal
		FROM beside
	), compared AS (
		SELECT person_id, rule, place, address, reason, old_address, moved, desired, goal, again, tried_reason` + of.compared + `,
			hash IS NOT NULL AS stands, CASE WHEN hash IS NOT NULL THEN audiences END AS before,
			CASE WHEN job <> '' THEN 'job' WHEN job = '' THEN 'change'
				WHEN goal IS NULL AND hash IS NULL THEN CASE WHEN desired IS NULL THEN 'none' ELSE 'tried' END
				WHEN goal = hash THEN 'same'
				WHEN state = 'refused' AND tried_hash = coalesce(goal, '') AND (goal IS NULL OR last_address = address)
					AND (NOT moved OR at > $5) THEN 'tried'
				ELSE 'change' END AS verdict
		FROM judged
	)`
}

// reduced is the hash of somebody who is held out of audiences h.out: that of their other audiences without any attribute, as
// it is of everybody who stands so.
func (p *planner) reduced() string {
	return `decode(md5(CASE WHEN r.audience <> '' AND r.audience <> ALL (h.out) THEN r.audience || repeat(chr(31), 3) ELSE '' END` + p.extent() + `
				|| coalesce(chr(30) || nullif(array_to_string(ARRAY(SELECT k FROM unnest(w.audiences) k
					WHERE k <> ALL (h.out) ORDER BY k COLLATE "C"), ','), ''), '')), 'hex')`
}

// extent is the part of the hash that says what a destination writes, where it is not everything: whoever stands there as
// desired in one way does not in another.
func (p *planner) extent() string {
	switch p.target.Extent {
	case connectors.OnlyAttributes, connectors.OnlyLists:
		return ` || chr(29) || '` + string(p.target.Extent) + `'`
	default:
		return ""
	}
}

// holding are the parts of the comparison that hand on what people are held out of; empty where nobody is.
type holding struct{ out, of, from, next, compared string }

// summary sums up the comparison. Where somebody stands as desired, what stands there is not asked for.
func (p *planner) summary() string {
	out, group := "", ""
	if p.tries() {
		out, group = "out, ", ", 10"
	}
	return ` SELECT g.*, ` + p.desiredAudiences("g") + ` AS audiences
	FROM (SELECT verdict, moved, again, CASE WHEN verdict <> 'same' THEN before END AS before, rule, place, desired IS NOT NULL AS wanted, coalesce(reason, '') AS reason,
			CASE WHEN again OR verdict = 'tried' THEN tried_reason ELSE '' END AS tried, ` + out + `count(*) AS people
		FROM compared GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9` + group + `) g
	LEFT JOIN rules r ON r.rule = g.rule LEFT JOIN places w ON w.place = g.place`
}

// desiredAudiences are those of a rule r and a place w, in order, without those that somebody in the row of is held out of.
func (p *planner) desiredAudiences(of string) string {
	but := ""
	if p.tries() {
		but = ` AND k <> ALL (coalesce(` + of + `.out, '{}'))`
	}
	return `ARRAY(SELECT k FROM unnest(r.audience || coalesce(w.audiences, '{}')) k WHERE k <> ''` + but + `
	ORDER BY k COLLATE "C")`
}

// details joins compared people c with what decides the state in which they are desired.
const details = `compared c LEFT JOIN rules r ON r.rule = c.rule LEFT JOIN places w ON w.place = c.place
	LEFT JOIN rfm_scores s ON s.store_id = $1 AND s.person_id = c.person_id
	LEFT JOIN standings t ON t.store_id = $1 AND t.person_id = c.person_id`

// goalAddress is under which address something is to stand there for compared people.
const goalAddress = `CASE WHEN c.goal IS NULL THEN coalesce(c.old_address, c.address, '') ELSE c.address END`

func (p *planner) goalAudiences() string {
	return `CASE WHEN c.goal IS NULL THEN '{}'::text[] ELSE ` + p.desiredAudiences("c") + ` END`
}

func (p *planner) goalAttributes() string {
	none := `c.goal IS NULL`
	if p.tries() {
		none += ` OR c.out IS NOT NULL`
	}
	return `CASE WHEN ` + none + ` THEN '{}'::jsonb ELSE ` + p.pushed.object() + ` END`
}

// workList returns the statement parts that store what is to be written. Whom the plan leaves out has no memory of
// earlier tries, but for that the platform had them.
func (p *planner) workList() string {
	return `, written AS (` + p.toWrite("c.verdict = 'change'") + `), forgotten AS (
		DELETE FROM deliveries d USING compared c WHERE d.store_id = $1 AND d.destination = $2
			AND d.person_id = c.person_id AND d.hash IS NULL AND c.reason IS NOT NULL AND NOT c.stands AND NOT ` + remembered + `
	), bared AS (
		UPDATE deliveries d SET ` + bare + ` FROM compared c WHERE d.store_id = $1 AND d.destination = $2
			AND d.person_id = c.person_id AND d.hash IS NULL AND c.reason IS NOT NULL AND NOT c.stands AND ` + remembered + ` AND NOT ` + isBare + `
	)` + p.exposures()
}

// withdrawals stores only those who leave because they unsubscribed, and returns who they are.
func (p *planner) withdrawals() string {
	return p.toWrite(`c.verdict = 'change' AND c.goal IS NULL
		AND coalesce(c.reason, CASE WHEN c.again THEN c.tried_reason END) IN ('`+
		connectors.ReasonUnsubscribed+`', '`+connectors.ReasonSuppressed+`')`) + ` RETURNING person_id`
}

// toWrite puts compared people on the work list. Where an earlier try has no answer yet, what it may have put there is
// kept in mind.
func (p *planner) toWrite(which string) string {
	return `
	INSERT INTO outbox AS b (store_id, destination, person_id, address, audiences, attributes, hash, since)
	SELECT $1, $2, c.person_id, ` + goalAddress + `, ` + p.goalAudiences() + `, ` + p.goalAttributes() + `, c.goal, $now::timestamptz
	FROM ` + details + ` WHERE ` + which + `
	ON CONFLICT (store_id, destination, person_id) DO UPDATE SET address = excluded.address,
		audiences = excluded.audiences, attributes = excluded.attributes, hash = excluded.hash,
		strays = ARRAY(SELECT DISTINCT k FROM unnest(b.strays || b.audiences) k ORDER BY k),
		stray_keys = ARRAY(SELECT k FROM unnest(b.stray_keys) k UNION SELECT jsonb_object_keys(b.attributes) ORDER BY 1),
		since = b.since,
		next_at = CASE WHEN (b.hash, b.address) IS NOT DISTINCT FROM (excluded.hash, excluded.address) THEN b.next_at END`
}
