package httpapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBrokenJSONIsNotQuoted lets an answer break off behind what nobody may see.
func TestBrokenJSONIsNotQuoted(t *testing.T) {
	for _, body := range []string{`{"access_token":"canary`, ` [{"name":"Canary`, "\n{\"a\":\"canary\"]"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		}))
		client, err := New(Options{BaseURL: server.URL, Attempts: 1})
		require.NoError(t, err)
		_, err = client.Do(t.Context(), Request{Op: "access token"})
		server.Close()
		require.ErrorContains(t, err, "not JSON")
		require.NotContains(t, err.Error(), "anary")
	}
}
