package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"mime"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
)

// NotJSONError says that something else came where JSON was due.
type NotJSONError struct {
	Why   string // such as "labelled text/html"
	Start string // the beginning of the body, at most 200 harmless bytes
}

// Error describes what came.
func (e *NotJSONError) Error() string {
	if e.Start == "" {
		return "not JSON: " + e.Why
	}
	return fmt.Sprintf("not JSON: %s: %q", e.Why, e.Start)
}

var (
	errCut   = errors.New("the JSON is cut off")
	errEmpty = errors.New("the body is empty")
)

// mostStarts bounds how many places are tried as the beginning of the JSON behind printed text.
const mostStarts = 64

// findJSON returns the one JSON value of a body. A byte order mark and text before the first [ or { are tolerated with
// a warning, because a notice printed by a plugin does not spoil the data; anything after the value is not.
func findJSON(contentType string, body []byte) (value []byte, warning string, err error) {
	if media, _, err := mime.ParseMediaType(contentType); err != nil || (media != "application/json" && !strings.HasSuffix(media, "+json")) {
		return nil, "", fmt.Errorf("labelled %q", contentType)
	}
	body = bytes.TrimSpace(body)
	if rest, found := bytes.CutPrefix(body, []byte("\xef\xbb\xbf")); found {
		body, warning = bytes.TrimSpace(rest), "a byte order mark stands before the JSON"
	}
	if len(body) == 0 {
		return nil, "", errEmpty
	}
	for from := range starts(body) {
		rest := body[from:]
		switch {
		case json.Valid(rest) && from == 0:
			return rest, warning, nil
		case json.Valid(rest) && !inside(body[:from]):
			return rest, fmt.Sprintf("text stands before the JSON: %s", body[:min(from, snippet)]), nil
		case endsEarly(rest):
			return nil, "", errCut
		}
	}
	return nil, "", errors.New("broken JSON")
}

// starts gives the places where the JSON may begin: the very beginning where it looks like JSON, for the tail of a cut
// answer can be valid by itself; else every bracket behind the printed text.
func starts(body []byte) iter.Seq[int] {
	return func(yield func(int) bool) {
		if body[0] == '[' || body[0] == '{' {
			yield(0)
			return
		}
		from := 0
		for range mostStarts {
			at := bytes.IndexAny(body[from:], "[{")
			if at < 0 || !yield(from+at) {
				return
			}
			from += at + 1
		}
	}
}

// inside reports whether what stands before a bracket shows that it is within a larger value.
func inside(before []byte) bool {
	before = bytes.TrimSpace(before)
	return len(before) > 0 && bytes.IndexByte([]byte(",:[{"), before[len(before)-1]) >= 0
}

// endsEarly reports whether the only fault of the JSON is that it stops.
func endsEarly(body []byte) bool {
	var syntax *json.SyntaxError
	err := json.Unmarshal(body, &json.RawMessage{})
	return errors.As(err, &syntax) && syntax.Offset >= int64(len(body)) && strings.Contains(syntax.Error(), "unexpected end")
}

func (c *Client) notJSON(r Request, why error, body []byte) *fault {
	start := body[:min(len(body), 4*snippet)]
	if first := bytes.TrimSpace(start); len(first) > 0 && (first[0] == '{' || first[0] == '[') {
		start = nil // the API's own answer: it may begin with a token, or with somebody's name
	}
	err := &connectors.Error{
		Kind: connectors.KindRetry, Op: r.Op, Err: &NotJSONError{Why: why.Error(), Start: c.mask.text(string(start))},
		Remedy: "something between us and the API answers in its place, such as a captcha, a firewall, a cache or a broken plugin: open the address in a browser, and let our User-Agent pass",
	}
	if errors.Is(why, errCut) {
		err.Remedy = "the answer broke off; if it keeps doing so, look into the error log of the site"
	}
	return &fault{err: err, heavy: errors.Is(why, errCut)}
}
