package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/connectors"
)

// statements are all that the shop knows of people's consent, one row each, dated so that the newest decides: what has no
// date was said for ever if it is a no, and before everything else if it is a yes.
const statements = `(
	SELECT person_id, consent, coalesce(consent_at, CASE consent WHEN 'unsubscribed' THEN 'infinity'::timestamptz
		ELSE '-infinity' END) AS said_at
	FROM customers WHERE store_id = $1 AND consent <> '' AND deleted_at IS NULL
	UNION ALL
	SELECT person_id, consent, coalesce(consent_at, CASE consent WHEN 'unsubscribed' THEN 'infinity'::timestamptz
		ELSE '-infinity' END)
	FROM orders WHERE store_id = $1 AND consent <> '' AND deleted_at IS NULL
)`

// consents is the newest statement of each person; of two at the same moment the no counts.
const consents = `(
	SELECT DISTINCT ON (person_id) person_id, consent, said_at FROM ` + statements + ` AS said
	WHERE person_id IS NOT NULL ORDER BY person_id, said_at DESC, consent DESC
)`

// Suppress notes that people must not be in any audience that is mailed, at whatever destination of the shop: neither they,
// under another address, nor anybody else under theirs. It holds until the shop has a newer statement that they subscribed
// themselves.
func (s *Store) Suppress(ctx context.Context, destination string, people []int64, reason string, at time.Time) error {
	if len(people) == 0 {
		return nil
	}
	return s.write(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `WITH who AS (SELECT DISTINCT person FROM unnest($4::bigint[]) AS person),
			said AS (
				SELECT person AS person_id, '' AS address, $5::timestamptz AS at FROM who
				UNION ALL SELECT person, p.email, $5 FROM who JOIN persons p ON p.store_id = $1 AND p.person_id = person
					WHERE p.email IS NOT NULL
				UNION ALL SELECT person, d.address, $5 FROM who JOIN deliveries d ON d.store_id = $1 AND d.destination = $2
					AND d.person_id = person WHERE d.address LIKE '%@%'`+refused,
			s.id, destination, reason, pgArray(people), at)
		if err != nil {
			return fmt.Errorf("suppressions: %w", err)
		}
		return nil
	})
}

// refused ends a statement that says in said who (person_id, 0 for nobody known) and which address (” for none) said no, and
// when ($1 store, $2 where it was noticed, $3 reason). Of two at the same place the newer one stays.
const refused = `
	), kept AS (
		INSERT INTO unsubscribed AS u (store_id, address, destination, reason, at, person_id)
		SELECT DISTINCT ON (address) $1::bigint, address, $2::text, $3::text, at, person_id FROM said WHERE address <> ''
			ORDER BY address, at DESC, person_id
		ON CONFLICT (store_id, address, destination) DO UPDATE SET reason = excluded.reason, at = excluded.at,
			person_id = excluded.person_id WHERE u.at < excluded.at
	)
	INSERT INTO suppressions AS s (store_id, person_id, destination, reason, at)
	SELECT DISTINCT ON (person_id) $1, person_id, $2, $3, at FROM (
		SELECT person_id, at FROM said WHERE person_id <> 0
		UNION ALL SELECT p.person_id, said.at FROM said JOIN persons p ON p.store_id = $1 AND p.email = said.address
			WHERE said.address <> '') AS everybody
	ORDER BY person_id, at DESC` + newerNo

// newerNo keeps the newer of two suppressions.
const newerNo = `
	ON CONFLICT (store_id, person_id, destination) DO UPDATE SET reason = excluded.reason, at = excluded.at WHERE s.at < excluded.at`

// keepNo keeps what records said of consent that are gone from the shop: whoever said no before their account was deleted has
// said it.
func (c *commit) keepNo(ctx context.Context, table string, ids []string) error {
	_, err := c.tx.ExecContext(ctx, `WITH said AS (
			SELECT coalesce(person_id, 0) AS person_id, email AS address, coalesce(consent_at, $5::timestamptz) AS at
			FROM `+table+` WHERE store_id = $1 AND id = ANY ($4) AND consent = 'unsubscribed'`+refused,
		c.store, noticedInShop, connectors.ReasonUnsubscribed, pq.Array(ids), c.page.At)
	if err != nil {
		return fmt.Errorf("consent of deleted %s: %w", table, err)
	}
	return nil
}

// keepNoOfFormer keeps the no of stored accounts for the address that they have had so far, where it becomes another one. The
// account's own no goes with the account.
func (c *commit) keepNoOfFormer(ctx context.Context, changed []entry, emails map[string]string) error {
	if len(changed) == 0 {
		return nil
	}
	var ids, addresses []string
	for _, e := range changed {
		ids, addresses = append(ids, e.id), append(addresses, emails[e.id])
	}
	_, err := c.tx.ExecContext(ctx, `WITH said AS (
			SELECT 0::bigint AS person_id, c.email AS address, coalesce(c.consent_at, $6::timestamptz) AS at
			FROM unnest($4::text[], $5::text[]) AS k(id, email) JOIN customers c ON c.store_id = $1 AND c.id = k.id
			WHERE c.consent = 'unsubscribed' AND c.email <> k.email AND c.deleted_at IS NULL`+refused,
		c.store, noticedInShop, connectors.ReasonUnsubscribed, pq.Array(ids), pq.Array(addresses), c.page.At)
	if err != nil {
		return fmt.Errorf("consent of former addresses: %w", err)
	}
	return nil
}

// noticedInShop is the place of a no that was said in the shop itself.
const noticedInShop = "shop"

// inherit gives people whose address is new to them what was said under it.
func (w *identity) inherit(ctx context.Context) error {
	if len(w.named) == 0 {
		return nil
	}
	var people []int64
	var addresses []string
	for _, person := range slices.Sorted(maps.Keys(w.named)) {
		people, addresses = append(people, person), append(addresses, w.named[person])
	}
	_, err := w.tx.ExecContext(ctx, `INSERT INTO suppressions AS s (store_id, person_id, destination, reason, at)
		SELECT $1, k.person_id, u.destination, u.reason, u.at FROM unnest($2::bigint[], $3::text[]) AS k(person_id, address)
		CROSS JOIN LATERAL (
			SELECT destination, reason, at FROM unsubscribed WHERE store_id = $1 AND address = k.address OFFSET 0) u`+newerNo,
		w.store, pq.Array(people), pq.Array(addresses))
	if err != nil {
		return fmt.Errorf("consent of addresses: %w", err)
	}
	return nil
}

// follow gives people to whom orders come what was said by those to whom they belonged: where the shop makes one customer of
// two, whoever unsubscribed as one of them has unsubscribed.
func (c *commit) follow(ctx context.Context, from, to []int64) error {
	if len(from) == 0 {
		return nil
	}
	_, err := c.tx.ExecContext(ctx, `INSERT INTO suppressions AS s (store_id, person_id, destination, reason, at)
		SELECT DISTINCT ON (k.taken, u.destination) $1, k.taken, u.destination, u.reason, u.at
		FROM unnest($2::bigint[], $3::bigint[]) AS k(had, taken)
		JOIN suppressions u ON u.store_id = $1 AND u.person_id = k.had
		ORDER BY k.taken, u.destination, u.at DESC`+newerNo,
		c.store, pq.Array(from), pq.Array(to))
	if err != nil {
		return fmt.Errorf("consent of former owners: %w", err)
	}
	return nil
}
