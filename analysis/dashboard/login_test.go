package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/stretchr/testify/require"
)

// asks is a request to a dashboard.
func asks(s *Server, method, path, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func with(cookie *http.Cookie) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(cookie) }
}

func TestNobodySeesAnythingWithoutASession(t *testing.T) {
	s := served(t, teaShop(t))
	paths := []string{"/", "/shops/tea/", "/shops/tea/people/1", "/shops/none/today", "/none", "/api/v1/shops"}
	for _, p := range s.pages() {
		paths = append(paths, "/shops/tea/"+p.key, "/shops/tea/"+p.key+".csv")
	}
	for _, path := range paths {
		for _, forged := range []string{"", "x", strings.Repeat("A", 43)} {
			w := asks(s, http.MethodGet, path, "", func(r *http.Request) {
				if forged != "" {
					r.AddCookie(&http.Cookie{Name: "perennial", Value: forged})
				}
			})
			require.Equal(t, http.StatusUnauthorized, w.Code, path)
			require.NotContains(t, w.Body.String(), "Teehaus", path)
		}
	}
	w := asks(s, http.MethodPost, "/logout", "a=b")
	require.Equal(t, http.StatusUnauthorized, w.Code)
}

func TestLogin(t *testing.T) {
	s := served(t, teaShop(t))
	cookie := logIn(t, s)
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
	require.Equal(t, http.StatusOK, asks(s, http.MethodGet, "/shops/tea/health", "", with(cookie)).Code)
	require.Equal(t, "/shops/tea/today", asks(s, http.MethodGet, "/", "", with(cookie)).Header().Get("Location"))

	t.Run("leads to where somebody wanted to go", func(t *testing.T) {
		for to, want := range map[string]string{
			"/shops/tea/value": "/shops/tea/value", "": "/", "//evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/",
		} {
			w := asks(s, http.MethodPost, "/login", "to="+strings.ReplaceAll(to, `\`, "%5C")+"&password="+strings.ReplaceAll(testPassword, " ", "+"),
				func(r *http.Request) { r.RemoteAddr = fmt.Sprintf("10.0.0.%d:1", len(to)) })
			require.Equal(t, want, w.Header().Get("Location"), to)
		}
	})
	t.Run("a cookie stolen before the logout opens nothing after it", func(t *testing.T) {
		require.Equal(t, http.StatusSeeOther, asks(s, http.MethodPost, "/logout", "a=b", with(cookie)).Code)
		require.Equal(t, http.StatusUnauthorized, asks(s, http.MethodGet, "/shops/tea/health", "", with(cookie)).Code)
	})
}

func TestANewPasswordEndsSessions(t *testing.T) {
	s := served(t, teaShop(t))
	cookie := logIn(t, s)
	var err error
	s.Password, err = HashPassword("another password")
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, asks(s, http.MethodGet, "/shops/tea/health", "", with(cookie)).Code)
}

func TestGuessing(t *testing.T) {
	s := served(t, teaShop(t))
	now := readAt
	s.gate.now = func() time.Time { return now }
	guess := func(from, password string) int {
		return asks(s, http.MethodPost, "/login", "password="+password, func(r *http.Request) { r.RemoteAddr = from + ":99" }).Code
	}
	for range triesAtOnce {
		require.Equal(t, http.StatusUnauthorized, guess("10.0.0.1", "wrong"))
	}
	require.Equal(t, http.StatusTooManyRequests, guess("10.0.0.1", "wrong"))
	require.Equal(t, http.StatusTooManyRequests, guess("10.0.0.1", strings.ReplaceAll(testPassword, " ", "+")), "not even the right one")
	require.Equal(t, http.StatusUnauthorized, guess("10.0.0.2", "wrong"), "others may try")
	now = now.Add(pause)
	require.Equal(t, http.StatusSeeOther, guess("10.0.0.1", strings.ReplaceAll(testPassword, " ", "+")))

	tries := 0
	for i := range 100 {
		if guess(fmt.Sprintf("10.1.0.%d", i), "wrong") == http.StatusUnauthorized {
			tries++
		}
	}
	require.LessOrEqual(t, tries, allAtOnce, "from many places no more than from all together")
}

func TestWithoutAPasswordNobodyGetsIn(t *testing.T) {
	s := servedWith(t, teaShop(t), Options{})
	require.Equal(t, http.StatusForbidden, asks(s, http.MethodPost, "/login", "password=").Code)
	require.Contains(t, asks(s, http.MethodGet, "/login", "").Body.String(), "No password is set")
	_, err := New(t.Context(), Options{Password: "secret"})
	require.ErrorIs(t, err, errPassword)
	require.NotContains(t, err.Error(), "secret")
	_, err = HashPassword("short")
	require.ErrorIs(t, err, errShort)
}

func TestOtherSitesCannotWrite(t *testing.T) {
	s := served(t, teaShop(t))
	cookie := logIn(t, s)
	for _, header := range []string{"cross-site", "same-site"} {
		w := asks(s, http.MethodPost, "/logout", "a=b", with(cookie), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", header) })
		require.Equal(t, http.StatusForbidden, w.Code)
	}
	w := asks(s, http.MethodPost, "/login", "password=x", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") })
	require.Equal(t, http.StatusForbidden, w.Code)
	require.Equal(t, http.StatusOK, asks(s, http.MethodGet, "/shops/tea/health", "", with(cookie)).Code)
}

func TestBehindAProxyWithASubPath(t *testing.T) {
	s := servedWith(t, teaShop(t), Options{Password: testHash, URL: "https://shop.example/perennial/"})
	cookie := logIn(t, s)
	require.True(t, cookie.Secure)
	require.Equal(t, "/perennial/", cookie.Path)
	for _, path := range []string{"/perennial/shops/tea/health", "/shops/tea/health"} { // the proxy may take the path off
		w := asks(s, http.MethodGet, path, "", with(cookie))
		require.Equal(t, http.StatusOK, w.Code, path)
		require.Contains(t, w.Body.String(), `href="/perennial/shops/tea/segments"`)
		require.NotContains(t, w.Body.String(), `href="/shops`)
		require.NotEmpty(t, w.Header().Get("Strict-Transport-Security"))
	}
	require.Equal(t, http.StatusOK, asks(s, http.MethodGet, "/perennial/assets/style.css", "").Code)
	require.Equal(t, "/perennial/", asks(s, http.MethodGet, "/perennial", "").Header().Get("Location"))
	s.Version = "v1.2+3"
	require.Contains(t, asks(s, http.MethodGet, "/perennial/login", "").Body.String(), `href="/perennial/assets/style.css?v=v1.2%2B3"`)
	for _, wrong := range []string{"shop.example", "ftp://shop.example", "https://", "https://shop.example/?a=b"} {
		_, err := New(t.Context(), Options{URL: wrong})
		require.ErrorIs(t, err, errURL, wrong)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	s := served(t, teaShop(t))
	for _, path := range []string{"/", "/login", "/assets/style.css", "/api/v1/shops", "/none"} {
		h := asks(s, http.MethodGet, path, "").Header()
		require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'", path)
		require.NotContains(t, h.Get("Content-Security-Policy"), "unsafe", path)
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
	}
}

func TestADatabaseThatIsGone(t *testing.T) {
	f := teaShop(t)
	s := served(t, f)
	cookie := logIn(t, s)
	f.err = errors.New("dial tcp 127.0.0.1:5432: connection refused (password=geheim)")
	s.boards["tea"].looked = time.Time{}
	w := asks(s, http.MethodGet, "/shops/tea/health", "", with(cookie))
	require.Equal(t, http.StatusOK, w.Code, "the last figures are still there")
	require.Contains(t, w.Body.String(), "The database does not answer")
	s.boards["tea"].last = nil
	w = asks(s, http.MethodGet, "/shops/tea/health", "", with(cookie))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), "The figures cannot be read just now")
	require.NotContains(t, w.Body.String(), "5432")
	require.NotContains(t, w.Body.String(), "geheim")
}

// lostSessions are kept in a database that is gone.
type lostSessions struct{ scs.CtxStore }

func (lostSessions) FindCtx(context.Context, string) ([]byte, bool, error) {
	return nil, false, errors.New("connection refused")
}

func TestSessionsThatCannotBeRead(t *testing.T) {
	s := servedWith(t, teaShop(t), Options{Password: testHash, Sessions: lostSessions{}})
	cookie := &http.Cookie{Name: "perennial", Value: strings.Repeat("A", 43)}
	w := asks(s, http.MethodGet, "/shops/tea/health", "", with(cookie))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), "The figures cannot be read just now")
	require.Equal(t, http.StatusOK, asks(s, http.MethodGet, "/assets/style.css", "", with(cookie)).Code)
}
