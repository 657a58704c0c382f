// Command plumb-bench-plot draws what plumb-bench has measured: JSON comes in, SVG goes out. It is a program of its own
// because the bench starts itself as a part of what it measures, and must start as fast as it can.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "plumb-bench-plot:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var r report
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	if r.Format != format {
		return fmt.Errorf("the report's format is %q, not %q", r.Format, format)
	}
	p, err := r.plot()
	if err != nil {
		return err
	}
	return write(p, out)
}

// format is that of the reports which this program knows.
const format = "plumb/bench/v1"

// report is what is drawn of a bench's report.
type report struct {
	Format  string   `json:"format"`
	Medians []figure `json:"medians"`
}

// figure is how long a contender takes for an operation on a shape.
type figure struct {
	Shape        string  `json:"shape"`
	Namespaces   int     `json:"namespaces"`
	Contender    string  `json:"contender"`
	Op           string  `json:"op"`
	Milliseconds float64 `json:"ms"`
}
