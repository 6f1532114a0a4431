// Package connectortest holds the suites that every connector passes. A connector's own test supplies a harness: how to
// start a fresh shop or platform, how to make it misbehave, and what the truth is. The suites know nothing else, so they
// say the same about every connector.
//
// Every test has a name. A harness that cannot offer what a test needs names the test in Skips with the reason; a skip
// without a reason, a skip of a test that does not exist, and a missing ability without a skip all fail.
package connectortest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/perennial-cvo/perennial/connectors"
)

// FaultKind says how the other side misbehaves.
type FaultKind string

// The kinds of fault. Each is one answer to one request.
const (
	TooManyRequests FaultKind = "429"            // status 429, with Retry-After where the fault has one
	ServerError     FaultKind = "503 HTML"       // status 502 or 503 with a page of HTML
	CutBody         FaultKind = "cut body"       // the right answer, its connection closed in the middle
	BrokenJSON      FaultKind = "broken JSON"    // status 200, content type JSON, the text cut inside a value
	HTMLPage        FaultKind = "HTML page"      // status 200 with a page of HTML where JSON was due
	EmptyBody       FaultKind = "empty body"     // status 200, content type JSON, no body at all
	Hang            FaultKind = "hang"           // no answer until the client goes away
	LostAnswer      FaultKind = "lost answer"    // the request is carried out, then the connection dies unanswered
	Forever         int       = 1_000_000        // for Fault.Times: until the end of the test
	defaultPatience           = 30 * time.Second // for one call
)

// Fault is a command to misbehave.
type Fault struct {
	Kind       FaultKind
	Times      int           // how many requests it befalls
	RetryAfter time.Duration // for TooManyRequests: sent in whole seconds; 0 sends no header
	Writes     bool          // befalls only requests that write; others pass untouched and are not counted
}

// Request is one request as the fake recorded it.
type Request struct {
	Method string
	Path   string // with the query
	Body   string
	Status int  // as answered, 0 where the connection died
	Write  bool // it was meant to change something
}

// outcome of one guarded call.
type answer[T any] struct {
	value T
	err   error
	took  time.Duration
}

// within runs call and gives up on it, failing the test, when it has not returned after the given patience. A connector
// that ignores its context therefore fails and does not hang.
func within[T any](t *testing.T, patience time.Duration, name string, call func() (T, error)) answer[T] {
	t.Helper()
	done := make(chan answer[T], 1)
	start := time.Now()
	go func() {
		value, err := call()
		done <- answer[T]{value: value, err: err, took: time.Since(start)}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case a := <-done:
		return a
	case <-timer.C:
		t.Fatalf("%s has not returned after %s", name, patience)
		return answer[T]{}
	}
}

// test is one named demand on a connector.
type test[R any] struct {
	name string
	// needs returns the name of an ability that the rig lacks, or nothing.
	needs func(R) string
	// alone keeps other tests from running at the same time.
	alone bool
	run   func(R)
}

// runAll runs the tests of a suite, each with a rig of its own.
func runAll[R any](t *testing.T, tests []test[R], skips map[string]string, start func(*testing.T) R) {
	t.Helper()
	checkSkips(t, names(tests), skips)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if reason, skip := skips[tt.name]; skip {
				t.Skip(reason)
			}
			if !tt.alone {
				t.Parallel()
			}
			r := start(t)
			if tt.needs != nil {
				if missing := tt.needs(r); missing != "" {
					t.Fatalf("the harness lacks %s and gives no reason in Skips", missing)
				}
			}
			tt.run(r)
		})
	}
}

func names[R any](tests []test[R]) []string {
	var all []string
	for _, tt := range tests {
		all = append(all, tt.name)
	}
	return all
}

func checkSkips(t *testing.T, known []string, skips map[string]string) {
	t.Helper()
	for name, reason := range skips {
		if !slices.Contains(known, name) {
			t.Errorf("Skips names %q, which is no test of this suite", name)
		}
		if strings.TrimSpace(reason) == "" {
			t.Errorf("Skips gives no reason for %q", name)
		}
	}
}

// journal keeps what a connector logged and which errors it returned, to be searched for secrets.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) note(err error) {
	if err != nil {
		_, _ = fmt.Fprintf(j, "%v\n%+v\n%#v\n", err, err, err)
	}
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// verify fails the test where a secret stands in the journal, plain, escaped for an address, or as base64.
func (j *journal) verify(t *testing.T, secrets []string) {
	t.Helper()
	text := j.String()
	for _, secret := range secrets {
		forms := []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))}
		for _, form := range forms {
			if form != "" && strings.Contains(text, form) {
				t.Errorf("a secret stands in an error or in the log:\n%s", strings.ReplaceAll(text, form, "<SECRET>"))
				break
			}
		}
	}
}

// findLeak returns an error where a goroutine runs that did not run when options were made. Connections that the HTTP
// client keeps open for reuse, and the fake's own side of them, are no leaks.
func findLeak(options []goleak.Option) error {
	return goleak.Find(options...)
}

func leakOptions() []goleak.Option {
	options := []goleak.Option{goleak.IgnoreCurrent()}
	for _, function := range []string{
		"net/http.(*persistConn).readLoop",
		"net/http.(*persistConn).writeLoop",
		"net/http.(*http2ClientConn).readLoop",
		"net/http.(*conn).serve",
		"net/http.(*connReader).backgroundRead",
		"net/http.(*Server).Serve",
	} {
		options = append(options, goleak.IgnoreAnyFunction(function))
	}
	return options
}

// emptySettings lists ways to leave a required setting out, one for each required field.
func emptySettings(f connectors.Factory, good connectors.Settings) map[string]connectors.Settings {
	all := map[string]connectors.Settings{}
	for _, field := range f.Fields {
		if !field.Required {
			continue
		}
		without := connectors.Settings{}
		for key, value := range good {
			if key != field.Name {
				without[key] = value
			}
		}
		all[field.Name] = without
	}
	return all
}

// describe joins everything that a report and an error say, in lower case.
func describe(report connectors.Report, err error) string {
	var b strings.Builder
	for _, f := range report.Findings {
		if f.Level != connectors.Fine {
			fmt.Fprintln(&b, f.Subject, f.Text, f.Remedy)
		}
	}
	if err != nil {
		fmt.Fprintln(&b, err, connectors.Remedy(err), permissionOf(err))
	}
	return strings.ToLower(b.String())
}

// patient returns a context that outlives the patience of the suite a little, so that a call which honours its context
// is still reported by the watchdog first.
func patient(patience time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 2*patience)
}

// transient reports whether the caller of a failed operation should simply try again.
func transient(err error) bool {
	kind := connectors.KindOf(err)
	return kind == connectors.KindRetry || kind == connectors.KindWait
}

// permissionOf returns the permission that an error names as missing.
func permissionOf(err error) string {
	var e *connectors.Error
	if errors.As(err, &e) {
		return e.Permission
	}
	return ""
}
