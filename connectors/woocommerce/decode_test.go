package woocommerce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func equal(t *testing.T, want string, got decimal.Decimal, what string) {
	t.Helper()
	require.True(t, dec(want).Equal(got), "%s: want %s, got %s", what, want, got)
}

// readOne decodes one recorded or altered order.
func readOne(t *testing.T, raw []byte) (connectors.Page, error) {
	t.Helper()
	s := newSource(setUp(t, http.NotFound).api)
	var page connectors.Page
	err := s.readOrder(raw, &page)
	return page, err
}

func TestRecordedOrdersAddUp(t *testing.T) {
	for _, file := range []string{"orders_page1.json", "orders_trash.json"} {
		for _, raw := range rows(t, file) {
			page, err := readOne(t, raw)
			require.NoError(t, err)
			o := page.Records.Orders[0]
			sum := o.Goods.Sub(o.Discount).Add(o.Shipping).Add(o.Tax).Add(o.Fees)
			require.True(t, sum.Equal(o.Total), "order %s: %s is not %s", o.ID, sum, o.Total)
			require.Equal(t, []string{o.ID}, page.Records.Complete)
			require.NotEmpty(t, page.Records.Lines)
		}
	}
}

func TestMoneyOfSingleOrders(t *testing.T) {
	tests := map[string]struct{ goods, discount, shipping, tax, fees, total, cost string }{
		"order_coupon.json":                   {"22.08", "2.21", "18.00", "0", "0", "37.87", "10.43"},
		"order_negative_fee.json":             {"34.70", "3.00", "6.50", "3.06", "0", "41.26", "17.28"},
		"order_fee.json":                      {"87.69", "0", "6.50", "5.40", "4.00", "103.59", "47.79"},
		"order_no_email.json":                 {"42.99", "0", "6.50", "0", "0", "49.49", "22.87"},
		"order_from_storefront_checkout.json": {"20.17", "0", "0", "1.61", "0", "21.78", "6.55"},
		"order_refunded_full.json":            {"94.02", "0", "6.50", "8.04", "0", "108.56", ""},
	}
	for file, want := range tests {
		t.Run(file, func(t *testing.T) {
			page, err := readOne(t, recorded(t, file))
			require.NoError(t, err)
			o := page.Records.Orders[0]
			equal(t, want.goods, o.Goods, "goods")
			equal(t, want.discount, o.Discount, "discount")
			equal(t, want.shipping, o.Shipping, "shipping")
			equal(t, want.tax, o.Tax, "tax")
			equal(t, want.fees, o.Fees, "fees")
			equal(t, want.total, o.Total, "total")
			require.Equal(t, want.cost != "", o.Cost.Valid, "cost is known only where every line has one")
			if want.cost != "" {
				equal(t, want.cost, o.Cost.Decimal, "cost")
			}
		})
	}
}

func TestPeopleAndAttribution(t *testing.T) {
	page, err := readOne(t, recorded(t, "order_from_storefront_checkout.json"))
	require.NoError(t, err)
	o := page.Records.Orders[0]
	require.Equal(t, "web.buyer@mail.example", o.Email)
	require.Empty(t, o.CustomerID, "0 is a guest")
	require.Equal(t, "processing", o.Status)
	require.True(t, o.PaidAt.IsZero(), "payment on delivery")
	require.Equal(t, time.Date(2026, 11, 22, 4, 4, 1, 0, time.UTC), o.PlacedAt)
	require.Equal(t, commerce.Attribution{SourceType: "utm", Source: "klaviyo", Medium: "email", Campaign: "winback", Referrer: "https://mail.example/", Device: "Mobile"}, o.Attribution)

	page, err = readOne(t, recorded(t, "order_coupon.json"))
	require.NoError(t, err)
	require.Equal(t, []string{"welcome10"}, page.Records.Orders[0].Coupons)
	require.Equal(t, "103", page.Records.Orders[0].CustomerID)

	page, err = readOne(t, recorded(t, "order_email_with_spaces.json"))
	require.NoError(t, err)
	require.Equal(t, commerce.Email(page.Records.Orders[0].Email), page.Records.Orders[0].Email)
	require.NotContains(t, page.Records.Orders[0].Email, " ")

	page, err = readOne(t, recorded(t, "order_no_email.json"))
	require.NoError(t, err)
	require.Empty(t, page.Records.Orders[0].Email)
}

// altered returns a recorded order with one top-level field replaced by raw JSON.
func altered(t *testing.T, field, value string) []byte {
	t.Helper()
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(recorded(t, "order_coupon.json"), &fields))
	if value == "" {
		delete(fields, field)
	} else {
		fields[field] = json.RawMessage(value)
	}
	b, err := json.Marshal(fields)
	require.NoError(t, err)
	return b
}

func TestUnreadableOrdersAreRefusedByField(t *testing.T) {
	tests := []struct{ field, value, reason string }{
		{"currency", `"DOLLARS"`, "field currency"},
		{"currency", `null`, "field currency"},
		{"currency", ``, "field currency"},
		{"date_created_gmt", `"0000-00-00T00:00:00"`, "field date_created_gmt"},
		{"date_created_gmt", `"2999-01-01T00:00:00"`, "field date_created_gmt"},
		{"date_created_gmt", `null`, "field date_created_gmt"},
		{"total", `"1,234.50"`, "field total"},
		{"total", `"NaN"`, "field total"},
		{"total", `""`, "field total"},
		{"total", `"1e999999999"`, "field total"},
		{"shipping_total", `"6.50 $"`, "field shipping_total"},
		{"line_items", `"none"`, "field line_items"},
		{"line_items", `[{"id":1,"quantity":"two"}]`, "field line_items"},
		{"id", `1.5`, "field id"},
		{"id", `99999999999999999999999`, "field id"},
		{"customer_id", `-1`, "field customer_id"},
		{"status", `""`, "field status"},
	}
	for _, tt := range tests {
		page, err := readOne(t, altered(t, tt.field, tt.value))
		require.ErrorContains(t, err, tt.reason, "%s = %s", tt.field, tt.value)
		require.Empty(t, page.Records.Orders)
		require.Empty(t, page.Records.Lines, "nothing half-read")
	}
	_, err := readOne(t, []byte(`"a string"`))
	require.Error(t, err)
}

func TestOddOrdersAreRead(t *testing.T) {
	tests := []struct {
		field, value string
		check        func(t *testing.T, o commerce.Order, lines []commerce.Line)
	}{
		{"status", `"wc-fancy-new"`, func(t *testing.T, o commerce.Order, _ []commerce.Line) { require.Equal(t, "wc-fancy-new", o.Status) }},
		{"currency", `"xts"`, func(t *testing.T, o commerce.Order, _ []commerce.Line) { require.Equal(t, "XTS", o.Currency) }},
		{"id", `"9007199254740993"`, func(t *testing.T, o commerce.Order, _ []commerce.Line) { require.Equal(t, "9007199254740993", o.ID) }},
		{"id", `9007199254740993`, func(t *testing.T, o commerce.Order, _ []commerce.Line) { require.Equal(t, "9007199254740993", o.ID) }},
		{"total", `-12.5`, func(t *testing.T, o commerce.Order, _ []commerce.Line) { equal(t, "-12.5", o.Total, "total") }},
		{"total", `"0"`, func(t *testing.T, o commerce.Order, _ []commerce.Line) { equal(t, "0", o.Total, "total") }},
		{"customer_id", `null`, func(t *testing.T, o commerce.Order, _ []commerce.Line) { require.Empty(t, o.CustomerID) }},
		{"billing", `[]`, func(t *testing.T, o commerce.Order, _ []commerce.Line) { require.Empty(t, o.Email) }},
		{"billing", `{"first_name":"A\u0000b","last_name":"\ud800x","email":" Ann@X.EXAMPLE "}`, func(t *testing.T, o commerce.Order, _ []commerce.Line) {
			require.Equal(t, "Ab", o.FirstName)
			require.Equal(t, "\uFFFDx", o.LastName)
			require.Equal(t, "ann@x.example", o.Email)
		}},
		{"meta_data", `{"3":{"id":1,"key":"_wc_order_attribution_utm_source","value":"x"},"5":{"key":7,"value":{"a":[1]}}}`, func(t *testing.T, o commerce.Order, _ []commerce.Line) { require.Equal(t, "x", o.Attribution.Source) }},
		{"date_paid_gmt", `"2999-01-01T00:00:00"`, func(t *testing.T, o commerce.Order, _ []commerce.Line) { require.True(t, o.PaidAt.IsZero()) }},
		{"line_items", `[]`, func(t *testing.T, o commerce.Order, _ []commerce.Line) { require.False(t, o.Cost.Valid) }},
		{"line_items", `[{"id":6,"name":"Tom &amp; Jerry","product_id":0,"variation_id":"","quantity":"2.5","subtotal":"5","total":4,"sku":null,"image":{"id":""},"cost_of_goods_sold":{"value":1.2},"parent_name":null},
			{"id":7,"name":"x","product_id":"8","quantity":1,"subtotal":"1","total":"1","cogs_value":null,"meta_data":[{"key":"pw_gift_card_to","value":"x"}]}]`, func(t *testing.T, o commerce.Order, lines []commerce.Line) {
			require.Len(t, lines, 2)
			require.Equal(t, "Tom & Jerry", lines[0].Name)
			require.Empty(t, lines[0].ProductID, "the product is gone")
			require.Equal(t, "8", lines[1].ProductID)
			equal(t, "6", o.Goods, "goods")
			equal(t, "1", o.Discount, "discount")
			equal(t, "1.2", lines[0].Cost.Decimal, "cost of the line")
			require.False(t, o.Cost.Valid, "one line has no cost")
			equal(t, "1", o.GiftCards, "gift cards")
		}},
	}
	for _, tt := range tests {
		page, err := readOne(t, altered(t, tt.field, tt.value))
		require.NoError(t, err, "%s = %s", tt.field, tt.value)
		tt.check(t, page.Records.Orders[0], page.Records.Lines)
	}
}

func TestRejectedOrderKeepsNoKey(t *testing.T) {
	raw := altered(t, "currency", `""`)
	require.Contains(t, string(raw), "wc_order_iRy", "the recorded order has a key")
	r := reject(row{ID: 140, raw: raw}, "orders page", fmt.Errorf("x"))
	require.NotContains(t, string(r.Raw), "wc_order_iRy")
	require.Equal(t, "140", r.ID)
}

func TestWholeRefunds(t *testing.T) {
	for _, version := range []string{"list of refunds", "order by order"} {
		t.Run(version, func(t *testing.T) {
			asked := map[string]int{}
			s := newSource(setUp(t, func(w http.ResponseWriter, r *http.Request) {
				asked[trailing(r)]++
				switch path := trailing(r); {
				case path == "refunds" && version == "order by order":
					answerJSON(w, 404, noRouteBody)
				case path == "refunds":
					require.Equal(t, "186,232,999", r.URL.Query().Get("include"))
					answerJSON(w, 200, "["+inner(t, "order_refunds_partial.json")+","+inner(t, "order_refunds_full.json")+"]")
				case path == "orders/185/refunds":
					answerJSON(w, 200, string(recorded(t, "order_refunds_partial.json")))
				case path == "orders/231/refunds":
					answerJSON(w, 200, string(recorded(t, "order_refunds_full.json")))
				default:
					answerJSON(w, 200, `[]`)
				}
			}).api)
			var page connectors.Page
			require.NoError(t, s.readOrder(recorded(t, "order_refunded_partial.json"), &page))
			require.NoError(t, s.readOrder(recorded(t, "order_refunded_full.json"), &page))
			require.NoError(t, s.readOrder(altered(t, "refunds", `[{"id":999,"reason":"mis-shipped","total":"-5.00","total_tax":"-0.40"}]`), &page))
			require.NoError(t, s.addRefunds(t.Context(), &page))
			require.Len(t, page.Records.Refunds, 3)

			partial := page.Records.Refunds[0]
			require.Equal(t, "185", partial.OrderID)
			require.Equal(t, time.Date(2025, 2, 3, 1, 36, 50, 0, time.UTC), partial.At)
			equal(t, "13.95", partial.Amount, "amount")
			equal(t, "12.92", partial.Goods, "goods")
			equal(t, "1.03", partial.Tax, "tax")
			equal(t, "4.64", partial.Cost.Decimal, "cost that came back")
			require.Equal(t, "USD", partial.Currency)
			require.Len(t, partial.Lines, 1)
			require.Equal(t, "143", partial.Lines[0].LineID)
			equal(t, "1", partial.Lines[0].Quantity, "quantity")

			full := page.Records.Refunds[1]
			equal(t, "108.56", full.Amount, "amount")
			equal(t, "6.50", full.Shipping, "shipping")
			equal(t, "8.04", full.Tax, "tax")
			require.True(t, full.Goods.Add(full.Shipping).Add(full.Tax).Equal(full.Amount))
			require.False(t, full.Cost.Valid, "a cost of 0 is unknown")

			mentioned := page.Records.Refunds[2]
			equal(t, "5.00", mentioned.Amount, "amount as the order mentions it")
			equal(t, "0.40", mentioned.Tax, "tax as the order mentions it")
			require.Equal(t, page.Records.Orders[2].ModifiedAt, mentioned.At)

			require.NoError(t, s.addRefunds(t.Context(), &page))
			if version == "order by order" {
				require.Equal(t, 1, asked["refunds"], "the old version is remembered")
			}
		})
	}
}

func inner(t *testing.T, file string) string {
	t.Helper()
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(recorded(t, file))), "["), "]")
}

func TestRecordedProductsCouponsCustomersReviews(t *testing.T) {
	s := newSource(setUp(t, http.NotFound, func(set *settings) { set.ConsentMetaKey = "newsletter" }).api)
	var page connectors.Page
	for _, file := range []string{"products_page1.json", "variations_all.json"} {
		for _, raw := range rows(t, file) {
			require.NoError(t, s.readProduct(raw, &page))
		}
	}
	first := page.Records.Products[0]
	require.Equal(t, "Morning Espresso Beans", first.Name)
	require.Equal(t, []string{"Coffee"}, first.Categories)
	require.Equal(t, []string{"Finch Roasters"}, first.Brands)
	equal(t, "10.66", first.Cost.Decimal, "cost")
	equal(t, "17.21", first.Price.Decimal, "price")
	require.Equal(t, []commerce.Attribute{{Name: "Origin", Options: []string{"Germany"}}}, first.Attributes)
	variation := page.Records.Products[len(page.Records.Products)-1]
	require.NotEmpty(t, variation.ParentID)
	require.Len(t, variation.Attributes, 2)
	require.NotEmpty(t, variation.Attributes[0].Options)
	for _, p := range page.Records.Products {
		require.True(t, !p.Cost.Valid || p.Cost.Decimal.IsPositive(), "a cost of 0 is unknown")
	}
	for _, raw := range rows(t, "coupons.json") {
		require.NoError(t, readCoupon(raw, &page))
	}
	require.Equal(t, "freeship", page.Records.Coupons[0].Code)
	for _, raw := range rows(t, "customers_page1.json") {
		require.NoError(t, s.readCustomer(raw, &page))
	}
	require.Equal(t, "administrator", page.Records.Customers[0].Role)
	require.True(t, page.Records.Customers[0].ModifiedAt.IsZero())
	require.NoError(t, s.readCustomer([]byte(`{"id":7,"role":["wholesale","customer"],"last_name":"Salt &amp; Sons","billing":{"city":"L&#8217;Aquila"}}`), &page))
	odd := page.Records.Customers[len(page.Records.Customers)-1]
	require.Equal(t, "wholesale", odd.Role)
	require.Equal(t, "Salt & Sons", odd.LastName)
	require.Equal(t, "L\u2019Aquila", odd.City)
	for _, file := range []string{"reviews_page1.json", "reviews_spam.json"} {
		for _, raw := range rows(t, file) {
			require.NoError(t, readReview(raw, &page))
		}
	}
	require.Equal(t, "It is fine.", page.Records.Reviews[0].Body)
	require.Equal(t, 3, page.Records.Reviews[0].Rating)
	require.Error(t, readReview([]byte(`{"id":1,"rating":9,"date_created_gmt":"2025-01-01T00:00:00"}`), &page))
	require.NoError(t, s.readProduct([]byte(`{"id":5,"name":"Salt &amp; Pepper","price":"","categories":[{"name":"Mills &#038; Grinders"}],"cost_of_goods_sold":[],"attributes":{"1":{"name":"A","options":["x"]}}}`), &page))
	oddProduct := page.Records.Products[len(page.Records.Products)-1]
	require.Equal(t, "Salt & Pepper", oddProduct.Name)
	require.Equal(t, []string{"Mills & Grinders"}, oddProduct.Categories)
	require.False(t, oddProduct.Price.Valid)
}

func TestConsentMeta(t *testing.T) {
	s := newSource(setUp(t, http.NotFound, func(set *settings) { set.ConsentMetaKey = "newsletter" }).api)
	for value, want := range map[string]commerce.ConsentState{
		`"yes"`: "subscribed", `"1"`: "subscribed", `true`: "subscribed", `1`: "subscribed", `"Subscribed"`: "subscribed",
		`"no"`: "unsubscribed", `"0"`: "unsubscribed", `0`: "unsubscribed", `"unsubscribed"`: "unsubscribed",
		`""`: "", `"maybe"`: "", `null`: "", `{"a":1}`: "", `false`: "",
	} {
		var page connectors.Page
		raw := fmt.Sprintf(`{"id":1,"email":"a@x.example","meta_data":[{"key":"newsletter","value":%s}]}`, value)
		require.NoError(t, s.readCustomer([]byte(raw), &page))
		require.Equal(t, want, page.Records.Customers[0].Consent.State, value)
	}
}

func FuzzOrderNeverPanics(f *testing.F) {
	f.Add([]byte(`{"id":1,"currency":"USD","total":"1","status":"x","date_created_gmt":"2025-01-01T00:00:00","line_items":{"1":{}}}`))
	s := &source{api: &api{}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return
		}
		var page connectors.Page
		if s.readOrder(raw, &page) == nil {
			require.Len(t, page.Records.Orders, 1)
		}
	})
}
