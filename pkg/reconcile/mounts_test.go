package reconcile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMountNamespace runs plumb where what it mounts is seen by the host, or not, and need not be.
func TestMountNamespace(t *testing.T) {
	l := newLab(t)
	l.foreign()
	bin, dir := plumb(t), t.TempDir()
	spaces, host := filepath.Join(dir, "spaces.yaml"), filepath.Join(dir, "host.yaml")
	for path, text := range map[string]string{
		spaces: "name: spaces\nnamespaces: {ns1: {}}\n",
		host:   "name: hostonly\nbridges: {br0: {addresses: [10.0.0.1/24]}}\nroutes: [{to: 10.7.0.0/16, via: 10.0.0.9}]\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.names = append(l.names, "spaces", "hostonly")
	private := []string{"unshare", "--mount"}
	shared := []string{"unshare", "--mount", "--propagation", "unchanged"}
	slave := []string{"ip", "netns", "exec", "foreign1"}
	ownRun := []string{"unshare", "--mount", "--net", "sh", "-c", `mount -t tmpfs tmpfs /run && exec "$@"`, "sh"}
	before := l.settle()
	for _, test := range []struct {
		name    string
		in      []string
		command string
		file    string
		code    int
		says    string
	}{
		{"private", private, "apply", spaces, 3, "nsenter --mount=/proc/"},
		{"private, diff", private, "diff", spaces, 3, "nsenter --mount=/proc/"},
		{"private, a level deeper", slices.Concat(private, private), "apply", spaces, 3, "would vanish"},
		{"slave", slave, "apply", spaces, 3, "nsenter --net=/run/netns/NAME"},
		{"a /run of its own", ownRun, "apply", spaces, 0, "1 created"},
		{"host only", private, "apply", host, 0, "Applied"},
		{"host only, again", private, "apply", host, 0, "in sync"},
		{"host only, diff", private, "diff", host, 0, "in sync"},
		{"host only, destroy", private, "destroy", host, 0, "Destroyed"},
		{"host only in another namespace", slave, "apply", host, 0, "Applied"},
		{"host only in another namespace, destroy", slave, "destroy", host, 0, "Destroyed"},
		{"shared", shared, "apply", spaces, 0, "1 created"},
		{"shared, again", nil, "apply", spaces, 0, "in sync"},
		{"private, destroy", private, "destroy", spaces, 0, "Destroyed"},
		{"nothing is left", nil, "destroy", spaces, 0, "nothing to destroy"},
		{"for a slave", nil, "apply", spaces, 0, "1 created"},
		{"slave, destroy", []string{"unshare", "--mount", "--propagation", "slave"}, "destroy", spaces, 0, "Destroyed"},
	} {
		argv := slices.Concat(test.in, []string{bin, test.command, "-f", test.file})
		cmd := exec.Command(argv[0], argv[1:]...)
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(string(out), test.says) {
			t.Errorf("%s: exit code %d (%v), want %d; it says:\n%s", test.name, code, err, test.code, out)
		}
	}
	l.restored("after all", before)
}

// TestUnmountedNamespace takes the mount of a namespace away, as the end of a mount namespace does: the file that is
// left is plumb's, which the record tells, and stands in nobody's way.
func TestUnmountedNamespace(t *testing.T) {
	l := newLab(t)
	topo := l.load(l.example("docker0.yaml"))
	l.apply(topo)
	made := l.settle()
	unmount := func() { l.sh("umount", "--lazy", "/run/netns/ns1") }
	unmount()
	if p := planText(l.diff(topo)); !strings.Contains(p, "replace namespace ns1: ") {
		t.Errorf("the plan is\n%s", p)
	}
	l.apply(topo)
	l.restored("mounted again", made)
	l.converged(topo)
	unmount()
	_, err := l.tryApply(l.load("name: other\nnamespaces: {ns1: {}}\n"))
	refused(t, err, "is no network namespace")
	l.apply(l.load("name: docker0\n"))
	if left, _ := filepath.Glob("/run/netns/ns1"); left != nil {
		t.Errorf("%v is left", left)
	}
	l.apply(topo)
	unmount()
	l.destroy(topo.Name)
	if left, _ := filepath.Glob("/run/netns/ns1"); left != nil {
		t.Errorf("%v is left", left)
	}
}
