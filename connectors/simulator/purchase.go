package simulator

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// purchase places the order of one event, sometimes after an attempt that failed, and schedules what becomes of it.
func (s *Shop) purchase(e event, p *person) {
	r := s.opts.random(streamBasket, e.Person, p.Bought)
	value := gammaDraw(r, s.parameters.P) / p.Spend
	if r.IntN(100) < 11 {
		s.attempt(e, p, r, value)
	}
	s.purchases++
	o := s.draft(p, r, value)
	s.oddities(o, p, r)
	s.pay(o, r)
	s.place(o, e.At)
	s.afterwards(o, e, r)
}

// attempt is an order that comes to nothing.
func (s *Shop) attempt(e event, p *person, r *rand.Rand, value float64) {
	o := s.draft(p, r, value)
	o.Status = []string{Cancelled, Failed, Pending, Draft}[pick(r, []int{45, 35, 14, 6})]
	s.place(o, e.At)
	if o.Status == Cancelled && r.IntN(4) == 0 {
		s.push(event{At: e.At.Add(90 * time.Hour), Kind: discard, Order: o.ID})
	}
}

// draft puts a basket of about the value together, with tax, shipping and source.
func (s *Shop) draft(p *person, r *rand.Rand, value float64) *Order {
	o := &Order{
		CustomerID: p.Account, Email: p.Email, Billing: p.Billing, Currency: s.opts.Currency, Status: Processing,
		Via: []string{"checkout", "store-api", "admin"}[pick(r, []int{45, 45, 10})], Payment: []string{"stripe", "paypal", "cod", "bacs"}[pick(r, []int{50, 30, 10, 10})],
		Attribution: attribution(r), TaxRate: taxOf(p.Billing),
	}
	if p.Account != 0 && r.IntN(12) == 0 {
		o.CustomerID = 0 // did not log in this time
	}
	if o.Via == "admin" {
		o.Attribution = commerce.Attribution{}
	}
	o.Lines = s.basket(r, s.price(value))
	if code := couponFor(r, p.Bought); code != "" {
		s.discount(o, code)
	}
	switch r.IntN(60) {
	case 0:
		o.Fees = append(o.Fees, Fee{Name: "Loyalty discount", Total: -s.price(3)})
	case 1, 2:
		o.Fees = append(o.Fees, Fee{Name: "Gift wrap", Total: s.price(4)})
	}
	s.ship(o)
	return o
}

// basket fills up with products until the value is reached; the price of the last line is bent to meet it.
func (s *Shop) basket(r *rand.Rand, value Amount) []Line {
	var lines []Line
	rest := value
	for len(lines) < 6 && (rest > 0 || len(lines) == 0) {
		p := s.offer(r, rest)
		quantity := max(1, int64(rest/max(p.Price, 1))/3)
		line := s.line(p, min(quantity, 9), p.Price)
		if lastUnit := rest / Amount(line.Quantity); rest-line.Subtotal < s.price(8) && lastUnit > p.Price/2 {
			line = s.line(p, line.Quantity, lastUnit)
			rest = 0
		}
		rest -= line.Subtotal
		lines = append(lines, line)
	}
	return lines
}

// offer chooses a product that can be bought and is not much dearer than the rest.
func (s *Shop) offer(r *rand.Rand, rest Amount) *Product {
	rows := s.products.rows
	var cheapest *Product
	for range 12 {
		p := rows[r.IntN(len(rows))]
		if p.Variable || p.Status != "publish" {
			continue
		}
		if cheapest == nil || p.Price < cheapest.Price {
			cheapest = p
		}
		if p.Price <= rest+rest/4 {
			return p
		}
	}
	if cheapest == nil {
		return rows[0]
	}
	return cheapest
}

// line makes an order line of a product at a unit price.
func (s *Shop) line(p *Product, quantity int64, unit Amount) Line {
	l := Line{ProductID: p.ID, SKU: p.SKU, Name: p.Name, Quantity: quantity, HasCost: p.HasCost, Options: p.Options}
	if p.ParentID != 0 {
		l.ProductID, l.VariationID, l.ParentName = p.ParentID, p.ID, p.Name
		values := make([]string, len(p.Options))
		for i, o := range p.Options {
			values[i] = o.Value
		}
		l.Name = p.Name + " - " + strings.Join(values, ", ")
	}
	l.Subtotal = unit * Amount(quantity)
	l.Total = l.Subtotal
	l.Cost = p.Cost * Amount(quantity)
	return l
}

func couponFor(r *rand.Rand, bought int64) string {
	u := r.IntN(100)
	switch {
	case bought == 0 && u < 14:
		return "welcome10"
	case bought > 4 && u < 12:
		return "vip20"
	case u >= 95:
		return []string{"spring15", "fiveoff", "freeship", "summer-2025"}[r.IntN(4)]
	default:
		return ""
	}
}

// discount applies a coupon to the lines.
func (s *Shop) discount(o *Order, code string) {
	c := s.couponByCode(code)
	if c == nil {
		return
	}
	var goods Amount
	for _, l := range o.Lines {
		goods += l.Subtotal
	}
	rest := min(c.Amount, goods)
	for i := range o.Lines {
		l := &o.Lines[i]
		off := (l.Subtotal*c.Amount + 5000) / 10000
		if c.Kind != "percent" {
			off = min(rest, l.Subtotal)
			rest -= off
		}
		l.Total = l.Subtotal - off
	}
	o.Coupons = append(o.Coupons, CouponUse{CouponID: c.ID, Code: c.Code, Kind: c.Kind, Nominal: c.Amount, Discount: o.Discount()})
}

func (s *Shop) couponByCode(code string) *Coupon {
	for _, c := range s.coupons.rows {
		if c.Code == code {
			return c
		}
	}
	return nil
}

// ship sets the shipping fee: free above a hundred or by coupon, dearer abroad.
func (s *Shop) ship(o *Order) {
	var goods Amount
	for _, l := range o.Lines {
		goods += l.Total
	}
	o.Shipping.Total = s.price(6.5)
	if o.Billing.Country != "US" {
		o.Shipping.Total = s.price(18)
	}
	if goods >= s.price(100) {
		o.Shipping.Total = 0
	}
	for _, use := range o.Coupons {
		if c := s.couponByCode(use.Code); c != nil && c.FreeShip {
			o.Shipping.Total = 0
		}
	}
}

func taxOf(a Address) TaxRate {
	switch a.Country + a.Region {
	case "USNY":
		return TaxRate{ID: 1, Code: "US-NY-NY TAX-1", Label: "NY Tax", PerMille: 80}
	case "USME":
		return TaxRate{ID: 2, Code: "US-ME-ME TAX-1", Label: "ME Tax", PerMille: 55}
	default:
		return TaxRate{}
	}
}

// attribution draws how the buyer came.
func attribution(r *rand.Rand) commerce.Attribution {
	a := []commerce.Attribution{
		{SourceType: "typein", Source: "(direct)"},
		{SourceType: "organic", Source: "google", Medium: "organic"},
		{SourceType: "organic", Source: "bing", Medium: "organic"},
		{SourceType: "utm", Source: "google", Medium: "cpc", Campaign: "spring_sale"},
		{SourceType: "utm", Source: "facebook", Medium: "paid_social", Campaign: "lookalike_1", Content: "video-a"},
		{SourceType: "utm", Source: "newsletter", Medium: "email", Campaign: "winback", Referrer: "https://mail.example/"},
		{SourceType: "referral", Source: "blog.example.org", Medium: "referral", Referrer: "https://blog.example.org/coffee"},
		{},
	}[pick(r, []int{25, 20, 5, 15, 10, 12, 8, 5})]
	if a.SourceType != "" {
		a.Device = []string{"Desktop", "Mobile", "Tablet"}[pick(r, []int{45, 48, 7})]
	}
	return a
}

// oddities makes every so many orders odd, so that small shops have them too.
func (s *Shop) oddities(o *Order, p *person, r *rand.Rand) {
	n := s.purchases
	switch {
	case n%400 == 37: // imported without any address
		o.CustomerID, o.Email, o.Via, o.Attribution = 0, "", "admin", commerce.Attribution{}
	case n%400 == 61:
		o.Email, o.Via, o.Attribution = "", "admin", commerce.Attribution{}
	case n%67 == 11: // imports keep spaces
		o.Email, o.Via = " "+o.Email+"  ", "admin"
	case n%29 == 7:
		o.Email = strings.ToUpper(o.Email)
	case n%29 == 19:
		o.Email = strings.ToUpper(o.Email[:1]) + o.Email[1:]
	}
	if n%211 == 45 {
		o.Currency = "EUR"
		if s.opts.Currency == "EUR" {
			o.Currency = "USD"
		}
	}
	if n%150 == 99 {
		for i := range o.Lines {
			o.Lines[i].Total = o.Lines[i].Subtotal
		}
		o.Fees, o.Coupons = nil, nil
		s.discount(o, "thankyou100")
		s.ship(o)
	}
	if n%150 == 120 && p.Bought > 0 {
		s.discountMore(o, r)
	}
}

// discountMore adds a second coupon, as some shops allow.
func (s *Shop) discountMore(o *Order, r *rand.Rand) {
	c := s.couponByCode("fiveoff")
	i := r.IntN(len(o.Lines))
	l := &o.Lines[i]
	if off := min(c.Amount, l.Total); len(o.Coupons) == 1 && off > 0 {
		l.Total -= off
		o.Coupons = append(o.Coupons, CouponUse{CouponID: c.ID, Code: c.Code, Kind: c.Kind, Nominal: c.Amount, Discount: off})
	}
}

// pay decides the first status and the moment of payment; goods paid on delivery have none.
func (s *Shop) pay(o *Order, r *rand.Rand) {
	if o.Payment == "bacs" && r.IntN(2) == 0 {
		o.Status = OnHold
	}
}

// place gives the order its ids, taxes and times and puts it into the shop.
func (s *Shop) place(o *Order, at time.Time) {
	s.lastPost++
	o.ID = s.lastPost
	for i := range o.Lines {
		s.lastItem++
		l := &o.Lines[i]
		l.ID, l.SubtotalTax, l.TotalTax = s.lastItem, o.TaxRate.of(l.Subtotal), o.TaxRate.of(l.Total)
	}
	s.lastItem++
	o.Shipping.ID, o.Shipping.Tax = s.lastItem, o.TaxRate.of(o.Shipping.Total)
	for i := range o.Fees {
		s.lastItem++
		o.Fees[i].ID, o.Fees[i].Tax = s.lastItem, o.TaxRate.of(o.Fees[i].Total)
	}
	if o.TaxRate.ID != 0 {
		s.lastItem++
		o.TaxRate.ItemID = s.lastItem
	}
	for i := range o.Coupons {
		s.lastItem++
		o.Coupons[i].ID = s.lastItem
	}
	s.lastMeta += 50
	o.MetaID = s.lastMeta
	o.PlacedAt, o.ModifiedAt = at, s.stamp(at)
	if (o.Status == Processing || o.Status == Completed) && o.Payment != "cod" && o.PaidAt.IsZero() {
		o.PaidAt = at.Add(2 * time.Minute)
	}
	if o.Status == Completed && o.CompletedAt.IsZero() {
		o.CompletedAt = at
	}
	s.orders.put(o)
	s.indexMail(o)
	s.countCoupons(o)
	if c := s.customers.get(o.CustomerID); c != nil && !c.Paying && (o.Status == Processing || o.Status == Completed) {
		s.customers.edit(c.ID, func(c *Customer) { c.Paying = true })
	}
}

func (s *Shop) countCoupons(o *Order) {
	for _, use := range o.Coupons {
		s.coupons.edit(use.CouponID, func(c *Coupon) { c.Uses++ })
	}
}

func (t TaxRate) of(a Amount) Amount {
	tax := a * Amount(t.PerMille)
	if tax < 0 {
		return (tax - 500) / 1000
	}
	return (tax + 500) / 1000
}

// afterwards schedules what becomes of a purchase.
func (s *Shop) afterwards(o *Order, e event, r *rand.Rand) {
	hours := func(from, spread int) time.Time {
		return e.At.Add(time.Duration((from+r.IntN(spread))*3600+r.IntN(3600)) * time.Second)
	}
	if o.Status == OnHold {
		s.push(event{At: hours(20, 70), Kind: release, Order: o.ID})
		s.push(event{At: hours(100, 72), Kind: complete, Order: o.ID})
	} else {
		s.push(event{At: hours(12, 80), Kind: complete, Order: o.ID})
	}
	if r.IntN(100) < 9 {
		s.push(event{At: hours(200, 400), Kind: giveBack, Order: o.ID, Person: int64(pick(r, []int{50, 28, 12, 10}))})
	}
	if r.IntN(100) < 8 {
		s.push(event{At: hours(240, 600), Kind: review, Order: o.ID, Person: e.Person})
	}
	if r.IntN(250) == 0 {
		s.push(event{At: hours(300, 2000), Kind: discard, Order: o.ID})
	}
}
