package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/dashboard"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// TestAPIOfARealShop reads a simulated shop into a database for a night, and holds what the API tells of it against the
// document.
func TestAPIOfARealShop(t *testing.T) {
	c := newCounter(t, 300)
	t.Setenv("SHOPIFY_SECRET", shopifytest.DefaultClientSecret)
	t.Setenv("PERENNIAL_DATABASE_URL", postgrestest.URL(t))
	c.does("init --yes --kind shopify --health= --consent owner --dashboard= --set shop=alder --set url=" + c.url +
		" --set client_id=" + shopifytest.DefaultClientID + " --set client_secret_env=SHOPIFY_SECRET --set page_size=100")
	c.does("run --once --quiet")
	g := &globals{streams: streams{out: io.Discard, err: io.Discard}, quiet: true, lease: leaseTTL, getenv: os.Getenv, now: c.shop.Now}
	a, err := g.open(t.Context())
	require.NoError(t, err)
	defer a.close(context.Background())
	shops, err := a.shops(t.Context())
	require.NoError(t, err)
	name := shops[0].cfg.Name
	s, err := dashboard.New(t.Context(), dashboard.Options{
		Shops: []dashboard.Shop{{Name: name, Facts: shops[0].store()}}, Token: "a token as long as it has to be", Now: c.shop.Now,
	})
	require.NoError(t, err)

	ask := describedAPI(t, s)
	base := "/api/v1/shops/" + name
	for range 200 { // each waits a little
		if ask("/api/v1/shops", nil); ask(base+"/status", nil) == http.StatusOK {
			break
		}
	}
	var people struct {
		People []struct {
			ID    int64
			Email string
		}
		Next string
	}
	require.Equal(t, 200, ask(base+"/people?limit=2", &people))
	require.Len(t, people.People, 2)
	require.NotEmpty(t, people.Next)
	first := people.People[0]
	require.Equal(t, 200, ask(base+"/people?limit=2&cursor="+people.Next, &people))
	require.NotEqual(t, first.ID, people.People[0].ID)
	require.Equal(t, 200, ask(base+"/people?search="+first.Email, &people))
	require.Equal(t, first.ID, people.People[0].ID)
	var person struct{ Person struct{ Email string } }
	require.Equal(t, 200, ask(base+"/people/"+jsonText(t, first.ID), &person))
	require.Equal(t, first.Email, person.Person.Email)
	for _, path := range []string{"/report", "/status", "/segments", "/segments/champions/people", "/segments/tier_top/people", "/movement", "/movement?set=lifecycle"} {
		require.Equal(t, 200, ask(base+path, nil), path)
	}
	require.Equal(t, 400, ask(base+"/people?cursor=none", nil))
	require.Equal(t, 404, ask(base+"/people/999999", nil))
	require.Equal(t, 400, ask(base+"/movement?from=1999-01-01", nil))
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// describedAPI returns how to ask the API; every exchange is held against the document.
func describedAPI(t *testing.T, s http.Handler) func(path string, into any) int {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(dashboard.APIText())
	require.NoError(t, err)
	router, err := gorillamux.NewRouter(doc)
	require.NoError(t, err)
	return func(path string, into any) int {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r := httptest.NewRequest(http.MethodGet, path, http.NoBody).WithContext(ctx)
		r.Header.Set("Authorization", "Bearer a token as long as it has to be")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		route, params, err := router.FindRoute(r)
		require.NoError(t, err)
		require.NoError(t, openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
			Status:                 w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
			Options: &openapi3filter.Options{IncludeResponseStatus: true},
		}), path)
		if into != nil {
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), into))
		}
		return w.Code
	}
}
