package dashboard

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
)

func drinkers() []report.PersonRow {
	value := decimal.RequireFromString("120")
	return []report.PersonRow{
		{
			ID: 17, Email: "ana@example.com", CustomerID: "1201", Name: "Ana <b>Lee</b><script>alert(1)</script>", Segment: "loyal", R: 5, F: 4, M: 3, Stage: "active",
			Tier: "top", Churn: "low", Orders: 2, Net: decimal.RequireFromString("1100.25"), FirstDay: time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC),
			LastDay: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Value: &value,
		},
		{ID: 18, Email: "=cmd@example.com", Name: "=1+1", Stage: "prospect"},
	}
}

func TestPeople(t *testing.T) {
	f := teaShop(t)
	f.people, f.next = drinkers(), "Zm9v"
	s := served(t, f)
	synctest.Test(t, func(t *testing.T) {
		s.boards["tea"].ctx = t.Context()
		goldenPage(t, s, "/shops/tea/people?audience=champions", "people.html")
		goldenPage(t, s, "/shops/tea/people?r=5&f=4&cursor=YmFy", "people_cell.html")
		require.Equal(t, report.Crowd{Audience: "champions", Limit: pageOfPeople}, f.asked[0])
		require.Equal(t, report.Crowd{R: 5, F: 4, Cursor: "YmFy", Limit: pageOfPeople}, f.asked[1])
		page := got(t, s, "/shops/tea/people").Body.String()
		require.Contains(t, page, "All customers")
		require.NotContains(t, page, "<script>alert")
		require.NotContains(t, page, "<b>")
	})
}

func TestPeopleWhoMoved(t *testing.T) {
	f := teaShop(t)
	f.people = drinkers()
	s := served(t, f)
	synctest.Test(t, func(t *testing.T) {
		s.boards["tea"].ctx = t.Context()
		page := got(t, s, s.links("tea").Movers("rfm", "champions", "", march(1), march(9))).Body.String()
		require.Contains(t, page, "From Champions to nowhere between 2026-03-01 and 2026-03-09")
		require.Equal(t, &report.Move{Scheme: "rfm", From: "champions", Before: march(1), After: march(9)}, f.asked[0].Move)
	})
}

func march(d int) time.Time { return time.Date(2026, 3, d, 0, 0, 0, 0, time.UTC) }

// TestPeopleWhoAreBeingLookedFor: nobody waits longer than for a page, and those who moved otherwise are others.
func TestPeopleWhoAreBeingLookedFor(t *testing.T) {
	f := teaShop(t)
	f.people, f.takes = drinkers(), 3*time.Second
	s := served(t, f)
	synctest.Test(t, func(t *testing.T) {
		s.boards["tea"].ctx = t.Context()
		cookie := logIn(t, s)
		open := func(page string) *httptest.ResponseRecorder { return asks(s, http.MethodGet, page, "", with(cookie)) }
		for i, to := range []string{"loyal", ""} {
			page := s.links("tea").Movers("rfm", "champions", to, march(1), march(9))
			began := time.Now()
			w := open(page)
			require.Equal(t, attentive, time.Since(began))
			require.Contains(t, w.Body.String(), "They are being looked for")
			require.NotContains(t, w.Body.String(), "Nobody")
			require.Equal(t, "2", w.Header().Get("Refresh"))
			time.Sleep(3 * time.Second)
			w = open(page)
			require.Contains(t, w.Body.String(), "Who they are")
			require.Empty(t, w.Header().Get("Refresh"))
			require.Len(t, f.asked, i+1)
		}
		last := s.boards["tea"].last
		last.Status.Runs = append(slices.Clone(last.Status.Runs), report.Run{Kind: "analyze", Ended: readAt.Add(time.Hour)})
		w := open(s.links("tea").Movers("rfm", "champions", "", march(1), march(9)))
		require.Contains(t, w.Body.String(), "They are being looked for", "another night may have moved them")
		time.Sleep(3 * time.Second)
		synctest.Wait()

		began := time.Now()
		require.Contains(t, open("/shops/tea/people?search=x").Body.String(), "Who they are")
		require.Equal(t, 3*time.Second, time.Since(began), "who is searched for is found at once")
	})
}

func TestPeopleOfAShopWithoutAnalysis(t *testing.T) {
	f := &shopFacts{report: report.Report{Overview: report.Overview{Store: "new", Currency: "JPY"}}}
	page := got(t, served(t, f), "/shops/tea/people").Body.String()
	require.Contains(t, page, "Nobody yet.")
	require.Contains(t, page, "The first load is under way")
}

func TestSearchLeadsToTheOnePerson(t *testing.T) {
	f := teaShop(t)
	s := served(t, f)
	page := got(t, s, "/shops/tea/people?search=+nobody%40example.com+")
	require.Equal(t, http.StatusOK, page.Code)
	require.Contains(t, page.Body.String(), "Nobody is known by this address or account.")
	require.Equal(t, "nobody@example.com", f.asked[0].Search)
	f.people = drinkers()
	require.Equal(t, http.StatusOK, got(t, s, "/shops/tea/people?search=x").Code, "two are listed")
	f.people = f.people[:1]
	found := got(t, s, "/shops/tea/people?search=x")
	require.Equal(t, http.StatusSeeOther, found.Code)
	require.Equal(t, "/shops/tea/people/17", found.Header().Get("Location"))
}

func TestPeopleAsASheet(t *testing.T) {
	f := teaShop(t)
	f.people = drinkers()
	w := got(t, served(t, f), "/shops/tea/people.csv?audience=champions&cursor=Zm9v")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, report.Crowd{Audience: "champions", Limit: report.MostPeople}, f.asked[0], "all of it, wherever the page was")
	rows, err := csv.NewReader(strings.NewReader(w.Body.String())).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 3)
	require.Equal(t, []string{"18", "'=cmd@example.com", "", "'=1+1", "", "", "", "", "prospect", "", "", "0", "0", "", "", ""}, rows[2])
	require.Equal(t, "120", rows[1][15])
}

func TestAbsurdQuestionsAboutPeople(t *testing.T) {
	f := teaShop(t)
	s := served(t, f)
	cookie := logIn(t, s)
	for query, says := range map[string]string{
		"r=99": "r must be a number from 0 to 10.", "f=-1": "f must be", "m=1e3": "m must be", "r=%00": "r must be",
		"audience=nothing":                             "There is no audience with the key nothing.",
		"audience=" + strings.Repeat("x", 9000):        "…",
		"audience=%3Cscript%3E":                        "&lt;script&gt;",
		"search=" + strings.Repeat("y", 400):           "A search is for one",
		"search=a%00b":                                 "A search is for one",
		"before=2026-03-01":                            "after must be a day",
		"before=yesterday&after=today":                 "must be a day",
		"before=2026-03-09&after=2026-03-01":           "must come before",
		"before=2026-03-01&after=2026-03-09&from=none": "There is no segment none in rfm.",
	} {
		for _, page := range []string{"people", "people.csv"} {
			w := asks(s, http.MethodGet, "/shops/tea/"+page+"?"+query, "", with(cookie))
			require.Equal(t, http.StatusBadRequest, w.Code, query)
			require.Contains(t, w.Body.String(), says, query)
		}
	}
	require.Empty(t, f.asked, "the database is not asked")
	f.err = fmt.Errorf("people: %w", report.ErrCursor)
	s.boards["tea"].looked = readAt
	w := got(t, s, "/shops/tea/people?cursor="+url.QueryEscape("../../etc"))
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), "The list has no such page.")
}
