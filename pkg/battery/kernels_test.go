package battery

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/link"
)

// kernelsFile tells how each case ended on each of Debian's kernels.
const kernelsFile = "../../testdata/kernels.md"

var kernelLog = flag.String("log", "", "a log of .ci/vm/test, which testdata/kernels.md is to tell of")

// TestKernels: each kind of object and each type of link is in a case that testdata/kernels.md has a row for. With -log
// the file is written anew: how the cases ended of which the log tells, and the rest as it was.
func TestKernels(t *testing.T) {
	text, err := os.ReadFile(kernelsFile)
	if err != nil {
		t.Fatal(err)
	}
	ended, cases := parseEnded(string(text)), allCases(t)
	if *kernelLog != "" {
		log, err := os.ReadFile(*kernelLog)
		if err != nil {
			t.Fatal(err)
		}
		ended.add(string(log))
		table := ended.table(slices.Sorted(maps.Keys(cases)))
		if err := os.WriteFile(kernelsFile, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
		ended = parseEnded(table)
	}
	missing := make(map[string]bool)
	for _, k := range kinds.Table() {
		missing[k.Name] = true
	}
	for _, row := range link.Types {
		missing[row.Name] = true
	}
	for name := range ended {
		for _, o := range cases[name].objects() {
			delete(missing, o.Key().Kind)
			if l, ok := o.(link.Link); ok {
				delete(missing, l.Type)
			}
		}
	}
	for name := range missing {
		t.Errorf("%s has no row for a case with a %s: make test-kernels TESTS=TestCases/KIND writes one, "+
			"and so does go test ./pkg/battery -run TestKernels -log /dev/null", kernelsFile, name)
	}
}

// allCases are all cases, by name.
func allCases(t *testing.T) map[string]Case {
	t.Helper()
	files, err := filepath.Glob("../../testdata/cases/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	all := make(map[string]Case)
	for _, file := range files {
		c, err := Parse(file)
		if err != nil {
			t.Fatal(err)
		}
		all[c.Name] = c
	}
	return all
}

// endings are how cases ended, in words, by case and kernel ("6.1").
type endings map[string]map[string]string

func (e endings) set(name, kernel, how string) {
	if e[name] == nil {
		e[name] = make(map[string]string)
	}
	e[name][kernel] = how
}

// parseEnded reads the table that [endings.table] writes.
func parseEnded(text string) endings {
	e := make(endings)
	var kernels []string
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		switch {
		case cells[0] == "case":
			for _, head := range cells[1:] {
				kernels = append(kernels, strings.TrimPrefix(head, "Linux "))
			}
		case len(cells) == len(kernels)+1 && cells[0] != "---":
			for i, how := range cells[1:] {
				e.set(cells[0], kernels[i], how)
			}
		}
	}
	return e
}

// What a log of .ci/vm/test tells: the code and the day, the kernel, what it lacks, and how each case ended.
var (
	logRun    = regexp.MustCompile(`(?m)^plumb (.+)$`)
	logKernel = regexp.MustCompile(`Linux version (\d+\.\d+)\S* .*Debian (\S+)`)
	logLacks  = regexp.MustCompile(`the kernel lacks what (\S+) needs: (.*)`)
	logEnd    = regexp.MustCompile(`(?m)^ {8}--- (PASS|FAIL): TestCases/(\S+/\S+) `)
)

func (e endings) add(log string) {
	run, kernel := logRun.FindStringSubmatch(log), logKernel.FindStringSubmatch(log)
	if run == nil || kernel == nil {
		return // no case was tried
	}
	for _, m := range logEnd.FindAllStringSubmatch(log, -1) {
		how := map[string]string{"PASS": "passed", "FAIL": "**failed**"}[m[1]]
		e.set(m[2], kernel[1], fmt.Sprintf("%s (%s, plumb %s)", how, kernel[2], run[1]))
	}
	for _, m := range logLacks.FindAllStringSubmatch(log, -1) {
		e.set(m[1], kernel[1], "lacks "+m[2])
	}
}

// kernels lists the kernels, oldest first.
func (e endings) kernels() []string {
	all := make(map[string]bool)
	for _, on := range e {
		for kernel := range on {
			all[kernel] = true
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if olderThan(a, b) {
			return -1
		}
		return 1
	})
}

// table is the file: a row for each case, a column for each kernel.
func (e endings) table(cases []string) string {
	kernels := e.kernels()
	var b strings.Builder
	fmt.Fprintf(&b, `# The cases on Debian's kernels

How each case of [testdata/cases](cases) ended when it was last run on each kernel: create, again, change and back,
changes by hand, a sample of the faults, destroy. In brackets are Debian's version of the kernel, the commit and the
day. %s writes this file.

| case | Linux %s |
| --- |%s
`, "`make test-kernels`", strings.Join(kernels, " | Linux "), strings.Repeat(" --- |", len(kernels)))
	for _, name := range cases {
		fmt.Fprintf(&b, "| %s |", name)
		for _, kernel := range kernels {
			how := e[name][kernel]
			if how == "" {
				how = "not run yet"
			}
			fmt.Fprintf(&b, " %s |", how)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestEnded(t *testing.T) {
	const log = `plumb 0a1b2c, 2026-11-30
    battery_test.go:43: Linux version 6.1.0-57-cloud-amd64 (debian) #1 SMP Debian 6.1.192-3 (2026-11-26)
    battery_test.go:84: the kernel lacks what netkit/cable needs: netkit
        --- PASS: TestCases/bond/modes (1.00s)
        --- SKIP: TestCases/netkit/cable (1.00s)
        --- FAIL: TestCases/veth/peers (1.00s)
            --- PASS: TestCases/hand/a_change (1.00s)
`
	e := make(endings)
	e.set("bond/modes", "6.1", "passed long ago")
	e.set("bond/modes", "6.12", "passed there")
	e.set("gone/gone", "6.12", "passed there")
	e = parseEnded(e.table([]string{"bond/modes", "gone/gone"}))
	e.add(log)
	text := e.table([]string{"bond/modes", "netkit/cable", "veth/peers"})
	_, rows, _ := strings.Cut(text, "| --- |\n")
	const want = `| bond/modes | passed (6.1.192-3, plumb 0a1b2c, 2026-11-30) | passed there |
| netkit/cable | lacks netkit | not run yet |
| veth/peers | **failed** (6.1.192-3, plumb 0a1b2c, 2026-11-30) | not run yet |
`
	if rows != want {
		t.Errorf("got\n%s\nwant\n%s", rows, want)
	}
}
