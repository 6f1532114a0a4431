package brevotest

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// contactsHourly is how many requests on contacts any hour may see.
const contactsHourly = 36_000

// limit counts a request and refuses it where a window is full. A refused request counts for nothing.
func (s *Server) limit(w http.ResponseWriter, r *http.Request) (answer, bool) {
	now := s.opts.Clock()
	if !strings.HasPrefix(r.URL.Path, "/v3/contacts") {
		return s.window(w, &s.others, now, span{time.Hour, s.opts.Hourly})
	}
	if refused, no := s.window(w, &s.recent, now, span{time.Second, s.opts.Rate}); no {
		return refused, no
	}
	return s.window(w, &s.hour, now, span{time.Hour, contactsHourly * max(1, s.opts.Rate/10)})
}

// span is a window and how many requests it holds.
type span struct {
	length time.Duration
	holds  int
}

// window notes a request in a sliding window and tells of it in the headers, which are those of the last one noted.
func (s *Server) window(w http.ResponseWriter, seen *[]time.Time, now time.Time, limit span) (answer, bool) {
	live := *seen
	for len(live) > 0 && now.Sub(live[0]) >= limit.length {
		live = live[1:]
	}
	full := len(live) >= limit.holds
	if !full {
		live = append(live, now)
	}
	*seen = live
	header := w.Header()
	header.Set("x-sib-ratelimit-limit", strconv.Itoa(limit.holds))
	header.Set("x-sib-ratelimit-remaining", strconv.Itoa(limit.holds-len(live)))
	header.Set("x-sib-ratelimit-reset", strconv.Itoa(int(math.Ceil((limit.length - now.Sub(live[0])).Seconds()))))
	if full {
		return fail(http.StatusTooManyRequests, "bad_request", "You have exceeded the number of requests permitted"), true
	}
	return answer{}, false
}
