package file_test

import (
	"fmt"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/plumbnet/plumb/pkg/file"
)

// TestShort: one value of a struct may stand for the whole.
func TestShort(t *testing.T) {
	type nail struct {
		Size  uint8 `file:"size,required,short" doc:"size"`
		Rusty bool  `file:"rusty" doc:"rusty"`
	}
	type box struct {
		Nails []nail `file:"nails,item=a nail" doc:"nails"`
	}
	read := func(text string) (box, file.Spots, string) {
		r := file.NewReport("t.yaml", []byte(text))
		docs, _ := r.Documents([]byte(text))
		var b box
		at := r.Decode(docs[0], "the box", &b)
		return b, at, fmt.Sprint(r.Problems())
	}
	b, at, problems := read("nails: [3, {size: 4, rusty: true}]")
	if fmt.Sprint(b) != "{[{3 false} {4 true}]}" || problems != "[]" {
		t.Error(b, problems)
	}
	if got := fmt.Sprint(at.At("nails", 0, "size"), at.At("nails", 1, "size")); got != "{1 9 1} {1 19 1}" {
		t.Error(got)
	}
	if out, err := yaml.Marshal(file.Encode(b, box{})); string(out) != "nails:\n    - 3\n    - {size: 4, rusty: true}\n" {
		t.Errorf("%s %v", out, err)
	}
	for text, want := range map[string]string{
		"nails: [x]":               `[t.yaml:1:9: a nail must be a whole number from 0 to 255, not "x"]`,
		"nails: [[1]]":             "[t.yaml:1:9: a nail must be a single value or a mapping, not a list]",
		"nails: [{rusty: true}]":   "[t.yaml:1:9: the nail has no size]",
		"nails: [~]":               "[t.yaml:1:9: a nail has no value]",
		"nails: [{size: 1, s: 1}]": `[t.yaml:1:19: unknown key "s" in a nail]`,
	} {
		if _, _, got := read(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	words := file.Words(box{})
	if words[0].Type != "list of whole number from 0 to 255, or mapping" || words[1].Path != "nails[].size" {
		t.Error(words)
	}
}
