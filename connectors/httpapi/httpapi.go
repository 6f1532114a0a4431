// Package httpapi is the one HTTP client of the house. A connector hands it three small functions: sign a request (anew
// at each attempt), classify an answer, and read the remaining budget from it. Everything else is here and nowhere else:
// pacing, retries, time-outs, size limits, the refusal of redirects, the insistence on JSON, and the redaction of secrets.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-resty/resty/v2"
	"golang.org/x/time/rate"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
)

// Options describe one API. Only BaseURL is required; every duration, count and size has a default.
type Options struct {
	// BaseURL is the address below which all requests are made; it may have a path.
	BaseURL string

	// Sign adds the credentials to a request. It is called at each attempt, and again on the target of a redirect
	// within the same origin, so it must replace what an earlier call left.
	Sign func(*http.Request) error
	// Classify turns an answer with status 400 or above into an error that says what to do; nil means that the
	// default (see Fault) is right. A KindRetry or KindWait is tried again, a KindWait not before its Until; any other
	// kind is final.
	Classify func(Response) *connectors.Error
	// Inspect looks into an answer of the API below 300, for APIs that fail with status 200; nil means that all is
	// well. A KindRetry or KindWait is tried again, a KindWait not before its Until; any other kind is final.
	Inspect func(Response) *connectors.Error
	// Budget says how long to wait before the next request, as far as the answer's headers tell.
	Budget func(Response) time.Duration
	// Bucket reads the level of the leaky bucket out of an answer, good or bad, and whether it stands there. Once it
	// is known, a request with a Cost waits until the bucket holds it.
	Bucket func(Response) (Level, bool)

	// Left reads out of an answer how many requests its Quota still holds, when it is full again, and whether that stands
	// there. Where nothing is left, requests of the same Quota wait until then.
	Left func(Response) (left int, reset time.Duration, stated bool)

	Deps      connectors.Deps
	Secrets   []secret.Text     // what must never show up in an error or log
	Version   string            // of the program, for the User-Agent
	Transport http.RoundTripper // nil means a real one

	Interval    time.Duration // least time between the starts of two requests, 0 for none
	Concurrency int           // requests at a time, default 1
	Attempts    int           // per request, default 5
	BackOff     time.Duration // first back-off, doubled at each attempt, default 1s
	MaxWait     time.Duration // the longest wait inside a request; a longer one defers the run, default 2m

	ConnectTimeout time.Duration // default 15s
	HeaderTimeout  time.Duration // from sending to the first byte of the answer, default 90s
	IdleTimeout    time.Duration // between two reads of a body, default 45s; there is no total time-out
	MaxBody        int64         // bytes of an unpacked answer, default 64 MiB

	// Sleep waits for the duration or until the context ends; nil means a timer.
	Sleep func(context.Context, time.Duration) error
}

// Request is one call. Bodies are bytes, because a reader would be replayed empty on the second attempt.
type Request struct {
	Op     string // short noun phrase for errors and logs, such as "orders page"
	Method string // default GET
	Path   string // below BaseURL, escaped where needed
	Query  url.Values
	Body   []byte // or nil

	// URL asks this absolute address instead of Path and Query, as for a file at a signed address. It goes without
	// credentials, and no error or log names more of it than its host. Classify, Inspect and Bucket are about the API
	// and are not asked; every status from 400 to 499 but 408, 425 and 429 is final.
	URL string
	// Header is added to the request.
	Header http.Header
	// ContentType labels Body, application/json by default.
	ContentType string
	// Raw takes the body of the answer as it is, whatever its type, and be it empty.
	Raw bool
	// Span asks for a part of a file; the answer is Raw then.
	Span *Span
	// Cost is what the request will take out of the bucket, in the units of Level; 0 where it takes nothing.
	Cost float64
	// Quota is the allowance that the request takes part in; nil for none.
	Quota *Quota
	// settled is what the bucket had settled of all requests when this one was sent.
	settled float64

	// Idempotent says that a POST may be repeated when nobody knows whether it was executed.
	Idempotent bool
	// Shrinkable says that the caller can ask for less: after two time-outs or server failures the call returns an
	// error for which errors.Is(err, ErrHeavy) is true instead of trying on.
	Shrinkable bool
	// Unsigned leaves the credentials away.
	Unsigned bool
	// MayBeEmpty accepts an answer without a body.
	MayBeEmpty bool
}

// Response is an answer whose body is one JSON value, or an answer on its way to Classify.
type Response struct {
	Status   int
	Header   http.Header
	Body     []byte // from the first [ or { on, where JSON is true
	JSON     bool   // labelled as JSON and valid
	Date     time.Time
	Warnings []string
	End      bool // of a Span: the file ends with this body
}

// Span is a part of a file: Size bytes, or what is left of it, from the byte From on. It is asked for by a Range
// header; from a side that sends the whole file all the same it is cut out as the file passes.
type Span struct{ From, Size int64 }

// ErrHeavy marks time-outs and server failures that a smaller request may avoid.
var ErrHeavy = errors.New("the request is too heavy")

var errSpent = errors.New("the allowance of requests is spent")

// Client makes requests to one API. It is safe for concurrent use.
type Client struct {
	opts    Options
	base    *url.URL
	http    *resty.Client
	limiter *rate.Limiter
	slots   chan struct{}
	mask    *mask
	log     *slog.Logger

	mu        sync.Mutex
	notBefore time.Time // as asked by the budget
	bucket    bucket
}

// New makes a client. It refuses a base URL that is not http or https or that carries credentials, without network.
func New(opts Options) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(opts.BaseURL, "/"))
	if err != nil {
		return nil, errors.New("base URL: not a web address") // url.Error would repeat what may hold a password
	}
	if (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("base URL: %q is not a web address beginning with https:// or http://", bare(base))
	}
	if base.User != nil || base.RawQuery != "" {
		return nil, fmt.Errorf("base URL %s: must not carry a user name, password or query", bare(base))
	}
	fill(&opts)
	c := &Client{
		opts: opts, base: base, limiter: rate.NewLimiter(rate.Inf, 1), slots: make(chan struct{}, opts.Concurrency),
		mask: newMask(opts.Secrets), log: opts.Deps.Log,
	}
	if opts.Interval > 0 {
		c.limiter = rate.NewLimiter(rate.Every(opts.Interval), 1)
	}
	c.http = c.restyClient()
	return c, nil
}

// Host returns the host and port that the client talks to.
func (c *Client) Host() string { return c.base.Host }

// Do makes the call and returns an answer with a status below 300 whose body is JSON. Its errors are connectors.Error,
// or wrap the context's error where that has ended.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if err := checkURL(r); err != nil {
		return Response{}, err
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return Response{}, fmt.Errorf("%s: %w", r.Op, ctx.Err())
	}
	heavy := 0
	for attempt := 1; ; attempt++ {
		if err := c.pace(ctx); err != nil {
			return Response{}, fmt.Errorf("%s: %w", r.Op, err)
		}
		settled, err := c.draw(ctx, r.Cost)
		if err != nil {
			return Response{}, fmt.Errorf("%s: %w", r.Op, err)
		}
		r.settled = settled
		if err := c.admit(ctx, r.Quota); err != nil {
			c.bucket.settle(r.Cost)
			return Response{}, opError(r.Op, err)
		}
		began := c.opts.Deps.Now()
		answer, f := c.attempt(ctx, r)
		c.release(r.Quota, began, f)
		c.bucket.settle(r.Cost)
		if ctx.Err() != nil && f != nil {
			return Response{}, fmt.Errorf("%s: %w", r.Op, ctx.Err())
		}
		if f == nil {
			return answer, nil
		}
		if f.heavy {
			heavy++
		}
		wait, again := c.plan(r, f, attempt)
		if !again || r.Shrinkable && heavy >= 2 {
			return Response{}, c.give(r, f)
		}
		c.log.Warn("request is tried again", "op", r.Op, "attempt", attempt, "wait", wait.Round(time.Millisecond), "err", f.err)
		if err := c.opts.Sleep(ctx, wait); err != nil {
			return Response{}, fmt.Errorf("%s: %w", r.Op, err)
		}
	}
}

// opError names the operation in an error that does not.
func opError(op string, err error) error {
	var own *connectors.Error
	if errors.As(err, &own) {
		own.Op = op
		return err
	}
	return fmt.Errorf("%s: %w", op, err)
}

// pace waits until the next request may start.
func (c *Client) pace(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	until := c.notBefore // it stands for every request until it has passed
	c.mu.Unlock()
	if !until.IsZero() {
		if wait := until.Sub(c.opts.Deps.Now()); wait > 0 {
			if err := c.opts.Sleep(ctx, min(wait, c.opts.MaxWait)); err != nil {
				return err
			}
		}
	}
	return c.limiter.Wait(ctx)
}

func fill(o *Options) {
	o.Deps = withDefaults(o.Deps)
	setDefault(&o.Concurrency, 1)
	setDefault(&o.Attempts, 5)
	setDefault(&o.BackOff, time.Second)
	setDefault(&o.MaxWait, 2*time.Minute)
	setDefault(&o.ConnectTimeout, 15*time.Second)
	setDefault(&o.HeaderTimeout, 90*time.Second)
	setDefault(&o.IdleTimeout, 45*time.Second)
	setDefault(&o.MaxBody, 64<<20)
	setDefault(&o.Version, buildVersion())
	if o.Sleep == nil {
		o.Sleep = sleep
	}
}

func withDefaults(d connectors.Deps) connectors.Deps {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return d
}

func setDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
