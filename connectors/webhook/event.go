package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// The types of message.
const (
	typePing   = "ping"
	typePeople = "people"
	typeErase  = "erase"
)

// message is the body of a request.
type message struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

// data is what a message tells. Prefix and store say which installation and which shop speak.
type data struct {
	Prefix string   `json:"prefix"`
	Store  string   `json:"store,omitempty"`
	People []item   `json:"people,omitempty"`
	Person *subject `json:"person,omitempty"` // of an erasure
}

// item is one person in a message: the whole state that shall be, and what of it is news.
type item struct {
	Person     subject           `json:"person"`
	Consent    string            `json:"consent"`
	Since      *time.Time        `json:"since,omitempty"`
	Entered    []news            `json:"entered"`
	Left       []news            `json:"left"`
	Audiences  []string          `json:"audiences"`
	Leave      []string          `json:"leave"`
	Attributes map[string]string `json:"attributes"`
	Drop       []string          `json:"drop"`
}

// subject is somebody as the receiver can know them.
type subject struct {
	ID         string `json:"id"`
	CustomerID string `json:"customer_id,omitempty"`
	Email      string `json:"email,omitempty"`
}

// news is that somebody entered or left an audience.
type news struct {
	ID       string `json:"id"`
	Audience string `json:"audience"`
	Name     string `json:"name,omitempty"`
}

// The words for consent in a message.
const (
	consentYes     = "subscribed"
	consentNo      = "unsubscribed"
	consentUnknown = "unknown"
)

func consentWord(state commerce.ConsentState) string {
	switch state {
	case commerce.ConsentSubscribed:
		return consentYes
	case commerce.ConsentUnsubscribed:
		return consentNo
	default:
		return consentUnknown
	}
}

func subjectOf(p connectors.Person) subject {
	return subject{ID: strconv.FormatInt(p.ID, 10), CustomerID: p.CustomerID, Email: p.Email}
}

// staying is the item of somebody who shall be where the change says.
func (d *destination) staying(c connectors.Change) item {
	i := d.leaving(c)
	i.Entered = d.tell(c, "entered", c.Entered)
	i.Audiences, i.Leave = sorted(c.Audiences), sorted(c.Leave)
	if c.Attributes != nil {
		i.Attributes = c.Attributes
	}
	return i
}

// leaving is the item of somebody who shall be nowhere, whatever else the change says.
func (d *destination) leaving(c connectors.Change) item {
	i := item{
		Person: subjectOf(c.Person), Consent: consentWord(c.Consent), Left: d.tell(c, "left", c.Left), Entered: []news{},
		Audiences: []string{}, Leave: sorted(append(slices.Clone(c.Leave), c.Audiences...)),
		Attributes: map[string]string{}, Drop: sorted(c.Drop),
	}
	if !c.Since.IsZero() {
		since := c.Since.UTC().Truncate(time.Second)
		i.Since = &since
	}
	return i
}

// tell names each piece of news. What it is named by is the same at every try.
func (d *destination) tell(c connectors.Change, what string, audiences []string) []news {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []news{}
	for _, key := range sorted(audiences) {
		id := digest("evt_", d.prefix, d.store, strconv.FormatInt(c.Person.ID, 10), key, what, strconv.FormatInt(c.Since.Unix(), 10))
		all = append(all, news{ID: id, Audience: key, Name: d.names[key]})
	}
	return all
}

// digest is a short mark of texts, the same for the same texts.
func digest(prefix string, texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	return prefix + hex.EncodeToString(sum[:16])
}

// sorted returns the keys in order, each once, and never null, which some receivers stumble over.
func sorted(keys []string) []string {
	all := append([]string{}, keys...)
	slices.Sort(all)
	return slices.Compact(all)
}

// newest is when the latest state among the items was first desired, or now where one has no such time.
func newest(items []item, now time.Time) time.Time {
	var latest time.Time
	for _, i := range items {
		if i.Since == nil {
			return now.UTC().Truncate(time.Second)
		}
		if i.Since.After(latest) {
			latest = *i.Since
		}
	}
	return latest
}
