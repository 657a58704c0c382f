package file

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Flaw is what is wrong with a value, and what to do about it.
type Flaw struct {
	Message, Hint string
}

// Hidden is the flaw of a value that is secret: the line of the file that it stands in is not shown.
type Hidden struct{ Flaw }

func (f Flaw) Error() string { return f.Message }

// Flawf makes a flaw without a hint.
func Flawf(format string, args ...any) Flaw { return Flaw{Message: fmt.Sprintf(format, args...)} }

// Quote puts a text in quotes as it is: a [Report] escapes what needs it.
func Quote(s string) string { return `"` + short(s, maxQuoted) + `"` }

// maxQuoted bounds what is quoted, in characters: longer than anything that is right.
const maxQuoted = 120

// DidYouMean is the hint that gives the right form of a value.
func DidYouMean(s string) string { return "did you mean " + Quote(s) + "?" }

// Flag is a key that says what a value is by standing there: it is true, or an empty mapping as those of the keys
// beside it.
type Flag bool

// Parse implements [Parser].
func (f *Flag) Parse(name, text string) error {
	if !slices.Contains([]string{"true", "yes", "on"}, strings.ToLower(text)) {
		return Flaw{name + " must be true, not " + Quote(text), "leave it out where it is not so"}
	}
	*f = true
	return nil
}

// Text implements [Described].
func (*Flag) Text() Text { return Text{Words: "true, or {}"} }

// parse sets the target to what a text says; what is its name in messages.
func (t target) parse(what, text string) error {
	if t.typ.parser {
		return t.v.Addr().Interface().(Parser).Parse(what, text)
	}
	switch {
	case t.v.Kind() == reflect.String:
		if t.enum != nil && !slices.Contains(t.enum, text) {
			return NotOneOf(what, text, t.enum)
		}
		t.v.SetString(text)
		return nil
	case t.v.Kind() == reflect.Bool:
		return t.parseBool(what, text)
	case t.v.CanUint() || t.v.CanInt():
		return t.parseNumber(what, text)
	}
	switch p := t.v.Addr().Interface().(type) {
	case *netip.Addr:
		return set(p, ParseAddr)(what, text)
	case *netip.Prefix:
		return set(p, ParseNetwork)(what, text)
	}
	panic("file: " + t.v.Type().String() + " has no text form: it needs a Parser")
}

func set[T any](to *T, parse func(what, text string) (T, error)) func(what, text string) error {
	return func(what, text string) error {
		v, err := parse(what, text)
		if err == nil {
			*to = v
		}
		return err
	}
}

func (t target) parseBool(what, text string) error {
	on, err := ParseBool(what, text)
	if err == nil {
		t.v.SetBool(on)
	}
	return err
}

// ParseBool reads what YAML has for true and false.
func ParseBool(what, text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "on":
		return true, nil
	case "false", "no", "off":
		return false, nil
	}
	return false, Flawf("%s must be true or false, not %q", what, text)
}

// bounds are the least and the most that a number may be.
func (t target) bounds() (least, most int64) {
	bits := t.v.Type().Bits()
	switch {
	case t.v.CanInt():
		least, most = -1<<(bits-1), 1<<(bits-1)-1
	case bits == 64:
		most = 1<<63 - 1
	default:
		most = 1<<bits - 1
	}
	if t.least != nil {
		least = *t.least
	}
	if t.most != nil {
		most = *t.most
	}
	return least, most
}

func (t target) parseNumber(what, text string) error {
	least, most := t.bounds()
	n, err := ParseNumber(what, text, least, most)
	switch {
	case err != nil:
		return err
	case t.v.CanInt():
		t.v.SetInt(n)
	default:
		t.v.SetUint(uint64(n))
	}
	return nil
}

// ParseNumber reads a decimal number as people write it: without plus sign, leading zeros or underscores.
func ParseNumber(what, text string, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != text || n < least || n > most {
		return 0, Flawf("%s must be a whole number from %d to %d, not %q", what, least, most, text)
	}
	return n, nil
}

// NotOneOf is what is wrong with a text that is none of the words that a value may be.
func NotOneOf(what, text string, words []string) Flaw {
	return Flaw{what + " must be " + orList(words) + ", not " + Quote(text), Suggest(text, words)}
}

// orList makes "a, b or c".
func orList(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// ParseAddr reads the address of a host or a group.
func ParseAddr(what, text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	p, perr := netip.ParsePrefix(text)
	switch {
	case err != nil && perr == nil:
		return a, Flaw{what + " " + Quote(text) + " has a prefix length", DidYouMean(p.Addr().String())}
	case err != nil:
		return a, Flawf("%s %s is not an IP address", what, Quote(text))
	case a.Zone() != "":
		return a, Flaw{what + " " + Quote(text) + " has a zone", "leave out what follows the %"}
	case a.Is4In6():
		return a, Flaw{what + " " + Quote(text) + " is IPv4 in IPv6 form", "write " + a.Unmap().String()}
	}
	return a, nil
}

// ParseNetwork reads a network: an address with a prefix length and no host bits.
func ParseNetwork(what, text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if a, aerr := netip.ParseAddr(text); err != nil && aerr == nil && a.Zone() == "" {
		near := netip.PrefixFrom(a, a.BitLen()).String()
		return p, Flaw{what + " " + Quote(text) + " has no prefix length", DidYouMean(near)}
	}
	switch {
	case err != nil:
		return p, Flaw{what + " " + Quote(text) + " is not a network", "as 192.168.10.0/24 or fd00:10::/64"}
	case p.Addr().Is4In6():
		return p, Flawf("%s %s is IPv4 in IPv6 form", what, Quote(text))
	case p != p.Masked():
		return p, Flaw{what + " " + Quote(text) + " has host bits set", DidYouMean(p.Masked().String())}
	}
	return p, nil
}
