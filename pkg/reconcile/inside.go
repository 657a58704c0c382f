package reconcile

import (
	"cmp"
	"fmt"
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
		runtime.LockOSThread() // once more than it is unlocked, so that the thread ends: f may have changed its mounts
		n, err := kernel.Named(t, section, h.Seam)
		switch {
		case kernel.Absent(err):
			return h.insideAttached(t, topology, section, f)
		case err != nil:
			return err
		}
		defer n.Close()
		switch owner, err := h.stampOn(t, n); {
		case err != nil:
			return err
		case owner == topology:
			return h.inView(section, f)
		}
		return h.insideAttached(t, topology, section, f)
	})
}

// insideAttached is Inside for a section that is attached to a namespace of somebody else's.
func (h *Host) insideAttached(t kernel.Thread, topology, section string, f func() error) error {
	known, err := h.attachments(topology)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(known, func(a object.Attachment) bool { return a.Name == section })
	if i < 0 {
		return h.noSection(topology, section)
	}
	a, why := known[i], "it has ended since the last apply"
	found := false
	err = kernel.Others(func(id kernel.ID) bool { return id != a.ID() }, func(file kernel.File) error {
		n, err := kernel.Attach(t, section, file, h.Seam)
		if err != nil {
			return err
		}
		defer n.Close()
		if n.Cookie() != a.Cookie {
			why = "another has got its number"
			return nil
		}
		found = true
		return h.inView("", f)
	})
	if err == nil && !found {
		err = fmt.Errorf("namespace %s of topology %s (%s): %w: %s", section, topology, a.From, ErrAway, why)
	}
	return err
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

// attachments are where the sections of a topology are attached to, as the last apply has left them.
func (h *Host) attachments(topology string) ([]object.Attachment, error) {
	rec, err := object.LoadRecord(h.dir)
	if err != nil {
		return nil, err
	}
	return (&run{Host: h, topology: topology, record: rec}).known(), nil
}

// noSection says that a topology has no such namespace, and which it has.
func (h *Host) noSection(topology, section string) error {
	names, err := h.Sections(topology)
	switch {
	case err != nil:
		return err
	case len(names) == 0:
		return fmt.Errorf("topology %s has no namespace on this host: plumb list names those that are here", topology)
	}
	hint := cmp.Or(file.Suggest(section, names), "it has "+plan.Listing(names))
	return fmt.Errorf("topology %s has no namespace %s on this host: %s", topology, section, hint)
}

// Sections names the namespaces of a topology that are on the host: those that bear its stamp, and those that it was
// attached to by the last apply.
func (h *Host) Sections(topology string) ([]string, error) {
	names, owners, err := h.owners()
	if err != nil {
		return nil, err
	}
	known, err := h.attachments(topology)
	if err != nil {
		return nil, err
	}
	var mine []string
	for i, name := range names {
		if owners[i] == topology {
			mine = append(mine, name)
		}
	}
	for _, a := range known {
		mine = append(mine, a.Name)
	}
	slices.Sort(mine)
	return slices.Compact(mine), nil
}
