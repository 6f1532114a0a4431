package woocommerce

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// orderFields leave out order_key and payment_url, with which anybody could open the order.
const orderFields = "id,number,parent_id,status,currency,date_created_gmt,date_modified_gmt,date_paid_gmt,date_completed_gmt," +
	"shipping_total,total,total_tax,customer_id,billing,created_via,meta_data,line_items,fee_lines,coupon_lines,refunds"

type wcOrder struct {
	ID          ident              `json:"id"`
	Number      text               `json:"number"`
	Status      text               `json:"status"`
	Currency    text               `json:"currency"`
	Created     moment             `json:"date_created_gmt"`
	Modified    moment             `json:"date_modified_gmt"`
	Paid        moment             `json:"date_paid_gmt"`
	Completed   moment             `json:"date_completed_gmt"`
	Shipping    amount             `json:"shipping_total"`
	Total       amount             `json:"total"`
	Tax         amount             `json:"total_tax"`
	CustomerID  ident              `json:"customer_id"`
	Billing     object[wcAddress]  `json:"billing"`
	CreatedVia  text               `json:"created_via"`
	Meta        metas              `json:"meta_data"`
	Lines       list[wcLine]       `json:"line_items"`
	Fees        list[wcCharge]     `json:"fee_lines"`
	CouponLines list[wcCouponLine] `json:"coupon_lines"`
	Refunds     list[wcEmbedded]   `json:"refunds"`
}

type wcAddress struct {
	FirstName text `json:"first_name"`
	LastName  text `json:"last_name"`
	City      text `json:"city"`
	State     text `json:"state"`
	Postcode  text `json:"postcode"`
	Country   text `json:"country"`
	Email     text `json:"email"`
}

type wcLine struct {
	ID          ident          `json:"id"`
	Name        text           `json:"name"`
	ProductID   ident          `json:"product_id"`
	VariationID ident          `json:"variation_id"`
	Quantity    amount         `json:"quantity"`
	Subtotal    amount         `json:"subtotal"`
	Total       amount         `json:"total"`
	Tax         amount         `json:"total_tax"`
	SKU         text           `json:"sku"`
	Cost        object[wcCost] `json:"cost_of_goods_sold"`
	Meta        metas          `json:"meta_data"`
}

type wcCost struct {
	Value amount `json:"value"`
}

type wcCharge struct {
	Total amount `json:"total"`
	Tax   amount `json:"total_tax"`
}

type wcCouponLine struct {
	Code text `json:"code"`
}

type wcEmbedded struct {
	ID     ident  `json:"id"`
	Reason text   `json:"reason"`
	Total  amount `json:"total"` // negative
	Tax    amount `json:"total_tax"`
}

// anyStatus is WooCommerce's word for all statuses but those of orders thrown away and of checkouts not finished.
const anyStatus = "any"

func (s *source) orderLegs(ctx context.Context, p *position) ([]leg, error) {
	if p.Statuses == "" {
		found, err := s.orderStatuses(ctx)
		if err != nil {
			return nil, err
		}
		p.Statuses = found
	}
	of := func(op, statuses string) leg {
		return leg{op: op, path: "orders", query: url.Values{"status": {statuses}, "_fields": {orderFields}}, windowed: true}
	}
	if p.Statuses == anyStatus {
		return []leg{of("orders page", anyStatus), of("trashed orders page", "trash")}, nil
	}
	return []leg{of("orders page", p.Statuses)}, nil
}

// orderStatuses returns every status that the shop knows, and trash, because "any" leaves trash and drafts out. One
// unknown word in the list would have the whole request refused, so the shop is asked. Where it does not tell, because the
// key may not ask or a plugin took the list away, "any" has to do.
func (s *source) orderStatuses(ctx context.Context) (string, error) {
	var known list[struct {
		Slug text `json:"slug"`
	}]
	_, err := s.get(ctx, "order statuses", "orders/statuses", nil, &known)
	if withheld(err) { // also before 9.6
		_, err = s.get(ctx, "order statuses", "reports/orders/totals", nil, &known)
	}
	if withheld(err) {
		s.log.Warn("the shop does not tell its order statuses; checkouts that were not finished are not read", "err", err)
		return anyStatus, nil
	}
	if err != nil {
		return "", err
	}
	slugs := []string{"trash"}
	for _, k := range known {
		if slug := strings.TrimPrefix(string(k.Slug), "wc-"); slug != "" && !slices.Contains(slugs, slug) {
			slugs = append(slugs, slug)
		}
	}
	if len(slugs) == 1 {
		return "", &connectors.Error{Kind: connectors.KindRetry, Op: "order statuses", Err: errors.New("the shop names none")}
	}
	slices.Sort(slugs)
	return strings.Join(slugs, ","), nil
}

// withheld reports whether a shop that knows the key does not hand something out: forbidden, or not there.
func withheld(err error) bool {
	status, _ := codeOf(err)
	return status == http.StatusForbidden || status == http.StatusNotFound
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

// readOrder puts an order, its lines and what it says of its refunds into the page.
func (s *source) readOrder(raw []byte, page *connectors.Page) error {
	w, err := decode[wcOrder](raw)
	if err != nil {
		return err
	}
	switch {
	case w.ID == 0:
		return errors.New("field id is missing")
	case !currencyCode.MatchString(strings.ToUpper(w.Currency.trim())):
		return errors.New("field currency is not a currency")
	case w.Created.at.IsZero():
		return errors.New("field date_created_gmt is missing or no sensible date")
	case !w.Total.Valid:
		return errors.New("field total is missing")
	case w.Status == "":
		return errors.New("field status is missing")
	}
	o := s.order(w)
	lines := orderLines(w, &o)
	page.Records.Orders = append(page.Records.Orders, o)
	page.Records.Lines = append(page.Records.Lines, lines...)
	page.Records.Complete = append(page.Records.Complete, o.ID)
	for _, r := range w.Refunds {
		page.Records.Refunds = append(page.Records.Refunds, embeddedRefund(o, r))
	}
	return nil
}

func (s *source) order(w wcOrder) commerce.Order {
	b := w.Billing.V
	o := commerce.Order{
		ID: w.ID.String(), Number: w.Number.trim(), Status: w.Status.trim(),
		CustomerID: w.CustomerID.String(), Email: commerce.Email(string(b.Email)),
		FirstName: b.FirstName.name(), LastName: b.LastName.name(),
		Country: strings.ToUpper(b.Country.trim()), Region: b.State.name(), City: b.City.name(), Postcode: b.Postcode.trim(),
		PlacedAt: w.Created.at, ModifiedAt: w.Modified.at, PaidAt: w.Paid.at, CompletedAt: w.Completed.at,
		Currency: strings.ToUpper(w.Currency.trim()),
		Shipping: w.Shipping.or0(), Tax: w.Tax.or0(), Total: w.Total.or0(),
		Channel: w.CreatedVia.trim(), Attribution: attribution(w.Meta), Consent: s.consent(w.Meta),
	}
	for _, fee := range w.Fees {
		if fee.Total.Decimal.IsNegative() {
			o.Discount = o.Discount.Sub(fee.Total.Decimal)
		} else {
			o.Fees = o.Fees.Add(fee.Total.Decimal)
		}
	}
	for _, c := range w.CouponLines {
		if code := strings.ToLower(c.Code.name()); code != "" {
			o.Coupons = append(o.Coupons, code)
		}
	}
	slices.Sort(o.Coupons)
	o.Coupons = slices.Compact(o.Coupons)
	return o
}

// orderLines turns the lines over and adds them up in the order: goods before discount, and cost only where every line
// has one.
func orderLines(w wcOrder, o *commerce.Order) []commerce.Line {
	lines := make([]commerce.Line, 0, len(w.Lines))
	cost, known := decimal.Zero, len(w.Lines) > 0
	for i, l := range w.Lines {
		line := commerce.Line{
			OrderID: o.ID, ID: l.ID.String(), ProductID: l.ProductID.String(), VariantID: l.VariationID.String(),
			SKU: l.SKU.trim(), Name: l.Name.name(), Quantity: l.Quantity.or0(),
			Subtotal: l.Subtotal.or0(), Total: l.Total.or0(), Tax: l.Tax.or0(),
			Cost: l.Cost.V.Value.positive(), GiftCard: isGiftCard(l.Meta),
		}
		if line.ID == "" {
			line.ID = fmt.Sprintf("line %d", i+1)
		}
		if !l.Subtotal.Valid {
			line.Subtotal = line.Total
		}
		o.Goods = o.Goods.Add(line.Subtotal)
		o.Discount = o.Discount.Add(line.Subtotal.Sub(line.Total))
		if line.GiftCard {
			o.GiftCards = o.GiftCards.Add(line.Total)
		}
		cost, known = cost.Add(line.Cost.Decimal), known && line.Cost.Valid
		lines = append(lines, line)
	}
	if known {
		o.Cost = decimal.NewNullDecimal(cost)
	}
	return lines
}

// giftCardMarks begin the meta fields by which the common gift card extensions mark the line that buys a card.
var giftCardMarks = []string{"wc_gc_giftcard_", "_wc_gc_giftcard_", "pw_gift_card_", "_ywgc_"}

func isGiftCard(m metas) bool {
	return slices.ContainsFunc(m, func(field meta) bool {
		return slices.ContainsFunc(giftCardMarks, func(mark string) bool { return strings.HasPrefix(string(field.Key), mark) })
	})
}

const attributionPrefix = "_wc_order_attribution_"

func attribution(m metas) commerce.Attribution {
	var a commerce.Attribution
	targets := map[string]*string{
		"source_type": &a.SourceType, "utm_source": &a.Source, "utm_medium": &a.Medium, "utm_campaign": &a.Campaign,
		"utm_content": &a.Content, "utm_term": &a.Term, "referrer": &a.Referrer, "device_type": &a.Device,
	}
	for _, field := range m {
		name, ours := strings.CutPrefix(string(field.Key), attributionPrefix)
		if target := targets[name]; ours && target != nil {
			*target = strings.TrimSpace(field.string())
		}
	}
	return a
}
