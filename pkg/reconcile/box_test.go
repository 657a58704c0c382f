package reconcile_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/plumbnet/plumb/pkg/engine"
)

// startBox starts a process in a network namespace of its own, which has no name, as a container's first one is. It
// ends with the test binary, whatever ends that.
func startBox() (*exec.Cmd, error) {
	cmd := exec.Command("unshare", "--net", "sh", "-c", "echo && exec cat")
	_, err := cmd.StdinPipe() // cat ends when nobody has the other end any more
	if err != nil {
		return nil, err
	}
	there, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = there.Read(make([]byte, 1)) // what echo says: it has unshared
	}
	return cmd, err
}

// serveContainers answers as Docker does, to this process and to its children: every container that is asked for runs,
// from then on, in an empty network namespace.
func serveContainers() error {
	var mu sync.Mutex
	boxes := make(map[string]*exec.Cmd)
	return serveEngine("/run/engine.sock", func(name string) (pid int) {
		mu.Lock()
		defer mu.Unlock()
		if boxes[name] == nil {
			box, err := startBox()
			if err != nil {
				return 0
			}
			boxes[name] = box
		}
		return boxes[name].Process.Pid
	})
}

// serveEngine answers at a socket, as far as plumb asks, with the first processes of containers; 0 is none. It is what
// plumb asks from now on.
func serveEngine(socket string, pid func(name string) int) error {
	at, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	answer := func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"State": {"Pid": %d}}`, pid(r.PathValue("name")))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containers/{name}/json", answer)
	go func() { _ = http.Serve(at, mux) }()
	return os.Setenv("DOCKER_HOST", "unix://"+socket)
}

// engine is Docker's for the rest of the test, with a container called web, whose first process is told; 0 is none.
func (l *lab) engine() *atomic.Int64 {
	l.Helper()
	had, pid := os.Getenv("DOCKER_HOST"), new(atomic.Int64)
	l.Cleanup(func() { _ = os.Setenv("DOCKER_HOST", had) })
	socket := filepath.Join(l.TempDir(), "engine.sock")
	if err := serveEngine(socket, func(string) int { return int(pid.Load()) }); err != nil {
		l.Fatal(err)
	}
	return pid
}

// containers gives names to the namespaces of the containers that a topology is attached to, so that the snapshots of
// the lab have them.
func (l *lab) containers(yaml string) {
	l.Helper()
	for _, found := range regexp.MustCompile(`attach: docker:(\w+)`).FindAllStringSubmatch(yaml, -1) {
		pid, err := engine.Docker(os.Getenv("DOCKER_HOST")).Process(l.Context(), found[1])
		if err != nil {
			l.Fatal(err)
		}
		l.name(found[1], pid)
	}
}

// name gives the namespace of a process a name.
func (l *lab) name(name string, pid int) {
	l.Helper()
	l.sh("ip", "netns", "attach", name, fmt.Sprint(pid))
	l.fixture(func() { l.sh("ip", "netns", "del", name) })
}

// box is such a process, which one test has.
type box struct {
	*lab
	cmd *exec.Cmd
}

func (l *lab) box() *box {
	l.Helper()
	cmd, err := startBox()
	if err != nil {
		l.Fatal(err)
	}
	b := &box{l, cmd}
	l.Cleanup(b.end)
	b.run("ip link set lo up")
	return b
}

func (b *box) pid() int     { return b.cmd.Process.Pid }
func (b *box) path() string { return fmt.Sprintf("/proc/%d/ns/net", b.pid()) }

// end ends the process, and with it the namespace, unless that is mounted somewhere.
func (b *box) end() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

// run runs one command a line in the namespace, split at white space, and returns what they print.
func (b *box) run(lines string) (out string) {
	b.Helper()
	for line := range strings.Lines(lines) {
		if f := strings.Fields(line); len(f) > 0 {
			out += b.sh("nsenter", slices.Concat([]string{"--net=" + b.path()}, f)...)
		}
	}
	return out
}

// named gives the namespace a name, so that the snapshots of the lab have it.
func (b *box) named(name string) {
	b.Helper()
	b.name(name, b.pid())
}

// furnish puts things into the namespace that its owner needs.
func (b *box) furnish() {
	b.Helper()
	b.run(`
		ip link add own0 address 02:f0:00:00:00:11 type bridge stp_state 0 forward_delay 400
		ip link set own0 up
		ip address add 10.88.1.1/24 dev own0
		ip address add fd00:88:1::1/64 dev own0 nodad
		ip route add 10.89.0.0/16 via 10.88.1.9
		ip route add blackhole 10.98.0.0/16 proto 99 metric 7
		ip rule add pref 100 from 10.99.0.0/16 lookup 99
		nft add table inet own
		nft add chain inet own forward { type filter hook forward priority 0 ; policy accept ; }
		sysctl -qw net.ipv4.conf.own0.rp_filter=2 net.ipv4.tcp_keepalive_time=1234 net.ipv6.conf.own0.accept_ra=1`)
}
