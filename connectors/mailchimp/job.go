package mailchimp

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

// jobVersion is that of the form in which jobs are written.
const jobVersion = 1

// largestJob bounds what is unpacked of a job that somebody may have damaged.
const largestJob = 64 << 20

// job is work that Mailchimp does in batches. It holds everything that another process needs to go on, and no address:
// operations are known by their place, and the answers name those who have to be tagged.
type job struct {
	Version int      `json:"v"`
	List    string   `json:"list"`
	Tags    []string `json:"tags,omitempty"` // merge tags of ours, over which the sums go
	Batches []batch  `json:"batches"`        // those not over yet
}

// batch is one batch of operations, one for each person.
type batch struct {
	ID     string         `json:"id"`
	Since  time.Time      `json:"since"` // when it went on last, as far as we saw
	Done   int            `json:"done"`  // operations finished then
	People []int64        `json:"people"`
	Sums   []uint32       `json:"sums"`
	Bare   []int          `json:"bare,omitempty"` // places of those who only lose attributes, whatever their consent
	Join   map[int][]int  `json:"join,omitempty"` // tag to places of those who join it once they are stored
	Out    map[int]string `json:"out,omitempty"`  // places of those who are withheld and taken out of their audiences, and why
}

// text is the job as it is kept: packed, for 20,000 people it has some 200 kilobytes.
func (j job) text() (connectors.Job, error) {
	if len(j.Batches) == 0 {
		return "", nil
	}
	plain, err := json.Marshal(j)
	if err != nil {
		return "", fmt.Errorf("job: %w", err)
	}
	var small bytes.Buffer
	w, err := flate.NewWriter(&small, flate.BestCompression)
	if err != nil {
		return "", fmt.Errorf("job: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return "", fmt.Errorf("job: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("job: %w", err)
	}
	return connectors.Job(base64.RawStdEncoding.EncodeToString(small.Bytes())), nil
}

// openJob reads a job and checks it.
func (d *destination) openJob(text connectors.Job) (job, error) {
	var j job
	small, err := base64.RawStdEncoding.DecodeString(string(text))
	if err != nil {
		return j, unknownJob(err)
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(small)), largestJob))
	if err != nil {
		return j, unknownJob(err)
	}
	if err := json.Unmarshal(plain, &j); err != nil {
		return j, unknownJob(err)
	}
	switch {
	case j.Version != jobVersion:
		return j, unknownJob(fmt.Errorf("its version is %d", j.Version))
	case j.List != d.list:
		return j, unknownJob(errors.New("it is about another audience"))
	case len(j.Batches) == 0:
		return j, unknownJob(errors.New("it holds no batch"))
	}
	for _, b := range j.Batches {
		if err := b.check(); err != nil {
			return j, unknownJob(err)
		}
	}
	return j, nil
}

func (b batch) check() error {
	if b.ID == "" || len(b.Sums) != len(b.People) {
		return errors.New("a batch is not whole")
	}
	places := b.Bare
	for _, some := range b.Join {
		places = append(places, some...)
	}
	for place := range b.Out {
		places = append(places, place)
	}
	for _, place := range places {
		if place < 0 || place >= len(b.People) {
			return errors.New("a place is nobody's")
		}
	}
	return nil
}

func unknownJob(err error) error {
	return &connectors.Error{
		Kind: connectors.KindPermanent, Op: "push job", Err: err, Remedy: "nothing to do: its people are pushed anew",
	}
}
