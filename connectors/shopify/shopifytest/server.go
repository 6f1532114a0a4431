package shopifytest

import (
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// What the shop knows its app by unless Options say otherwise.
const (
	DefaultVersion      = "2026-07"
	DefaultDomain       = "alder.myshopify.com"
	DefaultClientID     = "4c0ffee0c0de4c0ffee0c0de4c0ffee0"
	DefaultClientSecret = "shpss_trial0000000000000000000000000"
	DefaultAccessToken  = "shpat_trial0000000000000000000000000"
)

// AllScopes lists every scope that the connector can use, granted where Options name none.
func AllScopes() []string {
	return []string{
		"read_all_orders", "read_customers", "read_discounts", "read_inventory", "read_locations", "read_marketing_events", "read_orders",
		"read_products", "read_reports", "read_returns", "write_customers", "write_discounts",
	}
}

// Options say what kind of shop answers. The zero value is a shop of plan Standard in version 2026-07.
type Options struct {
	Version  string   // the oldest version still answered; "" means DefaultVersion
	Versions []string // answered beside it; nil means the quarters after it that the schema is known of
	Domain   string   // "" means DefaultDomain

	ClientID, ClientSecret string   // of the app that asks by client credentials; "" mean the defaults
	AccessToken            string   // of an app made long ago in the admin; "" means DefaultAccessToken
	Scopes                 []string // nil means AllScopes

	Validator Validator     // nil means that documents are only parsed
	Lag       time.Duration // by which searches know the shop late, by the shop's clock
	// Bucket is the leaky bucket. Zeros mean 2000 points and 100 a second; a negative Restore never throttles.
	Bucket    struct{ Max, Restore float64 }
	TokenLife time.Duration // of tokens got by client credentials; 0 means 24 hours
	// BulkDelay is how long a bulk operation is CREATED and then RUNNING, half of it each; 0 means that it is COMPLETED
	// when it is asked for the first time.
	BulkDelay time.Duration
	Shuffle   bool          // children stand anywhere after their parent in bulk files
	Latency   time.Duration // waited before every answer
	Forget    bool          // keep no record of requests, for benchmarks
	// TaxesIncluded makes prices contain their taxes.
	TaxesIncluded bool
	// Clock is what tokens, bucket and bulk operations go by; nil means the time of day. The shop's data go by the
	// shop's own.
	Clock func() time.Time
}

// Server is the fake shop. It is an http.Handler and safe for concurrent use.
type Server struct {
	shop *simulator.Shop
	opts Options
	kept *kept
	// query and mutation make the root objects; the engine adds what is its own.
	query, mutation func() *object

	mu         sync.Mutex // of what follows
	home       string
	tokens     map[string]time.Time // when each expires; zero never
	revoked    bool
	scopes     []string
	bucket     bucket
	faults     []*Fault
	requests   []Request
	violations []error
	operations []*operation
	files      map[string]*file
	uploads    map[string]*upload
	number     int64 // of the last operation, file or request named

	indexing sync.Mutex
	indexes  map[string]map[string]indexed // what searches see while they lag, by type and id
}

// New makes a fake over the shop. It listens nowhere until it is started or served by the caller.
func New(shop *simulator.Shop, opts Options) *Server {
	or := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	or(&opts.Version, DefaultVersion)
	or(&opts.Domain, DefaultDomain)
	or(&opts.ClientID, DefaultClientID)
	or(&opts.ClientSecret, DefaultClientSecret)
	or(&opts.AccessToken, DefaultAccessToken)
	if opts.Versions == nil {
		opts.Versions = []string{"2025-10", "2026-01", "2026-04", "2026-07", "2026-10"}
	}
	if opts.Scopes == nil {
		opts.Scopes = AllScopes()
	}
	if opts.TokenLife == 0 {
		opts.TokenLife = 24 * time.Hour
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	s := &Server{
		shop: shop, opts: opts, home: "https://" + opts.Domain, scopes: slices.Clone(opts.Scopes),
		tokens: map[string]time.Time{opts.AccessToken: {}}, files: map[string]*file{}, uploads: map[string]*upload{},
		indexes: map[string]map[string]indexed{},
	}
	s.bucket = newBucket(opts, s.clock())
	s.kept = newKept(s)
	s.query, s.mutation = s.queryRoot, s.mutationRoot
	return s
}

// Start serves the shop over plain http. The caller closes what is returned.
func (s *Server) Start() *httptest.Server {
	server := httptest.NewServer(s)
	s.SetHome(server.URL)
	return server
}

// SetHome tells the shop where it answers: the base of the addresses of its files.
func (s *Server) SetHome(home string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.home = strings.TrimSuffix(home, "/")
}

// Home is where the shop answers, as the setting url of a source names it.
func (s *Server) Home() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.home
}

// Shop is the invented shop behind the fake.
func (s *Server) Shop() *simulator.Shop { return s.shop }

// Domain is the name of the shop, such as "alder.myshopify.com".
func (s *Server) Domain() string { return s.opts.Domain }

func (s *Server) clock() time.Time { return s.opts.Clock() }
