package csvfile_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
	"github.com/perennial-cvo/perennial/connectors/csvfile"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func TestSource(t *testing.T) {
	const noNetwork = "files are read from a folder: there is no network to fail"
	skips := map[string]string{
		"revoked credentials":          "files need no key",
		"missing permission is named":  "files need no key",
		"writes nothing":               "there are no requests to record; TestReadingChangesNoFile says the same",
		"cursor from the future":       "a cursor holds a fingerprint and no time",
		"no secret in errors and logs": "the settings hold no secret",
		"cancelled during the call":    noNetwork,
		"fetch tells living from gone": "a file is read whole: there are no single records to ask for",
	}
	for _, name := range connectortest.SourceTests() {
		if strings.HasPrefix(name, "429") || strings.HasSuffix(name, "loses nothing") || name == "shop that stays down" {
			skips[name] = noNetwork
		}
	}
	connectortest.Source(t, connectortest.SourceHarness{
		Factory: csvfile.New(), Skips: skips,
		Start: func(t *testing.T) connectortest.SourceRig {
			shop := simulator.New(simulator.Options{Seed: 7, Customers: 30, Orders: 60})
			return newExport(t, shop).rig()
		},
	})
}

// export is a simulated shop whose owner saves all of it as files after every change.
type export struct {
	t      *testing.T
	shop   *simulator.Shop
	folder string
	rigged connectors.Settings
	broken []string // ids of orders whose total is written as nonsense
}

func newExport(t *testing.T, shop *simulator.Shop) *export {
	e := &export{t: t, shop: shop, folder: t.TempDir()}
	e.save()
	return e
}

func (e *export) rig() connectortest.SourceRig {
	e.rigged = e.settings()
	return connectortest.SourceRig{
		Settings: e.rigged,
		Now:      func() time.Time { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) },
		Truth:    e.truth,
		Change:   e.change,
		Case:     e.oddOrder,
	}
}

func (e *export) settings() connectors.Settings {
	table := func(file string, fields string, extra map[string]any) map[string]any {
		columns := map[string]any{}
		for _, field := range strings.Fields(fields) {
			columns[field] = field
		}
		mapped := map[string]any{"files": []any{file}, "columns": columns}
		for key, value := range extra {
			mapped[key] = value
		}
		return mapped
	}
	return connectors.Settings{
		"folder": e.folder, "currency": "USD", "time_zone": e.shop.Location().String(), "page_size": 12,
		"orders":    table("orders.csv", orderFields, map[string]any{"rows": "line"}),
		"customers": table("customers.csv", customerFields, nil),
		"products":  table("products.csv", productFields, nil),
		"reviews":   table("reviews.csv", reviewFields, nil),
	}
}

const (
	orderFields = "order_id number customer_id email first_name last_name date status currency total discount shipping tax " +
		"fees coupon country quantity line_id line_total line_discount product_id sku product"
	customerFields = "id email first_name last_name role country created_at"
	productFields  = "id parent name sku type status price categories"
	reviewFields   = "id product_id email reviewer rating body status created_at"
)

// save writes the files as the oracle sees the shop.
func (e *export) save() {
	o := e.shop.Oracle(simulator.Policy{})
	e.write("orders.csv", orderFields, e.orderRows(o))
	var customers, products, reviews [][]string
	for _, c := range o.Customers {
		customers = append(customers, []string{c.ID, c.Email, c.FirstName, c.LastName, c.Role, c.Country, stamp(c.CreatedAt)})
	}
	for _, p := range o.Products {
		parent := ""
		if p.ParentID != "" {
			parent = "id:" + p.ParentID
		}
		products = append(products, []string{
			p.ID, parent, p.Name, p.SKU, p.Type, p.Status, p.Price.Decimal.String(), strings.Join(p.Categories, ","),
		})
	}
	for _, r := range o.Reviews {
		reviews = append(reviews, []string{
			r.ID, r.ProductID, r.Email, r.Reviewer, strconv.Itoa(r.Rating), r.Body, r.Status, stamp(r.CreatedAt),
		})
	}
	e.write("customers.csv", customerFields, customers)
	e.write("products.csv", productFields, products)
	e.write("reviews.csv", reviewFields, reviews)
}

func (e *export) orderRows(o simulator.Oracle) [][]string {
	lines, refunds := map[string][]commerce.Line{}, map[string][]commerce.Refund{}
	for _, l := range o.Lines {
		lines[l.OrderID] = append(lines[l.OrderID], l)
	}
	for _, r := range o.Refunds {
		refunds[r.OrderID] = append(refunds[r.OrderID], r)
	}
	var rows [][]string
	for _, order := range o.Orders {
		rows = append(rows, e.saleRows(order, lines[order.ID])...)
		for _, r := range refunds[order.ID] {
			row := make([]string, len(strings.Fields(orderFields)))
			row[0], row[6], row[16], row[18] = order.ID, stamp(r.At), "-1", r.Amount.Neg().String()
			row[8] = order.Currency
			rows = append(rows, row)
		}
	}
	return rows
}

func (e *export) saleRows(o commerce.Order, lines []commerce.Line) [][]string {
	if len(lines) == 0 {
		lines = []commerce.Line{{ID: "0"}}
	}
	discount := o.Discount
	for _, l := range lines {
		discount = discount.Sub(l.Subtotal.Sub(l.Total))
	}
	total := o.Total.String()
	for _, id := range e.broken {
		if id == o.ID {
			total = "1.2.3"
		}
	}
	id, err := strconv.ParseInt(o.ID, 10, 64)
	require.NoError(e.t, err)
	email := e.shop.Order(id).Email // as the shop keeps it, capitals and spaces included
	local := o.PlacedAt.In(e.shop.Location()).Format("2006-01-02 15:04:05")
	var rows [][]string
	for _, l := range lines {
		rows = append(rows, []string{
			o.ID, o.Number, o.CustomerID, email, o.FirstName, o.LastName, local, o.Status, o.Currency, total,
			discount.String(), o.Shipping.String(), o.Tax.String(), o.Fees.String(), strings.Join(o.Coupons, ","), o.Country,
			l.Quantity.String(), l.ID, l.Total.String(), l.Subtotal.Sub(l.Total).String(), l.ProductID, l.SKU, l.Name,
		})
	}
	return rows
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

func (e *export) write(name, fields string, rows [][]string) {
	f, err := os.Create(filepath.Join(e.folder, name))
	require.NoError(e.t, err)
	w := csv.NewWriter(f)
	require.NoError(e.t, w.Write(strings.Fields(fields)))
	require.NoError(e.t, w.WriteAll(rows))
	require.NoError(e.t, f.Close())
}

func (e *export) truth(resource commerce.Resource) []string {
	o := e.shop.Oracle(simulator.Policy{})
	var ids []string
	switch resource {
	case commerce.Orders:
		for _, order := range o.Orders {
			if len(e.broken) == 0 || order.ID != e.broken[0] {
				ids = append(ids, order.ID)
			}
		}
	case commerce.Customers:
		for _, c := range o.Customers {
			ids = append(ids, c.ID)
		}
	case commerce.Products:
		for _, p := range o.Products {
			ids = append(ids, p.ID)
		}
	case commerce.Reviews:
		for _, r := range o.Reviews {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

func (e *export) change(c connectortest.Change) []string {
	defer e.save()
	orders := e.shop.Orders()
	old := orders[2]
	switch c {
	case connectortest.EditOld:
		e.shop.EditOrder(old.ID, func(o *simulator.Order) { o.Billing.FirstName = "Edited" })
	case connectortest.SilentEdit:
		e.shop.EditOrderSilently(old.ID, func(o *simulator.Order) { o.Billing.LastName = "Silently" })
	case connectortest.DeleteOrder:
		e.shop.ForceDeleteOrder(old.ID)
	case connectortest.TrashOrder:
		e.shop.TrashOrder(old.ID)
	case connectortest.RefundOld:
		for _, old = range orders {
			if len(old.Refunds) == 0 && old.Total() > 100 && old.Status == simulator.Completed {
				break
			}
		}
		e.shop.RefundAmount(old.ID, 100)
	case connectortest.EqualTimes, connectortest.EditPaged:
		var ids []int64
		for _, o := range orders[:30] {
			ids = append(ids, o.ID)
		}
		e.shop.TouchOrders(ids...)
		return texts(ids)
	case connectortest.DeletePaged:
		e.shop.ForceDeleteOrder(orders[0].ID)
		e.shop.ForceDeleteOrder(orders[1].ID)
		return texts([]int64{orders[0].ID, orders[1].ID})
	case connectortest.AddWhilePage:
		return texts([]int64{e.place(simulator.OrderDraft{}), e.place(simulator.OrderDraft{})})
	case connectortest.Unreadable:
		e.broken = texts([]int64{e.place(simulator.OrderDraft{})})
		return e.broken
	}
	return texts([]int64{old.ID})
}

func texts(ids []int64) []string {
	var all []string
	for _, id := range ids {
		all = append(all, strconv.FormatInt(id, 10))
	}
	return all
}

// place puts an order into the shop.
func (e *export) place(d simulator.OrderDraft) int64 { return e.shop.PlaceOrder(d) }

// oddOrder puts the order of a case into the shop; the oracle says what is to be read.
func (e *export) oddOrder(c connectortest.Case) connectortest.Expected {
	guest := simulator.OrderDraft{Email: "guest@example.com", Billing: simulator.Address{FirstName: "Ada", LastName: "Example", Country: "US"}}
	var id int64
	switch c {
	case connectortest.CancelledOrder:
		guest.Status = simulator.Cancelled
	case connectortest.NegativeTotal:
		guest.Fee = -1_000_000
	case connectortest.NullFields:
		guest = simulator.OrderDraft{Email: "null@example.com"}
	case connectortest.NoDecimals:
		e.shop.SetCurrency("JPY")
	case connectortest.ThreeDecimals:
		e.shop.SetCurrency("KWD")
	case connectortest.ForeignScript:
		guest.Billing.FirstName, guest.Billing.LastName = "\u0410\u043d\u043d\u0430", "\u8a71\u4e2d, \"\u6587\""
	case connectortest.ShopTimeZone:
		require.NoError(e.t, e.shop.SetTimeZone("Pacific/Kiritimati"))
		e.rigged["time_zone"] = "Pacific/Kiritimati"
		guest.At = time.Date(2026, 5, 4, 23, 40, 0, 0, e.shop.Location())
	case connectortest.CapitalsInEmail:
		guest.Email = "  Ada.Example@Example.COM "
	case connectortest.OrderWithoutMail:
		guest.Email = ""
	}
	id = e.place(guest)
	switch c {
	case connectortest.PartialRefund:
		e.shop.RefundAmount(id, 100)
	case connectortest.FullRefund:
		e.shop.Refund(id)
	case connectortest.ZeroTotal:
		e.shop.EditOrder(id, func(o *simulator.Order) {
			o.Lines[0].Total, o.Lines[0].Subtotal, o.Lines[0].TotalTax = 0, 0, 0
		})
	}
	e.save()
	return e.expected(strconv.FormatInt(id, 10), c != connectortest.NegativeTotal)
}

func (e *export) expected(id string, withLines bool) connectortest.Expected {
	var want connectortest.Expected
	o := e.shop.Oracle(simulator.Policy{})
	for _, order := range o.Orders {
		if order.ID == id {
			want.Order = order
		}
	}
	for _, l := range o.Lines {
		if l.OrderID == id && withLines {
			want.Lines = append(want.Lines, l)
		}
	}
	for _, r := range o.Refunds {
		if r.OrderID == id {
			want.Refunds = append(want.Refunds, r)
		}
	}
	return want
}
