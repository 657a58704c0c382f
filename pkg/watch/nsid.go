package watch

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// place is a namespace that is followed. The kernel tells of it by the number that it has in the host's.
type place struct {
	section  string
	open     *kernel.Namespace // the host's own
	attached bool              // it is where [Watcher.Attach] says, and not what has its name in /run/netns
	mark     kernel.Mark       // of what has the name; zero for nothing
	id       kernel.ID
	number   int // -1 for none
}

// borrow calls f with a descriptor that is open no longer than that.
func (p *place) borrow(f func(kernel.File) error) error {
	switch {
	case p.open != nil:
		return p.open.Borrow(func(fd int) error { return f(kernel.File{FD: fd, ID: p.open.ID()}) })
	case p.attached: // nothing holds it open, and only its user can find it
		return fs.ErrNotExist
	}
	file, err := kernel.OpenFile(p.section)
	if err != nil {
		return err
	}
	defer file.Close()
	return f(file)
}

// places are the namespaces that are followed, the host's first. The kernel gives a number to another namespace when the
// one that had it has ended, and may tell of both late and by several ways: so a namespace that has been found is to
// be looked at, whatever was heard before.
type places struct {
	host  *kernel.Namespace
	all   []*place
	heard map[int][]*place // by their number; -1 is the host's own while it has none
}

// newPlaces follows the host.
func newPlaces(host *kernel.Namespace) (*places, error) {
	p := &place{open: host, id: host.ID(), number: -1}
	ps := &places{host: host, all: []*place{p}, heard: map[int][]*place{-1: {p}}}
	_, err := ps.numberHost()
	return ps, err
}

// numberHost sees whether somebody has given the host's namespace a number in itself, under which the kernel tells of
// it from then on. It says whether that is news.
func (ps *places) numberHost() (news bool, err error) {
	p := ps.all[0]
	if p.number >= 0 {
		return false, nil
	}
	p.number, err = ps.host.NumberOf(ps.host)
	if err != nil || p.number < 0 {
		return false, err
	}
	ps.heard[p.number] = append(ps.heard[p.number], p)
	return true, nil
}

// find looks for the namespace and sees to it that the kernel tells of it. That there is none is no error.
func (ps *places) find(p *place) error {
	ps.lose(p)
	if p.named() {
		p.mark = kernel.MarkOf(p.section) // before it is opened: if another takes its place meanwhile, that shows later
	}
	err := p.borrow(func(f kernel.File) (err error) {
		p.id = f.ID
		p.number, err = ps.host.GiveNumberTo("give namespace "+p.section+" a number, to hear of its changes", f.FD)
		return err
	})
	switch {
	case kernel.Absent(err) || errors.Is(err, kernel.ErrClosed) || errors.Is(err, fs.ErrNotExist):
		p.id = kernel.ID{}
		return nil
	case err != nil:
		p.mark = kernel.Mark{} // so that it is looked for again
		return fmt.Errorf("namespace %s: %w", p.section, err)
	}
	ps.heard[p.number] = append(ps.heard[p.number], p)
	return nil
}

// lose forgets the number of a namespace.
func (ps *places) lose(p *place) {
	if p.number < 0 {
		return
	}
	var left []*place
	for _, other := range ps.heard[p.number] {
		if other != p {
			left = append(left, other)
		}
	}
	if ps.heard[p.number] = left; left == nil {
		delete(ps.heard, p.number)
	}
	p.number = -1
}

// named says whether the namespace has its name in /run/netns.
func (p *place) named() bool { return p.open == nil && !p.attached }

// moved says whether something else has the name of a namespace by now, or nothing.
func (p *place) moved() bool { return p.named() && kernel.MarkOf(p.section) != p.mark }

// attach says where a namespace is now that is attached, and whether that is news.
func (ps *places) attach(p *place, n *kernel.Namespace) (news bool, err error) {
	if p.number >= 0 && p.id == n.ID() {
		return false, nil
	}
	ps.lose(p)
	p.id = n.ID()
	if p.number, err = ps.host.GiveNumber("give namespace "+p.section+" a number, to hear of its changes", n); err != nil {
		p.number = -1
		return false, fmt.Errorf("namespace %s: %w", p.section, err)
	}
	ps.heard[p.number] = append(ps.heard[p.number], p)
	return true, nil
}

// refind looks for a namespace again, and says what became of it; nothing where that is no news.
func (ps *places) refind(p *place) (news string) {
	before := p.number
	err := ps.find(p)
	switch {
	case err != nil:
		return fmt.Sprintf("cannot be heard: %v", err)
	case p.number < 0 && before >= 0:
		return "namespace " + p.section + " deleted"
	case p.number >= 0:
		return "namespace " + p.section
	}
	return ""
}
