package reconcile_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// partMark tells a process which part of a test it is to do, as "1/4".
const partMark = "PLUMB_TEST_PART"

// parts is how many processes do a test together: what they do is to wait for the kernel, more than half of the time.
const parts = 4

// share takes those of the calling test's cases that this process is to try. It is all of them by default.
func share[T any](cases []T) []T {
	var i, n int
	if _, err := fmt.Sscanf(os.Getenv(partMark), "%d/%d", &i, &n); err != nil {
		return cases
	}
	var mine []T
	for ; i < len(cases); i += n {
		mine = append(mine, cases[i])
	}
	return mine
}

// inParts runs the calling test in several processes at once, each with a [share] of the cases in a private host of
// its own. Env are settings more for the environment of the i-th. Done is false when the caller is to do the work: it
// is a part itself, or less than the whole test was asked for.
func inParts(t *testing.T, env ...func(i int) string) (done bool) {
	t.Helper()
	if os.Getenv(partMark) != "" || os.Geteuid() != 0 || strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return false
	}
	var wait sync.WaitGroup
	for i := range parts {
		wait.Go(func() {
			more := []string{fmt.Sprintf("%s=%d/%d", partMark, i, parts)}
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
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, insideMark+"=") { // it moves to a host of its own
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	err := cmd.Run()
	return out.Bytes(), err
}
