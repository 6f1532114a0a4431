package simulator

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Address is a billing address.
type Address struct {
	FirstName, LastName, Street, City, Region, Postcode, Country, Phone string
}

// Customer is a registered account of the shop.
type Customer struct {
	ID         int64
	Username   string
	Email      string
	FirstName  string
	LastName   string
	Role       string
	Billing    Address
	CreatedAt  time.Time
	ModifiedAt time.Time // zero where the account was never changed
	Paying     bool
	Meta       []Meta
}

// Meta is one named value on an account, any JSON.
type Meta struct {
	ID    int64
	Key   string
	Value json.RawMessage
}

// SubscriberState is what the shop's newsletter knows of somebody.
type SubscriberState string

// The states of a subscriber. Unknown means that the e-mail platform has never heard of the person.
const (
	Subscribed   SubscriberState = "subscribed"
	Unsubscribed SubscriberState = "unsubscribed"
	Blocklisted  SubscriberState = "blocklisted"
	Unknown      SubscriberState = "unknown"
)

// Subscriber is somebody as an e-mail platform may know them.
type Subscriber struct {
	Email string // normalised
	Name  string
	State SubscriberState
	Since time.Time
}

// Subscribers lists everybody who has come so far and has an address, in order of arrival, each with the state of the
// newsletter; a platform holds those that are not Unknown. Some of them never buy.
func (s *Shop) Subscribers() []Subscriber {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]Subscriber, 0, len(s.people))
	for _, p := range s.people {
		list = append(list, Subscriber{
			Email: commerce.Email(p.Email),
			Name:  p.Billing.FirstName + " " + p.Billing.LastName,
			State: p.Newsletter,
			Since: p.Arrived,
		})
	}
	return list
}

// Customers lists every account by ascending id.
func (s *Shop) Customers() []*Customer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.customers.all()
}

// Customer returns one account, or nil.
func (s *Shop) Customer(id int64) *Customer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.customers.get(id)
}

// person is somebody of the history: how they buy, and who they are.
type person struct {
	Arrived    time.Time
	Rate       float64 // of Gamma(R, 1); purchases a day once divided by Alpha
	Dropout    float64
	Spend      float64 // rate of the gamma distribution of order values
	Habit      habit
	Email      string
	Billing    Address
	Newsletter SubscriberState
	Account    int64 // 0 for guests
	Bought     int64 // purchases so far
}

// habit says how a person deals with the shop.
type habit int

const (
	registered habit = iota // has an account from the start
	guest                   // never makes an account
	turncoat                // a guest who registers later; the shop links the old orders
	loose                   // a guest who registers later; the old orders stay a guest's
	browser                 // registers and never buys
	reader                  // reads the newsletter and nothing else
)

type name struct{ first, last, mail string }

var firstNames = []string{
	"Amelia", "Omar", "Hannah", "Liam", "Sofia", "Jürgen", "Priya", "Mason", "Chloe", "Theo", "Zoë", "José", "Ivan",
	"Siobhán", "Łukasz", "Mei", "Noah", "Aisha", "Lucas", "Emma", "Nora", "Mia", "Ava", "Olivia", "Björn", "Inês", "Kwame", "Leila",
}

var lastNames = []string{
	"Davis", "Kim", "Nowak", "Patel", "Rossi", "Müller", "Moreau", "O'Brien", "García", "van den Berg", "Li", "Silva",
	"Haddad", "Lee-Jones", "Anders", "Dubois", "Khan", "Brown", "Smith", "Johnson", "Østergård", "Çelik", "Mensah", "Farah",
}

var scriptNames = []name{
	{"さくら", "田中", "sakura.tanaka"},
	{"Мария", "Иванова", "maria.ivanova"},
	{"عمر", "حداد", "omar.haddad"},
	{"Ζωή", "Παπαδοπούλου", "zoi.papadopoulou"},
	{"민준", "김", "minjun.kim"},
	{"小明", "王", "xiaoming.wang"},
	{"שרה", "לוי", "sara.levi"},
}

var mailDomains = []string{"mail.example", "inbox.example", "post.example", "work.example.com", "example.org"}

var places = []Address{
	{City: "New York", Region: "NY", Postcode: "10001", Country: "US"},
	{City: "Brooklyn", Region: "NY", Postcode: "11201", Country: "US"},
	{City: "Los Angeles", Region: "CA", Postcode: "90001", Country: "US"},
	{City: "San Francisco", Region: "CA", Postcode: "94103", Country: "US"},
	{City: "Portland", Region: "ME", Postcode: "04101", Country: "US"},
	{City: "Chicago", Region: "IL", Postcode: "60601", Country: "US"},
	{City: "Austin", Region: "TX", Postcode: "78701", Country: "US"},
	{City: "London", Postcode: "SW1A 1AA", Country: "GB"},
	{City: "Paris", Postcode: "75001", Country: "FR"},
	{City: "Berlin", Region: "DE-BE", Postcode: "10115", Country: "DE"},
	{City: "東京", Region: "JP13", Postcode: "100-0001", Country: "JP"},
}

// newPerson draws the i-th person; the same for the same seed.
func (s *Shop) newPerson(i int64, at time.Time) *person {
	r := s.opts.random(streamPerson, i, 0)
	p := &person{Arrived: at}
	p.Rate, p.Dropout = s.parameters.draw(r)
	p.Spend = gammaDraw(r, s.parameters.Q) / s.parameters.Gamma
	p.Habit = drawHabit(r, max(s.opts.GuestShare, 0))
	n := drawName(r)
	p.Email = fmt.Sprintf("%s.%d@%s", n.mail, i, mailDomains[r.IntN(len(mailDomains))])
	p.Billing = places[pick(r, []int{9, 8, 8, 7, 4, 8, 6, 3, 3, 3, 2})]
	p.Billing.FirstName, p.Billing.LastName = n.first, n.last
	p.Billing.Street = fmt.Sprintf("%d Main St", 1+r.IntN(900))
	p.Billing.Phone = fmt.Sprintf("+1555%07d", i)
	p.Newsletter = []SubscriberState{Subscribed, Unsubscribed, Blocklisted, Unknown}[pick(r, []int{56, 9, 2, 33})]
	if p.Habit == reader {
		p.Newsletter = Subscribed
	}
	return p
}

func drawHabit(r *rand.Rand, guests float64) habit {
	u := r.Float64()
	switch {
	case u < 0.03:
		return browser
	case u < 0.05:
		return reader
	case u < 0.05+0.95*guests*0.8:
		return guest
	case u < 0.05+0.95*guests*0.92:
		return turncoat
	case u < 0.05+0.95*guests:
		return loose
	default:
		return registered
	}
}

func drawName(r *rand.Rand) name {
	if r.IntN(25) == 0 {
		return scriptNames[r.IntN(len(scriptNames))]
	}
	first, last := firstNames[r.IntN(len(firstNames))], lastNames[r.IntN(len(lastNames))]
	return name{first, last, plain(first) + "." + plain(last)}
}

var plainLetters = strings.NewReplacer("ü", "u", "ë", "e", "é", "e", "á", "a", "ł", "l", "ö", "o", "ê", "e", "í", "i", "ø", "o", "å", "a",
	"ç", "c", "'", "", " ", "-")

func plain(s string) string {
	return plainLetters.Replace(strings.ToLower(strings.Replace(s, "Ł", "l", 1)))
}

// hire makes the accounts of those who run the shop.
func (s *Shop) hire() {
	for i, role := range []string{"administrator", "shop_manager", "customer"} {
		s.lastUser++
		user := []string{"shopadmin", "shopmanager", "keyholder"}[i]
		s.customers.put(&Customer{ID: s.lastUser, Username: user, Email: user + "@alderfinch.example", Role: role, CreatedAt: s.opts.Start})
	}
}

// register makes an account for the person.
func (s *Shop) register(p *person, now time.Time) *Customer {
	s.lastUser++
	c := &Customer{
		ID: s.lastUser, Username: fmt.Sprintf("%s%d", plain(strings.SplitN(p.Email, ".", 2)[0]), s.lastUser), Email: commerce.Email(p.Email),
		FirstName: p.Billing.FirstName, LastName: p.Billing.LastName, Role: "customer", Billing: p.Billing, CreatedAt: now, ModifiedAt: s.stamp(now),
	}
	if s.lastUser%61 == 0 {
		c.Role = "subscriber"
	}
	p.Account = c.ID
	s.accounts[c.Email] = c.ID
	s.customers.put(c)
	return c
}
