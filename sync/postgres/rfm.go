package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var _ analysis.Facts = (*Store)(nil)

// Shop returns what the analysis must know about the shop.
func (s *Store) Shop(ctx context.Context) (analysis.Shop, error) {
	var row struct {
		Name     string       `db:"name"`
		Currency string       `db:"currency"`
		TimeZone string       `db:"time_zone"`
		Loaded   bool         `db:"loaded"`
		Since    sql.NullTime `db:"visible_since"`
	}
	err := s.db.GetContext(ctx, &row,
		`SELECT name, currency, time_zone, loaded_at IS NOT NULL AS loaded, visible_since FROM stores WHERE store_id = $1`, s.id)
	if err != nil {
		return analysis.Shop{}, fmt.Errorf("shop: %w", err)
	}
	location, err := commerce.Location(row.TimeZone)
	if err != nil {
		return analysis.Shop{}, fmt.Errorf("shop time zone: %w", err)
	}
	shop := analysis.Shop{Name: row.Name, Currency: row.Currency, Location: location, Loaded: row.Loaded}
	if row.Since.Valid {
		shop.Since = row.Since.Time.UTC()
	}
	return shop, nil
}

// localDays makes the days of one transaction those of the shop: a moment turned into a date is its local day. In the
// server's names of zones a fixed offset counts westwards.
func (s *Store) localDays(ctx context.Context, tx *sqlx.Tx) error {
	_, err := tx.ExecContext(ctx, `
		SELECT set_config('timezone', CASE left(time_zone, 1) WHEN '' THEN 'UTC' WHEN '+' THEN '-' || substr(time_zone, 2)
			WHEN '-' THEN '+' || substr(time_zone, 2) ELSE time_zone END, true)
		FROM stores WHERE store_id = $1`, s.id)
	if err != nil {
		return fmt.Errorf("time zone: %w", err)
	}
	return nil
}

// wideMemory gives one transaction the memory that joins and sorts of a million people need, and saves it the compiling
// of queries that run once. Looking up a row is called cheap, as it is on disks without moving parts: of few people it
// then looks up each, and does not read everybody.
func wideMemory(ctx context.Context, tx *sqlx.Tx) error {
	if _, err := tx.ExecContext(ctx, `SET LOCAL work_mem = '256MB'; SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1`); err != nil {
		return fmt.Errorf("work memory: %w", err)
	}
	return nil
}

// crowd is from how many people on whole tables are joined rather than single rows looked up.
const crowd = 50_000

// nestedLoops lets the planner look up single rows, or keeps it from that in one transaction: where a table that is about
// to be filled looks empty to it, it would compare everybody with everybody.
func nestedLoops(ctx context.Context, tx *sqlx.Tx, on bool) error {
	return planBy(ctx, tx, "enable_nestloop", on)
}

// mergeJoins lets the planner sort both sides of a join, or keeps it from that in one transaction: where it cannot know that
// the keys of a part of the statement differ, it would rather sort millions of texts than look them up in a table of thousands.
func mergeJoins(ctx context.Context, tx *sqlx.Tx, on bool) error {
	return planBy(ctx, tx, "enable_mergejoin", on)
}

func planBy(ctx context.Context, tx *sqlx.Tx, setting string, on bool) error {
	if _, err := tx.ExecContext(ctx, `SELECT set_config($1, $2::boolean::text, true)`, setting, on); err != nil {
		return fmt.Errorf("planner setting: %w", err)
	}
	return nil
}
