package connectortest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
)

const canary = "s3cr3t-canary"

// wire is the network and the server's door of the invented shop and platform: it records requests and misbehaves on
// command.
type wire struct {
	mu         sync.Mutex
	fault      connectortest.Fault
	requests   []connectortest.Request
	revoked    bool
	restricted bool
}

func (w *wire) setFault(f connectortest.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

func (w *wire) recorded() []connectortest.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]connectortest.Request(nil), w.requests...)
}

func (w *wire) takeFault(write bool) (connectortest.Fault, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault.Times == 0 || (w.fault.Writes && !write) {
		return connectortest.Fault{}, false
	}
	w.fault.Times--
	return w.fault, true
}

// reply is what comes over the wire.
type reply struct {
	status     int
	body       string
	retryAfter time.Duration
}

var errConnection = errors.New("connection reset")

// send carries one request to the server, whose work is do.
func (w *wire) send(ctx context.Context, q connectortest.Request, do func(body string) string) (reply, error) {
	fault, faulty := w.takeFault(q.Write)
	answer := func(r reply, err error) (reply, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		q.Status = r.status
		w.requests = append(w.requests, q)
		return r, err
	}
	w.mu.Lock()
	revoked := w.revoked
	w.mu.Unlock()
	if !faulty {
		if revoked {
			return answer(reply{status: 401, body: `{"message":"no"}`}, nil)
		}
		return answer(reply{status: 200, body: do(q.Body)}, nil)
	}
	switch fault.Kind {
	case connectortest.TooManyRequests:
		return answer(reply{status: 429, retryAfter: fault.RetryAfter}, nil)
	case connectortest.ServerError:
		return answer(reply{status: 503, body: "<html>down</html>"}, nil)
	case connectortest.CutBody, connectortest.LostAnswer:
		do(q.Body)
		return answer(reply{}, errConnection)
	case connectortest.BrokenJSON:
		body := do(q.Body)
		return answer(reply{status: 200, body: body[:len(body)/2]}, nil)
	case connectortest.HTMLPage:
		return answer(reply{status: 200, body: "<html>hello</html>"}, nil)
	case connectortest.EmptyBody:
		return answer(reply{status: 200}, nil)
	default: // Hang
		<-ctx.Done()
		return answer(reply{}, ctx.Err())
	}
}

// client is what every victim uses to talk; its defect decides what it does wrong.
type client struct {
	wire   *wire
	log    *slog.Logger
	now    func() time.Time
	defect string
}

// call sends a request, waits out what can be waited out, and returns the JSON text of the answer.
func (c *client) call(ctx context.Context, q connectortest.Request, do func(string) string) (string, error) {
	if c.defect == "context ignored" {
		ctx = context.WithoutCancel(ctx)
	}
	if err := ctx.Err(); err != nil && c.defect != "asks after cancel" {
		return "", fmt.Errorf("call: %w", err)
	}
	if c.defect == "goroutine left" {
		go func() { time.Sleep(20 * time.Second) }()
	}
	if c.defect == "secret in the log" {
		c.log.Debug("request", "key", canary)
	}
	for attempt := 1; ; attempt++ {
		r, err := c.wire.send(ctx, q, do)
		if err == nil && r.status == 429 && attempt < 4 && c.defect != "no retry on 429" {
			if err := c.pause(ctx, r.retryAfter); err != nil {
				return "", err
			}
			if c.defect == "empty body on retry" {
				q.Body = ""
			}
			continue
		}
		return c.read(r, err)
	}
}

func (c *client) pause(ctx context.Context, wait time.Duration) error {
	if wait > 5*time.Second && c.defect != "waits a day" {
		return &connectors.Error{Kind: connectors.KindWait, Op: "call", Until: c.now().Add(wait)}
	}
	if wait == 0 || c.defect == "Retry-After ignored" {
		wait = 10 * time.Millisecond
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *client) read(r reply, err error) (string, error) {
	fail := func(kind connectors.Kind, cause error) (string, error) {
		e := &connectors.Error{Kind: kind, Op: "call", Err: cause, Remedy: "wait"}
		if c.defect == "secret in the error" {
			e.Op = "call with " + canary
		}
		return "", e
	}
	looksRight := strings.HasPrefix(r.body, "{") && strings.HasSuffix(r.body, "}")
	switch {
	case err != nil:
		return fail(connectors.KindRetry, err)
	case r.status == 401 && c.defect == "401 misclassified":
		return fail(connectors.KindRetry, errors.New("401"))
	case r.status == 401:
		return fail(connectors.KindCredentials, errors.New("401"))
	case r.status == 429:
		return fail(connectors.KindRetry, errors.New("429"))
	case (r.status >= 500 || !looksRight) && c.defect == "bad answer taken for an empty one":
		return "{}", nil
	case r.status >= 500 && c.defect == "503 is for ever":
		return fail(connectors.KindPermanent, errors.New("503"))
	case r.status >= 500 || !looksRight:
		return fail(connectors.KindRetry, fmt.Errorf("status %d", r.status))
	}
	return r.body, nil
}

// settings of the victims.
func factory(kind string) connectors.Factory {
	return connectors.Factory{Kind: kind, Fields: []connectors.Field{
		{Name: "url", Required: true}, {Name: "key", Required: true, Secret: true},
	}}
}

func goodSettings() connectors.Settings {
	return connectors.Settings{"url": "https://shop.example", "key": canary}
}

// accept checks settings as a connector does.
func accept(f connectors.Factory, settings connectors.Settings, defect string) error {
	var target struct {
		URL string `mapstructure:"url"`
		Key string `mapstructure:"key"`
	}
	if defect == "any settings accepted" {
		return nil
	}
	return f.Decode(settings, &target)
}
