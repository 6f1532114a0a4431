package webhook

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/webhook/webhooktest"
)

var (
	champions = connectors.Audience{Key: "champions", Name: "Champions"}
	atRisk    = connectors.Audience{Key: "at_risk", Name: "At risk"}
	since     = time.Date(2026, 11, 22, 2, 3, 4, 0, time.UTC)
)

func (b *bench) open(t *testing.T, extra ...connectors.Settings) *destination {
	t.Helper()
	settings := b.settings()
	for _, more := range extra {
		for key, value := range more {
			settings[key] = value
		}
	}
	d, err := factory(time.Millisecond).NewDestination(settings, connectors.Deps{Store: "garden", Prefix: "perennial"})
	require.NoError(t, err)
	_, err = d.Ensure(t.Context(), []connectors.Audience{champions, atRisk})
	require.NoError(t, err)
	return d.(*destination)
}

// moved is somebody who went from one audience to another.
func moved(p connectors.Person) connectors.Change {
	return connectors.Change{
		Person: p, Audiences: []string{"at_risk"}, Leave: []string{"champions"}, Entered: []string{"at_risk"}, Left: []string{"champions"},
		Attributes: map[string]string{"segment": "at_risk"}, Since: since, Consent: commerce.ConsentSubscribed,
	}
}

func apply(t *testing.T, d *destination, changes ...connectors.Change) []connectors.Outcome {
	t.Helper()
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	require.Len(t, result.Outcomes, len(changes))
	return result.Outcomes
}

// The vector is that of the convention's own libraries.
func TestSignatureIsThatOfTheConvention(t *testing.T) {
	key, err := parseKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	require.NoError(t, err)
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`)))
}

func TestMessageAsDocumented(t *testing.T) {
	b := startBench(t)
	apply(t, b.open(t), moved(people(1)[0]))
	requests := b.Requests()
	require.Len(t, requests, 1)
	require.Equal(t, "/hooks/perennial", requests[0].Path)
	require.Equal(t, "application/json", requests[0].Header.Get("Content-Type"))
	require.JSONEq(t, `{
		"type": "people", "timestamp": "2026-11-22T02:03:04Z",
		"data": {"prefix": "perennial", "store": "garden", "people": [{
			"person": {"id": "1", "customer_id": "1000", "email": "p0@example.com"},
			"consent": "subscribed", "since": "2026-11-22T02:03:04Z",
			"entered": [{"id": "evt_bf26fd5e9774c1d1e5546d27b99389aa", "audience": "at_risk", "name": "At risk"}],
			"left": [{"id": "evt_8f819b52778effd94d61400c031bc7f1", "audience": "champions", "name": "Champions"}],
			"audiences": ["at_risk"], "leave": ["champions"], "attributes": {"segment": "at_risk"}, "drop": []
		}]}}`, requests[0].Body)
}

func TestNewsHasTheSameIDAtEveryTry(t *testing.T) {
	for _, kind := range []webhooktest.FaultKind{webhooktest.LostAnswer, webhooktest.CutBody, webhooktest.BrokenJSON, webhooktest.LateAnswer} {
		t.Run(string(kind), func(t *testing.T) {
			b := startBench(t)
			b.Fault(webhooktest.Fault{Kind: kind, Times: 1})
			d := b.open(t, connectors.Settings{"timeout": "300ms", "batch": 500})
			changes := []connectors.Change{moved(people(2)[0]), moved(people(2)[1])}
			_, err := d.Apply(t.Context(), changes)
			if err != nil {
				require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
			}
			// Another night, another instance, another company.
			apply(t, b.open(t), moved(people(3)[2]), changes[1], changes[0])
			require.Len(t, b.News(), 6, "who was told twice hears it once")
			first, last := b.Requests()[0], b.Requests()[len(b.Requests())-1]
			require.NotEqual(t, first.Header.Get(headerID), last.Header.Get(headerID), "another message")
		})
	}
}

func TestNewsOfAnotherMomentIsAnother(t *testing.T) {
	b := startBench(t)
	d, c := b.open(t), moved(people(1)[0])
	apply(t, d, c)
	c.Since = since.Add(24 * time.Hour)
	apply(t, d, c)
	require.Len(t, b.News(), 4)
	other, err := New().NewDestination(b.settings(), connectors.Deps{Store: "orchard"})
	require.NoError(t, err)
	apply(t, other.(*destination), c)
	require.Len(t, b.News(), 6, "another shop's person 1 is another person")
}

func TestTheTimeIsThatOfTheAttempt(t *testing.T) {
	b := startBench(t)
	now := time.Now().Add(-time.Minute)
	d, err := factory(time.Millisecond).NewDestination(b.settings(), connectors.Deps{Now: func() time.Time {
		now = now.Add(time.Second)
		return now
	}})
	require.NoError(t, err)
	b.Fault(webhooktest.Fault{Kind: webhooktest.ServerError, Times: 2})
	apply(t, d.(*destination), moved(people(1)[0]))
	requests := b.Requests()
	require.Len(t, requests, 3)
	for i := 1; i < 3; i++ {
		require.Equal(t, requests[0].Header.Get(headerID), requests[i].Header.Get(headerID))
		require.Equal(t, requests[0].Body, requests[i].Body)
		require.NotEqual(t, requests[i-1].Header.Get(headerTimestamp), requests[i].Header.Get(headerTimestamp))
		require.NotEqual(t, requests[i-1].Header.Get(headerSignature), requests[i].Header.Get(headerSignature))
	}
}

func TestBothSecretsSign(t *testing.T) {
	b := startBench(t)
	fresh := secretPrefix + base64.StdEncoding.EncodeToString([]byte("another key of thirty-two bytes!"))
	d := b.open(t, connectors.Settings{"secret": fresh, "previous_secret": secretPrefix + canary})
	_, err := d.Check(t.Context())
	require.NoError(t, err, "a receiver that has the old one")
	require.NoError(t, b.Accept(fresh))
	_, err = d.Check(t.Context())
	require.NoError(t, err, "a receiver that has the new one")
}

func TestConsent(t *testing.T) {
	yes, no, unknown := commerce.ConsentSubscribed, commerce.ConsentUnsubscribed, commerce.ConsentUnknown
	for name, c := range map[string]struct {
		consent commerce.ConsentState
		send    bool // send_unknown
		leave   []string
		reason  string // of withholding
		told    string // consent as the receiver hears it, empty where nothing is sent
	}{
		"agreed":                      {consent: yes, told: consentYes},
		"nobody knows":                {consent: unknown, reason: connectors.ReasonNoConsent},
		"nobody knows, receiver does": {consent: unknown, send: true, told: consentUnknown},
		"unsubscribed":                {consent: no, send: true, reason: connectors.ReasonUnsubscribed},
		"unsubscribed and moving":     {consent: no, leave: []string{"champions"}, reason: connectors.ReasonUnsubscribed, told: consentNo},
		"nobody knows any more":       {consent: unknown, leave: []string{"champions"}, reason: connectors.ReasonNoConsent, told: consentUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBench(t)
			change := moved(people(1)[0])
			change.Consent, change.Leave = c.consent, c.leave
			change.Left = c.leave
			outcome := apply(t, b.open(t, connectors.Settings{"send_unknown": c.send}), change)[0]
			require.Equal(t, c.reason, outcome.Reason)
			require.Equal(t, c.reason != "", outcome.State == connectors.Withheld)
			if c.told == "" {
				require.Empty(t, b.Requests())
				return
			}
			var m message
			require.NoError(t, json.Unmarshal([]byte(b.Requests()[0].Body), &m))
			require.Equal(t, c.told, m.Data.People[0].Consent)
			if c.reason != "" {
				require.Empty(t, m.Data.People[0].Entered, "nobody who is withheld enters anything")
				require.Empty(t, m.Data.People[0].Audiences)
				require.Empty(t, m.Data.People[0].Attributes)
				require.Equal(t, []string{"at_risk", "champions"}, m.Data.People[0].Leave)
				require.Empty(t, b.Contacts())
			}
		})
	}
}

func TestWhoUnsubscribedLeaves(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t, connectors.Settings{"send_unknown": false}), people(1)[0]
	apply(t, d, moved(p))
	require.Len(t, b.Contacts(), 1)
	out := connectors.Change{
		Person: p, Leave: []string{"at_risk"}, Left: []string{"at_risk"}, Drop: []string{"segment"}, Since: since.Add(time.Hour),
		Consent: commerce.ConsentUnsubscribed,
	}
	require.Equal(t, connectors.Delivered, apply(t, d, out)[0].State)
	require.Empty(t, b.Contacts())
	news := b.News()
	require.Equal(t, webhooktest.News{ID: news[2].ID, Email: p.Email, What: "left", Audience: "at_risk", Consent: consentNo}, news[2])
}

func TestNobodyWithoutAName(t *testing.T) {
	b := startBench(t)
	c := moved(connectors.Person{ID: 7})
	require.Equal(t, connectors.ReasonNoEmail, apply(t, b.open(t), c)[0].Reason)
	receipt, err := b.open(t).Erase(t.Context(), c.Person)
	require.NoError(t, err)
	require.NotEmpty(t, receipt)
	require.Empty(t, b.Requests())
}

func TestRefusalNamesNobody(t *testing.T) {
	b := startBench(t)
	bad := moved(connectors.Person{ID: 9, Email: "two..dots@example.com"})
	outcomes := apply(t, b.open(t), moved(people(1)[0]), bad)
	require.Equal(t, connectors.Delivered, outcomes[0].State)
	require.Equal(t, connectors.Outcome{PersonID: 9, State: connectors.Refused, Reason: "the address (address) is malformed"}, outcomes[1])
}

func TestLargeRequestsAreHalved(t *testing.T) {
	b := startBench(t, func(o *webhooktest.Options) { o.MaxBody = 2000 })
	d := b.open(t, connectors.Settings{"batch": 500})
	var changes []connectors.Change
	for _, p := range people(40) {
		changes = append(changes, moved(p))
	}
	for _, o := range apply(t, d, changes...) {
		require.Equal(t, connectors.Delivered, o.State)
	}
	require.Len(t, b.Contacts(), 40)
	before := len(b.Requests())
	apply(t, d, changes...)
	for _, r := range b.Requests()[before:] {
		require.Equal(t, http.StatusOK, r.Status, "what is too large is not tried again and again")
	}

	b = startBench(t, func(o *webhooktest.Options) { o.MaxBody = 200 })
	outcome := apply(t, b.open(t), changes[0])[0]
	require.Equal(t, connectors.Refused, outcome.State)
	require.Contains(t, outcome.Reason, "413")
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		media  string
		body   string
		kind   connectors.Kind
		remedy string
		taken  bool
	}{
		"nothing":             {status: 200, taken: true},
		"accepted":            {status: 202, media: "text/plain", body: "Accepted", taken: true},
		"ok as HTML":          {status: 200, media: "text/html; charset=utf-8", body: "ok", taken: true},
		"no content":          {status: 204, taken: true},
		"JSON of its own":     {status: 200, media: "application/json", body: `{"refused": 0, "status": "success"}`, taken: true},
		"a list of its own":   {status: 200, media: "application/json", body: `[1, 2]`, taken: true},
		"refused by number":   {status: 200, media: "application/json", body: `{"refused": [{"person": 1}]}`},
		"refused, unreadable": {status: 200, media: "application/json", body: `{"refused": ["ann"]}`, kind: connectors.KindPermanent, remedy: `"refused"`},
		"cut JSON":            {status: 200, media: "application/json", body: `{"refused": [`, kind: connectors.KindRetry, remedy: "same ids"},
		"page":                {status: 200, media: "text/html", body: "\n<!doctype HTML><p>Sign in", kind: connectors.KindRetry, remedy: "open the address"},
		"gone":                {status: 410, media: "text/plain", body: "gone", kind: connectors.KindPermanent, remedy: "wants no more"},
		"bad signature":       {status: 401, media: "text/plain", body: "no", kind: connectors.KindCredentials, remedy: "secret"},
		"forbidden":           {status: 403, media: "text/plain", body: "no", kind: connectors.KindCredentials, remedy: "secret"},
		"firewall":            {status: 403, media: "text/html", body: "<html>no", kind: connectors.KindRetry, remedy: "firewall"},
		"bad request":         {status: 400, media: "text/plain", body: "invalid signature", kind: connectors.KindPermanent, remedy: "compare the secrets"},
		"nothing there":       {status: 404, media: "text/plain", body: "no", kind: connectors.KindPermanent, remedy: "correct url"},
		"somebody in it":      {status: 422, media: "text/plain", body: "no", kind: connectors.KindRecord},
		"teapot":              {status: 418, media: "text/plain", body: "no", kind: connectors.KindPermanent},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				w.Header()["Content-Type"] = []string{c.media}
				w.WriteHeader(c.status)
				_, _ = fmt.Fprint(w, c.body)
			}))
			defer server.Close()
			d := (&bench{url: server.URL}).open(t)
			result, err := d.Apply(t.Context(), []connectors.Change{moved(people(1)[0])})
			switch {
			case c.taken:
				require.NoError(t, err)
				require.Equal(t, connectors.Delivered, result.Outcomes[0].State)
			case c.kind == connectors.KindRetry && c.remedy == "":
				require.NoError(t, err)
				require.Equal(t, connectors.Refused, result.Outcomes[0].State)
				require.NotEmpty(t, result.Outcomes[0].Reason)
			default:
				require.Empty(t, result.Outcomes)
				require.Equal(t, c.kind.String(), connectors.KindOf(err).String(), "%v", err)
				require.Contains(t, connectors.Remedy(err), c.remedy)
				require.True(t, asked == 1 || c.kind == connectors.KindRetry)
			}
		})
	}
}

func TestRedirectIsRefused(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("https://elsewhere.example/hook", http.StatusPermanentRedirect))
	defer server.Close()
	_, err := (&bench{url: server.URL}).open(t).Check(t.Context())
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	require.Contains(t, connectors.Remedy(err), "https://elsewhere.example/hook")
}

func TestPingTellsOfNobodyAndStartsNothing(t *testing.T) {
	b := startBench(t)
	report, err := b.open(t).Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK())
	require.Empty(t, b.Contacts())
	require.Empty(t, b.News())
	require.Len(t, b.Requests(), 1)
	require.Regexp(t, `^\{"type":"ping","timestamp":"[^"]+","data":\{"prefix":"perennial","store":"garden"\}\}$`, b.Requests()[0].Body)
	b.Close()
	_, err = b.open(t).Check(t.Context())
	require.Contains(t, connectors.Remedy(err), "take the destination out")
}

func TestClocksThatDifferAreTold(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { // looks at no signature
		w.Header().Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
	}))
	defer server.Close()
	report, err := (&bench{url: server.URL}).open(t).Check(t.Context())
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(report.Findings), "clock differs by 10m")
}

func TestErasureIsSignedAndReceipted(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), people(1)[0]
	apply(t, d, moved(p))
	receipt, err := d.Erase(t.Context(), p)
	require.NoError(t, err)
	require.Contains(t, receipt, "answered 200")
	require.NotContains(t, receipt, p.Email)
	require.Equal(t, []string{"1"}, b.Erased())
	last := b.Requests()[1]
	require.Contains(t, last.Body, `"type":"erase"`)
	verifier, err := standardwebhooks.NewWebhook(secretPrefix + canary)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify([]byte(last.Body), last.Header))

	_, err = d.Erase(t.Context(), connectors.Person{ID: 9, Email: "two..dots@example.com"})
	require.NoError(t, err, "this receiver refuses nobody's erasure")
	b.Close()
	_, err = d.Erase(t.Context(), p)
	require.Error(t, err, "a receiver that is gone cannot be told, and the person is not called erased")
}

func TestAddresses(t *testing.T) {
	for address, says := range map[string]string{
		"https://hooks.example.com/a/b?token=abc": "",
		"http://localhost:8080/hook":              "",
		"http://127.0.0.7/hook":                   "",
		"http://[::1]:80/hook":                    "",
		"http://hooks.example.com/hook":           "use https",
		"http://localhost.example.com/hook":       "use https",
		"http://192.168.1.4/hook":                 "use https",
		"https://ann:pass@hooks.example.com":      "must not carry",
		"ftp://hooks.example.com":                 "https://",
		"hooks.example.com":                       "https://",
	} {
		_, err := New().NewDestination(connectors.Settings{"url": address, "secret": secretPrefix + canary}, connectors.Deps{})
		if says == "" {
			require.NoError(t, err, address)
			continue
		}
		require.ErrorContains(t, err, says, address)
		require.ErrorContains(t, err, `"url"`)
		require.NotContains(t, err.Error(), "example.com", "an address may be a secret")
	}
}

func TestPathAndQueryArriveAsGiven(t *testing.T) {
	b := startBench(t)
	for given, want := range map[string]string{"/hook/": "/hook/", "/a%2Fb?code=a%20b&x=1": "/a%2Fb?code=a+b&x=1", "": "/", "/": "/"} {
		before := len(b.Requests())
		_, err := (&bench{url: strings.TrimSuffix(b.url, "/hooks/perennial") + given}).open(t).Check(t.Context())
		require.NoError(t, err, given)
		require.Equal(t, want, b.Requests()[before].Path)
	}
}

func TestSecrets(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(make([]byte, 65))
	for text, says := range map[string]string{
		"plain words":                  "whsec_",
		"whsec_tea*and*biscuits":       "not base64",
		"whsec_c2hvcnQ=":               "5 bytes",
		secretPrefix + long:            "65 bytes",
		secretPrefix + canary + "\n":   "",
		secretPrefix + canary[:32]:     "",
		secretPrefix + canary + "####": "not base64",
	} {
		for _, setting := range []string{"secret", "previous_secret"} {
			settings := connectors.Settings{"url": "https://hooks.example.com", "secret": secretPrefix + canary}
			settings[setting] = text
			_, err := New().NewDestination(settings, connectors.Deps{})
			if says == "" {
				require.NoError(t, err)
				continue
			}
			require.ErrorContains(t, err, says)
			require.ErrorContains(t, err, `"`+setting+`"`)
			require.NotContains(t, err.Error(), strings.TrimPrefix(text, secretPrefix))
		}
	}
}

func TestLimitsOfSettings(t *testing.T) {
	for key, value := range map[string]any{"batch": 501, "timeout": "11m"} {
		settings := (&bench{url: "https://hooks.example.com"}).settings()
		settings[key] = value
		_, err := New().NewDestination(settings, connectors.Deps{})
		require.ErrorContains(t, err, key)
	}
}
