package faulttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/webhook/webhooktest"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// mailroom is a world whose shop pushes to several platforms, and carries no tags of its own.
type mailroom struct {
	*world
	platforms []platform
	traps     map[string]*trap   // before each platform, by kind
	was       map[string]*pigeon // what stood at each platform when it was last looked at, by kind
	passing   bool               // news may have been told meanwhile of states that passed before a push ended well
}

// pigeon is what is known of one platform, to be compared later.
type pigeon struct {
	foreign map[string]string
	mailed  map[string]bool
	stands  map[string][]string // keys of audiences by address
	filled  bool                // a push there ended well
	news    int                 // heard so far
}

// everywhere are the kinds of all platforms.
var everywhere = []string{"klaviyo", "mailchimp", "brevo", "webhook"}

// newMailroom makes a WooCommerce shop that was read and analysed and has not pushed yet.
func newMailroom(t *testing.T, customers int, seed uint64, kinds ...string) *mailroom {
	t.Helper()
	m := openMailroom(newReadShop(t, customers, seed), kinds...)
	m.note()
	return m
}

// newReadShop makes a WooCommerce shop that was read and analysed.
func newReadShop(t *testing.T, customers int, seed uint64) *world {
	t.Helper()
	w := newPlace(t, simulator.Options{Seed: seed, Customers: customers})
	w.woo = woocommercetest.New(w.shop, woocommercetest.Options{Keys: []woocommercetest.Key{
		{ConsumerKey: canaryKey, ConsumerSecret: canarySecret, Permissions: "read_write"},
	}, Statuses: []string{"awaiting-label"}})
	w.open(wooFront{w.woo})
	w.must("sync", "--quiet")
	w.must("analyze", "--quiet")
	return w
}

// copied is the same world once more for another test, with a database of its own. Nothing may happen in the shop.
func (w *world) copied(t *testing.T) *world {
	t.Helper()
	c := &world{
		t: t, shop: w.shop, store: w.store, woo: w.woo, mail: w.mail, gate: &gate{}, shopURL: w.shopURL, mailURL: w.mailURL,
		tables: w.tables, dir: t.TempDir(), bin: w.bin, dbURL: postgrestest.CloneURL(t, w.dbURL),
	}
	c.db = postgrestest.SQL(t, c.dbURL)
	c.configure("")
	c.before = c.remember()
	return c
}

// openMailroom gives a world fresh accounts at platforms of some kinds, with the people of its shop who subscribed.
func openMailroom(w *world, kinds ...string) *mailroom {
	w.t.Helper()
	m := &mailroom{world: w, traps: map[string]*trap{}, was: map[string]*pigeon{}}
	destinations := ""
	for _, kind := range kinds {
		p := m.account(kind)
		kind = p.kind()
		m.platforms = append(m.platforms, p)
		m.traps[kind] = &trap{next: p}
		m.was[kind] = &pigeon{}
		w.env = append(w.env, p.env()...)
		destinations += fmt.Sprintf("\n[[stores.destinations]]\nname = %q\nkind = %q\naudiences = %s\nattributes = %s\n[stores.destinations.settings]\n%s",
			kind, kind, words(p.sets()), words(pushedKeys), p.settings(serve(w.t, w.gate.before(m.traps[kind]))))
	}
	text, err := os.ReadFile(w.config())
	require.NoError(w.t, err)
	before, _, found := strings.Cut(string(text), "\n[[stores.destinations]]")
	require.True(w.t, found)
	before = strings.Replace(before, "tags = true", "tags = false", 1)
	require.NoError(w.t, os.WriteFile(w.config(), []byte(before+destinations), 0o600))
	m.note()
	return m
}

// pushedKeys are the attributes that are pushed: of every kind a platform may know one.
var pushedKeys = []string{"segment", "rfm", "since", "predicted_value", "last_order"}

// words is a list as the configuration has it.
func words(list []string) string { return `["` + strings.Join(list, `", "`) + `"]` }

// account opens an account at a platform. Batches of Mailchimp are over when they are first asked for.
func (m *mailroom) account(kind string) platform {
	switch kind {
	case "klaviyo":
		return klaviyoFront{klaviyotest.New(m.shop, klaviyotest.Options{Key: canaryKlaviyo})}
	case "mailchimp":
		return mailchimpFront{mailchimptest.New(m.shop, mailchimptest.Options{Key: canaryMailchimp, Polls: -1})}
	case "brevo":
		return brevoFront{Server: brevotest.New(m.shop, brevotest.Options{APIKey: canaryBrevo, Rate: 60, Hourly: 1_000_000})}
	case "brevo by imports":
		return brevoFront{Server: brevotest.New(m.shop, brevotest.Options{APIKey: canaryBrevo, Rate: 60, Hourly: 1_000_000}), imports: true}
	default:
		return webhookFront{webhooktest.New(webhooktest.Options{Secret: canaryWebhook, AnyTime: true, Own: map[string]string{"owner@example.com": "by hand"}})}
	}
}

// note takes down what stands everywhere.
func (m *mailroom) note() {
	m.t.Helper()
	for _, p := range m.platforms {
		was := m.was[p.kind()]
		was.foreign, was.mailed = p.foreign(), p.mailed()
	}
	m.before = m.remember()
}

// keys are the keys of the audiences at a platform, by the platform's own ids.
func (m *mailroom) keys(p platform) map[string]string {
	m.t.Helper()
	keys := map[string]string{}
	for _, row := range m.query(`SELECT remote_id, key FROM audiences WHERE destination = $1`, p.kind()) {
		id, key, _ := strings.Cut(row, "|")
		keys[id] = key
	}
	return keys
}

// standing is who is in which audience of ours, by address, with keys in order.
func (m *mailroom) standing(p platform) map[string][]string {
	m.t.Helper()
	keys, all := m.keys(p), map[string][]string{}
	for email, s := range p.stands() {
		all[email] = []string{}
		for _, id := range s.audiences {
			key := keys[id]
			if key == "" {
				key = "(nobody knows " + id + ")"
			}
			all[email] = append(all[email], key)
		}
		slices.Sort(all[email])
	}
	return all
}

// anytime is what must hold in the middle of things too: what is not ours is as it was, which people's consent is part of;
// nobody comes to be mailed by us who does not want it; no secret is told.
func (m *mailroom) anytime(f *findings) {
	m.t.Helper()
	m.always(f)
	suppressed := m.suppressed()
	for _, p := range m.platforms {
		was, kind := m.was[p.kind()], p.kind()
		f.differ(kind+": what is not ours changed (-before +after)", was.foreign, p.foreign())
		for email := range p.mailed() {
			if !was.mailed[email] && (!p.willing(email) || suppressed[email]) {
				f.add("%s: %s is mailed by us and never agreed", kind, email)
			}
		}
		for _, secret := range p.secrets() {
			if strings.Contains(m.output.String(), secret) || len(m.contains(secret)) > 0 {
				f.add("%s: a secret was told", kind)
			}
		}
	}
}

// settled is what must hold after a push that ended well: what stands is what is desired and what we believe, everything of
// ours was made once, and everything that is news was told once.
func (m *mailroom) settled(f *findings) {
	m.t.Helper()
	_, wanted := m.desires()
	for _, p := range m.platforms {
		m.holds(f, p, wanted)
		names := p.made()
		slices.Sort(names)
		if once := slices.Compact(slices.Clone(names)); len(once) < len(names) {
			f.add("%s: something was made twice: %v", p.kind(), names)
		}
		m.told(f, p)
	}
	m.finished(f)
}

// holds compares what stands at a platform with what is desired, and with what the database believes.
func (m *mailroom) holds(f *findings, p platform, wanted map[string]*desired) {
	m.t.Helper()
	suppressed, believed := m.suppressed(), m.believedAt(p)
	stands, keyed := p.stands(), m.standing(p)
	people := maps.Clone(wanted)
	for email := range stands {
		if people[email] == nil {
			people[email] = &desired{}
		}
	}
	for email, d := range people {
		want, attributes := "", fields{}
		if lists, due := d.at(p); due && p.willing(email) && !suppressed[email] {
			want, attributes = keyList(lists), d.attributes
		}
		if got := strings.Join(keyed[email], ","); got != want || believed[email].audiences != want {
			f.add("%s: %s should be in %q, is believed to be in %q and is in %q", p.kind(), email, want, believed[email].audiences, got)
		}
		for _, key := range pushedKeys {
			if got := stands[email].attributes[key]; plainNumber(got) != plainNumber(attributes[key]) {
				f.add("%s: attribute %s of %s should be %q and is %q", p.kind(), key, email, attributes[key], got)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(union(stands[email].attributes, believed[email].attributes))) {
			if is, told := stands[email].attributes[key], believed[email].attributes[key]; plainNumber(is) != plainNumber(told) {
				f.add("%s: attribute %s of %s is believed to be %q and is %q", p.kind(), key, email, told, is)
			}
		}
	}
}

// at returns the keys of the audiences in which somebody shall be at a platform, and whether anything shall stand there.
func (d *desired) at(p platform) (keys []string, due bool) {
	keys = among(d.lists, p.sets())
	return keys, d.ordered || len(keys) > 0
}

func union(a, b fields) fields {
	all := maps.Clone(a)
	if all == nil {
		all = fields{}
	}
	maps.Copy(all, b)
	return all
}

// among are the keys that belong to some sets of audiences.
func among(keys, sets []string) []string {
	var all []string
	for _, key := range keys {
		set := "rfm"
		for _, prefix := range []string{"lifecycle", "tier", "churn"} {
			if strings.HasPrefix(key, prefix+"_") {
				set = prefix
			}
		}
		if key == "abroad" || key == "promising_few" {
			set = "own"
		}
		if slices.Contains(sets, set) || slices.Contains(sets, key) {
			all = append(all, key)
		}
	}
	return all
}

// belief is what the database believes to stand for somebody.
type belief struct {
	audiences  string
	attributes fields
}

func (m *mailroom) believedAt(p platform) map[string]belief {
	m.t.Helper()
	all := map[string]belief{}
	for _, row := range m.query(`SELECT address, array_to_string(audiences, ','), attributes::text FROM deliveries
		WHERE destination = $1 AND hash IS NOT NULL`, p.kind()) {
		parts := strings.SplitN(row, "|", 3)
		b := belief{audiences: keyList(strings.Split(parts[1], ",")), attributes: fields{}}
		require.NoError(m.t, json.Unmarshal([]byte(parts[2]), &b.attributes))
		all[parts[0]] = b
	}
	return all
}

// told holds the news that a platform heard against who entered and left what there, by what stands. A first fill is no news,
// and where people are mailed for news nobody is told of who does not want mail.
func (m *mailroom) told(f *findings, p platform) {
	m.t.Helper()
	was, now, heard := m.was[p.kind()], m.standing(p), p.news()
	ids := map[string]bool{}
	for _, n := range heard {
		if ids[n.id] {
			f.add("%s: the event %s was told twice", p.kind(), n.id)
		}
		ids[n.id] = true
	}
	if p.kind() == "mailchimp" || p.kind() == "brevo" {
		return
	}
	wanted, got := map[string]int{}, map[string]int{}
	if was.filled {
		for email := range union(keysOnly(was.stands), keysOnly(now)) {
			count(wanted, email, "entered", now[email], was.stands[email])
			if p.willing(email) {
				count(wanted, email, "left", was.stands[email], now[email])
			}
		}
	}
	for _, n := range heard[was.news:] {
		got[n.email+" "+n.way+" "+n.audience]++
	}
	if m.passing {
		for news := range got {
			wanted[news] = 1
		}
	}
	f.differ(p.kind()+": news (-due +told)", wanted, got)
}

func keysOnly(all map[string][]string) fields {
	keys := fields{}
	for key := range all {
		keys[key] = ""
	}
	return keys
}

// count adds those of one list that are not in another one.
func count(into map[string]int, email, way string, of, not []string) {
	for _, key := range of {
		if !slices.Contains(not, key) {
			into[email+" "+way+" "+key]++
		}
	}
}

// silent pushes once more, over the unchanged shop: nothing is written anywhere.
func (m *mailroom) silent(f *findings) {
	m.t.Helper()
	before := map[string]int{}
	for _, p := range m.platforms {
		before[p.kind()] = len(p.writes())
	}
	if _, errs, code := m.run("push", "--quiet"); code != 0 {
		f.add("a second push ended with code %d: %s", code, errs)
	}
	for _, p := range m.platforms {
		for _, written := range p.writes()[before[p.kind()]:] {
			f.add("%s: a second push wrote: %s", p.kind(), written)
		}
	}
}

// check holds everything that must hold after a push that ended well, and takes down what stands.
func (m *mailroom) check() {
	m.t.Helper()
	var f findings
	m.anytime(&f)
	m.settled(&f)
	m.silent(&f)
	m.report(f)
	for _, p := range m.platforms {
		was := m.was[p.kind()]
		was.stands, was.filled, was.news = m.standing(p), true, len(p.news())
	}
	m.note()
}

// checkMeanwhile holds what must hold in the middle of things.
func (m *mailroom) checkMeanwhile() {
	m.t.Helper()
	var f findings
	m.anytime(&f)
	m.report(f)
}

// push pushes to its end. Small audiences may empty: the owner says yes to each.
func (m *mailroom) push() {
	m.t.Helper()
	m.must(m.pushing()...)
}

// pushing is the command of a push that the guard does not hold.
func (m *mailroom) pushing() []string {
	args := []string{"push", "--quiet"}
	for _, key := range m.query(`SELECT DISTINCT key FROM audiences ORDER BY 1`) {
		args = append(args, "--confirm", key)
	}
	return args
}

// buys lets a customer buy something.
func (m *mailroom) buys(id int64, email string) {
	m.shop.PlaceOrder(simulator.OrderDraft{CustomerID: id, Email: email, Lines: []simulator.DraftLine{{Quantity: 1}}})
}
