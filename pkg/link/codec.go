package link

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

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
