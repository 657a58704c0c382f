package reconcile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/kernel"
)

// fails is a topology that can't be made where somebody's namespace has the VXLAN id, seen only when much of it is
// made.
const fails = `
name: fails
bridges: {br0: {addresses: [10.77.0.1/24]}}
interfaces: {vx1: {vxlan: {id: 77, remote: 192.0.2.1}}}
namespaces: {ns1: {interfaces: {eth0: {bridge: br0, addresses: [10.77.0.2/24]}}}}
`

// topologyFile writes a topology to a file.
func topologyFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "topology.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The exit codes of the command, on a real kernel.
func TestExitCodes(t *testing.T) {
	l := newLab(t)
	l.foreign()
	bin, good := plumb(t), "../../examples/docker0.yaml"
	l.names = append(l.names, "docker0", "fails")
	exits(t, 1, bin, "diff", "-f", good)
	exits(t, 0, bin, "apply", "-f", good)
	exits(t, 0, bin, "diff", "-f", good)
	exits(t, 4, bin, "apply", "-f", "../../examples/docker0-dual.yaml") // has the same names
	exits(t, 4, bin, "diff", "-f", "../../examples/docker0-dual.yaml")
	exits(t, 2, bin, "apply", "-f", topologyFile(t, "name: x\nbrigdes: {}\n"))
	exits(t, 0, bin, "destroy", "docker0")
	l.restored("after destroy", l.base.Text)
	l.sh("ip", "netns", "add", "holder")
	l.sh("ip", "link", "add", "held", "type", "vxlan", "id", "77", "dstport", "4789", "remote", "192.0.2.1")
	l.sh("ip", "link", "set", "held", "netns", "holder")
	before := l.settle()
	file := topologyFile(t, fails)
	said := exits(t, 6, bin, "apply", "-f", file)
	if !strings.Contains(said, "rolled back") || !strings.HasPrefix(said, "plumb: "+file+":4: apply fails: link vx1: ") {
		t.Errorf("it says %q", said)
	}
	l.restored("after the rollback", before)
	exits(t, 5, bin, "apply", "--keep", "-f", topologyFile(t, fails))
	exits(t, 0, bin, "destroy", "fails")
	l.restored("after destroy", before)
	l.sh("ip", "netns", "del", "holder")
}

// confirming starts an apply that waits for a confirmation, and waits until it does. Its output is a file: a pipe
// would be held open by the process that outlives it.
func confirming(l *lab, t *testing.T, bin, within string, args ...string) *exec.Cmd {
	t.Helper()
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = said.Close() }) // nothing is written by us
	cmd := exec.Command(bin,
		append([]string{"apply", "-f", "../../examples/docker0.yaml", "--confirm-within", within}, args...)...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.names = append(l.names, "docker0")
	eventually(t, "wait for a confirmation", func() bool {
		text, err := os.ReadFile(said.Name())
		return err == nil && strings.Contains(string(text), "plumb confirm docker0")
	})
	return cmd
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 20 s it does not %s", what)
		}
	}
}

func ended(t *testing.T, cmd *exec.Cmd, code int) {
	t.Helper()
	err := cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d (%v), want %d", got, err, code)
	}
}

func TestConfirmCommand(t *testing.T) {
	l := newLab(t)
	l.foreign()
	bin := plumb(t)
	topo := l.load(l.example("docker0.yaml"))

	t.Log("nobody confirms")
	ended(t, confirming(l, t, bin, "500ms"), 6)
	l.restored("after the time was over", l.base.Text)

	t.Log("somebody confirms")
	cmd := confirming(l, t, bin, "1m")
	exits(t, 0, bin, "confirm", "docker0")
	ended(t, cmd, 0)
	l.inSync(topo)
	exits(t, 1, bin, "confirm", "docker0")
	l.destroy("docker0")

	t.Log("the shell's process is killed, and with it what it started")
	cmd = confirming(l, t, bin, "1m")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	eventually(t, "roll back", func() bool { return !l.has("br0") })
	exits(t, 0, bin, "destroy", "docker0") // after the rollback, which has the lock
	l.restored("after the rollback", l.base.Text)
	exits(t, 1, bin, "confirm", "docker0")
}

func (l *lab) has(link string) bool { return host.Run("ip", "link", "show", link) == nil }

// tracedWrite is a line of -v: how long a write took, and what it was.
var tracedWrite = regexp.MustCompile(`(?m)^plumb: +[0-9.]+(?:µs|ms|s)  (.+)$`)

// With -v each write is a line, with the time that it took; a run that writes nothing has none.
func TestVerbose(t *testing.T) {
	l := newLab(t)
	l.foreign()
	bin, topo := plumb(t), l.load(l.example("docker0.yaml"))
	// The kernel may be the first to give the bridge its link-local address: that is added once more then.
	var want []string
	l.apply(topo, through(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
		want = append(want, w.String())
		return write()
	}}))
	l.destroy("docker0")
	traced := func() (got []string) {
		for _, line := range tracedWrite.FindAllStringSubmatch(
			exits(t, 0, bin, "apply", "-v", "-f", "../../examples/docker0.yaml"), -1) {
			got = append(got, line[1])
		}
		return slices.DeleteFunc(got, ofLinkLocal)
	}
	// Only the first apply of all makes the directory of namespaces and the lock.
	want = slices.DeleteFunc(want, func(what string) bool {
		return strings.HasPrefix(what, "create "+RunDir) || what == "make "+host.NetnsDir+" a shared mount" ||
			ofLinkLocal(what)
	})
	if got := traced(); !slices.Equal(got, want) {
		t.Errorf("-v says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := traced(); len(got) > 0 {
		t.Errorf("of a second apply -v says\n%s", strings.Join(got, "\n"))
	}
}
