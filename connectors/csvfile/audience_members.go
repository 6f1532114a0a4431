package csvfile

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// membersPage is how many people are read back at once.
const membersPage = 2000

// Members reads an audience's file, as it stands there whoever wrote to it. A file that is not to be read any more holds
// nobody: the next push writes it anew. The cursor is where the next line begins.
func (d *audienceFiles) Members(ctx context.Context, audience connectors.Audience, cursor connectors.Cursor) (connectors.MemberPage, error) {
	done := connectors.MemberPage{Done: true}
	if err := ctx.Err(); err != nil {
		return done, err
	}
	file, err := os.Open(d.path(d.audienceFile(audience.Key)))
	if isMissing(err) && exists(d.folder) {
		return done, nil
	}
	if err != nil {
		return done, d.explain(fmt.Errorf("folder: %w", err))
	}
	defer func() { _ = file.Close() }() // reading
	header, at, err := readHeader(file)
	if err != nil || !d.isOurs(header) {
		d.log.WarnContext(ctx, "an audience file cannot be read back", "audience", audience.Key)
		return done, nil
	}
	if cursor != "" {
		if at, err = strconv.ParseInt(string(cursor), 10, 64); err != nil {
			return done, &connectors.Error{Kind: connectors.KindPermanent, Op: "cursor of members", Err: err}
		}
	}
	if _, err := file.Seek(at, io.SeekStart); err != nil {
		return done, d.explain(fmt.Errorf("folder: %w", err))
	}
	return d.readMembers(file, header, at), nil
}

// Leavers are none: nobody unsubscribes from a file. So it need not be read back before each push.
func (d *audienceFiles) Leavers(context.Context, time.Time, connectors.Cursor) (connectors.MemberPage, error) {
	return connectors.MemberPage{Done: true}, nil
}

func readHeader(file io.Reader) (header []string, end int64, err error) {
	lines := csv.NewReader(bufio.NewReader(file))
	header, err = lines.Read()
	return header, lines.InputOffset(), err
}

// isOurs reports whether a header is one of ours.
func (d *audienceFiles) isOurs(header []string) bool {
	if len(header) < len(plainColumns) {
		return false
	}
	for i, name := range plainColumns {
		if header[i] != name {
			return false
		}
	}
	return true
}

func (d *audienceFiles) readMembers(from io.Reader, header []string, at int64) connectors.MemberPage {
	var page connectors.MemberPage
	lines := csv.NewReader(bufio.NewReader(from))
	lines.FieldsPerRecord = len(header)
	for len(page.Members) < membersPage {
		cells, err := lines.Read()
		if err != nil { // the end, or a line that somebody spoiled
			page.Done = true
			return page
		}
		m := connectors.Member{
			Email: unguard(cells[0]), CustomerID: unguard(cells[1]), Attributes: map[string]string{},
			Consent: commerce.Consent{State: commerce.ConsentUnknown},
		}
		for i := len(plainColumns); i < len(cells); i++ {
			if name, ours := strings.CutPrefix(header[i], d.prefix+"_"); ours && cells[i] != "" {
				m.Attributes[name] = unguard(cells[i])
			}
		}
		page.Members = append(page.Members, m)
	}
	page.Next = connectors.Cursor(strconv.FormatInt(at+lines.InputOffset(), 10))
	return page
}
