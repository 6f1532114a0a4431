package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
)

// Due is a person who is to be in an audience, if they are not held out of it.
type Due struct {
	Audience string `db:"audience"`
	Person   int64  `db:"person_id"`
}

// Expose notes who is due in audiences of which shares are held out, and returns who of them is held out, in order of audience
// and person. Whoever was due before stays as they were; others are dealt a lot. An audience without a share holds out nobody,
// and a trial of it ends on the day of at.
func (s *Store) Expose(ctx context.Context, shares map[string]float64, due []Due, at time.Time) ([]Due, error) {
	audiences, people := make([]string, len(due)), make([]int64, len(due))
	for i, d := range due {
		audiences[i], people[i] = d.Audience, d.Person
	}
	var held []Due
	err := s.write(ctx, func(tx *sqlx.Tx) error {
		if err := s.localDays(ctx, tx); err != nil {
			return err
		}
		if err := s.holdOut(ctx, tx, shares, at); err != nil {
			return err
		}
		keys, values := holdouts(shares)
		err := tx.SelectContext(ctx, &held, `WITH due AS (SELECT DISTINCT * FROM unnest($5::text[], $6::bigint[]) AS d (audience, person_id)), `+
			lots("$2", "$3")+`, `+exposed("$4")+` SELECT audience, person_id FROM lots WHERE held ORDER BY audience COLLATE "C", person_id`,
			s.id, pgArray(keys), pgArray(values), at, pgArray(audiences), pgArray(people))
		if err != nil {
			return fmt.Errorf("hold-out: %w", err)
		}
		return nil
	})
	return held, err
}

// holdouts lists audiences of which a share is held out, and the shares.
func holdouts(shares map[string]float64) (audiences []string, values []float64) {
	for _, audience := range slices.Sorted(maps.Keys(shares)) {
		if share := shares[audience]; share > 0 {
			audiences, values = append(audiences, audience), append(values, share)
		}
	}
	return audiences, values
}

// holdOut notes of which audiences shares are held out from now on, in a transaction with local days.
func (s *Store) holdOut(ctx context.Context, tx *sqlx.Tx, shares map[string]float64, at time.Time) error {
	audiences, values := holdouts(shares)
	_, err := tx.ExecContext(ctx, `
		WITH given AS (
			SELECT * FROM unnest($3::text[], $4::float8[]) AS g (audience, share)
		), running AS (
			SELECT audience, since, share FROM holdouts WHERE store_id = $1 AND until IS NULL
		), over AS (
			UPDATE holdouts h SET until = $2::timestamptz::date FROM running r
			WHERE h.store_id = $1 AND (h.audience, h.since) = (r.audience, r.since) AND r.audience NOT IN (SELECT audience FROM given)
		), changed AS (
			UPDATE holdouts h SET share = g.share FROM running r JOIN given g USING (audience)
			WHERE h.store_id = $1 AND (h.audience, h.since) = (r.audience, r.since) AND r.share <> g.share
		)
		INSERT INTO holdouts (store_id, audience, since, share) SELECT $1, audience, $2::timestamptz::date, share FROM given
		WHERE audience NOT IN (SELECT audience FROM running)
		ON CONFLICT (store_id, audience, since) DO UPDATE SET until = NULL, share = excluded.share`,
		s.id, at, pgArray(audiences), pgArray(values))
	if err != nil {
		return fmt.Errorf("hold-outs: %w", err)
	}
	return nil
}

// draw is experiment.Draw of a person and an audience in SQL, with the shop's name as the seed.
func draw(audience, person string) string {
	return `('x' || substr(encode(sha256(convert_to((SELECT name FROM stores WHERE store_id = $1) || '/' || ` + audience + ` || '/' || ` +
		person + `, 'UTF8')), 'hex'), 1, 13))::bit(52)::bigint / 4503599627370496::float8`
}

// lots is the query part that says of everybody in the query part due (person_id, audience; each once) whether they are held
// out, where the parameter audiences lists those of which a share is, and shares their shares: lots (person_id, audience, held,
// share, fresh). Fresh are those who were never due before. In due are to be all who would be in the audience but for this, and
// nobody who would not: whoever gets nothing either way only blurs the difference.
func lots(audiences, shares string) string {
	return `lots AS MATERIALIZED (
		SELECT d.person_id, d.audience, h.share, e.person_id IS NULL AS fresh,
			CASE WHEN e.person_id IS NULL THEN ` + draw("d.audience", "d.person_id") + ` < h.share ELSE e.held END AS held
		FROM due d JOIN unnest(` + audiences + `::text[], ` + shares + `::float8[]) AS h (audience, share) ON h.audience = d.audience
		LEFT JOIN (SELECT audience, person_id, held FROM exposures WHERE store_id = $1 AND audience = ANY (` + audiences + `::text[])) e
			ON e.audience = d.audience AND e.person_id = d.person_id
	)`
}

// exposed is the statement part that notes who of the query part lots is due for the first time, in a transaction with local
// days on the day of the parameter at.
func exposed(at string) string {
	return `exposed AS (
		INSERT INTO exposures (store_id, audience, person_id, day, held, share)
		SELECT $1, audience, person_id, ` + at + `::timestamptz::date, held, share FROM lots WHERE fresh
	)`
}
