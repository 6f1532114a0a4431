package postgres_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

func (s *shop) personOf(order string) int64 {
	s.t.Helper()
	return one[int64](s, `SELECT coalesce(person_id, 0) FROM orders WHERE id = $1`, order)
}

func customers(list ...commerce.Customer) commerce.Batch { return commerce.Batch{Customers: list} }

func TestGuestBecomesTheAccount(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Orders, whole(order("1", "", "ann@example.com"), order("2", "", "ann@example.com"), order("3", "", "")))
	guest := s.personOf("1")
	require.Equal(t, guest, s.personOf("2"))
	require.Zero(t, s.personOf("3"))

	s.put(commerce.Customers, customers(commerce.Customer{ID: "7", Email: "ann@example.com"}))
	s.put(commerce.Orders, whole(order("4", "7", "other@example.com"), order("5", "", "ann@example.com")))
	require.Equal(t, guest, s.personOf("4"), "the guest's person is now the account's")
	require.Equal(t, guest, s.personOf("5"))
	require.Equal(t, "7", one[string](s, `SELECT customer_id FROM persons WHERE person_id = $1`, guest))
	require.Equal(t, guest, one[int64](s, `SELECT person_id FROM customers`))
}

func TestAccountThatIsGoneBecomesAGuest(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Customers, customers(commerce.Customer{ID: "7", Email: "ann@example.com"}))
	s.put(commerce.Orders, whole(order("1", "7", "ann@example.com")))
	person := s.personOf("1")
	s.page(commerce.Customers, connectors.Increment, connectors.Page{Deleted: []string{"7"}})
	s.put(commerce.Orders, whole(order("1", "", "ann@example.com"))) // the shop forgets the account on its orders
	require.Equal(t, person, s.personOf("1"))
	require.Equal(t, 1, one[int](s, `SELECT count(*) FROM persons WHERE customer_id IS NULL`))
}

func TestDeletedOrderNamesNobody(t *testing.T) {
	name := func(s *shop, person int64) string {
		return one[string](s, `SELECT coalesce(customer_id, 'guest') || ' ' || coalesce(email, 'unknown') FROM persons WHERE person_id = $1`, person)
	}
	deleted := func(s *shop, ids ...string) {
		s.page(commerce.Orders, connectors.Increment, connectors.Page{Deleted: ids})
	}
	t.Run("an order, and then its account", func(t *testing.T) {
		s := newShop(t)
		s.put(commerce.Customers, customers(commerce.Customer{ID: "7", Email: "ann@example.com"}))
		s.put(commerce.Orders, whole(order("1", "7", "ann@example.com"), order("2", "7", "ann@example.com")))
		person := s.personOf("1")
		deleted(s, "2")
		require.Equal(t, "7 ann@example.com", name(s, person), "the account lives")
		s.page(commerce.Customers, connectors.Increment, connectors.Page{Deleted: []string{"7"}})
		require.Equal(t, "7 ann@example.com", name(s, person), "an order still names the account")
		s.put(commerce.Orders, whole(order("1", "", "ann@example.com"))) // the shop forgets the account on those it has
		require.Equal(t, person, s.personOf("1"))
		require.Equal(t, "guest ann@example.com", name(s, person))
	})
	t.Run("the last order of an account that is gone", func(t *testing.T) {
		s := newShop(t)
		s.put(commerce.Orders, whole(order("1", "7", "ann@example.com"), order("2", "", "ann@example.com")))
		person := s.personOf("1")
		deleted(s, "1")
		require.Equal(t, person, s.personOf("2"))
		require.Equal(t, "guest ann@example.com", name(s, person))
		s.put(commerce.Orders, whole(order("1", "7", "ann@example.com"))) // taken out of the trash
		require.Equal(t, person, s.personOf("1"))
		require.Equal(t, person, s.personOf("2"))
		require.Equal(t, "7 ann@example.com", name(s, person))
	})
	t.Run("the latest address", func(t *testing.T) {
		s := newShop(t)
		later := order("2", "7", "new@example.com")
		later.PlacedAt = noon.Add(time.Hour)
		s.put(commerce.Orders, whole(order("1", "7", "old@example.com"), later, order("old", "", "old@example.com"), order("new", "", "new@example.com")))
		require.Equal(t, s.personOf("1"), s.personOf("new"))
		deleted(s, "2")
		require.Equal(t, "7 old@example.com", name(s, s.personOf("1")))
		require.Equal(t, s.personOf("1"), s.personOf("old"))
		require.NotEqual(t, s.personOf("1"), s.personOf("new"))
	})
}

func TestChangedAddressMovesGuests(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Customers, customers(commerce.Customer{ID: "7", Email: "old@example.com"}))
	s.put(commerce.Orders, whole(order("1", "", "old@example.com"), order("2", "", "new@example.com"), order("3", "7", "")))
	require.Equal(t, s.personOf("3"), s.personOf("1"))
	require.NotEqual(t, s.personOf("3"), s.personOf("2"))
	_, err := s.raw.Exec(`DELETE FROM touched`)
	require.NoError(t, err)
	s.put(commerce.Customers, customers(commerce.Customer{ID: "7", Email: "new@example.com"}))
	require.Equal(t, s.personOf("3"), s.personOf("2"))
	require.NotEqual(t, s.personOf("3"), s.personOf("1"))
	require.Equal(t, 3, one[int](s, `SELECT count(*) FROM touched`), "the account, the guest before and the guest after")
}

func TestLivingAccountOwnsTheAddress(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Customers, customers(commerce.Customer{ID: "2", Email: "ann@example.com"}))
	s.put(commerce.Orders, whole(order("a", "1", "ann@example.com"), order("b", "2", ""), order("guest", "", "ann@example.com")))
	require.Equal(t, s.personOf("b"), s.personOf("guest"), "account 1 has no customer record")
	s.put(commerce.Customers, customers(commerce.Customer{ID: "1", Email: "ann@example.com"}))
	require.Equal(t, s.personOf("a"), s.personOf("guest"), "both have, the lower goes first")
	s.page(commerce.Customers, connectors.Increment, connectors.Page{Deleted: []string{"1"}})
	require.Equal(t, s.personOf("b"), s.personOf("guest"))
}

func TestSharedAddressIdentifiesNobody(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	s.put(commerce.Orders, whole(order("1", "", "desk@example.com"), order("2", "7", "desk@example.com")))
	require.NotZero(t, s.personOf("1"))
	policy := euros()
	policy.SharedEmails = []string{"desk@example.com"}
	changed, err := s.db.SavePolicy(ctx, s.id, policy)
	require.NoError(t, err)
	require.True(t, changed)
	require.Zero(t, s.personOf("1"))
	require.NotZero(t, s.personOf("2"))
	require.Zero(t, one[int](s, `SELECT count(*) FROM persons WHERE customer_id = '7' AND email IS NOT NULL`))
	s.put(commerce.Orders, whole(order("3", "", "desk@example.com")))
	require.Zero(t, s.personOf("3"))

	_, err = s.db.SavePolicy(ctx, s.id, euros())
	require.NoError(t, err)
	require.NotZero(t, s.personOf("1"))
	require.Equal(t, s.personOf("1"), s.personOf("3"))
	changed, err = s.db.SavePolicy(ctx, s.id, euros())
	require.NoError(t, err)
	require.False(t, changed)
}

func TestLooseRefundFindsItsPerson(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Orders, whole(order("1", "7", "ann@example.com")))
	refund := commerce.Refund{ID: "c1", CustomerID: "7", At: noon, Currency: "EUR", Amount: money("4")}
	s.put(commerce.Orders, commerce.Batch{Refunds: []commerce.Refund{refund}})
	require.Equal(t, s.personOf("1"), one[int64](s, `SELECT person_id FROM refunds WHERE counted AND net = 4`))
}

// world is the shop as the oracle sees it.
type world struct {
	customers map[string]string // address by id
	deleted   map[string]bool   // customers
	orders    map[string]commerce.Order
	shared    map[string]bool
}

// groups says which orders belong to one person, straight from the definition.
func (w world) groups() map[string]string {
	email := map[string]string{} // of accounts
	living := map[string]bool{}
	latest := map[string]commerce.Order{}
	for _, o := range w.orders {
		l, ok := latest[o.CustomerID]
		if o.CustomerID == "" {
			continue
		}
		if _, known := email[o.CustomerID]; !known {
			email[o.CustomerID] = ""
		}
		if o.Email != "" && (!ok || o.PlacedAt.After(l.PlacedAt) || o.PlacedAt.Equal(l.PlacedAt) && o.ID > l.ID) {
			latest[o.CustomerID] = o
		}
	}
	for id := range email {
		email[id] = latest[id].Email
	}
	for id, address := range w.customers {
		if !w.deleted[id] {
			email[id], living[id] = address, true
		}
	}
	owner := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(email)) {
		address := email[id]
		if had, ok := owner[address]; address != "" && !w.shared[address] && (!ok || living[id] && !living[had]) {
			owner[address] = id
		}
	}
	group := map[string]string{}
	for id, o := range w.orders {
		switch account, ok := owner[o.Email]; {
		case o.CustomerID != "":
			group[id] = "account " + o.CustomerID
		case o.Email == "" || w.shared[o.Email]:
			group[id] = ""
		case ok:
			group[id] = "account " + account
		default:
			group[id] = "guest " + o.Email
		}
	}
	return group
}

// sameGroups compares two ways of grouping, whatever the groups are called.
func sameGroups(t *rapid.T, want map[string]string, got map[string]int64) {
	name, number := map[string]int64{}, map[int64]string{}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		w, g := want[id], got[id]
		if (w == "") != (g == 0) {
			t.Fatalf("order %s belongs to %q, stored person %d", id, w, g)
		}
		if w == "" {
			continue
		}
		if n, ok := name[w]; ok && n != g {
			t.Fatalf("order %s belongs to %q, which is person %d elsewhere and %d here", id, w, n, g)
		}
		if n, ok := number[g]; ok && n != w {
			t.Fatalf("order %s belongs to %q, its person %d also to %q", id, w, g, n)
		}
		name[w], number[g] = g, w
	}
}

// TestPeopleAreAFunctionOfTheData makes random histories of accounts and orders that come and go, in random batches, and
// compares who is who with the definition.
func TestPeopleAreAFunctionOfTheData(t *testing.T) {
	base := newShop(t)
	history := 0
	rapid.Check(t, func(rt *rapid.T) {
		history++
		s := base.another(fmt.Sprint("shop ", history))
		w := world{customers: map[string]string{}, deleted: map[string]bool{}, orders: map[string]commerce.Order{}, shared: map[string]bool{}}
		address := rapid.SampledFrom([]string{"", "a@example.com", "b@example.com", "c@example.com", "desk@example.com"})
		account := rapid.SampledFrom([]string{"", "1", "2", "3"})
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			switch rapid.IntRange(0, 6).Draw(rt, "what") {
			case 0:
				var b commerce.Batch
				for range rapid.IntRange(1, 3).Draw(rt, "n") {
					u := commerce.Customer{ID: rapid.SampledFrom([]string{"1", "2", "3"}).Draw(rt, "id"), Email: address.Draw(rt, "email")}
					b.Customers = append(b.Customers, u)
					w.customers[u.ID] = u.Email
					delete(w.deleted, u.ID)
				}
				s.put(commerce.Customers, b)
			case 1:
				id := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(rt, "gone")
				s.page(commerce.Customers, connectors.Increment, connectors.Page{Deleted: []string{id}})
				w.deleted[id] = true
			case 2:
				policy := euros()
				w.shared = map[string]bool{}
				if e := address.Draw(rt, "shared"); e != "" {
					policy.SharedEmails, w.shared[e] = []string{e}, true
				}
				_, err := s.db.SavePolicy(context.Background(), s.id, policy)
				require.NoError(rt, err)
			case 3:
				id := fmt.Sprint(rapid.IntRange(1, 6).Draw(rt, "gone order"))
				s.page(commerce.Orders, connectors.Increment, connectors.Page{Deleted: []string{id}})
				delete(w.orders, id)
			default:
				var list []commerce.Order
				for range rapid.IntRange(1, 4).Draw(rt, "n") {
					o := order(fmt.Sprint(rapid.IntRange(1, 6).Draw(rt, "order")), account.Draw(rt, "account"), address.Draw(rt, "email"))
					o.PlacedAt = noon.Add(time.Duration(rapid.IntRange(0, 3).Draw(rt, "hour")) * time.Hour)
					list = append(list, o)
					w.orders[o.ID] = o
				}
				s.put(commerce.Orders, whole(list...))
			}
			sameGroups(rt, w.groups(), s.groups())
			require.Equal(rt, w.groups(), s.names())
		}
	})
}

// another registers one more shop in the same database.
func (s *shop) another(name string) *shop {
	s.t.Helper()
	ctx := context.Background()
	id, err := s.db.Register(ctx, name, "csvfile")
	require.NoError(s.t, err)
	_, err = s.db.SavePolicy(ctx, id, euros())
	require.NoError(s.t, err)
	epoch, _, err := s.db.Acquire(ctx, id, "test", time.Hour)
	require.NoError(s.t, err)
	return &shop{t: s.t, db: s.db, id: id, epoch: epoch, Store: s.db.Store(id, epoch), raw: s.raw, url: s.url}
}

// groups returns the person of every order that the shop has.
func (s *shop) groups() map[string]int64 {
	s.t.Helper()
	rows, err := s.raw.Query(`SELECT id, coalesce(person_id, 0) FROM orders WHERE store_id = $1 AND deleted_at IS NULL`, s.id)
	require.NoError(s.t, err)
	defer func() { _ = rows.Close() }()
	got := map[string]int64{}
	for rows.Next() {
		var id string
		var person int64
		require.NoError(s.t, rows.Scan(&id, &person))
		got[id] = person
	}
	require.NoError(s.t, rows.Err())
	return got
}

// names returns by what the person of every order that the shop has is known, in the words of the definition.
func (s *shop) names() map[string]string {
	s.t.Helper()
	names := map[string]string{}
	for _, line := range all[string](s, `SELECT o.id || '|' || coalesce('account ' || p.customer_id, 'guest ' || p.email, '') FROM orders o
		LEFT JOIN persons p ON p.store_id = o.store_id AND p.person_id = o.person_id WHERE o.store_id = $1 AND o.deleted_at IS NULL`, s.id) {
		id, name, _ := strings.Cut(line, "|")
		names[id] = name
	}
	return names
}
