package listmonktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

func done(data any) answer {
	body, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		return fail(http.StatusInternalServerError, err.Error())
	}
	return answer{status: http.StatusOK, body: body}
}

func fail(status int, message string) answer {
	body, _ := json.Marshal(map[string]string{"message": message}) // a map of strings always marshals
	return answer{status: status, body: body}
}

// results is a page of a list of things.
type results struct {
	Results any    `json:"results"`
	Search  string `json:"search"`
	Query   string `json:"query"`
	Total   int    `json:"total"`
	PerPage int    `json:"per_page"`
	Page    int    `json:"page"`
}

// pageOf cuts a page out of all.
func pageOf[T any](c call, all []T) ([]T, results) {
	query := c.URL.Query()
	perPage, page := 20, 1
	if text := query.Get("per_page"); text == "all" {
		perPage = 0
	} else if n, err := strconv.Atoi(text); err == nil && n > 0 {
		perPage = n
	}
	if n, err := strconv.Atoi(query.Get("page")); err == nil && n > 0 {
		page = n
	}
	meta := results{Search: query.Get("search"), Query: query.Get("query"), Total: len(all), PerPage: perPage, Page: page}
	if perPage == 0 {
		return all, meta
	}
	from := min(len(all), perPage*(page-1))
	return all[from:min(len(all), from+perPage)], meta
}

// decode reads a JSON body and words its mistakes as listmonk's framework does.
func decode(c call, into any) (message string) {
	body, err := io.ReadAll(c.Body)
	if err != nil {
		return err.Error()
	}
	if len(body) == 0 {
		return ""
	}
	err = json.Unmarshal(body, into)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("Syntax error: offset=%d, error=%s", syntax.Offset, syntax.Error())
	case errors.As(err, &kind) && kind.Field == "attribs":
		return fmt.Sprintf("Unmarshal type error: expected=models.JSON, got=%s, field=Subscriber.attribs, offset=%d", kind.Value, kind.Offset)
	case errors.As(err, &kind):
		return fmt.Sprintf("Unmarshal type error: expected=%s, got=%s, field=%s, offset=%d", kind.Type, kind.Value, kind.Field, kind.Offset)
	case err != nil:
		return err.Error()
	}
	return ""
}

// zulu and offset are the two ways in which listmonk writes a moment.
func zulu(t time.Time) string   { return t.UTC().Format("2006-01-02T15:04:05.999999Z") }
func offset(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999+00:00") }
