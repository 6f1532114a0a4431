package faulttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// storefront is what a world has to know of the kind of its shop.
type storefront interface {
	http.Handler
	SetHome(home string)
	ForgetRequests()

	kind() string                       // in the configuration
	settings() string                   // beside the address
	env() []string                      // that the settings name
	secrets() []string                  // that must appear nowhere
	oracle() simulator.Oracle           // what a perfect source would deliver, with what the database sums up
	counts(status string) bool          // whether orders of this status are purchases
	apart() bool                        // orders, lines and refunds come apart from each other
	writes() []string                   // the requests that wrote
	things() map[string]string          // what is neither ours nor a record, by name
	ours(*simulator.Customer) fields    // what stands there under our prefix: attributes, and "tags"
	foreign(*simulator.Customer) string // what else programs may write to
}

// fields are values by their name.
type fields = map[string]string

// wooFront is a WooCommerce shop.
type wooFront struct{ *woocommercetest.Server }

func (f wooFront) kind() string { return "woocommerce" }

func (f wooFront) settings() string {
	return "consumer_key_env = \"FAULTTEST_KEY\"\nconsumer_secret_env = \"FAULTTEST_SECRET\"\n"
}

func (f wooFront) env() []string {
	return []string{"FAULTTEST_KEY=" + canaryKey, "FAULTTEST_SECRET=" + canarySecret}
}

func (f wooFront) secrets() []string { return []string{canaryKey, canarySecret} }

func (f wooFront) oracle() simulator.Oracle { return f.Shop().Oracle(simulator.Policy{}) }

func (f wooFront) counts(status string) bool {
	return status == simulator.Processing || status == simulator.Completed
}

func (f wooFront) apart() bool { return false }

func (f wooFront) writes() []string {
	var all []string
	for _, r := range f.Requests() {
		if r.Write {
			all = append(all, r.Method+" "+r.Path)
		}
	}
	return all
}

func (f wooFront) things() map[string]string { return nil }

func (f wooFront) ours(c *simulator.Customer) fields {
	meta := fields{}
	for _, m := range c.Meta {
		var value string
		if key, ours := strings.CutPrefix(m.Key, "perennial_"); ours && json.Unmarshal(m.Value, &value) == nil {
			meta[key] = value
		}
	}
	return meta
}

func (f wooFront) foreign(c *simulator.Customer) string {
	var meta []string
	for _, m := range c.Meta {
		if !strings.HasPrefix(m.Key, "perennial_") {
			meta = append(meta, fmt.Sprintf("%d %s=%s", m.ID, m.Key, m.Value))
		}
	}
	return fmt.Sprint(meta)
}

// shopifyFront is a Shopify shop.
type shopifyFront struct {
	*shopifytest.Server
	bulkFrom int    // records
	more     string // further settings
}

func (f *shopifyFront) kind() string { return "shopify" }

func (f *shopifyFront) settings() string {
	return fmt.Sprintf("shop = %q\nclient_id = %q\nclient_secret_env = \"FAULTTEST_SECRET\"\nbulk_from = %d\nbulk_chunk = 65536\n%s",
		f.Domain(), canaryClient, f.bulkFrom, f.more)
}

func (f *shopifyFront) env() []string { return []string{"FAULTTEST_SECRET=" + canaryClientSecret} }

// secrets are the app's own, the tokens that it got, and what makes the addresses of files a permission to read them.
func (f *shopifyFront) secrets() []string {
	return []string{canaryClientSecret, canaryAccess, "shpat_fake", "Signature="}
}

// oracle sums up what the lines of each order come to, as the database does.
func (f *shopifyFront) oracle() simulator.Oracle {
	o := f.Truth(simulator.Policy{})
	place := map[string]int{}
	for i := range o.Orders {
		place[o.Orders[i].ID] = i
	}
	priced, lines := map[string]int{}, map[string]int{}
	for _, l := range o.Lines {
		order := &o.Orders[place[l.OrderID]]
		lines[l.OrderID]++
		if l.Cost.Valid {
			priced[l.OrderID]++
			order.Cost = decimal.NewNullDecimal(order.Cost.Decimal.Add(l.Cost.Decimal))
		}
		if l.GiftCard {
			order.GiftCards = order.GiftCards.Add(l.Total)
		}
	}
	for id, i := range place {
		if priced[id] < lines[id] {
			o.Orders[i].Cost = decimal.NullDecimal{}
		}
	}
	return o
}

func (f *shopifyFront) counts(status string) bool {
	return slices.Contains(shopifytest.Counting(), status)
}

func (f *shopifyFront) apart() bool { return true }

func (f *shopifyFront) writes() []string {
	var all []string
	for _, r := range f.Requests() {
		if r.Write {
			all = append(all, fmt.Sprint(r.Method, " ", r.Operation, " ", r.Roots))
		}
	}
	return all
}

// things are the segments of the shop's owner, and who may be mailed.
func (f *shopifyFront) things() map[string]string {
	theirs := map[string]string{}
	for _, c := range f.Truth(simulator.Policy{}).Customers {
		theirs["consent of "+c.ID] = fmt.Sprint(c.Consent)
	}
	for name, condition := range f.Segments() {
		if !strings.HasPrefix(name, ourSegments) {
			theirs["segment "+name] = condition
		}
	}
	return theirs
}

// ourSegments begin the names of segments that we make.
const ourSegments = "Perennial: "

const ourTags = "perennial:"

func (f *shopifyFront) ours(c *simulator.Customer) fields {
	stands := f.Metafields(c.ID, "perennial")
	for _, score := range []string{"r", "f", "m"} { // Shopify takes no key of one letter
		if field := "score_" + score; stands[field] != "" {
			stands[score] = stands[field]
			delete(stands, field)
		}
	}
	var audiences []string
	for _, tag := range f.Tags(c.ID) {
		if key, is := strings.CutPrefix(tag, ourTags); is {
			audiences = append(audiences, key)
		}
	}
	if len(audiences) > 0 {
		stands["tags"] = strings.Join(audiences, ",")
	}
	return stands
}

// foreign are tags that are not ours, those in other letter case included, and the metafields of others.
func (f *shopifyFront) foreign(c *simulator.Customer) string {
	tags := slices.DeleteFunc(f.Tags(c.ID), func(tag string) bool { return strings.HasPrefix(tag, ourTags) })
	var values []struct{ Namespace, Key, Type, Value string }
	var rest []string
	for _, m := range c.Meta {
		switch m.Key {
		case "shopify:tags":
		case "shopify:metafields":
			if err := json.Unmarshal(m.Value, &values); err != nil {
				return err.Error()
			}
		default:
			rest = append(rest, fmt.Sprintf("%s=%s", m.Key, m.Value))
		}
	}
	for _, v := range values {
		if v.Namespace != "perennial" {
			rest = append(rest, fmt.Sprint(v))
		}
	}
	return fmt.Sprint(tags, rest)
}
