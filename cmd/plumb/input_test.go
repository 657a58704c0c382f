package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNoRegularFile refuses at once what a run could wait for, or read, for ever.
func TestNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo.yml"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(fifo, link); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close() //nolint:errcheck // nobody listens
	for path, want := range map[string]string{
		fifo: "is a FIFO", link: "is a FIFO", filepath.Join(dir, "socket"): "is a socket", "/dev/null": "is a device",
		"/dev/zero": "is a device",
	} {
		for _, command := range []string{"validate", "diff", "apply", "destroy"} {
			h := new(fakeHost)
			code, stderr := plumb(t, h, new(bytes.Buffer), command, "-f", path)
			if code != exitUsage || !strings.Contains(stderr, want) || !strings.Contains(stderr, "-f -") || len(h.asked) > 0 {
				t.Errorf("%s -f %s: exit code %d, %q, want %q", command, path, code, stderr, want)
			}
		}
	}
}

// TestOpenDescriptors reads what a shell hands over: stdin by its name, and a command's output.
func TestOpenDescriptors(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "plumb")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, script := range []string{
		`echo "name: lab" | "$0" validate -f -`, `echo "name: lab" | "$0" validate -f /dev/stdin`,
		`"$0" validate -f <(echo "name: lab")`, `"$0" validate -f <(echo "name: a") -f <(echo "name: lab")`,
		`exec 5< <(echo "name: lab"); "$0" validate -f /proc/self/fd/5`, `"$0" validate -f /dev/stdin <<<"name: lab"`,
	} {
		out, err := exec.Command("bash", "-c", script, bin).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "lab: valid") {
			t.Errorf("%s: %v: %s", script, err, out)
		}
	}
}
