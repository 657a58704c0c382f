package kernel

import (
	"errors"
	"fmt"

	"github.com/safchain/ethtool"
	"golang.org/x/sys/unix"
)

// Feature is the state of a feature of a link, as an offload (ethtool(8): -k). Requested is what is asked for: whether
// it works may depend on other features, and on the links below.
type Feature struct {
	Requested bool
	// Fixed says that it cannot be changed: the kernel takes a request, and does nothing.
	Fixed bool
}

// FeaturesHere lists the features of a link of the namespace that the calling thread is in, by the kernel's names.
func FeaturesHere(link string) (map[string]Feature, error) {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return nil, fmt.Errorf("open a socket for the features of links: %w", err)
	}
	defer e.Close()
	var states map[string]ethtool.FeatureState
	err = OnDeepStack(func() (err error) { states, err = e.FeaturesWithState(link); return err })
	if errors.Is(err, unix.ENODEV) {
		return map[string]Feature{}, nil // it has gone
	}
	if err != nil {
		return nil, fmt.Errorf("read the features of link %s: %w", link, err)
	}
	features := make(map[string]Feature, len(states))
	for name, s := range states {
		features[name] = Feature{Requested: s.Requested, Fixed: !s.Available || s.NeverChanged}
	}
	return features, nil
}

// SetFeature asks for a feature of a link to be on or off.
func (n *Namespace) SetFeature(link, name string, on bool) error {
	return n.Inside(func() error {
		e, err := ethtool.NewEthtool()
		if err != nil {
			return fmt.Errorf("open a socket for the features of links: %w", err)
		}
		defer e.Close()
		word := map[bool]string{true: "on", false: "off"}[on]
		return n.Do("set "+name+" of link "+link+" "+word, func() error {
			return OnDeepStack(func() error { return e.Change(link, map[string]bool{name: on}) })
		})
	})
}
