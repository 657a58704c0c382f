package reconcile_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFaults disturbs runs at their writes, and counts what came of it. By default every write of two examples is
// disturbed and a sample of those of the others; TEST_FAULTS=all takes every write, -short a sample of all. TEST_FAULTS_SEED=N
// takes the sample of another run again; CI takes another with each change of the code. TEST_FAULTS_TABLE=FILE writes the table there.
func TestFaults(t *testing.T) {
	f := &faultRun{seed: number("TEST_FAULTS_SEED", 362811829), writes: make(map[string]bool), meddled: make(map[string]int)}
	t.Logf("TEST_FAULTS_SEED=%d", f.seed)
	start := time.Now()
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"deaths", f.deaths}, {"errors", f.errors}, {"rollbacks", f.rollbacks}, {"meddling", f.meddling},
	} {
		t.Run(part.name, part.run)
		t.Logf("%s: %s so far", part.name, time.Since(start).Round(time.Second))
	}
	f.print(t)
}

// faultRun is one run of TestFaults.
type faultRun struct {
	seed   uint64
	rows   []*faultRow
	writes map[string]bool // those seen, without the names in them
	// meddled counts, by script, how often one changed something.
	meddled map[string]int
}

// faultRow is the result for one sort of fault.
type faultRow struct {
	sort                       string
	tried, survived, leftovers int
}

// note counts one fault. Leftovers are lines of the snapshot that differ in the end.
func (f *faultRun) note(sort string, survived bool, leftovers int) {
	i := slices.IndexFunc(f.rows, func(r *faultRow) bool { return r.sort == sort })
	if i < 0 {
		i, f.rows = len(f.rows), append(f.rows, &faultRow{sort: sort})
	}
	r := f.rows[i]
	r.tried++
	r.leftovers += leftovers
	if survived {
		r.survived++
	}
}

// print writes the table as Markdown.
func (f *faultRun) print(t *testing.T) {
	var b strings.Builder
	fmt.Fprintln(&b, "| fault | tried | survived | leftovers |\n| --- | ---: | ---: | ---: |")
	var sum faultRow
	for _, r := range slices.SortedStableFunc(slices.Values(f.rows), func(a, b *faultRow) int { return cmp.Compare(a.sort, b.sort) }) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", r.sort, r.tried, r.survived, r.leftovers)
		sum.tried, sum.survived, sum.leftovers = sum.tried+r.tried, sum.survived+r.survived, sum.leftovers+r.leftovers
	}
	fmt.Fprintf(&b, "| **all** | %d | %d | %d |\n\n", sum.tried, sum.survived, sum.leftovers)
	fmt.Fprintf(&b, "%d distinct writes; TEST_FAULTS_SEED=%d\n", len(f.writes), f.seed)
	t.Logf("\n%s\nthe writes:\n%s", b.String(), strings.Join(slices.Sorted(maps.Keys(f.writes)), "\n"))
	if path := os.Getenv("TEST_FAULTS_TABLE"); path != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// random is a source of chance that depends on nothing but the seed and a name.
func (f *faultRun) random(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name)) // a hash's Write never fails
	return rand.New(rand.NewPCG(f.seed, h.Sum64()))
}

// pick takes the numbers from 1 to n, or some of them.
func (f *faultRun) pick(name string, n, some int) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = int64(i + 1)
	}
	if some >= n {
		return all
	}
	f.random(name).Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	return slices.Sorted(slices.Values(all[:some]))
}

// some is how many writes of a journey are disturbed: all, or a sample.
func some(whole bool, sample int) int {
	const all = 1 << 30
	if os.Getenv("TEST_FAULTS") == "all" || whole && !testing.Short() {
		return all
	}
	return sample
}

// Parts of a write that name something.
var (
	sysctlWrite = regexp.MustCompile(`^write (net/\S+) = .*`)
	confOf      = regexp.MustCompile(`/(conf|neigh)/[^/]+/`)
	named       = regexp.MustCompile(`\b(link|port|namespace|dev|to|and|connections of) \S+`)
	odd         = regexp.MustCompile(`\S*[^a-z \n]\S*`)
)

// unnamed is what a write does, without the names and numbers in it.
func unnamed(what string) string {
	if m := sysctlWrite.FindStringSubmatch(what); m != nil {
		return "write " + confOf.ReplaceAllString(m[1], "/$1/*/")
	}
	what = named.ReplaceAllString(what, "$1 *")
	return odd.ReplaceAllString(strings.ReplaceAll(what, "/run/", "run "), "*")
}
