package object

import (
	"net/netip"
	"slices"
	"sort"
)

// Subnets are the networks that a section's links are in, for the questions which of them an address or another
// network is in.
type Subnets struct {
	links map[netip.Prefix][]*Iface
	// sorted has the networks in order, and lengths their prefix lengths, IPv4 and IPv6 apart, the longest first.
	sorted             []netip.Prefix
	lengths4, lengths6 []int
}

// NewSubnets collects the networks of links.
func NewSubnets(links []*Iface) Subnets {
	s := Subnets{links: map[netip.Prefix][]*Iface{}}
	for _, l := range links {
		if l.Type == "" || l.Down {
			continue // no neighbour is reached over lo, or over a link that is down
		}
		for _, p := range l.Networks {
			if !p.IsValid() {
				continue
			}
			if len(s.links[p]) == 0 {
				s.sorted = append(s.sorted, p)
			}
			if !slices.Contains(s.links[p], l) {
				s.links[p] = append(s.links[p], l)
			}
		}
	}
	slices.SortFunc(s.sorted, netip.Prefix.Compare)
	s.lengths4, s.lengths6 = lengths(s.sorted, 32), lengths(s.sorted, 128)
	return s
}

func lengths(sorted []netip.Prefix, most int) []int {
	var has [129]bool
	for _, p := range sorted {
		if p.Addr().BitLen() == most {
			has[p.Bits()] = true
		}
	}
	var list []int
	for bits := most; bits >= 0; bits-- {
		if has[bits] {
			list = append(list, bits)
		}
	}
	return list
}

// Over lists the networks that a network is in, or is, the smallest first.
func (s Subnets) Over(p netip.Prefix) []netip.Prefix {
	lens := s.lengths6
	if p.Addr().Is4() {
		lens = s.lengths4
	}
	var list []netip.Prefix
	for _, bits := range lens {
		if bits > p.Bits() {
			continue
		}
		if up := netip.PrefixFrom(p.Addr(), bits).Masked(); len(s.links[up]) > 0 {
			list = append(list, up)
		}
	}
	return list
}

// Of lists the links that are in a network.
func (s Subnets) Of(p netip.Prefix) []*Iface { return s.links[p] }

// Touching lists the names of links that are in a network that overlaps p, sorted.
func (s Subnets) Touching(p netip.Prefix) []string {
	nets := s.Over(p)
	i := sort.Search(len(s.sorted), func(i int) bool { return s.sorted[i].Compare(p) > 0 })
	for ; i < len(s.sorted) && p.Overlaps(s.sorted[i]); i++ {
		nets = append(nets, s.sorted[i])
	}
	var names []string
	for _, n := range nets {
		for _, l := range s.links[n] {
			names = append(names, l.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Toward finds the link that an address is reached over: through dev, when that is not empty, else through the link
// of the smallest network.
func (s Subnets) Toward(a netip.Addr, dev string) (netip.Prefix, *Iface) {
	for _, p := range s.Over(netip.PrefixFrom(a, a.BitLen())) {
		for _, l := range s.links[p] {
			if dev == "" || l.Name == dev {
				return p, l
			}
		}
	}
	return netip.Prefix{}, nil
}
