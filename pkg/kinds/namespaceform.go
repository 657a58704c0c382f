package kinds

import (
	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// namespaceForm makes the object of each namespace.
func namespaceForm() object.Form {
	return object.Form{
		On: object.OnNamespace,
		Part: file.Part{
			Key: "attach", New: func() any { return new(object.Attach) },
			Doc: "whose namespace it is, where plumb does not make it: only what the file says is managed in it",
		},
		Enter: func(at *object.At) {
			if at.Attach = *at.Form.(*object.Attach); at.Attach != "" {
				at.Reach(object.BeyondAttach, at.Spots.Key())
			}
			at.Doubtful = at.Doubtful || at.Spots.State() == file.Bad
		},
		Check: func(at *object.At) any {
			at.Expect(1)
			return nil
		},
		Expand: func(at *object.At, x *object.Expansion) {
			if at.Attach != "" {
				x.Add(Namespace{Name: at.Name, Attach: at.Attach}, at.Spots.At())
				return
			}
			n := Namespace{Name: at.Name, LoUp: true}
			if lo, ok := at.Sense.Link(object.Lo); ok {
				n.Dynamic = lo.Dynamic
			}
			if _, _, given := at.Forwarding(object.Forwarding4); !given {
				n.Forwarding4 = plan.Some(false)
			}
			if _, _, given := at.Forwarding(object.Forwarding6); !given {
				n.Forwarding6 = plan.Some(false)
			}
			x.Add(n, at.At)
		},
	}
}
