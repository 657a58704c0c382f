package link

import (
	"os"
	"testing"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// What is predicted of the other end of a cable is so, where its namespace has inherited nothing; else nothing is
// predicted.
func TestOtherEnd(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, plain := range []bool{true, false} {
		err := kernel.OnThread(func(thread kernel.Thread) error { return predicts(t, thread, plain) })
		if err != nil {
			t.Errorf("in a plain namespace %v: %v", plain, err)
		}
	}
}

func predicts(t *testing.T, thread kernel.Thread, plain bool) error {
	sections := make(map[string]*object.Section)
	for _, name := range []string{"far", "near"} {
		n, err := kernel.Create(thread, name, new(kernel.Seam))
		if err != nil {
			return err
		}
		defer n.Close()
		sections[name] = object.NewSection(n)
	}
	sections["far"].Plain = plain
	e := &object.Env{Topology: "test", Sections: sections}
	e.SetWant(nil, nil)
	far := Link{NS: "far", Name: "eth0", Type: TypeVeth, MTU: 1500, MAC: object.MAC{0x02, 5: 1}, Group: 8, Spec: Veth{}}
	own := far
	own.NS, own.MAC = "near", object.MAC{0x02, 5: 2}
	live, err := own.make(e, []Link{far})
	if err != nil {
		return err
	}
	told := otherEnd(e, far, live)
	made, err := object.FindLink(sections["far"].NS, "eth0")
	if (told.Index != 0) != (plain && live.Index != 0) { // kernels before 6.2 tell nothing
		t.Errorf("index %d is predicted, where the own end has %d", told.Index, live.Index)
	}
	odd := made.NoLinkLocal || made.Disabled6 || made.Forwarding6
	if told.Index != 0 && (told.Index != made.Index || told.Group != made.Group || odd) {
		t.Errorf("predicted is %+v, made %+v", told, made)
	}
	return err
}
