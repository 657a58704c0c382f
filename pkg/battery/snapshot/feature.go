package snapshot

import (
	"errors"
	"fmt"
	"slices"

	"github.com/safchain/ethtool"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// readFeatures lists, for each link, those of its features that can be changed and are asked for.
func (s *Section) readFeatures() error {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return fmt.Errorf("features: %w", err)
	}
	defer e.Close()
	for _, l := range s.Links {
		var states map[string]ethtool.FeatureState
		err := kernel.OnDeepStack(func() (err error) { states, err = e.FeaturesWithState(l.Name); return err })
		if errors.Is(err, unix.ENODEV) {
			continue // it has just gone
		}
		if err != nil {
			return fmt.Errorf("features of %s: %w", l.Name, err)
		}
		for name, state := range states {
			if state.Available && !state.NeverChanged && state.Requested {
				l.features = append(l.features, name)
			}
		}
		slices.Sort(l.features)
	}
	return nil
}

func (p *printer) featureLines() {
	for _, l := range p.s.Links {
		p.begin("link " + l.Name + " features")
		for _, name := range l.features {
			p.add(name)
		}
		p.end()
	}
}
