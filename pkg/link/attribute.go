package link

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/plumbnet/plumb/pkg/file"
)

// attribute is a field of a [Spec] as the kernel has it in IFLA_INFO_DATA. The tag nl:"4,17" is its type, and that for
// IPv6; more words say how it is written:
//
//	u8, u16, u32      the size of a number, where it is not that of the field
//	be                a number in network byte order
//	bit, one          a word of the tag file's enum as 1<<its position, or its position from 1; else its position from 0
//	values=5|7        the numbers of those words, in their order
//	flag=2            bit 2 of an attribute that holds a value and a mask of what it is about, of 32 bits each
//	unit=10ms         a length of time, in units of this one
//	near              where the kernel tells one more or less than is wanted, it has what is wanted
//	multicast         an address of a group, and unicast one of no group, where both have one type
//	mask=0x2000       a bit of a number that several fields share, of a type whose messages are [Changing.Whole]
//	twin=5            the attribute of the second value of an array
//	less              the number is one less than the field, which is 0 for none
//	new=8472          what a new link has that is told nothing; without it nothing
//	absent=wanted     where the kernel does not tell, it has what is wanted; without it what a new link has
type attribute struct {
	name         string
	path         []int // to the field, through structs that others embed
	four, six    uint16
	twin         uint16
	mask         uint64
	size         int
	be           bool
	less         uint64 // 1 for a number that is less than the field by that
	words        []string
	count        func(position int) uint64
	flag         uint32 // the bit of an attribute that holds flags, 0 for another
	group        string
	fresh        uint64
	isFresh      bool // it is told what a new link has
	absentWanted bool
	near         bool
	unit         time.Duration
	fixed        bool
}

// in is the field of a spec that the attribute is of.
func (a attribute) in(spec reflect.Value) reflect.Value { return spec.FieldByIndex(a.path) }

var layouts sync.Map // of each type of Spec

// layout lists the attributes of a type of Spec.
func layout(t reflect.Type) []attribute {
	if known, ok := layouts.Load(t); ok {
		return known.([]attribute)
	}
	var list []attribute
	for _, f := range reflect.VisibleFields(t) {
		if tag := f.Tag.Get("nl"); tag != "" {
			list = append(list, newAttribute(f, strings.Split(tag, ",")))
		}
	}
	layouts.Store(t, list)
	return list
}

func newAttribute(f reflect.StructField, tag []string) attribute {
	a := attribute{path: f.Index, size: max(1, int(f.Type.Size())), words: enum(f)}
	a.count = func(position int) uint64 { return uint64(position) }
	if a.words != nil {
		a.size = 4
	}
	var options string
	a.name, options, _ = strings.Cut(f.Tag.Get("plan"), ",")
	a.fixed = slices.Contains(strings.Split(options, ","), "fixed")
	for i, word := range tag {
		name, value, _ := strings.Cut(word, "=")
		n, err := strconv.ParseUint(word, 10, 16)
		switch {
		case err == nil && i == 0:
			a.four = uint16(n)
		case err == nil:
			a.six = uint16(n)
		case name == "u8" || name == "u16" || name == "u32":
			bits, _ := strconv.Atoi(name[1:]) // digits, by the case
			a.size = bits / 8
		case name == "be":
			a.be = true
		case name == "less":
			a.less = 1
		case name == "bit":
			a.count = func(position int) uint64 { return 1 << position }
		case name == "one":
			a.count = func(position int) uint64 { return uint64(position) + 1 }
		case name == "values":
			a.count = numbered(value)
		case name == "flag":
			n, _ := strconv.ParseUint(value, 10, 5) // TestTypes reads it too
			a.flag = 1 << n
		case name == "unit":
			a.unit, _ = time.ParseDuration(value)
			a.size = 4
		case name == "near":
			a.near = true
		case name == "multicast" || name == "unicast":
			a.group = name
		case name == "new":
			a.fresh, _ = strconv.ParseUint(value, 10, 32) // TestTypes reads it too
			a.isFresh = true
		case name == "absent":
			a.absentWanted = value == "wanted"
		default:
			a.tunnelOption(name, value)
		}
	}
	return a
}

// numbered gives the numbers of a list by their position in it.
func numbered(list string) func(position int) uint64 {
	var numbers []uint64
	for number := range strings.SplitSeq(list, "|") {
		n, _ := strconv.ParseUint(number, 10, 32) // TestTypes reads it too
		numbers = append(numbers, n)
	}
	return func(position int) uint64 {
		if position < 0 {
			return 0 // a word for a number that is not known
		}
		return numbers[position]
	}
}

// tunnelOption takes a word of the tag that only IP tunnels have.
func (a *attribute) tunnelOption(name, value string) {
	switch name {
	case "twin":
		n, _ := strconv.ParseUint(value, 10, 16) // TestTypes would miss it
		a.twin = uint16(n)
	case "mask":
		a.mask, _ = strconv.ParseUint(value, 0, 32)
	}
}

// enum lists the words that a field can have in the file, nil for any.
func enum(f reflect.StructField) []string {
	for option := range strings.SplitSeq(f.Tag.Get("file"), ",") {
		if words, ok := strings.CutPrefix(option, "enum="); ok {
			return strings.Split(words, "|")
		}
	}
	if d, ok := reflect.New(f.Type).Interface().(file.Described); ok && f.Type.Kind() == reflect.String {
		return d.Text().Enum
	}
	return nil
}
