package csvfile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/csvfile"
)

// The first row of Shopify's orders export, with those columns that are read and some that are not.
const shopifyOrders = "Name,Email,Financial Status,Paid at,Fulfilled at,Accepts Marketing,Currency,Subtotal," +
	"Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name," +
	"Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable," +
	"Billing Name,Billing City,Billing Zip,Billing Province,Billing Country,Cancelled at," +
	"Refunded Amount,Id,Tags,Source"

// shopifyRow fills some columns of that export.
func shopifyRow(cells map[string]string) string {
	var row []string
	for _, name := range strings.Split(shopifyOrders, ",") {
		row = append(row, cells[name])
	}
	return strings.Join(row, ",") + "\n"
}

func shopify(folder string) connectors.Settings {
	return connectors.Settings{"folder": folder, "format": "shopify", "currency": "USD", "time_zone": "America/New_York"}
}

func TestShopifyExports(t *testing.T) {
	first := map[string]string{
		"Name": "#1001", "Email": "Ada@Example.com", "Financial Status": "partially_refunded", "Currency": "USD",
		"Subtotal": "36.00", "Shipping": "5.00", "Taxes": "3.28", "Total": "44.28", "Discount Code": "TEN",
		"Discount Amount": "4.00", "Created at": "2025-05-01 09:58:12 -0400", "Paid at": "2025-05-01 09:59:00 -0400",
		"Lineitem quantity": "2", "Lineitem name": "Shirt - M", "Lineitem price": "15.00", "Lineitem sku": "S-M",
		"Billing Name": "Ada B. Example", "Billing Country": "US", "Billing Zip": "'01234", "Refunded Amount": "10.00",
		"Id": "5001", "Source": "web", "Accepts Marketing": "yes",
	}
	folder := write(t, map[string]string{
		"orders_export_1.csv": shopifyOrders + "\n" + shopifyRow(first) +
			shopifyRow(map[string]string{"Name": "#1001", "Email": "Ada@Example.com", "Lineitem quantity": "1", "Lineitem name": "Mug", "Lineitem price": "10.00"}) +
			shopifyRow(map[string]string{
				"Name": "#1002", "Financial Status": "paid", "Currency": "USD", "Subtotal": "10.00", "Shipping": "0", "Taxes": "0",
				"Total": "10.00", "Created at": "2025-05-02 10:00:00 -0400", "Cancelled at": "2025-05-02 11:00:00 -0400",
				"Lineitem quantity": "1", "Lineitem name": "Mug", "Lineitem price": "10.00",
			}),
		"customers_export.csv": "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company," +
			"Default Address City,Default Address Province Code,Default Address Country Code,Default Address Zip,Phone,Total Spent,Total Orders,Note,Tax Exempt,Tags\n" +
			"'7001,Ada,Example,Ada@Example.com,yes,,Portland,ME,US,'04101,,44.28,1,,no,\"vip, wholesale\"\n" +
			"'7002,Bo,Example,bo@example.com,no,,,,,,,0.00,0,,no,\n",
		"products_export.csv": "Handle,Title\nx,y\n",
	})
	page := pullAll(t, shopify(folder), commerce.Orders, connectors.Increment)
	require.Empty(t, page.Rejected)
	require.Len(t, page.Records.Orders, 2)
	o := page.Records.Orders[0]
	require.Equal(t, "#1001", o.ID)
	require.Equal(t, "partially_refunded", o.Status)
	require.Equal(t, "ada@example.com", o.Email)
	require.Equal(t, []string{"Ada B.", "Example"}, []string{o.FirstName, o.LastName})
	require.Equal(t, "01234", o.Postcode)
	require.Equal(t, "40", o.Goods.String())
	require.Equal(t, "4", o.Discount.String())
	require.Equal(t, "44.28", o.Total.String())
	require.Equal(t, []string{"ten"}, o.Coupons)
	require.Equal(t, commerce.ConsentSubscribed, o.Consent.State)
	require.Equal(t, "2025-05-01T13:58:12Z", o.PlacedAt.Format(time.RFC3339))
	require.Len(t, page.Records.Refunds, 1)
	require.Equal(t, "10", page.Records.Refunds[0].Amount.String())
	require.Equal(t, "#1001", page.Records.Refunds[0].OrderID)
	require.Equal(t, "cancelled", page.Records.Orders[1].Status)

	customers := pullAll(t, shopify(folder), commerce.Customers, connectors.Increment).Records.Customers
	require.Len(t, customers, 2)
	require.Equal(t, "7001", customers[0].ID)
	require.Equal(t, []string{"vip", "wholesale"}, customers[0].Tags)
	require.Equal(t, "04101", customers[0].Postcode)
	require.Equal(t, commerce.ConsentSubscribed, customers[0].Consent.State)
	require.Equal(t, commerce.ConsentUnsubscribed, customers[1].Consent.State)

	report, err := newSource(t, shopify(folder)).Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), "%+v", report.Findings)
	require.Contains(t, findings(report), "products_export.csv: the columns are of no export that is known")
	require.Contains(t, findings(report), "orders in orders_export_1.csv: 3 rows")
	require.Contains(t, findings(report), "1 of 2 orders name neither a customer id nor an e-mail address")
}

func TestShopifyPricesThatIncludeTax(t *testing.T) {
	folder := write(t, map[string]string{"o.csv": shopifyOrders + "\n" + shopifyRow(map[string]string{
		"Name": "#1", "Email": "a@example.com", "Financial Status": "paid", "Subtotal": "119.00", "Shipping": "5.00", "Taxes": "19.80",
		"Total": "124.00", "Created at": "2025-05-01 09:58:12 +0200", "Lineitem quantity": "1", "Lineitem price": "119.00", "Lineitem name": "Lamp",
	})})
	o := pullAll(t, shopify(folder), commerce.Orders, connectors.Increment).Records.Orders[0]
	require.Equal(t, "99.2", o.Goods.String())
	require.True(t, o.Goods.Add(o.Shipping).Add(o.Tax).Equal(o.Total))
}

// Owners save an export a month and the months overlap: the later file knows better, and nothing counts twice.
func TestShopifyExportsThatOverlap(t *testing.T) {
	order := map[string]string{
		"Name": "#1", "Email": "a@example.com", "Financial Status": "pending", "Subtotal": "10.00", "Total": "10.00",
		"Created at": "2025-05-01 09:58:12 +0200", "Lineitem quantity": "1", "Lineitem price": "10.00", "Lineitem name": "Mug",
	}
	may := shopifyOrders + "\n" + shopifyRow(order)
	order["Financial Status"] = "paid"
	folder := write(t, map[string]string{"2025-05.csv": may, "2025-06.csv": shopifyOrders + "\n" + shopifyRow(order)})
	page := pullAll(t, shopify(folder), commerce.Orders, connectors.Increment)
	require.Len(t, page.Records.Orders, 1)
	require.Len(t, page.Records.Lines, 1)
	require.Equal(t, "paid", page.Records.Orders[0].Status)
	require.Equal(t, "10", page.Records.Orders[0].Goods.String())
	require.Len(t, page.Warnings, 1)
}

func woo(folder string) connectors.Settings {
	return connectors.Settings{"folder": folder, "format": "woocommerce", "currency": "EUR", "time_zone": "Europe/Berlin"}
}

func TestWooCommerceExports(t *testing.T) {
	folder := write(t, map[string]string{
		// The report is saved in two ways, with slightly different columns: made by the server and sent by e-mail, or by
		// the browser.
		"orders-a.csv": "Date,Order #,N. Revenue (formatted),Status,Customer,Customer type,Product(s),Items sold,Coupon(s),Net Sales,Attribution\n" +
			"2025-05-01 10:00:00,12,\"\u20ac20,00\",completed,Ada Example,new,\"2\u00d7 Mug\",2,TEN,20,Direct\n" +
			"2025-05-09 10:00:00,12,\"-\u20ac5,00\",completed,Ada Example,new,,0,,-5,Direct\n",
		"orders-b.csv": "Date,Order #,Status,Customer,Customer type,Product(s),Items sold,Coupon(s),Net sales,Attribution\n" +
			"2025-05-09 10:00:00,12,completed,Ada Example,new,,0,,-5,Direct\n" +
			"2025-06-01 10:00:00,13,wc-cancelled,Bo Example,new,1\u00d7 Mug,1,,10,Direct\n",
		"customers.csv": "Name,Username,Last active,Sign up,Email,Orders,Total spend,AOV,Country / Region,City,Region,Postal code\n" +
			"Ada Example,ada,2025-05-01 10:00:00,2025-04-01 10:00:00,Ada@Example.com,1,15,15,DE,Berlin,BE,10115\n" +
			"Guest Example,,2025-05-01 10:00:00,,guest@example.com,1,15,15,DE,Berlin,BE,10115\n",
		"products.csv": "ID,Type,SKU,\"GTIN, UPC, EAN, or ISBN\",Name,Published,Is featured?,Regular price,Categories,Tags,Parent,Position\n" +
			"5,variable,TEE,,Tee,1,0,,\"Clothing > Shirts, Sale\",soft,,0\n" +
			"6,variation,TEE-M,,Tee - M,1,0,12.50,,,TEE,0\n" +
			"7,variation,TEE-L,,Tee - L,-1,0,12.50,,,id:5,0\n",
	})
	page := pullAll(t, woo(folder), commerce.Orders, connectors.Increment)
	require.Empty(t, page.Rejected)
	require.Len(t, page.Records.Orders, 2)
	require.Equal(t, []string{"12", "completed", "20"}, []string{page.Records.Orders[0].ID, page.Records.Orders[0].Status, page.Records.Orders[0].Goods.String()})
	require.Equal(t, "Ada", page.Records.Orders[0].FirstName)
	require.Equal(t, "cancelled", page.Records.Orders[1].Status)
	require.Len(t, page.Records.Refunds, 1, "a refund that stands in both files counts once")
	require.Equal(t, []string{"12", "5"}, []string{page.Records.Refunds[0].OrderID, page.Records.Refunds[0].Amount.String()})
	require.Equal(t, "2025-05-09T08:00:00Z", page.Records.Refunds[0].At.Format(time.RFC3339))

	customers := pullAll(t, woo(folder), commerce.Customers, connectors.Increment).Records.Customers
	require.Len(t, customers, 1, "guests in the report are no accounts")
	require.Equal(t, "ada@example.com", customers[0].ID)

	products := pullAll(t, woo(folder), commerce.Products, connectors.Increment).Records.Products
	require.Len(t, products, 3)
	require.Equal(t, []string{"Sale", "Shirts"}, products[0].Categories)
	require.Equal(t, []string{"", "5", "5"}, []string{products[0].ParentID, products[1].ParentID, products[2].ParentID})
	require.Equal(t, []string{"publish", "publish", "draft"}, []string{products[0].Status, products[1].Status, products[2].Status})
	require.Equal(t, "12.5", products[1].Price.Decimal.String())

	report, err := newSource(t, woo(folder)).Check(t.Context())
	require.NoError(t, err)
	require.Contains(t, findings(report), "e-mail", "that this report names nobody is said plainly")
}

func findings(report connectors.Report) string {
	var b strings.Builder
	for _, f := range report.Findings {
		b.WriteString(f.Subject + ": " + f.Text + "\n")
	}
	return b.String()
}

func TestReviewsAndCustomersByAMapping(t *testing.T) {
	folder := write(t, map[string]string{
		"orders.csv":  "id,email,date,total\n",
		"people.csv":  "who,mail,optin\n1,A@example.com,TRUE\n2,b@example.com,\n",
		"reviews.csv": "product,stars,text,when,who\n5,4,\"Good,\nvery\",2025-01-01,A@example.com\n5,9,No,2025-01-01,x@example.com\n",
	})
	s := settings(folder, map[string]any{
		"files": []any{"orders.csv"}, "columns": map[string]any{"order_id": "id", "email": "email", "date": "date", "total": "total"},
	})
	s["customers"] = map[string]any{"files": []any{"people.csv"}, "columns": map[string]any{"id": "who", "email": "mail", "consent": "optin"}}
	s["reviews"] = map[string]any{"files": []any{"reviews.csv"}, "columns": map[string]any{
		"product_id": "product", "rating": "stars", "body": "text", "created_at": "when", "email": "who",
	}}
	customers := pullAll(t, s, commerce.Customers, connectors.Increment).Records.Customers
	require.Equal(t, "a@example.com", customers[0].Email)
	require.Equal(t, commerce.ConsentSubscribed, customers[0].Consent.State)
	require.Equal(t, commerce.ConsentUnknown, customers[1].Consent.State, "an empty cell is neither yes nor no")
	reviews := pullAll(t, s, commerce.Reviews, connectors.Increment)
	require.Len(t, reviews.Records.Reviews, 1)
	require.Equal(t, "reviews.csv:2", reviews.Records.Reviews[0].ID)
	require.Equal(t, "Good,\nvery", reviews.Records.Reviews[0].Body)
	require.Equal(t, 4, reviews.Records.Reviews[0].Rating)
	require.Equal(t, "reviews.csv:4", reviews.Rejected[0].ID)
	require.Empty(t, pullAll(t, s, commerce.Orders, connectors.Increment).Records.Orders, "a file of no rows is a shop without orders")
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	folder := write(t, map[string]string{"a.csv": "id,email,date,total\n1,a@example.com,2025-01-01,5\n2,a@example.com,2025-13-01,5\n"})
	report, err := newSource(t, simple(folder)).Check(t.Context())
	require.NoError(t, err)
	require.False(t, report.OK())
	text := findings(report)
	require.Contains(t, text, "orders in a.csv: 2 rows")
	require.Contains(t, text, `1 of 2 records cannot be read: a.csv:3: column "date"`)
	require.Contains(t, text, "amounts without a currency are in EUR, dates without a zone in Europe/Berlin")

	report, err = newSource(t, simple(write(t, map[string]string{"a.csv": "id,date,total\n"}))).Check(t.Context())
	require.NoError(t, err)
	require.False(t, report.OK())
	require.Contains(t, findings(report), `column "email" is missing; the file has id, date, total`)

	_, err = newSource(t, simple(folder+"/nowhere")).Check(t.Context())
	require.Error(t, err)
	require.Equal(t, connectors.KindPermanent.String(), connectors.KindOf(err).String())
}

func TestSettingsAreRefusedByName(t *testing.T) {
	orders := func(change func(map[string]any)) func(connectors.Settings) {
		return func(s connectors.Settings) { change(s["orders"].(map[string]any)) }
	}
	columns := func(field, column string) func(connectors.Settings) {
		return orders(func(o map[string]any) { o["columns"].(map[string]any)[field] = column })
	}
	for name, tt := range map[string]struct {
		change func(connectors.Settings)
		want   string
	}{
		"currency":          {func(s connectors.Settings) { s["currency"] = "EURO" }, `"currency"`},
		"time zone":         {func(s connectors.Settings) { s["time_zone"] = "Mars" }, `"time_zone"`},
		"decimal":           {func(s connectors.Settings) { s["decimal"] = ";" }, `"decimal"`},
		"delimiter":         {func(s connectors.Settings) { s["delimiter"] = "::" }, `"delimiter"`},
		"encoding":          {func(s connectors.Settings) { s["encoding"] = "ebcdic" }, `"encoding"`},
		"format":            {func(s connectors.Settings) { s["format"] = "excel" }, `"format"`},
		"page size":         {func(s connectors.Settings) { s["page_size"] = -1 }, `"page_size"`},
		"no orders":         {func(s connectors.Settings) { delete(s, "orders") }, `"orders" is missing`},
		"no files":          {orders(func(o map[string]any) { delete(o, "files") }), `"files" is missing`},
		"no date":           {orders(func(o map[string]any) { delete(o["columns"].(map[string]any), "date") }), `"date" is missing`},
		"no amount":         {orders(func(o map[string]any) { delete(o["columns"].(map[string]any), "total") }), `"total"`},
		"unknown field":     {columns("colour", "x"), `unknown field "colour"`},
		"unknown key":       {orders(func(o map[string]any) { o["fils"] = "x" }), "fils"},
		"rows":              {orders(func(o map[string]any) { o["rows"] = "cell" }), `rows: "cell"`},
		"rows without line": {orders(func(o map[string]any) { o["rows"] = "line" }), `"line_total"`},
		"returns":           {orders(func(o map[string]any) { o["returns"] = "burn" }), `returns: "burn"`},
		"dates":             {orders(func(o map[string]any) { o["dates"] = []any{"MM/YYYY"} }), `dates: "MM/YYYY"`},
		"filter":            {orders(func(o map[string]any) { o["keep"] = []any{map[string]any{"present": true}} }), `"column"`},
		"filter number": {orders(func(o map[string]any) {
			o["keep"] = []any{map[string]any{"column": "x", "min": "many"}}
		}), "min many"},
	} {
		t.Run(name, func(t *testing.T) {
			s := simple(t.TempDir())
			tt.change(s)
			_, err := makeSource(s)
			require.ErrorContains(t, err, tt.want)
			require.Equal(t, connectors.KindPermanent.String(), connectors.KindOf(err).String())
		})
	}
}

func TestConditions(t *testing.T) {
	text := "id,email,date,total,country,note\n1,a@example.com,2025-01-01,5,DE,\n2,a@example.com,2025-01-01,50,FR,x\n" +
		"3,a@example.com,2025-01-01,0,DE,yes\n4,a@example.com,2025-01-01,7,US,test\n"
	for name, tt := range map[string]struct {
		keep map[string]any
		want []string
	}{
		"is":         {map[string]any{"column": "country", "is": []any{"DE", "FR"}}, []string{"1", "2", "3"}},
		"not":        {map[string]any{"column": "country", "not": []any{"US"}}, []string{"1", "2", "3"}},
		"prefix":     {map[string]any{"column": "Note", "prefix": "te"}, []string{"4"}},
		"not prefix": {map[string]any{"column": "note", "not_prefix": "te"}, []string{"1", "2", "3"}},
		"min":        {map[string]any{"column": "total", "min": 7}, []string{"2", "4"}},
		"positive":   {map[string]any{"column": "total", "positive": true}, []string{"1", "2", "4"}},
		"present":    {map[string]any{"column": "note", "present": true}, []string{"2", "3", "4"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := simple(write(t, map[string]string{"a.csv": text}))
			s["orders"].(map[string]any)["keep"] = []any{tt.keep}
			require.Equal(t, tt.want, pullAll(t, s, commerce.Orders, connectors.Increment).Records.Complete)
		})
	}
}

func TestStatusesOfEveryFormatAreKnown(t *testing.T) {
	statuses := csvfile.New().Statuses
	for _, status := range []string{csvfile.StatusPlaced, "paid", "partially_refunded", "processing", "completed"} {
		require.True(t, statuses[status], status)
	}
	for _, status := range []string{"pending", "voided", "cancelled", "failed", "on-hold", "refunded"} {
		counts, known := statuses[status]
		require.True(t, known, status)
		require.False(t, counts, status)
	}
}
