package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/kind"
	"github.com/plumbnet/plumb/pkg/plan"
)

// run is one topology's diff, apply or destroy.
type run struct {
	*Host
	ctx      context.Context
	topology string
	record   *record
	want     []plan.Object
	// env holds the namespaces as they were last observed.
	env    *kind.Env
	report Report
	warned map[string]bool
	// refused are the keys at which somebody else's was found since the run began.
	refused []plan.Key
	// undoing says that the run goes back to what it found: nothing is added to what is wanted then.
	undoing bool
}

// observe reads all live objects that are the topology's, or that stand where one of want shall.
func (r *run) observe(want []plan.Object) ([]plan.Have, []plan.Object, error) {
	r.close()
	r.refused = nil
	r.env = &kind.Env{
		Topology: r.topology, Cookie: r.cookie, Seam: r.Seam, Record: r.record.view(r.topology), Adopt: r.Adopt,
		Sections: make(map[string]*kind.Section), Foreign: make(map[string]kind.NamespaceStamp), Warn: r.warnOnce,
	}
	r.env.SetWant(want)
	if err := r.openSections(); err != nil {
		return nil, nil, err
	}
	want, err := r.complete(want)
	if err != nil {
		return nil, nil, err
	}
	r.env.SetWant(want)
	var have []plan.Have
	for _, name := range slices.Sorted(maps.Keys(r.env.Sections)) {
		list, err := r.list(r.env.Sections[name])
		if err != nil {
			return nil, nil, err
		}
		have = append(have, list...)
	}
	return have, want, nil
}

// list reads the objects of one section. Links come first: the others are known by the names of theirs.
func (r *run) list(s *kind.Section) ([]plan.Have, error) {
	var have []plan.Have
	table := kind.Table()
	slices.SortStableFunc(table, func(a, b kind.Kind) int {
		return rankOfLink(a) - rankOfLink(b)
	})
	for _, k := range table {
		list, err := k.List(r.env, s)
		if err != nil {
			return nil, fmt.Errorf("read namespace %q: %w", s.NS.Name, err)
		}
		have = append(have, list...)
	}
	return have, nil
}

func rankOfLink(k kind.Kind) int {
	if k.Name == kind.KindLink {
		return 0
	}
	return 1
}

// openSections opens the host's section and those of namespaces that are the topology's, or are about to be.
func (r *run) openSections() error {
	host, err := kernel.Current(r.Seam)
	if err != nil {
		return err
	}
	if r.env.Sections[""], err = kind.NewSection(host, false); err != nil {
		return err
	}
	names, err := kernel.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := r.openNamed(name); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) openNamed(name string) error {
	n, err := kernel.Named(name, r.Seam)
	switch {
	case errors.Is(err, kernel.ErrNotNamespace), errors.Is(err, kernel.ErrSymlink), errors.Is(err, fs.ErrNotExist):
		return nil // listing the namespaces tells what to do about it
	case err != nil:
		return err
	}
	lo, err := kind.FindLink(n, "lo")
	if err != nil {
		n.Close()
		return fmt.Errorf("read namespace %s: %w", name, err)
	}
	stamp := kind.StampOf(r.topology, r.cookie, []kind.LiveLink{lo})
	wanted := r.env.Wanted(kind.NamespaceKey(name))
	adopted := wanted && r.Adopt && !stamp.Final
	if stamp.Class != plan.Ours && !adopted {
		n.Close()
		if wanted {
			r.env.Foreign[name] = stamp
		}
		return nil
	}
	r.env.Sections[name], err = kind.NewSection(n, true)
	return err
}

// complete adds to what the file wants what only the live host can tell: the stamps of namespaces, and accept_ra of
// uplinks that would forget their routes when IPv6 is forwarded.
func (r *run) complete(want []plan.Object) ([]plan.Object, error) {
	if r.undoing {
		return want, nil
	}
	full := make([]plan.Object, 0, len(want))
	for _, o := range want {
		v, ok := o.(kind.Sysctl)
		if !ok || v.Name != kind.Forwarding6 || v.Value != "1" || r.env.Sections[v.NS] == nil {
			continue
		}
		more, err := r.env.Uplinks(r.env.Sections[v.NS])
		if err != nil {
			return nil, err
		}
		full = append(full, more...)
	}
	for _, o := range want {
		if n, ok := o.(kind.Namespace); ok {
			n.Stamp = kind.NamespaceAlias(r.topology, r.cookie)
			o = n
		}
		full = append(full, o)
	}
	return full, nil
}

// close closes the namespaces that the last observation opened.
func (r *run) close() {
	if r.env == nil {
		return
	}
	for _, s := range r.env.Sections {
		s.NS.Close()
	}
	r.env = nil
}

// plan observes, and plans the way to what is wanted.
func (r *run) plan() (plan.Plan, error) {
	have, want, err := r.observe(r.want)
	if err != nil {
		return plan.Plan{}, err
	}
	return r.guard(r.diff(want, have))
}

func (r *run) diff(want []plan.Object, have []plan.Have) plan.Plan {
	o := plan.Options{Adopt: r.Adopt, Gone: "no longer in the file"}
	if len(r.want) == 0 || r.undoing {
		o.Gone = ""
	}
	for _, k := range kind.Table() {
		o.Kinds = append(o.Kinds, k.Name)
		if k.Last {
			o.Last = append(o.Last, k.Name)
		}
	}
	return plan.Diff(want, have, o)
}

func (r *run) warnOnce(text string) {
	if r.warned == nil {
		r.warned = make(map[string]bool)
	}
	if !r.warned[text] {
		r.warned[text] = true
		r.Warn(text)
	}
}
