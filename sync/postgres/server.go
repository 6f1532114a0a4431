package postgres

import (
	"context"
	"fmt"
	"time"
)

// Server is what a check tells about the database server.
type Server struct {
	Version string    // such as "15.18"
	Schema  int64     // version of our schema in this database
	Now     time.Time // the server's clock
}

// Server asks the server who it is and what its clock shows.
func (d *DB) Server(ctx context.Context) (Server, error) {
	var facts Server
	err := d.db.QueryRowxContext(ctx, `
		SELECT split_part(current_setting('server_version'), ' ', 1), clock_timestamp(),
		       (SELECT COALESCE(max(version_id), 0) FROM goose_db_version WHERE is_applied)`).
		Scan(&facts.Version, &facts.Now, &facts.Schema)
	if err != nil {
		return Server{}, fmt.Errorf("server facts: %w", err)
	}
	return facts, nil
}
