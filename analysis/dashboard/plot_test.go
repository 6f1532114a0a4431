package dashboard

import (
	"html"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChartsThatCanBeExplored(t *testing.T) {
	v := &view{}
	got := string(v.explored("<svg></svg>", `{"title":"\"><script>alert('1')</script>"}`))
	require.NotContains(t, got, "<script>")
	attribute := regexp.MustCompile(`^<div class="plot" data-plot="([^"]*)"><svg></svg></div>$`).FindStringSubmatch(got)
	require.Len(t, attribute, 2, got)
	require.JSONEq(t, `{"title":"\"><script>alert('1')</script>"}`, html.UnescapeString(attribute[1]))
	require.Equal(t, "<svg></svg>", string(v.explored("<svg></svg>", "")), "nothing to explore")
	v.Link.none = true
	require.Equal(t, "<svg></svg>", string(v.explored("<svg></svg>", "{}")), "a file has no script")
}

// TestScriptsComeWithPages: what a page loads is there, for whoever is not logged in too.
func TestScriptsComeWithPages(t *testing.T) {
	s := served(t, teaShop(t))
	page := got(t, s, "/shops/tea/retention").Body.String()
	loaded := regexp.MustCompile(`(?:src|href)="(/assets/[^"]*)"`).FindAllStringSubmatch(page, -1)
	require.Len(t, loaded, 6)
	for _, asset := range loaded {
		require.Equal(t, http.StatusOK, asks(s, http.MethodGet, asset[1], "").Code, asset[1])
	}
	require.Equal(t, http.StatusNotFound, asks(s, http.MethodGet, "/assets/", "").Code)
	require.NotContains(t, got(t, s, "/shops/tea/segments").Body.String(), "uplot", "who has nothing to explore loads no library")
}
