package faulttest

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestAccountTakesOverAGuestsAddress lets an account change its e-mail address to one under which a guest has bought and was
// put into an audience. The guest's orders go over to the account, and so does the subscriber: in one audience, the account's.
func TestAccountTakesOverAGuestsAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 150, 21)
	w.night()
	w.CheckInvariants()

	guest := w.query(`SELECT p.email FROM persons p JOIN deliveries d ON d.store_id = p.store_id AND d.person_id = p.person_id
		WHERE p.customer_id IS NULL AND d.destination = 'listmonk' AND d.state = 'delivered' ORDER BY p.person_id DESC LIMIT 1`)[0]
	older := w.query(`SELECT p.email FROM persons p JOIN deliveries d ON d.store_id = p.store_id AND d.person_id = p.person_id
		WHERE p.customer_id IS NULL AND d.destination = 'listmonk' AND d.state = 'delivered' ORDER BY p.person_id LIMIT 1`)[0]
	// Accounts that the platform does not know: nothing of theirs stands there that would have to leave first.
	accounts := w.query(`SELECT p.customer_id FROM persons p JOIN rfm_scores r ON r.store_id = p.store_id AND r.person_id = p.person_id
		WHERE p.customer_id IS NOT NULL AND NOT EXISTS (SELECT FROM deliveries d WHERE d.store_id = p.store_id
			AND d.person_id = p.person_id AND d.destination = 'listmonk' AND d.state = 'delivered') ORDER BY p.person_id`)
	rename := func(account, email string) {
		for _, c := range w.shop.Customers() {
			if account == strconv.FormatInt(c.ID, 10) {
				require.True(t, w.shop.EditCustomer(c.ID, func(c *simulator.Customer) { c.Email = email }))
			}
		}
	}
	rename(accounts[0], guest)               // the account's person is the older one
	rename(accounts[len(accounts)-1], older) // and here the guest's is
	w.shop.Advance(1)
	w.before = w.remember()
	w.night()
	w.CheckInvariants()
}
