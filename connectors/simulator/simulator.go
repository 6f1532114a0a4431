// Package simulator invents a shop: a history with known parameters, the same for the same seed. People arrive, buy by
// a BG/NBD process, spend by a gamma-gamma process, return things, write reviews, register, and the shop can be changed
// by hand as shops are changed. Each connector's fake speaks its own dialect over the same Shop, and the Oracle says in
// the words of package commerce what a perfect source would deliver, so that a database can be held against it.
//
// All people are fictional and live at example domains.
package simulator

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// DefaultAsOf is where a history ends unless the options say otherwise.
var DefaultAsOf = time.Date(2026, time.November, 2, 14, 0, 0, 0, time.UTC)

// Options describe the shop to invent. The zero value is a shop of about 2,000 people and 6,000 purchases over the two
// years before DefaultAsOf, in New York and US dollars.
type Options struct {
	Seed      uint64    // 0 means 1
	Customers int       // people who arrive during the history; 0 means 2,000, negative none
	Orders    int       // purchases wanted in the history, hit within a few per cent; 0 means three a person
	Start     time.Time // 0 means two years before AsOf
	AsOf      time.Time // 0 means what Clock says, or DefaultAsOf
	Currency  string    // ISO 4217; "" means USD
	TimeZone  string    // as commerce.Location understands it; "" means America/New_York
	Name      string    // "" means Alder & Finch
	// GuestShare is the share of people who buy without an account; 0 means 0.3, negative none.
	GuestShare float64
	// Clock, where set, makes the shop live: its time is the clock's plus every Advance. Otherwise the shop stands at
	// AsOf, each change by hand takes one second, and a change of an account, of which programs make thousands, none.
	Clock func() time.Time
}

// Parameters are the truth behind the history: people buy at rates from Gamma(R, Alpha) a day, stop after a purchase
// with a probability from Beta(A, B), and spend amounts from Gamma(P, v) with v from Gamma(Q, Gamma).
type Parameters struct {
	R, Alpha, A, B float64
	P, Q, Gamma    float64
}

// Shop is the invented shop. It is safe for concurrent use. What its methods return never changes afterwards: a change
// of a record makes a new one.
type Shop struct {
	mu         sync.RWMutex
	opts       Options
	loc        *time.Location
	parameters Parameters
	generation uint64

	at    time.Time     // where the history stands
	shift time.Duration // what was advanced on a live clock

	lastPost, lastUser, lastReview, lastItem, lastMeta int64

	customers table[Customer]
	products  table[Product]
	coupons   table[Coupon]
	orders    table[Order]
	reviews   table[Review]

	// Found by address, in large shops too; what is found is checked, for it may have changed.
	mails    map[string][]int64 // orders
	accounts map[string]int64

	people    []*person
	queue     queue
	purchases int64 // made so far; every so many of them are odd in some way
}

// New invents a shop. It panics on a time zone that does not exist, which is a mistake of the caller.
func New(opts Options) *Shop {
	s := blank(opts)
	s.stock()
	s.hire()
	s.parameters = s.opts.calibrate()
	if s.opts.Customers > 0 {
		s.push(event{At: s.opts.arrival(0), Kind: arrive})
	}
	s.run(s.opts.AsOf)
	return s
}

// blank returns a shop with its options completed and nothing in it.
func blank(opts Options) *Shop {
	opts = opts.complete()
	loc, err := commerce.Location(opts.TimeZone)
	if err != nil {
		panic("simulator: time zone " + opts.TimeZone + ": " + err.Error())
	}
	s := &Shop{opts: opts, loc: loc, at: opts.Start, lastPost: 9, lastReview: 2900, mails: map[string][]int64{}, accounts: map[string]int64{}}
	s.customers.id = func(c *Customer) int64 { return c.ID }
	s.products.id = func(p *Product) int64 { return p.ID }
	s.coupons.id = func(c *Coupon) int64 { return c.ID }
	s.orders.id = func(o *Order) int64 { return o.ID }
	s.reviews.id = func(r *Review) int64 { return r.ID }
	return s
}

func (o Options) complete() Options {
	o.Seed = cmp.Or(o.Seed, 1)
	o.Customers = cmp.Or(o.Customers, 2000)
	o.Orders = cmp.Or(o.Orders, 3*o.Customers)
	o.Currency = cmp.Or(o.Currency, "USD")
	o.TimeZone = cmp.Or(o.TimeZone, "America/New_York")
	o.Name = cmp.Or(o.Name, "Alder & Finch")
	o.GuestShare = cmp.Or(o.GuestShare, 0.3)
	if o.AsOf.IsZero() {
		o.AsOf = DefaultAsOf
		if o.Clock != nil {
			o.AsOf = o.Clock()
		}
	}
	o.AsOf = o.AsOf.UTC().Truncate(time.Second)
	if o.Start.IsZero() {
		o.Start = o.AsOf.AddDate(-2, 0, 0)
	}
	o.Start = o.Start.UTC().Truncate(time.Second)
	return o
}

// Options returns the options with every default filled in.
func (s *Shop) Options() Options {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.opts
}

// SetCurrency changes the shop's currency, as an owner may: old orders keep theirs, with the same digits in the smallest
// unit of the new one.
func (s *Shop) SetCurrency(currency string) {
	s.change(func(time.Time) { s.opts.Currency = currency })
}

// SetTimeZone moves the shop: what is stored from now on follows the new wall clock.
func (s *Shop) SetTimeZone(name string) error {
	loc, err := commerce.Location(name)
	if err != nil {
		return fmt.Errorf("time zone: %w", err)
	}
	s.change(func(time.Time) { s.opts.TimeZone, s.loc = name, loc })
	return nil
}

// Parameters returns the truth behind the history.
func (s *Shop) Parameters() Parameters { return s.parameters }

// Location is the shop's time zone.
func (s *Shop) Location() *time.Location {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.loc
}

// Now is the shop's own time, to the second, in UTC.
func (s *Shop) Now() time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.now()
}

func (s *Shop) now() time.Time {
	if s.opts.Clock == nil {
		return s.at
	}
	return s.opts.Clock().UTC().Add(s.shift).Truncate(time.Second)
}

// Generation counts changes: while it stays, everything that the shop returns stays.
func (s *Shop) Generation() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.generation
}

// Advance lets days pass: the process goes on as it would have.
func (s *Shop) Advance(days int) { s.Wait(time.Duration(days) * 24 * time.Hour) }

// Wait lets time pass: the process goes on as it would have.
func (s *Shop) Wait(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until := s.now().Add(d)
	if s.opts.Clock != nil {
		s.shift += d
	}
	s.run(until)
	s.generation++
}

// change runs one change by hand, a second later than the last.
func (s *Shop) change(f func(now time.Time)) { s.changeAfter(time.Second, f) }

func (s *Shop) changeAfter(pause time.Duration, f func(now time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opts.Clock == nil {
		s.at = s.at.Add(pause)
	}
	f(s.now())
	s.generation++
}
