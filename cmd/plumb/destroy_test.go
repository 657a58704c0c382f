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
