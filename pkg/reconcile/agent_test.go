package reconcile_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/agent"
)

// service is a running `plumb agent`.
type service struct {
	*lab
	bin, dir, file string
	cmd            *exec.Cmd
	log            *strings.Builder
}

// agentLab is a topology of which one thing varies: the address that ns1 is reached by.
func agentLab(address string) string {
	return fmt.Sprintf(`name: lab
bridges: {br0: {addresses: [10.0.0.1/24]}}
namespaces:
  ns1: {interfaces: {eth0: {bridge: br0, addresses: [%s]}}}
  ns2: {interfaces: {eth0: {bridge: br0, addresses: [10.0.0.9/24]}}}
`, address)
}

func newService(t *testing.T) *service {
	l, dir := newLab(t), t.TempDir()
	s := &service{lab: l, bin: plumb(t), dir: dir, file: filepath.Join(dir, "lab.yaml")}
	l.names = append(l.names, "lab")
	s.write("agent.yaml", "topologies: [{file: lab.yaml, probes: [{from: ns1, ping: 10.0.0.1, within: 3s}]}]\n")
	t.Cleanup(func() {
		if s.cmd != nil {
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
	})
	return s
}

// write writes a file as editors save it.
func (s *service) write(name, text string) {
	s.Helper()
	path := filepath.Join(s.dir, name)
	s.must(os.WriteFile(path+".new", []byte(text), 0o600))
	s.must(os.Rename(path+".new", path))
}

// start starts the agent, and waits until it answers.
func (s *service) start(env ...string) {
	s.Helper()
	s.log = new(strings.Builder)
	s.cmd = exec.Command(s.bin, s.args()...)
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.must(s.cmd.Start())
	s.waits("answers", func() bool { return s.asks("reconcile").Run() == nil })
}

// asks is a command that asks the agent something.
func (s *service) asks(args ...string) *exec.Cmd {
	return exec.CommandContext(s.Context(), "timeout", append([]string{"30", s.bin}, args...)...)
}

func (s *service) args() []string {
	return []string{"agent", "--config", filepath.Join(s.dir, "agent.yaml"), "--state-dir", filepath.Join(s.dir, "state")}
}

// waits waits for something that the agent does in its own time.
func (s *service) waits(what string, done func() bool) {
	s.Helper()
	const limit = 30 * time.Second
	for begun := time.Now(); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > limit {
			s.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// is says how the agent has the topology.
func (s *service) is() agent.TopologyStatus {
	out, err := s.asks("reconcile", "-o", "json").Output()
	var status agent.Status
	if err == nil {
		s.must(json.Unmarshal(out, &status))
	}
	if len(status.Topologies) != 1 {
		return agent.TopologyStatus{}
	}
	return status.Topologies[0]
}

func (s *service) has(address string) bool {
	out, _ := exec.Command("ip", "-n", "ns1", "address", "show", "dev", "eth0").Output()
	return strings.Contains(string(out), "inet "+address)
}

// TestAgentCommand follows a host that an agent keeps: drift, a document that cuts its probe, runs by hand beside it, and
// a boot without the file.
func TestAgentCommand(t *testing.T) {
	s := newService(t)
	s.write("lab.yaml", agentLab("10.0.0.2/24"))
	told := filepath.Join(s.dir, "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: told, Net: "unixgram"})
	s.must(err)
	defer systemd.Close() //nolint:errcheck // nothing is left in it to lose
	s.start("NOTIFY_SOCKET="+told, "WATCHDOG_USEC=300000")
	s.awaitNotice(systemd, "READY=1")
	s.awaitNotice(systemd, "WATCHDOG=1")

	s.waits("applied", func() bool { return s.has("10.0.0.2/24") })
	s.script("ip -n ns1 link set eth0 down")
	s.waits("healed", func() bool { return strings.Contains(s.sh("ip", "-n", "ns1", "link", "show", "dev", "eth0"), ",UP") })

	s.write("lab.yaml", agentLab("10.9.0.2/24")) // from which 10.0.0.1 can't be reached
	s.waits("taken back", func() bool { return s.is().State == agent.Stalled })
	if got := s.is(); !s.has("10.0.0.2/24") || !strings.Contains(got.Reason, "the probe ping 10.0.0.1 from ns1") {
		t.Errorf("after a document that cuts its probe: %+v", got)
	}

	s.besideIt()

	s.must(s.cmd.Process.Kill())
	_ = s.cmd.Wait() // it was killed
	s.must(os.Remove(s.file))
	s.script("ip netns delete ns1")
	s.start()
	s.waits("last good", func() bool { return s.has("10.0.0.2/24") })
	s.must(s.cmd.Process.Signal(syscall.SIGTERM))
	s.must(s.cmd.Wait())
	s.cmd = nil
	if !s.has("10.0.0.2/24") {
		t.Error("when the agent ended, the host did not stay as it was")
	}
}

// besideIt makes runs by hand beside the agent.
func (s *service) besideIt() {
	s.Helper()
	other := topologyFile(s.TB, "name: other\nnamespaces: {ns3: {}}\n")
	s.names = append(s.names, "other")
	exits(s.TB, 0, s.bin, "apply", "-f", other)
	exits(s.TB, 3, s.bin, "apply", "-f", s.file)
	exits(s.TB, 3, s.bin, "destroy", "lab")
	exits(s.TB, 3, s.bin, "watch", "-f", s.file)
	exits(s.TB, 3, s.bin, s.args()...)
	exits(s.TB, 0, s.bin, "apply", "-f", s.file, "--takeover")
	if got := s.is(); got.State != agent.Suspended || !s.has("10.9.0.2/24") {
		s.Errorf("when it was taken over: %+v", got)
	}
	exits(s.TB, 0, s.bin, "resume", "lab")
	if !s.has("10.0.0.2/24") {
		s.Errorf("when it was resumed: %+v", s.is())
	}
}

// awaitNotice waits until systemd would have been told something.
func (s *service) awaitNotice(from *net.UnixConn, want string) {
	s.Helper()
	s.must(from.SetReadDeadline(time.Now().Add(30 * time.Second)))
	room := make([]byte, 4096)
	for {
		n, err := from.Read(room)
		if err != nil {
			s.Fatalf("systemd is not told %s: %v", want, err)
		}
		if strings.Contains(string(room[:n]), want) {
			return
		}
	}
}

// TestAgentKilled kills the agent at random while its file changes, to good documents and bad ones: whatever it was at,
// the next one brings the host to the last good document. TEST_KILLS is how often.
func TestAgentKilled(t *testing.T) {
	s := newService(t)
	kills, seed := 10, uint64(time.Now().UnixNano())
	if n, err := strconv.Atoi(os.Getenv("TEST_KILLS")); err == nil {
		kills = n
	}
	if n, err := strconv.ParseUint(os.Getenv("TEST_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("TEST_SEED=%d TEST_KILLS=%d", seed, kills)
	random := rand.New(rand.NewPCG(seed, 0))
	good := "10.0.0.2/24"
	s.write("lab.yaml", agentLab(good))
	s.start()
	s.waits("applied", func() bool { return s.has(good) })
	for i := range kills {
		next := fmt.Sprintf("10.0.0.%d/24", 10+random.IntN(200))
		bad := random.IntN(2) == 0
		if bad {
			next = fmt.Sprintf("10.9.0.%d/24", 2+random.IntN(200))
		}
		s.write("lab.yaml", agentLab(next))
		time.Sleep(time.Duration(random.IntN(1300)) * time.Millisecond)
		s.must(s.cmd.Process.Kill())
		_ = s.cmd.Wait() // it was killed
		s.start()
		if bad {
			s.waits("seen to be bad", func() bool { return s.is().State == agent.Stalled })
		} else {
			good = next
		}
		s.waits("last good", func() bool { return s.has(good) })
		if t.Failed() {
			t.Fatalf("kill %d:\n%s", i, s.log)
		}
	}
	s.inSync(s.load(agentLab(good)))
}
