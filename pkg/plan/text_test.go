package plan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plumbnet/plumb/pkg/plan"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with the exact bytes of a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// printed is an object that only prints.
type printed struct {
	key  plan.Key
	text string
}

func (p printed) Key() plan.Key    { return p.key }
func (printed) Needs() []plan.Key  { return nil }
func (p printed) Describe() string { return p.text }
func object(ns, kind, name, text string) printed {
	return printed{plan.Key{NS: ns, Kind: kind, Name: name}, text}
}

func creation(o ...plan.Object) plan.Step {
	s := plan.Step{Action: plan.Create}
	for _, o := range o {
		s.Changes = append(s.Changes, plan.Change{New: o})
	}
	return s
}

func changing(a plan.Action, o plan.Object, reason string, fields ...plan.Field) plan.Step {
	return plan.Step{Action: a, Changes: []plan.Change{{Old: o, New: o}}, Fields: fields, Reason: reason}
}

func deletion(o plan.Object, reason string) plan.Step {
	return plan.Step{Action: plan.Delete, Changes: []plan.Change{{Old: o}}, Reason: reason}
}

// everything is a plan with a step of every shape that prints differently.
func everything() plan.Plan {
	return plan.Plan{Wanted: 9, Steps: []plan.Step{
		creation(object("", "namespace", "ns1", "")),
		creation(object("ns1", "link", "eth0", "veth to br0, mtu 1500"),
			object("", "link", "br0.1", "veth to ns1/eth0, mtu 1500")),
		creation(object("ns1", "address", "eth0 10.0.0.1/24", "")),
		creation(object("ns1", "route", "default metric 100", "via 10.0.0.254 dev eth0")),
		creation(object("", "nat", "masquerade 10.0.0.0/24 out eth0", "")),
		changing(plan.Update, object("", "link", "br0", ""), "",
			plan.Field{Name: "mtu", Before: "1400", After: "1500"},
			plan.Field{Name: "up", Before: "no", After: "yes", State: true},
			plan.Field{Name: "group", Before: "0", After: "812", Quiet: true}),
		changing(plan.Update, object("", "link", "br1", ""), "",
			plan.Field{Name: "group", Before: "0", After: "812", Quiet: true}),
		changing(plan.Adopt, object("", "link", "br2", ""), "adopted",
			plan.Field{Name: "stp", Before: "yes", After: "no"}),
		deletion(object("ns1", "route", "10.9.0.0/24", ""), "no longer in the file"),
		changing(plan.Replace, object("", "link", "vx0", "vxlan 11"), "takes down 1 address, 2 routes",
			plan.Field{Name: "vni", Before: "10", After: "11", Fixed: true},
			plan.Field{Name: "mtu", Before: "1400", After: "1500"}),
		changing(plan.Replace, object("", "link", "vx1", "vxlan 12"), ""),
		creation(object("", "sysctl", "net.ipv4.conf.an-interface/99.accept_redirects", "0")),
		changing(plan.Refuse, object("", "link", "br3", ""),
			"already exists and was not made by plumb: rename it, remove it, or use --adopt"),
		deletion(object("", "link", "evil\x1b[2J\n\xff\u202e", ""), "no longer in the file"),
	}}
}

// sources knows the place of some: the link ns1/eth0 only by its other end.
func sources(k plan.Key) (plan.Source, bool) {
	switch k.Label() {
	case "namespace ns1":
		return plan.Source{File: "topology.yaml", Line: 6, Column: 3}, true
	case "link br0.1":
		return plan.Source{File: "topology.yaml", Line: 8, Column: 7}, true
	case "route ns1 10.9.0.0/24", "link br0":
		return plan.Source{File: "topology.yaml", Line: 3, Column: 3}, true
	}
	return plan.Source{}, false
}

func TestTextOfPlan(t *testing.T) {
	for name, text := range map[string]plan.Text{
		"plan.txt":  {Name: "docker0", File: "topology.yaml", Source: sources},
		"color.txt": {Name: "docker0", Color: true, All: true},
	} {
		var b bytes.Buffer
		if err := text.WritePlan(&b, everything()); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}

// A replacement says what it is for, and that it can't be had otherwise only where that is so.
func TestTextOfReplace(t *testing.T) {
	mtu := plan.Field{Name: "mtu", Before: "1400", After: "1500"}
	quiet := plan.Field{Name: "group", Before: "0", After: "812", Quiet: true}
	fixed := plan.Field{Name: "vni", Before: "10", After: "11", Fixed: true}
	stamp := plan.Field{Name: "stamp", Before: "a", After: "b", Quiet: true, Fixed: true}
	for want, fields := range map[string][]plan.Field{
		"vni 10 -> 11 cannot change in place; x": {mtu, fixed, quiet},
		"stamp a -> b cannot change in place; x": {mtu, stamp},
		"mtu 1400 -> 1500; x":                    {mtu, quiet},
		"x":                                      {},
	} {
		var b strings.Builder
		step := changing(plan.Replace, object("", "link", "vx0", ""), "x", fields...)
		err := new(plan.Text).WriteLine(&b, plan.Outcome{Step: step})
		if err != nil || b.String() != "-/+ link vx0  "+want+"\n" {
			t.Errorf("got %q, %v, want %s", b.String(), err, want)
		}
	}
}

// ran are the steps of a run that failed half-way.
func ran() []plan.Outcome {
	lines := everything().Outcomes(plan.Done)
	lines[5].Result, lines[5].Err = "failed", errors.New("set mtu 1500: \x1b[31mbusy")
	for i := range lines[6:] {
		lines[6+i].Result = "skipped"
	}
	lines[2].Unplanned = true
	return lines
}

func TestTextOfRun(t *testing.T) {
	var b bytes.Buffer
	text := plan.Text{Name: "docker0", File: "topology.yaml", Source: sources}
	text.Fit(everything())
	write := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write(text.WriteHead(&b))
	for _, l := range ran() {
		write(text.WriteLine(&b, l))
	}
	write(text.WriteSum(&b, "Applied", ran()))
	write(text.WriteSum(&b, "Applied", ran()[:5]))
	write(text.WriteSum(&b, "Applied", ran()[5:]))
	golden(t, "run.txt", b.Bytes())
}

// given is an object that is given back.
type given struct{ printed }

func (given) Restores() bool { return true }

// What is given back is counted as that.
func TestSumRestores(t *testing.T) {
	steps := []plan.Outcome{
		{Step: deletion(object("", "link", "br0", ""), "")},
		{Step: deletion(given{printed{plan.Key{Kind: "sysctl", Name: "x"}, ""}}, "restored to 0")},
	}
	var b strings.Builder
	const want = "Destroyed: 1 deleted, 1 restored.\n"
	if err := new(plan.Text).WriteSum(&b, "Destroyed", steps); err != nil || b.String() != want {
		t.Errorf("%q, %v", b.String(), err)
	}
}

// A streamed line is the line of the plan.
func TestTextOfRunIsThatOfPlan(t *testing.T) {
	text := plan.Text{Name: "docker0", Source: sources}
	var whole, streamed bytes.Buffer
	if err := text.WritePlan(&whole, everything()); err != nil {
		t.Fatal(err)
	}
	for _, l := range everything().Outcomes(plan.Done) {
		if err := text.WriteLine(&streamed, l); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(whole.String(), streamed.String()) {
		t.Errorf("the plan\n%s\nhas not the lines\n%s", &whole, &streamed)
	}
}

func TestTextInSync(t *testing.T) {
	for wanted, want := range map[int]string{
		9: "docker0: in sync (9 objects)\n",
		1: "docker0: in sync (1 object)\n",
		0: "docker0: in sync (0 objects)\n",
	} {
		var b strings.Builder
		text := plan.Text{Name: "docker0", File: "topology.yaml"}
		if err := text.WritePlan(&b, plan.Plan{Wanted: wanted}); err != nil || b.String() != want {
			t.Errorf("%d objects: got %q, %v, want %q", wanted, b.String(), err, want)
		}
	}
}

func TestJSON(t *testing.T) {
	inSync := plan.NewDocument("empty", nil, nil)
	for name, docs := range map[string][]plan.Document{
		"plan.json":    {plan.NewDocument("docker0", everything().Outcomes(""), sources)},
		"run.json":     {plan.NewDocument("docker0", ran(), sources), inSync},
		"in-sync.json": {inSync},
	} {
		var b bytes.Buffer
		if err := plan.WriteJSON(&b, docs, len(docs) > 1); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
		var back []plan.Document
		list := b.Bytes()
		if len(docs) == 1 {
			list = fmt.Appendf(nil, "[%s]", list)
		}
		if err := json.Unmarshal(list, &back); err != nil {
			t.Fatal(err)
		}
		if name == "in-sync.json" && !reflect.DeepEqual(back, docs) {
			t.Errorf("%s: read back as %+v, want %+v", name, back, docs)
		}
	}
}

func TestJSONOfNone(t *testing.T) {
	var b strings.Builder
	if err := plan.WriteJSON(&b, nil, true); err != nil || b.String() != "[]\n" {
		t.Errorf("got %q, %v", b.String(), err)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"eth0 -> größe":    "eth0 -> größe",
		"\x1b[31m\t\r\n":   `\x1b[31m\t\r\n`,
		"a\xffb\u202e":     `a\xffb\u202e`,
		"\u0085\x7f\ufffd": `\u0085\x7f` + "\ufffd",
	} {
		if got := plan.Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

// What a terminal could take for an order is escaped in JSON too, and read back as it was.
func TestJSONEscapes(t *testing.T) {
	for in, want := range map[string]string{
		"größe <b>":              `"größe <b>"`,
		"\x1b[31m\n":             `"\u001b[31m\n"`,
		"\x7f\u009b31m\u2028":    `"\u007f\u009b31m\u2028"`,
		"\u202e\U000e0001\ufffd": `"\u202e\udb40\udc01` + "\ufffd" + `"`,
	} {
		var b strings.Builder
		var back string
		err := plan.EncodeJSON(&b, in, "")
		if err = errors.Join(err, json.Unmarshal([]byte(b.String()), &back)); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(b.String()); got != want || back != in {
			t.Errorf("%q is written as %s, want %s, and read back as %q", in, got, want, back)
		}
	}
}

// Printing takes time in proportion to the steps.
func TestPrintingIsLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("prints 100,000 steps")
	}
	var p plan.Plan
	for i := range 100_000 {
		p.Steps = append(p.Steps, creation(object(fmt.Sprintf("ns%d", i), "link", "eth0", "veth to br0, mtu 1500")))
	}
	start := time.Now()
	text := plan.Text{Name: "big"}
	if err := text.WritePlan(io.Discard, p); err != nil {
		t.Fatal(err)
	}
	docs := []plan.Document{plan.NewDocument("big", p.Outcomes(""), nil)}
	if err := plan.WriteJSON(io.Discard, docs, false); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("100,000 steps took %v to print", d)
	} else {
		t.Logf("100,000 steps printed in %v", d)
	}
}
