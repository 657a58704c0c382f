package topology

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/plumbnet/plumb/pkg/object"
)

// Value is a value of the file and its place. The zero Value is one that the file leaves out.
type Value[T any] struct {
	V   T
	at  span
	bad bool
}

// Given says whether the file has the value at all, be it right or wrong.
func (v Value[T]) Given() bool { return v.at.line > 0 }

// OK says whether the file has the value, and it makes sense by itself.
func (v Value[T]) OK() bool { return v.Given() && !v.bad }

// Or is the value, or a default.
func (v Value[T]) Or(def T) T {
	if v.OK() {
		return v.V
	}
	return def
}

// flaw is what is wrong with a value, and what to do about it.
type flaw struct {
	message, hint string
}

func (f flaw) Error() string { return f.message }

// flawf makes a flaw without a hint.
func flawf(format string, args ...any) flaw { return flaw{message: fmt.Sprintf(format, args...)} }

// read reads a scalar with a parser of its text; what is its name in messages.
func read[T any](d *decoder, n *yaml.Node, what string, parse func(string) (T, error)) Value[T] {
	text, at, ok := d.scalar(n, what)
	if !ok {
		// An empty place would pass for a value left out, and so mislead later checks.
		at.line = max(at.line, 1)
		return Value[T]{at: at, bad: true}
	}
	v, err := parse(text)
	if err != nil {
		p := d.errorf(at, "%s", err)
		if f, ok := errors.AsType[flaw](err); ok {
			p.Hint = f.hint
		}
	}
	return Value[T]{V: v, at: at, bad: err != nil}
}

// set is the reader of a field that holds a scalar.
func set[T any](d *decoder, to *Value[T], parse func(string) (T, error)) func(entry) {
	return func(e entry) { *to = read(d, e.value, e.key, parse) }
}

// boolean is a parser of YAML's words for true and false.
func boolean(what string) func(string) (bool, error) {
	return func(s string) (bool, error) {
		switch strings.ToLower(s) {
		case "true", "yes", "on":
			return true, nil
		case "false", "no", "off":
			return false, nil
		}
		return false, flawf("%s must be true or false, not %q", what, s)
	}
}

// number is a parser of decimal numbers from least to most.
func number(what string, least, most uint32) func(string) (uint32, error) {
	return func(s string) (uint32, error) {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil || strconv.FormatUint(n, 10) != s || uint32(n) < least || uint32(n) > most {
			return 0, flawf("%s must be a whole number from %d to %d, not %q", what, least, most, s)
		}
		return uint32(n), nil
	}
}

// mtu is a parser of a link's or a route's MTU.
func mtu(s string) (uint32, error) { return number("mtu", object.MinMTU, object.MaxMTU)(s) }
