package shopify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

// Limits of writing.
const (
	// bulkAbove is how many mutations are still sent in batches; more go as files. The setting bulk_from can make it less.
	bulkAbove = 300
	// peopleAtOnce is how many people one push hands over: enough for a large shop to need a handful of requests, and no
	// more than memory has room for (about 200 MB with all attributes, files included).
	peopleAtOnce = 50_000
	// perRequest is how many mutations of 10 points one request holds within the 1000 points that Shopify takes.
	perRequest = 90
)

var (
	prefixShape = regexp.MustCompile(`^[a-z][a-z0-9]*([_-][a-z0-9]+)*$`)
	wordShape   = regexp.MustCompile(`^[a-z0-9]+([_-][a-z0-9]+)*$`)
)

// destination writes the audiences of a customer as tags "<prefix>:<key>" and the attributes as metafields of the
// namespace <prefix>. Tags are only ever added and removed one by one, so that those of the merchant stay.
type destination struct {
	*api
	prefix string

	bulkAbove int               // mutations
	room      int               // mutations in the next request, as the shop bears it
	lists     int               // lists of customers in the next look at tags, as the shop bears it
	types     map[string]string // of metafields that have a definition, by key; nil where it was not asked yet
	pause     time.Duration     // between two questions about an operation that has just begun
	claims    map[string]string // keys of audiences to a tag of the merchant's that differs from ours in case only, or ""
	fresh     map[string]bool   // files that this very instance staged and has not tried to start
}

func newDestination(a *api, prefix string) (*destination, error) {
	if prefix == "" {
		prefix = "perennial"
	}
	reserved := strings.HasPrefix(prefix, "shopify") || slices.Contains(others(), prefix)
	if !prefixShape.MatchString(prefix) || len(prefix) < 3 || len(prefix) > 40 || reserved {
		return nil, &connectors.Error{
			Kind: connectors.KindPermanent, Op: Kind + " settings",
			Err:    fmt.Errorf("the prefix %q is not fit for the namespace of metafields", prefix),
			Remedy: `use 3 to 40 lower-case letters, digits, single underscores or hyphens, beginning with a letter but not with "shopify", and no common name such as "custom"`,
		}
	}
	return &destination{
		api: a, prefix: prefix, bulkAbove: min(bulkAbove, a.set.BulkFrom-1), room: perRequest, lists: listsAtOnce, pause: firstPoll,
		claims: map[string]string{}, fresh: map[string]bool{},
	}, nil
}

// others are namespaces in which merchants and Shopify keep metafields of their own: what stands in ours is changed and
// removed.
func others() []string {
	return []string{"app", "custom", "customer", "descriptors", "facts", "global", "protected", "reviews"}
}

// Check asks the shop who it is and whether the app may write customers.
func (d *destination) Check(ctx context.Context) (connectors.Report, error) {
	return d.checkDestination(ctx)
}

// BatchSize is how many people Apply wants at once: Shopify takes whole files.
func (d *destination) BatchSize() int { return peopleAtOnce }

// Ensure checks that the audiences can be tags. A tag needs no making, it exists as soon as a customer carries it; with
// the setting segments a segment is made for each audience. The id of an audience is its tag, and behind it the number
// of its segment where it has one.
func (d *destination) Ensure(ctx context.Context, audiences []connectors.Audience) ([]connectors.Audience, error) {
	d.types = nil // a push is begun: others may have changed things since the last one
	clear(d.claims)
	ensured := slices.Clone(audiences)
	for i, a := range ensured {
		if !wordShape.MatchString(a.Key) || len(d.tag(a.Key)) > longestTag {
			return nil, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "audience", Err: fmt.Errorf("key %q is not fit for a tag", a.Key),
				Remedy: "use lower-case letters, digits and hyphens",
			}
		}
		tag, _ := parseID(a.ID)
		if before, is := strings.CutSuffix(tag, ":"+a.Key); is && before != d.prefix {
			return nil, &connectors.Error{
				Kind: connectors.KindPermanent, Op: "audience " + a.Key,
				Err:    fmt.Errorf("its tags stand under the prefix %q, and the prefix is %q now", before, d.prefix),
				Remedy: fmt.Sprintf("set prefix = %q again; to change it, run perennial purge --yes before", before),
			}
		}
		if tag != d.tag(a.Key) {
			ensured[i].ID = d.tag(a.Key)
		}
	}
	if !d.set.Segments || len(ensured) == 0 {
		return ensured, nil
	}
	return ensured, d.ensureSegments(ctx, ensured)
}

// parseID takes the id of an audience apart: its tag, and the number of its segment or nothing.
func parseID(id string) (tag, segment string) {
	tag, segment, _ = strings.Cut(id, segmentMark)
	return tag, segment
}

// wish is what is to be done about one customer: what is taken away first, and then what is put there.
type wish struct {
	person   int64
	customer string            // the shop's id
	leave    []string          // keys of audiences
	join     []string          // keys of audiences
	drop     []string          // keys of attributes
	set      map[string]string // attributes
}

func (w wish) empty() bool { return len(w.leave)+len(w.join)+len(w.drop)+len(w.set) == 0 }

// Apply brings customers into their desired state: a few by requests that hold many mutations each, many by files that
// Shopify works through as jobs.
func (d *destination) Apply(ctx context.Context, changes []connectors.Change) (connectors.Result, error) {
	var result connectors.Result
	wishes := make([]wish, 0, len(changes))
	for _, c := range changes {
		w, said := d.wishFor(c)
		if said != nil {
			result.Outcomes = append(result.Outcomes, *said)
			continue
		}
		wishes = append(wishes, w)
	}
	if len(wishes) == 0 {
		return result, nil
	}
	if err := d.define(ctx, wishes); err != nil {
		return result, err
	}
	wishes, said, err := d.heed(ctx, wishes)
	result.Outcomes = append(result.Outcomes, said...)
	if err != nil || len(wishes) == 0 {
		return result, err
	}
	if mutations(wishes) <= d.bulkAbove {
		said, err = d.write(ctx, wishes)
		result.Outcomes = append(result.Outcomes, said...)
		return result, err
	}
	result.Job, err = d.enqueue(ctx, wishes)
	return result, err
}

// wishFor returns what to do for a change. Where nothing is to be done, the outcome says why.
func (d *destination) wishFor(c connectors.Change) (wish, *connectors.Outcome) {
	said := func(state connectors.OutcomeState, reason string) (wish, *connectors.Outcome) {
		return wish{}, &connectors.Outcome{PersonID: c.Person.ID, State: state, RemoteID: c.Person.CustomerID, Reason: reason}
	}
	if c.Person.CustomerID == "" {
		return said(connectors.Withheld, connectors.ReasonNoAccount)
	}
	if !isNumber(c.Person.CustomerID) {
		return said(connectors.Refused, "the customer's id is not one of Shopify")
	}
	if wrong := d.wrong(c); wrong != "" {
		return said(connectors.Refused, wrong)
	}
	w := wish{
		person: c.Person.ID, customer: c.Person.CustomerID, join: distinct(c.Audiences), set: c.Attributes,
		leave: slices.DeleteFunc(distinct(c.Leave), func(key string) bool { return slices.Contains(c.Audiences, key) }),
		drop:  slices.DeleteFunc(distinct(c.Drop), func(key string) bool { return c.Attributes[key] != "" }),
	}
	for key, value := range c.Attributes {
		if value == "" { // Shopify keeps no blank value
			w.set = maps.Clone(w.set)
			delete(w.set, key)
			w.drop = distinct(append(w.drop, key))
		}
	}
	if w.empty() {
		return said(connectors.Unchanged, "")
	}
	return w, nil
}

// distinct returns the texts in order, each once; the list given stays as it is.
func distinct(texts []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(texts)))
}

// wrong says what of a change cannot be written, or nothing.
func (d *destination) wrong(c connectors.Change) string {
	for _, keys := range [][]string{c.Audiences, c.Leave} {
		for _, key := range keys {
			if !wordShape.MatchString(key) || len(d.tag(key)) > longestTag {
				return fmt.Sprintf("audience key %q is not fit for a tag", key)
			}
		}
	}
	for _, key := range append(slices.Sorted(maps.Keys(c.Attributes)), c.Drop...) {
		if !wordShape.MatchString(key) || len(key) > longestKey {
			return fmt.Sprintf("attribute key %q is not fit for a metafield", key)
		}
	}
	return ""
}

// isNumber reports whether a customer's id can be one of Shopify.
func isNumber(id string) bool {
	n, err := strconv.ParseInt(id, 10, 64)
	return err == nil && n > 0
}

// permitted names the permission that a refused write lacks, where Shopify does not.
func permitted(err error) error {
	var e *connectors.Error
	if errors.As(err, &e) && e.Kind == connectors.KindCredentials && e.Permission == "" {
		e.Permission = "write_customers"
		if e.Remedy == "" {
			e.Remedy = "give the app the permission write_customers and install it anew"
		}
	}
	return err
}
