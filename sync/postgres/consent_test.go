package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// offered are the addresses that a push to another mailing platform would put into an audience now, if everybody known was
// wanted there.
func (s *shop) offered(mode activation.ConsentMode) []string {
	s.t.Helper()
	_, err := s.raw.Exec(`INSERT INTO rfm_scores (store_id, person_id, r, f, m, segment, since)
		SELECT store_id, person_id, 5, 5, 5, 'champions', '2026-02-01' FROM persons ON CONFLICT DO NOTHING`)
	require.NoError(s.t, err)
	_, err = s.Plan(s.t.Context(), activation.Target{
		Destination: "cards", NeedsConsent: true, Consent: mode, Audiences: []connectors.Audience{{Key: "champions", Name: "Champions"}},
		Attributes: []string{"segment"},
	}, false, noon.Add(time.Hour))
	require.NoError(s.t, err)
	addresses := all[string](s, `SELECT address FROM outbox WHERE hash IS NOT NULL`)
	_, err = s.raw.Exec(`DELETE FROM outbox`)
	require.NoError(s.t, err)
	slices.Sort(addresses)
	return addresses
}

// left notes that whoever has an order unsubscribed at a platform.
func (s *shop) left(order, destination string, at time.Time) {
	s.t.Helper()
	require.NoError(s.t, s.Suppress(s.t.Context(), destination, []int64{s.personOf(order)}, connectors.ReasonUnsubscribed, at))
}

func account(id, email string, consent commerce.ConsentState, at time.Time) commerce.Customer {
	return commerce.Customer{ID: id, Email: email, Consent: commerce.Consent{State: consent, At: at}}
}

func silent(id, email string) commerce.Customer {
	return account(id, email, commerce.ConsentUnknown, time.Time{})
}

const ann, bob = "ann@example.com", "bob@example.com"

func TestNewerNoOfAGuestIsTheAccountsToo(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Customers, customers(account("7", bob, commerce.ConsentSubscribed, noon.Add(-2*time.Hour))))
	s.put(commerce.Orders, whole(order("1", "", ann), order("2", "7", bob)))
	s.left("2", "letters", noon.Add(-3*time.Hour)) // before the yes
	require.Equal(t, []string{ann, bob}, s.offered(activation.ConsentOwner))
	s.left("1", "letters", noon.Add(-time.Hour)) // after it
	s.put(commerce.Customers, customers(account("7", ann, commerce.ConsentSubscribed, noon.Add(-2*time.Hour))))
	require.Empty(t, s.offered(activation.ConsentOwner))
}

// The guest is left over until the next analysis.
func TestNoOfAnAccountIsTheLeftOverGuestsToo(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Customers, customers(silent("7", bob)))
	s.put(commerce.Orders, whole(order("1", "", ann), order("2", "7", bob)))
	s.left("2", "letters", noon)
	s.put(commerce.Customers, customers(silent("7", ann)))
	require.Empty(t, s.offered(activation.ConsentOwner))
}

func TestAddressThatUnsubscribedStaysOutWhoeverHasIt(t *testing.T) {
	t.Run("another account takes it over", func(t *testing.T) {
		s := newShop(t)
		s.put(commerce.Customers, customers(silent("7", ann)))
		s.put(commerce.Orders, whole(order("1", "7", ann)))
		s.left("1", "letters", noon)
		s.put(commerce.Customers, customers(silent("7", bob)))
		require.Empty(t, s.offered(activation.ConsentOwner), "the person said no")
		s.put(commerce.Customers, customers(silent("8", ann)))
		require.Empty(t, s.offered(activation.ConsentOwner), "and so did the address")
		s.put(commerce.Customers, customers(account("8", ann, commerce.ConsentSubscribed, noon.Add(time.Minute))))
		require.Equal(t, []string{ann}, s.offered(activation.ConsentOwner), "until they subscribe themselves")
	})
	t.Run("a guest orders with it", func(t *testing.T) {
		s := newShop(t)
		s.put(commerce.Customers, customers(silent("7", ann)))
		s.put(commerce.Orders, whole(order("1", "7", ann)))
		s.left("1", "letters", noon)
		s.put(commerce.Customers, customers(silent("7", bob)))
		s.put(commerce.Orders, whole(order("2", "", ann)))
		require.NotEqual(t, s.personOf("1"), s.personOf("2"))
		require.Empty(t, s.offered(activation.ConsentOwner))
	})
	t.Run("two accounts have it", func(t *testing.T) {
		s := newShop(t)
		s.put(commerce.Customers, customers(silent("7", ann), silent("8", ann)))
		s.put(commerce.Orders, whole(order("1", "7", ann), order("2", "8", ann)))
		s.left("2", "letters", noon)
		require.Empty(t, s.offered(activation.ConsentOwner))
	})
	t.Run("under which it was delivered, and which has changed since", func(t *testing.T) {
		s := newShop(t)
		s.put(commerce.Customers, customers(silent("7", ann)))
		s.put(commerce.Orders, whole(order("1", "7", ann)))
		_, err := s.raw.Exec(`INSERT INTO deliveries (store_id, destination, person_id, address, hash, state, at)
			VALUES ($1, 'letters', $2, $3, 'x', 'delivered', now())`, s.id, s.personOf("1"), ann)
		require.NoError(t, err)
		s.put(commerce.Customers, customers(silent("7", bob)))
		s.left("1", "letters", noon)
		s.put(commerce.Customers, customers(silent("8", ann)))
		require.Empty(t, s.offered(activation.ConsentOwner))
	})
}

func TestNoInTheShopIsThatOfTheAddressTheAccountHadThen(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Customers, customers(account("7", ann, commerce.ConsentUnsubscribed, noon.Add(-time.Hour)), silent("8", "cid@example.com")))
	s.put(commerce.Customers, customers(account("7", bob, commerce.ConsentUnsubscribed, noon.Add(-time.Hour)), silent("8", ann)))
	require.Empty(t, s.offered(activation.ConsentOwner))
	s.put(commerce.Customers, customers(account("7", bob, commerce.ConsentSubscribed, time.Time{})))
	require.Equal(t, []string{bob}, s.offered(activation.ConsentOwner), "the account itself has another word now")
}

func TestNoOfADeletedAccountStands(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Customers, customers(account("7", ann, commerce.ConsentUnsubscribed, noon.Add(-time.Hour)), silent("8", bob)))
	s.put(commerce.Orders, whole(order("1", "7", ann), order("2", "8", bob)))
	earlier := order("3", "7", ann)
	earlier.Consent = commerce.Consent{State: commerce.ConsentSubscribed, At: noon.Add(-24 * time.Hour)}
	s.put(commerce.Orders, whole(earlier))
	require.Equal(t, []string{bob}, s.offered(activation.ConsentOwner))
	s.page(commerce.Customers, connectors.Increment, connectors.Page{Deleted: []string{"7", "8"}})
	require.Equal(t, []string{bob}, s.offered(activation.ConsentOwner))
	require.Empty(t, s.offered(activation.ConsentShop))
	s.put(commerce.Orders, whole(order("1", "", ann))) // a guest from now on
	require.Equal(t, []string{bob}, s.offered(activation.ConsentOwner))

	later := order("4", "", ann)
	later.Consent = commerce.Consent{State: commerce.ConsentSubscribed, At: noon.Add(time.Minute)}
	s.put(commerce.Orders, whole(later))
	require.Equal(t, []string{ann, bob}, s.offered(activation.ConsentOwner), "they subscribed again themselves")
}

func TestNoOnADeletedOrderStands(t *testing.T) {
	s := newShop(t)
	no := order("1", "", ann)
	no.Consent = commerce.Consent{State: commerce.ConsentUnsubscribed, At: noon.Add(-time.Hour)}
	s.put(commerce.Orders, whole(no, order("2", "", ann)))
	s.page(commerce.Orders, connectors.Increment, connectors.Page{Deleted: []string{"1"}})
	require.Empty(t, s.offered(activation.ConsentOwner))
}

func TestNoOfAMergedAccountIsThatOfTheOneThatIsLeft(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Customers, customers(silent("7", ann), silent("8", bob)))
	s.put(commerce.Orders, whole(order("1", "7", ann), order("2", "8", bob)))
	s.left("1", "letters", noon)
	s.put(commerce.Orders, whole(order("1", "8", ann))) // the shop makes one customer of two
	s.page(commerce.Customers, connectors.Increment, connectors.Page{Deleted: []string{"7"}})
	require.Equal(t, s.personOf("1"), s.personOf("2"))
	require.Empty(t, s.offered(activation.ConsentOwner))
}

func TestOlderWordsDoNotOutweighNewerOnes(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Customers, customers(account("7", ann, commerce.ConsentSubscribed, noon.Add(-2*time.Hour))))
	s.put(commerce.Orders, whole(order("1", "7", ann)))
	s.left("1", "letters", noon.Add(-time.Hour))
	require.Empty(t, s.offered(activation.ConsentOwner), "a yes from before is read once more")
	old := order("2", "7", ann)
	old.Consent = commerce.Consent{State: commerce.ConsentSubscribed, At: noon.Add(-90 * time.Minute)}
	s.put(commerce.Orders, whole(old))
	require.Empty(t, s.offered(activation.ConsentOwner), "an older yes is read late")
	s.put(commerce.Customers, customers(account("7", ann, commerce.ConsentSubscribed, time.Time{})))
	require.Empty(t, s.offered(activation.ConsentOwner), "a yes without a day is no new one")
	s.put(commerce.Customers, customers(account("7", ann, commerce.ConsentSubscribed, noon)))
	require.Equal(t, []string{ann}, s.offered(activation.ConsentOwner))
	old.Consent = commerce.Consent{State: commerce.ConsentUnsubscribed, At: noon.Add(-3 * time.Hour)}
	s.put(commerce.Orders, whole(old))
	require.Equal(t, []string{ann}, s.offered(activation.ConsentOwner), "an older no is read late")
}

// Whoever was forgotten and comes back is nobody to whom anything could be sent, and nothing names them in the memory of those
// who said no.
func TestForgottenPersonWhoOrdersAgainIsOfferedNowhere(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Customers, customers(silent("7", ann)))
	s.put(commerce.Orders, whole(order("1", "7", ann)))
	s.left("1", "letters", noon)
	_, err := s.ErasePerson(t.Context(), ann, noon)
	require.NoError(t, err)
	require.NotContains(t, s.dump(), ann)
	yes := order("2", "9", ann)
	yes.Consent = commerce.Consent{State: commerce.ConsentSubscribed, At: noon.Add(time.Minute)}
	s.put(commerce.Orders, whole(yes))
	s.put(commerce.Customers, customers(account("9", ann, commerce.ConsentSubscribed, noon.Add(time.Minute))))
	require.Empty(t, s.offered(activation.ConsentOwner))
	require.NotContains(t, s.dump(), ann)
}

// TestRefusedAddressIsNeverOffered makes random histories of accounts and orders that come, go and change hands, in which people
// unsubscribe at a platform and nobody subscribes again: the addresses under which they did are offered to no other.
func TestRefusedAddressIsNeverOffered(t *testing.T) {
	base := newShop(t)
	history := 0
	rapid.Check(t, func(rt *rapid.T) {
		history++
		s := base.another(fmt.Sprint("refusals ", history))
		refused := map[string]bool{}
		address := rapid.SampledFrom([]string{"", ann, bob, "cid@example.com"})
		account := rapid.SampledFrom([]string{"1", "2", "3"})
		number := rapid.IntRange(1, 6)
		for range rapid.IntRange(2, 10).Draw(rt, "steps") {
			switch rapid.IntRange(0, 6).Draw(rt, "what") {
			case 0:
				s.put(commerce.Customers, customers(silent(account.Draw(rt, "id"), address.Draw(rt, "email")), silent(account.Draw(rt, "id"), address.Draw(rt, "email"))))
			case 1:
				s.page(commerce.Customers, connectors.Increment, connectors.Page{Deleted: []string{account.Draw(rt, "gone")}})
			case 2:
				s.page(commerce.Orders, connectors.Increment, connectors.Page{Deleted: []string{fmt.Sprint(number.Draw(rt, "gone order"))}})
			case 3, 4:
				who := all[string](s, `SELECT person_id || '|' || email FROM persons WHERE store_id = $1 AND email <> '' ORDER BY person_id`, s.id)
				if len(who) == 0 {
					continue
				}
				person, email, _ := strings.Cut(rapid.SampledFrom(who).Draw(rt, "who leaves"), "|")
				id, err := strconv.ParseInt(person, 10, 64)
				require.NoError(rt, err)
				require.NoError(rt, s.Suppress(context.Background(), rapid.SampledFrom([]string{"letters", "parcels"}).Draw(rt, "where"),
					[]int64{id}, connectors.ReasonUnsubscribed, noon))
				refused[email] = true
			default:
				customer := rapid.SampledFrom([]string{"", "1", "2", "3"}).Draw(rt, "account")
				s.put(commerce.Orders, whole(order(fmt.Sprint(number.Draw(rt, "order")), customer, address.Draw(rt, "email"))))
			}
		}
		for _, email := range s.offered(activation.ConsentOwner) {
			require.NotContains(rt, refused, email)
		}
	})
}
