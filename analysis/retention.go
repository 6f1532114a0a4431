package analysis

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/perennial-cvo/perennial/analysis/retention"
)

// Returns are what a look at who comes back reads; sync/postgres satisfies it.
type Returns interface {
	// Shop returns currency, time zone and the state of the first load.
	Shop(ctx context.Context) (Shop, error)

	// Retention counts the orders before a moment, by local days, with revenue before refunds or after.
	Retention(ctx context.Context, asOf time.Time, gross bool) (retention.Facts, error)
}

// RetentionOptions says as of when and on which basis.
type RetentionOptions struct {
	Now   func() time.Time // the clock
	AsOf  time.Time        // any moment of the local day as of whose start is asked; zero: today
	Basis Basis            // Net where empty
}

// Retain works out who comes back. It fails where the facts cannot be read, and with ErrNotLoaded and ErrFuture. Nothing is
// saved.
func Retain(ctx context.Context, facts Returns, o RetentionOptions) (retention.Summary, error) {
	shop, day, err := o.day(ctx, facts)
	if err != nil {
		return retention.Summary{}, err
	}
	o.Basis = cmp.Or(o.Basis, Net)
	counts, err := facts.Retention(ctx, StartOfDay(day, shop.Location), o.Basis == Gross)
	if err != nil {
		return retention.Summary{}, err
	}
	return retention.Summarise(counts, retention.Window{From: shop.firstDay(), AsOf: int32(day)}, string(o.Basis))
}

// shopped is whoever knows the shop.
type shopped interface {
	Shop(ctx context.Context) (Shop, error)
}

// day is the local day as of whose start is asked, and the shop, whose first load has to be complete.
func (o RetentionOptions) day(ctx context.Context, facts shopped) (Shop, int, error) {
	shop, err := facts.Shop(ctx)
	if err != nil {
		return shop, 0, fmt.Errorf("shop: %w", err)
	}
	if !shop.Loaded {
		return shop, 0, fmt.Errorf("shop %s: %w", shop.Name, ErrNotLoaded)
	}
	if shop.Location == nil {
		shop.Location = time.UTC
	}
	day, _, err := Options{Now: o.Now, AsOf: o.AsOf}.day(shop.Location)
	return shop, day, err
}

// firstDay is the first day of which all orders are known; 0 where all days are.
func (s Shop) firstDay() int32 {
	if s.Since.IsZero() {
		return 0
	}
	day := Day(s.Since, s.Location)
	if s.Since.After(StartOfDay(day, s.Location)) {
		day++
	}
	return int32(day)
}

// Who comes back is worked out every night in shops of up to everyNight orders, and else weekly and on the first night of a
// month. It takes about twelve seconds of a processor for a million orders.
const (
	everyNight   = 200_000
	everySoOften = 7 // days
)

// Due says whether the last summary, zero for none, is too old for today's shop; changed says that orders have changed since
// it was made. Where none did, it is as good as new until the month is over.
func (o RetentionOptions) Due(last retention.Summary, shop Shop, changed bool) bool {
	var from int32
	if last.From != nil {
		from = int32(*last.From)
	}
	today := Day(o.Now(), shop.Location)
	age := today - int(last.Day)
	newMonth := retention.Month.Of(int32(today)) != retention.Month.Of(int32(last.Day))
	switch {
	case last.Day == 0 || last.Basis != string(cmp.Or(o.Basis, Net)) || from != shop.firstDay() || newMonth:
		return true
	case age <= 0 || !changed:
		return false
	default:
		return last.Orders <= everyNight || age >= everySoOften
	}
}
