package mailchimptest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// answer is what goes back to the client.
type answer struct {
	status int
	body   []byte
}

func (a answer) header() http.Header {
	switch {
	case len(a.body) == 0:
		return http.Header{}
	case a.status >= 400:
		return http.Header{"Content-Type": {"application/problem+json; charset=utf-8"}}
	}
	return http.Header{"Content-Type": {"application/json; charset=utf-8"}}
}

func (a answer) reply() simulator.Reply {
	return simulator.Reply{Status: a.status, Header: a.header(), Body: a.body}
}

func done(data any) answer {
	body, err := json.Marshal(data)
	if err != nil {
		return problem(http.StatusInternalServerError, "Internal Server Error", err.Error())
	}
	return answer{status: http.StatusOK, body: body}
}

func empty() answer { return answer{status: http.StatusNoContent} }

// complaint is one of the errors of an answer that refuses fields.
type complaint struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func problem(status int, title, detail string, errors ...complaint) answer {
	body := map[string]any{
		"type": "https://mailchimp.com/developer/marketing/docs/errors/", "title": title, "status": status, "detail": detail,
		"instance": "00000000-0000-4000-8000-000000000000",
	}
	if len(errors) > 0 {
		body["errors"] = errors
	}
	text, _ := json.Marshal(body) // texts and numbers always marshal
	return answer{status: status, body: text}
}

func missing() answer {
	return problem(http.StatusNotFound, "Resource Not Found", "The requested resource could not be found.")
}

func invalid(detail string, errors ...complaint) answer {
	return problem(http.StatusBadRequest, "Invalid Resource", detail, errors...)
}

func (c call) decode(into any) bool { return json.Unmarshal(c.body, into) == nil }

// pageOf cuts a page out of all, or refuses.
func pageOf[T any](c call, all []T) (some []T, refused *answer) {
	count, offset := 10, 0
	query := c.URL.Query()
	if text := query.Get("count"); text != "" {
		count, _ = strconv.Atoi(text)
	}
	if text := query.Get("offset"); text != "" {
		offset, _ = strconv.Atoi(text)
	}
	if count < 1 || count > MostPerPage || offset < 0 {
		no := invalid("The resource submitted could not be validated.", complaint{"count", "may be up to 1000"})
		return nil, &no
	}
	from := min(len(all), offset)
	return all[from:min(len(all), from+count)], nil
}

// filtered answers with those fields only that were asked for, where some were.
func (s *Server) filtered(c call, data map[string]any) answer {
	asked := c.URL.Query().Get("fields")
	if asked == "" {
		return done(data)
	}
	wanted := map[string]map[string]bool{}
	for _, path := range strings.Split(asked, ",") {
		name, below, _ := strings.Cut(path, ".")
		if wanted[name] == nil {
			wanted[name] = map[string]bool{}
		}
		if below != "" {
			wanted[name][below] = true
		}
	}
	kept := map[string]any{}
	for name, below := range wanted {
		if value, there := data[name]; there {
			kept[name] = narrow(value, below)
		}
	}
	return done(kept)
}

// narrow keeps the wanted fields of a thing, or of each thing in a list.
func narrow(value any, wanted map[string]bool) any {
	if len(wanted) == 0 {
		return value
	}
	switch v := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name := range wanted {
			if inner, there := v[name]; there {
				kept[name] = inner
			}
		}
		return kept
	case []any:
		kept := make([]any, len(v))
		for i := range v {
			kept[i] = narrow(v[i], wanted)
		}
		return kept
	}
	return value
}
