package csvfile

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// builder turns groups of rows into the records of a page.
type builder struct {
	plan  *plan
	table *table
	now   time.Time
	page  *connectors.Page
	spool *spool
	odd   map[string]*oddity
}

// oddity is something that is told once a page, with its first place.
type oddity struct {
	count int
	place string
}

// add builds the records of one group. Rows of different keys in it, which hash alike, are told apart here.
func (b *builder) add(recs []record) {
	if recs[0].reason != "" {
		b.reject(recs[0].place(), recs[0].reason, recs[:1])
		if recs = recs[1:]; len(recs) > 0 {
			b.add(recs)
		}
		return
	}
	var same, other []record
	key := recs[0].text(b.table.key)
	for _, rec := range recs {
		if rec.reason == "" && rec.text(b.table.key) == key {
			same = append(same, rec)
		} else {
			other = append(other, rec)
		}
	}
	if len(other) > 0 {
		defer b.add(other)
	}
	id := key
	if id == "" {
		id = same[0].place()
	}
	if err := b.build(id, same); err != nil {
		b.reject(id, err.Error(), same)
	}
}

func (b *builder) build(id string, recs []record) error {
	switch b.table.resource {
	case commerce.Customers:
		return b.customer(id, recs)
	case commerce.Products:
		return b.product(id, recs)
	case commerce.Reviews:
		return b.review(id, recs[0])
	default:
		return b.order(id, recs)
	}
}

func (b *builder) reject(id, reason string, recs []record) {
	var raw bytes.Buffer
	for _, rec := range recs {
		raw.Write(rec.raw)
	}
	b.page.Rejected = append(b.page.Rejected, connectors.Rejected{ID: id, Reason: reason, Raw: raw.Bytes()})
}

// note counts something odd.
func (b *builder) note(what string, rec record) {
	if b.odd == nil {
		b.odd = map[string]*oddity{}
	}
	if b.odd[what] == nil {
		b.odd[what] = &oddity{place: rec.place()}
	}
	b.odd[what].count++
}

func (b *builder) warnings() []string {
	var told []string
	for what, o := range b.odd {
		told = append(told, fmt.Sprintf("%s (%d times, first at %s)", what, o.count, o.place))
	}
	sort.Strings(told)
	return told
}

// cells reads the fields of one group; the first thing that cannot be read sticks.
type cells struct {
	b        *builder
	recs     []record
	currency string
	err      error
}

// first returns the first cell of a field that says anything: exports fill an order's own columns in one row only.
func (c *cells) first(field string) (string, record) {
	for _, rec := range c.recs {
		if text := rec.text(field); text != "" {
			return text, rec
		}
	}
	return "", c.recs[0]
}

func (c *cells) text(field string) string {
	text, _ := c.first(field)
	return text
}

// settle is first for a field that must be the same in all rows: where it differs the first wins, and it is told.
func (c *cells) settle(field string) string {
	text, _ := c.first(field)
	for _, rec := range c.recs {
		if other := rec.text(field); other != "" && !strings.EqualFold(other, text) {
			c.b.note(fmt.Sprintf("rows of one order differ in %q; the first counts", field), rec)
			break
		}
	}
	return text
}

// amount returns the amount in the first cell of a field that says anything, and whether there is one.
func (c *cells) amount(field string) (decimal.Decimal, bool) {
	text, rec := c.first(field)
	if text == "" {
		return decimal.Zero, false
	}
	return c.parse(field, text, rec), true
}

// of returns the amount of a field in one row.
func (c *cells) of(field string, rec record) (decimal.Decimal, bool) {
	text := rec.text(field)
	if text == "" {
		return decimal.Zero, false
	}
	return c.parse(field, text, rec), true
}

func (c *cells) parse(field, text string, rec record) decimal.Decimal {
	a, err := parseAmount(text, c.b.plan.settings.Decimal)
	if err == nil && a.code != "" && a.code != c.currency {
		err = fmt.Errorf("is in %s and the order in %s", a.code, c.currency)
	}
	if err != nil {
		c.fail(rec.fieldFault(field, err))
		return decimal.Zero
	}
	return a.value
}

// date returns the moment of a field, zero where no row has one.
func (c *cells) date(field string) time.Time {
	text, rec := c.first(field)
	if text == "" {
		return time.Time{}
	}
	t, err := c.b.plan.parseDate(text, c.b.table.layouts, c.b.now)
	if err != nil {
		c.fail(rec.fieldFault(field, err))
	}
	return t
}

func (c *cells) readCurrency() {
	c.currency = c.b.plan.settings.Currency
	text, rec := c.first("currency")
	if text == "" {
		return
	}
	code, err := parseCurrency(text)
	if err != nil {
		c.fail(rec.fieldFault("currency", err))
		return
	}
	c.currency = code
}

// names returns first and last name, from their own columns or from one of full names.
func (c *cells) names() (first, last string) {
	if first, last = c.text("first_name"), c.text("last_name"); first != "" || last != "" {
		return first, last
	}
	return splitName(c.text("name"))
}

// consent reads a yes or no. A no is an unsubscription: the safe reading of a cell that cannot tell never from no more.
func (c *cells) consent() commerce.Consent {
	answer, known := yes(c.text("consent"))
	switch {
	case !known:
		return commerce.Consent{}
	case answer:
		return commerce.Consent{State: commerce.ConsentSubscribed}
	default:
		return commerce.Consent{State: commerce.ConsentUnsubscribed}
	}
}

func (c *cells) fail(err error) {
	if c.err == nil && err != nil {
		c.err = err
	}
}
