package faulttest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// loseAnswer lets a request be carried out, and the connection die instead of an answer.
func loseAnswer(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	loseAnswerOf(r, next)
	panic(http.ErrAbortHandler)
}

func loseAnswerOf(r *http.Request, next http.Handler) { next.ServeHTTP(httptest.NewRecorder(), r) }

// wrongKey lets the platform see another key than the right one.
func wrongKey(rw http.ResponseWriter, r *http.Request, next http.Handler) {
	for _, name := range []string{"Authorization", "Api-Key", "Webhook-Signature"} {
		if r.Header.Get(name) != "" {
			r.Header.Set(name, "v1,revoked")
		}
	}
	next.ServeHTTP(rw, r)
}

// bare403 is what a firewall answers.
func bare403(rw http.ResponseWriter, _ *http.Request, _ http.Handler) {
	rw.WriteHeader(http.StatusForbidden)
}

// tooMany answers 429 as a platform does, and names a time where it is not empty.
func tooMany(p platform, seconds string) mishap {
	return func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) {
		name, media := "Retry-After", "application/json"
		body := `{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"too many","instance":""}`
		switch p.kind() {
		case "klaviyo":
			media, body = "application/vnd.api+json", `{"errors":[{"id":"1","code":"throttled","title":"Too many.","detail":"Request was throttled."}]}`
		case "brevo":
			name, body = "X-Sib-Ratelimit-Reset", `{"code":"bad_request","message":"You have exceeded the number of requests permitted"}`
			rw.Header().Set("X-Sib-Ratelimit-Remaining", "0")
		}
		rw.Header().Set("Content-Type", media)
		if seconds != "" {
			rw.Header().Set(name, seconds)
		}
		rw.WriteHeader(http.StatusTooManyRequests)
		_, _ = rw.Write([]byte(body))
	}
}

// ever is longer than any push.
const ever = 1 << 30

// TestTroubleAtPlatforms lets first pushes go wrong at each platform, in every way that is not a platform's own: what status
// says meanwhile is so, nothing is made twice, and the next push brings everything.
func TestTroubleAtPlatforms(t *testing.T) {
	t.Parallel()
	shop := newReadShop(t, 40, 34)
	require.NoError(t, shop.db.Close())
	troubles := []struct {
		name  string
		skip  int // writes that pass
		times int
		do    func(platform) mishap
		codes []int  // how the push may end
		words string // that it says, and status after it; nothing where it ends well
		slow  bool
	}{
		{name: "429 with a short time", skip: 2, times: 1, do: func(p platform) mishap { return tooMany(p, "1") }, codes: []int{0}},
		{name: "429 with a long time", skip: 2, times: ever, do: func(p platform) mishap { return tooMany(p, "3600") }, codes: []int{4}, words: "nothing to do"},
		{name: "429 without a time", skip: 2, times: 1, do: func(p platform) mishap { return tooMany(p, "") }, codes: []int{0}},
		{name: "429 without a time, again and again", skip: 1, times: ever, do: func(p platform) mishap { return tooMany(p, "") }, codes: []int{4}, words: "nothing to do", slow: true},
		{name: "a bare 403", skip: 2, times: 1, do: func(platform) mishap { return bare403 }, codes: []int{0, 3, 4}},
		{name: "a bare 403, again and again", skip: 1, times: ever, do: func(platform) mishap { return bare403 }, codes: []int{3, 4}, words: "403", slow: true},
		{name: "the key is revoked", skip: 2, times: ever, do: func(platform) mishap { return wrongKey }, codes: []int{3}, words: aboutKeys},
	}
	t.Run("at", func(t *testing.T) {
		for _, kind := range everywhere {
			for _, trouble := range troubles {
				if testing.Short() && trouble.slow {
					continue
				}
				t.Run(kind+", "+trouble.name, func(t *testing.T) {
					t.Parallel()
					m := openMailroom(shop.copied(t), kind)
					p := m.platforms[0]
					skip := trouble.skip
					if kind == "webhook" {
						skip = 1 // of the two requests there are
					}
					m.traps[kind].set(skip, trouble.times, writing, trouble.do(p))
					_, errs, code := m.run(m.pushing()...)
					require.NotZero(t, m.traps[kind].clear(), "nothing went wrong")
					require.Contains(t, trouble.codes, code, errs)
					m.checkMeanwhile()
					s := m.status(p)
					m.ahead = time.Minute
					if code != 0 {
						m.requireTold(s, errs, trouble.words)
						m.push()
					}
					m.check()
					m.requireWhole(p)
				})
			}
		}
	})
}

// aboutKeys stands for words about keys, which each platform calls by another name.
const aboutKeys = "(keys)"

// requireTold holds that a push that failed was told of, by itself and by status, with what to do.
func (m *mailroom) requireTold(s said, errs, words string) {
	m.t.Helper()
	require.Contains(m.t, errs, "what to do")
	require.NotEqual(m.t, "succeeded", s.run.State)
	require.NotEmpty(m.t, s.run.Error)
	require.NotEmpty(m.t, s.run.Remedy)
	require.Contains(m.t, s.text, flat(s.run.Remedy))
	require.Contains(m.t, flat(errs), flat(s.run.Remedy))
	switch words {
	case "":
	case aboutKeys:
		require.Regexp(m.t, `key|secret`, s.run.Remedy)
	default:
		require.Contains(m.t, s.run.Error+" "+s.run.Remedy, words)
	}
}

// TestAnswersGetLost loses the answer to one write after another, of first pushes and of nights: what was carried out is
// found, and nothing that must not be is done twice.
func TestAnswersGetLost(t *testing.T) {
	t.Parallel()
	shop := newReadShop(t, 40, 35)
	require.NoError(t, shop.db.Close())
	step := 3
	if testing.Short() {
		step = 15
	}
	t.Run("at", func(t *testing.T) {
		for i, kind := range everywhere {
			t.Run("first push to "+kind, func(t *testing.T) {
				t.Parallel()
				random := chance(t)
				for n, hit := random.IntN(step), true; hit && !t.Failed(); n += step {
					t.Run(fmt.Sprint(n), func(t *testing.T) {
						m := openMailroom(shop.copied(t), kind)
						hit = m.loses(kind, n)
						m.check()
						m.requireWhole(m.platforms[0])
					})
				}
			})
			if i%2 > 0 {
				continue
			}
			t.Run("nights, "+kind, func(t *testing.T) {
				t.Parallel()
				random := chance(t)
				kinds := []string{kind, map[string]string{"klaviyo": "webhook", "brevo": "mailchimp"}[kind]}
				m := newMailroom(t, 40, uint64(36+i), kinds...) //nolint:gosec // small
				m.push()
				m.check()
				nights := 12
				if testing.Short() {
					nights = 2
				}
				for night := range nights {
					m.day(random, night)
					hit := m.loses(kinds[night%2], night/2)
					t.Logf("night %d: hit %t", night, hit)
					m.check()
				}
			})
		}
	})
}

// loses pushes while the answer to a write gets lost, and once more where that push failed. It reports whether there was such
// a write.
func (m *mailroom) loses(kind string, write int) bool {
	m.t.Helper()
	m.traps[kind].set(write, 1, writing, loseAnswer)
	_, errs, code := m.run(m.pushing()...)
	hits := m.traps[kind].clear()
	require.Contains(m.t, []int{0, 4}, code, errs)
	m.checkMeanwhile()
	if m.ahead += time.Minute; code != 0 {
		for _, p := range m.platforms {
			if p.kind() == kind {
				m.requireTold(m.status(p), errs, "")
			}
		}
		m.push()
	}
	return hits > 0
}
