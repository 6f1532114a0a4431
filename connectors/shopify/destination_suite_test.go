package shopify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
	"github.com/perennial-cvo/perennial/connectors/shopify/schematest"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// till is a fake shop whose customers are written to.
type till struct {
	*shopifytest.Server
	t        *testing.T
	shop     *simulator.Shop
	segments bool
}

// openTill starts a shop that judges every document and every answer of its own by Shopify's schema.
func openTill(t *testing.T, people int, opts shopifytest.Options) *till {
	t.Helper()
	opts.Validator, opts.Bucket.Restore = schematest.Validator(t, shopifytest.DefaultVersion), -1
	shop := simulator.New(simulator.Options{Customers: people, Orders: 20, Clock: time.Now})
	c := &till{t: t, shop: shop, Server: shopifytest.New(shop, opts)}
	server := c.Start()
	t.Cleanup(func() {
		server.Close()
		require.Empty(t, c.Violations())
	})
	return c
}

func (c *till) settings() connectors.Settings {
	return connectors.Settings{
		"shop": c.Domain(), "url": c.Home(), "access_token": shopifytest.DefaultAccessToken, "segments": c.segments, "page_size": 100,
	}
}

// desk is the factory of destinations that begin to use files above so many mutations.
func desk(above int) connectors.Factory {
	f := New()
	open := f.NewDestination
	f.NewDestination = func(s connectors.Settings, deps connectors.Deps) (connectors.Destination, error) {
		made, err := open(s, deps)
		if d, is := made.(*destination); is {
			d.bulkAbove, d.pause = above, 5*time.Millisecond
		}
		return made, err
	}
	return f
}

// open makes a fresh destination, as another process would.
func (c *till) open(above int) *destination {
	c.t.Helper()
	made, err := desk(above).NewDestination(c.settings(), connectors.Deps{Prefix: "perennial"})
	require.NoError(c.t, err)
	d, is := made.(*destination)
	require.True(c.t, is)
	return d
}

// people returns accounts of the shop as persons.
func (c *till) people(n int) []connectors.Person {
	var all []connectors.Person
	for _, u := range c.shop.Customers() {
		if len(all) < n && u.Role == "customer" && u.Email != "" {
			all = append(all, connectors.Person{ID: u.ID + 5000, CustomerID: strconv.FormatInt(u.ID, 10), Email: commerce.Email(u.Email)})
		}
	}
	require.Equal(c.t, n, len(all))
	return all
}

// field is a metafield as the shop keeps it.
type field struct{ Namespace, Key, Type, Value string }

// kept reads what the shop keeps of a customer under a key of its own.
func kept[T any](t *testing.T, u *simulator.Customer, key string) (stands T) {
	t.Helper()
	for _, m := range u.Meta {
		if m.Key == key {
			require.NoError(t, json.Unmarshal(m.Value, &stands))
		}
	}
	return stands
}

func (c *till) tags(customer string) []string {
	id, err := strconv.ParseInt(customer, 10, 64)
	require.NoError(c.t, err)
	return kept[[]string](c.t, c.shop.Customer(id), "shopify:tags")
}

// fields returns the metafields of a customer under our prefix.
func (c *till) fields(customer string) map[string]string {
	id, err := strconv.ParseInt(customer, 10, 64)
	require.NoError(c.t, err)
	found := map[string]string{}
	for _, f := range kept[[]field](c.t, c.shop.Customer(id), "shopify:metafields") {
		if f.Namespace == "perennial" {
			found[f.Key] = f.Value
		}
	}
	return found
}

// tag gives a customer tags of the merchant's.
func (c *till) tag(customer string, tags ...string) {
	id, err := strconv.ParseInt(customer, 10, 64)
	require.NoError(c.t, err)
	text, err := json.Marshal(tags)
	require.NoError(c.t, err)
	c.shop.SetCustomerMeta(id, "shopify:tags", text)
}

func (c *till) members(a connectors.Audience) []string {
	var emails []string
	for _, u := range c.shop.Customers() {
		if slices.Contains(kept[[]string](c.t, u, "shopify:tags"), "perennial:"+a.Key) {
			emails = append(emails, commerce.Email(u.Email))
		}
	}
	return emails
}

func (c *till) state() connectortest.State {
	s := connectortest.State{Ours: map[string]string{}, Foreign: map[string]string{}}
	for _, u := range c.shop.Customers() {
		who := commerce.Email(u.Email) + " " + strconv.FormatInt(u.ID, 10)
		for _, tag := range kept[[]string](c.t, u, "shopify:tags") {
			if strings.HasPrefix(tag, "perennial:") {
				s.Ours[who+" tag "+tag] = ""
			} else {
				s.Foreign[who+" tag "+tag] = ""
			}
		}
		for _, f := range kept[[]field](c.t, u, "shopify:metafields") {
			if f.Namespace == "perennial" {
				s.Ours[who+" "+f.Key] = f.Value
			} else {
				s.Foreign[who+" "+f.Key] = f.Value
			}
		}
		s.Foreign[who] = fmt.Sprint(u.ID, u.Username, u.FirstName, u.LastName, u.Role, u.Billing)
	}
	if c.segments {
		listed, err := c.open(0).segments(c.t.Context())
		require.NoError(c.t, err)
		for _, s2 := range listed {
			s.Ours["segment "+s2.ID] = s2.Name + " " + s2.Query
		}
	}
	return s
}

var misbehaviours = map[connectortest.FaultKind]shopifytest.FaultKind{
	connectortest.TooManyRequests: shopifytest.TooManyRequests, connectortest.ServerError: shopifytest.Error502,
	connectortest.CutBody: shopifytest.Cut, connectortest.BrokenJSON: shopifytest.Broken,
	connectortest.HTMLPage: shopifytest.HTML, connectortest.EmptyBody: shopifytest.Empty,
	connectortest.Hang: shopifytest.Hang, connectortest.LostAnswer: shopifytest.Lost,
}

func (c *till) misbehave(fault connectortest.Fault) {
	kind, known := misbehaviours[fault.Kind]
	require.True(c.t, known, fault.Kind)
	wish := shopifytest.Fault{Kind: kind, Times: fault.Times, Writes: fault.Writes}
	if fault.RetryAfter > 0 {
		wish.RetryAfter = strconv.Itoa(int(fault.RetryAfter.Seconds()))
	}
	c.Fault(wish)
}

func (c *till) asked() []connectortest.Request {
	var all []connectortest.Request
	for _, r := range c.Requests() {
		all = append(all, connectortest.Request{Method: r.Method, Path: r.Path, Body: r.Body, Status: r.Status, Write: r.Write})
	}
	return all
}

// jobFaults are what comes nearest: Shopify cancels an operation that stalls.
var jobFaults = map[connectortest.JobFault]shopifytest.FaultKind{
	connectortest.JobStalls: shopifytest.BulkCanceled, connectortest.JobPartly: shopifytest.BulkFailed,
	connectortest.JobDoesNone: shopifytest.BulkDenied,
}

func (c *till) rig() connectortest.DestinationRig {
	all := c.people(250)
	c.tag(all[0].CustomerID, "VIP", "Champions", "perennial", "other:champions")
	full := all[249]
	var many []string
	for i := range 250 {
		many = append(many, fmt.Sprintf("tag %03d", i))
	}
	c.tag(full.CustomerID, many...)
	return connectortest.DestinationRig{
		Settings: c.settings(), Secrets: []string{shopifytest.DefaultAccessToken}, Batch: perRequest,
		Reachable: c.people, Members: c.members, State: c.state, Fault: c.misbehave, Requests: c.asked,
		Stranger: func() connectors.Person {
			return connectors.Person{ID: 1, CustomerID: "999999999", Email: "gone@mail.example"}
		},
		Bad:    func() (connectors.Person, commerce.ConsentState) { return full, commerce.ConsentSubscribed },
		Revoke: c.Revoke,
		Restrict: func() string {
			c.Restrict("write_customers")
			return "write_customers"
		},
		Job: func(f connectortest.JobFault) { c.Fault(shopifytest.Fault{Kind: jobFaults[f]}) },
	}
}

func TestDestinationSuite(t *testing.T) {
	noMail := "a shop's tags mail nobody: there is no audience to leave"
	noThing := "a tag is a word on a customer, and a segment a view of it: purge makes people leave before"
	noBirth := "nobody is ever created in the shop, as \"stranger is not created\" shows"
	for name, tt := range map[string]struct {
		above    int
		segments bool
		jobs     bool
		delay    time.Duration
	}{
		"batches":              {above: bulkAbove},
		"files":                {above: 0, jobs: true, delay: 10 * time.Millisecond},
		"batches and segments": {above: bulkAbove, segments: true},
	} {
		t.Run(name, func(t *testing.T) {
			skips := map[string]string{
				"unsubscribed stays out of the audience":   noMail,
				"unsubscribed stays out of every audience": noMail,
				"unsubscribed survives leave and join":     noMail,
				"unsubscribed is read back":                noMail,
				"suppressed is withheld":                   noMail,
				"deleted is not created again":             noBirth,
				"remove":                                   noThing,
				"remove spares what is not ours":           noThing,
			}
			for _, test := range connectortest.DestinationTests() {
				if strings.Contains(test, "job") && !tt.jobs {
					skips[test] = "a few customers are written at once: there are no jobs"
				}
			}
			connectortest.Destination(t, connectortest.DestinationHarness{
				Factory: desk(tt.above), Skips: skips,
				Start: func(t *testing.T) connectortest.DestinationRig {
					c := openTill(t, 420, shopifytest.Options{BulkDelay: tt.delay})
					c.segments = tt.segments
					return c.rig()
				},
			})
		})
	}
}
