package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/perennial-cvo/perennial/analysis/dashboard"
	"github.com/perennial-cvo/perennial/analysis/report"
)

// reportFile writes the reports of all selected shops as one file, or none of them where one cannot be had.
func (g *globals) reportFile(ctx context.Context, path string, collect func(context.Context, *shop) (report.Report, error)) error {
	if path == "" {
		return fail(exitUsage, "flag --html: no file is named", "give a name such as report.html, or - for standard output", nil)
	}
	var all []report.Report
	err := g.reading(ctx, func(ctx context.Context, s *shop) error {
		r, err := collect(ctx, s)
		all = append(all, r)
		return err
	})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := dashboard.WriteFile(&b, all...); err != nil {
		return err
	}
	if path == "-" {
		g.printf("%s", b.String())
		return nil
	}
	if err := writeWhole(path, b.Bytes()); err != nil {
		return fail(exitUsage, "the report is not written, and what stood there is kept", "name a file in a folder into which you may write", err)
	}
	if !g.quiet {
		g.printf("%s written, %s; open it in a browser\n", path, of(len(all), "shop"))
	}
	return nil
}

// writeWhole puts a file in its place as a whole, for nobody else to read.
func writeWhole(path string, text []byte) error {
	half, err := os.CreateTemp(filepath.Dir(path), ".perennial-*") // mode 0600
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	defer func() { _ = os.Remove(half.Name()) }() // gone after a rename
	_, err = half.Write(text)
	if err := errors.Join(err, half.Sync(), half.Close()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := os.Rename(half.Name(), path); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
