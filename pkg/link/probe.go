package link

import (
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// NewFeatures lists the features that the kernel makes a link with, as one that is made in a namespace of its own for
// that, and goes with it. Ok is false for a link whose features are those of the link below.
func NewFeatures(l Link) (features kernel.Features, ok bool, err error) {
	if typeOf(l.Type).Lower != nil {
		return nil, false, nil
	}
	const name = "probe"
	l.NS, l.Name, l.Ifname, l.Up = "", name, name, false
	err = kernel.InEmpty(func() error {
		n, err := kernel.Current(new(kernel.Seam))
		if err != nil {
			return err
		}
		defer n.Close()
		request, err := l.createMessage(creation{into: -1, from: -1, index: func(object.Ref) (int, error) { return 0, nil }})
		if err != nil {
			return err
		}
		if err := n.Write("make a link to look at", request); err != nil {
			return err
		}
		found, err := kernel.FeaturesHere(name)
		features = found[name]
		return err
	})
	return features, err == nil, err
}
