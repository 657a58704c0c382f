package interop

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// neighbour is a program that manages the host's network beside plumb.
type neighbour struct {
	packages string   // those of Debian that have it
	commands []string // what they must have brought
	// start brings it up, with something of its own that it serves, and returns when it is ready.
	start func(*house)
	// reload has it read its settings and write its rules anew, and returns when that is done.
	reload func(*house)
	// shows is what it tells of its own objects.
	shows func(*house) string
	// allow lets the topology's traffic pass by the neighbour's own means; nil where it hinders none.
	allow func(*house)
	// forwards are the switches without which it does not work.
	forwards []string
	// works tells why what it serves has no traffic, or why it no longer takes orders. The limit is for each packet.
	works func(h *house, limit time.Duration) error
}

// beside tells each story in a private host of its own.
func beside(t *testing.T, n neighbour) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, command := range append([]string{"go", "ip", "nft"}, n.commands...) {
		if _, err := exec.LookPath(command); err != nil {
			skip(t, "%s is not installed: apt-get install %s", command, n.packages)
		}
	}
	inside, plumb := os.Getenv(roleMark) == testerRole, ""
	if !inside {
		plumb = build(t)
	}
	for _, story := range []struct {
		name string
		tell func(*house, neighbour)
	}{{"before_plumb", comesFirst}, {"after_plumb", comesLater}, {"remedy", isRemedied}, {"allowed", allows}} {
		t.Run(story.name, func(t *testing.T) {
			if inside {
				story.tell(newHouse(t), n)
				return
			}
			t.Parallel() // most of the time it waits
			apart(t, plumb)
		})
	}
}

// The topology and its edit: namespaces on a bridge, behind NAT in both families.
const (
	topology = `
name: beside
bridges: {br7: {addresses: [10.77.0.1/24, "fd00:77::1/64"]}}
namespaces:
  in1: &in
    interfaces: {eth0: {bridge: br7, addresses: [10.77.0.11/24, "fd00:77::11/64"]}}
    routes: [{to: default, via: 10.77.0.1}, {to: default, via: "fd00:77::1"}]
  in2:
    <<: *in
    interfaces: {eth0: {bridge: br7, addresses: [10.77.0.12/24, "fd00:77::12/64"]}}
nat: [{masquerade: 10.77.0.0/24}, {masquerade: "fd00:77::/64"}]
`
	edited = `
name: beside
bridges: {br7: {mtu: 1400, addresses: [10.77.0.1/24, "fd00:77::1/64"]}, br8: {addresses: [10.78.0.1/24]}}
namespaces:
  in1: &in
    interfaces: {eth0: {bridge: br7, mtu: 1400, addresses: [10.77.0.11/24, "fd00:77::11/64"]}}
    routes: [{to: default, via: 10.77.0.1}, {to: default, via: "fd00:77::1"}]
  in2:
    <<: *in
    interfaces: {eth0: {bridge: br7, mtu: 1400, addresses: [10.77.0.12/24, "fd00:77::12/64"]}}
nat: [{masquerade: 10.77.0.0/24, out: up0}, {masquerade: "fd00:77::/64", out: up0}, {masquerade: 10.78.0.0/24}]
`
)

// flows are the connections that the topology is for, each with the words of the warning that tells that it can't be
// made. Only a firewall that filters what comes from the host itself could stop one without.
var flows = []struct{ what, from, to, addr, as, warning string }{
	{"from a namespace to the world", "in1", "world", world4, uplink4, "packets of 10.77.0.0/24 may not pass"},
	{"from a namespace to the world", "in1", "world", world6, uplink6, "packets of fd00:77::/64 may not pass"},
	{"over the bridge", "in1", "in2", "10.77.0.12", "10.77.0.11", "bridge-nf-call-iptables is 1"},
	{"over the bridge", "in1", "in2", "fd00:77::12", "fd00:77::11", "bridge-nf-call-ip6tables is 1"},
	{"from the host to a namespace", "", "in1", "10.77.0.11", "10.77.0.1", ""},
	{"from the host to a namespace", "", "in1", "fd00:77::11", "fd00:77::1", ""},
}

// flow checks that each connection can be made or that a warning says why not, and that nothing is told of what works.
func (h *house) flow(when string, warnings []string) {
	h.Helper()
	for _, f := range flows {
		told := f.warning != "" && strings.Contains(strings.Join(warnings, "\n"), f.warning)
		limit := patience
		if told {
			limit = shortly
		}
		switch seen, err := call(f.from, f.to, f.addr, 0, limit); {
		case err != nil && !told:
			h.Errorf("%s: %s at %s: %v, and no warning says why", when, f.what, f.addr, err)
		case err == nil && told:
			h.Errorf("%s: %s: %s can be reached, but a warning says %q", when, f.what, f.addr, f.warning)
		case err == nil && seen != f.as:
			h.Errorf("%s: %s: %s is called by %s, want %s", when, f.what, f.addr, seen, f.as)
		case err != nil:
			h.Logf("%s: %s: %s can't be reached, and a warning says so: %v", when, f.what, f.addr, err)
		}
	}
}

// objects is all that the neighbour has: its rules and what it tells of itself.
func (h *house) objects(n neighbour) string { h.Helper(); return h.rules() + n.shows(h) }

// stands checks that the neighbour has what it had, and works.
func (h *house) stands(n neighbour, when, before string) {
	h.Helper()
	h.same(when, "what is the neighbour's", before, h.objects(n))
	if err := n.works(h, patience); err != nil {
		h.Errorf("%s the neighbour does not work: %v", when, err)
	}
}

// alone waits until the neighbour works, before plumb has anything to do with it: its IPv6 addresses may be tentative
// for a while.
func (h *house) alone(n neighbour) {
	h.Helper()
	for deadline := time.Now().Add(patience); ; {
		err := n.works(h, patience)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			h.Fatalf("the neighbour does not work, and plumb has done nothing: %v", err)
		}
	}
}

// comesFirst applies, edits and destroys on a host where the neighbour is.
func comesFirst(h *house, n neighbour) {
	n.start(h)
	n.reload(h)
	h.alone(n)
	before, state := h.objects(n), h.snapshot()
	warnings := h.plumb("apply", "-f", h.file(topology))
	h.flow("after apply", warnings)
	h.stands(n, "after apply", before)
	n.reload(h)
	h.flow("after a reload", h.plumb("diff", "-f", h.file(topology)))
	h.stands(n, "after a reload", before)
	h.flow("after an edit", h.plumb("apply", "-f", h.file(edited)))
	h.stands(n, "after an edit", before)
	h.plumb("destroy", "beside")
	h.stands(n, "after destroy", before)
	h.same("after destroy", "the host", state, h.snapshot())
}

// comesLater starts the neighbour on a host where plumb has applied a topology, and then edits and destroys that.
func comesLater(h *house, n neighbour) {
	h.flow("without the neighbour", h.plumb("apply", "-f", h.file(topology)))
	n.start(h)
	h.alone(n)
	h.flow("once the neighbour is there", h.plumb("diff", "-f", h.file(topology)))
	n.reload(h)
	before := h.objects(n)
	h.flow("after a reload", h.plumb("diff", "-f", h.file(topology)))
	h.stands(n, "after a reload", before)
	h.flow("after an edit", h.plumb("apply", "-f", h.file(edited)))
	h.stands(n, "after an edit", before)
	warnings := h.plumb("destroy", "beside")
	for _, sysctl := range []string{forward4, forward6} {
		told := strings.Contains(strings.Join(warnings, "\n"), sysctl)
		if needed := slices.Contains(n.forwards, sysctl); told != needed {
			h.Errorf("destroy warns about %s: %t, want %t: %q", sysctl, told, needed, warnings)
		}
	}
	h.remedy(warnings)
	h.stands(n, "after destroy and what its warnings say", before)
}

// Forwarding is on while the topology is there, and so the neighbour finds it on.
const forward4, forward6 = "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"

// legacy is the same neighbour with iptables as it was before nftables.
func legacy(n neighbour) neighbour {
	start := n.start
	n.start = func(h *house) {
		h.Helper()
		for _, command := range []string{"iptables", "ip6tables"} {
			if _, err := run(command+"-legacy", "-S", "FORWARD"); err != nil {
				skip(h.T, "this kernel has no iptables-legacy: %v", err)
			}
			h.sh("update-alternatives", "--set", command, "/usr/sbin/"+command+"-legacy")
		}
		start(h)
	}
	return n
}

// isRemedied does what the warnings say. Then all works, and nothing is told any more.
func isRemedied(h *house, n neighbour) {
	n.start(h)
	h.remedy(h.plumb("apply", "-f", h.file(topology)))
	warnings := h.plumb("diff", "-f", h.file(topology))
	if len(warnings) > 0 {
		h.Errorf("after its remedy a warning stays:\n%s", strings.Join(warnings, "\n"))
	}
	h.flow("after the remedy", nil)
	h.plumb("destroy", "beside")
	h.alone(n)
}

// allows lets the topology's traffic pass by the neighbour's own means, for good: then nothing is told any more.
func allows(h *house, n neighbour) {
	n.start(h)
	if n.allow == nil {
		return
	}
	if warnings := h.plumb("apply", "-f", h.file(topology)); len(warnings) == 0 {
		h.Error("no warning before it was allowed")
	}
	n.allow(h)
	n.reload(h)
	if warnings := h.plumb("diff", "-f", h.file(topology)); len(warnings) > 0 {
		h.Errorf("a warning, though the neighbour lets it pass:\n%s", strings.Join(warnings, "\n"))
	}
	h.flow("once it was allowed", nil)
	h.plumb("destroy", "beside")
	h.alone(n)
}

// remedies are the commands in a warning.
var remedies = regexp.MustCompile(`[:;] ((?:nft|ip6?tables(?:-legacy)?|ufw|firewall-cmd|sysctl) [^;]*)`)

// remedy runs the commands that warnings name.
func (h *house) remedy(warnings []string) {
	h.Helper()
	for _, w := range warnings {
		for _, m := range remedies.FindAllStringSubmatch(w, -1) {
			h.Logf("remedy: %s", m[1])
			h.script(strings.ReplaceAll(m[1], "'", "")) // no shell takes the quotes off
		}
	}
}
