package topology

import "testing"

// TestDocument: the text of a document is what is read from it alone.
func TestDocument(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"name: one\n", []string{"name: one\n"}},
		{"# for all\n---\n# first\nname: one\n", []string{"# for all\n---\n# first\nname: one\n"}},
		{"name: one\n---\n# second\n\nname: two\n...\n--- # third\nname: three", []string{
			"name: one\n", "---\n# second\n\nname: two\n...\n", "--- # third\nname: three",
		}},
		{"---\n---\n# a\n--- {name: one}\n--- {name: two}\n", []string{
			"--- {name: one}\n", "--- {name: two}\n",
		}},
	} {
		all, problems := Load(Input{Name: "a.yaml", Data: []byte(test.text)})
		if problems.HasErrors() || len(all) != len(test.want) {
			t.Errorf("%q: %d topologies, %v", test.text, len(all), problems)
			continue
		}
		for i, topo := range all {
			if got := topo.Document(); got != test.want[i] {
				t.Errorf("%q: document %d is %q, want %q", test.text, i, got, test.want[i])
			}
		}
	}
}
