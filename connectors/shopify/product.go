package shopify

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-json"
	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

type productNode struct {
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	Status    string   `json:"status"`
	Type      string   `json:"productType"`
	Vendor    string   `json:"vendor"`
	Tags      []string `json:"tags"`
	CreatedAt string   `json:"createdAt"`
	UpdatedAt string   `json:"updatedAt"`
	Price     struct {
		Min money `json:"minVariantPrice"`
	} `json:"priceRangeV2"`
	Rating      custom                `json:"rating"`
	Ratings     custom                `json:"ratings"`
	Variants    list[json.RawMessage] `json:"variants"`    // where they come with the product
	Collections list[collectionNode]  `json:"collections"` // likewise
}

type custom struct {
	Value string `json:"value"`
}

type collectionNode struct {
	Parent string `json:"__parentId"` // in files
	Title  string `json:"title"`
}

type variantNode struct {
	ID        string   `json:"id"`
	Parent    string   `json:"__parentId"` // in files
	Product   ref      `json:"product"`    // where it is asked for alone
	Title     string   `json:"title"`
	SKU       string   `json:"sku"`
	Price     string   `json:"price"`
	CreatedAt string   `json:"createdAt"`
	UpdatedAt string   `json:"updatedAt"`
	Options   []option `json:"selectedOptions"`
	Item      struct {
		Cost *money `json:"unitCost"`
	} `json:"inventoryItem"`
}

type option struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// wholeProduct puts a product that came with its variants and collections into the page.
func (w *pull) wholeProduct(ctx context.Context, raw []byte) error {
	var n productNode
	if err := decode(raw, &n); err != nil {
		return &unreadable{cause: err}
	}
	collections, err := rest(ctx, w.source, "product_collections", "collections", n.ID, n.Collections)
	if err != nil {
		return err
	}
	nodes, err := rest(ctx, w.source, "product_variants", "variants", n.ID, n.Variants)
	if err != nil {
		return err
	}
	titles := make([]string, 0, len(collections))
	for _, c := range collections {
		titles = append(titles, c.Title)
	}
	p, err := productOf(&n, titles)
	if err != nil {
		return err
	}
	all := []commerce.Product{p}
	for _, node := range nodes {
		v, err := variant(node, p.ID)
		var bad *unreadable
		if errors.As(err, &bad) {
			w.out.Rejected = append(w.out.Rejected, bad.reject(node))
			continue
		}
		all = append(all, v)
	}
	w.out.Records.Products = append(w.out.Records.Products, all...)
	return nil
}

// loneVariant puts a variant that came without its product into the page.
func (w *pull) loneVariant(raw []byte) error {
	var n variantNode
	if err := decode(raw, &n); err != nil {
		return &unreadable{id: variantID(gidOf(raw)), cause: err}
	}
	v, err := variantOf(&n, tail(n.Product.ID))
	if err == nil {
		w.out.Records.Products = append(w.out.Records.Products, v)
	}
	return err
}

// productOf turns a product over. What it costs is known of its variants only.
func productOf(n *productNode, collections []string) (commerce.Product, error) {
	v := &values{}
	p := commerce.Product{
		ID: tail(n.ID), Name: n.Title, Type: n.Type, Status: strings.ToLower(n.Status),
		Price: v.maybeAmount("priceRangeV2", n.Price.Min.Amount), Tags: names(n.Tags),
		Categories: names(append([]string{n.Type}, collections...)), Brands: names([]string{n.Vendor}),
		CreatedAt: v.moment("createdAt", n.CreatedAt), ModifiedAt: v.moment("updatedAt", n.UpdatedAt),
	}
	p.Rating, p.Ratings = rating(n.Rating.Value, n.Ratings.Value)
	switch {
	case p.ID == "":
		return p, &unreadable{cause: missing("id")}
	case v.err != nil:
		return p, &unreadable{id: p.ID, cause: v.err}
	}
	return p, nil
}

// variantMark begins the ids of variants among products, because both are plain numbers that may be alike.
const variantMark = "variant-"

// variantID returns the id of a variant among products.
func variantID(gid string) string {
	if gid == "" {
		return ""
	}
	return variantMark + tail(gid)
}

func variant(raw []byte, product string) (commerce.Product, error) {
	var n variantNode
	if err := decode(raw, &n); err != nil {
		return commerce.Product{}, &unreadable{id: variantID(gidOf(raw)), cause: err}
	}
	return variantOf(&n, product)
}

func variantOf(n *variantNode, product string) (commerce.Product, error) {
	v := &values{}
	p := commerce.Product{
		ID: variantID(n.ID), ParentID: product, Name: n.Title, SKU: n.SKU, Type: "variant",
		Price:     v.maybeAmount("price", n.Price),
		CreatedAt: v.moment("createdAt", n.CreatedAt), ModifiedAt: v.moment("updatedAt", n.UpdatedAt),
	}
	if n.Item.Cost != nil {
		p.Cost = v.maybeAmount("unitCost", n.Item.Cost.Amount)
	}
	for _, o := range n.Options {
		p.Attributes = append(p.Attributes, commerce.Attribute{Name: o.Name, Options: []string{o.Value}})
	}
	switch {
	case p.ID == "":
		return p, &unreadable{cause: missing("id")}
	case v.err != nil:
		return p, &unreadable{id: p.ID, cause: v.err}
	}
	return p, nil
}

// names sorts names, each once, without empty ones.
func names(all []string) []string {
	var kept []string
	for _, name := range all {
		if name = strings.TrimSpace(name); name != "" {
			kept = append(kept, name)
		}
	}
	slices.Sort(kept)
	return slices.Compact(kept)
}

// rating reads the standard metafields that review apps keep. What somebody else wrote there is no reason to lose the
// product.
func rating(mean, count string) (decimal.NullDecimal, int) {
	var stars struct {
		Value string `json:"value"`
	}
	n, err := strconv.Atoi(strings.TrimSpace(count))
	if err != nil || n < 0 {
		n = 0
	}
	if json.Unmarshal([]byte(mean), &stars) != nil {
		return decimal.NullDecimal{}, n
	}
	value, err := decimal.NewFromString(stars.Value)
	if err != nil || value.IsNegative() || value.GreaterThan(decimal.NewFromInt(100)) {
		return decimal.NullDecimal{}, n
	}
	return decimal.NewNullDecimal(value), n
}
