package reconcile_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWaitingForTheLock says who is waited for, and Ctrl-C then ends it without a word of rolling back.
func TestWaitingForTheLock(t *testing.T) {
	l := newLab(t)
	l.apply(l.load("name: x\nbridges: {br0: {}}\n"))
	bin, file := plumb(t), filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(file, []byte("name: x\nbridges: {br0: {mtu: 1400}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	locks, err := filepath.Glob("/run/plumb/*/lock")
	if err != nil || len(locks) != 1 {
		t.Fatalf("%v, %v", locks, err)
	}
	lock, err := os.OpenFile(locks[0], os.O_RDWR, 0)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close() //nolint:errcheck // nothing is written to it
	for _, test := range []struct {
		args string
		says bool
	}{
		{"apply -f " + file, true}, {"destroy x", true}, {"destroy -q x", false},
		{"apply --lock-timeout 0s -f " + file, false},
	} {
		cmd := exec.Command(bin, strings.Fields(test.args)...)
		stderr, err := cmd.StderrPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		b := make([]byte, 1000)
		if test.says {
			n, _ := stderr.Read(b) // it waits, and says so
			said.Write(b[:n])
			want := fmt.Sprintf("waiting up to 10s for another run: process %d ", os.Getpid())
			if !strings.Contains(said.String(), want) {
				t.Errorf("%s: it says %q, want %q", test.args, &said, want)
			}
			_ = cmd.Process.Signal(syscall.SIGINT)
		} else if !strings.Contains(test.args, "0s") {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
		for n := 1; n > 0; {
			n, _ = stderr.Read(b)
			said.Write(b[:n])
		}
		err = cmd.Wait()
		text := said.String()
		wrong := strings.Contains(text, "rolling back") || strings.Contains(text, "canceled")
		if test.says {
			wrong = wrong || cmd.ProcessState.ExitCode() != 3 || !strings.Contains(text, "interrupted while waiting")
		} else {
			wrong = wrong || strings.Contains(text, "waiting up to")
		}
		if wrong {
			t.Errorf("%s: exit code %d (%v); it says:\n%s", test.args, cmd.ProcessState.ExitCode(), err, text)
		}
	}
}
