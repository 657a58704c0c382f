package kind

import "testing"

// A group is deleted as a whole only when all in it goes.
func TestHolds(t *testing.T) {
	const group = 8
	one := LiveLink{Index: 2, Name: "one", Type: Veth, Group: group, PeerNSID: 0, Peer: 2}
	two := LiveLink{Index: 3, Name: "two", Type: Bridge, Group: group, PeerNSID: -1}
	end := LiveLink{Index: 4, Name: "end", Type: Veth, Group: group, PeerNSID: -1, Peer: 5}
	far := LiveLink{Index: 5, Name: "far", Type: Veth, Group: group, PeerNSID: -1, Peer: 4}
	lo := LiveLink{Index: 1, Name: "lo", Type: loopback, Group: group, PeerNSID: -1}
	other := LiveLink{Index: 6, Name: "other", Type: Bridge, Group: 0, PeerNSID: -1}
	moved := two
	moved.Group = 0
	for name, c := range map[string]struct {
		there, list []LiveLink
		want        bool
	}{
		"all":                    {[]LiveLink{one, two, other}, []LiveLink{one, two}, true},
		"one stays":              {[]LiveLink{one, two, end}, []LiveLink{one, two}, false},
		"the other end is named": {[]LiveLink{one, end, far}, []LiveLink{one, end, far}, true},
		"the other end goes too": {[]LiveLink{one, end, far}, []LiveLink{one, end}, true},
		"lo bears it":            {[]LiveLink{lo, one, two}, []LiveLink{one, two}, false},
		"one is not in it":       {[]LiveLink{one, moved}, []LiveLink{one, moved}, false},
	} {
		if got := holds(c.there, group, c.list); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
