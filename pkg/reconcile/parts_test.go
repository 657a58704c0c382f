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

// thisPart is the part of the calling test that this process does: the i-th of n. It is all of it by default.
func thisPart() (i, n int) {
	if _, err := fmt.Sscanf(os.Getenv(partMark), "%d/%d", &i, &n); err != nil {
		return 0, 1
	}
	return i, n
}

// inParts runs the calling test in several processes at once, each in a private host of its own; env is added to the environment of
// the i-th. Done is false when the caller is to do the work: it is a part itself, or less than the whole test was asked for.
func inParts(t *testing.T, env func(i int) string) (done bool) {
	t.Helper()
	if os.Getenv(partMark) != "" || os.Geteuid() != 0 || strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return false
	}
	var wait sync.WaitGroup
	for i := range parts {
		wait.Go(func() {
			out, err := runPart(t, i, env(i))
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

func runPart(t *testing.T, i int, env string) ([]byte, error) {
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
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d/%d", partMark, i, parts), env)
	err := cmd.Run()
	return out.Bytes(), err
}
