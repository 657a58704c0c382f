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
		for range tries {
			if l.features, err = requested(e, l.Name); err != nil || len(l.features) > 0 {
				break
			}
		}
		if errors.Is(err, unix.ENODEV) {
			continue // it has just gone
		}
		if err != nil {
			return fmt.Errorf("features of %s: %w", l.Name, err)
		}
		if l.info == "bond" {
			l.features = slices.DeleteFunc(l.features, func(name string) bool { return slices.Contains(ofMode, name) })
		}
		slices.Sort(l.features)
	}
	return nil
}

// ofMode are features that a bond has in mode active-backup. Linux 6.1 gives them to a bond that changes to that mode, and not
// to one that is made in it: they tell of history.
var ofMode = []string{"esp-hw-offload", "esp-tx-csum-hw-offload", "tx-esp-segmentation"}

// tries is how often the features of a link are asked for that seems to have none: now and then the answer is empty.
const tries = 5

// requested lists the features of a link that can be changed and are asked for.
func requested(e *ethtool.Ethtool, link string) (names []string, err error) {
	var states map[string]ethtool.FeatureState
	err = kernel.OnDeepStack(func() (err error) { states, err = e.FeaturesWithState(link); return err })
	for name, state := range states {
		if state.Available && !state.NeverChanged && state.Requested {
			names = append(names, name)
		}
	}
	return names, err
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
