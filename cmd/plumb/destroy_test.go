package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDestroyWithBrokenFile destroys what a file names, whatever else is wrong with it.
func TestDestroyWithBrokenFile(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string // topologies; none for an error of the file
	}{
		"unknown key":          {"name: lab\nbridge: {}\n", []string{"lab"}},
		"a bridge is missing":  {"name: lab\nnamespaces: {n: {interfaces: {e: {bridge: br7}}}}\n", []string{"lab"}},
		"a key twice":          {"name: lab\nbridges: {}\nbridges: {}\n", []string{"lab"}},
		"an open bracket":      {"name: lab # mine\nbridges: {br0: {addresses: [10.0.0.1/24}\n", []string{"lab"}},
		"a tab":                {"bridges:\n\tbr0: {}\nname: 'lab'\n", []string{"lab"}},
		"an open quote":        {"name: \"lab\"\nroutes:\n  - {to: \"default, via: 10.0.0.1}\n", []string{"lab"}},
		"no text":              {"name: lab\nbridges: {\xff: {}}\n", []string{"lab"}},
		"ends of lines as DOS": {"\ufeffname: lab\r\nbridges: {\r\n", []string{"lab"}},
		"unknown alias":        {"name: lab\nbridges: {br0: *nothing}\n", []string{"lab"}},
		"two, one is wrong":    {"name: a\n---\nname: b\nx: 1\n", []string{"a", "b"}},
		"two, one is broken":   {"name: a\n--- # two\nname: b\nx: [\n---\n# none\n", []string{"a", "b"}},
		"a name twice":         {"name: a\n---\nname: a\n", []string{"a"}},
		"no name":              {"bridges: {}\n", nil},
		"a wrong name":         {"name: Lab\n", nil},
		"a wrong name, broken": {"name: Lab\nx: [\n", nil},
		"one has no name":      {"name: a\n---\nbridges: {}\n", nil},
		"a deeper name":        {"x-y:\n  name: a\nbridges: [\n", nil},
		"two names":            {"name: a\nname: b\nbridges: [\n", nil},
		"nothing":              {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "lab.yml")
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			h, want, code := new(fakeHost), []string(nil), exitUsage
			for _, topology := range test.want {
				want, code = append(want, "destroy "+topology), exitOK
			}
			got, stderr := plumb(t, h, new(bytes.Buffer), "destroy", "-f", file)
			if got != code || !slices.Equal(h.asked, want) {
				t.Errorf("exit code %d, asked for %q, want %d and %q; stderr:\n%s", got, h.asked, code, want, stderr)
			}
			if code == exitOK && strings.Count(stderr, "lab.yml has errors") != 1 {
				t.Errorf("it is not said that the file has errors:\n%s", stderr)
			}
		})
	}
}

// TestDestroyNameNotThere says which topologies are there.
func TestDestroyNameNotThere(t *testing.T) {
	many := strings.Split("t01 t02 t03 t04 t05 t06 t07 t08 t09 t10 t11 t12", " ")
	for _, test := range []struct {
		there []string
		args  string
		want  string
	}{
		{nil, "lab9", "lab9: nothing to destroy\n"},
		{[]string{"lab1", "web"}, "lab9", "lab9: nothing to destroy; did you mean \"lab1\"? There are: lab1, web\n"},
		{[]string{"web"}, "lab9", "lab9: nothing to destroy; there are: web\n"},
		{many, "lab9", "lab9: nothing to destroy; there are: " + strings.Join(many[:10], ", ") + " and 2 more\n"},
		{[]string{"web"}, "-f a.yaml", "a: nothing to destroy\n"},
		{[]string{"web"}, "-q lab9", ""},
	} {
		var stdout bytes.Buffer
		h := &fakeHost{topologies: test.there}
		code, stderr := plumb(t, h, &stdout, append([]string{"destroy"}, strings.Fields(test.args)...)...)
		if code != exitOK || stdout.String() != test.want {
			t.Errorf("destroy %s: exit code %d, %q, want %q; stderr: %s", test.args, code, &stdout, test.want, stderr)
		}
	}
}
