package shopifytest

import (
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// kept is what the shop holds that the simulator has no place for. Tags and metafields of customers are not here: they
// are meta of the simulator's accounts, so that they are saved with it.
type kept struct {
	server *Server

	mu       sync.Mutex
	number   int64 // of the last thing that was named here
	masked   bool  // the app may not see who customers are
	orders   map[int64]orderMarks
	tags     map[string][]string // of what is not a customer, by global id
	spelled  map[string]string   // the letters of every tag of a customer, by the tag in small letters; nil until asked
	fields   map[string][]metafield
	consents map[int64]consent // by customer
	frozen   map[int64]int64   // what survivors of a merge say of their number of orders
	costs    map[int64]costed  // by product or variation

	definitions []definition
	segments    []segment

	living  map[string]map[int64]bool // kind -> ids that were there when events were last told
	quiet   map[int64]bool            // customers that went without an event
	history []happening

	generation uint64 // of the shop that the tallies are of
	tallied    bool
	bought     map[int64]tally
	ratings    map[int64]rating
	letters    map[string]simulator.Subscriber
	lettersAt  uint64
}

// orderMarks are what a Shopify shop says of an order beyond what the simulator knows.
type orderMarks struct {
	test     bool
	included bool           // prices contain their taxes
	gifts    map[int64]bool // lines that sell gift cards
	removed  []removal
	shown    string // currency of the buyer, "" where it is the shop's
	rate     decimal.Decimal
}

// removal is a line that was taken out of an order by editing it.
type removal struct {
	id, line int64
	at       time.Time
}

type consent struct {
	state string
	at    time.Time
}

// costed is a change of unit cost, which does not count as a change of the product.
type costed struct {
	at           time.Time
	hides, shown time.Time // where the product says it was modified at hides, it was at shown
}

// tally is what a customer bought, as far as the shop shows it.
type tally struct {
	count int64
	last  *simulator.Order
	spent simulator.Amount
}

type rating struct {
	sum   int64
	count int64
}

// firstNumber is above all ids of the simulator.
const firstNumber = 7_000_000_000

func newKept(s *Server) *kept {
	k := &kept{
		server: s, number: firstNumber, orders: map[int64]orderMarks{}, tags: map[string][]string{}, fields: map[string][]metafield{},
		consents: map[int64]consent{}, frozen: map[int64]int64{}, costs: map[int64]costed{}, quiet: map[int64]bool{},
	}
	k.living = k.alive()
	return k
}

// next names a new thing; call it with the lock held.
func (k *kept) next() int64 {
	k.number++
	return k.number
}

func (k *kept) marks(order int64) orderMarks {
	k.mu.Lock()
	defer k.mu.Unlock()
	m := k.orders[order]
	m.included = m.included || k.server.opts.TaxesIncluded
	return m
}

func (k *kept) isMasked() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.masked
}

// shown reports whether a Shopify shop has the order at all.
func shown(o *simulator.Order) bool {
	return o != nil && o.Status != simulator.Draft && o.Status != simulator.Trash
}

// count brings the tallies up to date; call it with the lock held.
func (k *kept) count() {
	shop := k.server.shop
	generation := shop.Generation()
	if k.tallied && k.generation == generation {
		return
	}
	k.bought, k.ratings = map[int64]tally{}, map[int64]rating{}
	for _, o := range shop.Orders() {
		if !shown(o) || o.CustomerID == 0 {
			continue
		}
		t := k.bought[o.CustomerID]
		t.count++
		if financial(o) == paid {
			t.spent += o.Total() - o.RefundedAmount()
		}
		if t.last == nil || !o.PlacedAt.Before(t.last.PlacedAt) {
			t.last = o
		}
		k.bought[o.CustomerID] = t
	}
	for _, v := range shop.Reviews() {
		if v.Status == simulator.ReviewApproved && v.Rating > 0 {
			r := k.ratings[v.ProductID]
			k.ratings[v.ProductID] = rating{sum: r.sum + int64(v.Rating), count: r.count + 1}
		}
	}
	k.generation, k.tallied = generation, true
}

func (k *kept) tally(customer int64) tally {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.count()
	return k.bought[customer]
}

func (k *kept) rating(product int64) rating {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.count()
	return k.ratings[product]
}

// consent is what the shop knows of marketing by e-mail to a customer.
func (k *kept) consent(c *simulator.Customer) consent {
	k.mu.Lock()
	defer k.mu.Unlock()
	if given, ok := k.consents[c.ID]; ok {
		return given
	}
	if _, ok := k.letters[c.Email]; !ok {
		k.readLetters()
	}
	subscriber := k.letters[c.Email]
	switch subscriber.State {
	case simulator.Subscribed:
		return consent{"SUBSCRIBED", subscriber.Since}
	case simulator.Unsubscribed:
		return consent{"UNSUBSCRIBED", subscriber.Since}
	case simulator.Blocklisted:
		return consent{"INVALID", subscriber.Since}
	default:
		return consent{state: "NOT_SUBSCRIBED"}
	}
}

// readLetters learns who reads the newsletter: people only come, and their state stays.
func (k *kept) readLetters() {
	generation := k.server.shop.Generation()
	if k.letters != nil && k.lettersAt == generation {
		return
	}
	k.letters, k.lettersAt = map[string]simulator.Subscriber{}, generation
	for _, subscriber := range k.server.shop.Subscribers() {
		k.letters[subscriber.Email] = subscriber
	}
}

// updated is when a product or variation was changed, its unit cost apart.
func (k *kept) updated(p *simulator.Product) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c, ok := k.costs[p.ID]; ok && c.hides.Equal(p.ModifiedAt) {
		return c.shown
	}
	return p.ModifiedAt
}

// costedAt is when the unit cost of a product or variation was changed, its creation where it never was.
func (k *kept) costedAt(p *simulator.Product) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c, ok := k.costs[p.ID]; ok {
		return c.at
	}
	return p.CreatedAt
}

func (k *kept) tagsOf(gid string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.tags[gid])
}
