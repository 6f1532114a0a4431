package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

// section is the office in a configuration.
func (o *postOffice) section(to ...string) string {
	return fmt.Sprintf("[digest]\nto = [\"%s\"]\nfrom = %q\nhost = %q\nport = %d\ntls = %q\nusername = %q\npassword = %q\n",
		strings.Join(to, `", "`), o.From, o.Host, o.Port, o.TLS, o.Username, mailPassword)
}

func TestDigestByHand(t *testing.T) {
	o := newPostOffice(t, config.NoTLS)
	trialShop(t, o.section("owner@example.com"))

	code, out, errs := call(t, "digest", "--preview")
	require.Zero(t, code, errs)
	require.Contains(t, out, "Subject: trial, ")
	require.Contains(t, out, "SEGMENTS")
	code, html, errs := call(t, "digest", "--preview", "--html")
	require.Zero(t, code, errs)
	require.Contains(t, html, "<!doctype html>")
	require.Empty(t, o.got("owner@example.com"), "a preview sends nothing")

	for range 2 {
		code, out, errs = call(t, "digest", "--send")
		require.Zero(t, code, errs)
		require.Contains(t, out, "sent to 1 address")
	}
	got := o.got("owner@example.com")
	require.Len(t, got, 2)
	require.NotEqual(t, got[0].Header.Get("Message-ID"), got[1].Header.Get("Message-ID"), "two that were asked for are two")

	code, out, errs = call(t, "status")
	require.Zero(t, code, errs)
	require.Contains(t, out, "digest succeeded")
	code, out, _ = call(t, "check")
	require.Contains(t, out, "lets perennial in", code)
	require.Contains(t, out, "on monday from 08:00 on")
	require.NotContains(t, out, mailPassword)

	t.Run("a wrong password is told, with what to do", func(t *testing.T) {
		text, err := os.ReadFile("perennial.toml")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile("perennial.toml", []byte(strings.Replace(string(text), mailPassword, "falsch", 1)), 0o600))
		for _, line := range []string{"digest --send", "check"} {
			code, out, errs := call(t, strings.Fields(line)...)
			require.Equal(t, exitCredentials, code, line)
			require.Contains(t, out+errs, "does not let us in")
			require.NotContains(t, out+errs, "falsch")
		}
		_, out, _ := call(t, "status")
		require.Contains(t, out, "digest failed")
		require.Contains(t, out, "correct username and password under [digest]")
	})
}

func TestDigestToNobody(t *testing.T) {
	trialShop(t, "")
	code, _, errs := call(t, "digest", "--send")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "goes to nobody")
	code, out, errs := call(t, "digest", "--preview")
	require.Zero(t, code, errs)
	require.Contains(t, out, "Subject: trial")
	code, out, _ = call(t, "check")
	require.NotContains(t, out, "weekly mail", code)
}

// delivery is a daemon's post at an office, with a clock that a test moves.
type delivery struct {
	t      *testing.T
	office *postOffice
	app    *app
	post   *post
	now    time.Time
	log    *strings.Builder
}

func newDelivery(t *testing.T, to ...string) *delivery {
	t.Helper()
	o := newPostOffice(t, config.NoTLS)
	trialShop(t, o.section(to...))
	d := &delivery{t: t, office: o, now: berlin(t, "2026-11-18 10:00"), log: &strings.Builder{}}
	d.app, d.post = d.process()
	return d
}

// process is one more daemon.
func (d *delivery) process() (*app, *post) {
	d.t.Helper()
	g := &globals{
		streams: streams{in: strings.NewReader(""), out: d.log, err: d.log}, quiet: true, lease: leaseTTL, getenv: os.Getenv,
		now: func() time.Time { return d.now },
	}
	a, err := g.open(d.t.Context())
	require.NoError(d.t, err)
	d.t.Cleanup(func() { a.close(context.Background()) })
	p, err := a.post(d.t.Context())
	require.NoError(d.t, err)
	return a, p
}

func berlin(t *testing.T, text string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	require.NoError(t, err)
	return at
}

// at looks whether a mail is due at a moment, and returns how many have come to the owner so far.
func (d *delivery) at(text string) int {
	d.t.Helper()
	d.now = berlin(d.t, text)
	_ = d.post.pass(d.t.Context(), digestPatience)
	return len(d.office.got("owner@example.com"))
}

// night notes that the nights are done up to an occurrence.
func (d *delivery) night(done string) {
	d.t.Helper()
	s := d.post.shops[0]
	epoch, ok, err := d.app.db.Acquire(d.t.Context(), s.id, "test", time.Minute)
	require.NoError(d.t, err)
	require.True(d.t, ok)
	require.NoError(d.t, d.app.db.SaveNightly(d.t.Context(), s.id, epoch, schedule.Nightly{Done: done}))
}

func TestDigestComesOnceAWeek(t *testing.T) {
	d := newDelivery(t, "owner@example.com")
	d.night("2026-11-30T03:00") // and all before it
	require.Zero(t, d.at("2026-11-18 10:00"), "the first comes on the next Monday")
	require.Zero(t, d.at("2026-11-23 07:59"))
	require.Equal(t, 1, d.at("2026-11-23 08:00"))
	for _, later := range []string{"2026-11-23 08:01", "2026-11-23 23:59", "2026-11-29 12:00"} {
		require.Equal(t, 1, d.at(later), later)
	}
	require.Equal(t, 2, d.at("2026-11-30 08:00"))
	require.Contains(t, d.office.got("owner@example.com")[0].Header.Get("Subject"), "trial")
	d.night("2026-12-23T03:00")
	require.Equal(t, 3, d.at("2026-12-23 10:00"), "three missed ones are caught up once")
	require.Equal(t, 3, d.at("2026-12-23 10:01"))
}

func TestDigestWaitsForItsNight(t *testing.T) {
	d := newDelivery(t, "owner@example.com")
	d.night("2026-11-22T03:00")
	require.Zero(t, d.at("2026-11-18 10:00"))
	require.Zero(t, d.at("2026-11-23 08:00"), "the night is not done")
	d.night("2026-11-23T03:00")
	require.Equal(t, 1, d.at("2026-11-23 08:01"))
	require.Equal(t, 1, d.at("2026-11-30 08:00"))
	require.Equal(t, 1, d.at("2026-11-30 13:59"))
	require.Equal(t, 2, d.at("2026-11-30 14:00"), "a night that does not end is not waited for for ever")
}

func TestTwoDaemonsSendOneDigest(t *testing.T) {
	d := newDelivery(t, "owner@example.com")
	d.night("2026-11-23T03:00")
	d.at("2026-11-18 10:00")
	d.now = berlin(t, "2026-11-23 08:00")
	var wait sync.WaitGroup
	for range 3 {
		_, p := d.process()
		wait.Go(func() { _ = p.pass(t.Context(), digestPatience) })
	}
	wait.Wait()
	require.Len(t, d.office.got("owner@example.com"), 1)
}

func TestDigestIsTriedAgain(t *testing.T) {
	d := newDelivery(t, "owner@example.com", "boss@example.com")
	d.night("2026-11-30T03:00")
	d.at("2026-11-18 10:00")
	d.office.refuse["boss@example.com"] = &smtp.SMTPError{Code: 450, Message: "come back later"}
	require.Equal(t, 1, d.at("2026-11-23 08:00"))
	require.Contains(t, d.log.String(), "weekly mail not sent")
	require.Contains(t, d.log.String(), "tried again")
	require.NotContains(t, d.log.String(), mailPassword)
	status, err := report.CollectStatus(t.Context(), d.post.shops[0].store(), d.now)
	require.NoError(t, err)
	require.Equal(t, "digest", status.Runs[0].Kind)
	require.Contains(t, status.Runs[0].Error, "come back later")
	require.NotEmpty(t, status.Runs[0].Remedy)
	require.Equal(t, 1, status.Runs[0].Counts["sent"])

	delete(d.office.refuse, "boss@example.com")
	d.at("2026-11-23 08:14")
	require.Empty(t, d.office.got("boss@example.com"), "not before a quarter of an hour")
	require.Equal(t, 1, d.at("2026-11-23 08:15"), "who has it gets no second one")
	require.Len(t, d.office.got("boss@example.com"), 1)
	d.at("2026-11-23 12:00")
	require.Len(t, d.office.got("boss@example.com"), 1)
}

func TestDigestIsGivenUpUntilTheNextWeek(t *testing.T) {
	d := newDelivery(t, "owner@example.com")
	d.night("2026-11-30T03:00")
	d.at("2026-11-18 10:00")
	d.office.refuse["owner@example.com"] = &smtp.SMTPError{Code: 550, Message: "no such user"}
	d.now = berlin(t, "2026-11-23 08:00")
	tries := 0
	for range 7 * 24 * 4 {
		err := d.post.pass(t.Context(), digestPatience)
		if err != nil {
			tries++
			require.ErrorContains(t, err, "refuses a recipient")
		}
		if d.now = d.now.Add(15 * time.Minute); d.now.After(berlin(t, "2026-11-30 07:30")) {
			break
		}
	}
	require.Equal(t, digestTries, tries)
	delete(d.office.refuse, "owner@example.com")
	require.Equal(t, 1, d.at("2026-11-30 08:00"))
}

// TestDigestOfAProcessThatDied: what it had sent is not sent again, and the rest is.
func TestDigestOfAProcessThatDied(t *testing.T) {
	d := newDelivery(t, "owner@example.com", "boss@example.com")
	d.night("2026-11-23T03:00")
	d.at("2026-11-18 10:00")
	d.now = berlin(t, "2026-11-23 08:00")
	s := d.post.shops[0]
	before, _, err := d.app.db.Digest(t.Context(), s.id)
	require.NoError(t, err)
	ok, err := d.app.db.ClaimDigest(t.Context(), s.id, before, time.Nanosecond)
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, d.app.db.ReachDigest(t.Context(), s.id, "owner@example.com"))
	require.NoError(t, d.post.pass(t.Context(), digestPatience))
	require.Empty(t, d.office.got("owner@example.com"))
	require.Len(t, d.office.got("boss@example.com"), 1)
}

func TestDigestIDsAreStable(t *testing.T) {
	s := &shop{app: &app{cfg: config.Config{Prefix: "perennial", Digest: config.Digest{From: "a@example.com"}}}, cfg: config.Store{Name: "tea"}}
	id := s.letterID("2026-11-23T08:00", "owner@example.com")
	require.Equal(t, id, s.letterID("2026-11-23T08:00", "owner@example.com"))
	require.NotEqual(t, id, s.letterID("2026-11-30T08:00", "owner@example.com"))
	require.NotEqual(t, id, s.letterID("2026-11-23T08:00", "boss@example.com"))
	require.True(t, strings.HasSuffix(id, "@example.com"))
	require.NotContains(t, id, "owner")
}

func TestRunOnceSendsTheDigest(t *testing.T) {
	o := newPostOffice(t, config.NoTLS)
	trialShop(t, o.section("owner@example.com"))
	for _, night := range []struct {
		now  string
		sent int
	}{{"2026-11-18T10:00:00+01:00", 0}, {"2026-11-23T07:00:00+01:00", 0}, {"2026-11-23T09:00:00+01:00", 1}, {"2026-11-23T10:00:00+01:00", 1}} {
		code, _, errs := call(t, "run", "--once", "--quiet", "--now", night.now)
		require.Zero(t, code, errs)
		require.Len(t, o.got("owner@example.com"), night.sent, night.now)
	}
}
