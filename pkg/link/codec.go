package link

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
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

// fresh is what a new link has in the kernel that is told nothing.
func fresh(s Spec) Spec {
	v := reflect.New(reflect.TypeOf(s)).Elem()
	for _, a := range layout(v.Type()) {
		if a.isFresh {
			a.setNumber(a.in(v), a.fresh)
		}
	}
	return v.Interface()
}

// encode adds the attributes in which want differs from have, or all when that is nil. Index looks up a link.
func encode(data *nl.RtAttr, want, have Spec, index func(object.Ref) (int, error)) error {
	w, h := reflect.ValueOf(want), reflect.ValueOf(have)
	attributes := layout(w.Type())
	var changed flags
	for i, a := range attributes {
		f := a.in(w)
		before, after := attributes[:i], attributes[i+1:]
		switch same := h.IsValid() && f.Equal(a.in(h)); {
		case a.mask != 0 && !slices.ContainsFunc(before, a.shares):
			for way, t := range []uint16{a.four, a.twin} {
				data.AddRtAttr(int(t), a.bytes(a.masks(after, w, way)|a.number(f.Index(way))))
			}
		case same || a.mask != 0:
		case !h.IsValid() && f.Interface() == any(netip.Addr{}): // what is not sent is none, and some types take no zeros
		case a.flag != 0:
			changed.set(a, f.Bool())
		case f.IsZero() && a.sharedWith(before, after, w):
		default:
			if err := a.encode(data, f, index); err != nil {
				return err
			}
		}
	}
	changed.encode(data)
	return nil
}

// flags are those that a message changes, by attribute.
type flags []struct {
	attribute   uint16
	value, mask uint32
}

func (list *flags) set(a attribute, on bool) {
	i := 0
	for i < len(*list) && (*list)[i].attribute != a.four {
		i++
	}
	if i == len(*list) {
		*list = append(*list, struct {
			attribute   uint16
			value, mask uint32
		}{attribute: a.four})
	}
	(*list)[i].value |= kernel.Bit(on) * a.flag
	(*list)[i].mask |= a.flag
}

func (list flags) encode(data *nl.RtAttr) {
	for _, f := range list {
		data.AddRtAttr(int(f.attribute), slices.Concat(nl.Uint32Attr(f.value), nl.Uint32Attr(f.mask)))
	}
}

// shares says whether another field is of the same attribute.
func (a attribute) shares(b attribute) bool { return a.four == b.four }

// masks are the bits that other fields have of the same attribute.
func (a attribute) masks(others []attribute, w reflect.Value, way int) (bits uint64) {
	for _, b := range others {
		if a.shares(b) {
			bits |= b.number(b.in(w).Index(way))
		}
	}
	return bits
}

// sharedWith says whether another field of the same attribute is set, so that this one need not be cleared.
func (a attribute) sharedWith(before, after []attribute, w reflect.Value) bool {
	return slices.ContainsFunc(slices.Concat(before, after), func(b attribute) bool {
		return a.shares(b) && !b.in(w).IsZero()
	})
}

func (a attribute) encode(data *nl.RtAttr, f reflect.Value, index func(object.Ref) (int, error)) error {
	switch v := f.Interface().(type) {
	case netip.Addr:
		t := a.four
		if !v.IsValid() {
			v = netip.IPv4Unspecified()
		} else if v.Is6() && a.six != 0 {
			t = a.six
		}
		data.AddRtAttr(int(t), v.AsSlice())
	case object.Ref:
		return a.encodeIndex(data, v, index)
	case object.OwnIfname:
		return a.encodeIndex(data, object.Ref(v), index)
	case Hosts:
		v.encode(data, int(a.four))
	case plan.List[object.MAC]:
		encodeMACs(data, int(a.four), v)
	case GREKey:
		data.AddRtAttr(int(a.four), a.bytes(uint64(v[0])))
		data.AddRtAttr(int(a.twin), a.bytes(uint64(v[1])))
	default:
		data.AddRtAttr(int(a.four), a.bytes(a.number(f)))
	}
	return nil
}

func (a attribute) encodeIndex(data *nl.RtAttr, ref object.Ref, index func(object.Ref) (int, error)) error {
	if ref == object.Unknown { // see keep
		return nil
	}
	i, err := index(ref)
	if err != nil {
		return err
	}
	data.AddRtAttr(int(a.four), nl.Uint32Attr(uint32(i)))
	return nil
}

// number is the value of a field as the kernel counts it.
func (a attribute) number(f reflect.Value) uint64 {
	switch {
	case f.Kind() == reflect.Bool && a.mask != 0:
		return a.mask * uint64(kernel.Bit(f.Bool()))
	case f.Kind() == reflect.Bool:
		return uint64(kernel.Bit(f.Bool()))
	case f.Kind() == reflect.String:
		return a.count(slices.Index(a.words, f.String()))
	case a.unit != 0:
		return uint64(f.Int() / int64(a.unit))
	}
	return f.Uint() - a.less
}

func (a attribute) setNumber(f reflect.Value, n uint64) {
	switch f.Kind() {
	case reflect.Bool:
		f.SetBool(n != 0 && (a.mask == 0 || n&a.mask != 0))
	case reflect.Int64:
		f.SetInt(int64(n) * int64(a.unit))
	case reflect.String:
		f.SetString("unknown " + strconv.FormatUint(n, 10))
		for i, word := range a.words {
			if a.count(i) == n {
				f.SetString(word)
			}
		}
	default:
		f.SetUint(n + a.less)
	}
}

func (a attribute) order() binary.ByteOrder {
	if a.be {
		return binary.BigEndian
	}
	return binary.NativeEndian
}

func (a attribute) bytes(n uint64) []byte {
	b := make([]byte, a.size)
	switch a.size {
	case 1:
		b[0] = byte(n)
	case 2:
		a.order().PutUint16(b, uint16(n))
	default:
		a.order().PutUint32(b, uint32(n))
	}
	return b
}

// decode reads the attributes of a live link. What the kernel does not tell stays as it is in base, but that it is as
// wanted where the tag says so. Place names a link by its index.
func decode(data kernel.Attrs, base, wanted Spec, place func(index int) object.Ref) (Spec, error) {
	v := reflect.New(reflect.TypeOf(base)).Elem()
	v.Set(reflect.ValueOf(base))
	attributes := layout(v.Type())
	for _, a := range attributes {
		if a.absentWanted && reflect.TypeOf(wanted) == v.Type() {
			a.in(v).Set(a.in(reflect.ValueOf(wanted)))
		}
	}
	for t, value := range kernel.Attributes(data) {
		for _, a := range attributes {
			if !a.is(t) {
				continue
			}
			f := a.in(v)
			switch {
			case a.twin != 0 && t == a.twin:
				f = f.Index(1)
			case a.twin != 0:
				f = f.Index(0)
			}
			if err := a.decode(f, value, place); err != nil {
				return base, fmt.Errorf("attribute %d of %T: %w", t, base, err)
			}
			if a.near && reflect.TypeOf(wanted) == v.Type() && a.isNear(f, a.in(reflect.ValueOf(wanted))) {
				f.Set(a.in(reflect.ValueOf(wanted)))
			}
		}
	}
	return v.Interface(), nil
}

// absent lists the attributes that a live link has as wanted because the kernel does not tell them.
func absent(data kernel.Attrs, spec Spec) (names []string) {
	for _, a := range layout(reflect.TypeOf(spec)) {
		if a.absentWanted && data.Get(a.four) == nil {
			names = append(names, a.name)
		}
	}
	return names
}

// isNear says whether two numbers are the same but for the rounding of the kernel's clock.
func (a attribute) isNear(f, wanted reflect.Value) bool {
	n, w := a.number(f), a.number(wanted)
	return max(n, w)-min(n, w) <= 1
}

// is says whether a type of attribute is this one's.
func (a attribute) is(t uint16) bool {
	return t == a.four || a.six != 0 && t == a.six || a.twin != 0 && t == a.twin
}

// keep adds the attributes of a live link of which its Spec does not tell: the kernel would make them zero.
func keep(data *nl.RtAttr, spec Spec, live kernel.Attrs) {
	v := reflect.ValueOf(spec)
	tells := func(a attribute) bool { return a.in(v).Interface() != any(object.Ref(object.Unknown)) }
	attributes := layout(v.Type())
	for t, value := range kernel.Attributes(live) {
		if !slices.ContainsFunc(attributes, func(a attribute) bool { return a.is(t) && tells(a) }) {
			data.AddRtAttr(int(t), slices.Clone(value))
		}
	}
}

func (a attribute) decode(f reflect.Value, value []byte, place func(index int) object.Ref) error {
	if a.flag != 0 {
		f.SetBool(kernel.U32At(value, 0)&a.flag != 0)
		return nil
	}
	switch f.Interface().(type) {
	case netip.Addr:
		addr, _ := netip.AddrFromSlice(value)
		if !addr.IsUnspecified() && (a.group == "" || (a.group == "multicast") == addr.IsMulticast()) {
			f.Set(reflect.ValueOf(addr))
		}
		return nil
	case object.Ref:
		if i := int(kernel.U32At(value, 0)); i != 0 {
			f.Set(reflect.ValueOf(place(i)))
		}
		return nil
	case plan.List[object.MAC]:
		f.Set(reflect.ValueOf(decodeMACs(value)))
		return nil
	}
	switch f.Interface().(type) {
	case object.OwnIfname:
		if k, ok := place(int(kernel.U32At(value, 0))).Key(); ok {
			f.SetString(k.Name)
		}
		return nil
	case Hosts:
		f.Set(reflect.ValueOf(decodeHosts(value)))
		return nil
	}
	if len(value) < a.size { // a longer one is read by what is known of it
		return fmt.Errorf("%d bytes, not %d: %w", len(value), a.size, unix.EBADMSG)
	}
	switch a.size {
	case 1:
		a.setNumber(f, uint64(value[0]))
	case 2:
		a.setNumber(f, uint64(a.order().Uint16(value)))
	default:
		a.setNumber(f, uint64(a.order().Uint32(value)))
	}
	return nil
}
