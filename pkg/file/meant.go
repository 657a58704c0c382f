package file

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// meaning says whether a key is called a word elsewhere, by the tag also or [Part.Also]: "gw|gateway; down=up: false".
// What follows a "=" is what to write instead of the words before it, where that is more than the key.
func meaning(also, word string) (instead string, ok bool) {
	for others := range strings.SplitSeq(also, ";") {
		names, instead, _ := strings.Cut(strings.TrimSpace(others), "=")
		if word != "" && slices.Contains(strings.Split(names, "|"), word) {
			return instead, true
		}
	}
	return "", false
}

// meant is the hint for an unknown key that is known elsewhere under this name; empty for none.
func meant(t *typ, v reflect.Value, word string) (hint string) {
	each(t, v, func(to target) bool {
		if instead, ok := meaning(to.also, word); ok {
			if hint = DidYouMean(to.key); instead != "" {
				hint = "write " + instead
			}
		}
		return hint == ""
	})
	return hint
}

// misplaced is the hint for an unknown key that seems to be a name in one of the mapping's Maps, as its value has keys
// of what stands there; empty for none.
func misplaced(t *typ, v reflect.Value, e entry) (hint string) {
	n := resolve(e.value)
	if n.Kind != yaml.MappingNode {
		return ""
	}
	best := 0
	each(t, v, func(to target) bool {
		if to.typ.shape != table || !to.typ.elem.keyed() {
			return true
		}
		item, count := to.element(), 0
		keys := keysOf(item.typ, item.v)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if slices.Contains(keys, n.Content[i].Value) {
				count++
			}
		}
		if count > best {
			best, hint = count, fmt.Sprintf("write %s: {%s: ...}", to.key, e.key)
		}
		return true
	})
	return hint
}

// asMapping is the hint for a list of names where a mapping of names is wanted; empty for another.
func asMapping(n *yaml.Node) string {
	const most = 3
	if n = resolve(n); n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return ""
	}
	var names []string
	for i, item := range n.Content {
		if item.Kind != yaml.ScalarNode || len(item.Value) > maxQuoted {
			return ""
		}
		if i == most {
			names = append(names, "...")
			break
		}
		names = append(names, item.Value+": {}")
	}
	return "write {" + strings.Join(names, ", ") + "}"
}
