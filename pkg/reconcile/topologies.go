package reconcile

import (
	"maps"
	"slices"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// Topologies names those of which there is something on the host, by the stamps of its links and namespaces, and by the
// record.
func (h *Host) Topologies() ([]string, error) {
	rec, err := object.LoadRecord(h.dir)
	if err != nil {
		return nil, err
	}
	found := make(map[string]bool)
	for _, name := range rec.Topologies() {
		found[name] = true
	}
	host, err := kernel.Current(h.Seam)
	if err != nil {
		return nil, err
	}
	defer host.Close()
	links, err := object.ListLinks(host)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		if topology, _, _, ok := object.ParseAlias(l.Alias); ok && l.Group == object.Group(topology) {
			found[topology] = true
		}
	}
	_, owners, err := h.owners()
	for _, owner := range owners {
		found[owner] = true
	}
	delete(found, "")
	return slices.Sorted(maps.Keys(found)), err
}

// owners names the namespaces in /run/netns, and the topologies that they bear the stamps of.
func (h *Host) owners() (names, owners []string, err error) {
	if names, err = kernel.Names(); err != nil {
		return nil, nil, err
	}
	owners = make([]string, len(names))
	err = kernel.Each(h.Workers, len(names), func(t kernel.Thread, i int) (err error) {
		owners[i], err = h.ownerOf(t, names[i])
		return err
	})
	return names, owners, err
}

// ownerOf is the topology that a namespace bears the stamp of; empty for none.
func (h *Host) ownerOf(t kernel.Thread, name string) (topology string, err error) {
	n, err := kernel.Named(t, name, h.Seam)
	if kernel.Absent(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer n.Close()
	return h.stampOn(t, n)
}

// stampOn is the topology that an open namespace bears the stamp of; empty for none.
func (h *Host) stampOn(t kernel.Thread, n *kernel.Namespace) (topology string, err error) {
	n.Use(t)
	lo, err := object.FindLink(n, object.Lo)
	if err != nil {
		return "", err
	}
	if topology, cookie, ok := object.ParseNamespaceAlias(lo.Alias); ok && cookie == h.cookie {
		return topology, nil
	}
	return "", nil
}
