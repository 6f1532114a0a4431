package shopify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
)

const (
	// fileSize is how many bytes one file may have. Shopify takes 100 MB; the metafields of peopleAtOnce come to 68 MB, and each
	// file more is two calls more. It is in memory twice while it is sent.
	fileSize = 80 << 20
	// firstPoll is the shortest time between two questions about an operation, and longestPoll the longest.
	firstPoll   = time.Second
	longestPoll = time.Minute
	// resultLife is how long Shopify keeps the result of an operation.
	resultLife = 7 * 24 * time.Hour
)

// enqueue uploads the wishes as files, one for each step or several where one would be too large, and returns the job
// that is begun by Resume: so it is kept before anything is run. A line is about one customer, because a mutation does
// all or nothing and a customer who is gone must not take others with him.
func (d *destination) enqueue(ctx context.Context, wishes []wish) (connectors.Job, error) {
	j := job{Version: jobVersion, People: make(connectors.Numbers, len(wishes))}
	for place, w := range wishes {
		j.People[place] = w.person
	}
	j.files = neededSteps(wishes)
	for _, s := range steplist() {
		var content bytes.Buffer
		var lines connectors.Numbers
		for place, w := range wishes {
			for _, c := range d.callsOf(s, place, w) {
				line, err := json.Marshal(c.variables())
				if err != nil {
					return "", &connectors.Error{Kind: connectors.KindPermanent, Op: "staged upload", Err: err}
				}
				if content.Len()+len(line) >= fileSize {
					if err := d.seal(ctx, &j, sheet{Step: s, Lines: lines}, content.Bytes()); err != nil {
						return "", err
					}
					content.Reset()
					lines = nil
				}
				if content.Len() == 0 { // lines are about alike: one piece of memory, and not twice as much
					content.Grow(min(fileSize, (len(line)+2)*(len(wishes)-place)*11/10))
				}
				content.Write(append(line, '\n'))
				lines = append(lines, int64(place))
			}
		}
		if err := d.seal(ctx, &j, sheet{Step: s, Lines: lines}, content.Bytes()); err != nil {
			return "", err
		}
	}
	return j.text()
}

// neededSteps is how many steps the wishes take.
func neededSteps(wishes []wish) (n int) {
	for _, needs := range []func(wish) bool{
		func(w wish) bool { return len(w.leave) > 0 }, func(w wish) bool { return len(w.join) > 0 },
		func(w wish) bool { return len(w.drop) > 0 }, func(w wish) bool { return len(w.set) > 0 },
	} {
		if slices.ContainsFunc(wishes, needs) {
			n++
		}
	}
	return n
}

// seal uploads a file that has lines and puts it into the job.
func (d *destination) seal(ctx context.Context, j *job, f sheet, content []byte) error {
	if len(f.Lines) == 0 {
		return nil
	}
	name := func(i int) string { return fmt.Sprintf("%s-%d.jsonl", d.prefix, i) }
	if len(j.places) == 0 { // for all that are to come, in one call
		var names []string
		for i := len(j.Files); i < max(j.files, len(j.Files)+1); i++ {
			names = append(names, name(i))
		}
		var err error
		if j.places, err = d.stage(ctx, names...); err != nil {
			return permitted(err)
		}
	}
	path, err := d.put(ctx, j.places[0], name(len(j.Files)), content)
	if err != nil {
		return permitted(err)
	}
	j.places = j.places[1:]
	f.Path = path
	d.fresh[path] = true
	j.Files = append(j.Files, f)
	return nil
}

// mark is a word by which the operation on a file is known.
func (f sheet) mark() string {
	sum := sha256.Sum256([]byte(f.Path))
	return hex.EncodeToString(sum[:8])
}

// Resume takes a job one step further: it starts the operation on its first file, or reads the result of that one.
func (d *destination) Resume(ctx context.Context, text connectors.Job) (connectors.Result, error) {
	j, err := openJob(text)
	if err != nil {
		return connectors.Result{}, err
	}
	if len(j.Files) == 0 {
		return connectors.Result{Outcomes: j.outcomes()}, nil
	}
	if j.Files[0].Operation == "" {
		return d.begin(ctx, j, text)
	}
	op, err := d.operation(ctx, j.Files[0].Operation)
	if err != nil {
		return connectors.Result{}, err
	}
	switch op.Status {
	case "CREATED", "RUNNING", "CANCELING":
		pause := min(max(d.now().Sub(op.CreatedAt)/10, d.pause), longestPoll)
		return connectors.Result{Job: text, NotBefore: d.now().Add(pause)}, nil
	}
	return d.finish(ctx, j, op)
}

// begin starts the operation on the first file of a job. Where another process may have done so and been killed before it
// could tell, the operation is looked for first: two on one file do no harm by themselves, but the next file must not be
// started while one of them is still running.
func (d *destination) begin(ctx context.Context, j job, text connectors.Job) (connectors.Result, error) {
	f := &j.Files[0]
	mark := f.mark()
	if !d.fresh[f.Path] {
		going, err := d.running(ctx)
		if err != nil {
			return connectors.Result{}, err
		}
		for _, op := range going {
			if strings.Contains(op.Query, mark) {
				f.Operation = op.ID
			}
		}
	}
	if f.Operation == "" {
		delete(d.fresh, f.Path)
		mutation := strings.Replace(document(f.Step), "mutation call", "mutation call_"+mark, 1)
		op, err := d.startMutation(ctx, mutation, f.Path, d.prefix+"-"+mark)
		var e *connectors.Error
		var busy *errBusy
		if errors.As(err, &e) && errors.As(err, &busy) {
			d.fresh[f.Path] = true // it surely does not run
			return connectors.Result{Job: text, NotBefore: e.Until}, nil
		}
		if err != nil {
			return connectors.Result{}, permitted(err)
		}
		f.Operation = op.ID
	}
	begun, err := j.text()
	return connectors.Result{Job: begun, NotBefore: d.now().Add(d.pause)}, err
}

// finish reads the result of the operation on the first file. Nobody is told about before all files are over: whoever is to
// be tried again must not be while a later file still says something about them.
func (d *destination) finish(ctx context.Context, j job, op operation) (connectors.Result, error) {
	f := j.Files[0]
	address, missing := op.URL, "Shopify gave no answer for this customer"
	if op.Status != "COMPLETED" {
		address, missing = op.PartialURL, "the bulk operation ended as "+strings.ToLower(strings.Join([]string{op.Status, op.ErrorCode}, " "))
		d.log.WarnContext(ctx, "bulk operation did not complete", "step", string(f.Step), "status", op.Status, "code", op.ErrorCode)
	}
	lines := slices.Repeat([]verdict{later(strings.TrimSpace(missing))}, len(f.Lines))
	if address != "" {
		if err := d.results(ctx, address, f.Step, lines); err != nil {
			if errors.Is(err, errExpired) && d.now().Sub(op.CompletedAt) > resultLife {
				return connectors.Result{}, connectors.UnknownJob(err)
			}
			return connectors.Result{}, err
		}
	}
	verdicts := j.verdicts()
	for i, place := range f.Lines {
		if verdicts[place].good() {
			verdicts[place] = lines[i]
		}
	}
	j.fail(verdicts)
	j.Files = j.Files[1:]
	if len(j.Files) == 0 || all(verdicts, func(v verdict) bool { return !v.good() }) {
		return connectors.Result{Outcomes: j.outcomes()}, nil
	}
	rest, err := j.text()
	return connectors.Result{Job: rest}, err
}

// resultLine is what became of one line of a file.
type resultLine struct {
	Data   map[string]*payload `json:"data"`
	Errors []failing           `json:"errors"`
	Line   *int                `json:"__lineNumber"`
}

// results reads a result file part by part and notes the verdict on each line. Lines come in any order.
func (d *destination) results(ctx context.Context, address string, s step, verdicts []verdict) error {
	var from int64
	var rest []byte
	for {
		body, whole, err := d.chunk(ctx, address, from, d.set.BulkChunk)
		if err != nil {
			return err
		}
		from += int64(len(body))
		rest = append(rest, body...)
		for {
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				break
			}
			d.line(rest[:end], s, verdicts)
			rest = rest[end+1:]
		}
		if whole {
			d.line(rest, s, verdicts)
			return nil
		}
		if len(body) == 0 {
			return &connectors.Error{Kind: connectors.KindRetry, Op: "bulk result", Err: errors.New("the file does not go on")}
		}
	}
}

// line notes the verdict on one line; one that cannot be read confirms nothing, nor does one that shows nothing.
func (d *destination) line(raw []byte, s step, verdicts []verdict) {
	var l resultLine
	if json.Unmarshal(raw, &l) != nil || l.Line == nil || *l.Line < 0 || *l.Line >= len(verdicts) {
		return
	}
	if len(l.Errors) > 0 {
		verdicts[*l.Line] = later(d.http.Harmless(l.Errors[0].Message))
		return
	}
	for _, p := range l.Data {
		v := d.judge(p)
		if v.good() && p.shows(s) == 0 {
			v = unconfirmed()
		}
		verdicts[*l.Line] = v
	}
}
