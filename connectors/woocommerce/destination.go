package woocommerce

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// tagsKey is the attribute key under which the audiences of a person stand.
const tagsKey = "tags"

// longest is how many bytes a value may have; ours are far shorter.
const longest = 2000

var (
	prefixShape = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`) // a leading underscore is dropped silently by WooCommerce
	wordShape   = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)
)

// destination writes tags as customer meta: <prefix>_tags holds the keys of the audiences, sorted and separated by
// commas, and each attribute has a field <prefix>_<attribute>. Orders are never written, or every push would look like
// a change of all orders.
type destination struct {
	*source
	prefix string
	size   int // of the next batch, as the shop bears it
}

func newDestination(a *api, prefix string) (*destination, error) {
	if prefix == "" {
		prefix = "perennial"
	}
	if !prefixShape.MatchString(prefix) || len(prefix) > 40 {
		return nil, &connectors.Error{
			Kind: connectors.KindPermanent, Op: Kind + " settings", Err: errors.New("the prefix is not fit for a meta key"),
			Remedy: "use lower-case letters, digits and single underscores, beginning with a letter",
		}
	}
	return &destination{source: newSource(a), prefix: prefix, size: firstBatch}, nil
}

func (d *destination) key(name string) string { return d.prefix + "_" + name }

// Check asks the shop who it is and whether the key may write. The trial is a batch of nothing, which changes nothing.
func (d *destination) Check(ctx context.Context) (connectors.Report, error) {
	var report connectors.Report
	index, err := d.index(ctx, &report)
	if err != nil {
		return report, err
	}
	status, err := d.status(ctx)
	if err != nil {
		return report, err
	}
	report.Shop = d.shop(index, status)
	if _, err := d.list(ctx, "customers page", "customers", url.Values{"per_page": {"1"}, "role": {"all"}, "_fields": {"id"}}); err != nil {
		return report, err
	}
	note(&report, connectors.Fine, "read customers", "allowed", "")
	_, err = d.post(ctx, []byte(`{"update":[]}`))
	var e *connectors.Error
	switch {
	case err == nil:
		note(&report, connectors.Fine, "write permission", "the key may write customers", "")
	case errors.As(err, &e) && e.Kind == connectors.KindCredentials:
		note(&report, connectors.Problem, "write permission", "the key may not write customers, so no tags can be pushed; reading works", e.Remedy)
	default:
		return report, err
	}
	return report, nil
}

// Ensure has nothing to make: a tag exists as soon as somebody carries it. The id of an audience is its field and its key,
// so that tags under another prefix are known as such.
func (d *destination) Ensure(_ context.Context, audiences []connectors.Audience) ([]connectors.Audience, error) {
	ensured := slices.Clone(audiences)
	for i, a := range ensured {
		if !wordShape.MatchString(a.Key) {
			return nil, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "audience", Err: fmt.Errorf("key %q is not fit for a tag", a.Key),
				Remedy: "use lower-case letters, digits and hyphens",
			}
		}
		if before, is := strings.CutSuffix(a.ID, "_"+tagsKey+":"+a.Key); is && before != d.prefix {
			return nil, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "audience " + a.Key,
				Err:    fmt.Errorf("its tags stand under the prefix %q, and the prefix is %q now", before, d.prefix),
				Remedy: fmt.Sprintf("set prefix = %q again; to change it, run perennial purge --yes before", before),
			}
		}
		ensured[i].ID = d.key(tagsKey) + ":" + a.Key
	}
	return ensured, nil
}

// Resume has nothing to ask for: Apply finishes its work before it returns.
func (d *destination) Resume(context.Context, connectors.Job) (connectors.Result, error) {
	return connectors.Result{}, nil
}

// item is the update of one customer.
type item struct {
	person int64
	ID     int64     `json:"id"`
	Meta   []written `json:"meta_data"`
}

// written is one meta field as we send it; no value deletes it.
type written struct {
	Key   string  `json:"key"`
	Value *string `json:"value"`
}

// itemFor returns what to send for a change. Where nothing is to be sent, the outcome says why.
func (d *destination) itemFor(c connectors.Change) (item, *connectors.Outcome) {
	said := func(state connectors.OutcomeState, reason string) (item, *connectors.Outcome) {
		return item{}, &connectors.Outcome{PersonID: c.Person.ID, State: state, RemoteID: c.Person.CustomerID, Reason: reason}
	}
	if c.Person.CustomerID == "" {
		return said(connectors.Withheld, connectors.ReasonNoAccount)
	}
	id, isID := accountID(c.Person)
	if !isID {
		return said(connectors.Refused, "the account's id is not one of WooCommerce")
	}
	fields := map[string]*string{}
	if reason := d.fields(c, fields); reason != "" {
		return said(connectors.Refused, reason)
	}
	if len(fields) == 0 {
		return said(connectors.Unchanged, "")
	}
	it := item{person: c.Person.ID, ID: id}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		it.Meta = append(it.Meta, written{Key: key, Value: fields[key]})
	}
	return it, nil
}

// accountID returns the person's account as WooCommerce counts accounts.
func accountID(p connectors.Person) (int64, bool) {
	id, err := strconv.ParseInt(p.CustomerID, 10, 64)
	return id, err == nil && id > 0
}

// fields collects the meta fields of a change, each checked: WooCommerce checks nothing in a batch, and one malformed
// item would fail it half-way. It returns what is wrong, or nothing.
func (d *destination) fields(c connectors.Change, fields map[string]*string) (wrong string) {
	for _, key := range append(slices.Clone(c.Audiences), c.Leave...) {
		if !wordShape.MatchString(key) {
			return fmt.Sprintf("audience key %q is not fit for a tag", key)
		}
	}
	for _, key := range append(slices.Sorted(maps.Keys(c.Attributes)), c.Drop...) {
		if !wordShape.MatchString(key) || key == tagsKey || len(key) > 60 {
			return fmt.Sprintf("attribute key %q is not fit for a meta field", key)
		}
	}
	for _, key := range c.Drop {
		fields[d.key(key)] = nil
	}
	for key, value := range c.Attributes {
		if !utf8.ValidString(value) || strings.ContainsRune(value, 0) || len(value) > longest {
			return fmt.Sprintf("the value of attribute %q is not fit for a meta field", key)
		}
		fields[d.key(key)] = &value
	}
	tags := slices.Compact(slices.Sorted(slices.Values(c.Audiences)))
	switch joined := strings.Join(tags, ","); {
	case len(tags) > 0 && len(joined) > longest:
		return "too many tags for one field"
	case len(tags) > 0:
		fields[d.key(tagsKey)] = &joined
	case len(c.Leave) > 0:
		fields[d.key(tagsKey)] = nil
	}
	return ""
}

// Members reads back who carries a tag: it walks all accounts, because the shop cannot search its meta.
func (d *destination) Members(ctx context.Context, audience connectors.Audience, cursor connectors.Cursor) (connectors.MemberPage, error) {
	page, err := d.Everybody(ctx, cursor)
	page.Members = slices.DeleteFunc(page.Members, func(m connectors.Member) bool { return !slices.Contains(m.Audiences, audience.Key) })
	return page, err
}

// Everybody reads back all accounts that carry anything of ours.
func (d *destination) Everybody(ctx context.Context, cursor connectors.Cursor) (connectors.MemberPage, error) {
	p, err := parseCursor(cursor)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	l := customerLeg()
	c, err := d.step(ctx, l, &p)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	page := connectors.MemberPage{Done: c.legDone}
	for _, r := range c.rows {
		w, err := decode[wcCustomer](r.raw)
		if err != nil || w.ID == 0 {
			continue // the source reports it; nothing of ours can be read from it
		}
		if m, found := d.member(w); found {
			page.Members = append(page.Members, m)
		}
	}
	if !page.Done {
		page.Next = p.cursor()
	}
	return page, nil
}

func (d *destination) member(w wcCustomer) (connectors.Member, bool) {
	ours := d.ours(w.Meta)
	if len(ours) == 0 {
		return connectors.Member{}, false
	}
	m := connectors.Member{
		RemoteID: w.ID.String(), CustomerID: w.ID.String(), Email: commerce.Email(string(w.Email)), Consent: d.consent(w.Meta),
	}
	if tags := ours[tagsKey]; tags != "" {
		m.Audiences = strings.Split(tags, ",")
	}
	delete(ours, tagsKey)
	m.Attributes = ours
	return m, true
}

// ours returns the meta fields under our prefix, without it.
func (d *destination) ours(m metas) map[string]string {
	found := map[string]string{}
	for _, field := range m {
		if name, is := strings.CutPrefix(string(field.Key), d.prefix+"_"); is && name != "" {
			found[name] = field.string()
		}
	}
	return found
}

// Erase deletes every meta field of ours from the person's account. The account itself belongs to the shop and stays.
func (d *destination) Erase(ctx context.Context, person connectors.Person) (string, error) {
	id, isID := accountID(person)
	if !isID {
		return "WooCommerce: the person has no account, nothing of ours was there", nil
	}
	var w wcCustomer
	_, err := d.get(ctx, "customer", "customers/"+person.CustomerID, url.Values{"_fields": {customerFields}}, &w)
	if gone(err) {
		return "WooCommerce: the account is gone already", nil
	}
	if err != nil {
		return "", err
	}
	it := item{person: person.ID, ID: id}
	for _, name := range slices.Sorted(maps.Keys(d.ours(w.Meta))) {
		it.Meta = append(it.Meta, written{Key: d.key(name)})
	}
	if len(it.Meta) == 0 {
		return fmt.Sprintf("WooCommerce: account %d carries nothing of ours", id), nil
	}
	outcomes, err := d.send(ctx, []item{it})
	if err != nil {
		return "", err
	}
	if state := outcomes[0].State; state != connectors.Delivered {
		return "", &connectors.Error{Kind: connectors.KindRetry, Op: "erasure", Err: errors.New(outcomes[0].Reason), Remedy: "run forget again"}
	}
	return fmt.Sprintf("WooCommerce: %d meta fields of ours deleted from account %d; the account belongs to the shop and stays", len(it.Meta), id), nil
}

// post sends a batch. Writing the same meta twice is harmless, so it may be repeated.
func (d *destination) post(ctx context.Context, body []byte) (httpapi.Response, error) {
	answer, err := d.http.Do(ctx, httpapi.Request{
		Op: "customers batch", Method: "POST", Path: root + "customers/batch", Body: body, Idempotent: true, Shrinkable: true,
	})
	var e *connectors.Error
	if errors.As(err, &e) && e.Kind == connectors.KindCredentials && e.Permission == "" {
		// The shop's words may be in any language: a key that reads well lacks the permission to write.
		if _, readErr := d.list(ctx, "customers page", "customers", url.Values{"per_page": {"1"}, "_fields": {"id"}}); readErr == nil {
			e.Permission = "write"
			e.Remedy = "the key may only read: edit it under WooCommerce > Settings > Advanced > REST API and choose Read/Write"
		}
	}
	return answer, err
}

// batchAnswer is what came of a batch, item by item.
type batchAnswer struct {
	Update list[json.RawMessage] `json:"update"`
}
