package reconcile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

// ending is how a command ended, and what it said.
type ending struct {
	code           int
	signal         syscall.Signal
	stdout, stderr string
}

// ends runs a command to its end.
func (l *lab) ends(stdin string, command ...string) (e ending) {
	l.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if of := new(exec.ExitError); err != nil && !errors.As(err, &of) {
		l.Fatal(err)
	}
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	e = ending{code: status.ExitStatus(), stdout: stdout.String(), stderr: stderr.String()}
	if status.Signaled() {
		e.signal = status.Signal()
	}
	return e
}

// twoPlaces is a topology with a namespace of its own, and one that somebody else has made.
const twoPlaces = `
name: lab
bridges: {br0: {addresses: [10.9.0.1/24]}}
namespaces:
  web: {interfaces: {eth0: {bridge: br0, addresses: [10.9.0.2/24]}}}
  theirs: {attach: 'netns:foreign', interfaces: {eth7: {bridge: br0, addresses: [10.9.0.3/24]}}}
`

// TestExec holds that a command runs where it is told to, and that plumb ends as the command does.
func TestExec(t *testing.T) {
	l := newLab(t)
	l.sh("ip", "netns", "add", "foreign")
	l.fixture(func() { l.sh("ip", "netns", "delete", "foreign") })
	bin := plumb(t)
	l.apply(l.load(twoPlaces))
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		signal syscall.Signal
		stdout string
		stderr string
	}{
		{name: "own", args: []string{"lab/web", "--", "ip", "-br", "address", "show", "eth0"}, stdout: `10\.9\.0\.2/24`},
		{name: "attached", args: []string{"lab/theirs", "ip", "-br", "address", "show", "eth7"}, stdout: `10\.9\.0\.3/24`},
		{name: "sys", args: []string{"lab/web", "ls", "/sys/class/net"}, stdout: `^eth0\nlo\n$`},
		{name: "status", args: []string{"lab/web", "sh", "-c", "exit 7"}, code: 7},
		{name: "flags", args: []string{"lab/web", "printf", "%s.", "-o", "--", "x"}, stdout: `^-o\.--\.x\.$`},
		{name: "signal", args: []string{"lab/web", "--", "sh", "-c", "kill -TERM $$"}, code: -1, signal: syscall.SIGTERM},
		{name: "not found", args: []string{"lab/web", "nosuch"}, code: 127, stderr: `run nosuch: .*not found`},
		{name: "no file", args: []string{"lab/web", "/nosuch"}, code: 127, stderr: `run /nosuch: no such file`},
		{name: "not executable", args: []string{"lab/web", "/etc/passwd"}, code: 126,
			stderr: `run /etc/passwd: permission denied`},
		{name: "near", args: []string{"lab/wob", "true"}, code: 125,
			stderr: `no namespace wob on this host: did you mean "web"\?`},
		{name: "somebody else's", args: []string{"lab/foreign", "true"}, code: 125, stderr: `it has theirs, web`},
		{name: "no topology", args: []string{"other/web", "true"}, code: 125,
			stderr: `topology other has no namespace on this host`},
		{name: "path", args: []string{"lab/../web", "true"}, code: 125, stderr: `is not NAME/NAMESPACE`},
		{name: "no command", args: []string{"lab/web", "--"}, code: 125, stderr: `which command\?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := (&lab{TB: t}).ends("", append([]string{bin, "exec"}, c.args...)...)
			if e.code != c.code || e.signal != c.signal {
				t.Errorf("it ended with %d, %v, want %d, %v", e.code, e.signal, c.code, c.signal)
			}
			if !regexp.MustCompile(c.stdout).MatchString(e.stdout) || !regexp.MustCompile(c.stderr).MatchString(e.stderr) {
				t.Errorf("it said %q, and %q as an error", e.stdout, e.stderr)
			}
			if c.stderr == "" && e.stderr != "" {
				t.Errorf("it complained: %s", e.stderr)
			}
		})
	}
	if out := l.sh("ls", "/sys/class/net"); strings.Contains(out, "eth7") {
		t.Errorf("the host's own /sys has changed: %s", out)
	}
}

// TestExecFiles holds that files in /etc/netns/NAME stand in place of those in /etc, for the command alone.
func TestExecFiles(t *testing.T) {
	l := newLab(t)
	etc := t.TempDir()
	for _, dir := range []string{"alternatives", "netns/web"} {
		if err := os.MkdirAll(filepath.Join(etc, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"passwd": "", "hosts": "all\n", "netns/web/hosts": "of web\n", "netns/web/stray": "",
	} {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	bin := plumb(t)
	l.apply(l.load("name: lab\nnamespaces: {web: {}}\n"))
	// The mounts are those of the test's process, which are its own.
	l.sh("mount", "--bind", etc, "/etc")
	e := l.ends("", bin, "exec", "lab/web", "cat", "/etc/hosts")
	l.sh("umount", "/etc")
	if e.stdout != "of web\n" || e.code != 0 {
		t.Errorf("%+v", e)
	}
	if !strings.Contains(e.stderr, "netns/web/stray does not stand in place of /etc/stray: no such file or directory") {
		t.Errorf("of what has no place it says %q", e.stderr)
	}
}

// TestShell holds that the shell is one in the namespace, and tells so.
func TestShell(t *testing.T) {
	l := newLab(t)
	bin := plumb(t)
	l.apply(l.load("name: lab\nnamespaces: {web: {}}\n"))
	for _, shell := range []string{"/bin/sh", "/bin/bash"} {
		t.Setenv("SHELL", shell)
		e := l.ends("echo $PLUMB_NAMESPACE; ls /sys/class/net; exit 3\n", bin, "shell", "lab/web")
		if e.stdout != "lab/web\nlo\n" || e.code != 3 {
			t.Errorf("%s: %+v", shell, e)
		}
		e = l.ends("exit 4\n", "script", "-qec", bin+" shell lab/web", "/dev/null")
		if !strings.Contains(e.stdout, "(lab/web) ") || e.code != 4 {
			t.Errorf("%s on a terminal: %+v", shell, e)
		}
	}
	if e := l.ends("", bin, "shell", "lab/web", "ls"); e.code != 125 || !strings.Contains(e.stderr, "plumb exec") {
		t.Errorf("with a command: %+v", e)
	}
}

// TestCapture holds that packets are written that pass an interface, and shown.
func TestCapture(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("tcpdump is not installed")
	}
	l := newLab(t)
	bin, file := plumb(t), filepath.Join(t.TempDir(), "web.pcap")
	l.sh("ip", "netns", "add", "foreign")
	l.fixture(func() { l.sh("ip", "netns", "delete", "foreign") })
	l.apply(l.load(twoPlaces))
	cmd := exec.Command(bin, "capture", "lab/web/eth0", "-w", file, "--", "icmp")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	const patience = 30 * time.Second
	for begun := time.Now(); ; {
		l.sh("ip", "netns", "exec", "foreign", "ping", "-c", "1", "10.9.0.2")
		if st, err := os.Stat(file); err == nil && st.Size() > 100 { // more than the file's head
			break
		}
		if time.Since(begun) > patience {
			t.Fatal("no packet was written")
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("%v: %s", err, said.String())
	}
	if out := l.sh("tcpdump", "-n", "-r", file); !strings.Contains(out, "10.9.0.3 > 10.9.0.2: ICMP echo request") {
		t.Errorf("the file has %s", out)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"lab/web/eth9"}, 1, "eth9"},
		{[]string{"lab/web"}, 125, "is not NAME/NAMESPACE/INTERFACE"},
		{nil, 125, "which interface?"},
	} {
		e := l.ends("", append([]string{bin, "capture"}, c.args...)...)
		if e.code != c.code || !strings.Contains(e.stderr, c.says) {
			t.Errorf("capture %q: %+v", c.args, e)
		}
	}
}

// TestShow holds that a topology is shown as it is, and counted as the kernel counts.
func TestShow(t *testing.T) {
	l := newLab(t)
	l.sh("ip", "netns", "add", "foreign")
	l.fixture(func() { l.sh("ip", "netns", "delete", "foreign") })
	const end, gateway = "[10.9.0.3/24]}}", ", routes: [{to: default, via: 10.9.0.1}]"
	l.apply(l.load(strings.Replace(twoPlaces, end, end+gateway, 1)))
	l.sh("ip", "netns", "exec", "foreign", "ping", "-c", "3", "-i", "0.1", "10.9.0.2")
	l.sh("ip", "-n", "web", "link", "set", "lo", "down")
	all, err := l.open().Show(t.Context(), "lab")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range all {
		for _, i := range s.Interfaces {
			four := slices.DeleteFunc(slices.Clone(i.Addresses), func(a string) bool { return strings.Contains(a, ":") })
			lines = append(lines, fmt.Sprintf("%s(%s) %s %s %s %v %s %s>%s",
				s.Namespace, s.Attached, i.Name, i.Type, i.State, four, i.Master, i.Peer, i.PeerMaster))
		}
		if s.Namespace == "theirs" && !slices.Equal(s.Gateways, []reconcile.Gateway{{Address: "10.9.0.1", Dev: "eth7"}}) {
			t.Errorf("gateways: %v", s.Gateways)
		}
	}
	port := regexp.MustCompile(`veth[0-9a-f]+`)
	for i := range lines {
		lines[i] = port.ReplaceAllString(lines[i], "PORT")
	}
	slices.Sort(lines) // the ports' names are derived
	got := strings.Join(lines, "\n")
	const want = `() PORT veth up [] br0 theirs/eth7>
() PORT veth up [] br0 web/eth0>
() br0 bridge up [10.9.0.1/24]  >
theirs(netns:foreign) eth7 veth up [10.9.0.3/24]  PORT>br0
web() eth0 veth up [10.9.0.2/24]  PORT>br0
web() lo loopback down [127.0.0.1/8]  >`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	web := all[slices.IndexFunc(all, func(s reconcile.Shown) bool { return s.Namespace == "web" })]
	var counted []struct {
		Stats64 struct {
			Rx, Tx struct{ Bytes, Packets uint64 }
		}
	}
	if err := json.Unmarshal([]byte(l.sh("ip", "-n", "web", "-j", "-s", "link", "show", "eth0")), &counted); err != nil {
		t.Fatal(err)
	}
	c := web.Interfaces[1].Counters
	of := counted[0].Stats64
	if c.RxPackets < 3 || c.RxBytes < 3*98 || c.RxPackets > of.Rx.Packets || c.TxBytes > of.Tx.Bytes {
		t.Errorf("counted %+v, ip has %+v", c, of)
	}
}
