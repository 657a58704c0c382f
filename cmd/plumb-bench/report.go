package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// report is all that a bench found, as it is written to a file.
type report struct {
	Format  string   `json:"format"`
	Machine machine  `json:"machine"`
	Medians []figure `json:"medians"`
	Runs    results  `json:"runs"`
}

const reportFormat = "plumb/bench/v1"

// figure is the median of what a contender needs for an operation on a shape.
type figure struct {
	Shape        string  `json:"shape"`
	Namespaces   int     `json:"namespaces"`
	Contender    string  `json:"contender"`
	Op           string  `json:"op"`
	Rounds       int     `json:"rounds"`
	Milliseconds float64 `json:"ms"`
	PeakKiB      int64   `json:"peak_kib"`
}

func newReport(m machine, runs results) report {
	r := report{Format: reportFormat, Machine: m, Medians: []figure{}, Runs: runs}
	seen := map[key]bool{}
	for _, run := range runs {
		for _, s := range run.Samples {
			k := key{run.Shape, run.Contender, s.Op}
			if seen[k] {
				continue
			}
			seen[k] = true
			ms, rounds := runs.milliseconds(k)
			r.Medians = append(r.Medians, figure{run.Shape, run.Namespaces, run.Contender, s.Op, rounds, ms, runs.peakKiB(k)})
		}
	}
	return r
}

// write prints the table and writes the files that are asked for.
func (o options) write(r report, stdout io.Writer) error {
	table := r.table()
	if _, err := io.WriteString(stdout, table); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("make the report: %w", err)
	}
	if err := errors.Join(writeResult(o.md, []byte(table)), writeResult(o.json, append(text, '\n'))); err != nil {
		return err
	}
	if o.svg == "" {
		return nil
	}
	svg, err := plot(o.plotter, text)
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	return writeResult(o.svg, svg)
}

// writeResult writes a file, if it is asked for.
func writeResult(path string, text []byte) error {
	if path == "" {
		return nil
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}

// plot gives the report to the program that draws it.
func plot(plotter string, report []byte) (svg []byte, err error) {
	var errs bytes.Buffer
	cmd := exec.Command(plotter)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(report), &errs
	if svg, err = cmd.Output(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(errs.Bytes()))
	}
	return svg, nil
}
