package woocommercetest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// paidBack is a refund with its order.
type paidBack struct {
	order  *simulator.Order
	refund *simulator.Refund
}

func refundsOf(o *simulator.Order) []paidBack {
	all := make([]paidBack, len(o.Refunds))
	for i := range o.Refunds {
		all[len(all)-1-i] = paidBack{o, &o.Refunds[i]} // newest first
	}
	return all
}

func (s *Server) listRefunds(c *call) *answer {
	during, refused := s.span(c)
	if refused != nil {
		return refused
	}
	var rows []paidBack
	for _, o := range s.shop.Orders() {
		for _, r := range refundsOf(o) {
			if during.covers(r.refund.At, r.refund.At) {
				rows = append(rows, r)
			}
		}
	}
	rows = sortedBy(s, c, rows, func(r paidBack) (int64, time.Time, time.Time) { return r.refund.ID, r.refund.At, r.refund.At })
	l := listing{orderby: postOrder, link: "&dp=2", hpos: true}
	return paged(s, c, l, rows, func(w *writer, r paidBack) { s.refund(w, r.order, r.refund, c.f, true, false) })
}

// listOrderRefunds answers with an empty list for an order that is gone.
func (s *Server) listOrderRefunds(c *call) *answer {
	var rows []paidBack
	if o := s.shop.Order(c.ids[0]); o != nil {
		rows = refundsOf(o)
	}
	l := listing{orderby: postOrder, link: "&dp=2", hpos: true}
	return paged(s, c, l, rows, func(w *writer, r paidBack) { s.refund(w, r.order, r.refund, c.f, false, false) })
}

func (s *Server) findRefund(c *call) (paidBack, *answer) {
	o := s.shop.Order(c.ids[0])
	if o == nil {
		return paidBack{}, failure(http.StatusNotFound, "woocommerce_rest_invalid_order_id", "Invalid order ID.")
	}
	i := slices.IndexFunc(o.Refunds, func(r simulator.Refund) bool { return r.ID == c.ids[1] })
	if i < 0 {
		return paidBack{}, failure(http.StatusNotFound, "woocommerce_rest_shop_order_refund_invalid_id", "Invalid ID.")
	}
	return paidBack{o, &o.Refunds[i]}, nil
}

func (s *Server) getRefund(c *call) *answer {
	r, refused := s.findRefund(c)
	if refused != nil {
		return refused
	}
	return s.single(c, func(w *writer) { s.refund(w, r.order, r.refund, c.f, false, true) })
}

// deleteRefund needs no force, whatever the documentation says; the order does not count as modified.
func (s *Server) deleteRefund(c *call) *answer {
	r, refused := s.findRefund(c)
	if refused != nil {
		return refused
	}
	s.shop.DeleteRefund(r.order.ID, r.refund.ID)
	return s.single(c, func(w *writer) { s.refund(w, r.order, r.refund, c.f, false, true) })
}

// postRefund gives back an amount without lines.
func (s *Server) postRefund(c *call) *answer {
	var wish struct {
		Amount json.Number `json:"amount"`
	}
	if err := json.Unmarshal(c.body, &wish); err != nil {
		return failure(http.StatusBadRequest, "rest_invalid_json", "Invalid JSON body passed.")
	}
	amount, err := decimal.NewFromString(wish.Amount.String())
	id := int64(0)
	if err == nil {
		id = s.shop.RefundAmount(c.ids[0], simulator.Amount(amount.Shift(int32(s.shop.Decimals())).IntPart())) //nolint:gosec // 0 to 3
	}
	if id == 0 {
		return failure(http.StatusBadRequest, "woocommerce_rest_cannot_create_order_refund", "Invalid refund amount.")
	}
	c.ids = append(c.ids, id)
	a := s.getRefund(c)
	a.status = http.StatusCreated
	a.header.Set("Location", s.api("/orders/"+strconv.FormatInt(c.ids[0], 10)+"/refunds/"+strconv.FormatInt(id, 10)))
	return a
}
