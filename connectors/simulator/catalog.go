package simulator

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Product is something the shop sells, or a variation of it (then ParentID is set).
type Product struct {
	ID         int64
	ParentID   int64
	Name       string
	SKU        string
	Status     string
	Price      Amount
	Cost       Amount
	HasCost    bool
	Category   string
	Brand      string
	Options    []Option   // chosen, of a variation
	Attributes []Property // offered
	Variable   bool
	CreatedAt  time.Time
	ModifiedAt time.Time
}

// Property is an attribute that a product has, with what there is to choose.
type Property struct {
	Name    string
	Options []string
	Varies  bool // its options make the variations
}

// Coupon is a discount code.
type Coupon struct {
	ID         int64
	Code       string
	Kind       string // "percent" or "fixed_cart"
	Amount     Amount // per cents in hundredths for a percent coupon; else money
	FreeShip   bool
	Uses       int
	CreatedAt  time.Time
	ModifiedAt time.Time
	ExpiresAt  time.Time
}

var categories = []struct {
	name  string
	nouns []string
	price float64
}{
	{"Coffee", []string{"Espresso Beans", "House Blend", "Decaf", "Single Origin", "Cold Brew"}, 17},
	{"Tea", []string{"Rooibos", "Sencha", "Chai", "Earl Grey", "Oolong"}, 11},
	{"Brewing", []string{"Kettle", "Dripper", "Burr Grinder", "Scale", "French Press"}, 82},
	{"Cups", []string{"Mug", "Cup Set", "Tumbler", "Saucer"}, 22},
	{"Books", []string{"Field Guide", "Almanac", "Brew Book"}, 16},
	{"Gifts & Kits", []string{"Sampler", "Starter Kit", "Gift Box"}, 36},
	{"Apparel", []string{"T-Shirt", "Beanie", "Apron"}, 27},
}

var (
	adjectives = []string{"Morning", "Night Owl", "Harbour", "Copper", "Slow", "Field", "Bright", "Café"}
	brands     = []string{"Finch Roasters", "Alder Works", "Northlight", "Copperleaf", "Tea & Tide"}
	colours    = []string{"Black", "Red", "Blue"}
	sizes      = []string{"S", "M", "L"}
)

// stock fills the shelves and prints the coupons.
func (s *Shop) stock() {
	r := s.opts.random(streamStock, 0, 0)
	at := s.opts.Start.AddDate(0, -3, 0)
	for _, category := range categories {
		for j, noun := range category.nouns {
			for k := range 2 {
				p := &Product{Name: adjectives[(j*3+k*5+len(noun))%len(adjectives)] + " " + noun, Category: category.name}
				p.Price = s.price(category.price * (0.6 + 0.9*r.Float64()))
				at = at.Add(time.Duration(1+r.IntN(40)) * time.Hour)
				s.shelve(r, p, at)
			}
		}
	}
	for _, c := range []Coupon{
		{Code: "welcome10", Kind: "percent", Amount: 1000},
		{Code: "spring15", Kind: "percent", Amount: 1500},
		{Code: "fiveoff", Kind: "fixed_cart", Amount: s.price(5)},
		{Code: "vip20", Kind: "percent", Amount: 2000},
		{Code: "freeship", Kind: "fixed_cart", FreeShip: true},
		{Code: "thankyou100", Kind: "percent", Amount: 10000, FreeShip: true},
		{Code: "summer-2025", Kind: "percent", Amount: 1000, ExpiresAt: s.opts.Start.AddDate(1, 0, 0)},
	} {
		s.lastPost++
		c.ID, c.CreatedAt, c.ModifiedAt = s.lastPost, at, s.stamp(at)
		s.coupons.put(&c)
	}
}

// price turns units of money into an amount, never zero.
func (s *Shop) price(units float64) Amount {
	return max(1, Amount(math.Round(units*math.Pow10(decimals(s.opts.Currency)))))
}

func (s *Shop) shelve(r *rand.Rand, p *Product, at time.Time) {
	s.lastPost++
	p.ID, p.SKU, p.Status = s.lastPost, fmt.Sprintf("AF-%03d", s.lastPost), "publish"
	p.Brand = brands[r.IntN(len(brands))]
	p.CreatedAt, p.ModifiedAt = at, s.stamp(at.Add(24*time.Hour))
	if p.HasCost = r.IntN(10) < 7; p.HasCost {
		p.Cost = Amount(float64(p.Price) * (0.3 + 0.35*r.Float64()))
	}
	p.Attributes = []Property{{Name: "Origin", Options: []string{[]string{"Germany", "Ethiopia", "Portugal"}[r.IntN(3)]}}}
	if r.IntN(30) == 0 {
		p.Status = []string{"private", "draft"}[r.IntN(2)]
	}
	if p.Category == "Apparel" {
		p.Variable, p.Status = true, "publish"
		p.Attributes = []Property{{Name: "Colour", Options: colours, Varies: true}, {Name: "Size", Options: sizes, Varies: true}}
	}
	s.products.put(p)
	if p.Variable {
		s.shelveVariations(p)
	}
}

func (s *Shop) shelveVariations(p *Product) {
	for i, colour := range colours {
		for j, size := range sizes {
			s.lastPost++
			v := &Product{
				ID: s.lastPost, ParentID: p.ID, Name: p.Name, SKU: fmt.Sprintf("%s-%s%s", p.SKU, colour[:3], size), Status: "publish",
				Price: p.Price + s.price(float64(i+2*j)/2) - 1, Cost: p.Cost, HasCost: p.HasCost, CreatedAt: p.CreatedAt, ModifiedAt: p.ModifiedAt,
				Options: []Option{{"Colour", colour}, {"Size", size}},
			}
			s.products.put(v)
		}
	}
}

// Products lists every product and variation by ascending id.
func (s *Shop) Products() []*Product {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.products.all()
}

// Product returns one product or variation, or nil.
func (s *Shop) Product(id int64) *Product {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.products.get(id)
}

// Coupons lists every coupon by ascending id.
func (s *Shop) Coupons() []*Coupon {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.coupons.all()
}
