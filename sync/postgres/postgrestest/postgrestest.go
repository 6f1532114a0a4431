// Package postgrestest gives every test a database of its own on a real PostgreSQL server. The server is the one named
// by PERENNIAL_TEST_DATABASE_URL, or one per test binary made from the machine's own binaries, which ends with the
// binary however that ends. A database is a clone of a migrated template.
package postgrestest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// databaseURL names the environment variable with the URL of a server on which databases may be made.
const databaseURL = "PERENNIAL_TEST_DATABASE_URL"

// binariesDir names the environment variable with the folder of initdb and pg_ctl, so that the tests can be run on another
// version than this machine's own.
const binariesDir = "PERENNIAL_TEST_POSTGRES"

// New opens a fresh database with the whole schema; it is closed and dropped when the test ends.
func New(t testing.TB) *postgres.DB {
	t.Helper()
	return Open(t, URL(t))
}

// Open opens the database of a URL that URL returned; it is closed when the test ends.
func Open(t testing.TB, address string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(context.Background(), postgres.Options{URL: secret.New(address)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// URL makes a fresh database with the whole schema and returns its URL; it is dropped when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	s, err := running()
	require.NoError(t, err)
	return s.clone(t, s.template)
}

// CloneURL makes a copy of the database of a URL that one of these functions returned, and returns its URL; it is dropped when
// the test ends. Nobody may be connected to the one that is copied.
func CloneURL(t testing.TB, address string) string {
	t.Helper()
	s, err := running()
	require.NoError(t, err)
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	return s.clone(t, strings.TrimPrefix(parsed.Path, "/"))
}

// EmptyURL makes a database without any schema and returns its URL; it is dropped when the test ends.
func EmptyURL(t testing.TB) string {
	t.Helper()
	s, err := running()
	require.NoError(t, err)
	return s.clone(t, "template0")
}

// SQL opens the database of a URL with no more than lib/pq between, for looking behind the scenes.
func SQL(t testing.TB, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// server is the server of this test binary.
type server struct {
	admin    *sql.DB
	url      *url.URL
	template string
	own      *cluster // nil for a server that was there before
}

// running starts or finds the server of this test binary, once.
var running = sync.OnceValues(func() (*server, error) {
	address := os.Getenv(databaseURL)
	var own *cluster
	if address == "" {
		var err error
		if own, address, err = startCluster(); err != nil {
			return nil, fmt.Errorf("test server: %w", err)
		}
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be understood", databaseURL)
	}
	if query := parsed.Query(); query.Get("sslmode") == "" {
		query.Set("sslmode", "disable")
		parsed.RawQuery = query.Encode()
	}
	admin, err := sql.Open("postgres", parsed.String())
	if err != nil {
		return nil, fmt.Errorf("test server: %w", err)
	}
	admin.SetMaxOpenConns(2)
	s := &server{admin: admin, url: parsed, own: own}
	return s, s.makeTemplate()
})

func (s *server) address(database string) string {
	u := *s.url
	u.Path = "/" + database
	return u.String()
}

// makeTemplate makes the migrated database that others are cloned from, unless another test binary did. Its name tells
// the migrations, so that an old one is never used.
func (s *server) makeTemplate() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	name, err := templateName()
	if err != nil {
		return err
	}
	conn, err := s.admin.Conn(ctx)
	if err != nil {
		return fmt.Errorf("test server: %w", err)
	}
	defer func() { _ = conn.Close() }() // ends the lock too
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(7303014)`); err != nil {
		return fmt.Errorf("template lock: %w", err)
	}
	defer func() { _, _ = conn.ExecContext(ctx, `SELECT pg_advisory_unlock(7303014)`) }()
	s.template = name
	var there bool
	err = conn.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&there)
	if err != nil || there {
		return err
	}
	return s.fillTemplate(ctx, conn, name)
}

// fillTemplate migrates under another name and renames last, so that a template that is there is whole.
func (s *server) fillTemplate(ctx context.Context, conn *sql.Conn, name string) error {
	draft := fmt.Sprintf("%s_%d", name, os.Getpid())
	if _, err := conn.ExecContext(ctx, `CREATE DATABASE `+pq.QuoteIdentifier(draft)); err != nil {
		return fmt.Errorf("template: %w", err)
	}
	db, err := postgres.Open(ctx, postgres.Options{URL: secret.New(s.address(draft))})
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	rename := `ALTER DATABASE ` + pq.QuoteIdentifier(draft) + ` RENAME TO ` + pq.QuoteIdentifier(name)
	for { // the server needs a moment to notice that the connections are gone
		_, err = conn.ExecContext(ctx, rename)
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

func templateName() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(postgres.Migrations(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(postgres.Migrations(), path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(sum, "%s %d %s", path, len(text), text)
		return err
	})
	return "perennial_template_" + hex.EncodeToString(sum.Sum(nil)[:8]), err
}

var databases atomic.Int64

func (s *server) clone(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("perennial_test_%d_%d", os.Getpid(), databases.Add(1))
	_, err := s.admin.ExecContext(context.Background(), `CREATE DATABASE `+pq.QuoteIdentifier(name)+` TEMPLATE `+pq.QuoteIdentifier(template))
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := s.admin.ExecContext(context.Background(), `DROP DATABASE IF EXISTS `+pq.QuoteIdentifier(name)+` WITH (FORCE)`)
		if err != nil {
			t.Logf("test database %s stays: %v", name, err)
		}
	})
	return s.address(name)
}
