package faulttest

import (
	"net/http"
	"sync"
)

// mishap is what becomes of a request, in place of what the platform makes of it.
type mishap func(rw http.ResponseWriter, r *http.Request, next http.Handler)

// trap stands before a platform and makes requests of choice go wrong.
type trap struct {
	next http.Handler

	mu    sync.Mutex
	match func(*http.Request) bool
	skip  int // requests that match and pass before
	times int
	do    mishap
	hits  int
}

// set makes so many matching requests go wrong, after some that pass.
func (t *trap) set(skip, times int, match func(*http.Request) bool, do mishap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.skip, t.times, t.match, t.do, t.hits = skip, times, match, do, 0
}

// clear lets everything pass, and returns how many requests went wrong.
func (t *trap) clear() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.times = 0
	return t.hits
}

func (t *trap) spring(r *http.Request) mishap {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.times == 0 || !t.match(r) {
		return nil
	}
	if t.skip > 0 {
		t.skip--
		return nil
	}
	t.times--
	t.hits++
	return t.do
}

// ServeHTTP lets a request pass, or not.
func (t *trap) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if do := t.spring(r); do != nil {
		do(rw, r, t.next)
		return
	}
	t.next.ServeHTTP(rw, r)
}

// writing matches what may change something.
func writing(r *http.Request) bool { return r.Method != http.MethodGet }
