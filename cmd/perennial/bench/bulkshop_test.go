package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// bulkShop is a shop of any number of orders with three lines each, which it hands out as the file of one bulk operation.
// The file is nowhere: every order takes equally many bytes, so that any part of it can be made when it is asked for.
type bulkShop struct {
	orders int
	home   string
	model  []byte // an order with its lines
	places map[string][]int
}

// What differs between orders, as it stands in the model; each is as long as what takes its place.
const (
	numberMark   = "100000000"
	customerMark = "200000000"
	dateMark     = "2000-01-01T00:00:00Z"
	priceMark    = "301.50"
	sumMark      = "0904.50"
)

const linesPerOrder = 3

func newBulkShop(orders int) *bulkShop {
	s := &bulkShop{orders: orders, places: map[string][]int{}}
	var text bytes.Buffer
	fmt.Fprintf(&text, `{"__typename":"Order","id":"gid://shopify/Order/%[1]s","name":"#%[1]s","createdAt":"%[3]s","processedAt":"%[3]s","updatedAt":"%[3]s","cancelledAt":null,"test":false,"sourceName":"web","currencyCode":"EUR","taxesIncluded":false,"displayFinancialStatus":"PAID","discountCodes":[],"email":"person%[2]s@example.com","totalPriceSet":{"shopMoney":{"amount":"%[5]s","currencyCode":"EUR"},"presentmentMoney":{"amount":"%[5]s","currencyCode":"EUR"}},"subtotalPriceSet":{"shopMoney":{"amount":"%[5]s"}},"totalDiscountsSet":{"shopMoney":{"amount":"0.0"}},"totalTaxSet":{"shopMoney":{"amount":"0.0"}},"totalTipReceivedSet":{"shopMoney":{"amount":"0.0"}},"originalTotalDutiesSet":null,"additionalFees":[],"shippingLine":{"id":"gid://shopify/ShippingLine/%[1]s","discountedPriceSet":{"shopMoney":{"amount":"0.0"}},"discountAllocations":[],"taxLines":[]},"customer":{"id":"gid://shopify/Customer/%[2]s"},"billingAddress":{"firstName":"Ada","lastName":"Lindqvist","countryCodeV2":"DE","provinceCode":"BE","city":"Berlin","zip":"10115"},"shippingAddress":{"firstName":"Ada","lastName":"Lindqvist","countryCodeV2":"DE","provinceCode":"BE","city":"Berlin","zip":"10115"},"customerJourneySummary":{"lastVisit":{"id":"gid://shopify/CustomerVisit/%[1]s","source":"newsletter","sourceType":null,"referrerUrl":"https:\/\/mail.example\/","utmParameters":{"source":"newsletter","medium":"email","campaign":"autumn","content":null,"term":null}},"firstVisit":null},"transactions":[{"id":"gid://shopify/OrderTransaction/%[1]s","kind":"SALE","status":"SUCCESS","processedAt":"%[3]s"}],"refunds":[]}`+"\n",
		numberMark, customerMark, dateMark, priceMark, sumMark)
	for line := range linesPerOrder {
		fmt.Fprintf(&text, `{"__typename":"LineItem","id":"gid://shopify/LineItem/%[1]s%[4]d","name":"Linen apron with two pockets","sku":"SKU-%[4]d","quantity":1,"isGiftCard":false,"originalTotalSet":{"shopMoney":{"amount":"%[3]s"}},"discountAllocations":[],"taxLines":[],"product":{"id":"gid://shopify/Product/10%[4]d"},"variant":{"id":"gid://shopify/ProductVariant/20%[4]d","inventoryItem":{"id":"gid://shopify/InventoryItem/30%[4]d","unitCost":{"amount":"100.25"}}},"__parentId":"gid://shopify/Order/%[1]s"}`+"\n",
			numberMark, "", priceMark, line)
	}
	s.model = text.Bytes()
	for _, mark := range []string{numberMark, customerMark, dateMark, priceMark, sumMark} {
		for at := 0; ; {
			next := bytes.Index(s.model[at:], []byte(mark))
			if next < 0 {
				break
			}
			s.places[mark] = append(s.places[mark], at+next)
			at += next + len(mark)
		}
	}
	return s
}

func (s *bulkShop) size() int64 { return int64(s.orders) * int64(len(s.model)) }

// order writes order n over a copy of the model. Three orders are one customer's.
func (s *bulkShop) order(block []byte, n int) {
	copy(block, s.model)
	price := 301 + n%600
	at := today.Add(-24*time.Hour - time.Duration(n*37%63_072_000)*time.Second)
	for mark, text := range map[string]string{
		numberMark: fmt.Sprint(100_000_000 + n), customerMark: fmt.Sprint(200_000_000 + n/3), dateMark: at.Format(time.RFC3339),
		priceMark: fmt.Sprintf("%d.50", price), sumMark: fmt.Sprintf("%04d.50", 3*price+1),
	} {
		for _, place := range s.places[mark] {
			copy(block[place:], text)
		}
	}
}

// ReadAt makes a part of the file.
func (s *bulkShop) ReadAt(p []byte, from int64) (n int, err error) {
	block := make([]byte, len(s.model))
	for n < len(p) {
		at := from + int64(n)
		if at >= s.size() {
			return n, io.EOF
		}
		s.order(block, int(at/int64(len(block))))
		n += copy(p[n:], block[at%int64(len(block)):])
	}
	return n, nil
}

// ServeHTTP answers what the connector asks of a shop whose only records are orders.
func (s *bulkShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/file") {
		http.ServeContent(w, r, "file.jsonl", time.Time{}, io.NewSectionReader(s, 0, s.size()))
		return
	}
	var asked struct {
		Query     string
		Variables struct{ Query, ID string }
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Shopify-Api-Version", "2026-07")
	ours := strings.Contains(asked.Variables.Query, "orders {") || strings.HasSuffix(asked.Variables.ID, "/1")
	data := s.answer(asked.Query, ours)
	if data == "" {
		data = `{}`
	}
	_, _ = fmt.Fprintf(w, `{"data":%s}`, data) // a client that went away is its own business
}

// operation is the bulk operation of the orders, number 1, or one without result.
func (s *bulkShop) operation(status string, orders bool) string {
	number, lines, roots, size, url := 2, 0, 0, int64(0), "null"
	if orders {
		number, lines, roots, size = 1, s.orders*(1+linesPerOrder), s.orders, s.size()
	}
	if orders && status == "COMPLETED" {
		url = `"` + s.home + `/file"`
	}
	return fmt.Sprintf(`{"id":"gid://shopify/BulkOperation/%d","type":"QUERY","status":%q,"errorCode":null,"createdAt":%q,
		"completedAt":%q,"objectCount":"%d","rootObjectCount":"%d","fileSize":"%d","url":%s,"partialDataUrl":null}`,
		number, status, today.Format(time.RFC3339), today.Format(time.RFC3339), lines, roots, size, url)
}

// answer is the data of the answer to a document; orders says that it is about the bulk operation of the orders.
func (s *bulkShop) answer(query string, orders bool) string {
	const none = `{"nodes":[],"pageInfo":{"hasNextPage":false,"endCursor":null}}`
	scopes := `"currentAppInstallation":{"accessScopes":[{"handle":"read_orders"},{"handle":"read_all_orders"},{"handle":"read_customers"},
		{"handle":"write_customers"},{"handle":"read_products"},{"handle":"read_inventory"}]}`
	for _, answer := range []struct{ mark, data string }{
		{"bulkOperationRunQuery(", `{"bulkOperationRunQuery":{"bulkOperation":` + s.operation("CREATED", orders) + `,"userErrors":[]}}`},
		{"bulkOperation(", `{"bulkOperation":` + s.operation("COMPLETED", orders) + `}`},
		{"bulkOperations(", `{"bulkOperations":` + none + `}`},
		{"ordersCount(", fmt.Sprintf(`{"ordersCount":{"count":%d,"precision":"EXACT"}}`, s.orders)},
		{"customersCount(", `{"customersCount":{"count":0,"precision":"EXACT"}}`},
		{"productsCount(", `{"productsCount":{"count":0,"precision":"EXACT"}}`},
		{"shop {", `{"shop":{"id":"gid://shopify/Shop/1","name":"Bench","myshopifyDomain":"bench.myshopify.com","primaryDomain":{"url":"https:\/\/bench.example"},
			"currencyCode":"EUR","ianaTimezone":"Europe/Berlin","createdAt":"2020-01-01T00:00:00Z","plan":{"publicDisplayName":"Plus"}},` + scopes +
			`,"publicApiVersions":[{"handle":"2026-07","supported":true}]}`},
		{"currentAppInstallation", `{` + scopes + `}`},
		{"customers(", `{"customers":` + none + `}`},
		{"products(", `{"products":` + none + `}`},
		{"events(", `{"events":` + none + `}`},
		{"inventoryItems(", `{"inventoryItems":` + none + `}`},
		{"orders(", `{"orders":` + none + `}`},
	} {
		if strings.Contains(query, answer.mark) {
			return answer.data
		}
	}
	return ""
}
