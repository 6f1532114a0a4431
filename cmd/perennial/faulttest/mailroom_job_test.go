package faulttest

import (
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
	"github.com/perennial-cvo/perennial/connectors/webhook/webhooktest"
)

// jobFault is a way in which work that a platform does later goes wrong.
type jobFault int

const (
	stalls jobFault = iota // it never ends
	idles                  // it ends with nothing done
	halves                 // it ends with half of it refused, or not done
)

// failJob makes the next job of a platform go wrong.
func failJob(p platform, f jobFault) {
	switch front := p.(type) {
	case klaviyoFront:
		front.FailJob([]klaviyotest.JobFault{klaviyotest.JobStalls, klaviyotest.JobDoesNone, klaviyotest.JobPartly}[f])
	case mailchimpFront:
		front.FailBatch([]mailchimptest.BatchFault{mailchimptest.BatchStalls, mailchimptest.BatchNone, mailchimptest.BatchPartly}[f])
	case brevoFront:
		front.Job([]brevotest.JobFault{brevotest.JobStalls, brevotest.JobDoesNone, brevotest.JobPartly}[f])
	}
}

// TestJobsThatNeverEnd stops a push that waits for a job of the platform: status says how many people wait, before and after,
// and when the job has stood still for too long, its people are pushed anew.
func TestJobsThatNeverEnd(t *testing.T) {
	t.Parallel()
	t.Run("at", func(t *testing.T) {
		for _, kind := range []string{"klaviyo", "mailchimp", "brevo by imports"} {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				m := newMailroom(t, 40, 38, kind) // a shop of its own, whose clock can go on
				p := m.platforms[0]
				failJob(p, stalls)
				people := m.stopsWaiting()
				if kind == "brevo by imports" {
					require.Contains(t, p.writes(), "POST /v3/contacts/import")
				}
				s := m.status(p)
				require.Equal(t, people, s.Pending, s.text)
				require.Contains(t, s.text, "waiting for the platform")
				require.Equal(t, "failed", s.run.State)
				require.Contains(t, s.run.Error, "called off")
				m.checkMeanwhile()

				m.shop.Wait(7 * time.Hour) // so that orders are read again before the push
				m.note()
				m.push()
				m.check()
				m.requireWhole(p)
			})
		}
	})
}

// stopsWaiting stops a push when it waits for jobs alone, and returns how many people are in them.
func (m *mailroom) stopsWaiting() int {
	m.t.Helper()
	c := m.start(m.pushing()...)
	pending, since := "", time.Now()
	c.waits("a job", func() bool {
		now := strings.Join(m.query(`SELECT count(*) FROM outbox WHERE job <> '' UNION ALL SELECT count(*) FROM outbox WHERE job = ''`), " ")
		if now != pending {
			pending, since = now, time.Now()
		}
		return strings.HasSuffix(pending, " 0") && !strings.HasPrefix(pending, "0 ") && time.Since(since) > 1500*time.Millisecond
	})
	people, _, _ := strings.Cut(pending, " ")
	for _, p := range m.platforms {
		require.Equal(m.t, number(people), int64(m.status(p).Pending), "while it runs")
	}
	c.stops(syscall.SIGTERM, 20*time.Second)
	require.Equal(m.t, 130, c.cmd.ProcessState.ExitCode(), c.said())
	m.leaseRunsOut()
	return int(number(people))
}

// TestJobsThatDoNothing has jobs that end with nothing done, and say so or not: nobody of them is called delivered, status
// says why they wait, and the next push brings them.
func TestJobsThatDoNothing(t *testing.T) {
	t.Parallel()
	shop := newReadShop(t, 40, 39)
	require.NoError(t, shop.db.Close())
	lies := func(p platform) { p.(klaviyoFront).FailJob(klaviyotest.JobLies) } //nolint:forcetypeassert // it is
	tests := []struct {
		name, kind string
		fail       func(platform)
		words      string // why people are tried again; nothing where the push itself waits for long whether they show
	}{
		{"klaviyo", "klaviyo", func(p platform) { failJob(p, idles) }, ""},
		{"klaviyo lies", "klaviyo", lies, ""},
		{"mailchimp", "mailchimp", func(p platform) { failJob(p, idles) }, "the batch ended without an answer for this person"},
		{"mailchimp, half of it", "mailchimp", func(p platform) { failJob(p, halves) }, "the batch ended without an answer for this person"},
		{"brevo", "brevo by imports", func(p platform) { failJob(p, idles) }, "Brevo did not put this person on the lists"},
		{"brevo, half of it", "brevo by imports", func(p platform) { failJob(p, halves) }, "Brevo did not put this person on the lists"},
	}
	t.Run("at", func(t *testing.T) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				m := openMailroom(shop.copied(t), test.kind)
				p := m.platforms[0]
				test.fail(p)
				if test.words == "" {
					people := m.stopsWaiting()
					require.Equal(t, people, m.status(p).Pending)
				} else {
					m.push()
					s := m.status(p)
					people, reasons := s.retries()
					require.Positive(t, people)
					require.Equal(t, s.Waiting, people)
					require.Contains(t, reasons, test.words)
					require.Contains(t, s.text, "to be tried again: ")
					require.Contains(t, s.text, test.words)
				}
				m.checkMeanwhile()
				m.ahead = time.Hour
				m.push()
				m.check()
				m.requireWhole(p)
			})
		}
	})
}

// TestHalfIsRefused has a platform that refuses half of the people for good, in words: the others are delivered, status counts
// those refused by the words, and nobody of them is sent again before something else is desired for them.
func TestHalfIsRefused(t *testing.T) {
	t.Parallel()
	t.Run("klaviyo", func(t *testing.T) {
		t.Parallel()
		m := newMailroom(t, 40, 40, "klaviyo")
		failJob(m.platforms[0], halves)
		m.halfRefused("The profile could not be written.", func() {})
	})
	t.Run("webhook", func(t *testing.T) {
		t.Parallel()
		m := newMailroom(t, 40, 41, "webhook")
		var mended atomic.Bool
		receiver := webhooktest.New(webhooktest.Options{Secret: canaryWebhook, AnyTime: true, Refuse: func(email string) string {
			if len(email)%2 == 0 && !mended.Load() {
				return "not with these letters"
			}
			return ""
		}})
		m.platforms[0] = webhookFront{receiver}
		m.traps["webhook"].next = receiver
		m.note()
		m.halfRefused("not with these letters", func() { mended.Store(true) })
	})
}

func (m *mailroom) halfRefused(words string, mend func()) {
	m.t.Helper()
	p := m.platforms[0]
	m.push()
	m.ahead = 0
	s := m.status(p)
	people, why := s.refusals()
	whole, due := m.whole(p)
	require.Positive(m.t, people)
	require.Equal(m.t, due, s.Delivered+people, s.text)
	require.Equal(m.t, whole, s.Delivered)
	require.Contains(m.t, why, words)
	require.Contains(m.t, s.text, "refused: ")
	require.Contains(m.t, s.text, words)
	require.Equal(m.t, "succeeded", s.run.State)
	m.checkMeanwhile()
	var f findings
	m.silent(&f)
	m.finished(&f)
	m.report(f)

	mend()
	m.was[p.kind()].stands, m.was[p.kind()].filled = m.standing(p), true
	for range 4 { // in which something else comes to be desired for everybody
		m.shop.Wait(45 * 24 * time.Hour)
		for _, c := range m.shop.Customers() {
			m.buys(c.ID, c.Email)
		}
		m.shop.Wait(24 * time.Hour)
		m.note()
		m.must("sync", "--quiet")
		m.must("analyze", "--quiet")
		m.push()
		if s = m.status(p); len(s.Refused) == 0 {
			break
		}
	}
	require.Empty(m.t, s.Refused, s.text)
	m.requireWhole(p)
}

// TestAttributesThatAreIgnored deletes attributes of ours as they are being written, which Mailchimp and Brevo do not say:
// nobody is called delivered who does not show what was written, and the next push makes the attribute again. One that is
// deleted between nights is found by the weekly look.
func TestAttributesThatAreIgnored(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		write, words string
		drop         func(p platform)
	}{
		"mailchimp": {"/batches", "did not keep them", func(p platform) {
			front := p.(mailchimpFront) //nolint:forcetypeassert // it is
			for tag, key := range front.ourFields() {
				if key == "rfm" {
					front.DropField(tag)
				}
			}
		}},
		"brevo": {"/contacts/batch", "did not keep the attributes", func(p platform) {
			p.(brevoFront).DropAttribute("PERENNIAL_RFM") //nolint:forcetypeassert // it is
		}},
	}
	for kind, test := range tests {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			m := newMailroom(t, 40, 42, kind)
			p := m.platforms[0]
			m.traps[kind].set(0, 1, func(r *http.Request) bool { return writing(r) && strings.HasSuffix(r.URL.Path, test.write) },
				func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
					test.drop(p)
					next.ServeHTTP(rw, r)
				})
			m.push()
			require.Equal(t, 1, m.traps[kind].clear())
			s := m.status(p)
			people, reasons := s.retries()
			require.Positive(t, people)
			require.Contains(t, reasons, test.words)
			require.Contains(t, s.text, test.words)
			m.checkMeanwhile()
			m.ahead = time.Minute
			m.push()
			m.check()
			m.requireWhole(p)

			test.drop(p)
			m.shop.Advance(8)
			m.note()
			m.must("sync", "--quiet")
			m.must("analyze", "--quiet")
			m.push()
			m.check()
			m.requireWhole(p)
		})
	}
}
