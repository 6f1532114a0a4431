package postgrestest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	first, second := postgrestest.URL(t), postgrestest.URL(t)
	require.NotEqual(t, first, second)
	_, err := postgrestest.SQL(t, first).Exec(`INSERT INTO stores (name, kind) VALUES ('a', 'csvfile')`)
	require.NoError(t, err)
	var stores int
	require.NoError(t, postgrestest.SQL(t, second).QueryRow(`SELECT count(*) FROM stores`).Scan(&stores))
	require.Zero(t, stores)
}

func TestEmptyDatabaseHasNoTables(t *testing.T) {
	var tables int
	db := postgrestest.SQL(t, postgrestest.EmptyURL(t))
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&tables))
	require.Zero(t, tables)
}
