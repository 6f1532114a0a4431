package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/lib/pq"
)

// absorb lets accounts take over what the world knows of the guests whose addresses are theirs now. A guest who
// unsubscribed stays unsubscribed as an account, and where an account did, so does what is left of its guest until the next
// analysis. What was delivered under the address is the account's from now on, unless the account has something standing there
// under another address, which has to leave first; otherwise the guest's leaving would undo the account's joining, since the
// platform knows both as the same subscriber. That a platform had the guest is known of the account too.
func (w *identity) absorb(ctx context.Context) error {
	owners := w.owners()
	var guests, accounts []int64
	for _, email := range slices.Sorted(maps.Keys(w.guests)) {
		if owner := owners[email]; owner != nil && owner.person != 0 && owner.person != w.guests[email] {
			guests, accounts = append(guests, w.guests[email]), append(accounts, owner.person)
		}
	}
	if len(guests) == 0 {
		return nil
	}
	if err := w.follow(ctx, slices.Concat(guests, accounts), slices.Concat(accounts, guests)); err != nil {
		return err
	}
	const pairs = `WITH k AS (SELECT * FROM unnest($2::bigint[], $3::bigint[]) AS k(guest, account)) `
	// Rows of the account in which nothing stands make room for the guest's.
	for _, statement := range []string{
		`DELETE FROM deliveries d USING k JOIN deliveries g ON g.store_id = $1 AND g.person_id = k.guest AND g.hash IS NOT NULL
			WHERE d.store_id = $1 AND d.destination = g.destination AND d.person_id = k.account AND d.hash IS NULL`,
		`UPDATE deliveries d SET person_id = k.account FROM k
			WHERE d.store_id = $1 AND d.person_id = k.guest AND d.hash IS NOT NULL AND NOT EXISTS (
				SELECT FROM deliveries a WHERE a.store_id = $1 AND a.destination = d.destination AND a.person_id = k.account)`,
		`INSERT INTO deliveries AS d (store_id, destination, person_id, remote_id, address, state, at)
			SELECT DISTINCT ON (k.account, d.destination) $1::bigint, d.destination, k.account, d.remote_id, d.address, 'delivered', d.at FROM k
			JOIN deliveries d ON d.store_id = $1 AND d.person_id = k.guest AND d.hash IS NULL AND ` + remembered + `
			ON CONFLICT (store_id, destination, person_id) DO UPDATE
			SET remote_id = excluded.remote_id, address = excluded.address, ` + bare + ` WHERE d.hash IS NULL`,
		`UPDATE outbox o SET person_id = k.account FROM k
			WHERE o.store_id = $1 AND o.person_id = k.guest AND NOT EXISTS (
				SELECT FROM outbox a WHERE a.store_id = $1 AND a.destination = o.destination AND a.person_id = k.account)`,
		// Of two lots for one audience, that of who was due first stands; the other is no person's any more.
		`DELETE FROM exposures e USING k, exposures o WHERE e.store_id = $1 AND o.store_id = $1 AND e.audience = o.audience
			AND (e.person_id = k.account AND o.person_id = k.guest AND o.day < e.day
				OR e.person_id = k.guest AND o.person_id = k.account AND o.day <= e.day)`,
		`UPDATE exposures e SET person_id = k.account FROM k WHERE e.store_id = $1 AND e.person_id = k.guest`,
	} {
		if _, err := w.tx.ExecContext(ctx, pairs+statement, w.store, pq.Array(guests), pq.Array(accounts)); err != nil {
			return fmt.Errorf("guests become accounts: %w", err)
		}
	}
	return nil
}
