package commerce

import (
	"time"

	"github.com/shopspring/decimal"
)

// Product is something the shop sells, or one variation of it (then ParentID is set).
type Product struct {
	ID         string
	ParentID   string
	Name       string
	SKU        string
	Type       string
	Status     string // the shop's own word, such as "publish"
	Price      decimal.NullDecimal
	Cost       decimal.NullDecimal // of one unit
	Categories []string            // names, sorted
	Brands     []string            // names, sorted
	Tags       []string            // names, sorted
	Attributes []Attribute         // in the shop's order
	Rating     decimal.NullDecimal // mean of its reviews, as the shop states it; Valid only where it does
	Ratings    int                 // how many reviews that mean is of
	CreatedAt  time.Time
	ModifiedAt time.Time
}

// Attribute is one property of a product, such as Colour: Black, Red.
type Attribute struct {
	Name    string   `json:"name"`
	Options []string `json:"options"`
}

// Review is one review of a product. Rating 0 means that none was given.
type Review struct {
	ID        string
	ProductID string
	Email     string // normalised
	Reviewer  string
	Rating    int
	Body      string // plain text
	Verified  bool   // the shop knows that the reviewer bought it
	Status    string // the shop's own word, such as "approved"
	CreatedAt time.Time
}

// Coupon is a discount code.
type Coupon struct {
	ID         string
	Code       string // lower case
	Kind       string // the shop's own word, such as "percent"
	Amount     decimal.Decimal
	Uses       int
	Status     string
	CreatedAt  time.Time
	ModifiedAt time.Time
	ExpiresAt  time.Time // zero where it never expires
}
