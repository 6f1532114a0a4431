package woocommercetest

import (
	"net/http"
	"strconv"
)

// answer is what goes back, before any fault spoils it.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// reply is an answer of WordPress to somebody it knows.
func (s *Server) reply(status int, body []byte) *answer {
	return &answer{status: status, header: http.Header{}, body: body}
}

func failure(status int, code, message string) *answer {
	b := append([]byte(`{"code":`), appendString(nil, code)...)
	b = append(append(b, `,"message":`...), appendString(nil, message)...)
	b = append(append(b, `,"data":{"status":`...), strconv.Itoa(status)...)
	return (&answer{status: status, header: http.Header{}, body: append(b, "}}"...)}).known()
}

// known adds the headers of an answer to somebody who is logged in.
func (a *answer) known() *answer {
	a.header.Del("Vary")
	a.header.Set("Expires", "Wed, 11 Jan 1984 05:00:00 GMT")
	a.header.Set("Cache-Control", "no-cache, must-revalidate, max-age=0, no-store, private")
	return a
}

// strangers adds the headers of an answer to somebody who is not logged in.
func (a *answer) strangers() *answer {
	a.header.Del("Expires")
	a.header.Del("Cache-Control")
	a.header.Set("Vary", "Origin")
	return a
}

func (a *answer) allow(methods string) *answer {
	a.header.Set("Allow", methods)
	return a
}

// rest adds what every answer of the REST API carries.
func (s *Server) rest(a *answer) *answer {
	h := a.header
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json; charset=UTF-8")
	}
	h.Set("X-Robots-Tag", "noindex")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Access-Control-Expose-Headers", "X-WP-Total, X-WP-TotalPages, Link")
	h.Set("Access-Control-Allow-Headers", "Authorization, X-WP-Nonce, Content-Disposition, Content-MD5, Content-Type")
	if h.Get("Link") == "" {
		h.Set("Link", "<"+s.home()+`/wp-json/>; rel="https://api.w.org/"`)
	}
	return a
}

func cannotView(status int, what string) *answer {
	return failure(status, "woocommerce_rest_cannot_view", "Sorry, you cannot "+what+".")
}

func noRoute() *answer {
	return failure(http.StatusNotFound, "rest_no_route", "No route was found matching the URL and request method.")
}

// invalid is the refusal of a parameter.
func invalid(param, code, message string) *answer {
	name, text := appendString(nil, param), appendString(nil, message)
	b := append([]byte(`{"code":"rest_invalid_param","message":`), appendString(nil, "Invalid parameter(s): "+param)...)
	b = append(append(append(b, `,"data":{"status":400,"params":{`...), name...), ':')
	b = append(append(append(b, text...), `},"details":{`...), name...)
	b = append(append(b, `:{"code":`...), appendString(nil, code)...)
	b = append(append(append(b, `,"message":`...), text...), `,"data":null}}}}`...)
	return (&answer{status: http.StatusBadRequest, header: http.Header{}, body: b}).known()
}

func notFoundPage() *answer {
	a := &answer{status: http.StatusNotFound, header: http.Header{}, body: []byte("<!DOCTYPE html><html><head><title>Page not found</title></head><body><h1>Page not found</h1></body></html>")}
	a.header.Set("Content-Type", "text/html; charset=UTF-8")
	return a
}
