package shopify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

const going = `{"id":"gid://shopify/BulkOperation/7","type":"QUERY","status":"CREATED","errorCode":null,"createdAt":"2026-06-16T08:06:19Z","completedAt":null,"objectCount":"0","rootObjectCount":"0","fileSize":null,"url":null,"partialDataUrl":null}`

const over = `{"id":"gid://shopify/BulkOperation/8","type":"QUERY","status":"COMPLETED","errorCode":null,"createdAt":"2026-06-16T08:06:19Z","completedAt":"2026-06-16T08:07:19Z","objectCount":"12345678901","rootObjectCount":4,"fileSize":"99","url":"https://files.example/r?` + wireSigned + `","partialDataUrl":null}`

func TestStartQuery(t *testing.T) {
	tests := map[string]struct {
		payload string
		kind    connectors.Kind
		text    string // empty: started
		busy    []string
	}{
		"started": {payload: `{"bulkOperation":` + going + `,"userErrors":[]}`},
		"no place": {
			`{"bulkOperation":null,"userErrors":[{"field":null,"message":"A bulk query operation for this app and shop is already in progress: gid://shopify/BulkOperation/1, gid://shopify/BulkOperation/2.","code":"OPERATION_IN_PROGRESS"}]}`,
			connectors.KindWait, "running",
			[]string{"gid://shopify/BulkOperation/1", "gid://shopify/BulkOperation/2"},
		},
		"limit":   {`{"bulkOperation":null,"userErrors":[{"field":null,"message":"Limit reached","code":"LIMIT_REACHED"}]}`, connectors.KindWait, "running", nil},
		"invalid": {`{"bulkOperation":null,"userErrors":[{"field":["query"],"message":"Bulk queries cannot contain more than 5 connections.","code":"INVALID"}]}`, connectors.KindPermanent, "query: INVALID: Bulk queries", nil},
		"nothing": {`{"bulkOperation":null,"userErrors":[]}`, connectors.KindRetry, "neither an operation nor a reason", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, _ := wired(t, legacy(), always(told{body: `{"data":{"bulkOperationRunQuery":` + tt.payload + `}}`}))
			o, err := a.startQuery(t.Context(), "{ orders { edges { node { id } } } }")
			if tt.text == "" {
				require.NoError(t, err)
				require.Equal(t, "gid://shopify/BulkOperation/7", o.ID)
				require.Equal(t, "CREATED", o.Status)
				return
			}
			require.ErrorContains(t, err, tt.text)
			var e *connectors.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.kind, e.Kind)
			var busy *errBusy
			require.Equal(t, tt.kind == connectors.KindWait, errors.As(err, &busy))
			if busy != nil {
				require.Equal(t, tt.busy, busy.IDs)
				require.WithinDuration(t, time.Now().Add(time.Minute), e.Until, 5*time.Second)
			}
		})
	}
}

func TestStartMutation(t *testing.T) {
	a, w := wired(t, legacy(), always(told{body: `{"data":{"bulkOperationRunMutation":{"bulkOperation":` + strings.ReplaceAll(going, "QUERY", "MUTATION") + `,"userErrors":[]}}}`}))
	o, err := a.startMutation(t.Context(), "mutation { x }", "tmp/1/x.jsonl", "perennial-tags-1")
	require.NoError(t, err)
	require.Equal(t, "MUTATION", o.Kind)
	require.Contains(t, w.all[0].body, `"client":"perennial-tags-1"`)

	a, _ = wired(t, legacy(), always(told{body: `{"data":{"bulkOperationRunMutation":{"bulkOperation":null,"userErrors":[{"field":null,"message":"The input file is empty.","code":"INVALID_STAGED_UPLOAD_FILE"}]}}}`}))
	_, err = a.startMutation(t.Context(), "mutation { x }", "tmp/1/x.jsonl", "perennial-tags-1")
	require.ErrorContains(t, err, "INVALID_STAGED_UPLOAD_FILE: The input file is empty.")
}

func TestOperation(t *testing.T) {
	a, w := wired(t, legacy(), always(told{body: `{"data":{"bulkOperation":` + over + `}}`}))
	o, err := a.operation(t.Context(), "gid://shopify/BulkOperation/8")
	require.NoError(t, err)
	require.Equal(t, operation{
		ID: "gid://shopify/BulkOperation/8", Kind: "QUERY", Status: "COMPLETED", URL: "https://files.example/r?" + wireSigned,
		Objects: 12345678901, Roots: 4, Size: 99,
		CreatedAt: time.Date(2026, 6, 16, 8, 6, 19, 0, time.UTC), CompletedAt: time.Date(2026, 6, 16, 8, 7, 19, 0, time.UTC),
	}, o)
	w.quiet(t, nil)

	a, _ = wired(t, legacy(), always(told{body: `{"data":{"bulkOperation":null}}`}))
	_, err = a.operation(t.Context(), "gid://shopify/BulkOperation/9")
	require.Equal(t, connectors.KindRecord, connectors.KindOf(err))

	a, w = wired(t, legacy(), always(told{body: `{"data":{"bulkOperation":{"id":"1","objectCount":"canary"}}}`}))
	_, err = a.operation(t.Context(), "gid://shopify/BulkOperation/9")
	require.ErrorContains(t, err, "unknown shape")
	w.quiet(t, err)
}

func TestRunning(t *testing.T) {
	a, _ := wired(t, legacy(), always(told{body: `{"data":{"bulkOperations":{"nodes":[` + going + `,` + over + `,` + strings.Replace(going, "CREATED", "RUNNING", 1) + `]}}}`}))
	list, err := a.running(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "CREATED", list[0].Status)
	require.Equal(t, "RUNNING", list[1].Status)
}

func TestChunk(t *testing.T) {
	const file = "{\"id\":1}\n{\"id\":2}\n{\"id\":3}"
	for name, ranges := range map[string]bool{"with ranges": true, "ranges ignored": false} {
		t.Run(name, func(t *testing.T) {
			files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/jsonl")
				if ranges {
					http.ServeContent(w, r, "", time.Time{}, strings.NewReader(file))
					return
				}
				_, _ = io.WriteString(w, file)
			}))
			defer files.Close()
			set := legacy()
			require.NoError(t, set.check())
			a, err := newAPI(set, connectors.Deps{}, nil)
			require.NoError(t, err)
			for _, size := range []int64{1, 5, 13, int64(len(file)), 1000} {
				var all []byte
				for whole := false; !whole; {
					var part []byte
					part, whole, err = a.chunk(t.Context(), files.URL+"/r?"+wireSigned, int64(len(all)), size)
					require.NoError(t, err)
					require.LessOrEqual(t, int64(len(part)), size)
					all = append(all, part...)
				}
				require.Equal(t, file, string(all), "the last line has no newline")
			}
		})
	}
}

func TestChunkOfAnExpiredAddress(t *testing.T) {
	tests := map[string]struct {
		told    told
		expired bool
		kind    connectors.Kind
	}{
		"signature too old": {told{status: 400, kind: "application/xml", body: `<Code>ExpiredToken</Code>` + wireSigned}, true, connectors.KindRetry},
		"forbidden":         {told{status: 403, kind: "application/xml", body: `<Code>AccessDenied</Code>` + wireSigned}, true, connectors.KindRetry},
		"gone":              {told{status: 404, kind: "application/xml", body: wireSigned}, true, connectors.KindRetry},
		"down":              {told{status: 503}, false, connectors.KindRetry},
		"shorter than read": {told{status: 416, header: map[string]string{"Content-Range": "bytes */3"}}, false, connectors.KindPermanent},
		"connection broke":  {told{err: errors.New("reset")}, false, connectors.KindRetry},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, w := wired(t, legacy(), always(tt.told))
				_, _, err := a.chunk(t.Context(), "https://files.example/canary?"+wireSigned, 10, 10)
				require.Equal(t, tt.expired, errors.Is(err, errExpired))
				require.Equal(t, tt.kind, connectors.KindOf(err))
				require.Empty(t, w.all[0].token, "no credentials go to the place of storage")
				require.Equal(t, "bytes=10-19", w.all[0].ranged)
				w.quiet(t, err)
			})
		})
	}
}

const stagedTarget = `{"data":{"stagedUploadsCreate":{"stagedTargets":[{"url":"https://uploads.example/","parameters":[` +
	`{"name":"Content-Type","value":"text/jsonl"},{"name":"success_action_status","value":"201"},{"name":"key","value":"tmp/1/tags.jsonl"},{"name":"x-goog-signature","value":"canary"}]}],"userErrors":[]}}}`

func TestUpload(t *testing.T) {
	a, w := wired(t, legacy(), func(h heard) told {
		if strings.Contains(h.url, "uploads.example") {
			return told{status: 201, kind: "application/xml", body: `<?xml version='1.0'?><PostResponse><Key>tmp/1/tags.jsonl</Key></PostResponse>`}
		}
		return told{body: stagedTarget}
	})
	content := []byte("{\"id\":1}\n")
	path, err := a.upload(t.Context(), "tags.jsonl", content)
	require.NoError(t, err)
	require.Equal(t, "tmp/1/tags.jsonl", path)
	require.Contains(t, w.all[0].body, `BULK_MUTATION_VARIABLES`)
	sent := w.asked("uploads.example")
	require.Len(t, sent, 1)
	require.Empty(t, sent[0].token)
	kind, params, err := mime.ParseMediaType(sent[0].kind)
	require.NoError(t, err)
	require.Equal(t, "multipart/form-data", kind)
	var order []string
	parts := multipart.NewReader(strings.NewReader(sent[0].body), params["boundary"])
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		order = append(order, part.FormName())
		if part.FormName() == "file" {
			body, err := io.ReadAll(part)
			require.NoError(t, err)
			require.Equal(t, content, body)
			require.Equal(t, "tags.jsonl", part.FileName())
		}
	}
	require.Equal(t, []string{"Content-Type", "success_action_status", "key", "x-goog-signature", "file"}, order)
	w.quiet(t, nil)
}

func TestUploadThatFails(t *testing.T) {
	tests := map[string]struct {
		size   int
		staged string
		upload told
		kind   connectors.Kind
		text   string
		asked  int
	}{
		"empty":     {0, stagedTarget, told{}, connectors.KindPermanent, "0 bytes", 0},
		"too large": {maxUpload + 1, stagedTarget, told{}, connectors.KindPermanent, "104857601 bytes", 0},
		"refused":   {9, `{"data":{"stagedUploadsCreate":{"stagedTargets":[],"userErrors":[{"field":["input"],"message":"is invalid"}]}}}`, told{}, connectors.KindPermanent, "input: is invalid", 1},
		"no place":  {9, `{"data":{"stagedUploadsCreate":{"stagedTargets":[],"userErrors":[]}}}`, told{}, connectors.KindRetry, "no place", 1},
		"policy":    {9, stagedTarget, told{status: 400, body: "<Code>EntityTooLarge</Code>" + wireSigned}, connectors.KindRetry, "status 400", 2},
		"down":      {9, stagedTarget, told{status: 503}, connectors.KindRetry, "status 503", 6},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, w := wired(t, legacy(), func(h heard) told {
					if strings.Contains(h.url, "uploads.example") {
						return tt.upload
					}
					return told{body: tt.staged}
				})
				_, err := a.upload(t.Context(), "tags.jsonl", bytes.Repeat([]byte("x"), tt.size))
				require.Equal(t, tt.kind, connectors.KindOf(err))
				require.ErrorContains(t, err, "staged upload: ")
				require.ErrorContains(t, err, tt.text)
				require.Len(t, w.all, tt.asked)
				w.quiet(t, err)
			})
		})
	}
}

func TestIds(t *testing.T) {
	for id, want := range map[string]string{
		"gid://shopify/Order/123": "123", "gid://shopify/MailingAddress/12?model_name=CustomerAddress": "12", "123": "123", "": "",
		"gid://shopify/InventoryLevel/1?inventory_item_id=2": "1",
	} {
		require.Equal(t, want, tail(id))
	}
	require.Equal(t, "gid://shopify/Order/123", gid("Order", "123"))
}

func TestStatusOfAFileIsNotThatOfTheShop(t *testing.T) {
	a, _ := wired(t, legacy(), always(told{status: 401}))
	_, _, err := a.chunk(t.Context(), "https://files.example/r", 0, 1)
	require.NotEqual(t, connectors.KindCredentials, connectors.KindOf(err))
	var status *httpapi.StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, "401", fmt.Sprint(status.Status))
}
