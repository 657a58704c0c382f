package main

import (
	"fmt"
	"net/netip"
)

// defaultShapes are those measured when no others are asked for.
const defaultShapes = "hosts-10,hosts-100,hosts-300,hosts-1000,line-100,grid-10x10,bridges-20x50"

// maxPorts is how many ports the kernel allows a bridge.
const maxPorts = 1023

// parseShape makes the shape of a name such as hosts-100.
func parseShape(name string) (shape, error) {
	var s shape
	var x, y int
	switch {
	case scan(name, "hosts-%d", &x) && x <= maxPorts:
		s = bridged(1, x)
	case scan(name, "bridges-%dx%d", &x, &y) && x <= 256 && y <= maxPorts:
		s = bridged(x, y)
	case scan(name, "line-%d", &x) && x >= 2 && x <= 250:
		s = line(x)
	case scan(name, "grid-%dx%d", &x, &y) && x >= 2 && x*y <= 4096:
		s = grid(x, y)
	default:
		return shape{}, fmt.Errorf("there is no shape %q: write hosts-N, bridges-BxN, line-N or grid-WxH, as in %s",
			name, defaultShapes)
	}
	s.name = name
	return s, nil
}

// scan says whether name has the format, with positive numbers, and nothing else.
func scan(name, format string, numbers ...*int) bool {
	var into, back []any
	for _, n := range numbers {
		into = append(into, n)
	}
	if _, err := fmt.Sscanf(name, format, into...); err != nil {
		return false
	}
	for _, n := range numbers {
		if *n < 1 {
			return false
		}
		back = append(back, *n)
	}
	return name == fmt.Sprintf(format, back...)
}

// bridged is bridges of the host with as many hosts on each. The bridge is its hosts' way out.
func bridged(bridges, hosts int) shape {
	var s shape
	for b := range bridges {
		br := bridge{fmt.Sprintf("br%d", b), netip.PrefixFrom(address(b, 1), 16)}
		s.bridges = append(s.bridges, br)
		for h := range hosts {
			i := len(s.namespaces) + 1
			n := namespace{
				name:   fmt.Sprintf("h%d", i),
				routes: []route{{netip.PrefixFrom(netip.IPv4Unspecified(), 0), br.address.Addr()}},
			}
			s.namespaces = append(s.namespaces, n)
			s.cables = append(s.cables, cable{
				{name: fmt.Sprintf("p%d", i), bridge: br.name},
				{namespace: n.name, name: "eth0", address: netip.PrefixFrom(address(b, 2+h), 16)},
			})
		}
	}
	first, last := s.namespaces[len(s.namespaces)-hosts], s.cables[len(s.cables)-1][1]
	s.ping = probe{first.name, last.address.Addr()}
	return s
}

// forwarding makes a router.
var forwarding = sysctl{"net.ipv4.ip_forward", "1"}

// line is a line of routers that know the way to both of its ends. Their eth0 leads to the left, their eth1 to the
// right.
func line(routers int) shape {
	var s shape
	first, last := pointToPoint(0), pointToPoint(routers-2)
	for i := range routers {
		n := namespace{name: fmt.Sprintf("r%d", i+1), sysctls: []sysctl{forwarding}}
		if i > 1 {
			n.routes = append(n.routes, route{first[0].Masked(), pointToPoint(i - 1)[0].Addr()})
		}
		if i < routers-2 {
			n.routes = append(n.routes, route{last[0].Masked(), pointToPoint(i)[1].Addr()})
		}
		s.namespaces = append(s.namespaces, n)
	}
	end := &s.namespaces[routers-1] // its answers have a long way to go
	end.sysctls = []sysctl{forwarding, {"net.ipv4.ip_default_ttl", "255"}}
	for i := range routers - 1 {
		s.connect(s.namespaces[i].name, "eth1", s.namespaces[i+1].name, "eth0")
	}
	s.ping = probe{s.namespaces[0].name, last[1].Addr()}
	return s
}

// grid is a net of namespaces, each with cables to its neighbours.
func grid(width, height int) shape {
	var s shape
	name := func(x, y int) string { return fmt.Sprintf("n%d-%d", x, y) }
	for y := range height {
		for x := range width {
			s.namespaces = append(s.namespaces, namespace{name: name(x, y)})
			if x+1 < width {
				s.connect(name(x, y), "east", name(x+1, y), "west")
			}
			if y+1 < height {
				s.connect(name(x, y), "south", name(x, y+1), "north")
			}
		}
	}
	neighbour := s.cables[0][1]
	s.ping = probe{name(0, 0), neighbour.address.Addr()}
	return s
}

// connect lays a cable with a subnet of its own.
func (s *shape) connect(ns1, name1, ns2, name2 string) {
	a := pointToPoint(len(s.cables))
	s.cables = append(s.cables, cable{{ns1, name1, "", a[0]}, {ns2, name2, "", a[1]}})
}

// pointToPoint is the two addresses of the nth cable.
func pointToPoint(n int) [2]netip.Prefix {
	return [2]netip.Prefix{netip.PrefixFrom(address(0, 4*n+1), 30), netip.PrefixFrom(address(0, 4*n+2), 30)}
}
