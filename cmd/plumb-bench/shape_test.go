package main

import (
	"net/netip"
	"strings"
	"testing"
)

func TestShapes(t *testing.T) {
	for _, tt := range []struct {
		name                        string
		bridges, namespaces, cables int
		census                      census
		ping                        probe
	}{
		{"hosts-3", 1, 3, 3, census{3, 7, 4, 7}, probe{"h1", netip.MustParseAddr("10.0.0.4")}},
		{"hosts-1000", 1, 1000, 1000, census{1000, 2001, 1001, 2001}, probe{"h1", netip.MustParseAddr("10.0.3.233")}},
		{"bridges-20x50", 20, 1000, 1000, census{1000, 2020, 1020, 2020}, probe{"h951", netip.MustParseAddr("10.19.0.51")}},
		{"line-2", 0, 2, 1, census{2, 2, 2, 2}, probe{"r1", netip.MustParseAddr("10.0.0.2")}},
		{"line-100", 0, 100, 99, census{100, 198, 198, 394}, probe{"r1", netip.MustParseAddr("10.0.1.138")}},
		{"grid-10x10", 0, 100, 180, census{100, 360, 360, 360}, probe{"n0-0", netip.MustParseAddr("10.0.0.2")}},
	} {
		s, err := parseShape(tt.name)
		if err != nil {
			t.Error(err)
			continue
		}
		if s.name != tt.name || len(s.bridges) != tt.bridges || len(s.namespaces) != tt.namespaces ||
			len(s.cables) != tt.cables {
			t.Errorf("%s: %d bridges, %d namespaces and %d cables", tt.name, len(s.bridges), len(s.namespaces), len(s.cables))
		}
		if s.census() != tt.census {
			t.Errorf("%s: census %+v, not %+v", tt.name, s.census(), tt.census)
		}
		if s.ping != tt.ping {
			t.Errorf("%s: ping %v, not %v", tt.name, s.ping, tt.ping)
		}
		checkConsistent(t, s)
		if s.changeable() {
			checkConsistent(t, s.changed())
		}
	}
}

// checkConsistent sees that names and addresses are unlike each other, and that what is referred to exists.
func checkConsistent(t *testing.T, s shape) {
	t.Helper()
	known := map[string]bool{"": true}
	for _, n := range s.namespaces {
		known[n.name] = true
	}
	bridges := map[string]bool{"": true}
	addresses := map[netip.Addr]bool{}
	for _, b := range s.bridges {
		bridges[b.name] = true
		addresses[b.address.Addr()] = true
	}
	ends := map[string]bool{}
	for _, c := range s.cables {
		for _, e := range c {
			name := e.namespace + "/" + e.name
			if !known[e.namespace] || !bridges[e.bridge] || ends[name] || len(e.name) > 15 {
				t.Errorf("%s: end %+v", s.name, e)
			}
			ends[name] = true
			if e.address.IsValid() && addresses[e.address.Addr()] {
				t.Errorf("%s: address %s twice", s.name, e.address)
			}
			addresses[e.address.Addr()] = true
		}
	}
	for _, n := range s.namespaces {
		for _, r := range n.routes {
			if !addresses[r.via] {
				t.Errorf("%s: nobody is %s", s.name, r.via)
			}
		}
	}
	if !known[s.ping.From] || !addresses[s.ping.To] {
		t.Errorf("%s: ping %+v", s.name, s.ping)
	}
}

func TestNoShape(t *testing.T) {
	for _, name := range []string{
		"", "hosts", "hosts-", "hosts-0", "hosts--1", "hosts-03", "hosts-1024", "hosts-3x", "line-1", "grid-10",
		"grid-1x5", "bridges-2x1024", "star-5",
	} {
		if _, err := parseShape(name); err == nil || !strings.Contains(err.Error(), "there is no shape") {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

func TestChangedIsAnotherAddress(t *testing.T) {
	s, err := parseShape("hosts-3")
	if err != nil {
		t.Fatal(err)
	}
	c := s.changed()
	if got := c.cables[2][1].address.String(); got != "10.0.0.5/16" {
		t.Errorf("the last host has %s", got)
	}
	if got := s.cables[2][1].address.String(); got != "10.0.0.4/16" {
		t.Errorf("the shape itself has changed: the last host has %s", got)
	}
}

func TestOwnersAreFew(t *testing.T) {
	for name, want := range map[string]int{"hosts-10": 1, "bridges-2x5": 1, "line-10": 5, "grid-10x10": 50} {
		s, err := parseShape(name)
		if err != nil {
			t.Fatal(err)
		}
		owners := map[string]bool{}
		for _, c := range owned(s) {
			owners[c[0].namespace] = true
		}
		if len(owners) != want {
			t.Errorf("%s: %d namespaces own cables, not %d", name, len(owners), want)
		}
	}
}
