package reconcile_test

import (
	"regexp"
	"testing"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
)

var (
	addressList = regexp.MustCompile(`addresses: \[([^]]*)\]`)
	cableFlow   = regexp.MustCompile(`\{(bridge|peer):`)
	cableBlock  = regexp.MustCompile(`(?m)^( +)(bridge|peer): `)
)

// variants are small changes that people make to a file.
var variants = []struct {
	name string
	edit func(yaml string) string
}{
	{"another address", func(yaml string) string {
		at := addressList.FindStringSubmatchIndex(yaml)
		return yaml[:at[3]] + ", 10.123.0.1/24" + yaml[at[3]:]
	}},
	{"smaller cables", func(yaml string) string {
		yaml = cableFlow.ReplaceAllString(yaml, "{mtu: 1400, $1:")
		return cableBlock.ReplaceAllString(yaml, "${1}mtu: 1400\n$1$2: ")
	}},
}

// Each example is what people start from. It works beside what others have on the host, through its whole life.
func TestExamples(t *testing.T) {
	if host.InParts(t) {
		return
	}
	for _, name := range host.Share(t, examples(t)) {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			yaml := l.example(name)
			l.around(yaml)
			topo := l.load(yaml)
			empty, count := l.settle(), l.seam.Count()
			if p := l.diff(topo); len(p.Steps) == 0 {
				t.Error("diff finds nothing to do")
			}
			if n := l.seam.Count() - count; n != 0 {
				t.Errorf("diff made %d writes", n)
			}
			l.restored("after diff", empty)
			report := l.apply(topo)
			t.Logf("%d steps, %d writes", len(report.Plan.Steps), l.seam.Count()-count)
			made := l.settle()
			l.converged(topo)
			for _, v := range variants {
				l.variant(v.name, made, yaml, v.edit(yaml))
			}
			l.destroy(topo.Name)
			l.restored("after destroy", empty)
			if p := l.destroy(topo.Name).Plan; len(p.Steps) > 0 {
				t.Errorf("the second destroy does something:\n%s", planText(p))
			}
		})
	}
}

// variant goes from one file to a changed one in place, and back; the result is what the changed one makes by itself.
func (l *lab) variant(what, made, yaml, changed string) {
	l.Helper()
	before, after := l.load(yaml), l.load(changed)
	links := l.indexes()
	l.apply(after)
	l.converged(after)
	inPlace := l.settle()
	if inPlace == made {
		l.Errorf("%s: changes nothing", what)
	}
	if d := snapshot.Difference(links, l.indexes()); d != "" {
		l.Errorf("%s: links were re-created:\n%s", what, d)
	}
	l.apply(before)
	l.converged(before)
	l.restored(what+": there and back again", made)
	l.destroy(before.Name)
	l.apply(after)
	l.restored(what+": made anew, not changed in place,", inPlace)
	l.apply(before)
	l.restored(what+": back from there", made)
}
