package postgres_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
)

// dump is the text of every row of every table.
func (s *shop) dump() string {
	s.t.Helper()
	text := ""
	for _, table := range all[string](s, `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`) {
		text += table + one[string](s, `SELECT coalesce(query_to_xml($1, true, true, '')::text, '')`, `SELECT * FROM "`+table+`"`)
	}
	return text + one[string](s, `SELECT coalesce(string_agg(encode(raw, 'escape'), ' '), '') FROM quarantine`)
}

func TestErasedPersonStaysAway(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	account := customers(commerce.Customer{ID: "77", Email: "ann.canary@example.com", FirstName: "Anncanary"})
	b := whole(order("1", "77", "ann.canary@example.com"), order("2", "", "ann.canary@example.com"),
		order("3", "77", "work.canary@example.com"), order("4", "", "ben@example.com"))
	b.Orders[0].FirstName, b.Orders[0].City = "Anncanary", "Canarytown"
	b.Refunds = []commerce.Refund{{
		OrderID: "1", ID: "r", CustomerID: "77", Email: "ann.canary@example.com",
		At: noon, Currency: "EUR", Amount: money("1"), Reason: "canary",
	}}
	reviews := commerce.Batch{Reviews: []commerce.Review{{ID: "9", Email: "ann.canary@example.com", Reviewer: "Anncanary", Body: "canary", Rating: 5}}}
	rejected := connectors.Page{Rejected: []connectors.Rejected{{ID: "5", Reason: "currency: is missing", Raw: []byte(`{"email":"Ann.Canary@Example.com"}`)}}}
	read := func() {
		s.put(commerce.Customers, account)
		s.put(commerce.Orders, b)
		s.put(commerce.Reviews, reviews)
		s.page(commerce.Orders, connectors.Increment, rejected)
	}
	read()
	person := s.personOf("1")
	require.Contains(t, s.dump(), "canary")

	erased, err := s.ErasePerson(ctx, " Ann.Canary@example.com ", noon)
	require.NoError(t, err)
	require.Equal(t, 1, erased.Customers)
	require.Equal(t, 3, erased.Orders)
	require.Equal(t, 1, erased.Quarantined)
	sums := `SELECT string_agg(id || ':' || coalesce(person_id, 0) || ':' || counted || ':' || gross, ' ' ORDER BY id) FROM orders`
	was := one[string](s, sums)
	for range 2 {
		dump := s.dump()
		require.NotContains(t, dump, "canary")
		require.NotContains(t, dump, "Anncanary")
		require.NotContains(t, dump, "Canarytown")
		require.NotContains(t, dump, "Ann.Canary")
		require.Equal(t, was, one[string](s, sums), "amounts stay with the nameless person")
		require.Equal(t, person, s.personOf("1"))
		require.NotEqual(t, person, s.personOf("4"))
		require.Equal(t, "ben@example.com", one[string](s, `SELECT email FROM orders WHERE id = '4'`))
		read() // the shop still knows the person
	}
	require.Equal(t, ingest.Written{Read: 4}, s.put(commerce.Orders, b), "what is nameless is compared as such")
	again, err := s.ErasePerson(ctx, "ann.canary@example.com", noon)
	require.NoError(t, err)
	require.Zero(t, again.Orders+again.Customers+again.Keys)
}

func TestErasureNamesEverybodyWhomDestinationsMayKnow(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	s.put(commerce.Customers, customers(commerce.Customer{ID: "77", Email: "ann@example.com"}))
	s.put(commerce.Orders, whole(order("1", "77", "ann@example.com"), order("2", "77", "work@example.com"),
		order("3", "", "work@example.com"), order("4", "", "ben@example.com"), order("5", "77", "desk@example.com")))
	account, guest := s.personOf("1"), s.personOf("3")
	require.NotEqual(t, account, guest)
	for _, spelling := range []string{"ann@example.com", " Ann@Example.com"} {
		people, err := s.Erasing(ctx, spelling)
		require.NoError(t, err)
		require.Equal(t, []connectors.Person{
			{ID: account, CustomerID: "77", Email: "ann@example.com"}, {ID: guest, Email: "work@example.com"},
		}, people, "the guest goes with the account, so platforms must let both go")
	}
	for _, email := range []string{"desk@example.com", "nobody@example.com"} {
		people, err := s.Erasing(ctx, email)
		require.NoError(t, err)
		require.Equal(t, []connectors.Person{{Email: email}}, people, "an account whose data stay is not taken out of anything")
	}
	erased, err := s.ErasePerson(ctx, "ann@example.com", noon)
	require.NoError(t, err)
	require.Equal(t, 2, erased.People)
}

// An erased person who registers again stays erased under the new account, also where its orders have another address.
func TestErasedPersonWhoRegistersAgainStaysAway(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Orders, whole(order("1", "", "ann@example.com")))
	person := s.personOf("1")
	_, err := s.ErasePerson(context.Background(), "ann@example.com", noon)
	require.NoError(t, err)

	account := customers(commerce.Customer{ID: "88", Email: "ann@example.com", FirstName: "Anncanary"})
	again := order("2", "88", "work.canary@example.com")
	again.FirstName = "Anncanary"
	s.put(commerce.Customers, account)
	s.put(commerce.Orders, whole(again))
	require.NotContains(t, s.dump(), "canary")
	require.NotContains(t, s.dump(), "Anncanary")
	require.Equal(t, person, s.personOf("2"))
	require.Zero(t, one[int](s, `SELECT count(*) FROM customers`))
	require.Equal(t, ingest.Written{Read: 1}, s.put(commerce.Customers, account))

	s.put(commerce.Orders, whole(order("3", "99", "home.canary@example.com"))) // read before its account
	s.put(commerce.Customers, customers(commerce.Customer{ID: "99", Email: "ann@example.com"}))
	require.NotContains(t, s.dump(), "canary")
	require.NotZero(t, s.personOf("3"), "its amount stays with somebody nameless")
	require.Zero(t, one[int](s, `SELECT count(*) FROM persons WHERE customer_id IS NOT NULL OR email IS NOT NULL`))
	s.put(commerce.Orders, whole(order("3", "99", "home.canary@example.com")))
	require.NotContains(t, s.dump(), "canary")

	s.put(commerce.Customers, customers(commerce.Customer{ID: "5", Email: "ben@example.com"}))
	s.put(commerce.Orders, whole(order("4", "5", "ben@example.com")))
	s.put(commerce.Customers, customers(commerce.Customer{ID: "5", Email: "ann@example.com"}))
	require.Equal(t, "ben@example.com", one[string](s, `SELECT email FROM orders WHERE id = '4'`), "Ben was not erased")
}
