package link

import (
	"net/netip"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// TestTypes: every row is complete, and each type's attributes are read as they are sent.
func TestTypes(t *testing.T) {
	seen := make(map[string]bool)
	for _, row := range Types {
		if row.Name == "" || row.New == nil || row.Part.Module == "" || row.Part.Option == "" || seen[row.Name] {
			t.Errorf("row %q is not complete, or stands twice", row.Name)
		}
		seen[row.Name] = true
		want := another(t, row)
		data := nl.NewRtAttr(unix.IFLA_INFO_DATA, nil)
		index := func(object.Ref) (int, error) { return 7, nil }
		if err := encode(data, want, reflect.Zero(reflect.TypeOf(want)).Interface(), index); err != nil {
			t.Errorf("%s: %v", row.Name, err)
		}
		place := func(int) object.Ref { return "ns1/eth7" }
		got, err := decode(kernel.Attrs(data.Serialize()[unix.SizeofRtAttr:]), row.unset(), nil, place)
		if err != nil || got != want {
			t.Errorf("%s: %+v was sent, and %+v read: %v", row.Name, want, got, err)
		}
	}
}

// another is a spec of which each attribute has another value than a new one.
func another(t *testing.T, row Type) Spec {
	v := reflect.New(reflect.TypeOf(row.New())).Elem()
	var groups []uint16
	for _, a := range layout(v.Type()) {
		f := a.in(v)
		if slices.Contains(groups, a.four) {
			continue // of two fields that share an attribute one is set
		}
		groups = append(groups, a.four)
		switch f.Interface().(type) {
		case netip.Addr:
			addr := "2001:db8::7"
			if a.six == 0 {
				addr = "192.0.2.7"
			}
			f.Set(reflect.ValueOf(netip.MustParseAddr(addr)))
		case object.Ref:
			f.Set(reflect.ValueOf(object.Ref("ns1/eth7")))
		case plan.List[object.MAC]:
			f.Set(reflect.ValueOf(macSet(object.MAC{2, 0, 0, 0, 0, 9}, object.MAC{2, 0, 0, 0, 0, 8})))
		case GREKey:
			f.Set(reflect.ValueOf(GREKey{113, 114}))
		case GREFlag:
			f.Set(reflect.ValueOf(GREFlag{false, true}))
		case object.OwnIfname:
			f.Set(reflect.ValueOf(object.OwnIfname("eth7")))
		case Hosts:
			f.Set(reflect.ValueOf(Hosts("192.0.2.7,192.0.2.8")))
		default:
			switch f.Kind() {
			case reflect.Bool:
				f.SetBool(true)
			case reflect.String:
				f.SetString(a.words[len(a.words)-1])
			case reflect.Int64:
				f.SetInt(113 * int64(a.unit))
			case reflect.Uint8, reflect.Uint16, reflect.Uint32:
				f.SetUint(113)
			default:
				t.Fatalf("%s: no value for %v", row.Name, f.Type())
			}
		}
	}
	return v.Interface()
}

// An attribute that a kernel sends shorter than it is known is an error; a longer one is read by what is known of it.
func TestDecodeSizes(t *testing.T) {
	for _, test := range []struct {
		size int
		ok   bool
	}{{2, false}, {4, true}, {8, true}} {
		data := nl.NewRtAttr(1, slices.Concat(nl.Uint32Attr(5), nl.Uint32Attr(0))[:test.size]).Serialize()
		got, err := decode(data, VXLAN{}, nil, nil)
		if (err == nil) != test.ok || test.ok && got != (VXLAN{ID: 5}) {
			t.Errorf("%d bytes: %+v, %v", test.size, got, err)
		}
	}
}

// world is two namespaces, and a link in one that others are made on.
func world(t *testing.T, thread kernel.Thread) *object.Env {
	t.Helper()
	if err := kernel.PrepareNetnsDir(new(kernel.Seam)); err != nil {
		t.Fatal(err)
	}
	e := &object.Env{
		Topology: "test", Workers: 1, Sections: make(map[string]*object.Section), Copies: make(map[object.LinkAt]string),
	}
	e.SetWant(nil, nil)
	e.Record = new(object.Record).View("test")
	row := object.Kind{Name: object.KindLink, First: First, Ask: Ask, Join: Join, Read: Read, Owner: object.StampedLinks}
	e.Table = []object.Kind{row}
	for _, name := range []string{"", "ns1"} {
		n, err := kernel.Create(thread, name, new(kernel.Seam))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Close)
		if name != "" {
			if err := n.Bind(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := n.Delete(); err != nil {
					t.Error(err)
				}
			})
		}
		e.Sections[name] = object.NewSection(n)
		e.Sections[name].Owned = true
	}
	return e
}

// listed reads the links that the topology wants.
func listed(t *testing.T, e *object.Env, want []plan.Object) map[plan.Key]plan.Object {
	t.Helper()
	e.SetWant(want, nil)
	for _, s := range e.Sections {
		if err := e.ReadLinks(s, e.Sections[""].NS); err != nil {
			t.Fatal(err)
		}
		if err := e.ReadWhole(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Join(); err != nil {
		t.Fatal(err)
	}
	found := make(map[plan.Key]plan.Object)
	for _, s := range e.Sections {
		have, err := e.List(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range have {
			found[h.Object.Key()] = h.Object
		}
	}
	return found
}

// newLink is a link as a file declares it.
func newLink(ns, name, of string, spec Spec) Link {
	mac := object.DerivedMAC("test", ns, name)
	l := Link{
		NS: ns, Name: name, Ifname: name, Type: of, Up: true, MTU: 1400, MAC: mac, Group: object.Group("test"),
		Alias: object.Alias("test", ns, name), LinkLocal: plan.Some(mac.LinkLocal()), Promote: true, Spec: spec,
	}
	l.common(new(object.Iface))
	return l
}

// What is made is read as it was wanted, in the section of its underlay and in another; and so is what is changed in
// place.
func TestMade(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	group := netip.MustParseAddr("239.1.1.1")
	for name, test := range map[string]struct {
		ns, of string
		specs  []Spec
	}{
		"vxlan": {"", "vxlan", []Spec{
			VXLAN{ID: 7, Port: 4789, Learning: true}, VXLAN{ID: 7, Port: 4789, Remote: four, TTL: 9},
		}},
		"vxlan over IPv6":  {"", "vxlan", []Spec{VXLAN{ID: 7, Port: 4789, Remote: six, Local: six}}},
		"vxlan of a group": {"", "vxlan", []Spec{VXLAN{ID: 7, Port: 8472, Group: group, Dev: "br0", Learning: true}}},
		"vxlan from the host": {"ns1", "vxlan", []Spec{
			VXLAN{ID: 7, Port: 4789, Dev: "br0", Underlay: object.HostName},
			VXLAN{ID: 7, Port: 4789, Dev: "br0", Underlay: object.HostName, Local: four},
		}},
		"macvlan": {"", "macvlan", []Spec{
			Macvlan{Parent: "br0", Mode: "bridge"}, Macvlan{Parent: "br0", Mode: "private"},
			Macvlan{Parent: "br0", Mode: "vepa"},
		}},
		"macvlan elsewhere": {"ns1", "macvlan", []Spec{
			Macvlan{Parent: "br0", Mode: "bridge"}, Macvlan{Parent: "br0", Mode: "source"},
		}},
		"macvlan passthru": {"ns1", "macvlan", []Spec{Macvlan{Parent: "br0", Mode: "passthru"}}},
		"macvtap":          {"ns1", "macvtap", []Spec{Macvlan{Parent: "br0", Mode: "bridge"}}},
	} {
		t.Run(name, func(t *testing.T) {
			err := kernel.OnThread(func(thread kernel.Thread) error { return remade(t, thread, test.ns, test.of, test.specs) })
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// remade makes a link of a type, on a bridge or in its section, and has it become each spec in turn.
func remade(t *testing.T, thread kernel.Thread, ns, of string, specs []Spec) error {
	t.Helper()
	e, base := world(t, thread), newLink("", "br0", TypeBridge, NewBridge())
	listed(t, e, []plan.Object{base})
	if err := Put(e, []plan.Change{{New: base}}); err != nil {
		return err
	}
	var old plan.Object
	for _, spec := range specs {
		l := newLink(ns, "x0", of, spec)
		l.MTU = 1280 // what is left of the bridge's
		if !l.hasOwnMAC() {
			l.LinkLocal = plan.Opt[netip.Addr]{}
		}
		want := []plan.Object{base, l}
		listed(t, e, want)
		if err := Put(e, []plan.Change{{Old: old, New: l}}); err != nil {
			return err
		}
		old = listed(t, e, want)[l.Key()]
		if fields, _ := plan.Compare(l, old); len(fields) > 0 {
			t.Errorf("wanted is\n%+v, read\n%+v: %v", l, old, fields)
		}
	}
	return nil
}
