package mailchimp

import (
	"context"
	"crypto/md5" // by which Mailchimp addresses contacts
	"encoding/hex"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// fewPeople are looked up one by one; of more it is found out first how many pages a walk over all contacts would take.
const fewPeople = 10

// shownTags is how many tags Mailchimp shows with a contact.
const shownTags = 50

// person is a contact.
type person struct {
	ID     string         `json:"id"` // the hash of the address
	Email  string         `json:"email_address"`
	Status string         `json:"status"`
	Merge  map[string]any `json:"merge_fields"`
	Tags   []tag          `json:"tags"`
	Total  int            `json:"tags_count"`

	Changed string `json:"last_changed"`
}

// tag is a tag that a contact carries.
type tag struct {
	ID int `json:"id"`
}

// memberFields are what we ask of a contact: a whole one has some kilobytes.
func (d *destination) memberFields(under string) []string {
	names := []string{"id", "email_address", "status", "last_changed"}
	if d.set.Mode != connectors.OnlyLists {
		names = append(names, "merge_fields")
	}
	if !d.attributesOnly() {
		names = append(names, "tags", "tags_count")
	}
	for i := range names {
		names[i] = under + names[i]
	}
	return names
}

// value returns what stands in a merge field, as text to compare by: without spaces around it, and with characters as
// themselves that may come written as in a web page.
func (p person) value(tag string) string {
	switch v := p.Merge[tag].(type) {
	case nil:
		return ""
	case string:
		return html.UnescapeString(strings.TrimSpace(v))
	default:
		return fmt.Sprint(v)
	}
}

// hidesTags reports whether a contact has more tags than were shown.
func (p person) hidesTags() bool { return p.Total > len(p.Tags) && len(p.Tags) >= shownTags }

func (p person) has(tag int) bool {
	for _, t := range p.Tags {
		if t.ID == tag {
			return true
		}
	}
	return false
}

// hash is the name of a contact in addresses.
func hash(email string) string {
	sum := md5.Sum([]byte(strings.ToLower(email)))
	return hex.EncodeToString(sum[:])
}

// lookUp finds people by their e-mail addresses, which are normalised. Those whom Mailchimp does not know are missing in
// the answer.
func (d *destination) lookUp(ctx context.Context, emails []string) (map[string]person, error) {
	found, err := d.find(ctx, emails)
	if err != nil || d.attributesOnly() {
		return found, err
	}
	return found, d.findTags(ctx, found)
}

// findTags completes the tags of those who carry more than Mailchimp shows with a contact: what is not shown is neither
// there nor missing.
func (d *destination) findTags(ctx context.Context, found map[string]person) error {
	type answer struct {
		Tags []tag `json:"tags"`
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(d.set.Connections)
	for email, p := range maps.Clone(found) {
		if !p.hidesTags() {
			continue
		}
		group.Go(func() error {
			all, err := pages(func(offset int) ([]tag, error) {
				query := page(offset, largestPage, "tags.id")
				a, err := ask[answer](ctx, d.api, httpapi.Request{Op: "tags of a contact", Path: d.path("members", p.ID, "tags"), Query: query}, nil)
				return a.Tags, err
			})
			if isStatus(err, http.StatusNotFound) { // deleted meanwhile
				return nil
			}
			p.Tags = all
			mu.Lock()
			defer mu.Unlock()
			found[email] = p
			return err
		})
	}
	return group.Wait()
}

// find looks people up one by one, or where a walk over all contacts takes fewer requests than people, it walks.
func (d *destination) find(ctx context.Context, emails []string) (map[string]person, error) {
	if len(emails) <= fewPeople {
		return d.lookUpEach(ctx, emails)
	}
	wanted := make(map[string]bool, len(emails))
	for _, email := range emails {
		wanted[email] = true
	}
	found, whole, err := d.walk(ctx, wanted, "", len(emails))
	if err != nil {
		return nil, err
	}
	if whole && d.set.CreateMissing && len(found) < len(wanted) { // a walk need not show who was archived, and nobody is brought back
		gone, _, err := d.walk(ctx, wanted, archived, 1<<30)
		for email, p := range gone {
			found[email] = p
		}
		return found, err
	}
	if whole {
		return found, nil
	}
	var rest []string
	for _, email := range emails {
		if _, ok := found[email]; !ok {
			rest = append(rest, email)
		}
	}
	more, err := d.lookUpEach(ctx, rest)
	for email, p := range more {
		found[email] = p
	}
	return found, err
}

// lookUpEach asks for one person after another, several at a time.
func (d *destination) lookUpEach(ctx context.Context, emails []string) (map[string]person, error) {
	var mu sync.Mutex
	found := map[string]person{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(d.set.Connections)
	for _, email := range emails {
		group.Go(func() error {
			p, known, err := d.lookUpOne(ctx, email)
			if err != nil || !known {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			found[email] = p
			return nil
		})
	}
	return found, group.Wait()
}

func (d *destination) lookUpOne(ctx context.Context, email string) (p person, known bool, err error) {
	query := url.Values{"fields": {strings.Join(d.memberFields(""), ",")}}
	p, err = ask[person](ctx, d.api, httpapi.Request{Op: "contact", Path: d.path("members", hash(email)), Query: query}, nil)
	if isStatus(err, http.StatusNotFound) {
		return person{}, false, nil
	}
	return p, err == nil, err
}

// roll is one page of all contacts.
type roll struct {
	Members []person `json:"members"`
	Total   int      `json:"total_items"`
}

// roll reads one page of contacts: of the list, or where a tag is named of that tag.
func (d *destination) roll(ctx context.Context, offset int, query url.Values, below ...string) (roll, error) {
	all := page(offset, largestPage, d.memberFields("members.")...)
	for name, values := range query {
		all[name] = values
	}
	return ask[roll](ctx, d.api, httpapi.Request{Op: "contacts", Path: d.path(append(below, "members")...), Query: all}, nil)
}

// walks is how often a walk is begun anew because contacts were deleted meanwhile, which moves the rest towards the front.
const walks = 3

// walk reads all contacts of a status, or of any, and keeps those wanted. It stops after the first page, and says so, where
// there are more pages than the limit.
func (d *destination) walk(ctx context.Context, wanted map[string]bool, status string, limit int) (map[string]person, bool, error) {
	query := url.Values{}
	if status != "" {
		query.Set("status", status)
	}
	found := map[string]person{}
	for attempt := 1; ; attempt++ {
		first, err := d.roll(ctx, 0, query)
		if err != nil {
			return nil, false, err
		}
		d.pick(found, wanted, first.Members)
		if first.Total > largestPage*limit {
			return found, false, nil
		}
		shrunk, err := d.walkOn(ctx, query, first.Total, func(members []person) { d.pick(found, wanted, members) })
		if err != nil {
			return nil, false, err
		}
		if !shrunk {
			return found, true, nil
		}
		if attempt == walks {
			return nil, false, &connectors.Error{Kind: connectors.KindRetry, Op: "contacts", Err: fmt.Errorf("contacts vanish while they are read")}
		}
	}
}

// walkOn reads the pages behind the first, several at a time, and says whether contacts vanished meanwhile.
func (d *destination) walkOn(ctx context.Context, query url.Values, total int, see func([]person)) (shrunk bool, err error) {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(d.set.Connections)
	for offset := largestPage; offset < total; offset += largestPage {
		group.Go(func() error {
			p, err := d.roll(ctx, offset, query)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			see(p.Members)
			shrunk = shrunk || p.Total < total
			return nil
		})
	}
	err = group.Wait()
	return shrunk, err
}

// pick keeps those wanted, and of their merge fields ours: with all that an owner has of everybody memory would run out.
func (d *destination) pick(found map[string]person, wanted map[string]bool, members []person) {
	fields := d.knownFields()
	for _, p := range members {
		email := commerce.Email(p.Email)
		if !wanted[email] {
			continue
		}
		ours := make(map[string]any, len(fields))
		for _, tag := range fields {
			ours[tag] = p.Merge[tag]
		}
		p.Merge = ours
		found[email] = p
	}
}
