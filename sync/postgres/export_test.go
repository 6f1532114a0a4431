package postgres

import (
	"context"

	"github.com/jmoiron/sqlx"
)

// InTx lets tests run a transaction of their own as all others are run.
func InTx(ctx context.Context, d *DB, fn func(*sqlx.Tx) error) error { return inTx(ctx, d.db, fn) }
