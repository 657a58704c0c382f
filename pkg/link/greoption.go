package link

import (
	"strconv"
	"strings"

	"github.com/plumbnet/plumb/pkg/file"
)

// greOptions is what the headers of a GRE tunnel's packets have beside what they must.
type greOptions struct {
	Key GREKey `file:"key" plan:"key" nl:"4,be,u32,twin=5" doc:"number that tells tunnels apart"`
	// Keyed says that packets have a key.
	Keyed    GREFlag `plan:"has a key,quiet" nl:"2,u16,be,mask=0x2000,twin=3"`
	Checksum GREFlag `file:"csum" plan:"csum" nl:"2,u16,be,mask=0x8000,twin=3" doc:"packets have a checksum"`
	Sequence GREFlag `file:"seq" plan:"seq" nl:"2,u16,be,mask=0x1000,twin=3" doc:"packets are numbered"`
}

// optionsOf are those of a GRE tunnel in IPv4 or IPv6; of another spec there are none.
func optionsOf(s Spec) greOptions {
	switch g := s.(type) {
	case GRE:
		return g.greOptions
	case GRE6:
		return g.greOptions
	}
	return greOptions{}
}

// GREKey is the key of the packets that come in, and of those that go out; 0 is none.
type GREKey [2]uint32

// Parse implements [file.Parser]: it reads "7", and "7/8" for another key each way.
func (k *GREKey) Parse(name, s string) error {
	in, out, two := strings.Cut(s, "/")
	if !two {
		out = in
	}
	var both GREKey
	for i, text := range []string{in, out} {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return file.Flaw{
				Message: name + " " + file.Quote(s) + " is no key",
				Hint:    "a number up to 4294967295, or two as 7/8: of the packets that come in, and of those that go out",
			}
		}
		both[i] = uint32(n)
	}
	*k = both
	return nil
}

func (k GREKey) String() string {
	in, out := strconv.FormatUint(uint64(k[0]), 10), strconv.FormatUint(uint64(k[1]), 10)
	if in == out {
		return in
	}
	return in + "/" + out
}

// Text implements [file.Described].
func (*GREKey) Text() file.Text {
	return file.Text{Words: "key, or two with a slash between: in and out", Types: []string{"integer", "string"}}
}

// GREFlag says whether the packets that come in have something, and those that go out.
type GREFlag [2]bool

// greFlags are the words for each.
var greFlags = map[string]GREFlag{"true": {true, true}, "false": {}, "in": {true, false}, "out": {false, true}}

// Parse implements [file.Parser].
func (f *GREFlag) Parse(name, s string) error {
	both, ok := greFlags[s]
	if !ok {
		return file.Flawf("%s must be true, false, in or out, not %s", name, file.Quote(s))
	}
	*f = both
	return nil
}

func (f GREFlag) String() string {
	for word, both := range greFlags {
		if both == f {
			return word
		}
	}
	return ""
}

// Text implements [file.Described].
func (*GREFlag) Text() file.Text {
	return file.Text{Words: "true, false, or for the packets of one way in or out", Types: []string{"boolean", "string"}}
}

// keyed says which packets have a key.
func (k GREKey) keyed() GREFlag { return GREFlag{k[0] != 0, k[1] != 0} }
