package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/perennial-cvo/perennial/connectors"
)

// slowestUpload is how slow a line may be on which a large body still goes out in time, in bytes per second.
const slowestUpload = 128 << 10

// unsigned marks, in a request's context, a call that goes without credentials.
type unsigned struct{}

func (c *Client) restyClient() *resty.Client {
	transport := c.opts.Transport
	if transport == nil {
		transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: c.opts.ConnectTimeout, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout: c.opts.ConnectTimeout,
			MaxIdleConnsPerHost: c.opts.Concurrency,
			IdleConnTimeout:     30 * time.Second,
			ForceAttemptHTTP2:   true,
		}
	}
	// A plain http.Client, so that no cookie jar remembers anything between requests.
	client := resty.NewWithClient(&http.Client{Transport: transport})
	client.SetLogger(silence{}).SetDoNotParseResponse(true).SetRetryCount(0)
	client.SetHeader("User-Agent", "Perennial/"+c.opts.Version+" (+https://github.com/perennial-cvo/perennial)")
	client.SetHeader("Accept", "application/json")
	client.SetRedirectPolicy(resty.RedirectPolicyFunc(c.redirect))
	client.SetPreRequestHook(func(_ *resty.Client, r *http.Request) error { return c.sign(r) })
	return client
}

func (c *Client) sign(r *http.Request) error {
	if c.opts.Sign == nil || r.Context().Value(unsigned{}) != nil {
		return nil
	}
	return c.opts.Sign(r)
}

// redirect follows a redirect of a read within the same origin, signed anew, and refuses every other, because custom
// headers and signatures would go to a stranger.
func (c *Client) redirect(r *http.Request, via []*http.Request) error {
	first := via[0]
	sameOrigin := r.URL.Scheme == first.URL.Scheme && strings.EqualFold(r.URL.Host, first.URL.Host)
	read := first.Method == http.MethodGet || first.Method == http.MethodHead
	if !sameOrigin || !read || len(via) > 3 {
		return &RedirectError{Target: bare(r.URL)}
	}
	return c.sign(r)
}

// attempt sends the request once.
func (c *Client) attempt(ctx context.Context, r Request) (Response, *fault) {
	if r.Unsigned || r.URL != "" {
		ctx = context.WithValue(ctx, unsigned{}, true)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dog := watch(cancel, c.opts.HeaderTimeout+sending(r.Body))
	defer dog.stop()

	request := c.http.R().SetContext(ctx)
	r.prepare(request)
	raw, err := request.Execute(r.Method, c.address(r))
	if raw != nil && raw.RawResponse != nil && raw.RawResponse.Body != nil {
		defer func() { _ = raw.RawResponse.Body.Close() }()
	}
	if err != nil {
		return Response{}, c.transportFault(ctx, r, err)
	}
	answer := Response{Status: raw.StatusCode(), Header: raw.Header(), Date: serverDate(raw.Header())}
	body, end, err := c.read(r, raw.RawResponse, dog.idle(c.opts.IdleTimeout))
	if err != nil {
		return Response{}, c.transportFault(ctx, r, err)
	}
	answer.End = end
	if r.URL != "" {
		return c.judgeFile(r, answer, body)
	}
	c.noteBudget(answer)
	c.noteLeft(r.Quota, answer)
	return c.judge(r, answer, body)
}

// sending is the time granted for a large body to go out.
func sending(body []byte) time.Duration {
	return time.Duration(len(body)) * time.Second / slowestUpload
}

// prepare puts body and headers on the request.
func (r Request) prepare(request *resty.Request) {
	if r.Body != nil {
		kind := r.ContentType
		if kind == "" {
			kind = "application/json"
		}
		request.SetHeader("Content-Type", kind).SetBody(bytes.NewReader(r.Body)) // what is no reader resty copies twice
	}
	if r.Raw || r.Span != nil {
		request.SetHeader("Accept", "*/*")
	}
	if r.Span != nil {
		request.SetHeader("Range", fmt.Sprintf("bytes=%d-%d", r.Span.From, r.Span.From+r.Span.Size-1))
	}
	for name, values := range r.Header {
		request.Header[name] = values
	}
}

func (c *Client) read(r Request, answer *http.Response, tell func(int64)) (body []byte, end bool, err error) {
	switch {
	case r.URL != "" && answer.StatusCode >= 300:
		return nil, false, nil // of no use: it may repeat the address
	case r.Span != nil && answer.StatusCode < 300:
		return readSpan(answer, *r.Span, tell)
	}
	body, err = readBody(answer, tell, c.opts.MaxBody)
	return body, false, err
}

// judge decides whether an answer that arrived whole is a success.
func (c *Client) judge(r Request, answer Response, body []byte) (Response, *fault) {
	if (r.Raw || r.Span != nil) && answer.Status < 300 {
		answer.Body = body
		return answer, nil
	}
	if len(body) == 0 && answer.Status < 300 && (r.MayBeEmpty || answer.Status == http.StatusNoContent) {
		return answer, nil
	}
	value, warning, err := findJSON(answer.Header.Get("Content-Type"), body)
	answer.JSON = err == nil
	answer.Body = body
	if answer.JSON {
		answer.Body = value
	}
	if answer.JSON {
		c.noteLevel(r, answer)
	}
	if answer.Status >= 300 {
		return Response{}, c.statusFault(r, answer)
	}
	if err != nil {
		return Response{}, c.notJSON(r, err, body)
	}
	if f := c.inspect(r, answer); f != nil {
		return Response{}, f
	}
	if warning != "" {
		answer.Warnings = []string{r.Op + ": " + c.mask.text(warning)}
		c.log.Warn("answer is odd though readable", "op", r.Op, "warning", c.mask.text(warning))
	}
	return answer, nil
}

func (c *Client) address(r Request) string {
	if r.URL != "" {
		return r.URL
	}
	u := c.base.JoinPath(r.Path)
	if strings.HasSuffix(r.Path, "/") && !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	u.RawQuery = r.Query.Encode()
	return u.String()
}

func (c *Client) noteBudget(answer Response) {
	if c.opts.Budget == nil {
		return
	}
	if wait := c.opts.Budget(answer); wait > 0 {
		c.mu.Lock()
		c.notBefore = c.opts.Deps.Now().Add(wait)
		c.mu.Unlock()
	}
}

// RedirectError says that the other side sent us elsewhere and that we did not go.
type RedirectError struct{ Target string }

// Error names the target, without user name and query.
func (e *RedirectError) Error() string { return "redirect to " + e.Target + " refused" }

func (c *Client) redirected(r Request, e *RedirectError) *fault {
	if r.URL != "" { // its path and query may be the permission to read it
		refused := errors.New("a redirect away from the host of the file refused")
		return &fault{err: &connectors.Error{Kind: connectors.KindPermanent, Op: r.Op, Err: refused, Remedy: "something between us and the file sends us elsewhere: look at proxy and firewall"}}
	}
	remedy := fmt.Sprintf("the address answers with a redirect to %s: if that is the right place, set url to it", e.Target)
	return &fault{err: &connectors.Error{Kind: connectors.KindPermanent, Op: r.Op, Err: e, Remedy: remedy}}
}

// bare returns the URL without user name, password, query and fragment.
func bare(u *url.URL) string {
	b := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return b.String()
}

// strip takes the URL, which may carry secrets in its query, out of an error of net/http.
func strip(err error) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		return withURL.Err
	}
	return err
}

func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// silence is resty's logger: it prints URLs with secrets in them.
type silence struct{}

func (silence) Errorf(string, ...any) {}
func (silence) Warnf(string, ...any)  {}
func (silence) Debugf(string, ...any) {}
