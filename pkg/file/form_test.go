package file_test

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/file"
)

// The forms of the tests: a house with rooms, whose lamps are a union.
type house struct {
	rooms `file:",inline"`
	Name  string                   `file:"name,required=always" missing:"as \"name: home\"" doc:"name of the house"`
	Wings file.Map[roomName, wing] `file:"wings,item=wing" doc:"parts of the house"`
	Yard  file.Parts               `file:",inline"`
}

func newHouse() house {
	return house{Yard: file.NewParts([]file.Part{
		{
			Key: "sheds", Item: "shed", Doc: "in the garden",
			New: func() any { return new(sheds) }, Fresh: freshShed, Only: noWindow,
		},
		{New: func() any { return new(ignored) }},
	})}
}

type ignored struct {
	_ struct{} `file:"x-*"`
}

type sheds = file.Map[roomName, file.Parts]

type shed struct {
	Roof   string `file:"roof,enum=tin|straw"`
	Window bool   `file:"window"`
}

func freshShed(v any) {
	*v.(*file.Parts) = file.NewParts([]file.Part{{New: func() any { return &shed{Roof: "tin"} }}})
}

// noWindow lists the keys of the shed that is called dark.
func noWindow(name string) []string {
	if name == "dark" {
		return []string{"roof"}
	}
	return nil
}

type rooms struct {
	Rooms file.Map[roomName, room] `file:"rooms,item=room" doc:"rooms, by name"`
}

type wing struct {
	rooms `file:",inline"`
}

type room struct {
	Size  uint16            `file:"size,least=1,most=500" doc:"area, in square metres"`
	Floor int8              `file:"floor"`
	Paint string            `file:"paint,enum=white|red|green" also:"colour; wallpaper=paint: white, for there is none" doc:"colour of the walls"`
	Open  bool              `file:"open"`
	Owner string            `file:"owner"`
	Addr  netip.Addr        `file:"addr"`
	Nets  []netip.Prefix    `file:"nets,item=a network"`
	Doors []door            `file:"doors,item=a door" doc:"ways out"`
	Stove stove             `file:"stove"`
	Lamp  file.OneOf[lamp]  `file:",inline"`
	Tools file.Parts        `file:",inline"`
	Notes file.Map[key, hm] `file:"notes,item=note"`
	Left  int               // not in the file
}

// Default implements file.Defaulter.
func (r *room) Default() {
	*r = room{Size: 12, Open: true, Stove: stove{Fuel: "wood"}}
	r.Lamp, r.Tools = file.NewOneOf(lamps()), file.NewParts(tools())
}

type door struct {
	To    roomName `file:"to,required" missing:"as {to: hall}"`
	Width hm       `file:"width"`
	Spare string   `file:"spare,required=checked"`
}

type stove struct {
	Fuel string `file:"fuel,enum=wood|gas"`
	Heat uint64 `file:"heat"`
}

type lamp any

type bulb struct {
	Watts uint8 `file:"watts,required"`
}

type candle struct {
	Hours uint32 `file:"hours"`
	Wax   string `file:"wax,enum=bee|soy"`
}

func lamps() []file.Alternative[lamp] {
	return []file.Alternative[lamp]{
		{Key: "bulb", Doc: "a bulb", New: func() lamp { return bulb{} }},
		{Key: "candle", Doc: "a candle", New: func() lamp { return candle{Hours: 4} }},
	}
}

type cord struct {
	Length uint32 `file:"length"`
	Plug   string `file:"plug,enum=c|f"`
}

type hooks []hook

type hook struct {
	At uint32 `file:"at,required"`
}

func tools() []file.Part {
	return []file.Part{
		{Key: "hooks", Item: "a hook", Doc: "hooks on the wall", New: func() any { return new(hooks) }},
		{New: func() any { return &cord{Length: 3} }},
	}
}

// roomName is lower case.
type roomName string

// Parse implements file.Parser.
func (n *roomName) Parse(_, s string) error {
	if s == "" || s != strings.ToLower(s) {
		return file.Flaw{Message: "the name " + file.Quote(s) + " is not lower case", Hint: "write " + strings.ToLower(s)}
	}
	*n = roomName(s)
	return nil
}

// Text implements file.Described.
func (*roomName) Text() file.Text { return file.Text{Words: "name of a room", Pattern: "^[a-z]+$"} }

// key is the same in any case.
type key string

// Parse implements file.Parser.
func (k *key) Parse(_, s string) error {
	*k = key(strings.ToLower(s))
	return nil
}

// hm is a length in metres.
type hm struct{ cm uint32 }

// Parse implements file.Parser.
func (h *hm) Parse(name, s string) error {
	n, err := file.ParseNumber(name, strings.TrimSuffix(s, "cm"), 0, 1000)
	if err != nil || !strings.HasSuffix(s, "cm") {
		return file.Flawf("%s must have a unit, as 80cm", name)
	}
	h.cm = uint32(n)
	return nil
}

func (h hm) String() string { return strconv.Itoa(int(h.cm)) + "cm" }

// decode reads a text, which must be one document.
func decode(t *testing.T, text string) (house, file.Spots, *file.Report) {
	t.Helper()
	r := file.NewReport("t.yaml", []byte(text))
	docs, ok := r.Documents([]byte(text))
	if !ok || len(docs) != 1 {
		t.Fatalf("%d documents in %q: %v", len(docs), text, r.Problems())
	}
	h := newHouse()
	at := r.Decode(docs[0], "the house", &h)
	return h, at, r
}
