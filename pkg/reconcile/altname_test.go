package reconcile_test

import (
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// TestNameIsAltname wants links of every sort at a name that another link has besides its own: diff and apply refuse,
// and name that link.
func TestNameIsAltname(t *testing.T) {
	const base = "name: x\nnamespaces: {n1: {}, n2: {}}\n"
	for name, test := range map[string]struct{ ns, yaml, want string }{
		"bridge":         {"", "bridges: {lan: {}}", "lan"},
		"cable":          {"", "interfaces: {lan: {peer: n1/e0}}", "lan"},
		"far end":        {"", "namespaces: {n1: {interfaces: {e0: {peer: lan}}}, n2: {}}", "lan"},
		"in a namespace": {"n1", "namespaces: {n1: {interfaces: {lan: {peer: n2/e0}}}, n2: {}}", "n1/lan"},
		"port": {"", "bridges: {sw: {}}\nnamespaces: {n1: {interfaces: {e0: {bridge: sw, port-name: lan}}}, n2: {}}",
			"lan"},
		"port in a namespace": {"n2", "namespaces: {n1: {interfaces: {e0: {bridge: n2/sw, port-name: lan}}}, " +
			"n2: {bridges: {sw: {}}}}", "n2/lan"},
		"vxlan":   {"", "interfaces: {lan: {vxlan: {id: 7, remote: 192.0.2.1}}}", "lan"},
		"macvlan": {"n1", "namespaces: {n1: {interfaces: {lan: {macvlan: {parent: host/pad}}}}, n2: {}}", "n1/lan"},
		"ifb":     {"n1", "namespaces: {n1: {interfaces: {lan: {ifb: {}}}}, n2: {}}", "n1/lan"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.sh("ip", "link", "add", "pad", "type", "bridge")
			l.fixture(func() { l.sh("ip", "link", "del", "pad") })
			l.apply(l.load(base))
			in := []string{}
			if test.ns != "" {
				in = []string{"-n", test.ns}
			}
			l.sh("ip", append(in, "link", "add", "other", "type", "ifb")...)
			l.sh("ip", append(in, "link", "property", "add", "dev", "other", "altname", "first", "altname", "lan")...)
			before := l.settle()
			yaml := "name: x\n" + test.yaml
			if !strings.Contains(yaml, "namespaces") {
				yaml = base + test.yaml
			}
			topo := l.load(yaml)
			key := object.LinkKey(test.ns, "lan")
			why := "an altname of link " + object.LinkKey(test.ns, "other").Place()
			for range 2 {
				refusal(t, l.diff(topo), key, why)
				_, err := l.tryApply(topo, adopt)
				refused(t, err, "link "+test.want+": the name is "+why)
			}
			l.restored("after the refusal", before)
			l.sh("ip", append(in, "link", "property", "del", "dev", "other", "altname", "lan")...)
			l.apply(topo)
			l.converged(topo)
			l.sh("ip", append(in, "link", "del", "other")...)
		})
	}
}

// TestOldNameIsAltname renames a link of ours, whose old name then is another one's altname.
func TestOldNameIsAltname(t *testing.T) {
	const holder = "other"
	l := newLab(t)
	l.script("ip link add other type bridge")
	l.fixture(func() { l.sh("ip", "link", "del", "other") })
	topo := l.load("name: x\nbridges: {br0: {addresses: [10.0.0.1/24]}}\n")
	l.apply(topo)
	made := l.settle()
	l.sh("ip", "link", "set", "br0", "name", "br9")
	l.sh("ip", "link", "property", "add", "dev", holder, "altname", "br0")
	drifted := l.settle()
	refusal(t, l.diff(topo), object.LinkKey("", "br0"), "an altname of link "+holder)
	report, err := l.tryApply(topo)
	refused(t, err, "an altname of link "+holder)
	refusal(t, report.Plan, object.LinkKey("", "br0"), "ip link property del dev "+holder+" altname br0")
	l.restored("after the refusal", drifted)
	l.sh("ip", "link", "property", "del", "dev", holder, "altname", "br0")
	l.apply(topo)
	l.restored("with its name again", made)
	l.sh("ip", "link", "set", "br0", "name", "br9")
	l.sh("ip", "link", "property", "add", "dev", holder, "altname", "br0")
	l.destroy("x")
	l.sh("ip", "link", "set", "other", "name", "other") // it is still there
	l.sh("ip", "link", "property", "del", "dev", "other", "altname", "br0")
}

// TestAltnameTaken wants an altname that a link of others has, as its name or besides it: diff and apply refuse.
func TestAltnameTaken(t *testing.T) {
	l := newLab(t)
	l.script("ip link add lan type bridge\nip link property add dev lan altname wan")
	l.fixture(func() { l.sh("ip", "link", "del", "lan") })
	before := l.settle()
	for name, why := range map[string]string{
		"lan": "name lan is taken by link lan, which does not belong to this topology",
		"wan": "already exists and was not made by plumb",
	} {
		topo := l.load("name: x\nbridges: {br0: {altnames: [" + name + "]}}\n")
		for range 2 {
			refusal(t, l.diff(topo), plan.Key{Kind: "altname", Name: name}, why)
			_, err := l.tryApply(topo)
			refused(t, err, why)
		}
		l.restored("after the refusal", before)
	}
}
