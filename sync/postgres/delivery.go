package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// Next returns changes of the work list that are in no job and due. What is to leave is what was delivered, or may have
// been put there by a try without an answer, and is not wanted any more.
func (s *Store) Next(
	ctx context.Context, target activation.Target, after int64, limit int, due time.Time,
) ([]connectors.Change, error) {
	filled, err := s.filled(ctx, target)
	if err != nil {
		return nil, err
	}
	var rows []changeRow
	tried, _ := holdouts(target.Holdout)
	err = s.db.SelectContext(ctx, &rows, `
		SELECT o.person_id, o.address, o.audiences, o.attributes::text AS attributes,
			ARRAY(SELECT unnest(coalesce(d.audiences, '{}') || o.strays) EXCEPT SELECT unnest(o.audiences) ORDER BY 1) AS leave,
			ARRAY((SELECT jsonb_object_keys(coalesce(d.attributes, '{}')) UNION SELECT unnest(o.stray_keys))
				EXCEPT SELECT jsonb_object_keys(o.attributes) ORDER BY 1) AS drop,
			coalesce(p.customer_id, '') AS customer_id, coalesce(p.email, '') AS email,
			coalesce(c.first_name, b.first_name, '') AS first_name, coalesce(c.last_name, b.last_name, '') AS last_name,
			CASE WHEN d.address = o.address THEN d.remote_id ELSE '' END AS remote_id, coalesce(y.consent, '') AS consent, o.since,
			CASE WHEN `+elsewhere+` THEN o.audiences ELSE coalesce(d.told, d.audiences, '{}') END AS told,
			ARRAY(SELECT e.audience FROM exposures e WHERE e.store_id = $1 AND e.audience = ANY ($6) AND e.person_id = o.person_id
				AND e.held) AS out
		FROM outbox o LEFT JOIN persons p ON p.store_id = $1 AND p.person_id = o.person_id
		LEFT JOIN deliveries d ON d.store_id = $1 AND d.destination = $2 AND d.person_id = o.person_id
		LEFT JOIN customers c ON c.store_id = $1 AND c.id = p.customer_id
		LEFT JOIN LATERAL (SELECT first_name, last_name FROM orders WHERE store_id = $1 AND person_id = o.person_id
			AND counted AND c.id IS NULL ORDER BY placed_at DESC, id LIMIT 1) b ON true
		LEFT JOIN LATERAL (SELECT consent FROM `+statements+` AS said WHERE said.person_id = o.person_id
			ORDER BY said_at DESC, consent DESC LIMIT 1) y ON true
		WHERE o.store_id = $1 AND o.destination = $2 AND o.job = '' AND o.person_id > $3 AND coalesce(o.next_at <= $5, true)
		ORDER BY o.person_id LIMIT $4`, s.id, target.Destination, after, limit, due, pgArray(tried))
	if err != nil {
		return nil, fmt.Errorf("work list: %w", err)
	}
	changes := make([]connectors.Change, len(rows))
	for i, row := range rows {
		if changes[i], err = row.change(target, filled); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// changeRow is one person of the work list, with what stands and what was told.
type changeRow struct {
	Person     int64          `db:"person_id"`
	Address    string         `db:"address"`
	Audiences  pq.StringArray `db:"audiences"`
	Attributes string         `db:"attributes"`
	Leave      pq.StringArray `db:"leave"`
	Drop       pq.StringArray `db:"drop"`
	CustomerID string         `db:"customer_id"`
	Email      string         `db:"email"`
	FirstName  string         `db:"first_name"`
	LastName   string         `db:"last_name"`
	RemoteID   string         `db:"remote_id"`
	Consent    string         `db:"consent"`
	Told       pq.StringArray `db:"told"`
	Since      time.Time      `db:"since"`
	Out        pq.StringArray `db:"out"`
}

// change is what a destination is to be handed, filled being when its audiences were first filled.
func (row changeRow) change(target activation.Target, filled map[string]time.Time) (connectors.Change, error) {
	attributes, err := textAttributes(row.Attributes)
	if err != nil {
		return connectors.Change{}, err
	}
	person := connectors.Person{
		ID: row.Person, CustomerID: row.CustomerID, Email: row.Email, FirstName: row.FirstName, LastName: row.LastName,
		RemoteID: row.RemoteID,
	}
	if target.NeedsAccount {
		person.CustomerID = row.Address
	} else {
		person.Email = row.Address
	}
	return connectors.Change{
		Person: person, Audiences: row.Audiences, Leave: row.Leave, Attributes: attributes, Drop: row.Drop,
		Entered: news(row.Audiences, slices.Concat(row.Told, row.Out), filled, row.Since),
		Left:    news(row.Told, slices.Concat(row.Audiences, row.Out), filled, row.Since),
		Since:   row.Since.UTC(), Consent: target.ConsentOf(commerce.ConsentState(row.Consent)),
	}, nil
}

// elsewhere says that people on the work list o who leave do so under an address p that is not theirs any more.
const elsewhere = `(o.hash IS NULL AND o.address NOT IN (coalesce(p.email, ''), coalesce(p.customer_id, '')))`

// news are those of one list of audiences that are not in the other one, as far as that is news since then. To be held out of an
// audience is none: the person stands where they stood.
func news(of, not []string, filled map[string]time.Time, since time.Time) []string {
	var keys []string
	for _, key := range of {
		if at, ok := filled[key]; ok && since.After(at) && !slices.Contains(not, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// textAttributes reads an attributes object; the empty one is nil.
func textAttributes(text string) (map[string]string, error) {
	var attributes map[string]string
	if err := json.Unmarshal([]byte(text), &attributes); err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	if len(attributes) == 0 {
		return nil, nil //nolint:nilnil // no attributes is an answer
	}
	return attributes, nil
}

// answered joins outcomes with the work list and what stands ($1 store, $2 destination, $3 to $6 people, states, remote
// ids and reasons).
const answered = `answered AS (
		SELECT o.person_id, o.address, o.audiences, o.attributes, o.hash, o.strays, o.stray_keys, n.remote_id, n.reason,
			n.state, n.state IN ('delivered', 'unchanged') AS confirmed,
			o.hash IS NULL AND n.state IN ('delivered', 'unchanged', 'withheld') OR n.state = 'withheld' AND n.reason IN ('` +
	connectors.ReasonNotThere + `', '` + connectors.ReasonNoAccount + `', '` + connectors.ReasonNoEmail + `') AS empty,
			o.strays <> '{}' OR o.stray_keys <> '{}' AS unsure,
			d.hash AS d_hash, d.address AS d_address, coalesce(d.audiences, '{}') AS d_audiences,
			coalesce(d.attributes, '{}') AS d_attributes, coalesce(d.remote_id, '') AS d_remote_id,
			o.hash IS NULL AND d.state = 'withheld' AND d.tried_hash <> '' AND n.state <> 'refused'
				AND NOT EXISTS (SELECT FROM suppressions u WHERE u.store_id = $1 AND u.person_id = o.person_id) AS remember,
			d.tried_hash AS d_tried_hash, d.state AS d_state, d.reason AS d_reason, d.at AS d_at,
			coalesce(d.told, d.audiences, '{}') AS d_told, ` + elsewhere + ` AS elsewhere
		FROM (SELECT DISTINCT ON (person_id) * FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[])
			WITH ORDINALITY AS n (person_id, state, remote_id, reason, place) ORDER BY person_id, place DESC) n
		JOIN outbox o ON o.store_id = $1 AND o.destination = $2 AND o.person_id = n.person_id
		LEFT JOIN deliveries d ON d.store_id = $1 AND d.destination = $2 AND d.person_id = n.person_id
		LEFT JOIN persons p ON p.store_id = $1 AND p.person_id = n.person_id
	)`

// pause is how long people of the work list o who were put off are left in peace by pushes that come more often than every
// night: half an hour at first, twice as long every time, and at last most of a day.
const pause = `least(interval '30 minutes' * power(2, least(o.attempts, 9)), interval '20 hours')`

// recordAnswers writes what stands now and what was not taken. Where something stands for people whom the platform
// withholds, the next plan makes them leave: it returns how many.
const recordAnswers = `WITH ` + answered + `, saved AS (
		INSERT INTO deliveries (store_id, destination, person_id, remote_id, address, audiences, attributes, hash,
			tried_hash, state, reason, at, told)
		SELECT $1, $2, person_id, coalesce(nullif(remote_id, ''), CASE WHEN d_address = address THEN d_remote_id END, ''),
			CASE WHEN confirmed OR d_hash IS NULL THEN address ELSE d_address END,
			CASE WHEN empty THEN '{}' WHEN confirmed THEN audiences
				ELSE ARRAY(SELECT unnest(d_audiences) UNION SELECT unnest(strays) ORDER BY 1) END,
			CASE WHEN empty THEN '{}' WHEN confirmed THEN attributes ELSE coalesce(
				(SELECT jsonb_object_agg(k, '') FROM unnest(stray_keys) k), '{}') || d_attributes END,
			CASE WHEN empty THEN NULL WHEN confirmed THEN hash WHEN unsure THEN '' ELSE d_hash END,
			CASE WHEN remember THEN d_tried_hash WHEN hash IS NULL AND empty OR confirmed THEN NULL
				ELSE coalesce(hash, '') END,
			CASE WHEN remember THEN d_state ELSE state END, CASE WHEN remember THEN d_reason ELSE reason END,
			CASE WHEN remember THEN d_at ELSE $7::timestamptz END,
			CASE WHEN elsewhere OR NOT confirmed AND NOT empty THEN d_told END
		FROM answered WHERE state <> 'retry_later'
		ON CONFLICT (store_id, destination, person_id) DO UPDATE SET remote_id = excluded.remote_id,
			address = excluded.address, audiences = excluded.audiences, attributes = excluded.attributes,
			hash = excluded.hash, tried_hash = excluded.tried_hash, state = excluded.state, reason = excluded.reason,
			at = excluded.at, told = excluded.told
	), again AS (
		UPDATE outbox o SET attempts = o.attempts + 1, job = '', reason = a.reason, tried_at = $7,
			next_at = $7::timestamptz + ` + pause + ` FROM answered a
		WHERE o.store_id = $1 AND o.destination = $2 AND o.person_id = a.person_id AND a.state = 'retry_later'
	), done AS (
		DELETE FROM outbox o USING answered a
		WHERE o.store_id = $1 AND o.destination = $2 AND o.person_id = a.person_id AND a.state <> 'retry_later'
	) SELECT count(*) FROM answered WHERE state = 'withheld' AND NOT empty AND (d_hash IS NOT NULL OR unsure)`

// Record stores outcomes. An outcome for somebody who is not on the work list says nothing new and is passed over.
func (s *Store) Record(
	ctx context.Context, destination string, outcomes []connectors.Outcome, at time.Time,
) (leaving int, err error) {
	if len(outcomes) == 0 {
		return 0, nil
	}
	people, states := make([]int64, len(outcomes)), make([]string, len(outcomes))
	remotes, reasons := make([]string, len(outcomes)), make([]string, len(outcomes))
	for i, o := range outcomes {
		people[i], states[i], remotes[i] = o.PersonID, string(o.State), storable(o.RemoteID)
		reasons[i] = storable(o.Reason)
	}
	err = s.write(ctx, func(tx *sqlx.Tx) error {
		err := tx.GetContext(ctx, &leaving, recordAnswers, s.id, destination,
			pgArray(people), pgArray(states), pgArray(remotes), pgArray(reasons), at)
		if err != nil {
			return fmt.Errorf("outcomes: %w", err)
		}
		err = s.drop(ctx, tx, `person_id = ANY ($3) AND hash IS NULL AND tried_hash IS NULL AND told IS NULL`, destination, pgArray(people))
		if err != nil {
			return err
		}
		return s.endJobs(ctx, tx, destination)
	})
	return leaving, err
}

// deliveryRow is one row of what stands.
type deliveryRow struct {
	Person     int64          `db:"person_id"`
	Address    string         `db:"address"`
	RemoteID   string         `db:"remote_id"`
	Audiences  pq.StringArray `db:"audiences"`
	Attributes string         `db:"attributes"`
	CustomerID string         `db:"customer_id"`
	Email      string         `db:"email"`
	Waiting    bool           `db:"waiting"`
}

// stands selects what was confirmed together with what tries without an answer may have put there.
const stands = `
	SELECT person_id, coalesce(d.address, o.address) AS address, coalesce(d.remote_id, '') AS remote_id,
		ARRAY(SELECT unnest(coalesce(d.audiences, '{}') || coalesce(o.audiences || o.strays, '{}')) GROUP BY 1 ORDER BY 1)
			AS audiences,
		(coalesce((SELECT jsonb_object_agg(k, '') FROM unnest(o.stray_keys) k), '{}') || coalesce(o.attributes, '{}')
			|| coalesce(d.attributes, '{}'))::text AS attributes,
		coalesce(p.customer_id, '') AS customer_id, coalesce(p.email, '') AS email,
		o.address IS NOT NULL AS waiting
	FROM (SELECT * FROM deliveries WHERE store_id = $1 AND destination = $2 AND person_id > $3 AND hash IS NOT NULL) d
	FULL JOIN (SELECT * FROM outbox WHERE store_id = $1 AND destination = $2 AND person_id > $3) o USING (person_id)
	LEFT JOIN (SELECT * FROM persons WHERE store_id = $1) p USING (person_id)`

// Delivered pages through what stands at a destination, lowest person first.
func (s *Store) Delivered(
	ctx context.Context, destination string, after int64, limit int,
) ([]activation.Delivery, error) {
	var rows []deliveryRow
	err := s.db.SelectContext(ctx, &rows, stands+` ORDER BY person_id LIMIT $4`, s.id, destination, after, limit)
	if err != nil {
		return nil, fmt.Errorf("deliveries: %w", err)
	}
	deliveries := make([]activation.Delivery, len(rows))
	for i, row := range rows {
		if deliveries[i], err = row.delivery(); err != nil {
			return nil, err
		}
	}
	return deliveries, nil
}

// Standing returns what stands at a destination for one person.
func (s *Store) Standing(
	ctx context.Context, destination string, person int64,
) (delivery activation.Delivery, ok bool, err error) {
	all, err := s.Delivered(ctx, destination, person-1, 1)
	if err != nil || len(all) == 0 || all[0].Person.ID != person {
		return activation.Delivery{}, false, err
	}
	return all[0], true, nil
}

// delivery puts the address where it belongs: an e-mail address has an "@", an account of the shop has none.
func (r deliveryRow) delivery() (activation.Delivery, error) {
	attributes, err := textAttributes(r.Attributes)
	if err != nil {
		return activation.Delivery{}, err
	}
	person := connectors.Person{ID: r.Person, CustomerID: r.CustomerID, Email: r.Email, RemoteID: r.RemoteID}
	if strings.Contains(r.Address, "@") {
		person.Email = r.Address
	} else {
		person.CustomerID = r.Address
	}
	return activation.Delivery{
		Person: person, RemoteID: r.RemoteID, Audiences: r.Audiences, Attributes: attributes, Waiting: r.Waiting,
	}, nil
}

// Correct notes what read-back found. Its hash is that of no state, so that the next plan finds a difference.
func (s *Store) Correct(
	ctx context.Context, destination string, found []activation.Delivery, at time.Time,
) error {
	if len(found) == 0 {
		return nil
	}
	return s.write(ctx, func(tx *sqlx.Tx) error {
		for _, f := range found {
			attributes := f.Attributes
			if attributes == nil {
				attributes = map[string]string{}
			}
			text, err := json.Marshal(attributes)
			if err != nil {
				return fmt.Errorf("attributes: %w", err)
			}
			_, err = tx.ExecContext(ctx, `UPDATE deliveries SET told = coalesce(told, audiences),
				audiences = $4, attributes = $5, hash = '', tried_hash = NULL, state = 'delivered', reason = '', at = $6
				WHERE store_id = $1 AND destination = $2 AND person_id = $3 AND hash IS NOT NULL`,
				s.id, destination, f.Person.ID, pgArray(f.Audiences), string(text), at)
			if err != nil {
				return fmt.Errorf("delivery: %w", err)
			}
		}
		return nil
	})
}

// Forget drops all memory of deliveries to people.
func (s *Store) Forget(ctx context.Context, destination string, people []int64) error {
	if len(people) == 0 {
		return nil
	}
	return s.write(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM deliveries WHERE store_id = $1 AND destination = $2 AND person_id = ANY ($3)`,
			s.id, destination, pgArray(people))
		if err != nil {
			return fmt.Errorf("deliveries: %w", err)
		}
		return s.leaveWorkList(ctx, tx, destination, people)
	})
}
