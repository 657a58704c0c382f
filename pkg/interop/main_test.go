package interop

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// A process of the test binary has one of three roles: go test's own starts, for each test, process 1 of a private
// host, which starts the test there.
const (
	roleMark   = "PLUMB_INTEROP_ROLE"
	firstRole  = "process 1"
	testerRole = "test"
	// plumbMark names the binary of plumb that the tests run.
	plumbMark = "PLUMB_INTEROP_BINARY"
	// bare is the exit code of process 1 when it can't make the host.
	bare = 77
)

func TestMain(m *testing.M) {
	if os.Getenv(roleMark) == firstRole {
		os.Exit(first())
	}
	os.Exit(m.Run())
}

// first is process 1 of a private host. It reaps what daemons leave behind, and takes all of it along when it ends.
func first() int {
	if err := host.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return bare
	}
	if err := furnish(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return bare
	}
	test := exec.Command("/proc/self/exe", os.Args[1:]...)
	test.Stdout, test.Stderr = os.Stdout, os.Stderr
	test.Env = append(os.Environ(), roleMark+"="+testerRole)
	if err := test.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for {
		var status unix.WaitStatus
		switch pid, err := unix.Wait4(-1, &status, 0, nil); {
		case err != nil && !errors.Is(err, unix.EINTR):
			fmt.Fprintln(os.Stderr, "wait for the test:", err)
			return 1
		case pid == test.Process.Pid && status.Signaled():
			return 1
		case pid == test.Process.Pid:
			return status.ExitStatus()
		}
	}
}

// furnish gives the private host what a daemon expects, and keeps what it writes from the machine: /proc and /sys show
// this host, /etc and /var take writes in memory, and parameters that are the whole machine's take none.
func furnish() error {
	const cgroup, aside = "/sys/fs/cgroup", "/run/cgroup"
	m := mounter{}
	m.mount("proc", "/proc", "proc", 0, "")
	for _, dir := range []string{"/proc/sys/kernel", "/proc/sys/vm", "/proc/sys/fs"} {
		m.mount(dir, dir, "", unix.MS_BIND, "")
		m.mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	m.mkdir(aside)
	m.mount(cgroup, aside, "", unix.MS_BIND|unix.MS_REC, "")
	m.mount("sysfs", "/sys", "sysfs", 0, "")
	m.mount(aside, cgroup, "", unix.MS_BIND|unix.MS_REC, "")
	for _, dir := range []string{"/etc", "/var"} {
		upper, work := "/run/written"+dir, "/run/work"+dir
		m.mkdir(upper)
		m.mkdir(work)
		m.mount("overlay", dir, "overlay", 0, "lowerdir="+dir+",upperdir="+upper+",workdir="+work)
	}
	m.mkdir("/run/dbus")
	m.mkdir(home)
	return m.err
}

// home is where a command's own files go.
const home = "/run/home"

// mounter does one step after the other, up to the first that fails.
type mounter struct{ err error }

func (m *mounter) mkdir(dir string) {
	if m.err == nil {
		m.err = os.MkdirAll(dir, 0o755)
	}
}

func (m *mounter) mount(source, target, kind string, flags uintptr, data string) {
	if m.err != nil {
		return
	}
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		m.err = fmt.Errorf("mount %s: %w", target, err)
	}
}

// skip says that a test can't be done here. That is a failure where everything should be there.
func skip(t *testing.T, format string, a ...any) {
	t.Helper()
	if os.Getenv("TEST_REQUIRE_INTEROP") != "" {
		t.Fatalf("TEST_REQUIRE_INTEROP is set, but "+format, a...)
	}
	t.Skipf(format, a...)
}

// build makes the binary of plumb that the private hosts run.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plumb")
	if err := host.Run("go", "build", "-o", path, "../../cmd/plumb"); err != nil {
		t.Fatal(err)
	}
	return path
}

// apart runs the calling test again in a private host, with a process tree of its own.
func apart(t *testing.T, plumb string) {
	t.Helper()
	runtime.LockOSThread() // it is this thread's death that the kernel tells the process of
	defer runtime.UnlockOSThread()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.v",
		"-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$",
		"-test.timeout="+flag.Lookup("test.timeout").Value.String())
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &unix.SysProcAttr{
		Pdeathsig: unix.SIGKILL, Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
	}
	cmd.Env = append(host.Outside(), roleMark+"="+firstRole, plumbMark+"="+plumb, "HOME="+home, host.QuickEnd)
	err := cmd.Run()
	switch {
	case cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == bare:
		skip(t, "no private host can be made: %s", out.Bytes())
	case err != nil:
		t.Errorf("%v\n%s", err, out.Bytes())
	case strings.Contains(out.String(), "--- SKIP: "+t.Name()):
		skip(t, "%s", out.Bytes())
	case testing.Verbose():
		t.Logf("%s", out.Bytes())
	}
}
