package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
	"github.com/plumbnet/plumb/pkg/topology"
)

// run is one topology's diff, apply or destroy.
type run struct {
	*Host
	ctx      context.Context
	topology string
	record   *object.Record
	want     []plan.Object
	// source is the place of a wanted object in the file; nil where there is none.
	source func(plan.Key) (plan.Source, bool)
	// env holds the namespaces as they were last observed.
	env    *object.Env
	lists  lists
	report Report
	// warned has the warnings that were given, by one thread at a time.
	warned  map[string]bool
	warning sync.Mutex
	copies  map[object.LinkAt]string
	beside  object.Beside
	// refused are the keys at which somebody else's was found since the run began, of the steps that are being taken.
	refused map[plan.Key]bool
	// leaving says that the run takes all that is the topology's away.
	leaving bool
	// undoing says that the run goes back to what it found: nothing is added to what is wanted then.
	undoing bool
	// others are the keys of what is not ours and that a rollback gives back, as it was before the run took it over.
	others map[plan.Key]bool
	// strangers are the namespaces that the last look found not to be the topology's.
	strangers map[string]object.NamespaceStamp
	// accept, if set, may object to what an apply has reached: see [Session.Change].
	accept func(context.Context) error
}

// looks bounds how often a host is looked at anew on which a namespace went during a look.
const looks = 5

// observe reads all live objects that are the topology's, or that stand where one of want shall, in the sections that
// can have changed since the last time; nil for all. What is there is in r.lists.
func (r *run) observe(want []plan.Object, touched sections) (full []plan.Object, err error) {
	for range looks {
		if full, err = r.look(want, touched); !errors.Is(err, kernel.ErrGone) {
			break
		}
		touched = nil
	}
	return full, err
}

func (r *run) look(want []plan.Object, touched sections) (full []plan.Object, err error) {
	r.Working(Working{Undoing: r.undoing})
	last, before := r.env, r.sections()
	if r.copies == nil {
		r.copies = make(map[object.LinkAt]string)
	}
	r.env = &object.Env{
		Topology: r.topology, Cookie: r.cookie, Seam: r.Seam, Record: r.record.View(r.topology), Adopt: r.Adopt,
		Table: kinds.Table(), Foreign: make(map[string]object.NamespaceStamp), Workers: r.Workers, Warn: r.warnOnce,
		Copies: r.copies, Undoing: r.undoing, Beside: &r.beside,
	}
	r.env.SetWant(want, last)
	if r.undoing && last != nil {
		r.env.ReadAs(last)
	}
	if err := r.openSections(before, touched); err != nil {
		return nil, err
	}
	if err := r.env.Join(); err != nil {
		return nil, err
	}
	if full, err = r.complete(want); err != nil {
		return nil, err
	}
	return full, r.list(touched)
}

// list lists the objects of all sections, of those that were not touched as before.
func (r *run) list(touched sections) error {
	names := slices.Sorted(maps.Keys(r.env.Sections))
	found := make([][]plan.Have, len(names))
	list := func(t kernel.Thread, i int) (err error) {
		known := false
		if found[i], known = r.lists[names[i]]; !known || touched.has(names[i]) {
			s := r.env.Sections[names[i]]
			s.NS.Use(t)
			found[i], err = r.env.List(s)
		}
		return err
	}
	if err := kernel.Each(r.Workers, len(names), list); err != nil {
		return err
	}
	r.lists = make(lists, len(names))
	for i, name := range names {
		r.lists[name] = found[i]
		for _, text := range r.env.Sections[name].Warnings {
			r.warnOnce(text)
		}
	}
	return nil
}

func (r *run) sections() map[string]*object.Section {
	if r.env == nil {
		return nil
	}
	return r.env.Sections
}

// openSections reads the host's section and those of namespaces that are the topology's, or are about to be, or that it
// is attached to. Those that were open before stay so, and those of them that were not touched are taken as they were.
func (r *run) openSections(before map[string]*object.Section, touched sections) error {
	names, err := kernel.Names()
	if err == nil && touched != nil {
		err = lost(before)
	}
	if err != nil {
		closeAll(before)
		return err
	}
	r.env.Names = names
	host := before[""]
	if host == nil {
		n, err := kernel.Current(r.Seam)
		if err != nil {
			return err
		}
		host = object.NewSection(n)
	}
	found := make([]*object.Section, len(names)+1)
	found[0] = host
	stamps := make([]object.NamespaceStamp, len(names)+1)
	err = kernel.Each(r.Workers, len(found), func(t kernel.Thread, i int) (err error) {
		name := ""
		if i > 0 {
			name = names[i-1]
		}
		stranger, known := r.strangers[name]
		switch s := before[name]; {
		case s != nil && s.Attached == nil && !touched.has(name):
			found[i] = s
		case s == nil && known && !touched.has(name):
			stamps[i] = stranger
		case i == 0:
			err = errors.Join(r.env.ReadLinks(host, host.NS), r.env.ReadWhole(host))
		default:
			found[i], stamps[i], err = r.openNamed(t, name, host.NS, s)
		}
		return err
	})
	r.strangers = make(map[string]object.NamespaceStamp)
	for i, s := range found {
		if s == nil && err == nil {
			r.strangers[names[i-1]] = stamps[i]
		}
	}
	r.oneNameEach(found, stamps)
	r.env.Sections = make(map[string]*object.Section, len(found))
	for i, s := range found {
		switch {
		case s != nil && i > 0 && r.attaches(names[i-1]):
			r.env.Foreign[names[i-1]] = object.NamespaceStamp{Class: plan.Foreign, Final: true, Why: stillMade}
			s.NS.Close()
			found[i] = nil
		case s != nil:
			r.env.Sections[s.NS.Name] = s
		case i > 0 && stamps[i].Class == plan.Foreign && !r.attaches(names[i-1]) &&
			r.env.Wanted(object.NamespaceKey(names[i-1])):
			r.env.Foreign[names[i-1]] = stamps[i]
		}
	}
	err = errors.Join(err, r.addAttached(found, before, touched))
	for name, s := range before {
		if now := r.env.Sections[name]; now == nil || now.NS != s.NS {
			s.NS.Close()
		}
	}
	return err
}

// lost says that a namespace has gone since the last look: what went with it may have been anywhere.
func lost(before map[string]*object.Section) error {
	for name, s := range before {
		if name != "" && s.Attached == nil && !s.NS.Stands() {
			return fmt.Errorf("namespace %s: %w", name, kernel.ErrGone)
		}
	}
	return nil
}

// openNamed reads the section of a namespace, nil for one that is not the topology's. Before is its section at the look
// before this one, nil for none.
func (r *run) openNamed(t kernel.Thread, name string, host *kernel.Namespace, before *object.Section) (
	_ *object.Section, stamp object.NamespaceStamp, err error,
) {
	s, err := r.openLinks(t, name, host, before)
	if s == nil || err != nil {
		return nil, stamp, err
	}
	stamp = object.StampOf(r.topology, r.cookie, s.Links)
	adopted := r.Adopt && !stamp.Final && r.env.Wanted(object.NamespaceKey(name)) && !r.attaches(name)
	if s.Owned = stamp.Class == plan.Ours || adopted; !s.Owned {
		return nil, stamp, nil
	}
	if s.Ending = r.leaving && stamp.Class == plan.Ours; s.Ending {
		return s, stamp, nil
	}
	return s, stamp, r.env.ReadWhole(s)
}

// openLinks opens a namespace, and reads its links. It gives nil when none has the name: listing the namespaces tells
// what to do about it.
func (r *run) openLinks(
	t kernel.Thread, name string, host *kernel.Namespace, before *object.Section,
) (*object.Section, error) {
	var open *kernel.Namespace
	if before != nil && before.Attached == nil {
		open = before.NS
	}
	n, err := open.Again(t, name, r.Seam)
	switch {
	case kernel.Absent(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	n.Use(t)
	s := object.NewSection(n)
	if err := r.env.ReadLinks(s, host); err != nil {
		n.Close()
		return nil, fmt.Errorf("read namespace %s: %w", name, err)
	}
	return s, nil
}

// wanted is what a topology wants, with the stamps that its namespaces get.
func (r *run) wanted(t *topology.Topology) []plan.Object {
	want := t.Objects()
	for i, o := range want {
		if n, ok := o.(kinds.Namespace); ok && n.Attach == "" {
			n.Stamp = object.NamespaceAlias(r.topology, r.cookie)
			want[i] = n
		}
	}
	return want
}

// complete adds to what the file wants what only the live host can tell.
func (r *run) complete(want []plan.Object) ([]plan.Object, error) {
	if r.undoing {
		return r.there(want), nil
	}
	back, err := r.returns()
	if err != nil {
		return nil, err
	}
	r.env.Returned = make(map[plan.Key]bool, len(back))
	for _, o := range back {
		r.env.Returned[o.Key()] = true
	}
	if len(back) > 0 {
		want = append(back, want...)
		r.env.SetWant(want, nil)
	}
	var settled, more []plan.Object
	var lacking []error
	for i, o := range want {
		row := r.env.Of(o.Key())
		if row.Also != nil {
			more = append(more, row.Also(r.env, o)...)
		}
		if row.Settle == nil {
			continue
		}
		switch s, err := row.Settle(r.env, o); {
		case err != nil:
			lacking = append(lacking, r.placed(o.Key(), err))
		case s != o:
			if settled == nil {
				settled = slices.Clone(want) // the next look settles it anew
			}
			settled[i] = s
		}
	}
	if err := errors.Join(lacking...); err != nil {
		return nil, err
	}
	if settled != nil {
		want = settled
	}
	if len(more) == 0 && settled == nil {
		return want, nil
	}
	want = append(more, want...)
	r.env.SetWant(want, nil)
	return want, nil
}

// returns lists what is to become what it was before the topology claimed it.
func (r *run) returns() (list []plan.Object, err error) {
	for _, row := range r.env.Table {
		if row.Returns == nil {
			continue
		}
		some, err := row.Returns(r.env)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

// there leaves out what plumb does not make and that has gone: nobody can have it back.
func (r *run) there(want []plan.Object) []plan.Object {
	var rest []plan.Object
	for _, o := range want {
		k := o.Key()
		if s := r.env.Sections[k.NS]; !r.env.Given(k) || s != nil && s.Known(k.Name) != 0 {
			rest = append(rest, o)
		}
	}
	if len(rest) < len(want) {
		r.env.SetWant(rest, nil)
		return rest
	}
	return want
}

// placed says which object an error is about, and where the file declares it.
func (r *run) placed(k plan.Key, err error) error {
	err = fmt.Errorf("%s: %w", k.Label(), err)
	if r.source != nil {
		if at, ok := r.source(k); ok {
			return fmt.Errorf("%s:%d: %w", at.File, at.Line, err)
		}
	}
	return err
}

// close closes the namespaces that were opened.
func (r *run) close() {
	closeAll(r.sections())
	r.env = nil
}

func closeAll(sections map[string]*object.Section) {
	for _, s := range sections {
		s.NS.Close()
	}
}

// plan observes, and plans the way to what is wanted.
func (r *run) plan() (plan.Plan, error) {
	want, err := r.observe(r.want, nil)
	if err != nil {
		return plan.Plan{}, err
	}
	return r.guard(r.diff(want)), nil
}

func (r *run) warnOnce(text string) {
	r.warning.Lock()
	defer r.warning.Unlock()
	if r.warned == nil {
		r.warned = make(map[string]bool)
	}
	if !r.warned[text] {
		r.warned[text] = true
		r.Warn(text)
	}
}
