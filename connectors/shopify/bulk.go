package shopify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// errExpired marks the address of a result file that is valid no longer: ask for the operation again, its answer may
// hold a fresh one.
var errExpired = errors.New("the address of the file has expired")

// errBusy is the refusal to start a bulk operation because others are running, which it names.
type errBusy struct{ IDs []string } // global ids

// Error says so.
func (e *errBusy) Error() string { return "other bulk operations are running" }

// slotRest is when to look again for a free place among the running operations.
const slotRest = time.Minute

// maxUpload is the most that Shopify takes for one bulk mutation, in bytes.
const maxUpload = 100 << 20

// operation is a bulk operation as it stands.
type operation struct {
	ID         string // global id
	Kind       string // QUERY, MUTATION
	Status     string // CREATED RUNNING COMPLETED CANCELED CANCELING EXPIRED FAILED
	ErrorCode  string // ACCESS_DENIED INTERNAL_SERVER_ERROR TIMEOUT, of one that failed
	URL        string // of the result; empty where there are no rows. It is a permission to read: never print it
	PartialURL string // of what a failed one had done
	Objects    int64  // lines
	Roots      int64  // lines that have no parent
	Size       int64  // of the result in bytes
	Query      string // only from running
	CreatedAt  time.Time
	// CompletedAt is zero until then.
	CompletedAt time.Time
}

// UnmarshalJSON reads an operation as Shopify writes it, numbers as texts.
func (o *operation) UnmarshalJSON(data []byte) error {
	var wire struct {
		ID          string     `json:"id"`
		Type        string     `json:"type"`
		Status      string     `json:"status"`
		ErrorCode   string     `json:"errorCode"`
		URL         string     `json:"url"`
		PartialURL  string     `json:"partialDataUrl"`
		Objects     unsigned   `json:"objectCount"`
		Roots       unsigned   `json:"rootObjectCount"`
		Size        unsigned   `json:"fileSize"`
		Query       string     `json:"query"`
		CreatedAt   time.Time  `json:"createdAt"`
		CompletedAt *time.Time `json:"completedAt"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*o = operation{
		ID: wire.ID, Kind: wire.Type, Status: wire.Status, ErrorCode: wire.ErrorCode, URL: wire.URL, PartialURL: wire.PartialURL,
		Objects: int64(wire.Objects), Roots: int64(wire.Roots), Size: int64(wire.Size), Query: wire.Query, CreatedAt: wire.CreatedAt,
	}
	if wire.CompletedAt != nil {
		o.CompletedAt = *wire.CompletedAt
	}
	return nil
}

// unsigned is a number that is written as a text, because it may be large.
type unsigned int64

// UnmarshalJSON takes a text, a number or null.
func (n *unsigned) UnmarshalJSON(data []byte) error {
	text := string(bytes.Trim(data, `"`))
	if text == "null" || text == "" {
		*n = 0
		return nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("number: %w", err)
	}
	*n = unsigned(value)
	return nil
}

// started is the answer to the start of an operation.
type started struct {
	Operation *operation  `json:"bulkOperation"`
	Errors    []userError `json:"userErrors"`
}

// startQuery starts a bulk query. Where no place is free the error is a KindWait that holds an errBusy. When nobody
// knows whether it was started, the error is KindRetry and running tells.
func (a *api) startQuery(ctx context.Context, text string) (operation, error) {
	var data struct {
		Start started `json:"bulkOperationRunQuery"`
	}
	if err := a.ask(ctx, "bulk_query", map[string]any{"query": text}, &data); err != nil {
		return operation{}, err
	}
	return a.begun("bulk query", data.Start)
}

// startMutation starts a bulk mutation over an uploaded file. The client identifier has 10 to 255 characters.
func (a *api) startMutation(ctx context.Context, mutation, path, client string) (operation, error) {
	var data struct {
		Start started `json:"bulkOperationRunMutation"`
	}
	variables := map[string]any{"mutation": mutation, "path": path, "client": client}
	if err := a.ask(ctx, "bulk_mutation", variables, &data); err != nil {
		return operation{}, err
	}
	return a.begun("bulk mutation", data.Start)
}

var operationID = regexp.MustCompile(`gid://shopify/BulkOperation/\d+`)

func (a *api) begun(op string, s started) (operation, error) {
	for _, e := range s.Errors {
		if e.Code == "OPERATION_IN_PROGRESS" || e.Code == "LIMIT_REACHED" {
			return operation{}, &connectors.Error{
				Kind: connectors.KindWait, Op: op, Until: a.now().Add(slotRest), Err: &errBusy{IDs: operationID.FindAllString(e.Message, -1)},
				Remedy: "nothing to do: the run goes on when they are done",
			}
		}
	}
	if err := a.refusedInput(op, s.Errors); err != nil {
		return operation{}, err
	}
	if s.Operation == nil || s.Operation.ID == "" {
		return operation{}, trouble(op, "neither an operation nor a reason came back")
	}
	return *s.Operation, nil
}

// operation asks how an operation stands, by its global id. One that Shopify does not know is a KindRecord.
func (a *api) operation(ctx context.Context, id string) (operation, error) {
	var data struct {
		Operation *operation `json:"bulkOperation"`
	}
	if err := a.ask(ctx, "bulk_operation", map[string]any{"id": id}, &data); err != nil {
		return operation{}, err
	}
	if data.Operation == nil {
		return operation{}, &connectors.Error{Kind: connectors.KindRecord, Op: "bulk operation", Err: errors.New("unknown to the shop")}
	}
	return *data.Operation, nil
}

// listed is how many operations running looks at: at most ten can run, but later ones may be done already.
const listed = 100

// running lists the operations of this app that are not over, newest first.
func (a *api) running(ctx context.Context) ([]operation, error) {
	var data struct {
		Operations struct {
			Nodes []operation `json:"nodes"`
		} `json:"bulkOperations"`
	}
	if err := a.ask(ctx, "bulk_running", map[string]any{"first": listed}, &data); err != nil {
		return nil, err
	}
	var going []operation
	for _, o := range data.Operations.Nodes {
		switch o.Status {
		case "CREATED", "RUNNING", "CANCELING":
			going = append(going, o)
		}
	}
	return going, nil
}

// chunk reads a result file from a byte on, up to size bytes; whole tells that the end of the file was reached. An
// address that is valid no longer is errExpired.
func (a *api) chunk(ctx context.Context, address string, from, size int64) (body []byte, whole bool, err error) {
	answer, err := a.http.Do(ctx, httpapi.Request{Op: "bulk result", URL: address, Span: &httpapi.Span{From: from, Size: size}})
	var status *httpapi.StatusError
	switch {
	case err == nil:
		return answer.Body, answer.End, nil
	case errors.As(err, &status) && expired(status.Status):
		return nil, false, &connectors.Error{
			Kind: connectors.KindRetry, Op: "bulk result", Err: fmt.Errorf("%w: %w", errExpired, status),
			Remedy: "nothing to do: the next run asks for a fresh one; if this comes again, look whether a firewall or proxy keeps us from the host " + hostOf(address),
		}
	default:
		return nil, false, err
	}
}

// hostOf returns all of an address that may be shown.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "of the file"
	}
	return u.Host
}

// expired knows the statuses by which places of storage refuse a signature that is too old.
func expired(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return true
	}
	return false
}

// upload stages the variables of a bulk mutation, one JSON object a line, and returns the path by which startMutation
// finds them. It takes 1 byte to 100 MB.
func (a *api) upload(ctx context.Context, name string, jsonl []byte) (path string, err error) {
	if err := fits(jsonl); err != nil {
		return "", err
	}
	places, err := a.stage(ctx, name)
	if err != nil {
		return "", err
	}
	return a.put(ctx, places[0], name, jsonl)
}

// stagedUpload is the name of uploads in errors.
const stagedUpload = "staged upload"

func fits(jsonl []byte) error {
	if len(jsonl) == 0 || len(jsonl) > maxUpload {
		return &connectors.Error{Kind: connectors.KindPermanent, Op: stagedUpload, Err: fmt.Errorf("%d bytes: 1 to %d are possible", len(jsonl), maxUpload)}
	}
	return nil
}

// put uploads to a place that was asked for before.
func (a *api) put(ctx context.Context, place target, name string, jsonl []byte) (path string, err error) {
	const op = stagedUpload
	if err := fits(jsonl); err != nil {
		return "", err
	}
	body, kind, err := place.form(name, jsonl)
	if err != nil {
		return "", &connectors.Error{Kind: connectors.KindPermanent, Op: op, Err: err}
	}
	_, err = a.http.Do(ctx, httpapi.Request{
		Op: op, Method: http.MethodPost, URL: place.URL, Body: body, ContentType: kind, Raw: true, Idempotent: true,
	})
	var e *connectors.Error
	if errors.As(err, &e) && e.Kind == connectors.KindPermanent { // the next run stages anew
		e.Kind, e.Remedy = connectors.KindRetry, "the place for uploads did not take the file: the next run tries again"
	}
	return place.path(), err
}

// target is where a file may be uploaded, and the form fields that permit it.
type target struct {
	URL        string `json:"url"`
	Parameters []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"parameters"`
}

// stage asks for a place for each of several files.
func (a *api) stage(ctx context.Context, names ...string) ([]target, error) {
	var data struct {
		Staged struct {
			Targets []target    `json:"stagedTargets"`
			Errors  []userError `json:"userErrors"`
		} `json:"stagedUploadsCreate"`
	}
	input := make([]map[string]any, len(names))
	for i, name := range names {
		input[i] = map[string]any{"resource": "BULK_MUTATION_VARIABLES", "filename": name, "mimeType": "text/jsonl", "httpMethod": "POST"}
	}
	q := query{
		Op: stagedUpload, Text: text("staged_upload"), Variables: map[string]any{"input": input},
		Cost: believed("staged_upload", 0), Idempotent: true, // a place too many does no harm
	}
	if err := a.run(ctx, q, &data); err != nil {
		return nil, err
	}
	if err := a.refusedInput(q.Op, data.Staged.Errors); err != nil {
		return nil, err
	}
	places := data.Staged.Targets
	if len(places) != len(names) || slices.ContainsFunc(places, func(t target) bool { return t.path() == "" }) {
		return nil, &connectors.Error{Kind: connectors.KindRetry, Op: q.Op, Err: errors.New("no place for the file came back")}
	}
	return places, nil
}

// path is how the uploaded file is named afterwards.
func (t target) path() string {
	for _, p := range t.Parameters {
		if p.Name == "key" {
			return p.Value
		}
	}
	return ""
}

// form writes the upload: all parameters first, in their order, and the file last, because the place ignores what
// follows it.
func (t target) form(name string, content []byte) (body []byte, kind string, err error) {
	var buffer bytes.Buffer
	buffer.Grow(len(content) + 8<<10)
	w := multipart.NewWriter(&buffer)
	for _, p := range t.Parameters {
		if err := w.WriteField(p.Name, p.Value); err != nil {
			return nil, "", fmt.Errorf("form: %w", err)
		}
	}
	file, err := w.CreateFormFile("file", name)
	if err != nil {
		return nil, "", fmt.Errorf("form: %w", err)
	}
	if _, err := file.Write(content); err != nil {
		return nil, "", fmt.Errorf("form: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, "", fmt.Errorf("form: %w", err)
	}
	return buffer.Bytes(), w.FormDataContentType(), nil
}
