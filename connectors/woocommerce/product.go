package woocommerce

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

const (
	productFields = "id,parent_id,name,type,status,sku,price,date_created_gmt,date_modified_gmt,categories,brands,tags," +
		"attributes,variations,cost_of_goods_sold"
	couponFields = "id,code,amount,status,date_created_gmt,date_modified_gmt,discount_type,date_expires_gmt,usage_count"
)

// How the variations are read in a walk: from their own list, or product by product where the shop has no such list.
const (
	childrenListed = 1
	childrenInline = 2
)

type wcProduct struct {
	ID         ident                 `json:"id"`
	ParentID   ident                 `json:"parent_id"`
	Name       text                  `json:"name"`
	Type       text                  `json:"type"`
	Status     text                  `json:"status"`
	SKU        text                  `json:"sku"`
	Price      amount                `json:"price"`
	Created    moment                `json:"date_created_gmt"`
	Modified   moment                `json:"date_modified_gmt"`
	Categories list[wcTerm]          `json:"categories"`
	Brands     list[wcTerm]          `json:"brands"`
	Tags       list[wcTerm]          `json:"tags"`
	Attributes list[wcAttribute]     `json:"attributes"`
	Variations list[ident]           `json:"variations"`
	Cost       object[wcProductCost] `json:"cost_of_goods_sold"`
}

type wcProductCost struct {
	Total amount `json:"total_value"`
}

type wcTerm struct {
	Name text `json:"name"`
}

type wcAttribute struct {
	Name    text       `json:"name"`
	Options list[text] `json:"options"`
	Option  text       `json:"option"` // of a variation
}

// productLegs walks products in every status, then the trash, then variations.
func (s *source) productLegs(ctx context.Context, p *position) ([]leg, error) {
	if p.Children == 0 {
		p.Children = childrenListed
		_, err := s.list(ctx, "variations page", "variations", url.Values{"per_page": {"1"}, "_fields": {"id"}})
		if noRoute(err) {
			p.Children, err = childrenInline, nil
		}
		if err != nil {
			return nil, err
		}
	}
	legs := []leg{
		{op: "products page", path: "products", query: url.Values{"status": {"any"}, "_fields": {productFields}}, windowed: true},
		{op: "trashed products page", path: "products", query: url.Values{"status": {"trash"}, "_fields": {productFields}}, windowed: true, optional: true, only: "trash"},
	}
	if p.Children == childrenListed {
		legs = append(legs, leg{op: "variations page", path: "variations", query: fields(productFields), windowed: true})
	}
	return legs, nil
}

func (s *source) readProduct(raw []byte, page *connectors.Page) error {
	w, err := decode[wcProduct](raw)
	if err != nil {
		return err
	}
	if w.ID == 0 {
		return errors.New("field id is missing")
	}
	page.Records.Products = append(page.Records.Products, product(w))
	return nil
}

func product(w wcProduct) commerce.Product {
	p := commerce.Product{
		ID: w.ID.String(), ParentID: w.ParentID.String(), Name: w.Name.name(), SKU: w.SKU.trim(),
		Type: w.Type.trim(), Status: w.Status.trim(), Price: w.Price.NullDecimal, Cost: w.Cost.V.Total.positive(),
		Categories: terms(w.Categories), Brands: terms(w.Brands), Tags: terms(w.Tags),
		CreatedAt: w.Created.at, ModifiedAt: w.Modified.at,
	}
	for _, a := range w.Attributes {
		options := make([]string, 0, len(a.Options)+1)
		for _, o := range append(a.Options, a.Option) {
			if o.name() != "" {
				options = append(options, o.name())
			}
		}
		p.Attributes = append(p.Attributes, commerce.Attribute{Name: a.Name.name(), Options: options})
	}
	return p
}

func terms(from []wcTerm) []string {
	var names []string
	for _, t := range from {
		if name := t.Name.name(); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// addVariations reads the variations of the page's variable products, each from its own list.
func (s *source) addVariations(ctx context.Context, page *connectors.Page) error {
	for _, parent := range slices.Clone(page.Records.Products) {
		if !strings.HasPrefix(parent.Type, "variable") {
			continue
		}
		if err := s.variationsOf(ctx, parent.ID, page); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) variationsOf(ctx context.Context, parent string, page *connectors.Page) error {
	for n := 1; ; n++ {
		q := url.Values{"per_page": {"100"}, "page": {strconv.Itoa(n)}, "orderby": {"id"}, "order": {"asc"}, "_fields": {productFields}}
		answer, err := s.list(ctx, "variations page", "products/"+parent+"/variations", q)
		if gone(err) {
			return nil
		}
		if err != nil {
			return err
		}
		page.Warnings = append(page.Warnings, answer.warnings...)
		rows, err := s.heads(leg{op: "variations page"}, answer.rows)
		if err != nil {
			return err
		}
		for _, r := range rows {
			s.readVariation(parent, r, page)
		}
		if len(rows) < 100 {
			return nil
		}
	}
}

func (s *source) readVariation(parent string, r row, page *connectors.Page) {
	before := len(page.Records.Products)
	if err := s.readProduct(r.raw, page); err != nil {
		page.Rejected = append(page.Rejected, reject(r, "variations page", err))
		return
	}
	v := &page.Records.Products[before]
	v.ParentID, v.Type = parent, "variation"
}

type wcCoupon struct {
	ID       ident  `json:"id"`
	Code     text   `json:"code"`
	Kind     text   `json:"discount_type"`
	Amount   amount `json:"amount"`
	Uses     amount `json:"usage_count"`
	Status   text   `json:"status"`
	Created  moment `json:"date_created_gmt"`
	Modified moment `json:"date_modified_gmt"`
	Expires  moment `json:"date_expires_gmt"`
}

func readCoupon(raw []byte, page *connectors.Page) error {
	w, err := decode[wcCoupon](raw)
	if err != nil {
		return err
	}
	if w.ID == 0 {
		return errors.New("field id is missing")
	}
	page.Records.Coupons = append(page.Records.Coupons, commerce.Coupon{
		ID: w.ID.String(), Code: strings.ToLower(w.Code.name()), Kind: w.Kind.trim(), Amount: w.Amount.or0(),
		Uses: int(w.Uses.or0().IntPart()), Status: w.Status.trim(),
		CreatedAt: w.Created.at, ModifiedAt: w.Modified.at, ExpiresAt: w.Expires.at,
	})
	return nil
}
