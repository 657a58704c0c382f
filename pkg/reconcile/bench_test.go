package reconcile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// benchHosts is how many namespaces hang on one bridge in the benchmark.
const benchHosts = 100

// BenchmarkHosts measures a bridge with a hundred hosts: how long plumb takes to make it, to find that nothing is to be
// done, and to remove it; and, in the same run, the same by a shell script of ip(8) commands. The metrics named x are
// plumb's time as a part of the script's.
func BenchmarkHosts(b *testing.B) {
	l := newLab(b)
	topo := l.load(hostsTopology(benchHosts))
	up, down := writeScripts(b)
	var apply, again, destroy, ipUp, ipDown time.Duration
	for b.Loop() {
		apply += timed(func() { l.apply(topo) })
		again += timed(func() { l.apply(topo) })
		destroy += timed(func() { l.destroy(topo.Name) })
		ipUp += timed(func() { l.sh("sh", "-e", up) })
		ipDown += timed(func() { l.sh("sh", "-e", down) })
	}
	perRun := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(b.N) }
	b.ReportMetric(perRun(apply), "ms-apply")
	b.ReportMetric(perRun(again), "ms-no-op")
	b.ReportMetric(perRun(destroy), "ms-destroy")
	b.ReportMetric(apply.Seconds()/ipUp.Seconds(), "x-apply")
	b.ReportMetric(destroy.Seconds()/ipDown.Seconds(), "x-destroy")
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func hostsTopology(n int) string {
	var b strings.Builder
	b.WriteString("name: hosts\nbridges: {br0: {addresses: [10.0.255.254/16]}}\nnamespaces:\n")
	for i := range n {
		fmt.Fprintf(&b, "  h%d:\n    interfaces: {eth0: {bridge: br0, addresses: [%s/16]}}\n    routes: [{to: default, via: 10.0.255.254}]\n",
			i, hostAddress(i))
	}
	return b.String()
}

func hostAddress(i int) string { return fmt.Sprintf("10.0.%d.%d", i/250, i%250+1) }

// writeScripts writes the scripts that make and remove the same network.
func writeScripts(b *testing.B) (up, down string) {
	var make, remove strings.Builder
	make.WriteString("ip link add br0 type bridge\nip address add 10.0.255.254/16 dev br0\nip link set br0 up\n")
	for i := range benchHosts {
		fmt.Fprintf(&make, "ip netns add h%d\nip link add p%[1]d type veth peer name eth0 netns h%[1]d\n", i)
		fmt.Fprintf(&make, "ip link set p%d master br0 up\nip -n h%[1]d link set lo up\nip -n h%[1]d link set eth0 up\n", i)
		fmt.Fprintf(&make, "ip -n h%d address add %s/16 dev eth0\nip -n h%[1]d route add default via 10.0.255.254\n", i, hostAddress(i))
		fmt.Fprintf(&remove, "ip link delete p%d\nip netns delete h%[1]d\n", i)
	}
	remove.WriteString("ip link delete br0\n")
	dir := b.TempDir()
	up, down = filepath.Join(dir, "up"), filepath.Join(dir, "down")
	for path, text := range map[string]string{up: make.String(), down: remove.String()} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return up, down
}
