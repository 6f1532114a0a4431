package shopify

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
)

// jobVersion is that of the form in which jobs are written.
const jobVersion = 2

// job is work that lies at Shopify in files. It holds everything that another process needs to go on: the files with the
// operations that were started on them, and which line is about whom. Each file is over before the next one is started.
// Packed, a job of 100,000 people in sequence has some kilobytes.
type job struct {
	Version int       `json:"v"`
	People  packed    `json:"people"`
	Failed  []failure `json:"failed,omitempty"`
	Files   []sheet   `json:"files"` // those not over yet, in their order

	files  int      // while they are made: how many there will be, or more where one is too large
	places []target // where the next ones go, asked for already
}

// failure is what went wrong for some people in the same way.
type failure struct {
	State  connectors.OutcomeState `json:"state"`
	Reason string                  `json:"reason"`
	Places packed                  `json:"places"` // among the people
}

// sheet is one uploaded file of variables, and the mutation that runs over it.
type sheet struct {
	Step      step   `json:"step"`
	Path      string `json:"path"`
	Lines     packed `json:"lines"`               // places among the people, by line
	Operation string `json:"operation,omitempty"` // global id, once it is started
}

// text is the job as it is kept.
func (j job) text() (connectors.Job, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return "", fmt.Errorf("job: %w", err)
	}
	return connectors.Job(text), nil
}

// openJob reads a job and checks it.
func openJob(text connectors.Job) (job, error) {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return j, unknownJob(err)
	}
	if j.Version != jobVersion {
		return j, unknownJob(fmt.Errorf("its version is %d", j.Version))
	}
	for _, f := range j.Files {
		if !f.Lines.within(len(j.People)) || f.Path == "" {
			return j, unknownJob(errors.New("a line is about nobody"))
		}
	}
	for _, f := range j.Failed {
		if !f.Places.within(len(j.People)) {
			return j, unknownJob(errors.New("an outcome is about nobody"))
		}
	}
	return j, nil
}

// verdicts are those on all people so far, by place.
func (j job) verdicts() []verdict {
	verdicts := make([]verdict, len(j.People))
	for _, f := range j.Failed {
		for _, place := range f.Places {
			verdicts[place] = verdict{state: f.State, reason: f.Reason}
		}
	}
	return verdicts
}

// fail takes verdicts on people by place, those that are good left out.
func (j *job) fail(verdicts []verdict) {
	groups := map[verdict]packed{}
	for place, v := range verdicts {
		if !v.good() {
			groups[v] = append(groups[v], int64(place))
		}
	}
	j.Failed = nil
	for _, v := range slices.SortedFunc(maps.Keys(groups), func(a, b verdict) int { return cmp.Compare(groups[a][0], groups[b][0]) }) {
		j.Failed = append(j.Failed, failure{State: v.state, Reason: v.reason, Places: groups[v]})
	}
}

// outcomes tell about everybody when all files are over.
func (j job) outcomes() []connectors.Outcome {
	outcomes := make([]connectors.Outcome, len(j.People))
	for place, v := range j.verdicts() {
		outcomes[place] = wish{person: j.People[place]}.outcome(v)
	}
	return outcomes
}

func unknownJob(err error) error {
	return &connectors.Error{
		Kind: connectors.KindPermanent, Op: "push job", Err: err, Remedy: "nothing to do: its people are pushed anew",
	}
}

// packed is a list of numbers that is written as the differences between them, compressed.
type packed []int64

func (p packed) within(n int) bool {
	for _, place := range p {
		if place < 0 || place >= int64(n) {
			return false
		}
	}
	return true
}

// MarshalJSON writes a text.
func (p packed) MarshalJSON() ([]byte, error) {
	var plain []byte
	before := int64(0)
	for _, n := range p {
		plain = binary.AppendVarint(plain, n-before)
		before = n
	}
	var small bytes.Buffer
	w, err := flate.NewWriter(&small, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return json.Marshal(base64.RawStdEncoding.EncodeToString(small.Bytes()))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *packed) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	small, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(small)))
	if err != nil {
		return err
	}
	*p = nil
	for before := int64(0); len(plain) > 0; {
		difference, n := binary.Varint(plain)
		if n <= 0 {
			return errors.New("a number is cut")
		}
		before += difference
		*p, plain = append(*p, before), plain[n:]
	}
	return nil
}
