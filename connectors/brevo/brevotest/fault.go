package brevotest

import (
	"net/http"
	"strconv"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// Fault is a command to misbehave.
type Fault = simulator.Fault

// FaultKind says how the fake misbehaves.
type FaultKind = simulator.FaultKind

// Request is one request as it was received.
type Request = simulator.Request

// throttled refuses a request as one too many. Brevo tells the time in a header of its own, proxies in the standard one.
func throttled(f Fault) simulator.Reply {
	reply := fail(http.StatusTooManyRequests, "bad_request", "You have exceeded the number of requests permitted").reply()
	if f.RetryAfter == 0 {
		return reply
	}
	reply.Header.Set("x-sib-ratelimit-remaining", "0")
	if f.Standard {
		return reply.WithRetryAfter(f)
	}
	reply.Header.Set("x-sib-ratelimit-reset", strconv.Itoa(int(f.RetryAfter.Seconds())))
	return reply
}
