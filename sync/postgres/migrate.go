package postgres

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/perennial-cvo/perennial/connectors"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationTimeout is how long one statement of a migration may take.
const migrationTimeout = 2 * time.Hour

// Migrate brings the schema up to date, each step in its own transaction. Any number of processes may call it at once:
// one works, the others wait. A schema that is newer than this program is refused and left alone.
func (d *DB) Migrate(ctx context.Context) error {
	return d.migrate(ctx, migrations)
}

func (d *DB) migrate(ctx context.Context, files fs.FS) error {
	patient, err := newConnector(Options{
		URL: d.connector.options.URL, StatementTimeout: migrationTimeout, LockTimeout: time.Minute,
	}.withDefaults())
	if err != nil {
		return err
	}
	db := sql.OpenDB(patient)
	defer func() { _ = db.Close() }() // its work is committed or lost by now
	provider, err := newProvider(db, files)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if err := refuseNewer(ctx, provider); err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return refuseNewer(ctx, provider) // a newer program may have been faster
}

func newProvider(db *sql.DB, files fs.FS) (*goose.Provider, error) {
	dir, err := fs.Sub(files, "migrations")
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, dir,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

func refuseNewer(ctx context.Context, provider *goose.Provider) error {
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return refusal(fmt.Errorf("schema version: %w", err))
	}
	if current <= target {
		return nil
	}
	return &connectors.Error{
		Kind: connectors.KindPermanent, Op: "database",
		Err:    fmt.Errorf("its schema has version %d, and this program knows versions up to %d", current, target),
		Remedy: "use the newer Perennial that made it; nothing was changed",
	}
}

// Migrations returns the SQL files of all schema versions, in the folder migrations.
func Migrations() fs.FS { return migrations }
