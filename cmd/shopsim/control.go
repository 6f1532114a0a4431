package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// control adds what changes or shows the shop itself; truth is what a perfect reader would find.
func control(mux *http.ServeMux, shop *simulator.Shop, truth func() simulator.Oracle) {
	mux.HandleFunc("GET /_sim/now", func(w http.ResponseWriter, _ *http.Request) { tell(w, shop.Now()) })
	mux.HandleFunc("GET /_sim/oracle", func(w http.ResponseWriter, r *http.Request) { oracle(w, r, truth()) })
	mux.HandleFunc("POST /_sim/advance", func(w http.ResponseWriter, r *http.Request) {
		days, err := strconv.Atoi(r.FormValue("days"))
		if err != nil || days < 0 || days > 3660 {
			http.Error(w, "days: a number from 0 to 3660 is wanted", http.StatusBadRequest)
			return
		}
		shop.Advance(days)
		tell(w, shop.Now())
	})
	mux.HandleFunc("POST /_sim/wait", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.FormValue("for"))
		if err != nil || d < 0 {
			http.Error(w, "for: a duration such as 90m is wanted", http.StatusBadRequest)
			return
		}
		shop.Wait(d)
		tell(w, shop.Now())
	})
	mux.HandleFunc("POST /_sim/change", func(w http.ResponseWriter, r *http.Request) {
		id, err := change(shop, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		tell(w, map[string]int64{"id": id})
	})
}

func tell(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) //nolint:errcheck // the client may be gone
}

// oracle answers with counts and sums, or with every record.
func oracle(w http.ResponseWriter, r *http.Request, truth simulator.Oracle) {
	if r.FormValue("full") != "" {
		tell(w, truth)
		return
	}
	buyers := 0
	for _, p := range truth.Persons {
		if p.Orders > 0 {
			buyers++
		}
	}
	tell(w, map[string]any{
		"customers": len(truth.Customers), "products": len(truth.Products), "coupons": len(truth.Coupons), "orders": len(truth.Orders),
		"refunds": len(truth.Refunds), "reviews": len(truth.Reviews), "persons": len(truth.Persons), "buyers": buyers,
		"counted": truth.Counted, "set_aside": truth.SetAside, "unattributed": truth.Unattributed, "gross": truth.Gross, "net": truth.Net,
	})
}

// change does one thing to the shop and returns the id of what it concerned.
func change(shop *simulator.Shop, r *http.Request) (int64, error) {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(r.FormValue(name), 10, 64) //nolint:errcheck // anything else is none
		return n
	}
	switch r.FormValue("do") {
	case "place":
		return shop.PlaceOrder(simulator.OrderDraft{Email: r.FormValue("email"), CustomerID: number("customer"), Status: r.FormValue("status")}), nil
	case "register":
		return shop.RegisterGuest(r.FormValue("email"), r.FormValue("link") != ""), nil
	case "delete-customer":
		if !shop.DeleteCustomer(number("customer")) {
			return 0, errors.New("customer: there is no such account")
		}
		return number("customer"), nil
	}
	order, err := orderOf(shop, number("order"))
	if err != nil {
		return 0, err
	}
	return order.ID, changeOrder(shop, r, order)
}

// orderOf returns the order named, or the newest completed one.
func orderOf(shop *simulator.Shop, id int64) (*simulator.Order, error) {
	if id != 0 {
		if o := shop.Order(id); o != nil {
			return o, nil
		}
		return nil, fmt.Errorf("order: there is no order %d", id)
	}
	orders := shop.Orders()
	for i := len(orders) - 1; i >= 0; i-- {
		if orders[i].Status == simulator.Completed {
			return orders[i], nil
		}
	}
	return nil, errors.New("order: no order is completed")
}

func changeOrder(shop *simulator.Shop, r *http.Request, o *simulator.Order) error {
	switch r.FormValue("do") {
	case "refund":
		shop.Refund(o.ID)
	case "refund-amount":
		amount, err := decimal.NewFromString(r.FormValue("amount"))
		if err != nil {
			return fmt.Errorf("amount: %w", err)
		}
		if shop.RefundAmount(o.ID, simulator.Amount(amount.Shift(int32(shop.Decimals())).IntPart())) == 0 { //nolint:gosec // 0 to 3
			return errors.New("amount: so much is not left")
		}
	case "delete-refund":
		id, _ := strconv.ParseInt(r.FormValue("refund"), 10, 64) //nolint:errcheck // anything else is none
		shop.DeleteRefund(o.ID, id)
	case "edit-line":
		quantity, err := strconv.ParseInt(r.FormValue("quantity"), 10, 64)
		if err != nil || quantity < 1 {
			return errors.New("quantity: a number from 1 is wanted")
		}
		shop.EditLineSilently(o.ID, quantity)
	case "trash":
		shop.TrashOrder(o.ID)
	case "untrash":
		shop.UntrashOrder(o.ID)
	case "delete":
		shop.ForceDeleteOrder(o.ID)
	case "status":
		shop.SetStatus(o.ID, r.FormValue("status"))
	default:
		return fmt.Errorf("do: %q is no change", r.FormValue("do"))
	}
	return nil
}
