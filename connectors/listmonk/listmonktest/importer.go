package listmonktest

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// importer is listmonk's one importer. Its word "finished" does not mean that everything was imported.
type importer struct {
	Name     string `json:"name"`
	Total    int    `json:"total"`
	Imported int    `json:"imported"`
	Status   string `json:"status"`

	log     strings.Builder
	held    bool // by command: stays busy until released
	spoiled ImportFault
	pending func()
}

// ImportFault says how the next import goes wrong.
type ImportFault string

// The ways in which imports go wrong.
const (
	ImportStalls ImportFault = "job stalls"                 // stays busy until ReleaseImport
	ImportPartly ImportFault = "job fails partly"           // stopped in the middle, and called finished
	ImportNone   ImportFault = "job ends with nothing done" // called finished
	ImportFails  ImportFault = "import fails"               // the whole transaction is lost
)

// SpoilImport makes the next import go wrong.
func (s *Server) SpoilImport(f ImportFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.imports.spoiled = f
}

type importParams struct {
	Mode            string `json:"mode"`
	Status          string `json:"subscription_status"`
	Delim           string `json:"delim"`
	Lists           []int  `json:"lists"`
	Overwrite       bool   `json:"overwrite"`
	OverwriteInfo   bool   `json:"overwrite_userinfo"`
	OverwriteStatus bool   `json:"overwrite_subscription_status"`
}

// HoldImport keeps the next imports busy until ReleaseImport.
func (s *Server) HoldImport() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.imports.held = true
}

// ReleaseImport lets a held import go on to its end.
func (s *Server) ReleaseImport() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.imports.held = false
	s.imports.settle()
}

// settle does what is still to be done.
func (i *importer) settle() {
	if i.pending != nil && !i.held {
		i.pending()
		i.pending = nil
	}
}

func (i *importer) show() answer {
	return done(map[string]any{"name": i.Name, "total": i.Total, "imported": i.Imported, "status": i.Status})
}

func (i *importer) note(at, format string, args ...any) {
	fmt.Fprintf(&i.log, at+" "+format+"\n", args...)
}

func (s *Server) importStatus(call) answer {
	s.imports.settle()
	return s.imports.show()
}

func (s *Server) importLog(call) answer {
	s.imports.settle()
	return done(s.imports.log.String())
}

func (s *Server) importStop(call) answer {
	if s.imports.held {
		s.imports.Status, s.imports.pending = "stopping", nil
		return s.imports.show()
	}
	s.imports.settle()
	s.imports = importer{Status: "none"}
	return s.imports.show()
}

func (s *Server) importStart(c call) answer {
	s.imports.settle()
	switch s.imports.Status {
	case "stopping":
		return fail(http.StatusInternalServerError, "Error starting import: an import is already running")
	case "importing":
		return fail(http.StatusBadRequest, "An import is already running. Wait for it to finish or stop it before trying again.")
	}
	var params importParams
	if err := json.Unmarshal([]byte(c.FormValue("params")), &params); err != nil {
		return fail(http.StatusBadRequest, "Invalid `params` field: "+err.Error())
	}
	switch {
	case params.Mode != "subscribe" && params.Mode != "blocklist":
		return fail(http.StatusBadRequest, "Invalid mode")
	case len(params.Delim) != 1:
		return fail(http.StatusBadRequest, "Delimiter should be a single character.")
	case params.Mode == "subscribe" && len(params.Lists) == 0:
		return fail(http.StatusForbidden, "Permission denied: lists")
	}
	name, content, message := upload(c)
	if message != "" {
		return fail(http.StatusInternalServerError, message)
	}
	spoiled := s.imports.spoiled
	s.imports = importer{Name: name, Status: "importing", held: s.imports.held || spoiled == ImportStalls}
	if s.imports.held {
		s.imports.Total = bytes.Count(content, []byte("\n")) - 1
	}
	s.imports.note(s.stamp(), "importer.go:193: processing '%s'", name)
	s.imports.pending = func() { s.runImport(params, content, spoiled) }
	return done(map[string]any{"name": name, "total": 0, "imported": 0, "status": "importing"})
}

func (s *Server) stamp() string { return s.opts.Now().UTC().Format("2006/01/02 15:04:05.000000") }

// upload returns the file sent, unpacked where it is no CSV.
func upload(c call) (name string, content []byte, message string) {
	file, header, err := c.FormFile("file")
	if err != nil {
		return "", nil, "Invalid `file`: " + err.Error()
	}
	defer func() { _ = file.Close() }()
	content, err = io.ReadAll(file)
	if err != nil {
		return "", nil, err.Error()
	}
	if strings.HasSuffix(header.Filename, ".csv") {
		return header.Filename, content, ""
	}
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil || len(archive.File) == 0 {
		return "", nil, "Error processing ZIP file: zip: not a valid zip file"
	}
	inner, err := archive.File[0].Open()
	if err != nil {
		return "", nil, "Error processing ZIP file: " + err.Error()
	}
	defer func() { _ = inner.Close() }()
	content, err = io.ReadAll(inner)
	if err != nil {
		return "", nil, "Error processing ZIP file: " + err.Error()
	}
	return header.Filename, content, ""
}

// importRow is one line of the file that was understood.
type importRow struct {
	email, name string
	attribs     map[string]any
}

func (s *Server) runImport(params importParams, content []byte, spoiled ImportFault) {
	i := &s.imports
	i.Total = max(0, bytes.Count(content, []byte("\n"))-1)
	rows, ok := s.readImport(params, content)
	if !ok {
		i.Status = "failed"
		return
	}
	switch spoiled {
	case ImportPartly:
		rows = rows[:len(rows)/2]
	case ImportNone:
		rows = nil
	}
	if spoiled == ImportFails || bytes.IndexByte(content, 0) >= 0 {
		i.note(s.stamp(), `importer.go:315: error executing insert: pq: invalid byte sequence for encoding "UTF8": 0x00`)
		i.note(s.stamp(), "importer.go:351: error committing to DB: sql: transaction has already been committed or rolled back")
		i.Status = "failed"
		return
	}
	for _, id := range params.Lists {
		if s.list(id) == nil {
			i.note(s.stamp(), `importer.go:315: error executing insert: pq: insert or update on table "subscriber_lists" violates foreign key constraint "subscriber_lists_list_id_fkey"`)
			i.note(s.stamp(), "importer.go:339: imported finished")
			i.Status = "finished"
			return
		}
	}
	for _, row := range rows {
		s.importOne(params, row)
		i.Imported++
	}
	i.note(s.stamp(), "importer.go:358: imported finished")
	i.Status = "finished"
}

// readImport reads the lines and notes in the log which ones it skips.
func (s *Server) readImport(params importParams, content []byte) ([]importRow, bool) {
	reader := csv.NewReader(bytes.NewReader(content))
	reader.Comma = rune(params.Delim[0])
	header, err := reader.Read()
	if err != nil {
		return nil, false
	}
	column := map[string]int{}
	for at, name := range header {
		if name != "email" && name != "name" && name != "attributes" {
			s.imports.note(s.stamp(), "importer.go:705: ignoring unknown header '%s'", name)
			continue
		}
		column[name] = at
	}
	if _, ok := column["email"]; !ok {
		s.imports.note(s.stamp(), "importer.go:508: 'email' column not found in '/var/tmp/listmonk%d'", 1000+s.lastUUID)
		return nil, false
	}
	var rows []importRow
	for line := 1; ; line++ {
		fields, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return rows, true
		}
		if err != nil {
			s.imports.note(s.stamp(), "importer.go:534: skipping line %d. %s", line, err)
			continue
		}
		if row, ok := s.readImportRow(fields, column, line); ok {
			rows = append(rows, row)
		}
	}
}

func (s *Server) readImportRow(fields []string, column map[string]int, line int) (importRow, bool) {
	row := importRow{attribs: map[string]any{}}
	at, hasName := column["name"]
	if hasName {
		row.name = fields[at]
	}
	row.email = address(fields[column["email"]])
	if row.email == "" {
		s.imports.note(s.stamp(), "importer.go:564: skipping line %d: Invalid email.: %v", line, fields)
		return row, false
	}
	if at, ok := column["attributes"]; ok && strings.TrimSpace(fields[at]) != "" {
		if err := json.Unmarshal([]byte(fields[at]), &row.attribs); err != nil {
			s.imports.note(s.stamp(), "importer.go:575: skipping invalid attributes JSON on line %d for '%s': %s", line, row.email, err)
			row.attribs = map[string]any{}
		}
	}
	return row, true
}

func (s *Server) importOne(params importParams, row importRow) {
	p := s.byEmail[row.email]
	fresh := p == nil
	if fresh {
		p = s.addSubscriber(row.email, row.name, "enabled")
	}
	if fresh || params.OverwriteInfo || params.Overwrite {
		p.Name, p.Attribs = row.name, row.attribs // all of them, other tools' too
	}
	if params.Mode == "blocklist" {
		s.block(p)
		return
	}
	for _, id := range slices.Compact(params.Lists) {
		status := ""
		if p.Lists[id] == nil || params.OverwriteStatus || params.Overwrite {
			status = params.Status
			if status == "" {
				status = unconfirmed
			}
		}
		if p.Status == "blocklisted" {
			status = unsubscribed
		}
		s.subscribe(p, s.list(id), status)
	}
}
