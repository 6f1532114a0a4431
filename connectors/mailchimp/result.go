package mailchimp

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

const (
	resultPart    = 1 << 20   // bytes of the archive in memory at a time
	largestResult = 256 << 20 // bytes of the archive unpacked; a thousand contacts have a few million
)

// operationResult is what became of one operation.
type operationResult struct {
	Status   int    `json:"status_code"`
	ID       string `json:"operation_id"`
	Response string `json:"response"` // a JSON text
}

// results reads the packed archive at an address, file by file and answer by answer, and shows each. The address is signed
// and lives a few minutes only, so a failure means: ask for the batch again and be given another.
func (d *destination) results(ctx context.Context, address string, see func(operationResult)) error {
	if address == "" {
		return badResult(errors.New("the batch has no result yet"))
	}
	file := &remoteFile{read: func(from int64) (httpapi.Response, error) {
		return d.client.Do(ctx, httpapi.Request{Op: "batch result", URL: address, Span: &httpapi.Span{From: from, Size: resultPart}})
	}}
	err := readArchive(file, see)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("batch result: %w", ctx.Err())
	case file.err != nil && connectors.KindOf(file.err) != connectors.KindPermanent:
		return file.err
	case err != nil:
		return badResult(err)
	}
	return nil
}

func badResult(err error) error {
	return &connectors.Error{
		Kind: connectors.KindRetry, Op: "batch result", Err: err, Remedy: "nothing to do: it is read again by the next run",
	}
}

// readArchive unpacks the archive as it comes.
func readArchive(file io.Reader, see func(operationResult)) error {
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	archive := tar.NewReader(io.LimitReader(unpacked, largestResult))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("archive: %w", err)
		}
		if header.Typeflag != tar.TypeReg || !strings.HasSuffix(header.Name, ".json") {
			continue
		}
		if err := readAnswers(archive, see); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
}

// readAnswers reads one file of the archive: a list of answers.
func readAnswers(file io.Reader, see func(operationResult)) error {
	decoder := json.NewDecoder(file)
	if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
		return errors.Join(errors.New("a file holds no list"), err)
	}
	for decoder.More() {
		var r operationResult
		if err := decoder.Decode(&r); err != nil {
			return err
		}
		see(r)
	}
	_, err := decoder.Token()
	return err
}

// remoteFile reads a file part by part.
type remoteFile struct {
	read func(from int64) (httpapi.Response, error)
	rest []byte
	from int64
	end  bool
	err  error
}

// Read gives what is there of the current part, and fetches the next one.
func (f *remoteFile) Read(p []byte) (int, error) {
	for len(f.rest) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		if f.end {
			return 0, io.EOF
		}
		answer, err := f.read(f.from)
		if err == nil && len(answer.Body) == 0 && !answer.End {
			err = io.ErrUnexpectedEOF
		}
		f.err, f.rest, f.end = err, answer.Body, answer.End
		f.from += int64(len(answer.Body))
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}
