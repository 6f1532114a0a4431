package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
)

// StoreInfo is one registered shop.
type StoreInfo struct {
	ID       int64
	Name     string // as in the configuration
	Kind     string
	Shop     commerce.Shop
	LoadedAt time.Time // end of the first load, zero before
}

// Register returns the id of the shop with this name, making it where it is new. A name keeps its kind: another kind
// behind it is refused.
func (d *DB) Register(ctx context.Context, name, kind string) (int64, error) {
	var id int64
	err := inTx(ctx, d.db, func(tx *sqlx.Tx) error {
		// A plain insert would use up an id at each call.
		var known string
		err := tx.QueryRowxContext(ctx, `SELECT store_id, kind FROM stores WHERE name = $1`, name).Scan(&id, &known)
		if errors.Is(err, sql.ErrNoRows) {
			err = tx.QueryRowxContext(ctx, `INSERT INTO stores (name, kind) VALUES ($1, $2)
				ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name RETURNING store_id, kind`, name, kind).Scan(&id, &known)
		}
		if err != nil {
			return err
		}
		if known != kind {
			return otherShop(name, fmt.Sprintf("was a shop of kind %q and is now configured as %q", known, kind))
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO fences (store_id, epoch) SELECT $1, 0
			WHERE NOT EXISTS (SELECT FROM fences WHERE store_id = $1) ON CONFLICT DO NOTHING`, id)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store registration: %w", err)
	}
	return id, nil
}

func otherShop(name, what string) error {
	return &connectors.Error{
		Kind: connectors.KindPermanent, Op: "store " + name, Err: errors.New(what),
		Remedy: "give the other shop a name of its own in the configuration; nothing was read from it",
	}
}

// SetShop notes who the shop says it is. The first identity is pinned: another shop behind the same name is refused, unless
// it is one of the marks by which the shop was known before.
// A changed time zone makes every order count anew at its local day. A name or time zone that the shop does not tell today
// stays as it was; before it ever told one, days are those of UTC.
func (d *DB) SetShop(ctx context.Context, id int64, shop commerce.Shop) error {
	return inTx(ctx, d.db, func(tx *sqlx.Tx) error {
		var name, title, identity, zone string
		if err := lockFence(ctx, tx, id); err != nil {
			return err
		}
		err := tx.QueryRowxContext(ctx, `SELECT name, shop, identity, time_zone FROM stores WHERE store_id = $1`, id).
			Scan(&name, &title, &identity, &zone)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if identity != "" && shop.Identity != identity && !slices.Contains(shop.Former, identity) {
			return otherShop(name, fmt.Sprintf("the key opens another shop (%s) than the one stored under this name (%s)",
				shop.Identity, identity))
		}
		shop.TimeZone, shop.Name = cmp.Or(shop.TimeZone, zone), cmp.Or(shop.Name, title)
		_, err = tx.ExecContext(ctx, `UPDATE stores SET identity = $2, shop = $3, platform = $4, currency = $5, time_zone = $6
			WHERE store_id = $1 AND (identity, shop, platform, currency, time_zone) IS DISTINCT FROM ($2, $3, $4, $5, $6)`,
			id, shop.Identity, shop.Name, shop.Platform, shop.Currency, shop.TimeZone)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if zone == shop.TimeZone {
			return nil
		}
		if err := touchEverybody(ctx, tx, id); err != nil {
			return err
		}
		return recompute(ctx, tx, id)
	})
}

// lockFence keeps writers of the shop out until the transaction ends.
func lockFence(ctx context.Context, tx *sqlx.Tx, id int64) error {
	var epoch int64
	if err := tx.GetContext(ctx, &epoch, `SELECT epoch FROM fences WHERE store_id = $1 FOR UPDATE`, id); err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	return nil
}

func touchEverybody(ctx context.Context, tx *sqlx.Tx, id int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO touched (store_id, person_id)
		SELECT DISTINCT store_id, person_id FROM orders WHERE store_id = $1 AND person_id IS NOT NULL
		ON CONFLICT DO NOTHING`, id)
	if err != nil {
		return fmt.Errorf("touched people: %w", err)
	}
	return nil
}

// Stores returns every registered shop, by name.
func (d *DB) Stores(ctx context.Context) ([]StoreInfo, error) {
	rows, err := d.db.QueryxContext(ctx, `SELECT store_id, name, kind, identity, shop, platform, currency, time_zone, loaded_at
		FROM stores ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("stores: %w", err)
	}
	defer func() { _ = rows.Close() }() // reading
	var stores []StoreInfo
	for rows.Next() {
		var s StoreInfo
		var loaded sql.NullTime
		if err := rows.Scan(&s.ID, &s.Name, &s.Kind, &s.Shop.Identity, &s.Shop.Name, &s.Shop.Platform,
			&s.Shop.Currency, &s.Shop.TimeZone, &loaded); err != nil {
			return nil, fmt.Errorf("stores: %w", err)
		}
		s.LoadedAt = loaded.Time
		stores = append(stores, s)
	}
	return stores, rows.Err()
}

// MarkLoaded notes that the first load is complete. Later calls keep the first moment.
func (s *Store) MarkLoaded(ctx context.Context, at time.Time) error {
	return s.write(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE stores SET loaded_at = $2 WHERE store_id = $1 AND loaded_at IS NULL`, s.id, at)
		if err != nil {
			return fmt.Errorf("end of the first load: %w", err)
		}
		return nil
	})
}

var _ ingest.Records = (*Store)(nil)
