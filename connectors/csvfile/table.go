package csvfile

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// table is the checked mapping of one resource.
type table struct {
	Table
	resource commerce.Resource
	layouts  []string
	// marks are the columns by which a file of a format is known; empty for a mapping, which names its files.
	marks []string
	// key is the field by which rows belong together.
	key string
	// choices are further names of a column, tried in order: exports differ between versions.
	choices map[string][]string
	// required are the fields whose column must be there; the others of a format may be missing.
	required []string
}

// fieldsOf lists the fields that a mapping may name, and those that it must.
var fieldsOf = map[commerce.Resource]struct{ all, must []string }{
	commerce.Orders: {
		all: []string{
			"order_id", "number", "customer_id", "email", "name", "first_name", "last_name", "date", "paid_at", "status",
			"cancelled_at", "currency", "total", "goods", "net_goods", "discount", "shipping", "tax", "fees", "refunded",
			"refunded_at", "quantity", "unit_price", "line_total", "line_discount", "line_id", "product_id", "sku",
			"product", "cost", "channel", "coupon", "consent", "country", "region", "city", "postcode",
		},
		must: []string{"date"},
	},
	commerce.Customers: {
		all: []string{
			"id", "email", "name", "first_name", "last_name", "role", "country", "region", "city", "postcode", "created_at",
			"tags", "consent",
		},
	},
	commerce.Products: {
		all: []string{
			"id", "parent", "name", "sku", "type", "status", "price", "cost", "categories", "brands", "tags",
		},
		must: []string{"name"},
	},
	commerce.Reviews: {
		all:  []string{"id", "product_id", "email", "reviewer", "rating", "body", "verified", "status", "created_at"},
		must: []string{"product_id"},
	},
}

// newTable checks a mapping of the configuration.
func newTable(resource commerce.Resource, mapping Table) (*table, error) {
	if len(mapping.Files) == 0 {
		return nil, errors.New(`"files" is missing: name the files, such as ["orders*.csv"]`)
	}
	t := &table{Table: mapping, resource: resource, key: "id"}
	for field := range t.Columns {
		if !slices.Contains(fieldsOf[resource].all, field) {
			return nil, fmt.Errorf("columns: unknown field %q; there are %s", field, strings.Join(fieldsOf[resource].all, ", "))
		}
		t.required = append(t.required, field)
	}
	sort.Strings(t.required)
	for _, field := range fieldsOf[resource].must {
		if t.Columns[field] == "" {
			return nil, fmt.Errorf("columns: %q is missing", field)
		}
	}
	for _, f := range slices.Concat(t.Keep, t.CreditNotes) {
		if f.Column == "" {
			return nil, errors.New(`keep: a condition needs a "column"`)
		}
		if f.Min != nil {
			if _, err := decimal.NewFromString(fmt.Sprint(f.Min)); err != nil {
				return nil, fmt.Errorf("keep: min %v of column %q is no number", f.Min, f.Column)
			}
		}
	}
	switch resource {
	case commerce.Orders:
		return t, t.checkOrders()
	case commerce.Customers:
		if t.Columns["id"] == "" {
			t.key = "email"
		}
		if t.Columns[t.key] == "" {
			return nil, errors.New(`columns: "id" or "email" is needed to tell customers apart`)
		}
	}
	return t, nil
}

func (t *table) checkOrders() error {
	t.key = "order_id"
	if t.Rows == "" {
		t.Rows = rowsOrder
	}
	if t.Returns == "" {
		t.Returns = returnsRefund
	}
	if t.Returns != returnsRefund && t.Returns != returnsLeaveOut {
		return fmt.Errorf("returns: %q is neither %q nor %q", t.Returns, returnsRefund, returnsLeaveOut)
	}
	has := func(field string) bool { return t.Columns[field] != "" }
	switch t.Rows {
	case rowsOrder:
		if !has("total") && !has("goods") && !has("net_goods") {
			return errors.New(`columns: one row an order needs "total", "goods" or "net_goods"`)
		}
	case rowsLine:
		if !has("order_id") {
			return errors.New(`columns: one row a line needs "order_id"`)
		}
		if !has("line_total") && (!has("quantity") || !has("unit_price")) {
			return errors.New(`columns: one row a line needs "line_total", or "quantity" and "unit_price"`)
		}
	default:
		return fmt.Errorf("rows: %q is neither %q nor %q", t.Rows, rowsOrder, rowsLine)
	}
	return nil
}

// head is the first row of a file, and where each field of the table stands in it.
type head struct {
	names  []string
	fields map[string]int // position by field
	column map[string]int // position by column name, lower case; the first where a name stands twice
}

// bind finds the columns of the table in the first row of a file.
func (t *table) bind(names []string) (*head, error) {
	h := &head{names: names, fields: map[string]int{}, column: map[string]int{}}
	for i, name := range names {
		key := strings.ToLower(strings.TrimSpace(name))
		if _, twice := h.column[key]; !twice && key != "" {
			h.column[key] = i
		}
	}
	var missing []string
	for field, name := range t.Columns {
		for _, choice := range append([]string{name}, t.choices[field]...) {
			if at, ok := h.column[strings.ToLower(strings.TrimSpace(choice))]; ok {
				h.fields[field] = at
				break
			}
		}
		if _, ok := h.fields[field]; !ok && slices.Contains(t.required, field) {
			missing = append(missing, fmt.Sprintf("%q", name))
		}
	}
	for _, f := range slices.Concat(t.Keep, t.CreditNotes) {
		if _, ok := h.column[strings.ToLower(strings.TrimSpace(f.Column))]; !ok && !f.lenient {
			missing = append(missing, fmt.Sprintf("%q", f.Column))
		}
	}
	if len(missing) == 0 {
		return h, nil
	}
	sort.Strings(missing)
	return nil, fmt.Errorf("column %s is missing; the file has %s",
		strings.Join(slices.Compact(missing), ", "), strings.Join(names, ", "))
}

// marked reports whether the first row of a file is of this table's kind.
func (t *table) marked(names []string) bool {
	for _, mark := range t.marks {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(strings.TrimSpace(n), mark) }) {
			return false
		}
	}
	return len(t.marks) > 0
}
