package brevotest

import (
	"net/http"
	"strconv"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// What goes wrong on command, and what is kept of what was asked.
type (
	Fault     = simulator.Fault
	FaultKind = simulator.FaultKind
	Request   = simulator.Request
)

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
