package connectors

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// largestJob is more than any job unpacks to, and bounds what a damaged one can ask for.
const largestJob = 256 << 20

// PackJob writes what a destination has to know of a job as text: JSON, compressed.
func PackJob(state any) (Job, error) {
	plain, err := json.Marshal(state)
	if err != nil {
		return "", fmt.Errorf("job: %w", err)
	}
	text, err := pack(plain)
	if err != nil {
		return "", fmt.Errorf("job: %w", err)
	}
	return Job(text), nil
}

// UnpackJob reads what PackJob wrote. It fails by UnknownJob on everything else.
func UnpackJob(job Job, state any) error {
	plain, err := unpack(string(job))
	if err != nil {
		return UnknownJob(err)
	}
	if json.Unmarshal(plain, state) != nil {
		return UnknownJob(errors.New("it is not one of ours")) // the error could tell of people
	}
	return nil
}

// UnknownJob is the error about a job that cannot be resumed: its people are pushed anew.
func UnknownJob(err error) error {
	return &Error{Kind: KindPermanent, Op: "push job", Err: err, Remedy: "nothing to do: its people are pushed anew"}
}

// Numbers is a list that JSON holds as the differences between its numbers, compressed: of 100,000 people in sequence some
// kilobytes.
type Numbers []int64

// MarshalJSON writes a text.
func (n Numbers) MarshalJSON() ([]byte, error) {
	var plain []byte
	before := int64(0)
	for _, number := range n {
		plain = binary.AppendVarint(plain, number-before)
		before = number
	}
	text, err := pack(plain)
	if err != nil {
		return nil, err
	}
	return json.Marshal(text)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *Numbers) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	plain, err := unpack(text)
	if err != nil {
		return err
	}
	*n = nil
	for before := int64(0); len(plain) > 0; {
		difference, size := binary.Varint(plain)
		if size <= 0 {
			return errors.New("a number is cut")
		}
		before += difference
		*n, plain = append(*n, before), plain[size:]
	}
	return nil
}

// pack compresses bytes into a text.
func pack(plain []byte) (string, error) {
	var small bytes.Buffer
	w, err := flate.NewWriter(&small, flate.BestCompression)
	if err != nil {
		return "", err
	}
	_, writing := w.Write(plain)
	if err := errors.Join(writing, w.Close()); err != nil {
		return "", err
	}
	return base64.RawStdEncoding.EncodeToString(small.Bytes()), nil
}

func unpack(text string) ([]byte, error) {
	small, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(small)), largestJob))
}
