package reconcile_test

import (
	"strings"
	"testing"
)

// The snapshot sees each change, and nothing where nothing changed.
func TestSnapshot(t *testing.T) {
	l := newLab(t)
	l.foreign()
	before := l.settle()
	l.same("without a change", before, snapshot(t))
	for _, c := range []struct{ do, undo, sees string }{
		{"ip link set fv0 mtu 1400", "ip link set fv0 mtu 1500", "link fv0 mtu 1400"},
		{"ip link set fbr0 type bridge ageing_time 1000", "ip link set fbr0 type bridge ageing_time 30000", "ageing_time 1000"},
		{"bridge link set dev fv1 hairpin on", "bridge link set dev fv1 hairpin off", "link fv1 info_slave_data hairpin true"},
		{"ip address add 10.99.1.3/24 dev fv0", "ip address del 10.99.1.3/24 dev fv0", "address fv0 inet 3: 10.99.1.3/24"},
		{"ip -n foreign1 link set eth0 alias x", "", "foreign1: link eth0 ifalias x"},
		{"ip -n foreign1 route add 10.1.0.0/16 dev eth0 mtu 1300", "ip -n foreign1 route del 10.1.0.0/16", "1300"},
		{"ip rule add pref 7 lookup 7", "ip rule del pref 7", `"priority":7`},
		{"ip neigh add 10.99.1.9 lladdr 02:00:00:00:00:01 dev fv0", "ip neigh del 10.99.1.9 dev fv0", "host: neighbor"},
		{"nft add rule inet foreign forward drop", "", `"drop"`},
		{"sysctl -qw net.ipv4.conf.fv0.rp_filter=2", "sysctl -qw net.ipv4.conf.fv0.rp_filter=0", "ipv4/conf/fv0/rp_filter = 2"},
	} {
		l.script(c.do)
		if d := difference(before, l.settle()); !strings.Contains(d, c.sees) {
			t.Errorf("after %s the snapshot does not show %q, but\n%s", c.do, c.sees, d)
		}
		if c.undo == "" {
			before = l.settle()
			continue
		}
		l.script(c.undo)
		l.same("after "+c.undo, before, l.settle())
	}
	l.mark()
}

func BenchmarkSnapshot(b *testing.B) {
	l := newLab(b)
	l.apply(l.load(l.example("routers.yaml")))
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			snapshot(b)
		}
	})
	b.Run("settle", func(b *testing.B) {
		for b.Loop() {
			l.settle()
		}
	})
}
