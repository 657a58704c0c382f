package file_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/file"
)

const sound = `
name: home
x-any: {thing: [1]}
rooms:
  hall: &hall
    size: 20
    floor: -1
    paint: red
    open: no
    owner: "007"
    addr: fd00::1
    nets: [10.0.0.0/8, "fd00::/64"]
    doors:
      - {to: attic, width: 80cm, spare: x}
      - {to: hall, spare: y}
    stove: {heat: 7}
    candle: {wax: bee}
    hooks: [{at: 1}, {at: 2}]
    plug: f
    notes: {ONE: 1cm, two: 2cm}
  attic:
wings:
  west:
    rooms:
      hall: {<<: *hall, size: 30, stove: }
`

func TestDecode(t *testing.T) {
	h, at, r := decode(t, sound)
	if p := r.Problems(); len(p) > 0 {
		t.Fatal(p)
	}
	hall := h.Rooms[0].Value
	values := hall.Tools.Values()
	hall.Lamp, hall.Tools = file.OneOf[lamp]{Key: hall.Lamp.Key, Value: hall.Lamp.Value}, file.Parts{}
	want := room{
		Size: 20, Floor: -1, Paint: "red", Owner: "007", Addr: netip.MustParseAddr("fd00::1"),
		Nets:  []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/64")},
		Doors: []door{{"attic", hm{80}, "x"}, {"hall", hm{}, "y"}}, Stove: stove{"wood", 7},
		Lamp:  file.OneOf[lamp]{Key: "candle", Value: candle{4, "bee"}},
		Notes: file.Map[key, hm]{{"one", hm{1}}, {"two", hm{2}}},
	}
	if h.Name != "home" || !reflect.DeepEqual(hall, want) {
		t.Errorf("%+v, want %+v", hall, want)
	}
	if !reflect.DeepEqual(values, []any{&hooks{{1}, {2}}, &cord{3, "f"}}) {
		t.Errorf("%+v", values)
	}
	attic, _ := h.Rooms.Get("attic")
	if attic.Size != 12 || !attic.Open || attic.Stove.Fuel != "wood" || attic.Lamp.Key != "" {
		t.Errorf("no defaults: %+v", attic)
	}
	west, _ := h.Wings.Get("west")
	merged := west.Rooms[0].Value
	if merged.Size != 30 || merged.Paint != "red" || merged.Stove != (stove{"wood", 0}) || merged.Lamp.Key != "candle" {
		t.Errorf("%+v", merged)
	}
	for path, want := range map[string]string{
		"name": "2:1 2:7+4 good", "rooms hall": "5:3 5:9+1 good", "rooms hall size": "6:5 6:11+2 good",
		"rooms hall owner": "10:5 10:12+5 good", "rooms hall nets": "12:5 12:11+1 good", "rooms attic": "21:3 21:9+0 good",
		"rooms attic size": "0:0 0:0+0 absent", "rooms hall candle wax": "17:14 17:19+3 good",
		"rooms hall plug":      "19:5 19:11+1 good",
		"rooms hall notes one": "20:13 20:18+3 good", "wings west rooms hall size": "25:25 25:31+2 good",
		// What is merged stands where its anchor does.
		"wings west rooms hall paint": "8:5 8:12+3 good", "wings west rooms hall stove": "25:35 25:42+0 good",
	} {
		if got := spot(at, strings.Fields(path)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := at.At("rooms", roomName("hall"), "nets", 1); got != (file.Span{Line: 12, Column: 24, Width: 11}) {
		t.Error(got)
	}
	doors := at.In("rooms", "hall", "doors").Items()
	if len(doors) != 2 || doors[1].At("to").Line != 15 || doors[1].Given("width") {
		t.Error(doors)
	}
}

func spot(at file.Spots, path []string) string {
	for _, p := range path {
		at = at.In(p)
	}
	k, a := at.Key(), at.At()
	state := map[file.State]string{file.Absent: "absent", file.Bad: "bad", file.Good: "good"}[at.State()]
	return fmt.Sprintf("%d:%d %d:%d+%d %s", k.Line, k.Column, a.Line, a.Column, a.Width, state)
}

// TestProblems compares the problems of houses, and of rooms of one, with a golden file.
func TestProblems(t *testing.T) {
	texts := []string{
		"nam: home", "[name]", "name: [home]", "name: ~", "name: !x home", "name: h\nrooms: [hall]",
		"name: h\nrooms: {Hall: {sze: 1}}", "name: h\nrooms: {hall: 7}", "name: h\nsheds: {dark: {window: yes}}",
		"name: h\nsheds: {dark: {roofs: tin}}", "name: h\nsheds: {light: {roof: sin, window: maybe}}",
		"name: h\nshed: {}", "name: h\n\"\": {}",
		"name: h\nwings: {w: {rooms: {hall: {siz: 1}}}}",
		"name: h\nrooms: {r: {bulb: {watts: 1},\n  candle: {}}}", "name: h\nhall: {size: 3, floor: 1}",
		"name: h\nrooms: [a, b, c, d]", "name: h\nrooms: [{a: 1}]", "name: h\nwindow: {roof: tin}",
	}
	for _, room := range []string{
		"{size: 0x10}", "{floor: -129}", "{open: maybe}", "{paint: grey}", "{paint: gren}", "{addr: 10.0.0.1/24}",
		"{addr: 'fe80::1%a'}", "{addr: '::ffff:1.2.3.4'}", "{nets: [10.0.0.1/8, x, 10.0.0.1]}", "{nets: 10.0.0.0/8}",
		"{doors: [{spare: x}]}", "{doors: [{}, {xyz: x}]}", "{doors: [{to: a, width: 8}]}", "{stove: 3}",
		"{stove: {fule: gas}}", "{bulb: {}}", "{bulb: {watt: 1}}", "{candel: {}}",
		"{bulb: {watts: 1}, candle: {hour: 1}}", "{hook: []}", "{lenght: 1}",
		"{hooks: [{}]}", "{colour: red}", "{wallpaper: red}",
		"{notes: {a: 1cm, A: 2cm}}", "{notes: {a: 1}}", "{size: 1, size: 1}",
	} {
		texts = append(texts, "name: h\nrooms: {r: "+room+"}")
	}
	var b strings.Builder
	for _, text := range texts {
		_, _, r := decode(t, text)
		if err := r.Problems().WriteText(&b, false); err != nil || len(r.Problems()) == 0 {
			t.Errorf("%s: no problem, %v", text, err)
		}
	}
	golden(t, "problems", b.String())
}

// TestNeedsOne: a union may be required.
func TestNeedsOne(t *testing.T) {
	type shop struct {
		Name string           `file:"name"`
		Lamp file.OneOf[lamp] `file:",inline,required" missing:"as bulb: {watts: 7}"`
	}
	for text, want := range map[string]string{
		"name: x":                      "[t.yaml:1:1: the shop needs one of bulb or candle]",
		"{name: x, bulbs: {}}":         `[t.yaml:1:11: unknown key "bulbs" in the shop]`,
		"{name: x, candle: {}}":        "[]",
		"{candle: , bulb: {watts: 1}}": "[t.yaml:1:12: the shop has both candle and bulb]",
	} {
		r := file.NewReport("t.yaml", []byte(text))
		docs, _ := r.Documents([]byte(text))
		s := shop{Lamp: file.NewOneOf(lamps())}
		r.Decode(docs[0], "the shop", &s)
		if got := fmt.Sprint(r.Problems()); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestDoubts: what is known of a value that could not be read, or not whole.
func TestDoubts(t *testing.T) {
	for text, want := range map[string]string{
		"{size: 1}":                "good",
		"":                         "good",
		"{siz: 1}":                 "bad strange doubtful flawed",
		"{other: 1}":               "good strange flawed",
		"{size: 0}":                "good flawed",
		"{doors: [{to: A}]}":       "good flawed",
		"{size: 1, size: 2}":       "bad strange doubtful flawed",
		"7":                        "bad strange doubtful flawed unread 7",
		"[]":                       "bad strange doubtful flawed",
		"{<<: 3}":                  "bad strange doubtful flawed",
		"{bulb: {}, candle: {}}":   "good flawed",
		"!x {size: 1}":             "bad strange doubtful flawed",
		"{notes: {1: 2}, size: 1}": "good flawed",
	} {
		_, at, _ := decode(t, "name: h\nrooms:\n  r: "+text+"\n")
		r := at.In("rooms", "r")
		got := map[file.State]string{file.Bad: "bad", file.Good: "good", file.Absent: "absent"}[r.State()]
		for word, is := range map[string]bool{"strange": r.Strange(), "doubtful": r.Doubtful(), "flawed": r.Flawed()} {
			if is != strings.Contains(want, word) {
				t.Errorf("%s: %s is %v", text, word, is)
			}
		}
		if !strings.HasPrefix(want, got) || r.Unread() != "" != strings.Contains(want, "unread "+r.Unread()) {
			t.Errorf("%s: %s, unread %q, want %s", text, got, r.Unread(), want)
		}
	}
	_, at, _ := decode(t, "name: h\nrooms: {r: {owner: &a b, nets: [x, 10.0.0.0/8, [], *a], size: 9000}}\n")
	nets := at.In("rooms", "r", "nets")
	if !nets.Good() || nets.Good(0) || !nets.Good(1) || nets.Good(3) || nets.Given(4) {
		t.Error(nets.State(), nets.State(0), nets.State(1), nets.State(3), nets.State(4))
	}
	if nets.Unread(0) != "x" || nets.Unread(1) != "" || nets.Unread(3) != "" {
		t.Errorf("%q %q %q", nets.Unread(0), nets.Unread(1), nets.Unread(3))
	}
}

// TestNoKey: a check that asks for a key that the struct does not have is wrong.
func TestNoKey(t *testing.T) {
	_, at, _ := decode(t, sound)
	defer func() {
		if p := recover(); p != `file: no key "widht"` {
			t.Error(p)
		}
	}()
	at.Given("rooms", "hall", "doors", 0, "widht")
}

// TestTag: an option that is not known is a mistake of the program.
func TestTag(t *testing.T) {
	defer func() {
		if p := recover(); p != "file: the tag of field A has an option that is not known: lest=1" {
			t.Error(p)
		}
	}()
	file.Schema(struct {
		A int `file:"a,lest=1"`
	}{})
}

// TestBounds holds that small files do not unfold into huge ones.
func TestBounds(t *testing.T) {
	lists, merges := "name: h\nx0: &x0 [a,a,a,a,a,a,a,a,a,a]\n", "name: h\nrooms:\n  a: &b0 {size: 1}\n"
	for i := 1; i < 30; i++ {
		lists += fmt.Sprintf("x%d: &x%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*x%d,", i-1), 10))
		merges += fmt.Sprintf("  %c%c: &b%d ", 'a'+i/26, 'a'+i%26, i)
		merges += fmt.Sprintf("{<<: [%s]}\n", strings.Repeat(fmt.Sprintf("*b%d,", i-1), 10))
	}
	for text, want := range map[string]string{
		lists:                                 `unknown key "x1" in the house`,
		merges:                                "when its aliases are written out",
		"&a {name: h, <<: [*a, *a]}":          "this merge contains itself",
		"name: h\nrooms: &r {a: {rooms: *r}}": `unknown key "rooms" in room a`,
	} {
		_, _, r := decode(t, text)
		if got := fmt.Sprint(r.Problems()); !strings.Contains(got, want) {
			t.Errorf("no %q in %.200s", want, got)
		}
	}
}
