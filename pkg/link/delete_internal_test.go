package link

import (
	"testing"

	"github.com/plumbnet/plumb/pkg/object"
)

// A group is deleted as a whole only when all in it goes.
func TestHolds(t *testing.T) {
	const group = 8
	one := object.LiveLink{Index: 2, Name: "one", Type: TypeVeth, Group: group, LowerNSID: 0, Lower: 2}
	two := object.LiveLink{Index: 3, Name: "two", Type: TypeBridge, Group: group, LowerNSID: -1}
	end := object.LiveLink{Index: 4, Name: "end", Type: TypeVeth, Group: group, LowerNSID: -1, Lower: 5}
	far := object.LiveLink{Index: 5, Name: "far", Type: TypeVeth, Group: group, LowerNSID: -1, Lower: 4}
	lo := object.LiveLink{Index: 1, Name: "lo", Type: object.Loopback, Group: group, LowerNSID: -1}
	other := object.LiveLink{Index: 6, Name: "other", Type: TypeBridge, Group: 0, LowerNSID: -1}
	moved := two
	moved.Group = 0
	for name, c := range map[string]struct {
		there, list []object.LiveLink
		want        bool
	}{
		"all":                    {[]object.LiveLink{one, two, other}, []object.LiveLink{one, two}, true},
		"one stays":              {[]object.LiveLink{one, two, end}, []object.LiveLink{one, two}, false},
		"the other end is named": {[]object.LiveLink{one, end, far}, []object.LiveLink{one, end, far}, true},
		"the other end goes too": {[]object.LiveLink{one, end, far}, []object.LiveLink{one, end}, true},
		"lo bears it":            {[]object.LiveLink{lo, one, two}, []object.LiveLink{one, two}, false},
		"one is not in it":       {[]object.LiveLink{one, moved}, []object.LiveLink{one, moved}, false},
	} {
		if got := holds(c.there, group, c.list); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
