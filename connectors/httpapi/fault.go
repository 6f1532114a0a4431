package httpapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/perennial-cvo/perennial/connectors"
)

// fault is one failed attempt.
type fault struct {
	err      *connectors.Error
	unsent   bool // the other side did surely not act on it, so that even a POST may be repeated
	heavy    bool // a smaller request may succeed
	throttle bool // the other side asks for patience
	hint     hint
}

// StatusError is an answer with a status of 300 or above, in the words of the other side.
type StatusError struct {
	Status int
	Text   string // at most 200 harmless bytes
}

// Error names the status.
func (e *StatusError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("status %d", e.Status)
	}
	return fmt.Sprintf("status %d: %q", e.Status, e.Text)
}

// statusFault classifies an answer of status 300 or above: 401 and 403 in JSON are about the key, while a page of HTML
// comes from a firewall; 408, 425, 429 and 5xx pass; everything else will not get better by trying again.
func (c *Client) statusFault(r Request, answer Response) *fault {
	f := &fault{hint: retryAfter(answer, c.opts.Deps.Now())}
	if c.opts.Classify != nil && answer.Status >= 400 {
		f.err = c.opts.Classify(answer)
	}
	if f.err == nil {
		f.err = c.defaultError(answer)
	}
	c.name(r, f)
	c.heed(f)
	f.throttle = answer.Status == http.StatusTooManyRequests || f.err.Kind == connectors.KindWait ||
		answer.Status == http.StatusServiceUnavailable && f.hint.given
	f.unsent = f.throttle
	switch answer.Status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusRequestTimeout:
		f.heavy = f.err.Kind == connectors.KindRetry
	}
	return f
}

func (c *Client) name(r Request, f *fault) {
	if f.err.Op == "" {
		f.err.Op = r.Op
	}
}

// inspect asks the connector whether an answer that looks like a success is one.
func (c *Client) inspect(r Request, answer Response) *fault {
	if c.opts.Inspect == nil {
		return nil
	}
	err := c.opts.Inspect(answer)
	if err == nil {
		return nil
	}
	f := &fault{err: err, hint: retryAfter(answer, c.opts.Deps.Now()), heavy: err.Kind == connectors.KindRetry}
	c.name(r, f)
	if err.Kind == connectors.KindWait {
		f.throttle, f.unsent = true, true
		c.heed(f)
	}
	return f
}

// heed takes the time that a connector read out of an answer, in whatever header or body it stands, as Retry-After is
// taken.
func (c *Client) heed(f *fault) {
	if f.err.Kind != connectors.KindWait {
		return
	}
	if wait := f.err.Until.Sub(c.opts.Deps.Now()); wait > f.hint.wait {
		f.hint = hint{given: true, wait: min(wait, longestHint)}
	}
}

func (c *Client) defaultError(answer Response) *connectors.Error {
	err := &connectors.Error{Kind: connectors.KindPermanent, Err: &StatusError{
		Status: answer.Status, Text: c.mask.text(string(answer.Body[:min(len(answer.Body), 4*snippet)])),
	}}
	switch s := answer.Status; {
	case s == http.StatusUnauthorized, s == http.StatusForbidden && answer.JSON:
		err.Kind, err.Remedy = connectors.KindCredentials, "check the key and its permissions"
	case s == http.StatusForbidden:
		err.Kind, err.Remedy = connectors.KindRetry, "a firewall in front of the site refuses us: let our User-Agent or address pass"
	case s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s == http.StatusTooEarly, s >= 500:
		err.Kind, err.Remedy = connectors.KindRetry, "the other side has trouble or is busy; the next run goes on where this one stopped"
	}
	return err
}

// transportFault explains why no whole answer came.
func (c *Client) transportFault(ctx context.Context, r Request, err error) *fault {
	var redirect *RedirectError
	if errors.As(err, &redirect) {
		return c.redirected(r, redirect)
	}
	if cause := context.Cause(ctx); errors.Is(cause, errTimeout) || errors.Is(cause, errTooSlow) {
		e := &connectors.Error{Kind: connectors.KindRetry, Op: r.Op, Err: cause, Remedy: "the site is slow or hangs; the next run goes on where this one stopped"}
		return &fault{err: e, heavy: true}
	}
	if errors.Is(err, errTooLarge) {
		e := &connectors.Error{Kind: connectors.KindPermanent, Op: r.Op, Err: errTooLarge, Remedy: "ask for smaller pages"}
		return &fault{err: e, heavy: true}
	}
	var own *connectors.Error // the signer refused
	if errors.As(err, &own) {
		return &fault{err: own, unsent: true}
	}
	text, remedy, unsent := explain(strip(err))
	e := &connectors.Error{Kind: connectors.KindRetry, Op: r.Op, Err: errors.New(c.mask.text(text)), Remedy: remedy}
	return &fault{err: e, unsent: unsent, heavy: errors.Is(err, io.ErrUnexpectedEOF)}
}

// explain says in words why a connection failed, what to do, and whether the request was surely never sent.
func explain(err error) (text, remedy string, unsent bool) {
	var (
		dns       *net.DNSError
		cert      *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		header    tls.RecordHeaderError
		op        *net.OpError
	)
	switch {
	case errors.As(err, &dns):
		return "the host name " + dns.Name + " was not found", "check the address and the name server of this machine", true
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &invalid), errors.As(err, &cert):
		return err.Error(), "the site's certificate is not valid for it: renew it, or correct the address; we never connect without checking it", true
	case errors.As(err, &header), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "the site does not speak https at this address", "correct the address or its port", true
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused", "nothing listens at this address: check that the site is up and that address and port are right", true
	case errors.As(err, &op) && op.Op == "dial":
		return "no connection: " + op.Err.Error(), "check the network and that the site is up", true
	default:
		return err.Error(), "the connection broke; the next run goes on where this one stopped", false
	}
}

// heavyError marks an error as ErrHeavy without changing its text.
type heavyError struct{ err error }

func (h heavyError) Error() string        { return h.err.Error() }
func (h heavyError) Unwrap() error        { return h.err }
func (h heavyError) Is(target error) bool { return target == ErrHeavy }
