package report

import (
	"errors"
	"time"

	"github.com/shopspring/decimal"
)

// MostPeople is how many people are listed at once at most: as many as a spreadsheet gets.
const MostPeople = 10_000

// ErrCursor is returned for a cursor that was never given out.
var ErrCursor = errors.New("no such place in the list")

// Crowd says which people are asked for: those who meet all of it. The zero value is everybody who has bought.
type Crowd struct {
	Audience string // key of an audience, such as "champions" or "tier_top"; empty: any
	R, F, M  int    // scores; 0: any
	// Move are those who went from one segment to another; nil: whether or not.
	Move   *Move
	Search string // an e-mail address in any spelling, or an account's id in the shop, both whole; empty: any
	Cursor string // where the page begins, as the page before said; empty: at the beginning
	Limit  int    // people at most
}

// Move is a move between two days in one scheme.
type Move struct {
	Scheme        string
	From, To      string    // segments; empty: none
	Before, After time.Time // midnight UTC of local days
}

// PersonRow is one person in a list.
type PersonRow struct {
	ID         int64            `json:"id"`
	Email      string           `json:"email"`
	CustomerID string           `json:"customer_id"` // empty for guests
	Name       string           `json:"name"`
	Segment    string           `json:"segment"` // of RFM; empty: none
	R          int              `json:"r"`       // 0 where the person has no score
	F          int              `json:"f"`
	M          int              `json:"m"`
	Stage      string           `json:"stage"`
	Tier       string           `json:"tier"`
	Churn      string           `json:"churn"`
	Orders     int              `json:"orders"`
	Net        decimal.Decimal  `json:"net"`
	FirstDay   time.Time        `json:"first_day,omitzero"` // local days, as midnight UTC
	LastDay    time.Time        `json:"last_day,omitzero"`
	Value      *decimal.Decimal `json:"predicted_value,omitempty"` // nil where it is not known
}
