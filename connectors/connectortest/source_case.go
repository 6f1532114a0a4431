package connectortest

import (
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

func sourceCaseTests() []test[*sourceRun] {
	var all []test[*sourceRun]
	for _, c := range Cases() {
		all = append(all, test[*sourceRun]{
			name: string(c),
			needs: func(r *sourceRun) string {
				if r.Case == nil {
					return "Case"
				}
				return ""
			},
			run: func(r *sourceRun) { r.readsCase(c) },
		})
	}
	return all
}

func (r *sourceRun) readsCase(c Case) {
	want := r.Case(c)
	h := r.drain(r.open(), r.all())
	id := want.Order.ID
	got, ok := h.orders[id]
	require.True(r, ok, "order %s was not read", id)
	requireSame(r, view(want.Order), view(got), "order "+id)
	requireSame(r, viewRefunds(want.Refunds), viewRefunds(h.refunds[id]), "refunds of order "+id)
	if want.Lines != nil {
		requireSame(r, viewLines(want.Lines), viewLines(h.lines[id]), "lines of order "+id)
	}
}

func requireSame[T any](r *sourceRun, want, got T, what string) {
	r.Helper()
	diff := cmp.Diff(want, got,
		cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }))
	require.Empty(r, diff, "%s (-want +got)", what)
}

// orderView is the part of an order that a case compares.
type orderView struct {
	Status, CustomerID, Email, FirstName, LastName, Country, Currency string
	PlacedAt                                                          time.Time
	Goods, Discount, Shipping, Tax, Fees, Total                       decimal.Decimal
}

func view(o commerce.Order) orderView {
	return orderView{
		Status: o.Status, CustomerID: o.CustomerID, Email: o.Email, FirstName: o.FirstName, LastName: o.LastName,
		Country: o.Country, Currency: o.Currency, PlacedAt: o.PlacedAt,
		Goods: o.Goods, Discount: o.Discount, Shipping: o.Shipping, Tax: o.Tax, Fees: o.Fees, Total: o.Total,
	}
}

type refundView struct {
	OrderID, Currency string
	At                time.Time
	Amount            decimal.Decimal
}

func viewRefunds(refunds []commerce.Refund) []refundView {
	var all []refundView
	for _, f := range refunds {
		all = append(all, refundView{OrderID: f.OrderID, Currency: f.Currency, At: f.At, Amount: f.Amount})
	}
	slices.SortFunc(all, func(a, b refundView) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return a.Amount.Cmp(b.Amount)
	})
	return all
}

type lineView struct {
	ProductID, Name           string
	Quantity, Subtotal, Total decimal.Decimal
}

func viewLines(lines []commerce.Line) []lineView {
	var all []lineView
	for _, l := range lines {
		all = append(all, lineView{ProductID: l.ProductID, Name: l.Name, Quantity: l.Quantity, Subtotal: l.Subtotal, Total: l.Total})
	}
	slices.SortFunc(all, func(a, b lineView) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return a.Total.Cmp(b.Total)
	})
	return all
}
