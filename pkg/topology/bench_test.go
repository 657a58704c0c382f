package topology_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/topology"
)

// The benchmarks grow tenfold: what is linear takes the same time for an object.
var benchSizes = []int{1000, 10_000, 100_000}

// benchFile declares about n objects: bridges of the host with up to 1000 hosts each.
func benchFile(n int) []byte {
	const perHost, perBridge = 5, 1000
	hosts := n / perHost
	var b strings.Builder
	b.WriteString("name: bench\nbridges:\n")
	for i := 0; i*perBridge < hosts; i++ {
		fmt.Fprintf(&b, "  br%d: {addresses: [10.%d.0.1/16]}\n", i, i)
	}
	b.WriteString("namespaces:\n")
	for i := range hosts {
		bridge, host := i/perBridge, i%perBridge
		fmt.Fprintf(&b, "  h%d:\n    interfaces:\n      eth0: {bridge: br%d, addresses: [10.%d.%d.%d/16]}\n",
			i, bridge, bridge, 1+host/250, 1+host%250)
		fmt.Fprintf(&b, "    routes:\n      - {to: default, via: 10.%d.0.1}\n", bridge)
	}
	return []byte(b.String())
}

func benchLoad(b *testing.B, n int) *topology.Topology {
	b.Helper()
	all, problems := topology.Load(topology.Input{Name: "bench.yaml", Data: benchFile(n)})
	if problems.HasErrors() || len(all) != 1 {
		b.Fatalf("%d topologies, %v", len(all), problems)
	}
	return all[0]
}

// each runs a benchmark for every size, and reports the time for an object.
func each(b *testing.B, prepare func(b *testing.B, n int) (objects int, f func())) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			objects, f := prepare(b, n)
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*objects), "ns/object")
		})
	}
}

// BenchmarkLoad decodes, checks and expands a file.
func BenchmarkLoad(b *testing.B) {
	each(b, func(b *testing.B, n int) (int, func()) {
		data := benchFile(n)
		return len(benchLoad(b, n).Objects()), func() {
			topology.Load(topology.Input{Name: "bench.yaml", Data: data})
		}
	})
}

// BenchmarkDiff plans: nothing is there yet, all is, one address differs, and nothing is wanted any more.
func BenchmarkDiff(b *testing.B) {
	for name, change := range map[string]func(want []plan.Object, have []plan.Have) ([]plan.Object, []plan.Have){
		"create":  func(want []plan.Object, _ []plan.Have) ([]plan.Object, []plan.Have) { return want, nil },
		"in sync": func(want []plan.Object, have []plan.Have) ([]plan.Object, []plan.Have) { return want, have },
		"change": func(want []plan.Object, have []plan.Have) ([]plan.Object, []plan.Have) {
			return want, withoutAnAddress(have)
		},
		"destroy": func(_ []plan.Object, have []plan.Have) ([]plan.Object, []plan.Have) { return nil, have },
	} {
		b.Run(name, func(b *testing.B) {
			each(b, func(b *testing.B, n int) (int, func()) {
				objects := benchLoad(b, n).Objects()
				want, have := change(objects, standing(objects))
				return len(objects), func() { plan.Diff(want, have, benchOptions()) }
			})
		})
	}
}

// BenchmarkPrint prints the plan of a network that is not there yet.
func BenchmarkPrint(b *testing.B) {
	each(b, func(b *testing.B, n int) (int, func()) {
		t := benchLoad(b, n)
		p := plan.Diff(t.Objects(), nil, benchOptions())
		return len(t.Objects()), func() {
			text := &plan.Text{Name: t.Name, File: t.File, Source: t.Source}
			if err := text.WritePlan(io.Discard, p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchOptions() plan.Options {
	o := plan.Options{Gone: "no longer in the file"}
	for _, k := range kinds.Table() {
		o.Kinds = append(o.Kinds, k.Name)
		if k.Last {
			o.Last = append(o.Last, k.Name)
		}
	}
	return o
}

// standing are the objects as the kernel would show them: with a value for what the file leaves unmanaged, too.
func standing(want []plan.Object) []plan.Have {
	have := make([]plan.Have, len(want))
	for i, o := range want {
		switch v := o.(type) {
		case kinds.Namespace:
			v.Forwarding4, v.Forwarding6 = plan.Some(v.Forwarding4.V), plan.Some(v.Forwarding6.V)
			o = v
		}
		have[i] = plan.Have{Object: o}
	}
	return have
}

// withoutAnAddress takes the last address away.
func withoutAnAddress(have []plan.Have) []plan.Have {
	last := 0
	for i, h := range have {
		if _, ok := h.Object.(kinds.Address); ok {
			last = i
		}
	}
	return slices.Delete(slices.Clone(have), last, last+1)
}
