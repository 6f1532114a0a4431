package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// table is one that ingest fills. Its first column is store_id; key are the columns that follow it in the primary key.
type table struct {
	name    string
	key     []string
	columns []string // all, in the order in which rows give them
}

func newTable(name, key, columns string) table {
	return table{name: name, key: strings.Fields(key), columns: strings.Fields("store_id " + columns)}
}

// stage is the name of the temporary table that rows pass through.
func (t table) stage() string { return "stage_" + t.name }

// insert copies rows that are surely new straight into the table: the writer holds the fence, so nobody else adds rows
// of this shop.
func (t table) insert(ctx context.Context, tx *sqlx.Tx, rows [][]byte) error {
	if len(rows) == 0 {
		return nil
	}
	return copyIn(ctx, tx, t.name, t.columns, slices.Values(rows))
}

// upsert copies rows to the temporary table and from there writes those that differ from what stands.
func (t table) upsert(ctx context.Context, tx *sqlx.Tx, rows [][]byte) error {
	if len(rows) == 0 {
		return nil
	}
	if err := t.load(ctx, tx, rows); err != nil {
		return err
	}
	return t.merge(ctx, tx)
}

// load copies rows to the temporary table. The table lives as long as the connection and is emptied at each commit:
// made anew for each page, it would fill the catalogue and the log.
func (t table) load(ctx context.Context, tx *sqlx.Tx, rows [][]byte) error {
	_, err := tx.ExecContext(ctx, `CREATE TEMP TABLE IF NOT EXISTS `+t.stage()+` (LIKE `+t.name+`) ON COMMIT DELETE ROWS;
		DELETE FROM `+t.stage()) // a TRUNCATE would write to the catalogue each time
	if err != nil {
		return fmt.Errorf("stage of %s: %w", t.name, err)
	}
	return copyIn(ctx, tx, t.stage(), t.columns, slices.Values(rows))
}

// merge writes staged rows that are new or differ.
func (t table) merge(ctx context.Context, tx *sqlx.Tx) error {
	var set []string
	for _, column := range t.columns {
		set = append(set, column+" = EXCLUDED."+column)
	}
	columns := strings.Join(t.columns, ", ")
	_, err := tx.ExecContext(ctx, `INSERT INTO `+t.name+` (`+columns+`)
		SELECT `+columns+` FROM `+t.stage()+` s
		WHERE NOT EXISTS (SELECT FROM `+t.name+` t WHERE `+t.joined()+` AND `+t.same()+`)
		ON CONFLICT (store_id, `+strings.Join(t.key, ", ")+`) DO UPDATE SET `+strings.Join(set, ", "))
	if err != nil {
		return fmt.Errorf("upsert of %s: %w", t.name, err)
	}
	return nil
}

// joined is the condition that t and s are the same row.
func (t table) joined() string {
	on := []string{"t.store_id = s.store_id"}
	for _, column := range t.key {
		on = append(on, "t."+column+" = s."+column)
	}
	return strings.Join(on, " AND ")
}

// same is the condition that t and s have the same content.
func (t table) same() string {
	var same []string
	for _, column := range t.columns {
		same = append(same, "t."+column+" IS NOT DISTINCT FROM s."+column)
	}
	return strings.Join(same, " AND ")
}

// copyChunk is from how many bytes on rows are sent to the server.
const copyChunk = 32 << 10

// copyIn streams rows, each a line of COPY, into a table. An error may show only at the end, and loses all rows.
func copyIn(ctx context.Context, tx *sqlx.Tx, name string, columns []string, rows iter.Seq[[]byte]) (err error) {
	stmt, err := tx.PrepareContext(ctx, `COPY `+name+` (`+strings.Join(columns, ", ")+`) FROM STDIN`)
	if err != nil {
		return fmt.Errorf("copy to %s: %w", name, err)
	}
	defer func() {
		if closed := stmt.Close(); err == nil && closed != nil {
			err = fmt.Errorf("copy to %s: %w", name, closed)
		}
	}()
	lines := make(copied, 0, copyChunk+copyChunk/8) // room for the row that fills it
	for row := range rows {
		if lines = append(append(lines, row...), '\n'); len(lines) < copyChunk {
			continue
		}
		if _, err := stmt.ExecContext(ctx, lines); err != nil {
			return fmt.Errorf("copy to %s: %w", name, err)
		}
		lines = lines[:0]
	}
	for _, last := range [][]any{{lines}, nil} {
		if _, err := stmt.ExecContext(ctx, last...); err != nil {
			return fmt.Errorf("copy to %s: %w", name, err)
		}
	}
	return nil
}

// null is no value, as COPY writes it.
const null = `\N`

// unsafeInCopy are the bytes that mean something else to COPY.
const unsafeInCopy = "\\\n\r\t"

var escapeForCopy = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

// appendText adds any text to a line of COPY.
func appendText(line []byte, text string) []byte {
	if strings.ContainsAny(text, unsafeInCopy) {
		text = escapeForCopy.Replace(text)
	}
	return append(line, text...)
}

// appendFields adds fields that have nothing to escape to a line of COPY.
func appendFields(line []byte, fields ...string) []byte {
	for _, field := range fields {
		line = append(append(line, '\t'), field...)
	}
	return line
}

// binaryField is the field of bytes.
func binaryField(value []byte) string { return `\\x` + hex.EncodeToString(value) }

// The states of SQL that decide what happens next.
const (
	lockNotAvailable = "55P03"
	notInSequence    = "40001"
	deadlockDetected = "40P01"
)

// sqlState returns the server's code of an error, empty where it is not the server's.
func sqlState(err error) string {
	var server *pq.Error
	if errors.As(err, &server) {
		return string(server.Code)
	}
	return ""
}

// aboutData reports whether an error is about a value rather than about the server: data exceptions, broken
// constraints, values beyond a limit of the program or of an index.
func aboutData(err error) bool {
	state := sqlState(err)
	return strings.HasPrefix(state, "22") || strings.HasPrefix(state, "23") || strings.HasPrefix(state, "54")
}
