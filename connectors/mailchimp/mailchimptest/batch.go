package mailchimptest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// resultPath is where results lie: elsewhere than the API, under an address that is itself the permission.
const resultPath = "/results/"

// BatchFault says how the next batch goes wrong.
type BatchFault string

// The ways in which batches go wrong.
const (
	BatchStalls BatchFault = "job stalls"                 // it never gets further
	BatchPartly BatchFault = "job fails partly"           // behind the first operation half fail, the rest have no answer
	BatchNone   BatchFault = "job ends with nothing done" // it is finished and holds no answer
	BatchCut    BatchFault = "result is cut"              // the archive breaks off the first time it is read
)

// operation is one request in a batch.
type operation struct {
	Method string            `json:"method"`
	Path   string            `json:"path"`
	Params map[string]string `json:"params"`
	Body   string            `json:"body"`
	ID     string            `json:"operation_id"`
}

// batch is a job.
type batch struct {
	ID         string
	Operations []operation
	Fault      BatchFault
	Asked      int
	Status     string
	Results    []map[string]any
	Errored    int
	Submitted  time.Time
	Read       int // how often the result was downloaded
}

func (s *Server) createBatch(c call) answer {
	var in struct {
		Operations []operation `json:"operations"`
	}
	if !c.decode(&in) || len(in.Operations) == 0 || len(in.Operations) > MostOperations {
		return invalid("The resource submitted could not be validated.", complaint{"operations", "1 to 1000 operations"})
	}
	open := 0
	for _, b := range s.batches {
		if b.Status != "finished" {
			open++
		}
	}
	if open >= MostBatches {
		return problem(http.StatusTooManyRequests, "Too Many Requests", "You have more than 500 pending batches.")
	}
	b := &batch{ID: s.word("batch"), Operations: in.Operations, Status: "pending", Submitted: s.opts.Now(), Fault: s.batchFault}
	s.batchFault = ""
	s.batches = append(s.batches, b)
	return done(s.showBatch(b, c.Request))
}

func (s *Server) showBatch(b *batch, r *http.Request) map[string]any {
	m := map[string]any{
		"id": b.ID, "status": b.Status, "total_operations": len(b.Operations), "finished_operations": len(b.Results),
		"errored_operations": b.Errored, "submitted_at": b.Submitted.UTC().Format(time.RFC3339), "response_body_url": "",
	}
	if b.Status == "pending" { // not counted yet
		m["total_operations"] = 0
	}
	if b.Status == "finished" {
		m["completed_at"] = s.opts.Now().UTC().Format(time.RFC3339)
		m["response_body_url"] = "http://" + r.Host + resultPath + b.ID + ".tar.gz?Signature=" + b.ID
	}
	return m
}

func (s *Server) batch(id string) *batch {
	for _, b := range s.batches {
		if b.ID == id {
			return b
		}
	}
	return nil
}

// getBatch lets the batch go on: time passes by being asked.
func (s *Server) getBatch(c call) answer {
	b := s.batch(c.args[0])
	if b == nil {
		return missing()
	}
	b.Asked++
	switch {
	case b.Status == "finished":
	case b.Fault == BatchStalls || b.Asked <= s.opts.Polls:
		b.Status = "started"
	default:
		s.work(c, b)
		b.Status = "finished"
	}
	return s.filtered(c, s.showBatch(b, c.Request))
}

// work carries the operations out.
func (s *Server) work(c call, b *batch) {
	for i, o := range b.Operations {
		switch {
		case b.Fault == BatchNone, b.Fault == BatchPartly && i > len(b.Operations)/2:
			continue
		case b.Fault == BatchPartly && i > 0:
			b.note(o, problem(http.StatusInternalServerError, "Internal Server Error", "An unexpected internal error has occurred."))
			continue
		}
		b.note(o, s.operate(c, o))
	}
	// Answers come in any order.
	slices.Reverse(b.Results)
}

func (b *batch) note(o operation, a answer) {
	if a.status >= 400 {
		b.Errored++
	}
	b.Results = append(b.Results, map[string]any{"status_code": a.status, "operation_id": o.ID, "response": string(a.body)})
}

// operate carries out one operation as the request that it stands for.
func (s *Server) operate(c call, o operation) answer {
	query := url.Values{}
	for name, value := range o.Params {
		query.Set(name, value)
	}
	u := url.URL{Scheme: "http", Host: c.Host, Path: Path + "/" + strings.TrimPrefix(o.Path, "/"), RawQuery: query.Encode()}
	r := &http.Request{
		Method: o.Method, URL: &u, Host: c.Host,
		Header: http.Header{"Authorization": c.Header["Authorization"], "Content-Type": {"application/json"}},
	}
	a := s.carryOut(call{Request: r, body: []byte(o.Body)})
	if s.opts.Validate != nil {
		if err := s.opts.Validate(r, []byte(o.Body), a.status, a.header(), a.body); err != nil {
			s.violations = append(s.violations, "in a batch: "+err.Error())
		}
	}
	return a
}

func (s *Server) deleteBatch(c call) answer {
	b := s.batch(c.args[0])
	if b == nil {
		return missing()
	}
	s.batches = slices.DeleteFunc(s.batches, func(o *batch) bool { return o == b })
	return empty()
}

// download serves a result. It takes no credentials: whoever sends some gives the key to a stranger.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Authorization") != "" {
		s.violations = append(s.violations, "the key was sent to the place where results lie")
	}
	id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, resultPath), ".tar.gz")
	b := s.batch(id)
	if b == nil || r.URL.Query().Get("Signature") != id {
		http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
		return
	}
	b.Read++
	file := archive(b)
	if b.Fault == BatchCut && b.Read == 1 {
		file = file[:len(file)/2]
	}
	w.Header().Set("Content-Type", "application/x-gzip")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
}

// archive packs the answers, 100 to a file.
func archive(b *batch) []byte {
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	files := tar.NewWriter(zipped)
	_ = files.WriteHeader(&tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}) // memory never fails
	n := 0
	for some := range slices.Chunk(b.Results, 100) {
		text, _ := json.Marshal(some)
		n++
		_ = files.WriteHeader(&tar.Header{Name: fmt.Sprintf("./%s-%d.json", b.ID, n), Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))})
		_, _ = files.Write(text)
	}
	_ = files.Close()
	_ = zipped.Close()
	return packed.Bytes()
}
