package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/agent"
	"github.com/plumbnet/plumb/pkg/battery/host"
)

// healed are changes that somebody types, of namespace N or its port vN. Of those of all namespaces there are few.
var healed = []struct {
	name, command string
	all           bool
}{
	{name: "mtu", command: "ip -n N link set eth0 mtu 1400"},
	{name: "down", command: "ip -n N link set eth0 down"},
	{name: "address", command: "ip -n N address flush dev eth0 scope global"},
	{name: "route", command: "ip -n N route del default"},
	{name: "link", command: "ip -n N link del eth0"},
	{name: "namespace", command: "ip netns del N"},
	{name: "port", command: "ip link set vN nomaster"},
	{name: "sysctl", command: "ip netns exec N sysctl -qw net.ipv4.ip_forward=0"},
	{name: "nft", command: "ip netns exec N nft flush ruleset"},
	{name: "bridge", command: "ip link del br0", all: true},
}

// BenchmarkHeal measures the time from when a change is typed to when it is healed, at many namespaces on one bridge:
// -benchtime 100x changes each kind of thing a hundred times.
func BenchmarkHeal(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("namespaces=%d", n), func(b *testing.B) {
			l := newLab(b)
			topo := l.load(manyOnABridge(n))
			l.apply(topo)
			for _, change := range healed {
				b.Run(change.name, func(b *testing.B) {
					k := l.keep(topo, false)
					defer func() { k.end() }()
					times := b.N
					if change.all {
						times = min(times, 5)
					}
					var took []time.Duration
					for i := range times {
						if change.all && i > 0 { // a new one: what it has healed not long ago it heals later
							k.end()
							k = l.keep(topo, false)
						}
						took = append(took, k.healsOnce(b, strings.ReplaceAll(change.command, "N", fmt.Sprintf("n%d", i%n))))
					}
					slices.Sort(took)
					for name, at := range map[string]int{"p50": 50, "p95": 95, "p99": 99} {
						nearest := (len(took)*at + 99) / 100
						b.ReportMetric(float64(took[nearest-1].Microseconds())/1000, name+"-ms")
					}
					b.ReportMetric(0, "ns/op")
				})
			}
		})
	}
}

// manyOnABridge is a topology of namespaces on one bridge.
func manyOnABridge(n int) string {
	var b strings.Builder
	b.WriteString("name: bench\nbridges: {br0: {addresses: [10.0.0.1/16]}}\nnamespaces:\n")
	for i := range n {
		fmt.Fprintf(&b, "  n%d:\n    interfaces: {eth0: {bridge: br0, port-name: vn%d, addresses: [10.0.%d.%d/16]}}\n"+
			"    routes: [{to: default, via: 10.0.0.1}]\n    nat: [{masquerade: 10.1.0.0/24}]\n", i, i, 1+i/250, 1+i%250)
	}
	return b.String()
}

// healsOnce makes a change, and waits until nothing more is healed of it.
func (k *keeper) healsOnce(b *testing.B, command string) time.Duration {
	b.Helper()
	before := len(k.events())
	begun := time.Now()
	if err := host.Script(command); err != nil {
		b.Fatal(err)
	}
	const quiet, limit = 150 * time.Millisecond, 30 * time.Second
	var last time.Time
	for last.IsZero() || time.Since(last) < quiet {
		time.Sleep(time.Millisecond)
		for _, e := range k.events()[before:] {
			if e.What == agent.Healed {
				last = e.At
			}
		}
		if time.Since(begun) > limit {
			b.Fatalf("%s: not healed within %v\n%s", command, limit, k)
		}
	}
	return last.Sub(begun)
}
