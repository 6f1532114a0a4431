package shopifytest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Where files are kept, as the storage of another company is in truth.
const (
	filesPath   = "/_files/"
	resultsPath = filesPath + "results/"
	uploadsPath = filesPath + "uploads/"
)

// file is one that can be downloaded.
type file struct {
	body    []byte
	expires time.Time
}

// store keeps the lines of an operation as a file and answers its address and size; nothing has neither. The caller
// holds the mutex. The last line has no newline.
func (s *Server) store(o *operation, lines [][]byte) (string, int) {
	if len(lines) == 0 {
		return "", 0
	}
	s.number++
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%d", o.id, s.number))
	name := fmt.Sprintf("%x", sum[:14])
	f := &file{body: bytes.Join(lines, []byte("\n")), expires: s.clock().Add(resultsLife)}
	s.files[name] = f
	query := url.Values{
		"GoogleAccessId": {"assets@fake-tiers.example"}, "Expires": {strconv.FormatInt(f.expires.Unix(), 10)}, "Signature": {sign(name, f.expires)},
		"response-content-disposition": {fmt.Sprintf("attachment; filename=%q", fmt.Sprintf("bulk-%d.jsonl", o.id))},
		"response-content-type":        {"application/jsonl"},
	}
	return s.home + resultsPath + name + "?" + query.Encode(), len(f.body)
}

// sign is a signature that only the fake makes.
func sign(name string, expires time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "fake/%s/%d", name, expires.Unix()))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// filed answers requests for files and uploads.
func (s *Server) filed(r *http.Request) *answer {
	if strings.HasPrefix(r.URL.Path, uploadsPath) {
		return s.upload(r)
	}
	name, ok := strings.CutPrefix(r.URL.Path, resultsPath)
	s.mu.Lock()
	f := s.files[name]
	s.mu.Unlock()
	switch {
	case !ok || f == nil || r.Method != http.MethodGet && r.Method != http.MethodHead:
		return storageError(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	case r.FormValue("Signature") != sign(name, f.expires):
		return storageError(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
	case s.clock().After(f.expires):
		return expiredFile()
	}
	h := http.Header{}
	h.Set("Content-Type", "application/jsonl")
	h.Set("Content-Disposition", r.FormValue("response-content-disposition"))
	h.Set("ETag", `"`+name+`"`)
	h.Set("Accept-Ranges", "bytes")
	return &answer{status: http.StatusOK, header: h, body: f.body}
}

func expiredFile() *answer {
	return storageError(http.StatusBadRequest, "ExpiredToken", "The provided token has expired.")
}

// storageError is an error as the storage words it.
func storageError(status int, code, message string) *answer {
	a := &answer{status: status, header: http.Header{"Content-Type": {"application/xml; charset=UTF-8"}}}
	a.body = []byte("<?xml version='1.0' encoding='UTF-8'?><Error><Code>" + code + "</Code><Message>" + message + "</Message></Error>")
	return a
}
