package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/reconcile"
)

// goingFirst is applied before each of goingEdits. The host has up0 beside it.
const goingFirst = `
name: going
bridges:
  br0: {addresses: [192.168.10.1/24]}
  bx: {addresses: [10.1.1.1/24, "fd00:1::1/64"]}
interfaces:
  v7: {peer: ns1/eth0, addresses: [10.2.2.1/24]}
namespaces:
  ns1: {interfaces: {eth0: {addresses: [10.2.2.2/24]}}}
routes:
  - {to: 198.18.7.0/24, dev: bx}
`

// goingEdits are edits that the host can't follow, each with what is said of it.
var goingEdits = []struct{ name, routes, rest, problem string }{
	{"no such link", "{to: 10.9.0.0/16, dev: nosuch}", "",
		"route 10.9.0.0/16: dev nosuch is not on the host, and the file does not declare it: make it first, or declare it"},
	{"no such link, IPv6", `{to: "fd09::/16", via: "fe80::1", dev: nosuch}`, "",
		"route fd09::/16: dev nosuch is not on the host"},
	{"no such link of a next hop", "{to: 10.9.0.0/16, nexthops: [{via: 192.168.10.2}, {dev: nosuch}]}", "",
		"route 10.9.0.0/16: dev nosuch is not on the host"},
	{"the link goes", "{to: 10.9.0.0/16, dev: bx}", "", "dev bx is removed by this very run"},
	{"the link of a cable goes", "{to: 10.9.0.0/16, via: 10.2.2.2, dev: v7}", "", "dev v7 is removed by this very run"},
	{"the link that leads to a gateway goes", "{to: 10.9.0.0/16, via: 10.1.1.9}", "",
		"route 10.9.0.0/16: the gateway 10.1.1.9 is reached by what this very run removes from bx"},
	{"the link that leads to an IPv6 gateway goes", `{to: "fd09::/16", via: "fd00:1::9"}`, "",
		"the gateway fd00:1::9 is reached by what this very run removes from bx"},
	{"the link that leads to a next hop goes", "{to: 10.9.0.0/16, nexthops: [{via: 192.168.10.2}, {via: 10.1.1.9}]}", "",
		"the gateway 10.1.1.9 is reached by what this very run removes from bx"},
	{"the address that leads to a gateway goes", "{to: 10.9.0.0/16, via: 10.1.1.9}", "  bx: {}",
		"the gateway 10.1.1.9 is reached by what this very run removes from bx"},
	{"the route that leads to a gateway goes", "{to: 10.9.0.0/16, via: 198.18.7.9}", "  bx: {}",
		"the gateway 198.18.7.9 is reached by what this very run removes from bx"},
	{"a link on one that goes", "{to: 10.9.0.0/16, dev: hand0}", "", "dev hand0 is removed by this very run"},
	{"a parent that goes", "{type: blackhole, to: 10.9.0.0/16}", "interfaces: {m: {macvlan: {parent: bx}}}",
		"link m: bx, which it is made on, is removed by this very run"},
}

// A route over a link that is not there, or that goes in the same edit, is told of with its place, and nothing is
// changed.
func TestRouteOverLinkThatGoes(t *testing.T) {
	l := newLab(t)
	l.uplink()
	l.apply(l.load(goingFirst))
	l.sh("ip", "link", "add", "link", "bx", "name", "hand0", "type", "macvlan")
	before := l.settle()
	for _, edit := range goingEdits {
		t.Run(edit.name, func(t *testing.T) {
			topo := l.load("name: going\nbridges:\n  br0: {addresses: [192.168.10.1/24]}\n" +
				edit.rest + "\nroutes:\n  - " + edit.routes + "\n")
			h := l.open()
			_, diff := h.Diff(context.Background(), topo)
			_, apply := h.Apply(context.Background(), topo)
			for verb, err := range map[string]error{"diff": diff, "apply": errors.Join(apply, h.Close())} {
				text := fmt.Sprint(err)
				if !errors.Is(err, reconcile.ErrNotRun) || !strings.Contains(text, edit.problem) ||
					!strings.Contains(text, "test.yaml:") {
					t.Errorf("%s: %v, want: %s, and its place", verb, err, edit.problem)
				}
			}
		})
	}
	l.same("after the refusals", before, l.settle())
	l.sh("ip", "link", "del", "hand0")
}

// What is reached over a link that stays is none of that: one of the host, one that an earlier run made, one of another
// topology, and an interface that a rule names and nobody has.
func TestRouteOverLinkThatStays(t *testing.T) {
	l := newLab(t)
	l.uplink()
	l.apply(l.load("name: other\nbridges: {bo: {addresses: [10.3.3.1/24]}}"))
	l.apply(l.load(goingFirst))
	topo := l.load(`
name: going
bridges: {br0: {addresses: [192.168.10.1/24]}}
rules:
  - {priority: 100, iif: bx, table: 100}
  - {priority: 101, oif: nosuch, table: 100}
routes:
  - {to: 10.9.0.0/16, dev: up0}
  - {to: 10.10.0.0/16, via: 10.3.3.9}
  - {to: 10.11.0.0/16, via: 10.3.3.9, dev: bo}
  - {to: 10.12.0.0/16, dev: lo}
  - {to: 10.13.0.0/16, via: 192.168.10.9, table: 100}
`)
	l.apply(topo)
	l.converged(topo)
}
