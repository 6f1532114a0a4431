package csvfile

import "github.com/perennial-cvo/perennial/connectors/commerce"

// shopifyTables reads what Shopify's admin exports: Orders > Export and Customers > Export. An order has a row for each
// line, and its own columns are filled in the first of them only. "Subtotal" is goods after discounts.
func shopifyTables() map[commerce.Resource]*table {
	return map[commerce.Resource]*table{
		commerce.Orders: {
			resource: commerce.Orders,
			marks:    []string{"Name", "Financial Status", "Lineitem name"},
			key:      "order_id",
			required: []string{"order_id", "date", "quantity", "unit_price", "status", "net_goods"},
			Table: Table{
				Rows: rowsLine, Returns: returnsRefund,
				Columns: map[string]string{
					"order_id": "Name", "number": "Name", "email": "Email", "status": "Financial Status", "paid_at": "Paid at",
					"currency": "Currency", "net_goods": "Subtotal", "shipping": "Shipping", "tax": "Taxes", "total": "Total",
					"coupon": "Discount Code", "date": "Created at", "quantity": "Lineitem quantity",
					"product": "Lineitem name", "unit_price": "Lineitem price", "sku": "Lineitem sku", "name": "Billing Name",
					"city": "Billing City", "postcode": "Billing Zip", "region": "Billing Province",
					"country": "Billing Country", "cancelled_at": "Cancelled at", "refunded": "Refunded Amount",
					"channel": "Source", "consent": "Accepts Marketing",
				},
			},
		},
		commerce.Customers: {
			resource: commerce.Customers,
			marks:    []string{"First Name", "Last Name", "Email", "Accepts Email Marketing"},
			key:      "id",
			required: []string{"email"},
			choices: map[string][]string{
				"id":      {"Email"},
				"country": {"Country Code"}, "region": {"Province Code"}, "city": {"City"}, "postcode": {"Zip"},
			},
			Table: Table{Columns: map[string]string{
				"id": "Customer ID", "first_name": "First Name", "last_name": "Last Name", "email": "Email",
				"consent": "Accepts Email Marketing", "tags": "Tags",
				"country": "Default Address Country Code", "region": "Default Address Province Code",
				"city": "Default Address City", "postcode": "Default Address Zip",
			}},
		},
	}
}

// wooCommerceTables reads what WooCommerce itself exports: Products > Export, and the Download button of
// Analytics > Orders and Analytics > Customers. The orders report names the buyer but has no e-mail address; where a
// plugin adds one, it is used. A refund is a row of its own with the number of its order and a negative amount.
func wooCommerceTables() map[commerce.Resource]*table {
	return map[commerce.Resource]*table{
		commerce.Orders: {
			resource: commerce.Orders,
			marks:    []string{"Date", "Order #", "Status", "Net Sales"},
			key:      "order_id",
			required: []string{"order_id", "date", "status", "net_goods"},
			choices:  map[string][]string{"email": {"Email", "Customer email"}},
			Table: Table{
				Rows: rowsOrder, Returns: returnsRefund,
				Columns: map[string]string{
					"order_id": "Order #", "number": "Order #", "date": "Date", "status": "Status", "name": "Customer",
					"net_goods": "Net Sales", "coupon": "Coupon(s)", "channel": "Attribution", "email": "Billing email",
					"customer_id": "Customer ID", "currency": "Currency",
				},
			},
		},
		commerce.Customers: {
			resource: commerce.Customers,
			marks:    []string{"Name", "Email", "Last active", "AOV"},
			key:      "email",
			required: []string{"email"},
			choices:  map[string][]string{"created_at": {"Date registered"}, "country": {"Country"}},
			Table: Table{
				// Guests stand in the report without a user name; they are no accounts.
				Keep: []Filter{{Column: "Username", Present: true, lenient: true}, {Column: "Email", Present: true}},
				Columns: map[string]string{
					"name": "Name", "email": "Email", "created_at": "Sign up", "country": "Country / Region",
					"city": "City", "region": "Region", "postcode": "Postal code",
				},
			},
		},
		commerce.Products: {
			resource: commerce.Products,
			marks:    []string{"ID", "Type", "SKU", "Name", "Published"},
			key:      "id",
			required: []string{"id", "name"},
			Table: Table{Columns: map[string]string{
				"id": "ID", "type": "Type", "sku": "SKU", "name": "Name", "status": "Published", "price": "Regular price",
				"cost": "Cost of goods", "categories": "Categories", "tags": "Tags", "brands": "Brands", "parent": "Parent",
			}},
		},
	}
}
