package reconcile

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Inside calls f on a thread that is in the namespace of a topology's section, with mounts of its own (see
// [kernel.View]). The thread is f's alone: f may have it become another program.
func (h *Host) Inside(topology, section string, f func() error) error {
	return kernel.OnThread(func(t kernel.Thread) error {
		runtime.LockOSThread() // once more than it is unlocked: no other goroutine gets what f has made of it
		owner, err := h.ownerOf(t, section)
		if err != nil {
			return err
		}
		if owner == topology {
			n, err := kernel.Named(t, section, h.Seam)
			if err != nil {
				return err
			}
			defer n.Close()
			return h.inView(section, f)
		}
		a, err := h.attachment(topology, section)
		if err != nil {
			return err
		}
		found := false
		err = kernel.Others(func(id kernel.ID) bool { return id != a.ID() }, func(file kernel.File) error {
			found = true
			n, err := kernel.Attach(t, section, file, h.Seam)
			if err != nil {
				return err
			}
			defer n.Close()
			if n.Cookie() != a.Cookie {
				return fmt.Errorf("namespace %s of topology %s (%s) %w: another has got its number", section, topology, a.From, ErrAway)
			}
			return h.inView("", f)
		})
		if err == nil && !found {
			return fmt.Errorf("namespace %s of topology %s (%s): %w: it has ended since the last apply", section, topology, a.From, ErrAway)
		}
		return err
	})
}

// inView calls f with mounts that show the namespace of a name; empty for one that has none of ours.
func (h *Host) inView(name string, f func() error) error {
	failed, err := kernel.View(name)
	if err != nil {
		return err
	}
	for _, err := range failed {
		h.Warn(err.Error())
	}
	return f()
}

// attachment is where a section of a topology is attached to, as the last apply has left it. The error names the
// sections that there are.
func (h *Host) attachment(topology, section string) (object.Attachment, error) {
	rec, err := object.LoadRecord(h.dir)
	if err != nil {
		return object.Attachment{}, err
	}
	list := rec.Attached[topology]
	if copied, err := loadApplied(h.dir, topology); err == nil && len(list) == 0 {
		list = copied.Attached
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.Warn(err.Error())
	}
	if i := slices.IndexFunc(list, func(a object.Attachment) bool { return a.Name == section }); i >= 0 {
		return list[i], nil
	}
	names, err := h.Sections(topology)
	if err != nil {
		return object.Attachment{}, err
	}
	if len(names) == 0 {
		return object.Attachment{}, fmt.Errorf("topology %s has no namespace on this host: plumb list names those that are here", topology)
	}
	hint := "it has " + plan.Listing(names)
	if near := file.Suggest(section, names); near != "" {
		hint = near
	}
	return object.Attachment{}, fmt.Errorf("topology %s has no namespace %s on this host: %s", topology, section, hint)
}

// Sections names the namespaces of a topology that are on the host: those that bear its stamp, and those that it was
// attached to by the last apply.
func (h *Host) Sections(topology string) ([]string, error) {
	names, owners, err := h.owners()
	if err != nil {
		return nil, err
	}
	var mine []string
	for i, name := range names {
		if owners[i] == topology {
			mine = append(mine, name)
		}
	}
	rec, err := object.LoadRecord(h.dir)
	if err != nil {
		return nil, err
	}
	for _, a := range rec.Attached[topology] {
		mine = append(mine, a.Name)
	}
	slices.Sort(mine)
	return slices.Compact(mine), nil
}
