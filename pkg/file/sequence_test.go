package file_test

import (
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/plumbnet/plumb/pkg/file"
)

// shelf is a list that is no slice.
type shelf struct{ things []thing }

func (s *shelf) Slice() any         { return slices.Clone(s.things) }
func (s *shelf) SetSlice(items any) { s.things = items.([]thing) }

type thing struct {
	Name string `file:"name,required"`
	Size uint8  `file:"size" doc:"in centimetres"`
}

func (t *thing) Default() { t.Size = 7 }

type cellar struct {
	Shelf shelf `file:"shelf,item=a thing" doc:"what is kept"`
}

// A list of another type is read, written and described as a slice is, with the places of its items.
func TestSequence(t *testing.T) {
	const text = "shelf:\n    - {name: jam}\n    - {name: ham, size: 9}\n"
	r := file.NewReport("t.yaml", []byte(text))
	docs, _ := r.Documents([]byte(text))
	var c cellar
	at := r.Decode(docs[0], "the cellar", &c)
	if len(r.Problems()) > 0 || !slices.Equal(c.Shelf.things, []thing{{"jam", 7}, {"ham", 9}}) {
		t.Errorf("%+v, %v", c, r.Problems())
	}
	if place := at.At("shelf", 1, "size"); place.Line != 3 {
		t.Errorf("the size of the second is at %+v", place)
	}
	out, err := yaml.Marshal(file.Encode(c, cellar{}))
	if err != nil || string(out) != text {
		t.Errorf("%s, %v", out, err)
	}
	words := file.Words(cellar{})
	if len(words) != 3 || words[0].Type != "list of mapping" ||
		words[2].Path != "shelf[].size" || words[2].Default != "7" {
		t.Errorf("%+v", words)
	}
	const wrong = "shelf: [{size: 300}]\n"
	r = file.NewReport("t.yaml", []byte(wrong))
	docs, _ = r.Documents([]byte(wrong))
	if r.Decode(docs[0], "the cellar", &c); len(r.Problems()) != 2 {
		t.Errorf("%v", r.Problems())
	}
}

// What is secret is not shown with what is wrong about it.
func TestHidden(t *testing.T) {
	const text = "{name: hush, key: hush, key-file: hush}\n"
	p := problemsOfSafe(text)
	if len(p) != 2 {
		t.Fatal(p)
	}
	for i, want := range []string{
		"t.yaml:1:14: unknown key \"key\" in the safe\n      | did you mean \"key-file\"?\n",
		"t.yaml:1:35: that is no place\n      | use another\n",
	} {
		if got := file.Problems(p[i : i+1]); written(t, got) != want {
			t.Errorf("%q, want %q", written(t, got), want)
		}
	}
}

// Nor is it shown with another problem of its line, be that found before or after, nor where it is not read at all.
func TestHiddenBesideOthers(t *testing.T) {
	const key = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
	for _, text := range []string{
		"{name: hush, nam: 1, key-file: hush, name: hush}\n",
		"{name: [hush], key-file: hush, other: 1}\n",
		"{name: x, name: " + key + "}\n",
		"{name: x, other: '" + key + "'}\n",
	} {
		if got := written(t, problemsOfSafe(text)); got == "" || strings.Contains(got, "hush") || strings.Contains(got, key) {
			t.Errorf("%s%s", text, got)
		}
	}
}

// problemsOfSafe reads a form with the name of a file that holds a secret.
func problemsOfSafe(text string) file.Problems {
	r := file.NewReport("t.yaml", []byte(text))
	docs, _ := r.Documents([]byte(text))
	var v struct {
		Key  hushed `file:"key-file"`
		Name string `file:"name"`
	}
	r.Decode(docs[0], "the safe", &v)
	return r.Problems()
}

type hushed string

func (*hushed) Parse(string, string) error {
	return file.Hidden{Flaw: file.Flaw{Message: "that is no place", Hint: "use another"}}
}

func written(t *testing.T, p file.Problems) string {
	t.Helper()
	var b strings.Builder
	if err := p.WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
