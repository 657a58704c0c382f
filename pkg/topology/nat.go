package topology

import (
	"net/netip"

	"gopkg.in/yaml.v3"
)

// NAT is an entry of a section's nat list: what comes from the subnet leaves with the address of the interface that it
// leaves by.
type NAT struct {
	Masquerade Value[netip.Prefix]
	// Out is that interface; when it is left out, any but those that hold the subnet.
	Out Value[string]

	at     span
	flawed bool
}

func (d *decoder) nat(n *yaml.Node) NAT {
	e := NAT{at: spanOf(n)}
	ok := orderly == d.fields(n, "a nat entry", []field{
		{"masquerade", set(d, &e.Masquerade, network("masquerade"))},
		{"out", set(d, &e.Out, ifname)},
	})
	if ok && !e.Masquerade.Given() {
		d.errorf(e.at, "the nat entry has no masquerade").Hint = "as {masquerade: 192.168.10.0/24, out: eth0}"
	}
	e.flawed = !ok || !e.Masquerade.OK() || e.Out.bad
	return e
}
