package browsertest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The pages in the navigation, by their addresses.
var pages = []string{"today", "segments", "movement", "value", "retention", "products", "people", "audiences", "health"}

var looks = []look{
	{"light", 1280, 900, "light"},
	{"dark", 1280, 900, "dark"},
	{"phone", 360, 740, "light"},
	{"phone-dark", 360, 740, "dark"},
}

// TestPages lives through what an owner does: logs in, looks at every page, goes from a figure to a person, and logs out.
func TestPages(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs a demo and a browser")
	}
	b := openBrowser(t)
	d := startDemo(t)
	require.Equal(t, http.StatusUnauthorized, status(t, d.url+"/shops/alder/segments"))
	b.logIn(d)
	shops := []string{"alder", "wren"}
	for _, l := range looks {
		b.as(l)
		for i, page := range pages {
			b.see(d, shops[i%2], page, l)
		}
	}
	b.as(looks[0])
	b.fromCellToPerson(d)
	b.exploreChart(d)
	b.logOut(d)
}

func (b *browser) logIn(d demo) {
	b.t.Helper()
	b.do(chromedp.Navigate(d.url+"/"), chromedp.WaitVisible(chromedp.CSS("#password")))
	b.picture("login")
	b.requireUsable("login")
	b.do(chromedp.SendKeys(chromedp.CSS("#password"), "not the password\r"), chromedp.WaitVisible(chromedp.CSS("[role=alert]")))
	require.Contains(b.t, b.text("main"), "That is not the password.")
	b.heard() // the browser notes the answers 401
	b.do(chromedp.SendKeys(chromedp.CSS("#password"), d.password+"\r"), chromedp.WaitVisible(chromedp.CSS("nav.pages")))
	require.Equal(b.t, "Today", b.text("nav.pages [aria-current=page]"))
}

// see opens a page as somebody looks at it.
func (b *browser) see(d demo, shop, page string, l look) {
	b.t.Helper()
	where := page + ", " + l.name
	b.do(chromedp.Navigate(d.url+"/shops/"+shop+"/"+page), chromedp.WaitVisible(chromedp.CSS("nav.pages")))
	b.settled()
	b.picture(page + "-" + l.name)
	require.NotEmpty(b.t, b.text("main h1"), where)
	wide := evaluate[int64](b, "document.scrollingElement.scrollWidth")
	require.LessOrEqual(b.t, wide, l.width, "%s: the page is wider than the screen", where)
	b.requireUsable(where)
	require.Empty(b.t, b.heard(), where)
}

// settled waits until a page that reads its figures shows them. It loads itself anew, so that a look may come to nothing.
func (b *browser) settled() {
	b.t.Helper()
	there := chromedp.Evaluate[bool](`document.readyState === "complete" && !document.querySelector("[data-reading]")`)
	require.Eventually(b.t, func() bool {
		is, err := chromedp.Run(b.ctx, there)
		return err == nil && is
	}, time.Minute, 50*time.Millisecond, "figures")
}

// fromCellToPerson clicks from a cell of the grid to the people in it, and on to one of them.
func (b *browser) fromCellToPerson(d demo) {
	b.t.Helper()
	b.do(chromedp.Navigate(d.url+"/shops/alder/segments"), chromedp.Click(chromedp.CSS("table.heat td a")), chromedp.WaitVisible(chromedp.CSS("body.page-people")))
	b.settled()
	people := b.text("main h1")
	b.do(chromedp.Click(chromedp.CSS(`main table a[href*="/people/"]`)), chromedp.WaitVisible(chromedp.CSS("body.page-customer")))
	require.NotEqual(b.t, people, b.text("main h1"))
	b.picture("customer-light")
	b.requireUsable("customer")
	b.as(looks[3])
	b.picture("customer-phone-dark")
	b.requireUsable("customer on a phone")
	b.as(looks[0])
	require.Empty(b.t, b.heard())
}

// logOut ends the session, also for somebody who kept the cookie.
func (b *browser) logOut(d demo) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(".out button")), chromedp.WaitVisible(chromedp.CSS("#password")))
	b.do(chromedp.Navigate(d.url+"/shops/alder/segments"), chromedp.WaitVisible(chromedp.CSS("#password")))
	require.NotContains(b.t, strings.ToLower(b.text("main")), "champions")
}

func status(t *testing.T, url string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close(), fmt.Sprint(url))
	return answer.StatusCode
}
