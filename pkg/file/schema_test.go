package file_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/plumbnet/plumb/pkg/file"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestSchema(t *testing.T) {
	b, err := json.MarshalIndent(file.Schema(rooms{}), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "rooms.schema.json", string(b)+"\n")
	if b, err = json.Marshal(file.Schema(newHouse())); err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("house.json", value); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("house.json")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		sound: true, "name: h": true, "name: h\nrooms:": true, "name: h\nx-y: 3": true,
		"rooms: {}": false, "name: h\ny: 3": false, "name: [h]": false, "name: h\nrooms: [r]": false,
		"name: h\nrooms: {R: {}}": false, "name: h\nrooms: {r: {size: 0}}": false, "name: h\nrooms: {r: {size: '7'}}": false,
		"name: h\nrooms: {r: {paint: blue}}": false, "name: h\nrooms: {r: {open: 1}}": false,
		"name: h\nrooms: {r: {doors: [{spare: x}]}}": false, "name: h\nrooms: {r: {doors: [{to: a, spare: x}]}}": true,
		"name: h\nrooms: {r: {bulb: {watts: 1}}}": true, "name: h\nrooms: {r: {bulb: {watts: 1}, candle: {}}}": false,
		"name: h\nrooms: {r: {hooks: [{}]}}": false, "name: h\nrooms: {r: {length: 1, plug: c}}": true,
		"name: h\nrooms: {r: {plug: x}}": false,
	} {
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWords(t *testing.T) {
	var b strings.Builder
	house := file.Words(newHouse())
	for _, w := range append(file.Words(rooms{}), house[len(house)-3:]...) {
		fmt.Fprintf(&b, "%s: %s; default %q; required %v; %s\n", w.Path, w.Type, w.Default, w.Required, w.Doc)
	}
	golden(t, "rooms.words", b.String())
}
