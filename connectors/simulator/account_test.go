package simulator_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestAccountsAreFoundByAddress registers, renames and deletes accounts, before and after a restart.
func TestAccountsAreFoundByAddress(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: -1})
	order := shop.PlaceOrder(simulator.OrderDraft{Email: " Ada@mail.example"})
	unlinked := shop.PlaceOrder(simulator.OrderDraft{Email: "bob@mail.example"})
	ada := shop.RegisterGuest("ada@mail.example", true)
	require.Equal(t, ada, shop.Order(order).CustomerID)
	require.Equal(t, ada, shop.RegisterGuest("ADA@mail.example ", true), "there already")
	shop.RegisterGuest("bob@mail.example", false)
	require.Zero(t, shop.Order(unlinked).CustomerID)

	shop.EditCustomer(ada, func(c *simulator.Customer) { c.Email = "countess@mail.example" })
	require.NotEqual(t, ada, shop.RegisterGuest("ada@mail.example", false))
	require.Equal(t, ada, shop.RegisterGuest("countess@mail.example", false))

	var file bytes.Buffer
	require.NoError(t, shop.Save(&file))
	again, err := simulator.Load(&file, nil)
	require.NoError(t, err)
	require.Equal(t, ada, again.RegisterGuest("countess@mail.example", false))
	require.True(t, again.DeleteCustomer(ada))
	require.False(t, again.DeleteCustomer(ada))
	require.Zero(t, again.Order(order).CustomerID)
	again.EditOrder(order, func(o *simulator.Order) { o.Email = "new@mail.example" })
	require.Equal(t, again.RegisterGuest("new@mail.example", true), again.Order(order).CustomerID)
}
