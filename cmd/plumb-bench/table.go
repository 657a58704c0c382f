package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// columns are the contenders of the table.
var columns = []string{"floor", "plumb", "script", "batch", "mininet"}

// operations are the rows of a shape.
var operations = []string{"up", "noop", "diff", "change", "down"}

const tableNotes = `Milliseconds from a process's start to its end, medians of the rounds; runs is how many rounds each
had, in the order of the columns. The floor is what the kernel itself takes: netlink messages, one after the other, and
nothing else; beside noop, diff and change it is to read all links, addresses and routes. Each of these four runs three
times a round, and the median counts. A ratio is the median of the ratios of each round. Peak is plumb's resident
memory in MiB.
`

// table is the report in Markdown: a row for each shape and operation.
func (r report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n", r.Machine, tableNotes)
	b.WriteString("| shape | operation | floor | plumb | script | batch | mininet | " +
		"plumb : floor | script : plumb | mininet : plumb | peak | runs |\n")
	b.WriteString("| --- | --- " + strings.Repeat("| ---: ", 10) + "|\n")
	for _, shape := range r.shapes() {
		for _, op := range operations {
			if row := r.row(shape, op); row != nil {
				b.WriteString("| " + strings.Join(row, " | ") + " |\n")
			}
		}
	}
	return b.String()
}

// shapes are those that were built, in their order.
func (r report) shapes() (names []string) {
	for _, run := range r.Runs {
		if !slices.Contains(names, run.Shape) {
			names = append(names, run.Shape)
		}
	}
	return names
}

// row is nil when nobody but the floor has done the operation.
func (r report) row(shape, op string) []string {
	times := []string{}
	var runs []string
	measured := false
	for _, c := range columns {
		ms, rounds := r.Runs.milliseconds(cell(shape, c, op))
		times = append(times, number(ms))
		if rounds > 0 {
			runs = append(runs, strconv.Itoa(rounds))
		}
		measured = measured || rounds > 0 && (c != "floor" || op == "up" || op == "down")
	}
	if !measured {
		return nil
	}
	plumb := cell(shape, "plumb", op)
	return slices.Concat([]string{shape, op}, times, []string{
		number(r.Runs.ratio(plumb, cell(shape, "floor", op))),
		number(r.Runs.ratio(cell(shape, "script", op), plumb)),
		number(r.Runs.ratio(cell(shape, "mininet", op), plumb)),
		number(float64(r.Runs.peakKiB(plumb)) / 1024),
		strings.Join(runs, " "),
	})
}

// cell is what stands in a row for a contender: for the floor, all that only looks is to read.
func cell(shape, contender, op string) key {
	if contender == "floor" && op != "up" && op != "down" {
		op = "read"
	}
	return key{shape, contender, op}
}

// number has three digits or all of those before the point; 0 is none.
func number(n float64) string {
	switch {
	case n == 0:
		return "-"
	case n < 10:
		return strconv.FormatFloat(n, 'f', 2, 64)
	case n < 100:
		return strconv.FormatFloat(n, 'f', 1, 64)
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}
