package faulttest

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestThreeNights lives through three nights with a shop that goes on, is edited, loses and gains people, and with people
// who unsubscribe. The third night is a week later, so that it sweeps.
func TestThreeNights(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400, 7)
	w.night()
	w.CheckInvariants()
	first := w.query(`SELECT person_id, segment FROM rfm_scores ORDER BY 1`)

	w.dayOfChanges()
	w.shop.Advance(1)
	w.unsubscribe(3)
	w.before = w.remember() // the shop and its people did this, not we
	w.night()
	w.CheckInvariants()
	require.NotEqual(t, first, w.query(`SELECT person_id, segment FROM rfm_scores ORDER BY 1`), "nobody moved in a day of changes")

	w.silentChanges()
	w.shop.Advance(8)
	w.before = w.remember()
	w.night()
	w.CheckInvariants()
	w.checkHistory()
	require.Empty(t, w.unnoticed(), "the weekly look did not find who unsubscribed")

	out, _, code := w.run("run", "--once", "--quiet")
	require.Equal(t, 0, code)
	require.Empty(t, out, "a night that was done is not due again")
}

// dayOfChanges is what happens in a shop, with every modification time in order.
func (w *world) dayOfChanges() {
	orders := w.shop.Orders()
	w.shop.PlaceOrder(simulator.OrderDraft{Email: " New.Guest@Mail.Example ", Lines: []simulator.DraftLine{{Quantity: 3}}})
	w.shop.PlaceOrder(simulator.OrderDraft{Email: "other@mail.example", Status: simulator.Failed})
	for i, o := range orders {
		switch {
		case i%97 == 0:
			w.shop.Refund(o.ID)
		case i%89 == 0:
			w.shop.RefundAmount(o.ID, 100)
		case i%83 == 0:
			w.shop.TrashOrder(o.ID)
		case o.CustomerID == 0 && o.Email != "" && i%7 == 0:
			w.shop.RegisterGuest(o.Email, i%2 == 0)
		}
	}
	w.shop.EditProduct(w.shop.Products()[0].ID, func(p *simulator.Product) { p.Name = "Renamed & «sold»" })
	w.shop.AddReview(simulator.Review{ProductID: w.shop.Products()[0].ID, Reviewer: "Web B.", Email: "other@mail.example", Rating: 4, Body: "Fine.", Status: simulator.ReviewHold})
}

// silentChanges are those that only a sweep or a full crawl can find.
func (w *world) silentChanges() {
	orders := w.shop.Orders()
	edited, deleted, refunds := 0, 0, 0
	for _, o := range orders {
		switch {
		case len(o.Refunds) > 0 && refunds < 2 && !w.store.apart(): // Shopify never takes a refund back
			w.shop.DeleteRefund(o.ID, o.Refunds[0].ID)
			refunds++
		case o.Status == simulator.Completed && len(o.Refunds) == 0 && edited < 3:
			w.shop.EditLineSilently(o.ID, 5)
			edited++
		case o.Status == simulator.Completed && deleted < 3:
			w.shop.ForceDeleteOrder(o.ID)
			deleted++
		}
	}
	w.shop.DeleteReview(w.shop.Reviews()[0].ID)
	w.shop.DeleteCustomer(w.shop.Customers()[3].ID)
	w.shop.ChangeReviewStatus(w.shop.Reviews()[1].ID, simulator.ReviewTrash)
}

// unsubscribe lets n members of our audiences leave theirs.
func (w *world) unsubscribe(n int) {
	ours := w.ourLists()
	for _, p := range w.mail.People() {
		for id, status := range p.Lists {
			if _, own := ours[id]; own && status != "unsubscribed" && n > 0 {
				require.NoError(w.t, w.mail.Unsubscribe(p.Email, id))
				n--
			}
		}
	}
	require.Zero(w.t, n, "too few members to unsubscribe")
}

// checkHistory sees to it that intervals neither overlap nor leave gaps, and end where the standing membership begins.
func (w *world) checkHistory() {
	w.t.Helper()
	require.Empty(w.t, w.query(`
		SELECT a.person_id, a.first_day, a.last_day, b.first_day FROM memberships a
		JOIN memberships b ON b.store_id = a.store_id AND b.scheme = a.scheme AND b.person_id = a.person_id AND b.first_day > a.first_day
		WHERE a.last_day IS NULL OR a.last_day >= b.first_day`), "memberships overlap")
	require.Empty(w.t, w.query(`
		SELECT r.person_id, r.segment, m.segment FROM rfm_scores r
		LEFT JOIN memberships m ON m.store_id = r.store_id AND m.scheme = 'rfm' AND m.person_id = r.person_id AND m.last_day IS NULL
		WHERE m.segment IS DISTINCT FROM r.segment`), "the standing membership is not the last interval")
}

func TestFirstNightByCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60, 3)
	require.Contains(t, w.must("check"), "everything is in order")
	w.must("sync")
	w.must("analyze")
	require.Contains(t, w.must("push", "--dry-run"), "people to write")
	list := w.must("push", "--dry-run", "--list", "--to", "listmonk")
	for _, row := range w.query(`SELECT p.email, r.segment FROM rfm_scores r
		JOIN persons p ON p.store_id = r.store_id AND p.person_id = r.person_id WHERE p.email IS NOT NULL`) {
		email, segment, _ := strings.Cut(row, "|")
		require.Regexp(t, regexp.QuoteMeta(email)+": - -> [a-z_,]*\\b"+segment+"\\b", list)
	}
	require.Empty(t, w.query(`SELECT person_id FROM deliveries`), "a dry run delivers nothing")
	w.must("push")
	w.CheckInvariants()

	out := w.must("report")
	for _, text := range []string{"New Customers", "Net revenue", "listmonk"} {
		require.Contains(t, out, text)
	}
	var reports []map[string]any
	require.NoError(t, json.Unmarshal([]byte(w.must("report", "--json")), &reports))
	require.Len(t, reports, 1)
	require.Contains(t, w.must("status"), "alder")
	require.Contains(t, w.must("segments"), "New Customers")
	require.Contains(t, w.must("config", "show"), `name = "alder"`)
	require.Equal(t, len(w.query(`SELECT person_id FROM person_stats`))+1, strings.Count(w.must("export"), "\n"))
	w.checkAlways()
}

func TestForgetAndPurge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 80, 11)
	w.night()
	w.CheckInvariants()

	email := w.query(`SELECT c.email FROM deliveries d JOIN persons p ON p.store_id = d.store_id AND p.person_id = d.person_id
		JOIN customers c ON c.store_id = p.store_id AND c.id = p.customer_id WHERE d.destination = 'listmonk' AND d.state = 'delivered' LIMIT 1`)[0]
	sum := w.query(`SELECT sum(net) FROM person_stats`)[0]
	require.Contains(t, w.must("explain", email), "segment")
	out := w.forget(email)
	require.Contains(t, out, "listmonk")
	require.Empty(t, w.contains(email), "I7: the address is still in the database")
	w.must("resync", "--quiet")
	w.must("analyze", "--quiet")
	w.must("push", "--quiet")
	require.Empty(t, w.contains(email), "I7: the address came back")
	require.Equal(t, sum, w.query(`SELECT sum(net) FROM person_stats`)[0], "the amounts stay")
	w.CheckInvariants()
	_, _, code := w.run("explain", email)
	require.NotZero(t, code)

	w.must("purge", "--yes")
	w.requireNothingOfOurs()
}

// TestGuardHoldsAPush shows that a change of rules that would turn the audiences over stops until it is confirmed.
func TestGuardHoldsAPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400, 5)
	w.night()
	w.configure("[stores.rfm.segments]\n\"***\" = \"lost\"\n")
	w.must("analyze", "--quiet")
	_, errs, code := w.run("push")
	require.Equal(t, 5, code, errs)
	require.Contains(t, errs, "--confirm")
	require.Contains(t, w.must("status"), "confirm")

	w.confirm()
	w.CheckInvariants()
}

// confirm lets every push that is held go on.
func (w *world) confirm() {
	w.t.Helper()
	for range 2 { // one hold for the tags, one for the lists
		args := []string{"push", "--quiet"}
		for _, name := range w.query(`SELECT DISTINCT key FROM holds`) {
			args = append(args, "--confirm", name)
		}
		require.Greater(w.t, len(args), 2, "nothing is held")
		w.must(args...)
		if len(w.query(`SELECT key FROM holds`)) == 0 {
			return
		}
	}
	w.t.Fatal("the push is still held")
}

// TestEachDayOnce runs the daemon twice on each of several days: each local day has one night.
func TestEachDayOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20, 9)
	w.night()
	for range 3 {
		w.shop.Advance(1)
		w.night()
		w.night()
	}
	require.Equal(t, "4", w.query(`SELECT count(*) FROM runs WHERE kind = 'sync' AND state = 'succeeded'`)[0])
}
