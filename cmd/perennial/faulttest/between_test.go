package faulttest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestWhoBuysBetweenNightsLeavesTheLost lets the daemon look at the shop every hour: whoever was lost and buys is on no list of
// the lost two hours later, while somebody who did not stays there, and nothing but orders and customers is read.
func TestWhoBuysBetweenNightsLeavesTheLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400, 11)
	w.configure(`refresh = "1h"`)
	w.night()
	lists := func(email string) string {
		return w.query(`SELECT array_to_string(audiences, ',') FROM deliveries WHERE destination = 'listmonk' AND address = $1`, email)[0]
	}
	lost := w.query(`SELECT d.address || '|' || p.customer_id FROM deliveries d JOIN persons p USING (store_id, person_id)
		WHERE destination = 'listmonk' AND 'lifecycle_lost' = ANY (audiences) AND p.customer_id IS NOT NULL ORDER BY 1 LIMIT 2`)
	require.Len(t, lost, 2)
	buyer, id, _ := strings.Cut(lost[0], "|")
	other, its, _ := strings.Cut(lost[1], "|")
	customer, err := strconv.ParseInt(id, 10, 64)
	require.NoError(t, err)

	out, _, code := w.run("run", "--once")
	require.Equal(t, 0, code)
	require.NotContains(t, out, "read ", "the night has only just read it all")
	w.shop.Wait(10 * time.Minute)
	w.shop.PlaceOrder(simulator.OrderDraft{CustomerID: customer, Email: buyer, Lines: []simulator.DraftLine{{Quantity: 1}}})
	w.shop.Wait(time.Hour)
	w.before = w.remember()
	out, errs, code := w.run("run", "--once")
	require.Equal(t, 0, code, errs)
	require.Contains(t, out, "read ")
	require.Contains(t, lists(buyer), "lifecycle_won_back")
	require.NotContains(t, lists(buyer), "lifecycle_lost")
	require.Contains(t, lists(other), "lifecycle_lost")
	last := w.query(`SELECT to_char(last_order, 'YYYY-MM-DD') FROM standings t JOIN persons p USING (store_id, person_id) WHERE email = $1`, buyer)
	require.Len(t, last, 1)
	require.InDelta(t, 0, w.shop.Now().Sub(day(t, last[0])).Hours(), 48)
	require.Equal(t, []string{"2"}, w.query(`SELECT count(*)::text FROM runs WHERE kind = 'sync' AND state = 'succeeded'`))
	require.Equal(t, []string{"1"}, w.query(`SELECT count(*)::text FROM runs WHERE kind = 'retention'`), "the rest is the night's")
	w.checkAlways()

	out, _, code = w.run("run", "--once")
	require.Equal(t, 0, code)
	require.NotContains(t, out, "read ")
	w.shop.Advance(1)
	w.before = w.remember()
	w.night()
	require.Contains(t, lists(buyer), "lifecycle_won_back", fmt.Sprint("the night says the same of ", buyer))

	w.configure("") // and without: a push by hand asks what was ordered, where that was not asked within the hour
	customer, err = strconv.ParseInt(its, 10, 64)
	require.NoError(t, err)
	w.shop.PlaceOrder(simulator.OrderDraft{CustomerID: customer, Email: other, Lines: []simulator.DraftLine{{Quantity: 1}}})
	w.must("push")
	require.Contains(t, lists(other), "lifecycle_lost")
	w.shop.Wait(time.Hour)
	require.Contains(t, w.must("push"), "read ")
	require.Contains(t, lists(other), "lifecycle_won_back")
}

func day(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, text)
	require.NoError(t, err)
	return at
}
