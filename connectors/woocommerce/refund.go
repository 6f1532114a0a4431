package woocommerce

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/goccy/go-json"
	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

const refundFields = "id,parent_id,date_created_gmt,amount,reason,line_items,shipping_lines,fee_lines"

type wcRefund struct {
	ID       ident          `json:"id"`
	ParentID ident          `json:"parent_id"`
	Created  moment         `json:"date_created_gmt"`
	Amount   amount         `json:"amount"` // positive
	Reason   text           `json:"reason"`
	Lines    list[wcLine]   `json:"line_items"` // negative
	Shipping list[wcCharge] `json:"shipping_lines"`
	Fees     list[wcCharge] `json:"fee_lines"`
}

// addRefunds replaces the refunds that the orders of the page merely mention by the whole ones. One that the shop does
// not hand out stays as mentioned, by its amount.
func (s *source) addRefunds(ctx context.Context, page *connectors.Page) error {
	mentioned := page.Records.Refunds
	if len(mentioned) == 0 {
		return nil
	}
	whole := map[string]wcRefund{}
	if !s.noRefunds {
		err := s.refundsByID(ctx, mentioned, whole, page)
		if noRoute(err) { // before 9.0
			s.noRefunds, err = true, nil
		}
		if err != nil {
			return err
		}
	}
	tried := map[string]bool{}
	for i, r := range mentioned {
		if _, found := whole[r.ID]; !found && !tried[r.OrderID] {
			tried[r.OrderID] = true
			if err := s.refundsOf(ctx, r.OrderID, whole, page); err != nil {
				return err
			}
		}
		if w, found := whole[r.ID]; found {
			mentioned[i] = refund(r, w)
		}
	}
	return nil
}

func (s *source) refundsByID(ctx context.Context, mentioned []commerce.Refund, whole map[string]wcRefund, page *connectors.Page) error {
	for len(mentioned) > 0 {
		n := min(len(mentioned), 100)
		ids := make([]string, n)
		for i, r := range mentioned[:n] {
			ids[i] = r.ID
		}
		q := url.Values{"include": {strings.Join(ids, ",")}, "per_page": {"100"}, "orderby": {"id"}, "order": {"asc"}, "_fields": {refundFields}}
		if err := s.refundList(ctx, "refunds", q, whole, page); err != nil {
			return err
		}
		mentioned = mentioned[n:]
	}
	return nil
}

// refundsOf reads all refunds of one order, page by page.
func (s *source) refundsOf(ctx context.Context, orderID string, whole map[string]wcRefund, page *connectors.Page) error {
	for n, before := 1, -1; len(whole) > before; n++ {
		before = len(whole)
		q := url.Values{"per_page": {"100"}, "page": {strconv.Itoa(n)}, "_fields": {refundFields}}
		err := s.refundList(ctx, "orders/"+orderID+"/refunds", q, whole, page)
		if gone(err) {
			return nil
		}
		if err != nil || (len(whole)-before) < 100 {
			return err
		}
	}
	return nil
}

func (s *source) refundList(ctx context.Context, path string, q url.Values, whole map[string]wcRefund, page *connectors.Page) error {
	answer, err := s.list(ctx, "refunds page", path, q)
	if err != nil {
		return err
	}
	page.Warnings = append(page.Warnings, answer.warnings...)
	for _, raw := range answer.rows {
		var w wcRefund
		if json.Unmarshal(raw, &w) == nil && w.ID != 0 && w.Amount.Valid {
			whole[w.ID.String()] = w
		}
	}
	return nil
}

// embeddedRefund is a refund as its order mentions it: the amount without parts or time.
func embeddedRefund(o commerce.Order, e wcEmbedded) commerce.Refund {
	at := o.ModifiedAt
	if at.IsZero() {
		at = o.PlacedAt
	}
	return commerce.Refund{
		OrderID: o.ID, ID: e.ID.String(), At: at, Currency: o.Currency,
		Amount: e.Total.Decimal.Neg(), Tax: e.Tax.Decimal.Neg(), Reason: e.Reason.trim(),
	}
}

// refund turns a whole refund over. The shop writes its parts negative. A negative fee that is taken back had been a
// discount, so it counts with the goods.
func refund(mentioned commerce.Refund, w wcRefund) commerce.Refund {
	r := mentioned
	r.Amount, r.Reason, r.Tax = w.Amount.Decimal.Abs(), w.Reason.trim(), decimal.Zero
	if !w.Created.at.IsZero() {
		r.At = w.Created.at
	}
	cost, known := decimal.Zero, len(w.Lines) > 0
	for _, l := range w.Lines {
		back := l.Cost.V.Value
		cost, known = cost.Sub(back.Decimal), known && back.Valid && back.Decimal.IsNegative()
		r.Goods, r.Tax = r.Goods.Sub(l.Total.Decimal), r.Tax.Sub(l.Tax.Decimal)
		r.Lines = append(r.Lines, refundLine(l))
	}
	for _, c := range w.Shipping {
		r.Shipping, r.Tax = r.Shipping.Sub(c.Total.Decimal), r.Tax.Sub(c.Tax.Decimal)
	}
	for _, c := range w.Fees {
		r.Tax = r.Tax.Sub(c.Tax.Decimal)
		if c.Total.Decimal.IsPositive() {
			r.Goods = r.Goods.Sub(c.Total.Decimal)
		} else {
			r.Fees = r.Fees.Sub(c.Total.Decimal)
		}
	}
	if known {
		r.Cost = decimal.NewNullDecimal(cost)
	}
	return r
}

func refundLine(l wcLine) commerce.RefundLine {
	of, _ := l.Meta.get("_refunded_item_id")
	return commerce.RefundLine{
		LineID: strings.TrimSpace(of), ProductID: l.ProductID.String(), VariantID: l.VariationID.String(),
		Quantity: l.Quantity.Decimal.Abs(), Amount: l.Total.Decimal.Neg(),
	}
}
