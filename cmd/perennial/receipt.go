package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// receipt is what forget notes while it works, and writes after every step where a file was asked for.
type receipt struct {
	report.Receipt
	path  string // of the file without its ending; empty for none
	named bool   // the address and numbers of the person are told
}

// newReceipt begins a receipt, or goes on with the one that an earlier try left in the file.
func newReceipt(address, file string, named bool) (*receipt, error) {
	r := &receipt{Receipt: report.NewReceipt(address, named), named: named}
	if file == "" {
		return r, nil
	}
	r.path = file
	for _, ending := range []string{".json", ".txt"} {
		r.path = strings.TrimSuffix(r.path, ending)
	}
	text, err := os.ReadFile(r.path + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return r, r.write()
	}
	if err != nil {
		return nil, fail(exitUsage, "flag --receipt", "choose a file that can be read and written", err)
	}
	var earlier report.Receipt
	if err := json.Unmarshal(text, &earlier); err != nil || earlier.Digest != r.Digest {
		return nil, fail(exitUsage, "flag --receipt: "+r.path+".json holds something else than a receipt for this address; nothing was erased",
			"name another file", nil)
	}
	earlier.Address = r.Address
	r.Receipt = earlier
	return r, r.write()
}

// write puts the receipt into its files: one for machines, one for people. Neither is ever half written.
func (r *receipt) write() error {
	if r.path == "" {
		return nil
	}
	r.Settle()
	var machines, people strings.Builder
	if err := report.JSON(&machines, r.Receipt); err != nil {
		return err
	}
	if err := report.WriteReceipt(&people, r.Receipt); err != nil {
		return err
	}
	for ending, text := range map[string]string{".json": machines.String(), ".txt": people.String()} {
		if err := replaceFile(r.path+ending, text); err != nil {
			return fail(exitUsage, "receipt not written", "choose a file that can be written; what was erased stays erased", err)
		}
	}
	return nil
}

// replaceFile writes a file that only its owner may read, whole or not at all.
func replaceFile(path, text string) error {
	half, err := os.CreateTemp(filepath.Dir(path), ".perennial-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = half.WriteString(text)
	if closing := half.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(half.Name(), path)
	}
	if err != nil {
		_ = os.Remove(half.Name())
	}
	return err
}

// numbered finds what platforms call people: a number or an id behind a word for a person, or anything as long as a key.
var numbered = regexp.MustCompile(`\b((?i:subscriber|customer|account|profile|contact|member|person|user)s?) #?[0-9A-Za-z_-]*[0-9][0-9A-Za-z_-]*|\b[0-9a-zA-Z_-]*[0-9][0-9a-zA-Z_-]{15,}\b`)

// impersonal takes out of a text what names the person, unless that was asked for.
func (r *receipt) impersonal(text string, e activation.Erasure) string {
	if r.named {
		return text
	}
	text = numbered.ReplaceAllStringFunc(text, func(found string) string {
		if word, _, is := strings.Cut(found, " "); is {
			return word + " …"
		}
		return "…"
	})
	for _, name := range e.Names {
		if len(name) > 2 {
			text = strings.ReplaceAll(text, name, "…")
		}
	}
	return text
}

// place is what a destination's erasure is in the receipt.
func (r *receipt) place(s *shop, destination string, e activation.Erasure, err error) report.PlaceReceipt {
	kind := s.kindOf(destination)
	p := report.PlaceReceipt{Destination: destination, Kind: kind, At: s.app.now().UTC(), Outcome: report.ErasedThere, Done: r.impersonal(e.Done, e)}
	switch {
	case err != nil:
		p.Outcome, p.Done, p.Why = report.NotReached, "", r.impersonal(err.Error(), e)
	case !e.Able && e.Stood:
		p.Outcome, p.Why = report.TakenOut, "the platform offers no erasure to others"
		p.ByHand = fmt.Sprintf("erase the person in %s itself, where they may still be", kind)
	case !e.Able:
		p.Outcome, p.Done, p.Why = report.NothingThere, "", "the platform offers no erasure to others"
		p.ByHand = fmt.Sprintf("look for the person in %s itself, in case they are there by another way", kind)
	}
	return p
}
