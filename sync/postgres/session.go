package postgres

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// copied is a stretch of lines for a COPY statement, each with its end: it goes to the server as it is, where
// values one by one would each pass through database/sql.
type copied []byte

// driverConn is what a connection of lib/pq can do.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// session is a connection whose COPY statements take lines.
type session struct{ driverConn }

func (s session) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := s.driverConn.PrepareContext(ctx, query)
	if c, ok := stmt.(copier); ok {
		return copyStatement{c}, err
	}
	return stmt, err
}

// copier is lib/pq's COPY statement.
type copier interface {
	driver.Stmt
	CopyData(ctx context.Context, line string) (driver.Result, error)
}

type copyStatement struct{ copier }

// CheckNamedValue lets nothing but lines through.
func (s copyStatement) CheckNamedValue(value *driver.NamedValue) error {
	if _, ok := value.Value.(copied); !ok {
		return fmt.Errorf("COPY takes lines, not %T", value.Value)
	}
	return nil
}

// ExecContext sends lines; without any it ends the COPY, and tells what went wrong.
func (s copyStatement) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	for _, arg := range args {
		lines, _ := arg.Value.(copied) // CheckNamedValue saw to it
		if len(lines) == 0 {
			continue
		}
		if _, err := s.CopyData(ctx, string(lines[:len(lines)-1])); err != nil { // it adds the last end itself
			return nil, err
		}
	}
	if len(args) > 0 {
		return driver.ResultNoRows, nil
	}
	return driver.ResultNoRows, s.Close()
}
