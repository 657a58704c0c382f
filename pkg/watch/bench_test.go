package watch

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// BenchmarkHeard measures the time from when a change is asked for to when its event is taken: the MTU of a link in one
// of many namespaces, and a sysctl whose writer has gone, for which all must be tried.
func BenchmarkHeard(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("namespaces=%d", n), func(b *testing.B) {
			w := start(b, Options{})
			names := many(b, n)
			begin := time.Now()
			if err := w.Follow(names, nil); err != nil {
				b.Fatal(err)
			}
			b.Logf("%d namespaces are followed after %s, with %d descriptors", n, time.Since(begin), len(descriptors(b)))
			for range names {
				next(b, w)
			}
			b.Run("mtu", func(b *testing.B) { heard(b, w, names, setMTU) })
			b.Run("sysctl", func(b *testing.B) { heard(b, w, names, writeSysctl) })
		})
	}
}

// many makes namespaces, which end with the benchmark.
func many(b *testing.B, n int) (names []string) {
	b.Helper()
	seam := new(kernel.Seam)
	var made []*kernel.Namespace
	err := kernel.OnThread(func(t kernel.Thread) error {
		if err := kernel.PrepareNetnsDir(seam); err != nil {
			return err
		}
		for i := range n {
			name := fmt.Sprintf("b%d", i)
			ns, err := kernel.Create(t, name, seam)
			if err == nil {
				err = ns.Bind()
			}
			if err != nil {
				return err
			}
			ns.Use(t)
			made, names = append(made, ns), append(names, name)
		}
		return nil
	})
	b.Cleanup(func() {
		for _, ns := range made {
			_ = ns.Delete()
			ns.Close()
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	return names
}

func heard(b *testing.B, w *Watcher, names []string, change func(b *testing.B, name string, i int)) {
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		name := names[rand.IntN(len(names))]
		begin := time.Now()
		go change(b, name, i)
		for e := next(b, w); e.Section != name; e = next(b, w) {
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[(len(took)-1)*99/100].Microseconds())/1000, "p99-ms")
}

// setMTU gives lo another MTU.
func setMTU(b *testing.B, name string, i int) {
	err := kernel.OnThread(func(t kernel.Thread) error {
		ns, err := kernel.Named(t, name, new(kernel.Seam))
		if err != nil {
			return err
		}
		defer ns.Close()
		m := kernel.NewMessage(unix.RTM_NEWLINK, 0, &nl.IfInfomsg{IfInfomsg: unix.IfInfomsg{Index: 1}})
		m.U32(unix.IFLA_MTU, uint32(1300+i%1000))
		return ns.Write("set mtu", m.NetlinkRequest)
	})
	if err != nil {
		b.Error(err)
	}
}

// writeSysctl has another process write a sysctl through a file that was opened in the namespace.
func writeSysctl(b *testing.B, name string, i int) {
	var file *os.File
	err := kernel.OnThread(func(t kernel.Thread) (err error) {
		ns, err := kernel.Named(t, name, new(kernel.Seam))
		if err != nil {
			return err
		}
		defer ns.Close()
		file, err = os.OpenFile("/proc/sys/net/ipv4/ip_default_ttl", os.O_WRONLY, 0)
		return err
	})
	if err != nil {
		b.Error(err)
		return
	}
	defer file.Close() //nolint:errcheck // the write was checked
	if err := inputTo(file, fmt.Sprint(64+i%100)); err != nil {
		b.Error(err)
	}
}
