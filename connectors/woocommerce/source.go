package woocommerce

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// source reads one shop. What it remembers beside the cursor are facts about the shop's version, asked for again by
// each instance.
type source struct {
	*api
	noRefunds bool // the shop has no list of all refunds (before 9.0)
}

func newSource(a *api) *source { return &source{api: a} }

// Resources lists what WooCommerce can tell. Customers and reviews have no filter by time of change.
func (s *source) Resources() []connectors.Offer {
	return []connectors.Offer{
		{Resource: commerce.Products, Incremental: true},
		{Resource: commerce.Coupons, Incremental: true},
		{Resource: commerce.Customers},
		{Resource: commerce.Orders, Incremental: true},
		{Resource: commerce.Reviews},
	}
}

// Pull reads one page.
func (s *source) Pull(ctx context.Context, resource commerce.Resource, mode connectors.Mode, cursor connectors.Cursor) (connectors.Page, error) {
	p, err := parseCursor(cursor)
	if err != nil {
		return connectors.Page{}, err
	}
	if mode == connectors.Sweep {
		p.Since = time.Time{}
	}
	known := p.Statuses
	page, err := s.pull(ctx, resource, mode, p)
	if status, _ := codeOf(err); status == http.StatusBadRequest && known != "" {
		p.Statuses = "" // one of them went away with its plugin since the walk began: ask the shop again
		return s.pull(ctx, resource, mode, p)
	}
	return page, err
}

func (s *source) pull(ctx context.Context, resource commerce.Resource, mode connectors.Mode, p position) (connectors.Page, error) {
	legs, err := s.legs(ctx, resource, &p)
	if err != nil {
		return connectors.Page{}, err
	}
	if p.Leg >= len(legs) {
		return connectors.Page{}, &connectors.Error{
			Kind: connectors.KindPermanent, Op: string(resource) + " page", Err: errors.New("the cursor is of another kind of walk"),
			Remedy: "run resync for this shop",
		}
	}
	l := legs[p.Leg]
	c, err := s.step(ctx, l, &p)
	if status, _ := codeOf(err); l.optional && (noRoute(err) || status == http.StatusBadRequest) {
		c, err = chunk{legDone: true}, nil
	}
	if err != nil {
		return connectors.Page{}, err
	}
	page := connectors.Page{Total: p.Total, Warnings: c.warnings}
	for _, r := range c.rows {
		s.read(resource, l, r, &page)
	}
	if err := s.complete(ctx, resource, p, &page); err != nil {
		return connectors.Page{}, err
	}
	if c.legDone {
		p.Leg, p.Offset, p.Last, p.Print, p.Size, p.Good = p.Leg+1, 0, 0, "", 0, 0
	}
	page.Done = p.Leg >= len(legs)
	page.Next = p.cursor()
	if page.Done {
		page.Next = next(resource, mode, p)
	}
	return page, nil
}

// next is where the walk after p's starts: where the shop can be asked for changes, behind the start of this walk.
func next(resource commerce.Resource, mode connectors.Mode, p position) connectors.Cursor {
	if mode == connectors.Sweep || resource == commerce.Customers || resource == commerce.Reviews || p.Started.IsZero() {
		return ""
	}
	return position{Since: p.Started.Add(-holdBack)}.cursor()
}

// legs are the lists of a resource.
func (s *source) legs(ctx context.Context, resource commerce.Resource, p *position) ([]leg, error) {
	switch resource {
	case commerce.Products:
		return s.productLegs(ctx, p)
	case commerce.Coupons:
		return []leg{{op: "coupons page", path: "coupons", query: fields(couponFields), windowed: true}}, nil
	case commerce.Customers:
		return []leg{customerLeg()}, nil
	case commerce.Orders:
		return s.orderLegs(ctx, p)
	case commerce.Reviews:
		return reviewLegs(), nil
	default:
		return nil, &connectors.Error{Kind: connectors.KindPermanent, Op: "pull", Err: fmt.Errorf("WooCommerce has no %q", resource)}
	}
}

// read puts one record into the page, or sets it aside with the reason.
func (s *source) read(resource commerce.Resource, l leg, r row, page *connectors.Page) {
	var err error
	switch resource {
	case commerce.Products:
		err = s.readProduct(r.raw, page)
	case commerce.Coupons:
		err = readCoupon(r.raw, page)
	case commerce.Customers:
		err = s.readCustomer(r.raw, page)
	case commerce.Orders:
		err = s.readOrder(r.raw, page)
	case commerce.Reviews:
		err = readReview(r.raw, page)
	}
	if err != nil {
		page.Rejected = append(page.Rejected, reject(r, l.op, err))
	}
}

func reject(r row, op string, err error) connectors.Rejected {
	id := idOf(r.raw)
	if id == "" {
		id = fmt.Sprintf("%s, unreadable id, %s", op, fingerprintBytes(r.raw))
	}
	return connectors.Rejected{ID: id, Reason: err.Error(), Raw: withoutKeys(r.raw)}
}

// withoutKeys returns the record as it came, less what would open the order to anybody. We do not ask for these
// fields, but a shop may send them unasked.
func withoutKeys(raw []byte) []byte {
	var fields map[string]json.RawMessage
	if !bytes.Contains(raw, []byte(`"order_key"`)) && !bytes.Contains(raw, []byte(`"payment_url"`)) || json.Unmarshal(raw, &fields) != nil {
		return bytes.Clone(raw)
	}
	delete(fields, "order_key")
	delete(fields, "payment_url")
	kept, err := json.Marshal(fields)
	if err != nil {
		return nil
	}
	return kept
}

// complete reads what belongs to the records of the page but comes from other lists.
func (s *source) complete(ctx context.Context, resource commerce.Resource, p position, page *connectors.Page) error {
	switch {
	case resource == commerce.Orders:
		return s.addRefunds(ctx, page)
	case resource == commerce.Products && p.Children == childrenInline && p.Leg == 0:
		return s.addVariations(ctx, page)
	default:
		return nil
	}
}

// decode reads a record. Its error names the field that could not be read.
func decode[T any](raw []byte) (T, error) {
	var value T
	err := json.Unmarshal(raw, &value)
	if err == nil {
		return value, nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return value, errors.New("not an object")
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		var alone T
		one, _ := json.Marshal(map[string]json.RawMessage{name: fields[name]})
		if err := json.Unmarshal(one, &alone); err != nil {
			return value, fmt.Errorf("field %s cannot be read", name)
		}
	}
	return value, errors.New("a field cannot be read")
}

// fields asks for some fields of a record only: it halves what travels, and secrets such as order keys never come.
func fields(names string) map[string][]string { return map[string][]string{"_fields": {names}} }

// consent reads a marketing consent out of the configured meta field.
func (s *source) consent(m metas) commerce.Consent {
	if s.set.ConsentMetaKey == "" {
		return commerce.Consent{}
	}
	value, _ := m.get(s.set.ConsentMetaKey)
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "yes", "1", "true", "subscribed", "on", "y":
		return commerce.Consent{State: commerce.ConsentSubscribed}
	case "no", "0", "false", "unsubscribed", "off", "n":
		return commerce.Consent{State: commerce.ConsentUnsubscribed}
	default:
		return commerce.Consent{}
	}
}
