package faulttest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestInvariantsBite spoils one thing at a time, and each time the invariant in question has to say so.
func TestInvariantsBite(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, complains string
		spoil           func(w *world)
	}{
		{"an order is lost", "I1: order", func(w *world) {
			w.exec(`DELETE FROM orders WHERE id = (SELECT min(id) FROM orders)`)
		}},
		{"an order loses a line", "I1: order", func(w *world) {
			w.exec(`DELETE FROM lines WHERE (order_id, id) = (SELECT order_id, id FROM lines ORDER BY order_id, id LIMIT 1)`)
		}},
		{"a line has no order", "I1: strays", func(w *world) {
			w.exec(`UPDATE lines SET order_id = '999999' WHERE (order_id, id) = (SELECT order_id, id FROM lines ORDER BY order_id, id LIMIT 1)`)
		}},
		{"a deleted order lives on", "I1: orders", func(w *world) {
			w.shop.ForceDeleteOrder(w.shop.Orders()[0].ID)
			w.before = w.remember()
		}},
		{"a review is old", "I1: reviews", func(w *world) {
			w.exec(`UPDATE reviews SET rating = 6 - rating WHERE id = (SELECT min(id) FROM reviews WHERE rating <> 3)`)
		}},
		{"a quarantine without a reason", "I1:", func(w *world) {
			w.exec(`INSERT INTO quarantine (store_id, resource, id, reason, raw, first_seen, last_seen) SELECT store_id, 'orders', 'x', '', '', now(), now() FROM stores`)
		}},
		{"a cursor goes back", "I2:", func(w *world) {
			w.exec(`UPDATE cursors SET ended_at = ended_at - interval '1 hour' WHERE resource = 'orders' AND mode = 'increment'`)
		}},
		{"a cursor runs ahead", "I2:", func(w *world) {
			w.shop.Advance(1)
			w.shop.SetStatus(w.shop.Orders()[0].ID, simulator.Cancelled)
			w.before = w.remember()
			w.exec(`UPDATE cursors SET started_at = started_at + interval '3 days', ended_at = ended_at + interval '3 days'`)
		}},
		{"a delivery is forgotten", "I3: ", func(w *world) {
			w.exec(`UPDATE deliveries SET hash = '\x00' WHERE (destination, person_id) = (SELECT destination, person_id FROM deliveries WHERE hash IS NOT NULL AND destination = 'shop' LIMIT 1)`)
		}},
		{"a delivery is stale", "I4: account", func(w *world) {
			w.exec(`UPDATE deliveries SET audiences = '{lost}' WHERE (destination, person_id) = (SELECT destination, person_id FROM deliveries
				WHERE hash IS NOT NULL AND destination = 'shop' AND audiences <> '{lost}' LIMIT 1)`)
		}},
		{"a tag is gone", "I4: tags", func(w *world) {
			id := number(w.query(`SELECT address FROM deliveries WHERE destination = 'shop' AND hash IS NOT NULL LIMIT 1`)[0])
			require.True(w.t, w.shop.SetCustomerMeta(id, "perennial_tags", json.RawMessage("null")))
		}},
		{"a work list is left", "I4: ", func(w *world) {
			w.exec(`INSERT INTO outbox (store_id, destination, person_id, address, audiences, attributes) SELECT store_id, 'shop', 999, '', '{}', '{}' FROM stores`)
		}},
		{"foreign meta changes", "I5, I6:", func(w *world) {
			w.shop.SetCustomerMeta(w.shop.Customers()[3].ID, "loyalty_card", json.RawMessage(`"7"`))
		}},
		{"an order is written to", "I5, I6:", func(w *world) {
			w.shop.TouchOrders(w.shop.Orders()[0].ID)
		}},
		{"a foreign subscription is renewed", "I5, I6:", func(w *world) {
			require.NoError(w.t, w.mail.Subscribe("anon@example.com", w.mail.ListID("Opt-in list"), "confirmed"))
		}},
		{"somebody unsubscribed is back", "I6: the subscription", func(w *world) {
			w.unsubscribe(1)
			w.before = w.remember()
			for subscription, status := range w.before.ours {
				if list, email, _ := strings.Cut(subscription, " "); status == "unsubscribed" {
					id, err := strconv.Atoi(list)
					require.NoError(w.t, err)
					require.NoError(w.t, w.mail.Subscribe(email, id, "confirmed"))
				}
			}
		}},
		{"a stranger is put on our list", "never agreed", func(w *world) {
			lists := slices.Sorted(maps.Keys(w.ourLists()))
			require.NoError(w.t, w.mail.Subscribe("stranger@example.com", lists[0], "confirmed"))
		}},
		{"a blocked person comes", "never agreed", func(w *world) {
			lists := slices.Sorted(maps.Keys(w.ourLists()))
			_, mailed := w.subscriptions()
			for _, p := range w.mail.People() {
				if !mailed[p.Email] && p.Status == "enabled" {
					require.NoError(w.t, w.mail.Subscribe(p.Email, lists[0], "confirmed"))
				}
			}
		}},
		{"a forgotten person is back", "I7:", func(w *world) {
			email := w.query(`SELECT email FROM persons WHERE email IS NOT NULL ORDER BY 1 LIMIT 1`)[0]
			w.erased = erased{addresses: map[string]bool{email: true}, accounts: map[string]bool{}, orders: map[string]bool{}}
		}},
		{"an amount changes", "I8:", func(w *world) {
			w.exec(`UPDATE person_stats SET net = net + 0.01 WHERE person_id = (SELECT min(person_id) FROM person_stats)`)
		}},
		{"a secret is printed", "I9: a secret was printed", func(w *world) {
			w.output.WriteString("Authorization: " + canarySecret)
		}},
		{"a secret is stored", "I9: a secret stands", func(w *world) {
			w.exec(`UPDATE runs SET error = 'token ` + canaryToken + ` refused'`)
		}},
		{"a secret is in quarantine", "I9: a secret stands", func(w *world) {
			w.exec(`INSERT INTO quarantine (store_id, resource, id, reason, raw, first_seen, last_seen) SELECT store_id, 'orders', 'x', 'y', '` + canaryKey + `', now(), now() FROM stores`)
		}},
		{"the epoch goes back", "I10:", func(w *world) {
			w.exec(`UPDATE fences SET epoch = epoch - 1`)
		}},
		{"a lease is kept", "I10:", func(w *world) {
			w.exec(`UPDATE leases SET holder = 'ghost', expires_at = clock_timestamp() + interval '1 hour'`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 30, 31)
			w.night()
			w.before = w.remember()
			tt.spoil(w)
			found := w.violations()
			require.True(t, slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, tt.complains) }),
				"nobody complained of %q, only: %v", tt.complains, found)
		})
	}
}

// exec runs one statement behind the binary's back, which has to change something.
func (w *world) exec(text string, args ...any) {
	w.t.Helper()
	result, err := w.db.Exec(text, args...)
	require.NoError(w.t, err)
	n, err := result.RowsAffected()
	require.NoError(w.t, err)
	require.NotZero(w.t, n, "the statement changed nothing")
}
