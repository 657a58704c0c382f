package reconcile_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// smallPipe is the size of the smallest pipe that there is.
const smallPipe = 4096

// many is a topology with more steps than fit into a small pipe.
func many() string {
	var b strings.Builder
	b.WriteString("name: many\nbridges:\n")
	for i := range 200 {
		fmt.Fprintf(&b, "  br%d: {}\n", i)
	}
	return b.String()
}

// halfway is a command that is held in the midst of its steps, because nobody reads what it says of them.
type halfway struct {
	*exec.Cmd
	out *os.File
	say strings.Builder
}

func halfwayThrough(t *testing.T, bin string, args ...string) *halfway {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(in.Fd(), unix.F_SETPIPE_SZ, smallPipe); err != nil {
		t.Fatal(err)
	}
	// A command that is started with SIGHUP ignored, as by nohup(1), leaves it so. One that is heard here is not.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(heard) })
	h := &halfway{Cmd: exec.Command(bin, args...), out: out}
	h.Stdout, h.Stderr = in, &h.say
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close() // the command has its own
	t.Cleanup(func() { _ = out.Close() })
	last := 0
	eventually(t, "fill the pipe", func() bool {
		time.Sleep(100 * time.Millisecond)
		n, err := unix.IoctlGetInt(int(out.Fd()), unix.TIOCINQ)
		full := err == nil && n == last && n > smallPipe-500
		last = n
		return full
	})
	return h
}

// ends lets the command go on, and says how it must end.
func (h *halfway) ends(t *testing.T, code int) {
	t.Helper()
	_, _ = io.Copy(io.Discard, h.out)
	if ended(t, h.Cmd, code); t.Failed() {
		t.Logf("it said %q", &h.say)
	}
}

// send sends signals with a pause after each, as long as a person's or a shell's.
func send(t *testing.T, pid int, signals ...syscall.Signal) {
	t.Helper()
	for _, s := range signals {
		if err := syscall.Kill(pid, s); err != nil {
			t.Error(err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// The end of a terminal, or of a service, brings several signals, and an apply goes back; only a person stops it at
// once.
func TestSignals(t *testing.T) {
	bin, file := plumb(t), topologyFile(t, many())
	const hup, term, ctrlC = syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT
	for _, test := range []struct {
		name    string
		signals []syscall.Signal
		code    int
	}{
		{"the terminal's end", []syscall.Signal{hup, hup, hup}, 6},
		{"the service's", []syscall.Signal{term, hup, term}, 6},
		{"a cancelled job's", []syscall.Signal{ctrlC, term}, 6},
		{"Ctrl-C", []syscall.Signal{ctrlC}, 6},
		{"the second Ctrl-C", []syscall.Signal{ctrlC, ctrlC}, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t)
			l.names = append(l.names, "many")
			cmd := halfwayThrough(t, bin, "apply", "-f", file)
			send(t, cmd.Process.Pid, test.signals...)
			cmd.ends(t, test.code)
			if test.code == 6 {
				l.restored("after the rollback", l.base.Text)
			}
		})
	}
}

// A reader of the output that goes away halfway ends nothing.
func TestReaderGone(t *testing.T) {
	l := newLab(t)
	l.names = append(l.names, "many")
	topo := l.load(many())
	cmd := halfwayThrough(t, plumb(t), "apply", "-f", topologyFile(t, many()))
	if err := cmd.out.Close(); err != nil {
		t.Fatal(err)
	}
	ended(t, cmd.Cmd, 0)
	l.inSync(topo)
	l.apply(topo) // which the copy of what was applied tells of
	l.converged(topo)
}

// childOf is the process that an apply which waits for a confirmation has started.
func childOf(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	list, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range list {
		text, err := os.ReadFile(path)
		if pid, bad := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && bad == nil {
			return pid
		}
	}
	t.Fatal("the apply has no child")
	return 0
}

// While it waits for a confirmation, no signal ends in what nobody has confirmed.
func TestSignalsWhileWaiting(t *testing.T) {
	bin := plumb(t)
	const hup, term, ctrlC = syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT
	for _, test := range []struct {
		name    string
		signals []syscall.Signal
		both    bool // the child gets them too, as of a control group
		args    []string
	}{
		{"the terminal's end", []syscall.Signal{hup, hup}, false, nil},
		{"the service's", []syscall.Signal{term, hup, term}, true, nil},
		{"Ctrl-C", []syscall.Signal{ctrlC}, false, nil},
		{"Ctrl-C twice", []syscall.Signal{ctrlC, ctrlC}, true, nil},
		{"the terminal's end, --keep", []syscall.Signal{hup}, false, []string{"--keep"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t)
			l.foreign()
			cmd := confirming(l, t, bin, "1m", test.args...)
			child := childOf(t, cmd)
			for _, s := range test.signals {
				_ = syscall.Kill(cmd.Process.Pid, s) // it may have ended by the one before
				if test.both {
					_ = syscall.Kill(child, s)
				}
				time.Sleep(120 * time.Millisecond)
			}
			ended(t, cmd, 6)
			l.restored("after the rollback", l.base.Text)
		})
	}
}

// The shell's process is killed while --keep is given: nobody has confirmed.
func TestKilledWhileWaitingKeep(t *testing.T) {
	l := newLab(t)
	l.foreign()
	bin := plumb(t)
	cmd := confirming(l, t, bin, "1m", "--keep")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	eventually(t, "roll back", func() bool { return !l.has("br0") })
	exits(t, 0, bin, "destroy", "docker0") // after the rollback, which has the lock
	l.restored("after the rollback", l.base.Text)
}

// The process that waits is killed: what it did stays, and that is not told as if nothing had happened.
func TestWaitingKilled(t *testing.T) {
	l := newLab(t)
	bin := plumb(t)
	cmd := confirming(l, t, bin, "1m")
	send(t, childOf(t, cmd), syscall.SIGKILL)
	ended(t, cmd, 5)
	text, err := os.ReadFile(cmd.Stdout.(*os.File).Name())
	if err != nil || !strings.Contains(string(text), "plumb destroy") {
		t.Errorf("it says %q (%v)", text, err)
	}
	exits(t, 1, bin, "confirm", "docker0")
	exits(t, 0, bin, "destroy", "docker0")
}
