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

// remote is I4: what stands remotely under our prefix is what the memberships say, and what we believe to have delivered.
func (w *world) remote(f *findings) {
	w.t.Helper()
	byAccount, byEmail := map[string]map[string]string{}, map[string]map[string]string{}
	for _, row := range w.query(`
		SELECT COALESCE(p.customer_id, ''), COALESCE(p.email, ''), r.segment, CAST(r.r AS text) || r.f || r.m, CAST(r.since AS date)::text
		FROM rfm_scores r JOIN persons p ON p.store_id = r.store_id AND p.person_id = r.person_id`) {
		fields := strings.Split(row, "|")
		wanted := map[string]string{"segment": fields[2], "rfm": fields[3], "since": fields[4]}
		byAccount[fields[0]], byEmail[fields[1]] = wanted, wanted
	}
	delete(byAccount, "")
	delete(byEmail, "")
	w.remoteTags(f, byAccount)
	w.remoteLists(f, byEmail)
}

func (w *world) remoteTags(f *findings, wanted map[string]map[string]string) {
	believed := w.believed("shop")
	for _, c := range w.shop.Customers() {
		id := strconv.FormatInt(c.ID, 10)
		meta := w.store.ours(c)
		want := map[string]string{}
		if target := wanted[id]; target != nil {
			want = maps.Clone(target)
			want["tags"] = target["segment"]
			want["segment_name"] = meta["segment_name"]
			if meta["segment_name"] == "" {
				f.add("I4: account %s has no name of its segment", id)
			}
		}
		f.differ("I4: tags of account "+id+" (-wanted +there)", want, meta)
		if believed[id] != meta["tags"] {
			f.add("I4: account %s is believed to be tagged %q and is tagged %q", id, believed[id], meta["tags"])
		}
	}
}

func (w *world) remoteLists(f *findings, byEmail map[string]map[string]string) {
	believed := w.believed("listmonk")
	ours, suppressed, unnoticed := w.ourLists(), w.suppressed(), w.unnoticed()
	for _, p := range w.mail.People() {
		if unnoticed[p.Email] {
			continue // consent looks at them
		}
		var wanted map[string]string
		if w.mayMail(p, ours) && !suppressed[p.Email] {
			wanted = byEmail[p.Email]
		}
		var lists []string
		for id, status := range p.Lists {
			if key, own := ours[id]; own && status != "unsubscribed" {
				lists = append(lists, key)
			}
		}
		if got := strings.Join(lists, ","); got != wanted["segment"] || believed[p.Email] != got {
			f.add("I4: %s should be in audience %q, is believed to be in %q and is in %q", p.Email, wanted["segment"], believed[p.Email], got)
		}
		attributes, _ := p.Attribs["perennial"].(map[string]any)
		for _, key := range []string{"segment", "rfm", "since"} {
			if got := attributes[key]; wanted == nil && got != nil || wanted != nil && got != wanted[key] {
				f.add("I4: attribute %s of %s should be %q and is %v", key, p.Email, wanted[key], got)
			}
		}
	}
}

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
