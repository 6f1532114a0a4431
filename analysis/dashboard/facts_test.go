package dashboard

import (
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to write it")
	require.Empty(t, cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")))
}

// shopFacts is a shop in memory, of which a board has been read already. Whatever is not set here, nobody may ask for.
type shopFacts struct {
	Facts
	report report.Report
	status report.StoreStatus
	runs   []report.Run
	err    error // of everything that is asked
	people []report.PersonRow
	next   string
	takes  time.Duration // to find people
	asked  []report.Crowd
	person report.Person
}

func (f *shopFacts) Runs(context.Context, int) ([]report.Run, error) { return f.runs, f.err }

func (f *shopFacts) People(_ context.Context, c report.Crowd) ([]report.PersonRow, string, error) {
	f.asked = append(f.asked, c)
	time.Sleep(f.takes)
	return f.people, f.next, f.err
}

func (f *shopFacts) PersonOf(_ context.Context, id int64) (report.Person, bool, error) {
	return f.person, id == f.person.ID, f.err
}

// told reads the report and the status that the tests of package report hold to be right.
func told(t *testing.T) (report.Report, report.StoreStatus) {
	t.Helper()
	var reports []report.Report
	var states []report.StoreStatus
	for name, into := range map[string]any{"report.json": &reports, "status.json": &states} {
		text, err := os.ReadFile(filepath.Join("..", "report", "testdata", name))
		require.NoError(t, err)
		if text[0] == '{' {
			text = []byte("[" + string(text) + "]")
		}
		require.NoError(t, json.Unmarshal(text, into))
	}
	return reports[0], states[0]
}

var readAt = time.Date(2026, 3, 21, 2, 30, 0, 0, time.UTC)

const (
	testPassword = "correct horse battery"
	// testHash is the hash of testPassword, made with little memory so that tests are quick.
	testHash = "$argon2id$v=19$m=64,t=1,p=1$4qRkpIgSkEHIJ5jc2tvU/g$vyewvajvl3IzLwMixzflYTs1VB4piseCIrp45hMTB+k"
)

// served is a dashboard of one shop called tea whose figures have been read.
func served(t *testing.T, f *shopFacts) *Server {
	t.Helper()
	return servedWith(t, f, Options{Password: testHash})
}

func servedWith(t *testing.T, f *shopFacts, o Options) *Server {
	t.Helper()
	o.Shops = []Shop{{Name: "tea", Facts: f}}
	o.Now = func() time.Time { return readAt }
	s, err := New(t.Context(), o)
	require.NoError(t, err)
	b := s.boards["tea"]
	mark, err := b.mark(t.Context())
	require.NoError(t, err)
	b.last = &state{Report: f.report, Status: f.status, runs: mark, at: readAt}
	b.looked = readAt
	return s
}

// teaShop is a shop with something of everything to tell.
func teaShop(t *testing.T) *shopFacts {
	t.Helper()
	f := &shopFacts{}
	f.report, f.status = told(t)
	return f
}

// logIn returns the cookie of a session.
func logIn(t *testing.T, s *Server) *http.Cookie {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, s.base+"/login", strings.NewReader("password="+strings.ReplaceAll(testPassword, " ", "+")))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body.String())
	require.Len(t, w.Result().Cookies(), 1)
	return w.Result().Cookies()[0]
}

// got is what a page of the shop says to somebody who is logged in.
func got(t *testing.T, s *Server, path string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, s.base+path, http.NoBody)
	r.AddCookie(logIn(t, s))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// goldenPage holds a page against a file.
func goldenPage(t *testing.T, s *Server, path, name string) {
	t.Helper()
	w := got(t, s, path)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.NotContains(t, w.Body.String(), "style=", "the policy forbids it")
	golden(t, name, w.Body.Bytes())
}
