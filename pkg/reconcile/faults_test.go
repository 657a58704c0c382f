package reconcile_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// TestFaults disturbs runs at their writes, and counts what came of it. By default every write of two examples is
// disturbed and a sample of those of the others; TEST_FAULTS=all takes every write, -short a sample of all.
// TEST_FAULTS_SEED=N takes the sample of another run again; CI takes another with each change of the code.
// TEST_FAULTS_TABLE=FILE writes the table there.
func TestFaults(t *testing.T) {
	f := newFaultRun()
	t.Logf("TEST_FAULTS_SEED=%d", f.Seed)
	dir := t.TempDir()
	result := func(i int) string { return filepath.Join(dir, fmt.Sprint(i)) }
	if host.InParts(t, func(i int) string { return resultMark + "=" + result(i) }) {
		for i := range host.Parts {
			f.add(t, result(i))
		}
		f.print(t)
		f.meddledAll(t)
		return
	}
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
	if path := os.Getenv(resultMark); path != "" {
		f.save(t, path)
		return
	}
	f.print(t)
	if len(f.Meddled) > 0 {
		f.meddledAll(t)
	}
}

// resultMark tells a part where its result goes.
const resultMark = "PLUMB_TEST_RESULT"

// faultRun is one run of TestFaults, or a part of it.
type faultRun struct {
	Seed   uint64
	Rows   []*faultRow
	Writes map[string]bool // those seen, without the names in them
	// Meddled counts, by script, how often one changed something.
	Meddled map[string]int
}

// faultRow is the result for one sort of fault.
type faultRow struct {
	Sort                       string
	Tried, Survived, Leftovers int
}

func newFaultRun() *faultRun {
	return &faultRun{
		Seed:   number("TEST_FAULTS_SEED", 362811829),
		Writes: make(map[string]bool), Meddled: make(map[string]int),
	}
}

func (f *faultRun) save(t *testing.T, path string) {
	t.Helper()
	b, err := json.Marshal(f)
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// add counts what a part found.
func (f *faultRun) add(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	part := newFaultRun()
	if err == nil {
		err = json.Unmarshal(b, part)
	}
	if err != nil {
		t.Errorf("the result of a part: %v", err)
		return
	}
	for _, r := range part.Rows {
		sum := f.row(r.Sort)
		sum.Tried, sum.Survived, sum.Leftovers = sum.Tried+r.Tried, sum.Survived+r.Survived, sum.Leftovers+r.Leftovers
	}
	maps.Copy(f.Writes, part.Writes)
	for script, n := range part.Meddled {
		f.Meddled[script] += n
	}
}

// row is that of a sort of fault.
func (f *faultRun) row(sort string) *faultRow {
	i := slices.IndexFunc(f.Rows, func(r *faultRow) bool { return r.Sort == sort })
	if i < 0 {
		i, f.Rows = len(f.Rows), append(f.Rows, &faultRow{Sort: sort})
	}
	return f.Rows[i]
}

// note counts one fault. Leftovers are lines of the snapshot that differ in the end.
func (f *faultRun) note(sort string, survived bool, leftovers int) {
	r := f.row(sort)
	r.Tried++
	r.Leftovers += leftovers
	if survived {
		r.Survived++
	}
}

// print writes the table as Markdown.
func (f *faultRun) print(t *testing.T) {
	var b strings.Builder
	fmt.Fprintln(&b, "| fault | tried | survived | leftovers |\n| --- | ---: | ---: | ---: |")
	var sum faultRow
	for _, r := range slices.SortedStableFunc(slices.Values(f.Rows),
		func(a, b *faultRow) int { return cmp.Compare(a.Sort, b.Sort) }) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", r.Sort, r.Tried, r.Survived, r.Leftovers)
		sum.Tried, sum.Survived, sum.Leftovers = sum.Tried+r.Tried, sum.Survived+r.Survived, sum.Leftovers+r.Leftovers
	}
	fmt.Fprintf(&b, "| **all** | %d | %d | %d |\n\n", sum.Tried, sum.Survived, sum.Leftovers)
	fmt.Fprintf(&b, "%d distinct writes; TEST_FAULTS_SEED=%d\n", len(f.Writes), f.Seed)
	t.Logf("\n%s\nthe writes:\n%s", b.String(), strings.Join(slices.Sorted(maps.Keys(f.Writes)), "\n"))
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
	return rand.New(rand.NewPCG(f.Seed, h.Sum64()))
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
