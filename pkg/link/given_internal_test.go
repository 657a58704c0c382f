package link

import (
	"reflect"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/plan"
)

// TestStored: each attribute that a link can have is read back from the record as it was written there.
func TestStored(t *testing.T) {
	var specs []Spec
	for _, row := range Types {
		specs = append(specs, row.New())
		if row.Ports != nil {
			specs = append(specs, row.Ports.New())
		}
	}
	for _, spec := range specs {
		l := Link{Name: "x", Spec: spec, Up: true, MTU: 1400, Peer: "ns1/eth0", AcceptRA: plan.Some(uint32(2))}
		l.MAC[5] = 7
		l.LinkLocal = plan.Some(l.MAC.LinkLocal())
		back, values := Link{Name: "x", Spec: reflect.Zero(reflect.TypeOf(spec)).Interface()}, stored(l)
		for name := range plan.Values(l) {
			if _, ok := values[name]; !ok {
				t.Errorf("%T: %s cannot be written", spec, name)
				continue
			}
			o, err := plan.Restore(back, name, values[name])
			if err != nil {
				t.Errorf("%T: %v", spec, err)
				continue
			}
			back, _ = o.(Link)
		}
		if back != l {
			t.Errorf("%+v was written, and %+v read", l, back)
		}
	}
}

// TestKeysOfAttributes: a key of every link stands for an attribute whose name begins with it.
func TestKeysOfAttributes(t *testing.T) {
	for _, w := range file.Words(newLinkBase()) {
		found := w.Path == "dynamic" // which says nothing of the link
		for name := range plan.Values(Link{}) {
			key, _, _ := strings.Cut(name, " ")
			found = found || key == w.Path
		}
		if !found {
			t.Errorf("key %s stands for no attribute of a link", w.Path)
		}
	}
}
