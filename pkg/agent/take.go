package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plumbnet/plumb/pkg/source"
	"github.com/plumbnet/plumb/pkg/topology"
)

// follow reads a source whenever it may say something else.
func (a *Agent) follow(ctx context.Context, e *entry) {
	for ctx.Err() == nil {
		a.ask(ctx, e)
		select {
		case <-e.source.Changed():
		case <-time.After(about(time.Duration(e.Interval))):
		case <-ctx.Done():
		}
	}
}

// ask reads a source, and takes what it says.
func (a *Agent) ask(ctx context.Context, e *entry) {
	e.reading.Lock()
	defer e.reading.Unlock()
	r, err := e.source.Read(ctx)
	if ctx.Err() != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	e.checked = time.Now()
	var list []*topology.Topology
	if err == nil {
		list, err = a.usable(e, r)
	}
	a.Audience.Fetched(e.Name(), err)
	if err != nil {
		if e.err == nil || e.err.Error() != err.Error() {
			a.Audience.Say(fmt.Sprintf("%s: %v: what was there before is kept", e.Name(), err))
		}
		e.err = err
		return
	}
	e.err, e.revision = nil, r.ID
	a.offer(e, r, list)
	a.changed()
}

// usable loads the topologies of a revision, if all of them can be taken.
func (a *Agent) usable(e *entry, r source.Revision) ([]*topology.Topology, error) {
	inputs := slices.Clone(r.Inputs)
	for i := range inputs {
		inputs[i].Keys = e.Keys
	}
	list, problems := topology.Load(inputs...)
	err := asError(problems)
	if err == nil {
		err = e.allowed(list)
	}
	for _, t := range list {
		if u := a.units[t.Name]; u != nil && u.entry != e {
			err = errors.Join(err, fmt.Errorf("topology %s comes from %s already", t.Name, u.entry.Name()))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("revision %s: %w", short(r.ID), err)
	}
	return list, nil
}

// short is enough of a revision's name for people.
func short(id string) string { return id[:min(len(id), 12)] }

// offer makes a revision's topologies those of an entry.
func (a *Agent) offer(e *entry, r source.Revision, list []*topology.Topology) {
	named := make(map[string]bool)
	for _, t := range list {
		named[t.Name] = true
		u := a.units[t.Name]
		if u == nil {
			u = &unit{entry: e}
			a.units[t.Name] = u
		}
		u.revision = r.ID
		if u.again {
			u.again, u.attempt = false, u.attempt+1
		}
		switch {
		case u.good != nil && u.good.Document() == t.Document():
			u.offered = u.good
			if u.goodFile.Revision != r.ID {
				u.goodFile.Revision = r.ID
				a.saved(a.store.keep(t.Name, u.goodFile))
			}
			u.reason = ""
		case u.offered == nil || u.offered.Document() != t.Document():
			u.offered = t
		}
	}
	for name, u := range a.units {
		if u.entry == e && !named[name] {
			delete(a.units, name)
		}
	}
}
