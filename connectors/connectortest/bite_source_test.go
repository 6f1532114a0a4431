package connectortest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
)

var sourceBites = []bite{
	{"no retry on 429", "429 without Retry-After"},
	{"Retry-After ignored", "429 with Retry-After"},
	{"waits a day", "429 that asks for a day"},
	{"context ignored", "cancelled during the call"},
	{"asks after cancel", "cancelled before the call"},
	{"goroutine left", "cancelled during the call"},
	{"401 misclassified", "revoked credentials"},
	{"permission unnamed", "missing permission is named"},
	{"any settings accepted", "empty settings are refused"},
	{"any settings accepted", "unknown setting is refused"},
	{"stops after page one", "every record once"},
	{"duplicates", "every record once"},
	{"cursor stands still", "every record once"},
	{"last page lost in sweeps", "every record in a sweep"},
	{"never complete", "every order complete"},
	{"cursor in memory", "resume from every cursor"},
	{"each page once", "same cursor twice"},
	{"cursor ignored", "second pull repeats no history"},
	{"future refused", "cursor from the future"},
	{"fetch finds nobody", "fetch tells living from gone"},
	{"fetch confirms nothing", "deleted order"},
	{"creation time as cursor", "edited old order"},
	{"creation time as cursor", "refund of an old order"},
	{"cache by modification time", "silent edit"},
	{"time alone as cursor", "equal timestamps"},
	{"offset paging", "deletions while paging"},
	{"trash read as living", "trashed order"},
	{"unreadable dropped", "unreadable record"},
	{"unreadable blocks", "unreadable record"},
	{"shop time taken for UTC", "shop time zone"},
	{"e-mail as typed", "e-mail with capitals and spaces"},
	{"two decimals always", "currency with three decimals"},
	{"refunds left out", "partial refund"},
	{"guests left out", "guest order"},
	{"empty orders left out", "zero total"},
	{"bad answer taken for an empty one", "503 HTML loses nothing"},
	{"bad answer taken for an empty one", "HTML page loses nothing"},
	{"bad answer taken for an empty one", "empty body loses nothing"},
	{"bad answer taken for an empty one", "shop that stays down"},
	{"503 is for ever", "503 HTML loses nothing"},
	{"secret in the error", "no secret in errors and logs"},
	{"secret in the log", "good credentials"},
	{"writes", "writes nothing"},
}

// sale is an order as the invented shop keeps it.
type sale struct {
	Order    commerce.Order
	Refunds  []commerce.Refund
	Seq      int // order of creation, the numeric id
	Modified int // tick of the shop's clock
	Bad      bool
	Trashed  bool
}

// shop is an invented shop with orders only.
type shop struct {
	mu    sync.Mutex
	clock int
	sales []*sale
	wire  *wire
	zone  *time.Location
	cache sync.Map // what a source with a cache read before, by id
}

func newShop() *shop {
	s := &shop{wire: &wire{}, zone: time.UTC}
	for range 25 {
		s.add(commerce.Order{CustomerID: "7", Email: "ann@example.com", Total: decimal.NewFromInt(10)})
	}
	return s
}

func (s *shop) add(o commerce.Order) *sale {
	s.clock++
	seq := 100 + len(s.sales)
	o.ID, o.Status, o.Currency = strconv.Itoa(seq), cmpOr(o.Status, "completed"), cmpOr(o.Currency, "EUR")
	if o.PlacedAt.IsZero() {
		o.PlacedAt = time.Date(2026, 3, 1, 0, s.clock, 0, 0, time.UTC)
	}
	v := &sale{Order: o, Seq: seq, Modified: s.clock}
	s.sales = append(s.sales, v)
	return v
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

const pageSize = 5

// question is what the invented shop can be asked.
type question struct {
	AfterTime, AfterSeq int
	Exclusive           bool // by time alone
	Offset              int
	BySeq               bool
	IDs                 []string
}

func (s *shop) answer(q question) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*sale
	for _, v := range s.sales {
		switch {
		case q.IDs != nil:
			if !slices.Contains(q.IDs, v.Order.ID) {
				continue
			}
		case v.Trashed, q.BySeq && v.Seq <= q.AfterSeq, q.Exclusive && v.Modified <= q.AfterTime:
			continue
		case !q.BySeq && (v.Modified < q.AfterTime || (v.Modified == q.AfterTime && v.Seq <= q.AfterSeq)):
			continue
		}
		found = append(found, v)
	}
	slices.SortStableFunc(found, func(a, b *sale) int {
		if q.BySeq || a.Modified == b.Modified {
			return a.Seq - b.Seq
		}
		return a.Modified - b.Modified
	})
	if q.IDs == nil {
		found = found[min(q.Offset, len(found)):]
		found = found[:min(pageSize, len(found))]
	}
	text, err := json.Marshal(map[string]any{"sales": found})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// source reads the invented shop.
type source struct {
	client
	shop *shop
	at   map[connectors.Cursor]bool
}

func (s *source) Check(ctx context.Context) (connectors.Report, error) {
	_, err := s.call(ctx, connectortest.Request{Method: "GET", Path: "/"}, func(string) string { return "{}" })
	if err != nil {
		return connectors.Report{}, err
	}
	report := connectors.Report{Shop: commerce.Shop{Identity: "shop-1", Currency: "EUR", TimeZone: "UTC"}}
	if s.wire.restricted && s.defect != "permission unnamed" {
		report.Findings = append(report.Findings, connectors.Finding{Level: connectors.Problem, Subject: "read_orders", Text: "missing"})
	}
	return report, nil
}

func (s *source) Resources() []connectors.Offer {
	return []connectors.Offer{{Resource: commerce.Orders, Incremental: true}}
}

func (s *source) ask(ctx context.Context, q question) ([]*sale, error) {
	text, err := s.call(ctx, connectortest.Request{Method: "GET", Path: "/orders", Write: s.defect == "writes"},
		func(string) string { return s.shop.answer(q) })
	if err != nil {
		return nil, err
	}
	var page struct {
		Sales []*sale `json:"sales"`
	}
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		return nil, &connectors.Error{Kind: connectors.KindRetry, Op: "orders page", Err: err}
	}
	if s.defect == "cache by modification time" {
		for i, v := range page.Sales {
			if old, ok := s.shop.cache.Swap(v.Order.ID, v); ok && old.(*sale).Modified == v.Modified {
				page.Sales[i] = old.(*sale)
			}
		}
	}
	return page.Sales, nil
}

func (s *source) Pull(ctx context.Context, _ commerce.Resource, mode connectors.Mode, cursor connectors.Cursor) (connectors.Page, error) {
	q := question{BySeq: mode == connectors.Sweep}
	_, _ = fmt.Sscanf(string(cursor), "%d/%d", &q.AfterTime, &q.AfterSeq)
	if s.defect == "future refused" && q.AfterTime > 1000 {
		return connectors.Page{}, &connectors.Error{Kind: connectors.KindRetry, Op: "cursor"}
	}
	s.misask(&q, mode, cursor)
	sales, err := s.ask(ctx, q)
	if err != nil {
		return connectors.Page{}, err
	}
	page := connectors.Page{Next: cursor, Done: len(sales) < pageSize}
	for _, v := range sales {
		if err := s.take(&page, v); err != nil {
			return connectors.Page{}, err
		}
		page.Next = connectors.Cursor(fmt.Sprintf("%d/%d", v.Modified, v.Seq))
	}
	s.misanswer(&page, q, mode, cursor)
	return page, nil
}

// misask asks the wrong question where the defect says so.
func (s *source) misask(q *question, mode connectors.Mode, cursor connectors.Cursor) {
	switch s.defect {
	case "time alone as cursor":
		q.Exclusive = mode == connectors.Increment && cursor != ""
	case "creation time as cursor":
		q.BySeq = true
	case "offset paging":
		_, _ = fmt.Sscanf(string(cursor), "offset %d", &q.Offset)
		q.BySeq = true
	case "cursor ignored":
		if strings.HasPrefix(string(cursor), "end ") {
			q.AfterTime, q.AfterSeq = 0, 0
		}
	case "cursor in memory":
		if !s.at[cursor] {
			q.AfterTime = 1_000_000
		}
	}
}

// misanswer spoils the page where the defect says so.
func (s *source) misanswer(page *connectors.Page, q question, mode connectors.Mode, cursor connectors.Cursor) {
	switch s.defect {
	case "stops after page one":
		page.Done = true
	case "duplicates":
		page.Records.Orders = append(page.Records.Orders, page.Records.Orders[:min(1, len(page.Records.Orders))]...)
	case "cursor stands still":
		page.Next = cursor
	case "last page lost in sweeps":
		page.Done = page.Done || (mode == connectors.Sweep && q.AfterSeq > 100+10)
	case "never complete":
		page.Records.Complete = nil
	case "each page once":
		if s.at[cursor] {
			page.Records = commerce.Batch{}
		}
	case "offset paging":
		page.Next = connectors.Cursor(fmt.Sprintf("offset %d", q.Offset+len(page.Records.Orders)))
	case "cursor ignored":
		if page.Done {
			page.Next = "end " + page.Next
		}
	case "cursor in memory":
		s.at[page.Next] = true
	}
	s.at[cursor] = true
}

// take puts one order into a page.
func (s *source) take(page *connectors.Page, v *sale) error {
	if v.Bad {
		switch s.defect {
		case "unreadable dropped":
		case "unreadable blocks":
			return &connectors.Error{Kind: connectors.KindRecord, Op: "orders page"}
		default:
			page.Rejected = append(page.Rejected, connectors.Rejected{ID: v.Order.ID, Reason: "total", Raw: []byte("?")})
		}
		return nil
	}
	o := v.Order
	o.Email = commerce.Email(o.Email)
	switch {
	case s.defect == "e-mail as typed":
		o.Email = v.Order.Email
	case s.defect == "two decimals always":
		o.Total = o.Total.Round(2)
	case s.defect == "shop time taken for UTC":
		_, offset := o.PlacedAt.In(s.shop.zone).Zone()
		o.PlacedAt = o.PlacedAt.Add(time.Duration(offset) * time.Second)
	case s.defect == "guests left out" && o.CustomerID == "", s.defect == "empty orders left out" && o.Total.IsZero():
		return nil
	}
	page.Records.Orders = append(page.Records.Orders, o)
	page.Records.Complete = append(page.Records.Complete, o.ID)
	if s.defect != "refunds left out" {
		page.Records.Refunds = append(page.Records.Refunds, v.Refunds...)
	}
	return nil
}

func (s *source) Fetch(ctx context.Context, _ commerce.Resource, ids []string) (connectors.Page, error) {
	sales, err := s.ask(ctx, question{IDs: ids})
	if err != nil {
		return connectors.Page{}, err
	}
	var page connectors.Page
	gone := slices.Clone(ids)
	for _, v := range sales {
		if s.defect != "fetch finds nobody" {
			_ = s.take(&page, v)
			gone = slices.DeleteFunc(gone, func(id string) bool { return id == v.Order.ID })
		}
	}
	if s.defect != "fetch confirms nothing" {
		page.Deleted = gone
	}
	return page, nil
}

func sourceHarness(defect string) connectortest.SourceHarness {
	f := factory("invented")
	var current sync.Map // settings -> shop, so that the factory finds the rig's shop
	f.NewSource = func(settings connectors.Settings, deps connectors.Deps) (connectors.Source, error) {
		plain := connectors.Settings{}
		for key, value := range settings {
			if key != "shop" {
				plain[key] = value
			}
		}
		if err := accept(f, plain, defect); err != nil {
			return nil, err
		}
		found, _ := current.Load(settings["shop"])
		s, _ := found.(*shop)
		if s == nil {
			s = newShop()
		}
		at := map[connectors.Cursor]bool{"": defect == "cursor in memory"}
		return &source{client: client{wire: s.wire, log: deps.Log, now: deps.Now, defect: defect}, shop: s, at: at}, nil
	}
	start := func(t *testing.T) connectortest.SourceRig {
		s := newShop()
		current.Store(t.Name(), s)
		settings := goodSettings()
		settings["shop"] = t.Name()
		return s.rig(settings, defect)
	}
	return connectortest.SourceHarness{Factory: f, Start: start}
}

func (s *shop) rig(settings connectors.Settings, defect string) connectortest.SourceRig {
	return connectortest.SourceRig{
		Settings: settings, Secrets: []string{canary}, Patience: 4 * time.Second,
		Truth: func(commerce.Resource) []string {
			s.mu.Lock()
			defer s.mu.Unlock()
			var ids []string
			for _, v := range s.sales {
				if !v.Trashed && !v.Bad {
					ids = append(ids, v.Order.ID)
				}
			}
			return ids
		},
		Fault: s.wire.setFault, Requests: s.wire.recorded,
		Revoke:       func() { s.wire.revoked = true },
		Restrict:     func() string { s.wire.restricted = true; return "read_orders" },
		Change:       func(c connectortest.Change) []string { return s.change(c, defect) },
		Case:         s.expect,
		FutureCursor: func(commerce.Resource) connectors.Cursor { return "999999/0" },
	}
}

// change lets something happen in the invented shop.
func (s *shop) change(c connectortest.Change, defect string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock++
	touch := func(v *sale) []string { v.Modified = s.clock; return []string{v.Order.ID} }
	switch c {
	case connectortest.EditOld:
		s.sales[2].Order.Status = "cancelled"
		return touch(s.sales[2])
	case connectortest.SilentEdit:
		s.sales[3].Order.Total = decimal.NewFromInt(11)
		return []string{s.sales[3].Order.ID}
	case connectortest.DeleteOrder, connectortest.DeletePaged:
		id := s.sales[1].Order.ID
		s.sales = slices.Delete(s.sales, 1, 2)
		return []string{id}
	case connectortest.TrashOrder:
		s.sales[4].Trashed = defect != "trash read as living"
		s.sales[4].Order.Status = cmpOr(map[bool]string{true: "trash"}[s.sales[4].Trashed], "completed")
		return touch(s.sales[4])
	case connectortest.RefundOld:
		v := s.sales[5]
		v.Refunds = append(v.Refunds, commerce.Refund{OrderID: v.Order.ID, ID: "1", Amount: decimal.NewFromInt(1)})
		return touch(v)
	case connectortest.EqualTimes:
		var ids []string
		for _, v := range s.sales[:2*pageSize+2] {
			ids = append(ids, touch(v)...)
		}
		return ids
	case connectortest.EditPaged:
		return append(touch(s.sales[0]), touch(s.sales[20])...)
	case connectortest.AddWhilePage:
		return []string{s.add(commerce.Order{}).Order.ID}
	default: // Unreadable
		v := s.add(commerce.Order{})
		v.Bad = true
		return []string{v.Order.ID}
	}
}

// expect adds a case to the invented shop.
func (s *shop) expect(c connectortest.Case) connectortest.Expected {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := commerce.Order{CustomerID: "9", Email: "zoë@example.com", FirstName: "Ζωή", Total: decimal.RequireFromString("12.345")}
	var refund string
	switch c {
	case connectortest.CancelledOrder:
		o.Status = "cancelled"
	case connectortest.PartialRefund:
		refund = "3"
	case connectortest.FullRefund:
		refund = "12.345"
	case connectortest.GuestOrder:
		o.CustomerID = ""
	case connectortest.ZeroTotal:
		o.Total = decimal.Zero
	case connectortest.NegativeTotal:
		o.Total = decimal.NewFromInt(-4)
	case connectortest.ShopTimeZone:
		s.zone = time.FixedZone("", 9*3600)
	case connectortest.CapitalsInEmail:
		o.Email = " Zoë@Example.COM "
	case connectortest.OrderWithoutMail:
		o.Email = ""
	}
	v := s.add(o)
	if refund != "" {
		v.Refunds = []commerce.Refund{{OrderID: v.Order.ID, ID: "1", Amount: decimal.RequireFromString(refund)}}
	}
	want := v.Order
	want.Email = commerce.Email(want.Email)
	return connectortest.Expected{Order: want, Refunds: v.Refunds}
}
