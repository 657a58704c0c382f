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

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

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
//	multicast         an address of a group, and unicast one of no group, where both have one type
//	new=8472          what a new link has that is told nothing; without it nothing
//	absent=wanted     where the kernel does not tell, it has what is wanted; without it what a new link has
type attribute struct {
	index        int // of the field
	four, six    uint16
	size         int
	be           bool
	words        []string
	count        func(position int) uint64
	group        string
	fresh        uint64
	absentWanted bool
	fixed        bool
}

var layouts sync.Map // of each type of Spec

// layout lists the attributes of a type of Spec.
func layout(t reflect.Type) []attribute {
	if known, ok := layouts.Load(t); ok {
		return known.([]attribute)
	}
	var list []attribute
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("nl"); tag != "" {
			list = append(list, newAttribute(t.Field(i), i, strings.Split(tag, ",")))
		}
	}
	layouts.Store(t, list)
	return list
}

func newAttribute(f reflect.StructField, index int, tag []string) attribute {
	a := attribute{index: index, size: max(1, int(f.Type.Size())), words: enum(f)}
	a.count = func(position int) uint64 { return uint64(position) }
	if a.words != nil {
		a.size = 4
	}
	_, options, _ := strings.Cut(f.Tag.Get("plan"), ",")
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
		case name == "bit":
			a.count = func(position int) uint64 { return 1 << position }
		case name == "one":
			a.count = func(position int) uint64 { return uint64(position) + 1 }
		case name == "multicast" || name == "unicast":
			a.group = name
		case name == "new":
			a.fresh, _ = strconv.ParseUint(value, 10, 32) // TestTypes reads it too
		case name == "absent":
			a.absentWanted = value == "wanted"
		}
	}
	return a
}

// enum lists the words that a field can have in the file, nil for any.
func enum(f reflect.StructField) []string {
	for option := range strings.SplitSeq(f.Tag.Get("file"), ",") {
		if words, ok := strings.CutPrefix(option, "enum="); ok {
			return strings.Split(words, "|")
		}
	}
	return nil
}

// fresh is what a new link has in the kernel that is told nothing.
func fresh(s Spec) Spec {
	v := reflect.New(reflect.TypeOf(s)).Elem()
	for _, a := range layout(v.Type()) {
		if a.fresh != 0 {
			a.setNumber(v.Field(a.index), a.fresh)
		}
	}
	return v.Interface()
}

// encode adds the attributes in which want differs from have. Index looks up a link.
func encode(data *nl.RtAttr, want, have Spec, index func(object.Ref) (int, error)) error {
	w, h := reflect.ValueOf(want), reflect.ValueOf(have)
	attributes := layout(w.Type())
	for i, a := range attributes {
		f := w.Field(a.index)
		if f.Equal(h.Field(a.index)) || f.IsZero() && a.sharedWith(attributes[:i], attributes[i+1:], w) {
			continue
		}
		if err := a.encode(data, f, index); err != nil {
			return err
		}
	}
	return nil
}

// sharedWith says whether another field of the same attribute is set, so that this one need not be cleared.
func (a attribute) sharedWith(before, after []attribute, w reflect.Value) bool {
	return slices.ContainsFunc(slices.Concat(before, after), func(b attribute) bool {
		return b.four == a.four && !w.Field(b.index).IsZero()
	})
}

func (a attribute) encode(data *nl.RtAttr, f reflect.Value, index func(object.Ref) (int, error)) error {
	switch v := f.Interface().(type) {
	case netip.Addr:
		t := a.four
		if !v.IsValid() {
			v = netip.IPv4Unspecified()
		} else if v.Is6() {
			t = a.six
		}
		data.AddRtAttr(int(t), v.AsSlice())
	case object.Ref:
		i, err := index(v)
		if err != nil {
			return err
		}
		data.AddRtAttr(int(a.four), nl.Uint32Attr(uint32(i)))
	case plan.List[object.MAC]:
		encodeMACs(data, int(a.four), v)
	default:
		data.AddRtAttr(int(a.four), a.bytes(a.number(f)))
	}
	return nil
}

// number is the value of a field as the kernel counts it.
func (a attribute) number(f reflect.Value) uint64 {
	switch {
	case f.Kind() == reflect.Bool:
		return uint64(kernel.Bit(f.Bool()))
	case f.Kind() == reflect.String:
		return a.count(slices.Index(a.words, f.String()))
	}
	return f.Uint()
}

func (a attribute) setNumber(f reflect.Value, n uint64) {
	switch f.Kind() {
	case reflect.Bool:
		f.SetBool(n != 0)
	case reflect.String:
		f.SetString("unknown " + strconv.FormatUint(n, 10))
		for i, word := range a.words {
			if a.count(i) == n {
				f.SetString(word)
			}
		}
	default:
		f.SetUint(n)
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
			v.Field(a.index).Set(reflect.ValueOf(wanted).Field(a.index))
		}
	}
	for t, value := range kernel.Attributes(data) {
		for _, a := range attributes {
			if t != a.four && (a.six == 0 || t != a.six) {
				continue
			}
			if err := a.decode(v.Field(a.index), value, place); err != nil {
				return base, fmt.Errorf("attribute %d of %T: %w", t, base, err)
			}
		}
	}
	return v.Interface(), nil
}

func (a attribute) decode(f reflect.Value, value []byte, place func(index int) object.Ref) error {
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
