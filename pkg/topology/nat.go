package topology

import "net/netip"

// NAT is an entry of a section's nat list: what comes from the subnet leaves with the address of the interface that it
// leaves by.
type NAT struct {
	Subnet netip.Prefix `file:"masquerade,required" missing:"as {masquerade: 192.168.10.0/24, out: eth0}" doc:"network to hide"`
	Out    Ifname       `file:"out" doc:"interface to leave by; left out, any that does not hold the network"`
}
