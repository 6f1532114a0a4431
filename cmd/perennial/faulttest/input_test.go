package faulttest

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// refuses runs a command that has to end with a code, and with words on standard error. A message for people has a remedy.
func (w *world) refuses(code int, words []string, args ...string) {
	w.t.Helper()
	out, errs, got := w.run(args...)
	require.Equal(w.t, code, got, "perennial %s\n%s%s", strings.Join(args, " "), out, errs)
	for _, word := range words {
		require.Contains(w.t, errs, word)
	}
}

// TestFaultyShop gives the shop a fault that lasts through a sync. What was read before is kept, nothing is half-written,
// and once the shop is mended the same command brings everything.
func TestFaultyShop(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault woocommercetest.Fault
		code  int
		words []string
	}{
		{"key unknown", woocommercetest.Fault{Kind: woocommercetest.BadKey}, 3, []string{"401", "consumer_key", "what to do"}},
		{"key revoked in the middle", woocommercetest.Fault{Kind: woocommercetest.BadKey, Path: "/orders", Skip: 2}, 3, []string{"401", "consumer_key", "what to do"}},
		{"a captcha instead of the shop", woocommercetest.Fault{Kind: woocommercetest.Captcha200, Path: "/orders"}, 4, []string{"text/html", "what to do"}},
		{"a captcha with status 202", woocommercetest.Fault{Kind: woocommercetest.Captcha202, Path: "/orders"}, 4, []string{"what to do"}},
		{"a firewall", woocommercetest.Fault{Kind: woocommercetest.Forbidden, Path: "/orders"}, 4, []string{"403", "firewall", "what to do"}},
		{"JSON cut off", woocommercetest.Fault{Kind: woocommercetest.Broken, Path: "/orders"}, 4, []string{"what to do"}},
		{"JSON labelled as text", woocommercetest.Fault{Kind: woocommercetest.PlainText, Path: "/orders"}, 4, []string{"text/plain", "what to do"}},
		{"maintenance", woocommercetest.Fault{Kind: woocommercetest.Maintenance, Path: "/orders", Skip: 1}, 4, []string{"503", "goes on at", "what to do"}},
		{"a crowd", woocommercetest.Fault{Kind: woocommercetest.TooManyRequests, RetryAfter: "900", Path: "/orders"}, 4, []string{"429", "goes on at", "what to do"}},
		{"lists within lists", woocommercetest.Fault{Kind: woocommercetest.Deep, Path: "/orders"}, 4, []string{"what to do"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 60, 41)
			tt.fault.Times = woocommercetest.Forever
			w.woo.Fault(tt.fault)
			w.refuses(tt.code, tt.words, "sync", "--quiet")
			w.checkAlways()
			require.Empty(t, w.query(`SELECT id FROM orders WHERE NOT complete`), "half-written")
			require.Contains(t, flat(w.must("status")), "first load is under way")
			w.woo.Mend()
			w.night()
			w.CheckInvariants()
		})
	}
}

// flat is a text without its line breaks, which depend on the width of the terminal.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

// TestNoisyShop has answers that can be read all the same, with a word to the owner where something is to be mended.
func TestNoisyShop(t *testing.T) {
	t.Parallel()
	for _, kind := range []woocommercetest.FaultKind{woocommercetest.BOM, woocommercetest.PHPNotice} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 40, 42)
			w.woo.Fault(woocommercetest.Fault{Kind: kind, Path: "/orders", Times: woocommercetest.Forever})
			w.must("sync")
			w.woo.Mend()
			w.night()
			w.CheckInvariants()
		})
	}
}

// TestDeferredNight has a shop under maintenance: the night is put off until the time that it names, once.
func TestDeferredNight(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 40, 43)
	w.woo.Fault(woocommercetest.Fault{Kind: woocommercetest.Maintenance, Path: "/orders", Skip: 1, Times: woocommercetest.Forever})
	w.refuses(4, []string{"503"}, "run", "--once")
	require.Contains(t, w.query(`SELECT state FROM runs`), "deferred")
	w.woo.Mend()
	w.must("run", "--once", "--quiet")
	require.Empty(t, w.query(`SELECT run_id FROM runs WHERE kind = 'push'`), "nothing runs before the time that the shop named")
	w.shop.Wait(11 * time.Minute)
	w.before = w.remember()
	w.night()
	w.CheckInvariants()
}

// TestWrongSecret has a right key with the secret of another.
func TestWrongSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10, 44)
	w.env = []string{"FAULTTEST_SECRET=cs_canaryW0000000000000000000000000000wr0ng"}
	w.refuses(3, []string{"401", "consumer_secret", "what to do"}, "sync")
	_, _, code := w.run("check")
	require.Equal(t, 3, code)
	require.NotContains(t, w.output.String(), "wr0ng")
}

// TestSwappedKeys has the two halves of the key in each other's place; that is found without network.
func TestSwappedKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10, 44)
	w.env = []string{"FAULTTEST_KEY=" + canarySecret, "FAULTTEST_SECRET=" + canaryKey}
	w.refuses(2, []string{"swapped", "what to do"}, "sync")
	require.Empty(t, w.woo.Requests())
}

// TestBasicOverHTTP asks for a way of signing in that plain http does not allow.
func TestBasicOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10, 44)
	w.rewrite(`consumer_key_env`, "allow_query_auth = true\nconsumer_key_env")
	w.refuses(2, []string{"allow_query_auth", "https://", "what to do"}, "sync")
	require.Empty(t, w.woo.Requests())
}

// rewrite replaces one text of the configuration.
func (w *world) rewrite(old, with string) {
	w.t.Helper()
	text, err := os.ReadFile(w.config())
	require.NoError(w.t, err)
	require.Contains(w.t, string(text), old)
	require.NoError(w.t, os.WriteFile(w.config(), []byte(strings.Replace(string(text), old, with, 1)), 0o600))
}

// TestReadOnlyKey has a key that may only read while tags are wanted: the shop is read, lists are pushed, and the push of
// tags is refused in words.
func TestReadOnlyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 45)
	w.woo.Grant(woocommercetest.Key{ConsumerKey: canaryKey, ConsumerSecret: canarySecret, Permissions: "read"})
	w.must("sync", "--quiet")
	w.must("analyze", "--quiet")
	w.refuses(3, []string{"push to shop", "Read/Write", "what to do"}, "push")
	require.NotEmpty(t, w.query(`SELECT person_id FROM deliveries WHERE destination = 'listmonk' AND state = 'delivered'`), "the other destination goes on")
	out, _, code := w.run("check")
	require.NotZero(t, code)
	require.Contains(t, out, "Read/Write")
	w.woo.Grant(woocommercetest.Key{ConsumerKey: canaryKey, ConsumerSecret: canarySecret, Permissions: "read_write"})
	w.night()
	w.CheckInvariants()
}

// TestRevokedDuringPush has the platform's token revoked once the push is under way.
func TestRevokedDuringPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 46)
	w.must("sync", "--quiet")
	w.must("analyze", "--quiet")
	w.gate.arm(40, answered, func() { w.mail.Revoke() })
	w.refuses(3, []string{"listmonk", "what to do"}, "push", "--to", "listmonk")
	w.gate.disarm()
	w.checkAlways()
	believed := w.believed("listmonk")
	for _, p := range w.mail.People() {
		require.True(t, believed[p.Email] == "" || len(p.Lists) > 1, "%s is believed to be in an audience", p.Email)
	}
}

// TestRedirectElsewhere has a shop that sends us to another host, which must not see a credential.
func TestRedirectElsewhere(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	thief := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprint(r.Method, " ", r.URL, " ", r.Header))
	}))
	w := newWorld(t, 10, 47)
	w.woo.Fault(woocommercetest.Fault{Kind: woocommercetest.Redirect, Location: thief + "/elsewhere", Path: "wc/v3", Times: woocommercetest.Forever})
	w.refuses(2, []string{"redirect", strings.TrimPrefix(thief, "http://"), "what to do"}, "sync")
	mu.Lock()
	defer mu.Unlock()
	for _, request := range seen {
		require.NotContains(t, request, "oauth")
		require.NotContains(t, request, "canary")
		require.NotContains(t, request, "Authorization")
	}
}

// TestOddOrders has orders that are odd and can be read, and orders that cannot: those go to quarantine, are listed, and
// heal once the shop is mended.
func TestOddOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 48)
	unknown := w.shop.PlaceOrder(simulator.OrderDraft{Email: "one@mail.example", Status: "awaiting-label"})
	foreign := w.shop.PlaceOrder(simulator.OrderDraft{Email: "two@mail.example", Currency: "CHF"})
	nobody := w.shop.PlaceOrder(simulator.OrderDraft{})
	spaced := w.shop.PlaceOrder(simulator.OrderDraft{Email: "  Three.Spaced@Mail.Example "})
	negative := w.shop.PlaceOrder(simulator.OrderDraft{Email: "four@mail.example", Fee: -500})
	bad := map[string][2]string{
		"total":            {`"abc"`, "total"},
		"date_created_gmt": {`"0000-00-00T00:00:00"`, "date"},
		"currency":         {`""`, "currency"},
		"line_items":       {`"none"`, "line"},
	}
	broken := map[string]int64{}
	for field := range bad {
		broken[field] = w.shop.PlaceOrder(simulator.OrderDraft{Email: "five@mail.example"})
	}
	nul := w.shop.PlaceOrder(simulator.OrderDraft{Email: "six@mail.example", Status: simulator.Failed, Billing: simulator.Address{FirstName: "Six"}})
	w.shop.Advance(1)
	for field, id := range broken {
		w.woo.Alter(id, field, bad[field][0])
	}
	w.woo.Alter(broken["date_created_gmt"], "date_created", `"0000-00-00T00:00:00"`)
	w.odd = []string{fmt.Sprint(nul)}
	w.woo.Alter(nul, "billing", `{"first_name":"S\u0000ix","email":"six@mail.example"}`)
	w.before = w.remember()
	w.night()
	w.CheckInvariants()

	row := func(id int64, columns string) string {
		t.Helper()
		rows := w.query(fmt.Sprintf(`SELECT %s FROM orders WHERE id = '%d'`, columns, id))
		require.Len(t, rows, 1)
		return rows[0]
	}
	require.Equal(t, "awaiting-label|false", row(unknown, "status, counted"))
	require.Equal(t, "CHF|false", row(foreign, "currency, counted"))
	require.Equal(t, "|", row(nobody, "email, person_id"))
	require.Equal(t, "three.spaced@mail.example", row(spaced, "email"))
	require.Equal(t, "Six", row(nul, "first_name"))
	require.Equal(t, "5.0000|0.0000", row(negative, "round(discount, 4), round(fees, 4)"))
	status := flat(w.must("status"))
	require.Contains(t, status, "awaiting-label")
	require.Contains(t, status, "CHF")
	for field, id := range broken {
		reasons := w.query(`SELECT reason FROM quarantine WHERE resource = 'orders' AND id = $1`, fmt.Sprint(id))
		require.Len(t, reasons, 1, "%s: not in quarantine", field)
		require.Contains(t, strings.ToLower(reasons[0]), bad[field][1])
		require.Contains(t, status, fmt.Sprint(id), "status lists what is in quarantine")
		require.Empty(t, w.query(`SELECT id FROM orders WHERE id = $1`, fmt.Sprint(id)))
	}

	w.woo.Mend()
	w.odd = nil
	w.must("sync", "--sweep", "--quiet")
	w.must("analyze", "--quiet")
	w.must("push", "--quiet")
	require.Empty(t, w.query(`SELECT * FROM quarantine`), "the sweep heals the quarantine")
	w.CheckInvariants()
}

// TestAbsurdDates has orders of other centuries: they are kept, and what comes later is still found.
func TestAbsurdDates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 40, 51)
	ahead := w.shop.PlaceOrder(simulator.OrderDraft{Email: "ahead@mail.example", Status: simulator.Failed})
	late := w.shop.PlaceOrder(simulator.OrderDraft{Email: "late@mail.example", Status: simulator.Failed})
	old := w.shop.PlaceOrder(simulator.OrderDraft{Email: "old@mail.example", Status: simulator.Failed})
	for id, dates := range map[int64][2]string{ahead: {"date_modified", "2999-01-01T00:00:00"}, late: {"date_created", "2999-01-01T00:00:00"}, old: {"date_created", "1901-01-01T00:00:00"}} {
		w.woo.Alter(id, dates[0], fmt.Sprintf("%q", dates[1]))
		w.woo.Alter(id, dates[0]+"_gmt", fmt.Sprintf("%q", dates[1]))
		w.odd = append(w.odd, fmt.Sprint(id))
	}
	w.before = w.remember()
	w.night()
	w.CheckInvariants()
	for day := range 2 {
		w.shop.Advance(1)
		w.shop.PlaceOrder(simulator.OrderDraft{Email: "after@mail.example"})
		w.shop.SetStatus(w.shop.Orders()[day].ID, simulator.Cancelled)
		w.before = w.remember()
		w.night()
		w.CheckInvariants()
	}
	for _, id := range []int64{ahead, late, old} {
		stored := len(w.query(`SELECT id FROM orders WHERE id = $1 UNION SELECT id FROM quarantine WHERE id = $1 AND reason <> ''`, fmt.Sprint(id)))
		require.Equal(t, 1, stored, "order %d is neither stored nor set aside", id)
	}
}

// TestTooManyUnreadable has a shop of which a large part cannot be read: the run says so and fails, and what can be read is
// stored.
func TestTooManyUnreadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 49)
	orders := w.shop.Orders()
	for _, o := range orders[:30] {
		w.woo.Alter(o.ID, "total", `"abc"`)
	}
	w.refuses(8, []string{"30", "what to do"}, "sync")
	require.Equal(t, "30", w.query(`SELECT count(*) FROM quarantine`)[0])
	require.Equal(t, fmt.Sprint(len(orders)-30), w.query(`SELECT count(*) FROM orders`)[0])
}

// TestMalformedConfiguration names the place and the remedy, and touches neither shop nor database.
func TestMalformedConfiguration(t *testing.T) {
	t.Parallel()
	second := "\n[[stores]]\nname = \"Alder\"\nkind = \"csvfile\"\n"
	tests := []struct {
		name, old, with string
		words           []string
	}{
		{"unknown key", "consent =", "consnet =", []string{"consnet", "stores[0]"}},
		{"unknown setting of the connector", "consumer_key_env", "colour = \"red\"\nconsumer_key_env", []string{"colour"}},
		{"wrong type", "tags = true", "tags = \"maybe\"", []string{"stores[0].tags"}},
		{"wrong type of a setting", "consumer_key_env", "page_size = \"many\"\nconsumer_key_env", []string{"page_size"}},
		{"same name twice", "\n[stores.settings]", second + "\n[stores.settings]", []string{"stores[1].name", "Alder", "taken"}},
		{"keys that differ only in case", "tags = true", "tags = true\nTags = false", []string{"ags"}},
		{"key twice", "tags = true", "tags = true\ntags = true", []string{"already"}},
		{"a day that never comes", "tags = true", "tags = true\nschedule = \"0 0 30 2 *\"", []string{"stores[0].schedule", "never comes"}},
		{"a spec that breaks the parser", "tags = true", "tags = true\nschedule = \"TZ=0\"", []string{"stores[0].schedule", "five fields"}},
		{"another that does", "tags = true", "tags = true\nschedule = \"CRON_TZ=UTC\"", []string{"stores[0].schedule", "five fields"}},
		{"no such kind", `kind = "woocommerce"`, `kind = "woocomerce"`, []string{"woocomerce", "known kinds"}},
		{"no such variable", "FAULTTEST_KEY", "FAULTTEST_NOTHING", []string{"FAULTTEST_NOTHING"}},
		{"not TOML", "[health]", "[health", []string{"not valid TOML"}},
		{"no such audience", `["rfm",`, `["champs",`, []string{"champs", "champions"}},
		{"no such field", "orders <= 2", "oders <= 2", []string{"promising_few", "line 1, column 1", "did you mean orders"}},
		{"empty address", "url_env", "data_dir = \"here\"\nurl_env", []string{"data_dir"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, -1, 50)
			w.rewrite(tt.old, tt.with)
			command := []string{"sync"}
			if tt.name == "no such audience" {
				command = []string{"push"}
			}
			w.refuses(2, tt.words, command...)
			_, errs, _ := w.run(command...)
			require.True(t, strings.Contains(errs, "what to do") || strings.Contains(errs, "; "), "no remedy: %s", errs)
			require.Empty(t, w.woo.Requests())
			require.Empty(t, w.query(`SELECT store_id FROM orders`))
			w.report(func() (f findings) { w.noSecret(&f); return f }())
		})
	}
}
