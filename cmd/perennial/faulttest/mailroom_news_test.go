package faulttest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNewsIsToldOnce lets the requests that tell of people go wrong in one way after the other: whatever becomes of them, who
// entered and who left is told once, at Klaviyo and by a webhook.
func TestNewsIsToldOnce(t *testing.T) {
	t.Parallel()
	random := chance(t)
	m := newMailroom(t, 40, 43, "klaviyo", "webhook")
	m.push()
	m.check()
	late := func(_ http.ResponseWriter, r *http.Request, next http.Handler) { // the answer comes when nobody waits any more
		loseAnswerOf(r, next)
		<-r.Context().Done()
	}
	troubles := []struct {
		name       string
		times      int
		do         func(platform) mishap
		codes      []int
		notKlaviyo bool // who would wait for minutes
	}{
		{"an answer gets lost", 1, func(platform) mishap { return loseAnswer }, []int{0}, false},
		{"every answer gets lost", ever, func(platform) mishap { return loseAnswer }, []int{4}, false},
		{"the key is revoked", ever, func(platform) mishap { return wrongKey }, []int{3}, false},
		{"a time-out after acceptance", 1, func(platform) mishap { return late }, []int{0}, true},
		{"429 with a long time", ever, func(p platform) mishap { return tooMany(p, "3600") }, []int{4}, false},
	}
	for night, trouble := range troubles {
		if testing.Short() && trouble.times == ever && trouble.codes[0] == 4 {
			continue
		}
		m.day(random, 3*night)
		for _, p := range m.platforms {
			if p.kind() != "klaviyo" || !trouble.notKlaviyo {
				m.traps[p.kind()].set(0, trouble.times, telling, trouble.do(p))
			}
		}
		_, errs, code := m.run(m.pushing()...)
		hits := m.traps["klaviyo"].clear() + m.traps["webhook"].clear()
		require.Positive(t, hits, trouble.name)
		require.Contains(t, trouble.codes, code, errs)
		m.checkMeanwhile()
		m.ahead += time.Minute
		for _, p := range m.platforms {
			if s := m.status(p); code != 0 {
				m.requireTold(s, errs, "")
			}
		}
		m.push()
		m.check()
		for _, p := range m.platforms {
			m.requireWhole(p)
		}
	}
}

// TestNewsOfAStateThatPassed loses every answer of a push, so that nobody knows what was told, and lets another day pass before
// the next one: nothing is told a second time, although something else is desired by then.
func TestNewsOfAStateThatPassed(t *testing.T) {
	t.Parallel()
	random := chance(t)
	m := newMailroom(t, 40, 51, "klaviyo", "webhook")
	m.push()
	m.check()
	m.passing = true
	nights := 2
	if testing.Short() {
		nights = 1
	}
	for night := range nights {
		m.day(random, 3*night)
		for _, p := range m.platforms {
			m.traps[p.kind()].set(0, ever, telling, loseAnswer)
		}
		_, errs, code := m.run(m.pushing()...)
		require.Equal(t, 4, code, errs)
		require.Positive(t, m.traps["klaviyo"].clear()+m.traps["webhook"].clear())
		m.checkMeanwhile()
		for _, c := range m.shop.Customers() {
			if random.IntN(3) == 0 {
				m.buys(c.ID, c.Email)
			}
		}
		m.day(random, 3*night)
		m.push()
		m.check()
	}
}

// telling matches requests that tell of people.
func telling(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/event-bulk-create-jobs") || r.URL.Path == "/hook"
}

// TestTroubleAtOneLeavesTheOthers revokes the key at one platform after the other: the rest get everything in the same push,
// and status tells them apart.
func TestTroubleAtOneLeavesTheOthers(t *testing.T) {
	t.Parallel()
	shop := newReadShop(t, 40, 44)
	require.NoError(t, shop.db.Close())
	t.Run("at", func(t *testing.T) {
		for _, kind := range everywhere {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				m := openMailroom(shop.copied(t), everywhere...)
				m.traps[kind].set(0, ever, func(*http.Request) bool { return true }, wrongKey)
				_, errs, code := m.run(m.pushing()...)
				require.Equal(t, 3, code, errs)
				require.Contains(t, errs, "push to "+kind)
				m.traps[kind].clear()
				for _, p := range m.platforms {
					s := m.status(p)
					_, due := m.whole(p)
					if p.kind() == kind {
						require.Zero(t, s.Delivered)
						m.requireTold(s, errs, aboutKeys)
						continue
					}
					require.Equal(t, due, s.Delivered, s.text)
					require.Zero(t, s.Waiting)
				}
				m.checkMeanwhile()
				m.ahead = time.Minute
				m.push()
				m.check()
			})
		}
	})
}

// TestMailroomBites spoils one thing at a time, and each time what is wrong has to be said.
func TestMailroomBites(t *testing.T) {
	t.Parallel()
	random := chance(t)
	m := newMailroom(t, 40, 45, everywhere...)
	klaviyo, mailchimp, brevo := m.platforms[0].(klaviyoFront), m.platforms[1].(mailchimpFront), m.platforms[2].(brevoFront) //nolint:forcetypeassert // they are
	m.push()
	m.check()
	m.day(random, 0)
	m.push()
	m.check()
	someone := func(kind string) string {
		return m.query(`SELECT address FROM deliveries WHERE destination = $1 AND hash IS NOT NULL AND audiences <> '{}' ORDER BY 1`, kind)[0]
	}
	outsider := ""
	for _, p := range klaviyo.People() {
		if len(p.Suppressed) > 0 {
			outsider = p.Email
		}
	}
	var f findings
	for complains, spoil := range map[string]func(){
		"klaviyo: attribute rfm of":           func() { require.NoError(t, klaviyo.SetProperty(someone("klaviyo"), "perennial_rfm", "999")) },
		"klaviyo: what is not ours changed":   func() { require.NoError(t, klaviyo.SetConsent(outsider, "SUBSCRIBED")) },
		"klaviyo: something was made twice":   func() { klaviyo.AddList(klaviyo.Lists()[len(klaviyo.Lists())-1].Name) },
		"mailchimp: what is not ours changed": func() { require.NoError(t, mailchimp.SetStatus(someone("mailchimp"), "cleaned")) },
		"brevo: attribute rfm of":             func() { require.NoError(t, brevo.SetAttribute(someone("brevo"), "PERENNIAL_RFM", "")) },
		"webhook: news":                       func() { m.was["webhook"].news-- },
		"klaviyo: news":                       func() { m.was["klaviyo"].stands[someone("klaviyo")] = nil },
		"is believed to be in": func() {
			_, err := m.db.Exec(`UPDATE deliveries SET audiences = '{abroad,lost}' WHERE destination = 'mailchimp' AND address = $1`, someone("mailchimp"))
			require.NoError(t, err)
		},
	} {
		spoil()
		f = nil
		m.anytime(&f)
		m.settled(&f)
		require.Contains(t, strings.Join(f, "\n"), complains)
	}
}
