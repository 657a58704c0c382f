package reconcile_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// examples lists the files of examples/.
func examples(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "examples", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	var names []string
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	return names
}

// indexes tells which link is which: a link that is re-created has another index.
func (l *lab) indexes() string {
	l.Helper()
	var b strings.Builder
	for _, n := range look(l, false).sections {
		for _, link := range n.links {
			fmt.Fprintf(&b, "%s/%s has index %d\n", n.name, link.name, link.index)
		}
	}
	return b.String()
}

func TestSecondApplyWritesNothing(t *testing.T) {
	for _, name := range examples(t) {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.foreign()
			l.uplink()
			topo := l.load(l.example(name))
			l.apply(topo)
			before, links := l.settle(), l.indexes()
			l.converged(topo)
			l.same("after the second apply", before, l.settle())
			if d := difference(links, l.indexes()); d != "" {
				t.Errorf("links were re-created:\n%s", d)
			}
		})
	}
}

// plumb builds the command.
func plumb(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plumb")
	if err := run("go", "build", "-o", path, "../../cmd/plumb"); err != nil {
		t.Fatal(err)
	}
	return path
}

// writing finds system calls that change something, in the words of strace(1).
var writing = []*regexp.Regexp{
	regexp.MustCompile(`^(sendto|sendmsg|sendmmsg|write)\(.*(RTM_(NEW|DEL|SET)|NFT_MSG_(NEW|DEL|DESTROY))`),
	regexp.MustCompile(`^(mount|umount2|unshare|mkdir|mkdirat|unlink|unlinkat|rename|renameat2?|link|linkat|symlinkat|mknodat?|move_mount|open_tree)\(`),
	regexp.MustCompile(`^(openat2?|open|creat)\(.*(/proc/sys|"/run|/proc/sys/net).*(O_WRONLY|O_RDWR|O_CREAT|O_TRUNC)`),
}

// A system call of a line may have an address of a thread before it.
var tracedLine = regexp.MustCompile(`^\d+ +`)

func writes(trace string) []string {
	var found []string
	for line := range strings.Lines(trace) {
		call := tracedLine.ReplaceAllString(strings.TrimSpace(line), "")
		for _, w := range writing {
			if w.MatchString(call) && !strings.Contains(call, "/lock\", ") {
				found = append(found, call)
			}
		}
	}
	return found
}

// What system calls a run makes tells more than our own count: monitors don't see writes of the same value.
func TestSecondApplyUnderStrace(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	l := newLab(t)
	l.uplink()
	bin, file := plumb(t), filepath.Join("..", "..", "examples", "docker0-dual.yaml")
	trace := func() string {
		out := filepath.Join(t.TempDir(), "trace")
		l.sh("strace", "-f", "-s", "200", "-o", out, bin, "apply", "-f", file)
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	l.names = append(l.names, "docker0-dual")
	for _, sign := range []string{"RTM_NEWLINK", "RTM_NEWADDR", "NFT_MSG_NEW", "unshare(", "mount(", "/host", "RTM_NEWROUTE"} {
		if first := strings.Join(writes(trace()), "\n"); !strings.Contains(first, sign) {
			t.Errorf("the first apply is not seen to write %s: this test is blind; it saw\n%s", sign, first)
		}
		l.destroy("docker0-dual")
	}
	trace()
	if found := writes(trace()); len(found) > 0 {
		t.Errorf("the second apply made %d system calls that write:\n%s", len(found), strings.Join(found, "\n"))
	}
}
