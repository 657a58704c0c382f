package reconcile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

const routedOut = `
name: routed
bridges: {br0: {addresses: [192.168.10.1/24, "fd00:10::1/64"]}}
namespaces:
  ns1:
    interfaces: {eth0: {bridge: br0, port-name: port1, addresses: [192.168.10.11/24, "fd00:10::11/64"]}}
    routes: [{to: default, via: 192.168.10.1}, {to: default, via: "fd00:10::1"}]
  ns2:
    interfaces: {eth0: {bridge: br0, port-name: port2, addresses: [192.168.10.12/24, "fd00:10::12/64"]}}
nat: [{masquerade: 192.168.10.0/24}, {masquerade: "fd00:10::/64"}]
`

// ruleset has nft read a file, after all that there is was flushed but plumb's.
func (l *lab) ruleset(text string) {
	l.Helper()
	path := filepath.Join(l.TempDir(), "rules.nft")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.Fatal(err)
	}
	l.sh("nft", "-f", path)
}

// bridged says whether br_netfilter shows the host's firewalls what goes from port to port of a bridge.
func (l *lab) bridged(value string) {
	l.Helper()
	if _, err := os.Stat("/proc/sys/net/bridge"); err != nil {
		if value == "1" {
			l.Skip("there is no br_netfilter")
		}
		return
	}
	l.sysctl("bridge/bridge-nf-call-iptables", value)
	l.sysctl("bridge/bridge-nf-call-ip6tables", value)
}

// passes says whether an echo request from ns1, sent once, is answered.
func (l *lab) passes(to string) bool {
	l.Helper()
	return host.Inside("ns1", func() error { return exec.Command("ping", "-n", "-c", "1", "-W", "0.3", to).Run() }) == nil
}

// remedies are the commands that the warnings of the last run give as a remedy.
func (l *lab) remedies() (commands []string) {
	l.Helper()
	for _, w := range l.warnings {
		_, text, found := strings.Cut(w, "allow them there: ")
		if !found {
			continue
		}
		commands = append(commands, strings.Split(text, "; ")...)
	}
	return commands
}

// forwardRules are what firewalls make of what is forwarded, and whether packets get through, and back.
var forwardRules = map[string]struct {
	policy, rules, more string
	passes              bool
}{
	"drop":   {policy: "drop"},
	"accept": {policy: "accept", passes: true},
	"both ways": {
		policy: "drop", rules: "ip saddr S4 accept; ip daddr S4 accept; ip6 saddr S6 accept; ip6 daddr S6 accept",
		passes: true,
	},
	"one way alone": {policy: "drop", rules: "ip saddr S4 accept; ip6 saddr S6 accept"},
	"there, and back by state": {
		policy: "drop", rules: "ct state established,related accept; ip saddr S4 accept; ip6 saddr S6 accept",
		passes: true,
	},
	"by state in a set": {
		policy: "drop", rules: "ct state {established, related} accept; iifname br0 accept",
		passes: true,
	},
	"by interface": {
		policy: "drop", rules: "iifname br0 oifname up0 accept; iifname up0 oifname br0 ct state != new accept",
		passes: true,
	},
	"by another interface": {policy: "drop", rules: "iifname br1 accept; oifname br1 accept"},
	"by a wildcard": {
		policy: "drop", rules: `iifname "br*" accept; oifname "br*" accept`,
		passes: true,
	},
	"by a set of interfaces": {
		policy: "drop", rules: `iifname {"lo", "br0"} accept; oifname != {"up0", "up1"} accept`,
		passes: true,
	},
	"a wider network": {
		policy: "drop", rules: "ip saddr 192.168.0.0/16 accept; ip daddr 192.168.0.0/16 accept; " +
			"meta nfproto ipv6 accept",
		passes: true,
	},
	"a part of the network": {
		policy: "drop", rules: "ip saddr 192.168.10.128/25 accept; ip6 saddr fd00:10::8000/113 accept; " +
			"ct state established accept",
	},
	"a set of networks": {
		policy: "drop", rules: "ip saddr {10.0.0.0/8, S4} accept; ip daddr {10.0.0.0/8, S4} accept; " +
			"ip6 saddr {fd00::/16} accept; ip6 daddr {fd00::/16} accept",
		passes: true,
	},
	"a range": {
		policy: "drop", rules: "ip saddr 192.168.0.0-192.168.99.255 accept; meta nfproto ipv6 accept; " +
			"ct state established accept",
		passes: true,
	},
	"a port alone":        {policy: "drop", rules: "tcp dport 22 accept; ct state established accept"},
	"accept after a drop": {policy: "accept", rules: "drop; accept"},
	"a reject at the end": {
		policy: "accept", rules: "ct state established,related accept; iifname lo accept; " +
			"reject with icmpx admin-prohibited",
	},
	"a drop of other things": {
		policy: "accept", rules: "ct state invalid drop; tcp dport 25 drop; ip saddr 10.9.0.0/16 drop",
		passes: true,
	},
	"a drop of answers":    {policy: "accept", rules: "ct state established drop"},
	"a chain that accepts": {policy: "drop", rules: "jump allow", more: "accept", passes: true},
	"a chain that returns": {
		policy: "drop", rules: "jump allow",
		more: "iifname br0 return; return; accept",
	},
	"a chain that goes on": {
		policy: "accept", rules: "goto allow; drop",
		more: "iifname br1 accept", passes: true,
	},
	"a chain by interface": {
		policy: "drop", rules: "ct state established accept; iifname br0 jump allow",
		more: "accept", passes: true,
	},
	"a map of states": {
		policy: "drop", rules: "ct state vmap {established: accept, related: accept, invalid: drop}; " +
			"iifname vmap {br0: jump allow}",
		more: "counter accept", passes: true,
	},
	"a map that drops": {policy: "accept", rules: "iifname vmap {br0: drop, br1: accept}"},
	"with words of what it does": {
		policy: "drop", rules: `counter log prefix "x" accept comment "all"`,
		passes: true,
	},
	"a limit": {
		policy: "accept", rules: "limit rate over 1000000/second drop",
		passes: true,
	},
}

func (l *lab) forwardRules(name string) {
	l.Helper()
	r := forwardRules[name]
	fill := strings.NewReplacer("S4", "192.168.10.0/24", "S6", "fd00:10::/64")
	lines := func(text string) string { return strings.ReplaceAll(fill.Replace(text), "; ", "\n") }
	l.ruleset("table inet fw\ndelete table inet fw\ntable inet fw {\nchain allow {\n" + lines(r.more) + "\n}\n" +
		"chain forward {\ntype filter hook forward priority 0; policy " + r.policy + ";\n" + lines(r.rules) + "\n}\n}\n")
}

// TestWarnOfWhatFirewallsDrop warns of a firewall exactly where packets don't get through, and no more when its
// remedies were run.
func TestWarnOfWhatFirewallsDrop(t *testing.T) {
	l := newLab(t)
	l.uplink()
	l.bridged("0")
	topo := l.load(routedOut)
	l.apply(topo)
	l.ping("ns1", world4)
	l.ping("ns1", world6)
	for name, r := range forwardRules {
		l.forwardRules(name)
		for _, world := range []string{world4, world6} {
			if passes := l.passes(world); passes != r.passes {
				t.Errorf("%s: packets to %s pass: %v", name, world, passes)
			}
		}
		l.diff(topo)
		if warned := len(l.warnings) == 2; warned == r.passes || !warned && len(l.warnings) > 0 {
			t.Errorf("%s: the warnings are %q", name, l.warnings)
		}
		for _, command := range l.remedies() {
			l.sh("sh", "-c", command)
		}
		if l.diff(topo); len(l.warnings) > 0 {
			t.Errorf("%s: warnings after the remedies: %q", name, l.warnings)
		}
		if !l.passes(world4) || !l.passes(world6) {
			t.Errorf("%s: packets don't pass after the remedies", name)
		}
	}
	l.sh("nft", "delete", "table", "inet", "fw")
}

// TestWarnOfForwardingWithoutNAT tells of it where a parameter has the host forward.
func TestWarnOfForwardingWithoutNAT(t *testing.T) {
	for _, sysctls := range []string{
		"net.ipv4.ip_forward: 1", "net.ipv6.conf.all.forwarding: 1",
		"net.ipv4.ip_forward: 1, net.ipv6.conf.all.forwarding: 1",
	} {
		t.Run(sysctls, func(t *testing.T) {
			l := newLab(t)
			l.bridged("0")
			text, _, _ := strings.Cut(routedOut, "nat:")
			topo := l.load(text + "sysctls: {" + sysctls + "}\n")
			l.fixture(func() { l.sh("nft", "delete", "table", "inet", "fw") })
			for _, firewall := range []string{"drop", "a reject at the end"} {
				l.forwardRules(firewall)
				l.diff(topo)
				want := strings.Count(sysctls, ":")
				if len(l.warnings) != want || len(l.remedies()) != 2*want {
					t.Errorf("%s: the warnings are %q, want %d", firewall, l.warnings, want)
				}
				for _, command := range l.remedies() {
					l.sh("sh", "-c", command)
				}
				if l.diff(topo); len(l.warnings) > 0 {
					t.Errorf("%s: warnings after the remedies: %q", firewall, l.warnings)
				}
			}
			l.mark()
			topo = l.load(text + "sysctls: {net.ipv4.ip_forward: 0}\n")
			l.forwardRules("drop")
			if l.diff(topo); len(l.warnings) > 0 {
				t.Errorf("warnings without forwarding: %q", l.warnings)
			}
			l.mark()
		})
	}
}

// TestWarnOfBridgedFrames tells of a firewall that gets to see, and drops, what goes from port to port of a bridge.
func TestWarnOfBridgedFrames(t *testing.T) {
	l := newLab(t)
	l.bridged("1")
	text, _, _ := strings.Cut(routedOut, "nat:")
	topo := l.load(text)
	l.apply(topo)
	l.ping("ns1", "192.168.10.12")
	l.forwardRules("drop")
	if l.passes("192.168.10.12") {
		t.Error("frames pass")
	}
	l.diff(topo)
	l.warned("net.bridge.bridge-nf-call-iptables is 1", "br0")
	l.warned("net.bridge.bridge-nf-call-ip6tables is 1", "br0")
	for _, command := range l.remedies() {
		l.sh("sh", "-c", command)
	}
	if l.diff(topo); len(l.warnings) > 0 || !l.passes("192.168.10.12") || !l.passes("fd00:10::12") {
		t.Errorf("after the remedies: %q", l.warnings)
	}
	l.forwardRules("drop")
	l.sh("sysctl", "-q", "-w", "net.bridge.bridge-nf-call-iptables=0", "net.bridge.bridge-nf-call-ip6tables=0")
	if l.diff(topo); len(l.warnings) > 0 || !l.passes("192.168.10.12") {
		t.Errorf("without br_netfilter: %q", l.warnings)
	}
	l.sh("sysctl", "-q", "-w", "net.bridge.bridge-nf-call-iptables=1", "net.bridge.bridge-nf-call-ip6tables=1")
	l.sh("nft", "delete", "table", "inet", "fw")
}

// iptablesRules are what firewalls make of what is forwarded with iptables, and whether packets get through.
var iptablesRules = map[string]struct {
	commands string
	passes   bool
}{
	"drop":      {"-P FORWARD DROP", false},
	"reject":    {"-A FORWARD -j REJECT", false},
	"both ways": {"-P FORWARD DROP\n-A FORWARD -s NET -j ACCEPT\n-A FORWARD -d NET -j ACCEPT", true},
	"by state": {"-P FORWARD DROP\n-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n" +
		"-A FORWARD -i br0 -m comment --comment lan -j ACCEPT", true},
	"by the state of old": {"-P FORWARD DROP\n-A FORWARD -m state --state RELATED,ESTABLISHED -j ACCEPT\n" +
		"-A FORWARD -i br+ -j ACCEPT", true},
	"state alone": {"-P FORWARD DROP\n-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", false},
	"a chain": {"-P FORWARD DROP\n-N user\n-A FORWARD -j user\n" +
		"-A user -i br0 -j ACCEPT\n-A user -o br0 -j ACCEPT", true},
	"a chain that returns": {"-P FORWARD DROP\n-N user\n-A FORWARD -j user\n" +
		"-A user -j RETURN\n-A user -j ACCEPT", false},
	"all but another network": {"-A FORWARD ! -s NET -i br0 -j DROP\n-A FORWARD -p tcp --dport 25 -j DROP", true},
	"another interface":       {"-P FORWARD DROP\n-A FORWARD -i br1 -j ACCEPT\n-A FORWARD ! -i br0 -j ACCEPT", false},
}

// TestWarnOfIptables is TestWarnOfWhatFirewallsDrop for both sorts of iptables.
func TestWarnOfIptables(t *testing.T) {
	for _, variant := range []string{"legacy", "nft"} {
		t.Run(variant, func(t *testing.T) {
			families := map[string]string{"iptables-" + variant: world4, "ip6tables-" + variant: world6}
			for command := range families {
				if exec.Command(command, "-V").Run() != nil {
					t.Skipf("%s is not installed", command)
				}
			}
			l := newLab(t)
			l.uplink()
			l.bridged("0")
			topo := l.load(routedOut)
			l.apply(topo)
			l.ping("ns1", world4)
			l.ping("ns1", world6)
			for command, world := range families {
				for name := range iptablesRules {
					l.iptables(command, name)
					if passes := l.passes(world); passes != iptablesRules[name].passes {
						t.Errorf("%s %s: packets to %s pass: %v", command, name, world, passes)
					}
					l.diff(topo)
					want := map[bool]int{true: 0, false: 1}[iptablesRules[name].passes]
					if len(l.warnings) != want {
						t.Errorf("%s: the warnings are %q", name, l.warnings)
					}
					for _, remedy := range l.remedies() {
						l.sh("sh", "-c", remedy)
					}
					if l.diff(topo); len(l.warnings) > 0 || !l.passes(world) {
						t.Errorf("%s: warnings after the remedies: %q", name, l.warnings)
					}
				}
				l.script(command + " -P FORWARD ACCEPT\n" + command + " -F\n" + command + " -X")
			}
			if variant == "nft" {
				l.script("nft delete table ip filter\nnft delete table ip6 filter")
			}
		})
	}
}

func (l *lab) iptables(command, name string) {
	l.Helper()
	network := "192.168.10.0/24"
	if strings.HasPrefix(command, "ip6") {
		network = "fd00:10::/64"
	}
	l.script(command + " -P FORWARD ACCEPT\n" + command + " -F\n" + command + " -X")
	for line := range strings.Lines(iptablesRules[name].commands) {
		l.script(command + " " + strings.ReplaceAll(line, "NET", network))
	}
}
