package faulttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// memory is what stood at an earlier check, so that what only may grow or must not change can be compared.
type memory struct {
	cursors map[string]string // resource and mode -> end of the last finished pull
	epoch   string
	foreign foreign
}

// foreign is everything remote that is not ours.
type foreign struct {
	Accounts    map[int64]string             // WooCommerce account without our meta
	Orders      map[int64]string             // modification times: nobody writes to orders
	Subscribers map[string]string            // status and foreign attributes by address
	Lists       map[string]map[string]string // foreign list -> address -> status
}

// CheckInvariants holds the database and the remote sides against the shop. It is called after a run that ended well;
// checkAlways is what also holds in the middle of things.
func (w *world) CheckInvariants() {
	w.t.Helper()
	w.checkRecords() // I1
	w.checkMoney()   // I8
	w.checkRemote()  // I4
	w.checkQuiet()   // I3
	w.checkAlways()
}

// checkAlways checks what must hold at every moment, a kill in mid-air included.
func (w *world) checkAlways() {
	w.t.Helper()
	now := w.remember()
	for key, ended := range w.before.cursors {
		require.GreaterOrEqual(w.t, now.cursors[key], ended, "I2: the pull of %s went back", key)
	}
	if diff := cmp.Diff(w.before.foreign, now.foreign); diff != "" {
		w.t.Fatalf("I5, I6: what is not ours changed remotely (-before +after):\n%s", diff)
	}
	w.checkOutput()
	require.LessOrEqual(w.t, w.before.epoch, now.epoch, "I10: the epoch went back")
	w.before = now
}

// remember takes down what is compared later.
func (w *world) remember() *memory {
	w.t.Helper()
	m := &memory{cursors: map[string]string{}, foreign: w.foreign()}
	for _, row := range w.query(`SELECT resource || ' ' || mode, to_char(ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') FROM cursors`) {
		key, ended, _ := strings.Cut(row, "|")
		m.cursors[key] = ended
	}
	if rows := w.query(`SELECT lpad(CAST(epoch AS text), 20, '0') FROM fences`); len(rows) == 1 {
		m.epoch = rows[0]
	}
	return m
}

// foreign takes down everything remote that is not ours.
func (w *world) foreign() foreign {
	f := foreign{Accounts: map[int64]string{}, Orders: map[int64]string{}, Subscribers: map[string]string{}, Lists: map[string]map[string]string{}}
	for _, c := range w.shop.Customers() {
		var meta []string
		for _, m := range c.Meta {
			if !strings.HasPrefix(m.Key, "perennial_") {
				meta = append(meta, fmt.Sprintf("%d %s=%s", m.ID, m.Key, m.Value))
			}
		}
		f.Accounts[c.ID] = fmt.Sprint(c.Email, c.FirstName, c.LastName, c.Role, c.Billing, meta)
	}
	for _, o := range w.shop.Orders() {
		f.Orders[o.ID] = fmt.Sprint(o.Status, o.ModifiedAt.Unix())
	}
	ours := w.ourLists()
	names := map[int]string{}
	for _, list := range w.mail.Lists() {
		names[list.ID] = fmt.Sprintf("%d %s", list.ID, list.Name)
		if _, own := ours[list.ID]; !own {
			f.Lists[names[list.ID]] = map[string]string{}
		}
	}
	for _, p := range w.mail.People() {
		attributes := maps.Clone(p.Attribs)
		delete(attributes, "perennial")
		text, err := json.Marshal(attributes)
		require.NoError(w.t, err)
		f.Subscribers[p.Email] = p.Status + " " + string(text)
		for id, status := range p.Lists {
			if _, own := ours[id]; !own {
				f.Lists[names[id]][p.Email] = status
			}
		}
	}
	return f
}

// ourLists are the lists that carry our mark, by id, with the key of their audience.
func (w *world) ourLists() map[int]string {
	keys := map[string]string{}
	for _, row := range w.query(`SELECT remote_id, key FROM audiences WHERE destination = 'listmonk'`) {
		id, key, _ := strings.Cut(row, "|")
		keys[id] = key
	}
	ours := map[int]string{}
	for _, list := range w.mail.Lists() {
		if slices.Contains(list.Tags, "perennial") {
			ours[list.ID] = keys[strconv.Itoa(list.ID)]
		}
	}
	return ours
}

// checkRecords is I1: every record as it is in the shop is in the database, or in quarantine.
func (w *world) checkRecords() {
	w.t.Helper()
	truth := w.shop.Oracle(simulator.Policy{})
	quarantined := map[string]bool{}
	for _, row := range w.query(`SELECT resource, id FROM quarantine`) {
		quarantined[row] = true
	}
	expect := func(resource string, want map[string]string, query string) {
		w.t.Helper()
		got := map[string]string{}
		for _, row := range w.query(query) {
			id, rest, _ := strings.Cut(row, "|")
			got[id] = rest
		}
		for id := range want {
			if quarantined[resource+"|"+id] {
				delete(want, id)
				delete(got, id)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			w.t.Fatalf("I1: %s (-shop +database):\n%s", resource, diff)
		}
	}
	orders := map[string]string{}
	for _, o := range truth.Orders {
		orders[o.ID] = strings.Join([]string{o.Status, o.CustomerID, o.Email, o.Currency, o.Total.StringFixed(4), o.Goods.StringFixed(4), o.Discount.StringFixed(4), stamp(o.PlacedAt)}, "|")
	}
	expect("orders", orders, `SELECT id, status, customer_id, email, currency, round(total, 4), round(goods, 4), round(discount, 4), `+stampSQL("placed_at")+` FROM orders WHERE deleted_at IS NULL`)
	lines := map[string]string{}
	for _, l := range truth.Lines {
		lines[l.OrderID+"/"+l.ID] = l.Quantity.StringFixed(4) + "|" + l.Total.StringFixed(4)
	}
	expect("lines", lines, `SELECT l.order_id || '/' || l.id, round(l.quantity, 4), round(l.total, 4) FROM lines l JOIN orders o ON o.store_id = l.store_id AND o.id = l.order_id WHERE o.deleted_at IS NULL`)
	refunds := map[string]string{}
	for _, r := range truth.Refunds {
		refunds[r.OrderID+"/"+r.ID] = r.Amount.StringFixed(4)
	}
	expect("refunds", refunds, `SELECT r.order_id || '/' || r.id, round(r.amount, 4) FROM refunds r JOIN orders o ON o.store_id = r.store_id AND o.id = r.order_id WHERE o.deleted_at IS NULL`)
	customers := map[string]string{}
	for _, c := range truth.Customers {
		customers[c.ID] = c.Email + "|" + c.Role
	}
	expect("customers", customers, `SELECT id, email, role FROM customers WHERE deleted_at IS NULL`)
	products := map[string]string{}
	for _, p := range truth.Products {
		products[p.ID] = p.SKU + "|" + p.ParentID
	}
	expect("products", products, `SELECT id, sku, parent_id FROM products WHERE deleted_at IS NULL`)
	reviews := map[string]string{}
	for _, r := range truth.Reviews {
		reviews[r.ID] = r.Status + "|" + strconv.Itoa(r.Rating) + "|" + r.Email
	}
	expect("reviews", reviews, `SELECT id, status, rating, email FROM reviews WHERE deleted_at IS NULL`)
	coupons := map[string]string{}
	for _, c := range truth.Coupons {
		coupons[c.ID] = c.Code
	}
	expect("coupons", coupons, `SELECT id, code FROM coupons WHERE deleted_at IS NULL`)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

func stampSQL(column string) string {
	return `to_char(` + column + ` AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')`
}

// checkMoney is I8: what each person brought, as of the day of the last analysis, equals the shop's own truth.
func (w *world) checkMoney() {
	w.t.Helper()
	asOf := w.startOfToday()
	truth := upTo(w.shop.Oracle(simulator.Policy{}), asOf)
	got := map[string]string{}
	for _, row := range w.query(`
		SELECT COALESCE('account ' || p.customer_id, 'guest ' || p.email), a.orders, round(a.gross, 4), round(a.net, 4)
		FROM person_stats a JOIN persons p ON p.store_id = a.store_id AND p.person_id = a.person_id
		WHERE a.orders > 0 OR a.gross <> 0 OR a.net <> 0`) {
		key, rest, _ := strings.Cut(row, "|")
		got[key] = rest
	}
	if diff := cmp.Diff(truth, got); diff != "" {
		w.t.Fatalf("I8: money by person as of %s (-shop +database):\n%s", asOf.Format(time.DateOnly), diff)
	}
}

func (w *world) startOfToday() time.Time {
	local := w.shop.Now().In(w.shop.Location())
	return time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, w.shop.Location())
}

// upTo counts what the oracle knows as of a moment, person by person, by the rules of the house.
func upTo(truth simulator.Oracle, asOf time.Time) map[string]string {
	type sum struct {
		orders     int
		gross, net decimal.Decimal
	}
	accounts := map[string]string{}
	for _, c := range truth.Customers {
		if c.Email != "" {
			accounts[c.Email] = c.ID
		}
	}
	back := map[string]decimal.Decimal{}
	for _, r := range truth.Refunds {
		if r.At.Before(asOf) {
			back[r.OrderID] = back[r.OrderID].Add(simulator.NetOf(r))
		}
	}
	sums := map[string]*sum{}
	for _, o := range truth.Orders {
		key := personOf(o, accounts)
		counts := (o.Status == simulator.Processing || o.Status == simulator.Completed) && o.Currency == "USD"
		if key == "" || !counts || !o.PlacedAt.Before(asOf) {
			continue
		}
		if sums[key] == nil {
			sums[key] = &sum{}
		}
		gross := o.Net()
		net := gross.Sub(back[o.ID])
		sums[key].gross, sums[key].net = sums[key].gross.Add(gross), sums[key].net.Add(net)
		if !gross.IsPositive() || net.IsPositive() {
			sums[key].orders++
		}
	}
	texts := map[string]string{}
	for key, s := range sums {
		if s.orders > 0 || !s.gross.IsZero() || !s.net.IsZero() {
			texts[key] = fmt.Sprintf("%d|%s|%s", s.orders, s.gross.StringFixed(4), s.net.StringFixed(4))
		}
	}
	return texts
}

func personOf(o commerce.Order, accounts map[string]string) string {
	switch {
	case o.CustomerID != "":
		return "account " + o.CustomerID
	case o.Email == "":
		return ""
	case accounts[o.Email] != "":
		return "account " + accounts[o.Email]
	default:
		return "guest " + o.Email
	}
}

// checkRemote is I4: what stands remotely under our prefix is what the memberships say.
func (w *world) checkRemote() {
	w.t.Helper()
	byAccount, byEmail := map[string]string{}, map[string]string{}
	for _, row := range w.query(`
		SELECT COALESCE(p.customer_id, ''), COALESCE(p.email, ''), r.segment, CAST(r.r AS text) || r.f || r.m
		FROM rfm_scores r JOIN persons p ON p.store_id = r.store_id AND p.person_id = r.person_id`) {
		fields := strings.Split(row, "|")
		byAccount[fields[0]] = fields[2] + " " + fields[3]
		byEmail[fields[1]] = fields[2] + " " + fields[3]
	}
	for _, c := range w.shop.Customers() {
		meta := map[string]string{}
		for _, m := range c.Meta {
			var value string
			if strings.HasPrefix(m.Key, "perennial_") && json.Unmarshal(m.Value, &value) == nil {
				meta[m.Key] = value
			}
		}
		want := byAccount[strconv.FormatInt(c.ID, 10)]
		got := strings.TrimSpace(meta["perennial_segment"] + " " + meta["perennial_rfm"])
		require.Equal(w.t, want, got, "I4: tags of account %d", c.ID)
		require.Equal(w.t, meta["perennial_segment"], meta["perennial_tags"], "I4: tags of account %d", c.ID)
	}
	ours := w.ourLists()
	suppressed := w.suppressed()
	for _, p := range w.mail.People() {
		want := ""
		if w.mayMail(p, ours) && !suppressed[p.Email] {
			want = byEmail[p.Email]
		}
		segment, _, _ := strings.Cut(want, " ")
		var lists []string
		for id, status := range p.Lists {
			if key, own := ours[id]; own && status != "unsubscribed" {
				lists = append(lists, key)
			}
		}
		if segment == "" {
			require.Empty(w.t, lists, "I4: %s is in audiences of ours", p.Email)
			continue
		}
		require.Equal(w.t, []string{segment}, lists, "I4: audiences of %s", p.Email)
		attributes, _ := p.Attribs["perennial"].(map[string]any)
		require.Equal(w.t, want, fmt.Sprint(attributes["segment"], " ", attributes["rfm"]), "I4: attributes of %s", p.Email)
	}
}

// suppressed are the addresses of people who unsubscribed from any of ours, now or earlier.
func (w *world) suppressed() map[string]bool {
	list := map[string]bool{}
	for _, email := range w.query(`SELECT p.email FROM suppressions s JOIN persons p ON p.store_id = s.store_id AND p.person_id = s.person_id WHERE p.email IS NOT NULL`) {
		list[email] = true
	}
	return list
}

// mayMail reports whether the platform itself says that a person wants mail: enabled, a living subscription on a list that
// is not ours, and not unsubscribed from any that is.
func (w *world) mayMail(p listmonktest.Person, ours map[int]string) bool {
	optin := map[int]string{}
	for _, list := range w.mail.Lists() {
		optin[list.ID] = list.Optin
	}
	living := false
	for id, status := range p.Lists {
		if _, own := ours[id]; own {
			if status == "unsubscribed" {
				return false
			}
			continue
		}
		living = living || status == "confirmed" || status == "unconfirmed" && optin[id] == "single"
	}
	return living && p.Status == "enabled"
}

// checkQuiet is I3: another sync, analysis and push over the unchanged shop change no data and write nothing remotely.
func (w *world) checkQuiet() {
	w.t.Helper()
	before := w.digest()
	w.woo.ForgetRequests()
	asked := len(w.mail.Requests())
	w.must("sync", "--quiet")
	w.must("analyze", "--quiet")
	w.must("push", "--quiet")
	for _, r := range w.woo.Requests() {
		require.False(w.t, r.Write, "I3: %s %s wrote to an unchanged shop", r.Method, r.Path)
	}
	for _, r := range w.mail.Requests()[asked:] {
		require.False(w.t, r.Write, "I3: %s %s wrote to an unchanged platform", r.Method, r.Path)
	}
	require.Equal(w.t, before, w.digest(), "I3: a second run changed data")
}

// digest sums up every table but those that tell about runs themselves.
func (w *world) digest() map[string]string {
	w.t.Helper()
	skip := []string{"runs", "leases", "fences", "nightlies", "cursors", "pushes", "sweep_seen", "goose_db_version"}
	sums := map[string]string{}
	for _, table := range w.query(`SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`) {
		if !slices.Contains(skip, table) {
			sums[table] = w.query(`SELECT count(*), COALESCE(sum(hashtextextended(CAST(t AS text), 0)), 0) FROM ` + table + ` t`)[0]
		}
	}
	require.Greater(w.t, len(sums), 15)
	return sums
}

// checkOutput is I9: no secret in anything that was ever printed, nor in the database.
func (w *world) checkOutput() {
	w.t.Helper()
	for _, canary := range []string{canaryKey, canarySecret, canaryToken} {
		require.NotContains(w.t, w.output.String(), canary, "I9: a secret was printed")
	}
}

// contains reports which tables hold a text anywhere.
func (w *world) contains(t *testing.T, text string) []string {
	t.Helper()
	var found []string
	for _, table := range w.query(`SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`) {
		if w.query(`SELECT count(*) FROM `+table+` t WHERE position($1 IN lower(CAST(t AS text))) > 0`, strings.ToLower(text))[0] != "0" {
			found = append(found, table)
		}
	}
	return found
}
