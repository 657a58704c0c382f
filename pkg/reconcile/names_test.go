package reconcile_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

const twoCables = "name: x\nbridges: {br0: {addresses: [10.1.0.1/24]}}\nnamespaces:\n" +
	"  n1: {interfaces: {eth0: {bridge: br0, addresses: [10.1.0.2/24]}, lo: {addresses: [10.1.9.9/32]}}, " +
	"bridges: {in: {addresses: [10.2.0.1/24]}}, routes: [{to: 10.9.0.0/24, type: blackhole}], " +
	"nat: [{masquerade: 10.2.0.0/24}]}\n"

// bound gives a namespace a second name.
func (l *lab) bound(name, other string) {
	l.Helper()
	l.sh("touch", host.NetnsDir+"/"+other)
	l.sh("mount", "--bind", host.NetnsDir+"/"+name, host.NetnsDir+"/"+other)
}

func (l *lab) unbound(name string) {
	l.Helper()
	l.sh("umount", host.NetnsDir+"/"+name)
	l.sh("rm", host.NetnsDir+"/"+name)
}

// A second name of a namespace of ours is nobody's: it is no namespace more, and stays.
func TestSecondNameOfOurs(t *testing.T) {
	for _, other := range []string{"a", "z"} { // before and after ours
		t.Run(other, func(t *testing.T) {
			l := newLab(t)
			topo := l.load(twoCables)
			l.apply(topo)
			l.bound("n1", other)
			l.converged(topo)
			l.drift(drift{do: "ip -n n1 link del eth0\nip -n n1 address add 10.8.0.1/24 dev in"})
			l.apply(topo)
			l.converged(topo)
			_, err := l.tryApply(l.load(twoCables + "  " + other + ": {}\n"))
			refused(t, err, "is another name of namespace n1")
			l.apply(l.load("name: x\n"))
			if _, err := exec.Command("ip", "-n", other, "link", "show", "lo").Output(); err != nil {
				t.Errorf("the other name went: %v", err)
			}
			for _, args := range []string{
				"-n " + other + " -o link show", "-n " + other + " -o address show",
				"-n " + other + " route show table all proto 112",
			} {
				if out := l.sh("ip", strings.Fields(args)...); strings.Contains(out, "plumb") || strings.Contains(out, "10.") {
					t.Errorf("left in the namespace: %s", out)
				}
			}
			if out := l.sh("ip", "netns", "exec", other, "nft", "list", "tables"); out != "" {
				t.Errorf("left in the namespace: %s", out)
			}
			l.apply(topo) // another namespace by now
			l.converged(topo)
			l.destroy(topo.Name)
			l.unbound(other)
		})
	}
}

// Of a namespace with two names one is adopted, and the other stays; both cannot be.
func TestAdoptOneOfTwoNames(t *testing.T) {
	l := newLab(t)
	l.script("ip netns add n1")
	l.bound("n1", "n0")
	topo := l.load(twoCables)
	before := l.rest()
	_, err := l.tryApply(l.load(twoCables+"  n0: {}\n"), adopt)
	refused(t, err, "is another name of namespace")
	l.undone("unconfirmed", topo, before, adopt, unconfirmed)
	l.apply(topo, adopt)
	l.converged(topo)
	l.destroy(topo.Name)
	l.sh("ip", "-n", "n0", "link", "show", "lo")
	l.unbound("n0")
}

// A name of the host's own namespace is refused, with --adopt too.
func TestNameOfTheHostItself(t *testing.T) {
	l := newLab(t)
	l.script("ip netns add n0") // makes the directory
	l.sh("touch", host.NetnsDir+"/n1")
	l.sh("mount", "--bind", "/proc/self/ns/net", host.NetnsDir+"/n1")
	defer l.script("umount /run/netns/n1\nrm /run/netns/n1\nip netns del n0")
	before := l.rest()
	for _, how := range []string{"", "adopt"} {
		_, err := l.tryApply(l.load("name: x\nnamespaces: {n1: {}}\n"), adopt)
		refused(t, err, "is the host's own namespace")
		l.same("after the refusal "+how, before, l.rest())
	}
}

// A namespace in which processes live is not adopted: they would lose their network.
func TestAdoptNamespaceOfProcesses(t *testing.T) {
	l := newLab(t)
	l.script(`
		ip netns add n1
		ip -n n1 link add eth9 type bridge
		ip -n n1 link set eth9 up
		ip -n n1 address add 10.7.0.1/24 dev eth9
		ip -n n1 route add default via 10.7.0.2`)
	cmd := exec.Command("nsenter", "--net="+host.NetnsDir+"/n1", "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(l.sh("ip", "netns", "pids", "n1"), "\n") {
	}
	topo, before := l.load(twoCables), l.rest()
	p := l.diff(topo, adopt)
	refusal(t, p, object.NamespaceKey("n1"), "while processes are in it")
	_, err := l.tryApply(topo, adopt)
	refused(t, err, " sleep)")
	l.same("after the refusal", before, l.rest())
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	for _, s := range l.apply(topo, adopt).Plan.Steps {
		if s.Action == plan.Delete {
			t.Errorf("what others put there is deleted: %s", s.Key().Label())
		}
	}
	l.converged(topo)
}
