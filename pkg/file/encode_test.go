package file_test

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/file/filetest"
)

func TestEncode(t *testing.T) {
	h, _, _ := decode(t, sound)
	want := `name: home
rooms:
    hall:
        size: 20
        floor: -1
        paint: red
        open: false
        owner: "007"
        addr: fd00::1
        nets: [10.0.0.0/8, 'fd00::/64']
        doors:
            - {to: attic, spare: x, width: 80cm}
            - {to: hall, spare: y}
        stove:
            heat: 7
        candle:
            wax: bee
        hooks:
            - {at: 1}
            - {at: 2}
        plug: f
        notes:
            one: 1cm
            two: 2cm
    attic: {}
wings:
    west:
        rooms:
`
	if got := text(t, h); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func text(t *testing.T, h house) string {
	t.Helper()
	b, err := yaml.Marshal(file.Encode(h, newHouse()))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRoundTrip holds that what is written is read as what it was.
func TestRoundTrip(t *testing.T) {
	f := filetest.Filler{
		Rand: rand.New(rand.NewPCG(1, 2)),
		Texts: map[reflect.Type][]string{
			reflect.TypeFor[roomName]():     {"hall", "attic2", "null", "two words", "1"},
			reflect.TypeFor[key]():          {"a", "B", "0x1"},
			reflect.TypeFor[hm]():           {"0cm", "80cm"},
			reflect.TypeFor[netip.Addr]():   {"10.0.0.1", "fd00::1", "::1"},
			reflect.TypeFor[netip.Prefix](): {"10.0.0.0/8", "::/0"},
		},
	}
	seen := map[string]bool{}
	for range 800 {
		h := newHouse()
		f.Fill(&h)
		out := text(t, h)
		back, _, r := decode(t, out)
		if p := r.Problems(); len(p) > 0 {
			t.Fatalf("%v in\n%s", p, out)
		}
		if !reflect.DeepEqual(plain(back), plain(h)) {
			t.Fatalf("got  %+v\nwant %+v\nby\n%s", plain(back), plain(h), out)
		}
		seen[out] = true
	}
	if len(seen) < 200 {
		t.Errorf("only %d different houses", len(seen))
	}
}

// plain is a house without what can't be compared, and with nil for every empty list.
func plain(h house) []any {
	var list []any
	add := func(rooms file.Map[roomName, room]) {
		for _, r := range rooms {
			v := r.Value
			list = append(list, r.Key, v.Lamp.Key, v.Lamp.Value, *v.Tools.Values()[1].(*cord))
			for _, h := range *v.Tools.Values()[0].(*hooks) {
				list = append(list, h)
			}
			for _, n := range v.Nets {
				list = append(list, n)
			}
			for _, d := range v.Doors {
				list = append(list, d)
			}
			for _, n := range v.Notes {
				list = append(list, n)
			}
			v.Lamp, v.Tools, v.Nets, v.Doors, v.Notes = file.OneOf[lamp]{}, file.Parts{}, nil, nil, nil
			list = append(list, v)
		}
	}
	add(h.Rooms)
	for _, w := range h.Wings {
		list = append(list, w.Key)
		add(w.Value.Rooms)
	}
	for _, s := range *h.Yard.Values()[0].(*sheds) {
		list = append(list, s.Key, s.Value.Values())
	}
	return append(list, h.Name)
}
