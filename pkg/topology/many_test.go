package topology

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestManyMistakesOnOneLine takes a second where the work grows with the number of mistakes, and minutes where it grows
// with its square.
func TestManyMistakesOnOneLine(t *testing.T) {
	const many = 6000
	list := func(entry string) string {
		var b strings.Builder
		for i := range many {
			b.WriteString(strings.ReplaceAll(entry, "#", fmt.Sprint(i)))
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"unknown keys": "{name: x, bridges: {" + list("b#: {adresses: []}, ") + "}}",
		"values":       "{name: x, routes: [" + list("{to: 10.0.0.300/8}, ") + "]}",
		"namespaces":   "{name: x, namespaces: {" + list("n#: {interfaces: {e: {peer: m#/e}}}, ") + "}}",
		"bridges":      "{name: x, namespaces: {" + list("n#: {bridges: {a: {}}, interfaces: {e: {bridge: b#}}}, ") + "}}",
		"masters": "{name: x, bridges: {" + list("b#: {}, ") + "}, interfaces: {" +
			list("i#: {peer: p#, master: bb#}, ") + "}}",
	} {
		_, problems := Load(Input{Name: "x.yaml", Data: []byte(text)})
		var b bytes.Buffer
		if err := problems.WriteText(&b, false); err != nil || len(problems) < many {
			t.Errorf("%s: %d problems, %v", name, len(problems), err)
		}
		for i, p := range problems {
			if i%1000 == 0 && !strings.HasSuffix(text[:p.Column-1], " ") && !strings.HasSuffix(text[:p.Column-1], "{") {
				t.Errorf("%s: the place of problem %d is amid a word: %s", name, i, p)
			}
		}
	}
}

// TestLongTextIsCut: what a file says may be of any length, and what is said of it is not.
func TestLongTextIsCut(t *testing.T) {
	long := strings.Repeat("å1", 1<<17)
	for _, text := range []string{
		"name: " + long, "name: x\nbridges: {br0: {mtu: " + long + "}}", "name: x\nbridges:\n  ? " + long + "\n  : {}\n",
		"name: x\nnamespaces: {n: {interfaces: {e0: {bridge: " + long + "}}}}", "name: x\n? " + long + "\n: 1\n",
		"name: x\nroutes: [{to: 10.0.0.0/8, via: " + long + "}]", "name: x\nsysctls:\n  ? net." + long + "\n  : 1\n",
		"name: x\nnat: [{masquerade: 10.0.0.0/8, out: " + long + "}]", "name: x\nrules: [{priority: 1, table: " + long + "}]",
		"name: x\nbridges: {a: *" + strings.Repeat("å", 1<<17) + "}",
	} {
		_, problems := Load(Input{Name: "x.yaml", Data: []byte(text)})
		var b bytes.Buffer
		if err := problems.WriteText(&b, false); err != nil || !problems.HasErrors() || b.Len() > 4000 {
			t.Errorf("%.60s: %d problems in %d bytes, %v", text, len(problems), b.Len(), err)
		}
		b.Reset()
		if err := problems.WriteJSON(&b); err != nil || b.Len() > 4000 {
			t.Errorf("%.60s: %d bytes of JSON, %v", text, b.Len(), err)
		}
	}
}
