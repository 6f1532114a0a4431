package faulttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
)

// foreign is everything remote that is not ours.
type foreign struct {
	Accounts    map[int64]string             // WooCommerce account without our meta
	Orders      map[int64]string             // modification times: nobody writes to orders
	Products    map[int64]string             // the same
	Reviews     map[int64]string             // the same
	Things      map[string]string            // whatever else the shop has that a program may make, by name
	Subscribers map[string]string            // status and foreign attributes by address
	Lists       map[string]map[string]string // foreign list -> address -> status
}

// foreign takes down everything remote that is not ours.
func (w *world) foreign() foreign {
	f := foreign{
		Accounts: map[int64]string{}, Orders: map[int64]string{}, Products: map[int64]string{}, Reviews: map[int64]string{},
		Things:      map[string]string{},
		Subscribers: map[string]string{}, Lists: map[string]map[string]string{},
	}
	for _, c := range w.shop.Customers() {
		f.Accounts[c.ID] = fmt.Sprint(c.Email, c.FirstName, c.LastName, c.Role, c.Billing, w.store.foreign(c))
	}
	for name, what := range w.store.things() {
		f.Things[name] = what
	}
	for _, o := range w.shop.Orders() {
		f.Orders[o.ID] = fmt.Sprint(o.Status, o.ModifiedAt.Unix())
	}
	for _, p := range w.shop.Products() {
		f.Products[p.ID] = fmt.Sprint(p.Name, p.ModifiedAt.Unix())
	}
	for _, r := range w.shop.Reviews() {
		f.Reviews[r.ID] = fmt.Sprint(r.Status, r.Rating, r.Body)
	}
	names := map[int]string{}
	for _, list := range w.mail.Lists() {
		names[list.ID] = fmt.Sprintf("%d %s %s %s %v", list.ID, list.Name, list.Type, list.Optin, list.Tags)
		if !isOurs(list) {
			f.Lists[names[list.ID]] = map[string]string{}
		}
	}
	for _, p := range w.mail.People() {
		attributes := maps.Clone(p.Attribs)
		delete(attributes, "perennial")
		text, err := json.Marshal(attributes)
		require.NoError(w.t, err)
		f.Subscribers[p.Email] = p.Name + " " + p.Status + " " + string(text)
		for id, status := range p.Lists {
			if list := f.Lists[names[id]]; list != nil {
				list[p.Email] = status
			}
		}
	}
	return f
}

func isOurs(list listmonktest.Mailing) bool { return slices.Contains(list.Tags, "perennial") }

// ourLists are the lists that carry our mark, by id, with the key of their audience.
func (w *world) ourLists() map[int]string {
	keys := map[string]string{}
	for _, row := range w.query(`SELECT remote_id, key FROM audiences WHERE destination = 'listmonk'`) {
		id, key, _ := strings.Cut(row, "|")
		keys[id] = key
	}
	ours := map[int]string{}
	for _, list := range w.mail.Lists() {
		if isOurs(list) {
			ours[list.ID] = keys[strconv.Itoa(list.ID)]
		}
	}
	return ours
}

// subscriptions are those on our lists, and the people whom a campaign to them would reach.
func (w *world) subscriptions() (status map[string]string, mailed map[string]bool) {
	status, mailed = map[string]string{}, map[string]bool{}
	ours := map[int]bool{}
	for _, list := range w.mail.Lists() {
		if isOurs(list) {
			ours[list.ID] = true
		}
	}
	for _, p := range w.mail.People() {
		for id, s := range p.Lists {
			if ours[id] {
				status[fmt.Sprint(id, " ", p.Email)] = s
			}
		}
	}
	for _, email := range w.mail.Mailed(slices.Collect(maps.Keys(ours))...) {
		mailed[email] = true
	}
	return status, mailed
}

// consentKept is I6 at every moment: who unsubscribed stays so, nobody is asked to confirm, and whoever comes to be mailed
// by us wants mail.
func (w *world) consentKept(f *findings, now *memory) {
	for subscription, status := range w.before.ours {
		if is, there := now.ours[subscription]; status == "unsubscribed" && is != status && there {
			f.add("I6: the subscription %s went from unsubscribed to %s", subscription, is)
		}
	}
	if now.optin != w.before.optin {
		f.add("I6: %d people were asked to confirm a subscription", now.optin-w.before.optin)
	}
	ours, suppressed := w.ourLists(), w.suppressed()
	for _, p := range w.mail.People() {
		if now.mailed[p.Email] && !w.before.mailed[p.Email] && (!w.mayMail(p, ours) || suppressed[p.Email]) {
			f.add("I6: %s is mailed by us and never agreed", p.Email)
		}
	}
}

// consent is I6 after a run that ended well: our lists reach nobody who does not want mail.
func (w *world) consent(f *findings) {
	ours, suppressed := w.ourLists(), w.suppressed()
	_, mailed := w.subscriptions()
	for _, p := range w.mail.People() {
		if mailed[p.Email] && (!w.mayMail(p, ours) || suppressed[p.Email]) {
			f.add("I6: %s is still mailed by us and does not want it", p.Email)
		}
	}
}

// suppressed are the addresses of people who unsubscribed from any of ours, now or earlier, or in the shop.
func (w *world) suppressed() map[string]bool {
	list := map[string]bool{}
	for _, c := range w.store.oracle().Customers {
		if c.Consent.State == commerce.ConsentUnsubscribed {
			list[c.Email] = true
		}
	}
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

// desired is what shall stand remotely for somebody.
type desired struct {
	tags, lists []string // keys of audiences
	attributes  map[string]string
	ordered     bool
}

// shownKeys are the attributes, but for the name of the segment, in the order in which desires asks for them.
var shownKeys = []string{
	"segment", "rfm", "since", "lifecycle", "value_tier", "churn_risk", "predicted_value", "next_order_week", "r", "f", "m",
	"previous_segment", "last_order", "favourite_category",
}

// desires are what memberships and standings say, by account and by address.
func (w *world) desires() (byAccount, byEmail map[string]*desired) {
	byAccount, byEmail = map[string]*desired{}, map[string]*desired{}
	people := map[string]*desired{}
	for _, row := range w.query(`
		SELECT p.person_id, COALESCE(p.customer_id, ''), COALESCE(p.email, ''), COALESCE(r.segment, ''), COALESCE(CAST(r.r AS text) || r.f || r.m, ''),
			COALESCE(CAST(r.since AS text), ''), COALESCE(t.stage, ''), COALESCE(t.tier, ''), COALESCE(t.churn, ''),
			COALESCE(CAST(round(t.value, 2) AS text), ''), COALESCE(CAST(t.next_week AS text), ''),
			COALESCE(CAST(r.r AS text), ''), COALESCE(CAST(r.f AS text), ''), COALESCE(CAST(r.m AS text), ''),
			COALESCE((SELECT m.segment FROM memberships m WHERE m.store_id = p.store_id AND m.scheme = 'rfm' AND m.person_id = p.person_id
				AND m.segment <> r.segment ORDER BY m.first_day DESC LIMIT 1), ''),
			COALESCE(CAST(a.last_day AS text), ''), COALESCE(a.favourite, '')
		FROM persons p LEFT JOIN person_stats a USING (store_id, person_id) LEFT JOIN rfm_scores r USING (store_id, person_id) LEFT JOIN standings t USING (store_id, person_id)`) {
		fields := strings.Split(row, "|")
		d := &desired{attributes: map[string]string{}, ordered: fields[3] != ""}
		for i, key := range shownKeys {
			if fields[3+i] != "" {
				d.attributes[key] = fields[3+i]
			}
		}
		if len(d.attributes) > 0 { // else a guest whose orders went over to an account
			people[fields[0]], byAccount[fields[1]], byEmail[fields[2]] = d, d, d
		}
	}
	for _, row := range w.query(`SELECT person_id, scheme, segment FROM memberships WHERE last_day IS NULL`) {
		fields := strings.Split(row, "|")
		d, scheme, key := people[fields[0]], fields[1], fields[2]
		if d == nil {
			continue
		}
		if scheme == "rfm" || strings.HasPrefix(scheme, "own:") {
			d.tags = append(d.tags, key)
		} else {
			key = scheme + "_" + key
		}
		d.lists = append(d.lists, key)
	}
	delete(byAccount, "")
	delete(byEmail, "")
	return byAccount, byEmail
}

// remote is I4: what stands remotely under our prefix is what the memberships say, and what we believe to have delivered.
func (w *world) remote(f *findings) {
	w.t.Helper()
	byAccount, byEmail := w.desires()
	w.remoteTags(f, byAccount)
	w.remoteLists(f, byEmail)
}

func (w *world) remoteTags(f *findings, wanted map[string]*desired) {
	believed := w.believed("shop")
	for _, c := range w.shop.Customers() {
		id := strconv.FormatInt(c.ID, 10)
		meta := w.store.ours(c)
		want := map[string]string{}
		if d := wanted[id]; d != nil && (d.ordered || len(d.tags) > 0) {
			want = maps.Clone(d.attributes)
			if len(d.tags) > 0 {
				want["tags"] = keyList(d.tags)
			}
			if d.ordered {
				want["segment_name"] = meta["segment_name"]
				if meta["segment_name"] == "" {
					f.add("I4: account %s has no name of its segment", id)
				}
			}
		}
		f.differ("I4: tags of account "+id+" (-wanted +there)", want, meta)
		if believed[id] != meta["tags"] {
			f.add("I4: account %s is believed to be tagged %q and is tagged %q", id, believed[id], meta["tags"])
		}
	}
}

func (w *world) remoteLists(f *findings, byEmail map[string]*desired) {
	believed := w.believed("listmonk")
	ours, suppressed, unnoticed := w.ourLists(), w.suppressed(), w.unnoticed()
	for _, p := range w.mail.People() {
		if unnoticed[p.Email] {
			continue // consent looks at them
		}
		wanted := &desired{attributes: map[string]string{}}
		if d := byEmail[p.Email]; d != nil && len(d.lists) > 0 && w.mayMail(p, ours) && !suppressed[p.Email] {
			wanted = d
		}
		var lists []string
		for id, status := range p.Lists {
			if key, own := ours[id]; own && status != "unsubscribed" {
				lists = append(lists, key)
			}
		}
		if got, want := keyList(lists), keyList(wanted.lists); got != want || believed[p.Email] != got {
			f.add("I4: %s should be in audiences %q, is believed to be in %q and is in %q", p.Email, want, believed[p.Email], got)
		}
		attributes, _ := p.Attribs["perennial"].(map[string]any)
		for _, key := range shownKeys {
			if got, _ := attributes[key].(string); got != wanted.attributes[key] {
				f.add("I4: attribute %s of %s should be %q and is %q", key, p.Email, wanted.attributes[key], got)
			}
		}
	}
}

// keyList writes keys as they are stored.
func keyList(keys []string) string { return strings.Join(slices.Sorted(slices.Values(keys)), ",") }

// unnoticed are people who unsubscribed from one of our lists after we last looked. Nobody is mailed through that list any
// more; the weekly look takes away the rest.
func (w *world) unnoticed() map[string]bool {
	ours, suppressed, list := w.ourLists(), w.suppressed(), map[string]bool{}
	for _, p := range w.mail.People() {
		for id, status := range p.Lists {
			if _, own := ours[id]; own && status == "unsubscribed" && !suppressed[p.Email] {
				list[p.Email] = true
			}
		}
	}
	return list
}

// believed are the audiences that we believe to have delivered, by address at the destination.
func (w *world) believed(destination string) map[string]string {
	list := map[string]string{}
	for _, row := range w.query(`SELECT address, array_to_string(audiences, ',') FROM deliveries WHERE destination = $1 AND hash IS NOT NULL`, destination) {
		address, audiences, _ := strings.Cut(row, "|")
		list[address] = audiences
	}
	return list
}
