package mailchimp

import (
	"errors"
	"fmt"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

// jobVersion is that of the form in which jobs are written.
const jobVersion = 1

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
	return connectors.PackJob(j)
}

// openJob reads a job and checks it.
func (d *destination) openJob(text connectors.Job) (job, error) {
	var j job
	if err := connectors.UnpackJob(text, &j); err != nil {
		return j, err
	}
	switch {
	case j.Version != jobVersion:
		return j, connectors.UnknownJob(fmt.Errorf("its version is %d", j.Version))
	case j.List != d.list:
		return j, connectors.UnknownJob(errors.New("it is about another audience"))
	case len(j.Batches) == 0:
		return j, connectors.UnknownJob(errors.New("it holds no batch"))
	}
	for _, b := range j.Batches {
		if err := b.check(); err != nil {
			return j, connectors.UnknownJob(err)
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
