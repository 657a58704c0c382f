package interop

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
)

const (
	uplink4, world4 = host.Uplink4, host.World4
	uplink6, world6 = host.Uplink6, host.World6
)

// Patience bounds each wait for a daemon or a packet; shortly is for a packet that a warning says does not come.
const patience, shortly = 30 * time.Second, time.Second

// house is the private host, with a way to the internet.
type house struct {
	*testing.T
	daemons map[string]*daemon
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{T: t, daemons: map[string]*daemon{}}
	if err := host.AddUplink(); err != nil {
		t.Fatal(err)
	}
	return h
}

// guest joins a namespace to a bridge of the neighbour's, as a container or a virtual machine is.
func (h *house) guest(name, bridge, address, gateway string) {
	h.Helper()
	h.script(`
		ip netns add ` + name + `
		ip link add ` + name + ` type veth peer name eth0 netns ` + name + `
		ip link set ` + name + ` up master ` + bridge + `
		ip -n ` + name + ` link set lo up
		ip -n ` + name + ` link set eth0 up
		ip -n ` + name + ` address add ` + address + `/24 dev eth0
		ip -n ` + name + ` route add default via ` + gateway)
	h.forwards(name)
}

// forwards waits until a port of a bridge that has STP lets frames through.
func (h *house) forwards(port string) {
	h.Helper()
	const forwarding = "3\n"
	watch, err := host.NewWatch()
	if err != nil {
		h.Fatal(err)
	}
	defer watch.Close()
	for begin := time.Now(); ; {
		state, err := os.ReadFile("/sys/class/net/" + port + "/brport/state")
		if err != nil || time.Since(begin) > patience {
			h.Fatalf("port %s has state %q: %v", port, state, err)
		}
		if string(state) == forwarding {
			return
		}
		if err := watch.Wait(time.Second); err != nil {
			h.Fatal(err)
		}
	}
}

// sh runs a command, which must succeed, and returns what it prints.
func (h *house) sh(name string, args ...string) string {
	h.Helper()
	out, err := run(name, args...)
	if err != nil {
		h.Fatal(err)
	}
	return out
}

// script runs one command a line, split at white space.
func (h *house) script(lines string) {
	h.Helper()
	if err := host.Script(lines); err != nil {
		h.Fatal(err)
	}
}

// run runs a command and returns what it prints. The error has what it complains of.
func run(name string, args ...string) (string, error) {
	var out, complaint bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s%s", name, strings.Join(args, " "), err, &out, &complaint)
	}
	return out.String(), nil
}

// plumb runs a command of plumb, which must succeed (and diff find no difference), and returns its warnings.
func (h *house) plumb(args ...string) (warnings []string) {
	h.Helper()
	out, err := exec.Command(os.Getenv(plumbMark), args...).CombinedOutput()
	if err != nil {
		h.Fatalf("plumb %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	for line := range strings.Lines(string(out)) {
		if _, warning, ok := strings.Cut(line, "warning: "); ok {
			warnings = append(warnings, strings.TrimSpace(warning))
		}
	}
	h.Logf("plumb %s\n%s", strings.Join(args, " "), out)
	return warnings
}

// file writes a topology to a file.
func (h *house) file(text string) string {
	h.Helper()
	path := filepath.Join(h.TempDir(), "plumb.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.Fatal(err)
	}
	return path
}

// daemon is a process that stays.
type daemon struct {
	cmd   *exec.Cmd
	ended chan error
}

// start starts a daemon and waits until it says by systemd's protocol that it is ready.
func (h *house) start(name string, args ...string) {
	h.Helper()
	path := filepath.Join("/run", filepath.Base(name)+".notify")
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err == nil {
		err = ready.SetReadDeadline(time.Now().Add(patience))
	}
	if err != nil {
		h.Fatal(err)
	}
	defer ready.Close()   //nolint:errcheck // only read
	defer os.Remove(path) //nolint:errcheck // it goes with the host
	d := h.launch([]string{"NOTIFY_SOCKET=" + path}, name, args...)
	told := make(chan error, 1)
	go func() {
		var b [4096]byte
		for {
			n, err := ready.Read(b[:])
			if err != nil || slices.Contains(strings.Split(string(b[:n]), "\n"), "READY=1") {
				told <- err
				return
			}
		}
	}()
	select {
	case err = <-told:
	case err = <-d.ended:
		err = fmt.Errorf("it ended: %w", err)
	}
	if err != nil {
		h.Fatalf("start %s: %v\n%s", name, err, h.log(name))
	}
}

// launch starts a process that stays, and writes what it says to its log.
func (h *house) launch(env []string, name string, args ...string) *daemon {
	h.Helper()
	log, err := os.OpenFile(logOf(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		h.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // the daemon has it
	d := &daemon{exec.Command(name, args...), make(chan error, 1)}
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.Env = append(os.Environ(), env...)
	if err := d.cmd.Start(); err != nil {
		h.Fatal(err)
	}
	go func() { d.ended <- d.cmd.Wait() }()
	h.daemons[name] = d
	return d
}

// stop ends a daemon and waits for its end.
func (h *house) stop(name string) {
	h.Helper()
	d := h.daemons[name]
	if err := d.cmd.Process.Signal(unix.SIGTERM); err != nil {
		h.Fatal(err)
	}
	select {
	case err := <-d.ended:
		if err != nil {
			h.Fatalf("%s ends badly: %v\n%s", name, err, h.log(name))
		}
	case <-time.After(patience):
		h.Fatalf("%s does not end\n%s", name, h.log(name))
	}
}

func logOf(name string) string { return filepath.Join("/run", filepath.Base(name)+".log") }

func (h *house) log(name string) string {
	text, _ := os.ReadFile(logOf(name))
	return string(text)
}

// call makes a TCP connection from one namespace to an address and a port in another one, and returns the address that
// the far side sees. Port 0 is any.
func call(from, to, addr string, port int, limit time.Duration) (seen string, err error) {
	var server *net.TCPListener
	err = host.Inside(to, func() (err error) {
		server, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.ParseIP(addr), Port: port})
		return err
	})
	if err != nil {
		return "", err
	}
	defer server.Close() //nolint:errcheck // nothing is written to it
	if err := dial(from, server.Addr().String(), limit); err != nil {
		return "", err
	}
	if err := server.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	peer, err := server.Accept()
	if err != nil {
		return "", err
	}
	defer peer.Close() //nolint:errcheck // nothing is written to it
	seen, _, err = net.SplitHostPort(peer.RemoteAddr().String())
	return seen, err
}

// dial makes a TCP connection from a namespace and closes it.
func dial(from, addr string, limit time.Duration) error {
	return host.Inside(from, func() error {
		c, err := net.DialTimeout("tcp", addr, limit)
		if err != nil {
			return fmt.Errorf("from namespace %q: %w", from, err)
		}
		return c.Close()
	})
}

// reached makes a connection, and says whether the far side sees the right caller.
func reached(from, to, addr string, port int, as string, limit time.Duration) error {
	seen, err := call(from, to, addr, port, limit)
	if err == nil && seen != as {
		err = fmt.Errorf("%s in %q is called by %s, want %s", addr, to, seen, as)
	}
	return err
}

// snapshot is the whole host, once the kernel is done with what follows from the last change.
func (h *house) snapshot() string {
	h.Helper()
	s, err := snapshot.Settle()
	if err != nil {
		h.Fatal(err)
	}
	return s.Text
}

// same compares two texts line by line.
func (h *house) same(when, what, before, now string) {
	h.Helper()
	if d := snapshot.Difference(before, now); d != "" {
		h.Errorf("%s %s differs (- before, + now):\n%s", when, what, d)
	}
}

// What changes by itself in a list of rules, and what is plumb's.
var (
	plumbTables = regexp.MustCompile(`(?ms)^table inet plumb-.*?^}\n`)
	counters    = regexp.MustCompile(`(?m)\[\d+:\d+\]$|^#.*\n`)
)

// rules lists the rules of all but plumb, as each tool shows them.
func (h *house) rules() string {
	h.Helper()
	text := plumbTables.ReplaceAllString(h.sh("nft", "-s", "list", "ruleset"), "")
	for _, save := range []string{"iptables-save", "ip6tables-save"} {
		if _, err := exec.LookPath(save); err == nil {
			text += save + "\n" + counters.ReplaceAllString(h.sh(save), "")
		}
	}
	return text
}
