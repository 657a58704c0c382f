package reconcile_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/topology"
)

// number reads a setting of a test from the environment.
func number(env string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(env), 10, 64); err == nil {
		return n
	}
	return otherwise
}

// TestRandomPairs applies pairs of random topologies: what A leaves behind must not show after B. A failure names the
// pair's seed: TEST_SEED=N TEST_PAIRS=1 runs it alone. Without TEST_SEED the pairs are the same each time, so that a
// change is judged by what it changed.
func TestRandomPairs(t *testing.T) {
	start := number("TEST_SEED", 7000)
	pairs := number("TEST_PAIRS", 200)
	t.Logf("TEST_SEED=%d TEST_PAIRS=%d", start, pairs)
	if pairs > host.Parts && host.InParts(t) {
		return
	}
	var seeds []uint64
	for seed := start; seed < start+pairs; seed++ {
		seeds = append(seeds, seed)
	}
	vlans := filtersVLANs()
	begin := time.Now()
	tried := 0
	for _, seed := range host.Share(t, seeds) {
		tried++
		ok := t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			tryPair(t, newInventor(seed, vlans).here(t).withKeys(t), seed)
		})
		if !ok && os.Getenv("TEST_ALL") == "" {
			t.Fatalf("TEST_SEED=%d TEST_PAIRS=1 runs this pair alone", seed)
		}
	}
	t.Logf("%d pairs in %s", tried, time.Since(begin).Round(time.Second))
}

// filtersVLANs says whether the kernel's bridges can: a seed stands for other topologies where they can't.
func filtersVLANs() bool {
	const name = "vlanprobe"
	if host.Run("ip", "link", "add", name, "type", "bridge", "vlan_filtering", "1") != nil {
		return false
	}
	return host.Run("ip", "link", "del", name) == nil
}

func tryPair(t *testing.T, v inventor, seed uint64) {
	t.Helper()
	a, b := invented(t, v, "rnd"), invented(t, v, "rnd")
	t.Cleanup(func() { // after that of the lab
		if t.Failed() {
			t.Logf("TEST_SEED=%d TEST_PAIRS=1\n--- A\n%s--- B\n%s---", seed, a.text, b.text)
		}
	})
	l := newLab(t)
	l.present()
	l.apply(b.Topology)
	l.inSync(b.Topology)
	want := l.settle()
	l.destroy(b.Name)
	l.restored("after destroy of B", l.base.Text)
	l.apply(a.Topology)
	l.inSync(a.Topology)
	if v.oneIn(2) { // else B finds what the kernel has yet to do for A
		l.settle()
	}
	l.apply(b.Topology)
	l.inSync(b.Topology)
	l.restored("after A and B, against B alone,", want)
	if l.Failed() {
		l.FailNow()
	}
}

// text is a topology with the text that it was read from.
type text struct {
	*topology.Topology
	text string
}

// invented makes up a valid topology.
func invented(t testing.TB, v inventor, name string) text {
	t.Helper()
	const tries = 100
	for range tries {
		yaml := v.topology(name)
		all, problems := topology.Load(topology.Input{Name: "random.yaml", Data: []byte(yaml)})
		if !problems.HasErrors() {
			return text{all[0], yaml}
		}
	}
	t.Fatalf("%d invented topologies in a row are not valid", tries)
	return text{}
}

// inSync says that nothing is left to do.
func (l *lab) inSync(topo *topology.Topology) {
	l.Helper()
	if p := l.diff(topo); len(p.Steps) > 0 {
		l.Errorf("%s is not in sync after its apply:\n%s", topo.Name, planText(p))
	}
}

// TestInventor holds that most of what is made up is valid.
func TestInventor(t *testing.T) {
	const many = 1000
	v := newInventor(1, true).withKeys(t)
	why := make(map[string]int)
	invalid := 0
	for range many {
		_, problems := topology.Load(topology.Input{Name: "random.yaml", Data: []byte(v.topology("rnd"))})
		if problems.HasErrors() {
			invalid++
			for _, p := range problems {
				if p.Severity == file.Error {
					words := strings.Fields(p.Message)
					why[strings.Join(words[min(1, len(words)):min(7, len(words))], " ")]++
				}
			}
		}
	}
	if invalid > many/10 {
		t.Errorf("%d of %d are not valid: %v", invalid, many, why)
	}
}
