package reconcile_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
)

// What a look costs is what it asks the kernel: messages, stays in namespaces, and parameters.
var asking = regexp.MustCompile(`(?m)^\d+ +(sendto|sendmsg|setns|openat2)\(`)

// TestQuestions counts what a run asks, for few namespaces and for more. It is what keeps runs fast that no other test
// sees: that each namespace is visited once, with all that is asked of it, and that a look after a change does not ask
// again for what the change has not touched.
func TestQuestions(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	l := newLab(t)
	bin := plumb(t)
	const few, more = 6, 16
	for _, c := range []struct {
		shape string
		file  func(n int) string
		each  map[string]int // what ten namespaces more may add
	}{
		// In each: a stay, its links, its addresses and its routes of both families, and whether it has a table of
		// nf_tables. Beside the links come whether it forwards, and by which number one of two routers knows the other. The
		// first apply makes them, with three messages for a cable; where IPv6 is used, it looks whether links carry yet.
		{"star", star, map[string]int{"first": 140, "diff": 70, "apply": 70, "change": 70, "destroy": 40}},
		{"line", line, map[string]int{"first": 240, "diff": 70, "apply": 70, "change": 70, "destroy": 120}},
	} {
		t.Run(c.shape, func(t *testing.T) {
			l.names = append(l.names, "x")
			if !kernel.Since(6, 2) { // rtnl_newlink does not yet tell what it has made of a new link, so it is asked
				delete(c.each, "first")
			}
			fewer, many := questions(t, bin, c.file(few)), questions(t, bin, c.file(more))
			t.Log(fewer, many)
			for name, limit := range c.each {
				if fewer[name] == 0 || many[name]-fewer[name] > limit {
					t.Errorf("%s: %d questions of %d namespaces, and %d of %d: more than %d between them",
						name, fewer[name], few, many[name], more, limit)
				}
			}
		})
	}
}

// questions counts those of each of the runs that a topology goes through, on one processor: always the same.
func questions(t *testing.T, bin, text string) map[string]int {
	t.Helper()
	t.Setenv("GOMAXPROCS", "1")
	changed := strings.Replace(text, "10.0.2.1/24", "10.0.2.3/24", 1)
	first := asked(t, bin, "apply", text)
	return map[string]int{
		"first": first, "diff": asked(t, bin, "diff", text), "apply": asked(t, bin, "apply", text),
		"change": asked(t, bin, "apply", changed), "destroy": asked(t, bin, "destroy", changed),
	}
}

// asked counts the questions of a run.
func asked(t *testing.T, bin, verb, text string) int {
	t.Helper()
	dir := t.TempDir()
	file, out := filepath.Join(dir, "x.yaml"), filepath.Join(dir, "trace")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const calls = "trace=sendto,sendmsg,setns,openat2"
	if err := host.Run("strace", "-f", "-e", calls, "-o", out, bin, verb, "-f", file); err != nil {
		t.Fatal(err)
	}
	trace, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return len(asking.FindAll(trace, -1))
}

// star has hosts on a bridge.
func star(n int) string {
	var b strings.Builder
	b.WriteString("name: x\nbridges: {br0: {addresses: [10.0.0.1/16]}}\nnamespaces:\n")
	for i := range n {
		fmt.Fprintf(&b, "  n%d: {interfaces: {eth0: {bridge: br0, addresses: [10.0.%d.1/24]}}}\n", i, i)
	}
	return b.String()
}

// line has routers, each with a cable to the next.
func line(n int) string {
	var b strings.Builder
	b.WriteString("name: x\nnamespaces:\n")
	for i := range n {
		fmt.Fprintf(&b, "  n%d:\n    sysctls: {net.ipv4.ip_forward: 1}\n    interfaces:\n", i)
		fmt.Fprintf(&b, "      left: {addresses: [10.0.%d.2/24]}\n", i)
		if i < n-1 {
			fmt.Fprintf(&b, "      right: {peer: n%d/left, addresses: [10.0.%d.1/24]}\n", i+1, i+1)
		}
	}
	return strings.Replace(b.String(), "      left: {addresses: [10.0.0.2/24]}\n", "", 1)
}
