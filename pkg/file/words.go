package file

import (
	"fmt"
	"net/netip"
	"reflect"
)

// Word is a key in the reference.
type Word struct {
	// Path leads to the key: "routes[].via", or "bridges.NAME.mtu".
	Path string `json:"path"`
	// Type is what its value is, as "whole number from 68 to 65535".
	Type string `json:"value"`
	// Default is the value that the file leaves out; empty where there is none.
	Default  string `json:"default,omitempty"`
	Required bool   `json:"required,omitempty"`
	Doc      string `json:"about"`
}

// Words lists the keys of a struct, and of what is within, in their order; v has the defaults.
func Words(v any) []Word {
	s := addressable(v)
	return structWords(nil, "", typeOf(s.Type()), s)
}

func structWords(words []Word, path string, t *typ, v reflect.Value) []Word {
	each(t, v, func(to target) bool {
		w := Word{Path: path + to.key, Type: to.typeWords(), Doc: to.doc, Required: to.required != ""}
		if to.typ.shape == scalar && !w.Required && to.hasDefault() {
			w.Default = textOf(to.v)
		}
		words = append(words, w)
		words = innerWords(words, w.Path, to)
		return true
	})
	return words
}

// innerWords adds the keys that stand below a key.
func innerWords(words []Word, path string, to target) []Word {
	switch to.typ.shape {
	case mapping, parts:
		return structWords(words, path+".", to.typ, to.v)
	case list:
		return innerWords(words, path+"[]", to.element())
	case table:
		return innerWords(words, path+".NAME", to.element())
	}
	return words
}

func (t target) typeWords() string {
	switch {
	case t.typ.short != nil:
		return t.alone().typeWords() + ", or mapping"
	case t.typ.keyed() || t.typ.shape == table:
		return "mapping"
	case t.typ.shape == list:
		return "list of " + t.element().typeWords()
	}
	switch text := t.text(); {
	case text.Words != "":
		return text.Words
	case len(text.Enum) > 0:
		return orList(text.Enum)
	case t.v.Kind() == reflect.Bool:
		return "true or false"
	case t.v.CanInt() || t.v.CanUint():
		least, most := t.bounds()
		return fmt.Sprintf("whole number from %d to %d", least, most)
	}
	switch t.v.Interface().(type) {
	case netip.Addr:
		return "IP address"
	case netip.Prefix:
		return "network"
	}
	return "text"
}
