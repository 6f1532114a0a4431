package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
)

// oldestServer is the oldest PostgreSQL that works, as server_version_num counts.
const oldestServer = 140000

// Options say which database to open and how patient to be. Zero durations and counts take the defaults named beside
// them.
type Options struct {
	// URL is a connection URL or a key=value string, as lib/pq reads them. Without sslmode, TLS is required from
	// other machines and not used on this one.
	URL secret.Text

	ConnectTimeout   time.Duration // whole set-up of a connection; 10 s
	StatementTimeout time.Duration // enforced by the server; 5 min
	LockTimeout      time.Duration // wait for a row or table; 30 s
	IdleTimeout      time.Duration // a transaction that does nothing; 1 min
	// NetworkTimeout ends a read or write on a network that went silent, which lib/pq by itself would wait for
	// without end, whatever its context says. It has to be above StatementTimeout; StatementTimeout + 15 s.
	NetworkTimeout time.Duration
	MaxConns       int // 8
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	set(&o.ConnectTimeout, 10*time.Second)
	set(&o.StatementTimeout, 5*time.Minute)
	set(&o.LockTimeout, 30*time.Second)
	set(&o.IdleTimeout, time.Minute)
	set(&o.NetworkTimeout, o.StatementTimeout+15*time.Second)
	if o.MaxConns <= 0 {
		o.MaxConns = 8
	}
	return o
}

// Open connects to the database and makes sure that it can be used. It changes nothing in it. Its errors are
// *connectors.Error and name no secret.
func Open(ctx context.Context, options Options) (*DB, error) {
	options = options.withDefaults()
	c, err := newConnector(options)
	if err != nil {
		return nil, err
	}
	db := sqlx.NewDb(sql.OpenDB(c), "postgres")
	db.SetMaxOpenConns(options.MaxConns)
	db.SetMaxIdleConns(options.MaxConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	var version int
	err = db.GetContext(ctx, &version, `SELECT current_setting('server_version_num')::int`)
	if err != nil {
		_ = db.Close() // the first error tells more
		return nil, refusal(err)
	}
	if err := checkVersion(version); err != nil {
		_ = db.Close()
		return nil, err
	}
	return &DB{db: db, connector: c}, nil
}

// Close ends all connections.
func (d *DB) Close() error { return d.db.Close() }

// Ping asks the server for an answer.
func (d *DB) Ping(ctx context.Context) error {
	if _, err := d.db.ExecContext(ctx, `SELECT 1`); err != nil {
		return refusal(err)
	}
	return nil
}

func checkVersion(version int) error {
	if version >= oldestServer {
		return nil
	}
	return &connectors.Error{
		Kind: connectors.KindPermanent, Op: "database",
		Err:    fmt.Errorf("PostgreSQL %d is too old, 14 is the oldest that works", version/10000),
		Remedy: "upgrade the server, or remove database.url to let Perennial run its own",
	}
}

// connector makes connections whose reads and writes have deadlines and whose session has time-outs.
type connector struct {
	inner   *pq.Connector
	options Options
}

func newConnector(options Options) (*connector, error) {
	invalid := &connectors.Error{
		Kind: connectors.KindPermanent, Op: "database", Err: errors.New("database.url cannot be understood"),
		Remedy: "write it as postgres://user:password@host:5432/name?sslmode=require, special characters percent-encoded",
	}
	if options.URL.IsZero() {
		return nil, invalid
	}
	config, err := pq.NewConfig(options.URL.Reveal())
	if err != nil {
		return nil, invalid // the cause may quote the password
	}
	if config.SSLMode == "" {
		config.SSLMode = pq.SSLModeRequire
		if isLocal(config.Host) {
			config.SSLMode = pq.SSLModeDisable
		}
	}
	if config.ApplicationName == "" {
		config.ApplicationName = "perennial"
	}
	config.BinaryParameters = true // one trip to the server for each query, not two
	config.ConnectTimeout = options.ConnectTimeout
	inner, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, invalid
	}
	inner.Dialer(dialer{timeout: options.NetworkTimeout})
	return &connector{inner: inner, options: options}, nil
}

func isLocal(host string) bool {
	if host == "" || host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Connect opens one connection and sets its time-outs by statements: as start-up parameters, poolers would refuse them.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.inner.Connect(ctx)
	if err != nil {
		return nil, err
	}
	settings := fmt.Sprintf(`SET statement_timeout = %d; SET lock_timeout = %d;
		SET idle_in_transaction_session_timeout = %d; SET timezone = 'UTC'; SET client_min_messages = warning`,
		c.options.StatementTimeout.Milliseconds(), c.options.LockTimeout.Milliseconds(),
		c.options.IdleTimeout.Milliseconds())
	s, ok := conn.(driverConn)
	if !ok {
		_ = conn.Close()
		return nil, fmt.Errorf("session: a connection of %T lacks what is needed", conn)
	}
	if _, err := s.ExecContext(ctx, settings, nil); err != nil {
		_ = conn.Close() // the first error tells more
		return nil, fmt.Errorf("session settings: %w", err)
	}
	return session{s}, nil
}

// Driver returns lib/pq's.
func (c *connector) Driver() driver.Driver { return c.inner.Driver() }

// dialer makes network connections with a deadline on every read and write.
type dialer struct{ timeout time.Duration }

func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &deadlineConn{Conn: conn, timeout: d.timeout}, nil
}

func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// deadlineConn gives every read and write its own deadline, and keeps an earlier one that the driver sets for the
// set-up of the connection.
type deadlineConn struct {
	net.Conn
	timeout time.Duration
	limit   time.Time // set only during set-up, by one goroutine
}

func (c *deadlineConn) SetDeadline(t time.Time) error {
	c.limit = t
	return c.Conn.SetDeadline(t)
}

func (c *deadlineConn) next() time.Time {
	deadline := time.Now().Add(c.timeout) // the kernel's clock is the one that counts here
	if !c.limit.IsZero() && c.limit.Before(deadline) {
		return c.limit
	}
	return deadline
}

func (c *deadlineConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(c.next()); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c *deadlineConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(c.next()); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// Unavailable reports whether an error says that the server went away, is too busy or refuses to work, rather than that a
// statement of ours is wrong.
func Unavailable(err error) bool {
	var server *pq.Error
	if errors.As(err, &server) {
		switch server.Code.Class() {
		case "08", "25", "28", "53", "57", "58", "3D", "40":
			return true
		}
		return false
	}
	var network *net.OpError
	return errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
}

// refusal says in words why a server cannot be used, and what to do.
func refusal(err error) error {
	e := &connectors.Error{Kind: connectors.KindRetry, Op: "database", Err: err}
	var server *pq.Error
	var network *net.OpError
	switch {
	case errors.As(err, &server):
		e.Kind, e.Remedy = serverRefusal(string(server.Code))
	case errors.As(err, &network):
		e.Remedy = "start PostgreSQL, or correct host and port in database.url"
	case errors.Is(err, pq.ErrSSLNotSupported):
		e.Kind = connectors.KindPermanent
		e.Remedy = "switch TLS on in the server, or add sslmode=disable to database.url if the network is trusted"
	}
	return e
}

func serverRefusal(code string) (connectors.Kind, string) {
	switch {
	case strings.HasPrefix(code, "28"):
		return connectors.KindCredentials, "correct user and password in database.url"
	case code == "3D000":
		return connectors.KindPermanent, "create the database, or correct its name in database.url"
	case code == "42501":
		return connectors.KindCredentials, "let the user own the database: it has to create tables"
	case code == "53300":
		return connectors.KindRetry, "raise max_connections of the server"
	case code == "53100":
		return connectors.KindRetry, "free disk space on the server"
	case code == "25006":
		return connectors.KindRetry, "the server is read-only: point database.url at the primary"
	default:
		return connectors.KindRetry, ""
	}
}
