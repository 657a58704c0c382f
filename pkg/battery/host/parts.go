package host

import (
	"bytes"
	"flag"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Parts is how many processes do a test together: a third of the time they wait for the kernel. With more they wait for
// each other: 100 random pairs took 64, 62, 70 and 103 s with 2, 3, 4 and 8 parts on two processors.
const Parts = 3

// partMark gives a process that does a part of a test the directory where the parts claim cases.
const partMark = "PLUMB_TEST_PART"

// Share takes those of the calling test's cases that this process is to try: all, or in a test that is done in parts
// those that no other part has begun, one after the other. A test shares once.
func Share[T any](t *testing.T, cases []T) iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		for i, c := range cases {
			if claim(t, i) && !yield(i, c) {
				return
			}
		}
	}
}

// claim says that a case is this process's to try.
func claim(t *testing.T, i int) bool {
	dir := os.Getenv(partMark)
	if dir == "" {
		return true
	}
	name := strings.ReplaceAll(t.Name(), "/", "_")
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%s %d", name, i)), os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = f.Close()
	} else if os.IsExist(err) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

// InParts runs the calling test in several processes at once, each in a private host of its own, with cases that it
// has from [Share]. Env are settings more for the environment of the i-th. Done is false when the caller is to do the
// work: it is a part itself, or less than the whole test was asked for.
func InParts(t *testing.T, env ...func(i int) string) (done bool) {
	t.Helper()
	if os.Getenv(partMark) != "" || os.Geteuid() != 0 || strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return false
	}
	dir := t.TempDir()
	var wait sync.WaitGroup
	for i := range Parts {
		wait.Go(func() {
			more := []string{partMark + "=" + dir}
			for _, f := range env {
				more = append(more, f(i))
			}
			out, err := runPart(t, more)
			if err != nil {
				t.Errorf("part %d: %v\n%s", i, err, out)
			} else if testing.Verbose() {
				t.Logf("part %d:\n%s", i, out)
			}
		})
	}
	wait.Wait()
	claimed, err := os.ReadDir(dir)
	if t.Logf("%d cases", len(claimed)); err != nil || len(claimed) == 0 {
		t.Errorf("no part has tried anything: %v", err)
	}
	return true
}

func runPart(t *testing.T, env []string) ([]byte, error) {
	t.Helper()
	runtime.LockOSThread() // it is this thread's death that the kernel tells the process of
	defer runtime.UnlockOSThread()
	args := []string{"-test.run=^" + t.Name() + "$", "-test.timeout=" + flag.Lookup("test.timeout").Value.String()}
	for _, f := range []string{"test.v", "test.short"} {
		args = append(args, "-"+f+"="+flag.Lookup(f).Value.String())
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	cmd.Env = append(append(Outside(), env...), QuickEnd)
	err := cmd.Run()
	return out.Bytes(), err
}

// QuickEnd is for the environment of a process that has the race detector, which else sleeps for a second at the end.
const QuickEnd = "GORACE=atexit_sleep_ms=0"
