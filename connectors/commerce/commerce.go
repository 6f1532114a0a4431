// Package commerce is the vocabulary that every other package speaks: shops, customers, orders, refunds, products,
// reviews and coupons as plain values. It imports no other package of ours.
//
// Identifiers are the shop's own, as text, and unique only within one shop and one resource. Amounts are decimals in
// the currency named beside them, never floats. Times are moments in UTC; days and months are the shop's own time zone
// and are derived where they are needed.
package commerce

import (
	"strings"
	"time"
)

// Resource names a kind of record that a shop keeps.
type Resource string

// The resources, in the order in which they are pulled: whoever refers comes after whom he refers to.
const (
	Products  Resource = "products"
	Coupons   Resource = "coupons"
	Customers Resource = "customers"
	Orders    Resource = "orders" // with lines and refunds
	Reviews   Resource = "reviews"
)

// Resources lists every resource in pulling order.
func Resources() []Resource { return []Resource{Products, Coupons, Customers, Orders, Reviews} }

// Shop says which shop answered: identity, currency and time zone.
type Shop struct {
	Identity string // stable mark of this very shop, so that a key for another shop is noticed
	// Former are marks by which the same shop may have been known before it could give Identity.
	Former   []string
	Name     string // as people write it, entities decoded
	URL      string
	Currency string // ISO 4217, upper case
	TimeZone string // IANA name, or a fixed offset as "+02:00"
	Platform string // such as "WooCommerce 11.0.1"
}

// Location returns the shop's time zone. It understands IANA names and fixed offsets such as "+05:30".
func (s Shop) Location() (*time.Location, error) { return Location(s.TimeZone) }

// Location turns an IANA name or a fixed offset such as "+05:30" into a location; the empty name is UTC.
func Location(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if name[0] == '+' || name[0] == '-' {
		t, err := time.Parse("-07:00", name)
		if err != nil {
			return nil, err
		}
		_, offset := t.Zone()
		return time.FixedZone(name, offset), nil
	}
	return time.LoadLocation(name)
}

// Email returns the normalised form of an address, the one by which a person is known: trimmed and lower-cased, with
// no dot or plus tricks. Text without an "@" gives the empty string.
func Email(address string) string {
	address = strings.ToLower(strings.TrimSpace(address))
	if !strings.Contains(address, "@") {
		return ""
	}
	return address
}

// Batch is what one page of a shop carries, by noun. Orders, lines and refunds are separate records, because some shops
// send them apart.
type Batch struct {
	Customers []Customer
	Products  []Product
	Coupons   []Coupon
	Orders    []Order
	Lines     []Line
	Refunds   []Refund
	Reviews   []Review

	// Complete lists the orders whose lines and refunds in this batch are the whole set: stored lines and refunds of
	// these orders that are not in the batch are gone from the shop, and the order counts from now on. An order that is
	// not listed is open: its lines and refunds come apart, and it counts once the pull says that all is settled.
	Complete []string
}

// Len counts the records of the resource proper: lines and refunds travel with their order and are not counted.
func (b Batch) Len() int {
	return len(b.Customers) + len(b.Products) + len(b.Coupons) + len(b.Orders) + len(b.Reviews)
}
