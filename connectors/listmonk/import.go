package listmonk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// importState is what listmonk says of its one importer. Its word "finished" does not mean that everybody was imported.
type importState struct {
	Name     string `json:"name"`
	Total    int    `json:"total"`
	Imported int    `json:"imported"`
	Status   string `json:"status"`
}

func (s importState) busy() bool { return s.Status == "importing" || s.Status == "stopping" }

const importPath = "/api/import/subscribers"

func (a *api) importState(ctx context.Context) (importState, error) {
	return ask[importState](ctx, a, httpapi.Request{Op: "import", Path: importPath})
}

// alreadyRunning stands in the refusal of an import while another one runs, with status 400, or while that is being stopped,
// with 500.
const alreadyRunning = "already running"

func isBusy(err error) bool {
	said := refusal(err)
	return said != nil && strings.Contains(said.Message, alreadyRunning)
}

func (d *destination) cannotImport() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.noImport
}

// startImport gives newcomers of a list to the importer and returns the name of the file, by which the import is known
// again. What was begun without our hearing of it is recognised by that name. Both ways of overwriting are off: somebody
// who came meanwhile keeps their attributes, and whoever left the list stays out of it. No status is sent.
func (d *destination) startImport(ctx context.Context, list int, newcomers []*task) (name string, err error) {
	content, err := d.importFile(newcomers)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	name = d.prefix + "-" + hex.EncodeToString(sum[:8]) + ".csv"
	body, kind, err := form(name, content, map[string]any{
		"mode": "subscribe", "delim": ",", "lists": []int{list}, "overwrite_userinfo": false, "overwrite_subscription_status": false,
	})
	if err != nil {
		return "", err
	}
	_, err = ask[importState](ctx, d.api, httpapi.Request{
		Op: "import", Method: http.MethodPost, Path: importPath, Body: body, ContentType: kind, Idempotent: true,
	})
	switch {
	case err == nil:
		return name, nil
	case isMissing(err):
		d.mu.Lock()
		d.noImport = true
		d.mu.Unlock()
	case isBusy(err):
		state, asked := d.api.importState(ctx)
		if asked == nil && state.Name == name {
			return name, nil
		}
	}
	return "", err
}

// importFile writes the people as listmonk reads them: its names of columns, and attributes as JSON.
func (d *destination) importFile(newcomers []*task) ([]byte, error) {
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	_ = w.Write([]string{"email", "name", "attributes"}) // Error below tells
	for _, t := range newcomers {
		attribs := []byte("{}")
		if first := d.first(t); first != nil {
			var err error
			if attribs, err = json.Marshal(first); err != nil {
				return nil, fmt.Errorf("import: %w", err)
			}
		}
		who := t.change.Person
		_ = w.Write([]string{who.Email, nameOf(who), string(attribs)})
	}
	w.Flush()
	return file.Bytes(), w.Error()
}

func form(name string, content []byte, params any) (body []byte, kind string, err error) {
	text, err := json.Marshal(params)
	if err != nil {
		return nil, "", fmt.Errorf("import: %w", err)
	}
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	if err := w.WriteField("params", string(text)); err != nil {
		return nil, "", fmt.Errorf("import: %w", err)
	}
	file, err := w.CreateFormFile("file", name)
	if err != nil {
		return nil, "", fmt.Errorf("import: %w", err)
	}
	if _, err := file.Write(content); err != nil {
		return nil, "", fmt.Errorf("import: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, "", fmt.Errorf("import: %w", err)
	}
	return out.Bytes(), w.FormDataContentType(), nil
}

// review compares what was imported with what was given, and where that differs reads the log for those whom the importer
// refused. It returns them by person, with its words. Of an import that somebody followed with another nothing is known.
func (d *destination) review(ctx context.Context, j job, state importState) (map[int64]string, error) {
	people := j.Parts[0].People
	if state.Name != j.File || state.Status == "finished" && state.Imported == len(people) {
		return nil, nil //nolint:nilnil // nobody was refused
	}
	log, err := ask[string](ctx, d.api, httpapi.Request{Op: "import log", Path: importPath + "/logs"})
	if err != nil {
		return nil, err
	}
	refused := map[int64]string{}
	for line, why := range skipped(log) {
		if line <= len(people) {
			refused[people[line-1].Person.ID] = d.api.client.Harmless(why)
		}
	}
	d.log.WarnContext(ctx, "listmonk imported fewer people than it was given: the others are created one by one",
		"given", len(people), "imported", state.Imported, "status", state.Status, "refused", len(refused))
	return refused, nil
}

// skippedLine is how the importer notes a line that it leaves out: the people of a file are counted from 1, and what stands
// behind the reason names them.
var skippedLine = regexp.MustCompile(`skipping line (\d+): ([^\[\n]*?)\.?: \[`)

// skipped returns the lines that a log says were left out, with the reasons.
func skipped(log string) map[int]string {
	lines := map[int]string{}
	for _, m := range skippedLine.FindAllStringSubmatch(log, -1) {
		if line, err := strconv.Atoi(m[1]); err == nil && line > 0 {
			lines[line] = strings.TrimSpace(m[2])
		}
	}
	return lines
}
