package bench

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"
)

// measureIngest holds ingest against the bare way of bringing the very same rows into tables of the same shape, and looks
// at what a night without changes writes.
func measureIngest(tb testing.TB, scale float64) []figure {
	var figures []figure
	for _, size := range []int{100, 1000} {
		figures = append(figures, ingestAgainstCopy(tb, scale, size))
	}
	return append(figures, quietNights(tb, scale)...)
}

// A measurement has rounds whose middle counts, and in each round both sides take turns over a few orders at a time, so that
// neither pays for what the benchmark itself keeps in memory.
const (
	rounds     = 5
	turnOrders = 5000
)

// ingestAgainstCopy brings orders in, page by page of size, in turns of ours and bare.
func ingestAgainstCopy(tb testing.TB, scale float64, size int) figure {
	p := newPlace(tb)
	bare := newCopier(p)
	perRound := max(size, sized(100_000, scale, size)/rounds)
	var ours, theirs []float64
	page := 0
	for round := range rounds {
		var our, their cost
		done := 0
		for done < perRound {
			pages := max(1, min(turnOrders, perRound-done)/size)
			chunk := stock(page, pages, size)
			our = our.plus(p.meter.measure(func() { p.ingest(chunk, false) }))
			rows := bare.read(chunk)
			their = their.plus(p.meter.measure(func() { bare.copy(rows) }))
			page, done = page+pages, done+pages*size
		}
		tb.Logf("pages of %d, round %d: ours %v client %v server, bare %v client %v server", size, round+1,
			our.client, our.server, their.client, their.server)
		ours = append(ours, float64(our.cpu().Microseconds())/float64(done))
		theirs = append(theirs, float64(their.cpu().Microseconds())/float64(done))
		p.exec(`ANALYZE`)
	}
	for _, table := range []string{"orders", "lines", "refunds"} {
		require.EqualValues(tb, p.number(`SELECT count(*) FROM `+table), p.number(`SELECT count(*) FROM bare.`+table))
	}
	return figure{
		name: fmt.Sprintf("ingest, CPU per order, pages of %d", size), unit: "µs",
		ours: median(ours), bare: median(theirs), target: 1.5,
	}
}

// copier is the bare way: COPY to a temporary table, and from there an upsert.
type copier struct {
	*place
	tables []copied
}

// copied is one table with its counterpart in the schema bare.
type copied struct {
	name    string
	orderID string // column with the id of the order
	columns []string
	upsert  string
}

func newCopier(p *place) *copier {
	p.exec(`CREATE SCHEMA bare`)
	c := &copier{place: p}
	for _, t := range []copied{{name: "orders", orderID: "id"}, {name: "lines", orderID: "order_id"}, {name: "refunds", orderID: "order_id"}} {
		p.exec(fmt.Sprintf(`CREATE TABLE bare.%[1]s (LIKE public.%[1]s INCLUDING ALL);
			ALTER TABLE bare.%[1]s SET (autovacuum_enabled = false);
			CREATE TEMP TABLE bare_%[1]s (LIKE public.%[1]s) ON COMMIT DELETE ROWS`, t.name))
		t.columns = c.texts(`SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum`, "public."+t.name)
		key := c.texts(`SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
			WHERE indrelid = $1::regclass AND indisprimary`, "public."+t.name)
		var set []string
		for _, column := range t.columns {
			set = append(set, column+" = excluded."+column)
		}
		t.upsert = fmt.Sprintf(`INSERT INTO bare.%[1]s SELECT * FROM bare_%[1]s ON CONFLICT (%[2]s) DO UPDATE SET %[3]s`,
			t.name, strings.Join(key, ", "), strings.Join(set, ", "))
		c.tables = append(c.tables, t)
	}
	return c
}

func (c *copier) texts(query string, args ...any) []string {
	c.tb.Helper()
	var list pq.StringArray
	require.NoError(c.tb, c.raw.QueryRow(`SELECT array(`+query+`)`, args...).Scan(&list))
	return list
}

// read returns, page by page and table by table, the rows that stand in the product's tables.
func (c *copier) read(chunk *shelf) [][][][]any {
	c.tb.Helper()
	var pages [][][][]any
	for _, page := range chunk.pages {
		ids := make([]string, len(page.Orders))
		for i, o := range page.Orders {
			ids[i] = o.ID
		}
		var tables [][][]any
		for _, t := range c.tables {
			tables = append(tables, c.rows(t, ids))
		}
		pages = append(pages, tables)
	}
	return pages
}

func (c *copier) rows(t copied, ids []string) [][]any {
	c.tb.Helper()
	rows, err := c.raw.Query(`SELECT `+strings.Join(t.columns, "::text, ")+`::text FROM `+t.name+` WHERE store_id = $1 AND `+
		t.orderID+` = ANY ($2)`, c.store.ID(), pq.Array(ids))
	require.NoError(c.tb, err)
	defer func() { _ = rows.Close() }()
	var all [][]any
	for rows.Next() {
		texts, targets := make([]sql.NullString, len(t.columns)), make([]any, len(t.columns))
		for i := range texts {
			targets[i] = &texts[i]
		}
		require.NoError(c.tb, rows.Scan(targets...))
		values := make([]any, len(texts))
		for i, text := range texts {
			if text.Valid {
				values[i] = text.String
			}
		}
		all = append(all, values)
	}
	require.NoError(c.tb, rows.Err())
	return all
}

// copy writes pages, each in a transaction.
func (c *copier) copy(pages [][][][]any) {
	c.tb.Helper()
	for _, page := range pages {
		tx, err := c.raw.Begin()
		require.NoError(c.tb, err)
		for i, rows := range page {
			c.copyTable(tx, c.tables[i], rows)
		}
		require.NoError(c.tb, tx.Commit())
	}
}

func (c *copier) copyTable(tx *sql.Tx, t copied, rows [][]any) {
	if len(rows) == 0 {
		return
	}
	copyIn(c.tb, tx, "bare_"+t.name, t.columns, rows)
	_, err := tx.Exec(t.upsert)
	require.NoError(c.tb, err)
}

func copyIn(tb testing.TB, tx *sql.Tx, table string, columns []string, rows [][]any) {
	tb.Helper()
	stmt, err := tx.Prepare(`COPY ` + table + ` (` + strings.Join(columns, ", ") + `) FROM STDIN`)
	require.NoError(tb, err)
	defer func() { require.NoError(tb, stmt.Close()) }()
	for _, values := range rows {
		if _, err := stmt.Exec(values...); err != nil {
			require.NoError(tb, err)
		}
	}
	_, err = stmt.Exec()
	require.NoError(tb, err)
}

// quietNights runs a night that asks for changes and finds none, and one that reads everything again.
func quietNights(tb testing.TB, scale float64) []figure {
	p := newPlace(tb)
	const size = 100
	all := stock(0, sized(100_000, scale, size)/size, size)
	orders := len(all.pages) * size
	before := p.wal()
	p.ingest(all, false)
	load := p.wal() - before

	var figures []figure
	for _, night := range []struct {
		name   string
		sweep  bool
		source *shelf
	}{
		{"night without changes", false, &shelf{first: len(all.pages)}},
		{"sweep without changes", true, all},
	} {
		p.close()
		p.exec(`VACUUM ANALYZE`)
		rows := p.rowsWritten()
		p.open()
		wal := p.wal()
		p.ingest(night.source, night.sweep)
		written := p.wal() - wal
		p.close()
		changed := p.rowsWritten() - rows
		p.open()
		figures = append(figures,
			figure{name: night.name + ", rows of data written", unit: "rows", ours: float64(changed), alone: true},
			figure{
				name: fmt.Sprintf("%s, WAL against the first load of %d orders", night.name, orders), unit: "bytes",
				ours: float64(written), bare: float64(load), target: 0.01,
			})
	}
	return figures
}

// wal is the position in the write-ahead log, right after a checkpoint that takes no page images with it into what is
// measured.
func (p *place) wal() int64 {
	p.exec(`CHECKPOINT`)
	return p.number(`SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint`)
}

// rowsWritten counts rows that were ever written to tables of data: without the ledger of runs, cursors and the notes of
// sweeps. The product's connections must be closed, because a server process tells what it did at its end.
func (p *place) rowsWritten() int64 {
	deadline := time.Now().Add(20 * time.Second)
	for p.number(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
		AND backend_type = 'client backend'`) > 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	return p.number(`SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables
		WHERE schemaname = 'public' AND relname NOT IN ('cursors', 'sweep_seen', 'leases', 'nightlies', 'runs', 'fences')`)
}
