package klaviyotest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

const mediaType = "application/vnd.api+json"

// answer is what goes back to the client.
type answer struct {
	status     int
	body       []byte
	left       [3]int // of the minute: limit, remaining, seconds until it ends; zero where limits are not kept
	retryAfter int
}

func (a answer) header() http.Header {
	h := http.Header{}
	if len(a.body) > 0 {
		h.Set("Content-Type", mediaType)
	}
	if a.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(a.retryAfter))
	}
	if a.left[0] > 0 {
		h.Set("RateLimit-Limit", strconv.Itoa(a.left[0]))
		h.Set("RateLimit-Remaining", strconv.Itoa(a.left[1]))
		h.Set("RateLimit-Reset", strconv.Itoa(a.left[2]))
	}
	return h
}

func (a answer) reply() simulator.Reply {
	return simulator.Reply{Status: a.status, Header: a.header(), Body: a.body}
}

// problem is one thing wrong with a request.
type problem struct{ code, detail, pointer string }

func fail(status int, code, detail, pointer string) answer {
	return failMany(status, []problem{{code, detail, pointer}})
}

func failMany(status int, problems []problem) answer {
	var items []any
	for _, p := range problems {
		item := map[string]any{"id": "01FAKEERROR", "code": p.code, "title": "Invalid input.", "detail": p.detail}
		if p.pointer != "" {
			item["source"] = map[string]any{"pointer": p.pointer}
		}
		items = append(items, item)
	}
	return answer{status: status, body: text(map[string]any{"errors": items})}
}

func missing(what, id string) answer {
	return fail(http.StatusNotFound, "not_found", "A "+what+" with id "+id+" does not exist.", "")
}

// done answers with data, and with a cursor where there is more.
func done(c call, data any, next string) answer {
	links := map[string]any{"self": absolute(c, c.URL.RequestURI())}
	if next != "" {
		query := c.URL.Query()
		query.Set("page[cursor]", next)
		links["next"] = absolute(c, c.URL.Path+"?"+query.Encode())
	}
	return answer{status: http.StatusOK, body: text(map[string]any{"data": data, "links": links})}
}

func absolute(c call, path string) string { return "http://" + c.Host + path }

func self(c call, path string) map[string]any { return map[string]any{"self": absolute(c, path)} }

func text(value any) []byte {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err) // everything that the fake says is JSON
	}
	return body
}

// paged cuts a page out of items, as the query asks for it. The largest page and the usual one differ between operations.
func paged[T any](q url.Values, items []T, usual, largest int) (page []T, next string, wrong *answer) {
	size, from := usual, 0
	if given := q.Get("page[size]"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || n > largest {
			a := fail(http.StatusBadRequest, "invalid", "Page size must be an integer between 1 and "+strconv.Itoa(largest)+".", "")
			return nil, "", &a
		}
		size = n
	}
	if cursor := q.Get("page[cursor]"); cursor != "" {
		plain, err := base64.RawURLEncoding.DecodeString(cursor)
		n, bad := strconv.Atoi(string(plain))
		if err != nil || bad != nil || n > len(items) {
			a := fail(http.StatusBadRequest, "invalid", "The cursor is not valid.", "")
			return nil, "", &a
		}
		from = n
	}
	to := min(from+size, len(items))
	if to < len(items) {
		next = base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(to)))
	}
	return items[from:to], next, nil
}

// spend takes a request out of the allowance of its operation. Where nothing is left it returns the refusal.
func (s *Server) spend(rt route) (refusal *answer, left [3]int) {
	if !s.opts.Limits {
		return nil, left
	}
	now := s.opts.Clock()
	for _, w := range []struct {
		name  string
		size  time.Duration
		count int
	}{{"s", time.Second, rt.second}, {"m", time.Minute, rt.minute}} {
		key := rt.method + rt.path + w.name + strconv.FormatInt(now.UnixNano()/int64(w.size), 10)
		s.counters[key]++
		rest := w.size - time.Duration(now.UnixNano()%int64(w.size))
		seconds := int(rest/time.Second) + 1
		if s.counters[key] > w.count {
			a := fail(http.StatusTooManyRequests, "throttled", "Request was throttled. Expected available in "+strconv.Itoa(seconds)+" seconds.", "/data/")
			a.retryAfter = seconds
			return &a, left
		}
		left = [3]int{w.count, w.count - s.counters[key], seconds}
	}
	return nil, left
}
