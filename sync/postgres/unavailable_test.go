package postgres_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/sync/postgres"
)

func TestUnavailable(t *testing.T) {
	for code, want := range map[string]bool{
		"57P01": true, "53300": true, "53100": true, "08006": true, "25006": true, "40P01": true,
		"23505": false, "42601": false, "22021": false,
	} {
		err := fmt.Errorf("commit: %w", &pq.Error{Code: pqerror.Code(code)})
		require.Equal(t, want, postgres.Unavailable(err), code)
	}
	require.True(t, postgres.Unavailable(fmt.Errorf("transaction: %w", &net.OpError{Op: "read", Err: errors.New("reset")})))
	require.True(t, postgres.Unavailable(fmt.Errorf("transaction: %w", driver.ErrBadConn)))
	require.False(t, postgres.Unavailable(errors.New("something else")))
	require.False(t, postgres.Unavailable(nil))
}
