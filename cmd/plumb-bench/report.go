package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
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
		return err
	}
	if o.md != "" {
		if err := os.WriteFile(o.md, []byte(table), 0o644); err != nil {
			return err
		}
	}
	if o.json != "" {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetIndent("", " ")
		if err := e.Encode(r); err != nil {
			return err
		}
		if err := os.WriteFile(o.json, b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	if o.svg != "" {
		if err := r.plot(o.svg); err != nil {
			return fmt.Errorf("plot: %w", err)
		}
	}
	return nil
}
