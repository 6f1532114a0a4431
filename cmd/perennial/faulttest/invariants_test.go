package faulttest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// findings are the invariants that do not hold, in words that begin with their number.
type findings []string

func (f *findings) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// differ adds a finding where two things that should be the same are not.
func (f *findings) differ(what string, want, got any) {
	if diff := cmp.Diff(want, got); diff != "" {
		f.add("%s:\n%s", what, diff)
	}
}

// memory is what stood at an earlier check, so that what only may grow or must not change can be compared.
type memory struct {
	cursors map[string]cursor // by resource and mode
	epoch   string
	orders  map[string]string // as the database has them, with lines and refunds
	open    map[string]bool   // orders whose lines and refunds are not all here
	loaded  bool              // the shop was read to its end once
	foreign foreign
	ours    map[string]string // "list address" -> status of the subscription
	mailed  map[string]bool   // whom a campaign to our lists would reach
	optin   int               // mails that ask for a confirmation
}

// cursor is where a pull stands.
type cursor struct {
	done           bool
	started, ended string
}

// CheckInvariants holds the database and the remote sides against the shop. It is called after a run that ended well;
// checkAlways is what also holds in the middle of things.
func (w *world) CheckInvariants() {
	w.t.Helper()
	w.report(w.violations())
	w.before = w.remember()
}

// checkAlways checks what must hold at every moment, a kill in mid-air included.
func (w *world) checkAlways() {
	w.t.Helper()
	var f findings
	w.always(&f)
	w.report(f)
	w.before = w.remember()
}

func (w *world) report(f findings) {
	w.t.Helper()
	const most = 6 // one fault has many findings
	for _, finding := range f[:min(len(f), most)] {
		w.t.Errorf("%.3000s", finding)
	}
	if len(f) > most {
		w.t.Errorf("and %d more", len(f)-most)
	}
	if len(f) > 0 {
		w.t.FailNow()
	}
}

// violations are all invariants that do not hold after a run that ended well.
func (w *world) violations() findings {
	w.t.Helper()
	var f findings
	w.always(&f)
	w.records(&f)  // I1
	w.money(&f)    // I8
	w.remote(&f)   // I4
	w.consent(&f)  // I6
	w.finished(&f) // nothing is left lying about
	w.quiet(&f)    // I3
	return f
}

// always finds what must hold at every moment.
func (w *world) always(f *findings) {
	w.t.Helper()
	now := w.remember()
	for key, old := range w.before.cursors {
		if now.cursors[key].ended < shift(old.ended, -clockSlack) {
			f.add("I2: the pull of %s went back from %s to %q", key, old.ended, now.cursors[key].ended)
		}
	}
	w.whole(f, now)
	f.differ("I5, I6: what is not ours changed remotely (-before +after)", w.before.foreign, now.foreign)
	w.consentKept(f, now)
	for _, email := range w.erased.emails() {
		if found := w.contains(email); len(found) > 0 {
			f.add("I7: a forgotten address is in %v", found)
		}
	}
	w.noSecret(f)
	if now.epoch < w.before.epoch {
		f.add("I10: the epoch went back from %s to %s", w.before.epoch, now.epoch)
	}
}

// clockSlack is how far the clock may go back between two commands: each starts at the shop's time, which stood still while
// the one before it ran.
const clockSlack = time.Minute

// shift moves a time as the database prints it.
func shift(stamp string, by time.Duration) string {
	at, err := time.Parse(time.DateTime, stamp)
	if err != nil {
		return stamp // never ended
	}
	return at.Add(by).Format(time.DateTime)
}

// whole is what I1 and I2 say at every moment: each order stands in the database with all its lines and refunds, as it was
// when last looked at or as the shop has it now; and once a pull of changes has ended, everything changed until its start
// is as the shop has it.
func (w *world) whole(f *findings, now *memory) {
	truth := w.truth()
	for id, have := range now.orders {
		if w.store.apart() && (now.open[id] || !now.loaded) {
			continue // nothing is told of it yet
		}
		if have != w.before.orders[id] && have != truth.sets[id] && !truth.quarantined["orders|"+id] {
			f.add("I1: order %s is neither as it was nor as it is:\nwas %s\nis  %s\nhas %s", id, w.before.orders[id], truth.sets[id], have)
		}
	}
	for id := range w.before.orders {
		if _, kept := now.orders[id]; !kept && truth.sets[id] != "" {
			f.add("I1: order %s vanished from the database", id)
		}
	}
	changes := now.cursors["orders increment"]
	if !changes.done {
		return
	}
	for id, is := range truth.sets {
		stamp := truth.modified[id]
		if stamp > w.before.cursors["orders increment"].started && stamp < changes.started && now.orders[id] != is && !truth.quarantined["orders|"+id] {
			f.add("I2: the pull of orders that began at %s is over without order %s, changed at %s", changes.started, id, stamp)
		}
	}
}

// remember takes down what is compared later. Cursors come first: whatever a dying transaction still commits afterwards
// can only be more than they say.
func (w *world) remember() *memory {
	w.t.Helper()
	m := &memory{cursors: map[string]cursor{}, orders: map[string]string{}, open: map[string]bool{}}
	m.loaded = len(w.query(`SELECT name FROM stores WHERE loaded_at IS NOT NULL`)) > 0
	for _, row := range w.query(`SELECT resource || ' ' || mode, done, ` + instant("started_at") + `, ` + instant("ended_at") + ` FROM cursors`) {
		fields := strings.Split(row, "|")
		m.cursors[fields[0]] = cursor{done: fields[1] == "true", started: fields[2], ended: fields[3]}
	}
	if rows := w.query(`SELECT lpad(CAST(epoch AS text), 20, '0') FROM fences`); len(rows) == 1 {
		m.epoch = rows[0]
	}
	for _, row := range w.query(orderSets) {
		id, rest, _ := strings.Cut(row, "|")
		m.orders[id] = rest
	}
	for _, id := range w.query(`SELECT id FROM orders WHERE NOT complete AND deleted_at IS NULL`) {
		m.open[id] = true
	}
	m.foreign = w.foreign()
	m.ours, m.mailed = w.subscriptions()
	m.optin = len(w.mail.OptinMails())
	return m
}

// instant renders a moment so that later ones sort after earlier ones; null is empty.
func instant(column string) string {
	return `COALESCE(to_char(` + column + ` AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), '')`
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// finished finds what a run that ended well should not leave behind.
func (w *world) finished(f *findings) {
	for _, table := range []string{"outbox", "jobs", "sweep_seen"} {
		if n := w.query(`SELECT count(*) FROM ` + table)[0]; n != "0" {
			f.add("I4: %s rows are left in %s", n, table)
		}
	}
	if n := w.query(`SELECT count(*) FROM runs WHERE state = 'running'`)[0]; n != "0" {
		f.add("I10: %s runs are still open in the ledger", n)
	}
	if held := w.query(`SELECT store_id FROM leases WHERE holder <> '' AND expires_at > clock_timestamp()`); len(held) > 0 {
		f.add("I10: the lease is still held")
	}
	if open := w.query(`SELECT id FROM orders WHERE NOT complete`); len(open) > 0 {
		f.add("I1: orders %v are left open", open)
	}
	for _, row := range w.query(`SELECT resource, id FROM quarantine WHERE reason = ''`) {
		f.add("I1: %s is in quarantine without a reason", row)
	}
}

// quiet is I3: the same night once more, over the unchanged shop, changes no data and writes nothing remotely.
func (w *world) quiet(f *findings) {
	w.t.Helper()
	before, generation := w.digest(), w.shop.Generation()
	w.store.ForgetRequests()
	asked := len(w.mail.Requests())
	w.query(`DELETE FROM nightlies`)
	_, errs, code := w.run("run", "--once", "--quiet")
	if code != 0 {
		f.add("I3: a second run ended with code %d: %s", code, errs)
	}
	for _, written := range w.store.writes() {
		f.add("I3: %s wrote to an unchanged shop", written)
	}
	for _, r := range w.mail.Requests()[asked:] {
		if r.Write {
			f.add("I3: %s %s wrote to an unchanged platform: %s", r.Method, r.Path, r.Body)
		}
	}
	if w.shop.Generation() != generation {
		f.add("I3: the second run changed the shop")
	}
	f.differ("I3: a second run changed data (-before +after)", before, w.digest())
}

// digest sums up every table but those that tell about runs themselves.
func (w *world) digest() map[string]string {
	w.t.Helper()
	skip := []string{"runs", "leases", "fences", "nightlies", "cursors", "pushes", "looks", "sweep_seen", "goose_db_version"}
	var parts []string
	for _, table := range w.tables {
		row := "CAST(t AS text)"
		if table == "quarantine" { // each sweep tries it again, and says so there
			row = "t.resource || ' ' || t.id || ' ' || t.reason || ' ' || encode(t.raw, 'hex')"
		}
		if !slices.Contains(skip, table) {
			parts = append(parts, `SELECT '`+table+`', count(*), COALESCE(sum(hashtextextended(`+row+`, 0)), 0) FROM `+table+` t`)
		}
	}
	require.Greater(w.t, len(parts), 15)
	sums := map[string]string{}
	for _, row := range w.query(strings.Join(parts, " UNION ALL ")) {
		table, sum, _ := strings.Cut(row, "|")
		sums[table] = sum
	}
	return sums
}

// noSecret is I9: no secret in anything that was ever printed, nor in the database.
func (w *world) noSecret(f *findings) {
	for _, canary := range append(w.store.secrets(), canaryToken) {
		if strings.Contains(w.output.String(), canary) {
			f.add("I9: a secret was printed")
		}
		if found := w.contains(canary); len(found) > 0 {
			f.add("I9: a secret stands in the tables %v", found)
		}
	}
}

// contains reports which tables hold a text anywhere, in whatever capitals.
func (w *world) contains(text string) []string {
	w.t.Helper()
	var parts []string
	for _, table := range w.tables {
		parts = append(parts, `SELECT '`+table+`' WHERE EXISTS (SELECT FROM `+table+` t WHERE position($1 IN lower(CAST(t AS text))) > 0)`)
	}
	parts = append(parts, `SELECT 'quarantine' WHERE EXISTS (SELECT FROM quarantine WHERE position($1 IN lower(encode(raw, 'escape'))) > 0)`)
	return w.query(strings.Join(parts, " UNION "), strings.ToLower(text))
}

// number reads an id.
func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // 0 for the empty one
	return n
}
