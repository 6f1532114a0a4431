package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// Exit codes, by what the caller should do. They are documented in docs/commands.md and do not change.
const (
	exitOK          = 0
	exitFailure     = 1 // something we did not foresee
	exitUsage       = 2 // the command line or the configuration must change
	exitCredentials = 3 // a key is wrong or lacks a permission
	exitUnavailable = 4 // a shop, platform or network was not there: try again later
	exitHeld        = 5 // the guard stopped a push: look, then push --confirm
	exitDatabase    = 6 // the database is not there or refuses
	exitBusy        = 7 // another process is working on the shop
	exitFindings    = 8 // check or a run found something that a person should mend
	exitInterrupted = 130
)

// failure is an error for people, with an exit code and a remedy.
type failure struct {
	code   int
	text   string // what happened and what is kept
	remedy string
	err    error
}

func (f *failure) Error() string {
	if f.err == nil {
		return f.text
	}
	return f.text + ": " + f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// fail makes a failure.
func fail(code int, text, remedy string, err error) error {
	return &failure{code: code, text: text, remedy: remedy, err: err}
}

// explainFailure prints what happened and what to do, and returns the exit code.
func explainFailure(w io.Writer, err error) int {
	code, remedy := classify(err)
	var f *failure
	if code == exitInterrupted && !errors.As(err, &f) {
		_, _ = fmt.Fprintln(w, "perennial: interrupted; everything committed so far is kept, the next run goes on from there")
		return code
	}
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "\n  ")
	_, _ = fmt.Fprintf(w, "perennial: %s\n", text)
	if remedy != "" {
		_, _ = fmt.Fprintf(w, "  what to do: %s\n", remedy)
	}
	return code
}

// classify finds the exit code and the remedy of an error.
func classify(err error) (code int, remedy string) {
	var f *failure
	if errors.As(err, &f) {
		remedy = f.remedy
		if remedy == "" {
			remedy = connectors.Remedy(err)
		}
		return f.code, remedy
	}
	if errors.Is(err, context.Canceled) {
		return exitInterrupted, ""
	}
	var held *activation.HeldError
	if errors.As(err, &held) {
		return exitHeld, "look at perennial push --dry-run; then confirm each audience by name, or leave it: the next night asks again"
	}
	if errors.Is(err, analysis.ErrNotLoaded) {
		return exitFindings, "perennial sync goes on with the first load"
	}
	if errors.Is(err, postgres.ErrDaySaved) {
		return exitFindings, "the clock or the shop's time zone went back; if that is right there is nothing to do: the first new day is analysed again"
	}
	if postgres.Unavailable(err) {
		return exitDatabase, "see that PostgreSQL runs and answers; what was committed is kept, and the next run goes on from there"
	}
	var e *connectors.Error
	if !errors.As(err, &e) {
		return exitFailure, ""
	}
	switch e.Kind {
	case connectors.KindCredentials:
		return exitCredentials, e.Remedy
	case connectors.KindPermanent:
		return exitUsage, e.Remedy
	case connectors.KindRecord:
		return exitFindings, e.Remedy
	default:
		return exitUnavailable, e.Remedy
	}
}
