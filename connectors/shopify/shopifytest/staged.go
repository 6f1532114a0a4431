package shopifytest

import (
	"crypto/md5" //nolint:gosec // the ETag of the storage
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	largestUpload = 104_857_600 // bytes
	uploadLife    = 24 * time.Hour
)

// upload is a place for a file of variables.
type upload struct {
	key       string
	signature string
	policy    string
	expires   time.Time
	body      []byte
	there     bool
}

// stage answers stagedUploadsCreate.
func (s *Server) stage(_ *call, args map[string]any) (any, error) {
	inputs, _ := args["input"].([]any) //nolint:errcheck // none
	targets := []any{}
	for _, input := range inputs {
		fields, _ := input.(map[string]any) //nolint:errcheck // the validator's business
		targets = append(targets, s.target(fields))
	}
	return simple("StagedUploadsCreatePayload", map[string]any{"stagedTargets": targets, "userErrors": userErrors("UserError")}), nil
}

// target is one place to upload to: a form, or an address to PUT to.
func (s *Server) target(input map[string]any) *object {
	text := func(name string) string { v, _ := input[name].(string); return v } //nolint:errcheck // the validator's business
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	now := s.clock().UTC()
	up := &upload{
		key:     fmt.Sprintf("tmp/%d/bulk/00000000-0000-4000-8000-%012d/%s", s.id(), s.number, text("filename")),
		expires: now.Add(uploadLife),
	}
	up.signature = sign(up.key, up.expires)
	s.uploads[up.key] = up
	if text("httpMethod") == http.MethodPut {
		address := s.home + uploadsPath + up.key + "?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Signature=" + strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(up.signature)
		return stagedTarget(address, [][2]string{{"content_type", text("mimeType")}, {"acl", "private"}})
	}
	date := now.Format("20060102T150405Z")
	credential := "assets@fake-tiers.example/" + now.Format("20060102") + "/auto/storage/goog4_request"
	policy, err := json.Marshal(map[string]any{
		"conditions": []any{
			map[string]any{"Content-Type": text("mimeType")},
			map[string]any{"success_action_status": "201"},
			map[string]any{"acl": "private"},
			[]any{"content-length-range", 1, largestUpload},
			map[string]any{"bucket": "fake-staged-uploads"},
			map[string]any{"key": up.key},
			map[string]any{"x-goog-date": date},
			map[string]any{"x-goog-credential": credential},
			map[string]any{"x-goog-algorithm": "GOOG4-RSA-SHA256"},
		},
		"expiration": up.expires.Format(time.RFC3339),
	})
	if err != nil {
		panic("shopifytest: policy: " + err.Error())
	}
	up.policy = base64.StdEncoding.EncodeToString(policy)
	return stagedTarget(s.home+uploadsPath, [][2]string{
		{"Content-Type", text("mimeType")},
		{"success_action_status", "201"},
		{"acl", "private"},
		{"key", up.key},
		{"x-goog-date", date},
		{"x-goog-credential", credential},
		{"x-goog-algorithm", "GOOG4-RSA-SHA256"},
		{"x-goog-signature", up.signature},
		{"policy", up.policy},
	})
}

func stagedTarget(address string, parameters [][2]string) *object {
	list := make([]any, len(parameters))
	for i, p := range parameters {
		list[i] = simple("StagedUploadParameter", map[string]any{"name": p[0], "value": p[1]})
	}
	return simple("StagedMediaUploadTarget", map[string]any{"url": address, "resourceUrl": address, "parameters": list})
}

// upload takes a file.
func (s *Server) upload(r *http.Request) *answer {
	if r.Method == http.MethodPut {
		return s.put(r)
	}
	if r.Method != http.MethodPost || r.URL.Path != uploadsPath {
		return storageError(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	}
	fields, body, err := readForm(r)
	if err != nil {
		return storageError(http.StatusBadRequest, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	up := s.uploads[fields["key"]]
	if up == nil || fields["x-goog-signature"] != up.signature {
		return storageError(http.StatusForbidden, "SignatureDoesNotMatch", "Access denied.")
	}
	if refused := up.refuses(fields, body, s.clock()); refused != nil {
		return refused
	}
	up.body, up.there = body, true
	status, err := strconv.Atoi(fields["success_action_status"])
	if err != nil {
		status = http.StatusNoContent
	}
	const bucket = "fake-staged-uploads"
	a := storageError(status, "", "")
	a.body = fmt.Appendf(nil, "<?xml version='1.0' encoding='UTF-8'?><PostResponse><Location>https://storage.example/%s/%s</Location><Bucket>%s</Bucket><Key>%s</Key><ETag>\"%x\"</ETag></PostResponse>",
		bucket, up.key, bucket, up.key, md5.Sum(body)) //nolint:gosec // the ETag of the storage
	return a
}

// refuses holds a form against the policy that it brings: every condition must be met by a field, in the value given.
func (up *upload) refuses(fields map[string]string, body []byte, now time.Time) *answer {
	invalid := func(what string) *answer {
		return storageError(http.StatusForbidden, "InvalidPolicyDocument", "The content of the form does not meet the conditions specified in the policy document: "+what)
	}
	if fields["policy"] != up.policy {
		return invalid("policy")
	}
	if now.After(up.expires) {
		return invalid("expired")
	}
	b, err := base64.StdEncoding.DecodeString(up.policy)
	if err != nil {
		return invalid("policy")
	}
	var policy struct {
		Conditions []json.RawMessage `json:"conditions"`
	}
	if err := json.Unmarshal(b, &policy); err != nil {
		return invalid("policy")
	}
	for _, condition := range policy.Conditions {
		var exact map[string]string
		if json.Unmarshal(condition, &exact) != nil {
			continue // the range, below
		}
		for name, want := range exact {
			if name != "bucket" && fields[name] != want {
				return invalid(name)
			}
		}
	}
	switch {
	case len(body) == 0:
		return storageError(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum object size specified in your Policy Document.")
	case len(body) > largestUpload:
		return storageError(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload is larger than the maximum object size specified in your Policy Document.")
	}
	return nil
}

// readForm reads the fields of a form and its file, behind which nothing is read.
func readForm(r *http.Request) (map[string]string, []byte, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, nil, err
	}
	fields := map[string]string{}
	for {
		part, err := form.NextPart()
		if err != nil {
			return nil, nil, errors.Join(errors.New("no file"), err)
		}
		body, err := readPart(part)
		if err != nil {
			return nil, nil, err
		}
		if part.FormName() == "file" {
			return fields, body, nil
		}
		fields[part.FormName()] = string(body)
	}
}

func readPart(part *multipart.Part) ([]byte, error) {
	return io.ReadAll(io.LimitReader(part, largestUpload+1))
}

// put takes a file at an address of its own, whatever its size.
func (s *Server) put(r *http.Request) *answer {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return storageError(http.StatusBadRequest, "IncompleteBody", "The request body is not complete.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	up := s.uploads[strings.TrimPrefix(r.URL.Path, uploadsPath)]
	if up == nil || r.URL.Query().Get("X-Goog-Signature") != up.signature || s.clock().After(up.expires) {
		return storageError(http.StatusForbidden, "SignatureDoesNotMatch", "Access denied.")
	}
	up.body, up.there = body, true
	return &answer{status: http.StatusOK, header: http.Header{}}
}

// uploaded finds the file of a path.
func (s *Server) uploaded(path string) ([]byte, []userError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	up := s.uploads[path]
	switch {
	case up == nil || !up.there || s.clock().After(up.expires):
		return nil, []userError{{
			message: "The JSONL file could not be found. Try uploading the file again, and check that you've entered the URL correctly for the stagedUploadPath mutation argument.",
			code:    "NO_SUCH_FILE",
		}}
	case len(up.body) == 0:
		return nil, []userError{{message: "The input file is empty.", code: "INVALID_STAGED_UPLOAD_FILE"}}
	case len(up.body) > largestUpload:
		return nil, []userError{{message: "The input file size exceeds the maximum allowed size of 100 MB.", code: "INVALID_STAGED_UPLOAD_FILE"}}
	}
	return up.body, nil
}
