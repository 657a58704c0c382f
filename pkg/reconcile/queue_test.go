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
	holdLocks(t)
	for _, test := range []struct {
		args string
		says bool
	}{
		{"apply -f " + file, true}, {"destroy x", true}, {"destroy -q x", false},
		{"apply --lock-timeout 0s -f " + file, false},
	} {
		waiting(t, bin, test.args, test.says)
	}
}

// holdLocks takes the locks of all hosts, as a run would.
func holdLocks(t *testing.T) {
	t.Helper()
	locks, err := filepath.Glob("/run/plumb/*/lock") // other hosts of earlier tests have theirs
	if err != nil || len(locks) == 0 {
		t.Fatalf("%v, %v", locks, err)
	}
	for _, path := range locks {
		lock, err := os.OpenFile(path, os.O_RDWR, 0)
		if err == nil {
			err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
		}
		if err == nil {
			err = lock.Truncate(0)
		}
		if err == nil {
			_, err = fmt.Fprintf(lock, "process %d (the test)\n", os.Getpid())
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = lock.Close() })
	}
}

// waiting interrupts a run that waits for the lock. Says is whether it tells that it does.
func waiting(t *testing.T, bin, args string, says bool) {
	t.Helper()
	cmd := exec.Command(bin, strings.Fields(args)...)
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	b := make([]byte, 1000)
	if says {
		n, _ := stderr.Read(b) // it waits, and says so
		said.Write(b[:n])
		want := fmt.Sprintf("waiting up to 10s for another run: process %d ", os.Getpid())
		if !strings.Contains(said.String(), want) {
			t.Errorf("%s: it says %q, want %q", args, &said, want)
		}
		_ = cmd.Process.Signal(syscall.SIGINT)
	} else if !strings.Contains(args, "0s") {
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	for n := 1; n > 0; {
		n, _ = stderr.Read(b)
		said.Write(b[:n])
	}
	err = cmd.Wait()
	text := said.String()
	wrong := strings.Contains(text, "rolling back") || strings.Contains(text, "canceled")
	if says {
		wrong = wrong || cmd.ProcessState.ExitCode() != 3 || !strings.Contains(text, "interrupted while waiting")
	} else {
		wrong = wrong || strings.Contains(text, "waiting up to")
	}
	if wrong {
		t.Errorf("%s: exit code %d (%v); it says:\n%s", args, cmd.ProcessState.ExitCode(), err, text)
	}
}
