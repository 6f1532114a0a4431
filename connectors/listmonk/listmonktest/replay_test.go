package listmonktest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
)

// pair is one recorded request with its answer.
type pair struct {
	Label    string          `json:"label"`
	Method   string          `json:"method"`
	Path     string          `json:"path"`
	Request  json.RawMessage `json:"request"`
	Status   int             `json:"status"`
	Response any             `json:"response"`
}

func load(t *testing.T, name string) []pair {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var pairs []pair
	require.NoError(t, json.Unmarshal(text, &pairs))
	require.NotEmpty(t, pairs)
	return pairs
}

// TestAnswersAsRecorded replays every recorded pair in order against one listmonk and compares status and body, with
// moments and random ids made alike.
func TestAnswersAsRecorded(t *testing.T) {
	fake := listmonktest.New(nil, listmonktest.Options{})
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	replayAll := func(name string, before func(pair)) {
		for _, p := range load(t, name) {
			if before != nil {
				before(p)
			}
			t.Run(name+"/"+p.Label, func(t *testing.T) { replay(t, fake, server.URL, p) })
		}
	}
	replayAll("01_basic.json", nil)
	replayAll("02_membership.json", nil)
	replayAll("03_import.json", nil)
	require.Equal(t, 7, fake.AddList("perennial: campaign test", "single", "perennial"))
	require.Equal(t, 8, fake.AddList("perennial: campaign double", "double", "perennial"))
	replayAll("04_campaign.json", nil)
	replayAll("05_optin_roles.json", func(p pair) {
		if strings.HasPrefix(p.Label, "sql query without") {
			fake.Restrict(listmonktest.SubscribersSQL)
			fake.Restrict(listmonktest.CampaignsGet)
		}
	})
	fake.HoldImport()
	replayAll("06_edge.json", nil)
}

func replay(t *testing.T, fake *listmonktest.Server, base string, p pair) {
	body, kind := bodyOf(t, p)
	request, err := http.NewRequestWithContext(t.Context(), p.Method, base+p.Path, bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", kind)
	switch p.Label {
	case "no auth", "public health":
	case "wrong token":
		request.SetBasicAuth(fake.Username(), "wrong")
	case "token-style auth header":
		request.Header.Set("Authorization", "token "+fake.Username()+":"+fake.Token())
	default:
		request.SetBasicAuth(fake.Username(), fake.Token())
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, p.Status, response.StatusCode, string(text))
	require.Equal(t, "application/json", response.Header.Get("Content-Type"))
	var got any
	require.NoError(t, json.Unmarshal(text, &got))
	require.Empty(t, cmp.Diff(alike(p.Response), alike(got)), "(-recorded +fake)")
}

var (
	moment  = regexp.MustCompile(`\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?`)
	random  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	tmpFile = regexp.MustCompile(`/var/tmp/listmonk\d+`)
)

// alike makes two answers comparable.
func alike(value any) any {
	switch v := value.(type) {
	case map[string]any:
		same := map[string]any{}
		for key, inner := range v {
			same[key] = alike(inner)
			if key == "password" {
				same[key] = "hidden"
			}
		}
		return same
	case []any:
		same := []any{}
		for _, inner := range v {
			same = append(same, alike(inner))
		}
		return same
	case string:
		v = moment.ReplaceAllString(v, "<time>")
		v = random.ReplaceAllString(v, "<uuid>")
		return tmpFile.ReplaceAllString(v, "<file>")
	}
	return value
}

// bodyOf returns what was sent. The recordings leave out bodies that were no JSON.
func bodyOf(t *testing.T, p pair) (body []byte, kind string) {
	switch {
	case p.Label == "create malformed JSON":
		return []byte(`{bad`), "application/json"
	case p.Label == "create form-encoded":
		return []byte("email=form%40example.com&name=F"), "application/x-www-form-urlencoded"
	case p.Method == http.MethodPost && p.Path == "/api/import/subscribers":
		return upload(t, p.Label)
	case len(p.Request) == 0 || string(p.Request) == "null":
		return nil, "application/json"
	}
	return spaced(p.Request), "application/json"
}

// spaced writes JSON with a blank behind every comma and colon, as the recorder did: positions in error texts count them.
func spaced(raw json.RawMessage) []byte {
	var compact bytes.Buffer
	_ = json.Compact(&compact, raw)
	var out []byte
	quoted, escaped := false, false
	for _, c := range compact.Bytes() {
		out = append(out, c)
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == ':'):
			out = append(out, ' ')
		}
	}
	return out
}

// files are what the recorded imports sent, by how the label begins.
var files = []struct{ label, name, content string }{
	{"import missing email column", "subs.csv", "foo,bar\n1,2\n"},
	{"import capital header", "subs.csv", "Email,Name\ncap@example.com,Cap\n"},
	{"import ragged row", "subs.csv", "email,name\nragged@example.com\nfine@example.com,Fine\n"},
	{"import NUL byte", "subs.csv", "email,name\nn1@example.com,N\nn2@example.com,a\x00b\nn3@example.com,N\n"},
	{"import extension not csv", "subs.txt", "email,name\nx@example.com,X\n"},
	{"import blocklist mode", "subs.csv", "email,name\nb1@example.com,B\nb2@example.com,B\n"},
	{"import overwrite", "subs.csv", `email,name,attributes
imp@example.com,Ann I,"{""perennial"":{""rfm"":""new""}}"
new1@example.com,New,"{}"
blk@example.com,Blk,"{}"
BAD,x,{}
attr@example.com,Attr,{not json}
new2@example.com,New,"{}"
dis@example.com,Dis,"{}"
`},
	{"import A", "subs.csv", "email,name\n" + strings.Repeat("many@example.com,Many\n", 20000)},
	{"import", "subs.csv", "email,name\none@example.com,One\n"},
}

func upload(t *testing.T, label string) (body []byte, kind string) {
	name, content := "", ""
	for _, f := range files {
		if name == "" && strings.HasPrefix(label, f.label) {
			name, content = f.name, f.content
		}
	}
	_, params, found := strings.Cut(label, "params=")
	if !found {
		params = `{"mode": "subscribe", "delim": ",", "lists": [3]}`
	}
	var buffer bytes.Buffer
	form := multipart.NewWriter(&buffer)
	require.NoError(t, form.WriteField("params", params))
	part, err := form.CreateFormFile("file", name)
	require.NoError(t, err)
	_, err = fmt.Fprint(part, content)
	require.NoError(t, err)
	require.NoError(t, form.Close())
	return buffer.Bytes(), form.FormDataContentType()
}
