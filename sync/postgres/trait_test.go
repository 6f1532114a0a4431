package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

func allTraits() []string {
	var fields []string
	for _, f := range segment.Fields() {
		if f.Trait() {
			fields = append(fields, f.Name)
		}
	}
	return fields
}

// traits are those of everybody, by account or address.
func (s *shop) traits(t require.TestingT, asOf time.Time, fields ...string) map[string]segment.Person {
	found := map[string]segment.Person{}
	last := int64(0)
	err := s.Traits(context.Background(), fields, asOf, func(person int64, p *segment.Person) {
		require.Greater(t, person, last, "once each")
		last = person
		found[one[string](s, `SELECT coalesce(customer_id, email) FROM persons WHERE store_id = $1 AND person_id = $2`, s.id, person)] = *p
	})
	require.NoError(t, err)
	for _, person := range all[int64](s, `SELECT person_id FROM persons WHERE store_id = $1`, s.id) {
		of, err := s.TraitsOf(context.Background(), person, fields, asOf)
		require.NoError(t, err)
		name := one[string](s, `SELECT coalesce(customer_id, email) FROM persons WHERE store_id = $1 AND person_id = $2`, s.id, person)
		require.Empty(t, cmp.Diff(found[name], of), "%s alone", name)
	}
	return found
}

func TestTraitsAreWhatTheRecordsSay(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Products, commerce.Batch{Products: []commerce.Product{
		{ID: "10", Name: "Shirt", SKU: "S", Categories: []string{"Clothes", "Sale"}, Brands: []string{"Acme"}},
		{ID: "11", ParentID: "10", Name: "Red, L", SKU: "S-R-L", Categories: []string{"Red things"}},
	}})
	s.put(commerce.Customers, commerce.Batch{Customers: []commerce.Customer{
		{ID: "ann", Email: "ann@example.com", Role: "wholesale", Tags: []string{"vip", "early"}, City: "Graz"},
		{ID: "mute"},
	}})
	first, second := placed("1", "ann", at(2, 0)), placed("2", "ann", at(3, 0))
	first.Attribution = commerce.Attribution{Source: "news", Medium: "email"}
	first.Coupons, second.Coupons = []string{"ten", "five"}, []string{"ten"}
	first.Country, first.Postcode = "AT", "1010"
	second.Attribution = commerce.Attribution{Source: "Ads", Campaign: "spring"}
	second.Consent = commerce.Consent{State: commerce.ConsentSubscribed}
	b := whole(first, second)
	b.Lines[0].ProductID, b.Lines[0].VariantID, b.Lines[0].Name, b.Lines[0].SKU = "10", "11", "Shirt - Red, L", "S-R-L"
	b.Lines[1].ProductID, b.Lines[1].Name = "99", "Gone since"
	guest := placed("3", "", at(2, 0))
	guest.Email, guest.Country, guest.City = "guest@example.com", "DE", "Ulm"
	cancelled := placed("4", "", at(3, 0))
	cancelled.Email, cancelled.Country, cancelled.Status = guest.Email, "FR", "cancelled"
	s.put(commerce.Orders, b)
	s.put(commerce.Orders, whole(guest, cancelled))

	ann := segment.Person{
		Products: []string{"Gone since", "S", "S-R-L", "Shirt", "Shirt - Red, L"}, Categories: []string{"Clothes", "Red things", "Sale"},
		Brands: []string{"Acme"}, Coupons: []string{"five", "ten"}, FirstSource: "news", FirstMedium: "email",
		Sources: []string{"Ads", "news"}, Campaigns: []string{"spring"}, City: "Graz", Consent: "subscribed", Role: "wholesale",
		Tags: []string{"early", "vip"},
	}
	require.Empty(t, cmp.Diff(map[string]segment.Person{"ann": ann, "guest@example.com": {Country: "DE", City: "Ulm"}},
		s.traits(t, at(9, 0), allTraits()...)))
	require.Empty(t, cmp.Diff(map[string]segment.Person{"ann": {Brands: []string{"Acme"}, Coupons: []string{"five", "ten"}}},
		s.traits(t, at(3, 0), "coupons", "brands")), "no more than was asked for, of what came before")
	require.Empty(t, s.traits(t, at(9, 0)))
	require.ErrorContains(t, s.Traits(context.Background(), []string{"tags", "orders"}, at(9, 0), nil), `"orders"`)
}

// TestTraitsEqualThoseByHand draws records at random and goes through them one by one.
func TestTraitsEqualThoseByHand(t *testing.T) {
	base := newShop(t)
	shops := 0
	rapid.Check(t, func(rt *rapid.T) {
		shops++
		s := base.another(fmt.Sprint("traits ", shops))
		r := drawRecords(rt)
		s.put(commerce.Products, commerce.Batch{Products: r.products})
		s.put(commerce.Customers, commerce.Batch{Customers: r.customers})
		s.put(commerce.Orders, r.orders)
		asOf := at(10, 0)
		require.Empty(rt, cmp.Diff(r.byHand(asOf), s.traits(rt, asOf, allTraits()...), cmpopts.EquateEmpty()))
		for _, field := range allTraits() {
			require.Subset(rt, keys(r.byHand(asOf)), keys(s.traits(rt, asOf, field)), field)
		}
	})
}

func keys[T any](m map[string]T) []string {
	list := []string{}
	for key := range m {
		list = append(list, key)
	}
	return list
}

// records are a small shop.
type records struct {
	products  []commerce.Product
	customers []commerce.Customer
	orders    commerce.Batch
}

func drawRecords(rt *rapid.T) records {
	pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(rt, name) }
	some := func(name string) []string {
		list := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"b", "B", "a", "ä"}), rapid.ID[string]).Draw(rt, name)
		slices.Sort(list)
		return list
	}
	var r records
	for _, id := range []string{"1", "2", "3"} {
		r.products = append(r.products, commerce.Product{
			ID: id, ParentID: pick("parent", "", "", "1", "9"), Name: pick("name", "Oak", "Elm"), SKU: pick("sku", "", "s"+id),
			Categories: some("categories"), Brands: some("brands"),
		})
	}
	for _, id := range []string{"x", "y"} {
		r.customers = append(r.customers, commerce.Customer{
			ID: id, Country: pick("country", "", "DE"), City: pick("city", "", "Ulm"), Role: pick("role", "", "trade"), Tags: some("tags"),
			Consent: commerce.Consent{State: commerce.ConsentState(pick("consent", "", "subscribed", "unsubscribed"))},
		})
	}
	var all []commerce.Order
	for i := range rapid.IntRange(0, 6).Draw(rt, "orders") {
		o := placed(fmt.Sprint(i), pick("customer", "x", "y", "z"), at(rapid.IntRange(1, 12).Draw(rt, "day"), 3))
		o.Email, o.Status = "", pick("status", "completed", "completed", "cancelled")
		o.Country, o.Region = pick("order country", "", "AT", "CH"), pick("region", "", "W")
		o.Coupons = some("coupons")
		o.Attribution = commerce.Attribution{Source: pick("source", "", "s", "t"), Medium: pick("medium", "", "m"), Campaign: pick("campaign", "", "c")}
		all = append(all, o)
	}
	r.orders = whole(all...)
	for i := range r.orders.Lines {
		l := &r.orders.Lines[i]
		l.ProductID, l.VariantID, l.Name, l.SKU = pick("product", "", "1", "2", "7"), pick("variant", "", "3"), pick("line", "Oak", "Fir"), pick("line sku", "", "s1")
	}
	return r
}

// byHand looks at every record.
func (r records) byHand(asOf time.Time) map[string]segment.Person {
	all := map[string]*segment.Person{}
	of := func(id string) *segment.Person {
		if all[id] == nil {
			all[id] = &segment.Person{}
		}
		return all[id]
	}
	for _, c := range r.customers {
		p := of(c.ID)
		p.Country, p.City, p.Role, p.Tags, p.Consent = c.Country, c.City, c.Role, c.Tags, string(c.Consent.State)
	}
	counted := slices.DeleteFunc(slices.Clone(r.orders.Orders), func(o commerce.Order) bool {
		return o.Status != "completed" || !o.PlacedAt.Before(asOf)
	})
	slices.SortFunc(counted, func(a, b commerce.Order) int {
		if c := a.PlacedAt.Compare(b.PlacedAt); c != 0 {
			return c
		}
		return compareText(a.ID, b.ID)
	})
	seen := map[string]bool{}
	for _, o := range counted {
		p := of(o.CustomerID)
		if !seen[o.CustomerID] {
			p.FirstSource, p.FirstMedium, p.FirstCampaign = o.Attribution.Source, o.Attribution.Medium, o.Attribution.Campaign
		}
		seen[o.CustomerID] = true
		add(&p.Coupons, o.Coupons...)
		add(&p.Sources, o.Attribution.Source)
		add(&p.Campaigns, o.Attribution.Campaign)
		for _, l := range r.orders.Lines {
			if l.OrderID == o.ID {
				add(&p.Products, l.Name, l.SKU)
				r.describe(p, l.ProductID, true)
				r.describe(p, l.VariantID, true)
			}
		}
	}
	for _, o := range slices.Backward(counted) {
		if p := of(o.CustomerID); p.Country+p.Region+p.City+p.Postcode == "" {
			p.Country, p.Region = o.Country, o.Region
		}
	}
	named := map[string]segment.Person{}
	for id, p := range all {
		if !cmp.Equal(*p, segment.Person{}, cmpopts.EquateEmpty()) {
			named[id] = *p
		}
	}
	return named
}

func (r records) describe(p *segment.Person, id string, parents bool) {
	for _, product := range r.products {
		if product.ID != id {
			continue
		}
		add(&p.Products, product.SKU)
		if product.ParentID == "" || !parents {
			add(&p.Products, product.Name)
		}
		add(&p.Categories, product.Categories...)
		add(&p.Brands, product.Brands...)
		if parents && product.ParentID != "" {
			r.describe(p, product.ParentID, false)
		}
	}
}

func compareText(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

// add puts texts into a sorted list of different ones.
func add(list *[]string, texts ...string) {
	for _, text := range texts {
		if at, found := slices.BinarySearch(*list, text); !found && text != "" {
			*list = slices.Insert(slices.Clone(*list), at, text)
		}
	}
}

// TestTraitsOfWhoIsGoneAreNone: a closed account says nothing any more.
func TestTraitsOfWhoIsGoneAreNone(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Customers, commerce.Batch{Customers: []commerce.Customer{{ID: "ann", Email: "ann@example.com", Role: "trade", City: "Graz"}}})
	require.Len(t, s.traits(t, at(9, 0), "role", "city"), 1)
	_, err := s.Commit(context.Background(), sweepOf(commerce.Customers))
	require.NoError(t, err)
	_, err = s.EndSweep(context.Background(), commerce.Customers, []string{"ann"})
	require.NoError(t, err)
	require.Empty(t, s.traits(t, at(9, 0), "role", "city"))
}
