package kinds

import (
	"errors"
	"io/fs"
	"maps"
	"slices"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// writeBeside writes a parameter of a section. What it is about to write beside itself is kept, the first time in a
// run, and a rollback gives that back: a hand may have given an interface another value than the switch.
func writeBeside(e *object.Env, s *object.Section, name string, write func() error) error {
	k := object.SysctlKey(s.NS.Name, name)
	if spreads(e, k) == nil {
		return write()
	}
	if !e.Undoing {
		if err := keepBeside(e, s, k); err != nil {
			return err
		}
		return write()
	}
	if err := write(); err != nil {
		return err
	}
	kept := e.Beside.Of(k)
	now, err := s.NS.ReadSysctls(slices.Collect(maps.Keys(kept)))
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(now)) {
		if now[path] == kept[path] {
			continue
		}
		if err := s.NS.WriteSysctl(path, kept[path]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func keepBeside(e *object.Env, s *object.Section, k plan.Key) error {
	if e.Beside.Of(k) != nil {
		return nil
	}
	values, err := s.NS.ReadSysctls(beside(e, k, s.Links))
	if err == nil {
		e.Beside.Keep(k, values)
	}
	return err
}
