package watch

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// ErrClosed is the error of [Watcher.Follow] after Close.
var ErrClosed = errors.New("the watcher is closed")

// Options are those of [Start]. The zero value is fine.
type Options struct {
	// RcvBuf is how many bytes the kernel keeps of what it tells, for each of two sockets; 8 MiB if zero.
	RcvBuf int
	// Overrun, if set, is called when the kernel had more to tell than it had room for.
	Overrun func()
	// Seam, if set, is what the numbers leave through that namespaces are given.
	Seam *kernel.Seam
}

// Watcher hears of what changes in a host's network.
type Watcher struct {
	events   chan Event
	queue    *queue
	room     int
	end      int // an eventfd(2) that ends the waiting
	done     chan struct{}
	wait     sync.WaitGroup
	overruns atomic.Int64
	overrun  func()

	mu     sync.Mutex
	places *places
	closed bool
}

// Start hears of the host's own changes from now on: those of the namespace that the calling thread is in.
func Start(o Options) (*Watcher, error) {
	const room = 8 << 20 // ten thousand changes at once
	w := &Watcher{
		events: make(chan Event), queue: newQueue(), room: cmp.Or(o.RcvBuf, room), done: make(chan struct{}), overrun: o.Overrun,
	}
	if w.overrun == nil {
		w.overrun = func() {}
	}
	s, err := openSources(w.room)
	if err != nil {
		return nil, err
	}
	if err := w.begin(cmp.Or(o.Seam, new(kernel.Seam))); err != nil {
		s.close()
		return nil, err
	}
	w.wait.Go(func() { w.run(s) })
	w.wait.Go(func() { w.queue.deliver(w.events, w.done) })
	return w, nil
}

// begin opens what stays open to the end.
func (w *Watcher) begin(seam *kernel.Seam) error {
	host, err := kernel.Current(seam)
	if err != nil {
		return err
	}
	if w.places, err = newPlaces(host); err == nil {
		if w.end, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err == nil {
			return nil
		}
		err = fmt.Errorf("open an eventfd: %w", err)
	}
	host.Close()
	return err
}

// Follow says which namespaces matter beside the host's own, from now on, and those alone: what changes in others is not
// told. Names are those in /run/netns, whether there is such a namespace now or not. Attached are sections whose
// namespaces are where [Watcher.Attach] says. Of each that was not followed before, an event says that it is to be
// looked at. An error is of namespaces that are there and can't be heard; all others are.
func (w *Watcher) Follow(names, attached []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	want := make(map[string]bool) // whether it is attached
	for _, name := range names {
		want[name] = false
	}
	for _, name := range attached {
		want[name] = true
	}
	delete(want, "")
	w.places.all = slices.DeleteFunc(w.places.all, func(p *place) bool {
		attached, wanted := want[p.section]
		stays := p.section == "" || wanted && attached == p.attached
		if stays {
			delete(want, p.section)
		} else {
			w.places.lose(p)
		}
		return !stays
	})
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(want)) {
		p := &place{section: name, attached: want[name], number: -1}
		w.places.all = append(w.places.all, p)
		errs = append(errs, w.places.find(p))
		w.queue.add(Event{Section: name, What: "namespace " + name + " is followed from now on"})
	}
	return errors.Join(errs...)
}

// Attach says where the namespace of an attached section is now; it need be open no longer than that. When it has ended,
// an event says so, and it is nowhere until this is called again.
func (w *Watcher) Attach(section string, n *kernel.Namespace) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.places.all, func(p *place) bool { return p.section == section && p.attached })
	if i < 0 || w.closed {
		return nil
	}
	news, err := w.places.attach(w.places.all[i], n)
	if news {
		w.queue.add(Event{Section: section, What: "namespace " + section})
	}
	return err
}

// Events yields what has changed. While nobody takes them, events that say the same are folded into one, and so are
// those of a section that are more than a few. It is closed by Close.
func (w *Watcher) Events() <-chan Event { return w.events }

// Overruns is how often the kernel had more to tell than it had room for.
func (w *Watcher) Overruns() int64 { return w.overruns.Load() }

// Close ends the watcher and closes the channel of its events. It can be called again.
func (w *Watcher) Close() {
	w.mu.Lock()
	again := w.closed
	w.closed = true
	w.mu.Unlock()
	if again {
		return
	}
	close(w.done)
	one := [8]byte{7: 1}
	unix.Write(w.end, one[:]) //nolint:errcheck // it can't be full
	w.wait.Wait()
	unix.Close(w.end) //nolint:errcheck // nothing is left in it to lose
	w.places.host.Close()
	close(w.events)
}

// lose says that changes went unheard.
func (w *Watcher) lose(why string) {
	w.overruns.Add(1)
	w.overrun()
	w.queue.add(Event{All: true, What: why})
}

// run listens until the end. When a source fails, all begin anew.
func (w *Watcher) run(s *sources) {
	for {
		err := w.listen(s)
		s.close()
		if err == nil {
			return
		}
		if s = w.reopen(); s == nil {
			return
		}
		w.names(s.mounts)
		w.mu.Lock()
		w.numberHost()
		w.mu.Unlock()
		w.queue.add(Event{All: true, What: err.Error()})
	}
}

// reopen opens the sources again, which may have to wait for better times. It returns nil at the end.
func (w *Watcher) reopen() *sources {
	const between = time.Second
	for {
		if s, err := openSources(w.room); err == nil {
			return s
		}
		select {
		case <-w.done:
			return nil
		case <-time.After(between):
		}
	}
}

// sources are what changes are heard from.
type sources struct {
	links   *kernel.Listener
	rules   *nftables
	sysctls *sysctls
	mounts  *mounts
}

func openSources(room int) (*sources, error) {
	s := new(sources)
	if err := s.open(room); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *sources) open(room int) (err error) {
	if s.links, err = kernel.Listen(unix.NETLINK_ROUTE, room, groups...); err != nil {
		return err
	}
	rules, err := kernel.Listen(unix.NETLINK_NETFILTER, room, unix.NFNLGRP_NFTABLES)
	if err != nil {
		return err
	}
	s.rules = &nftables{rules, make(map[int][]string)}
	if s.sysctls, err = openSysctls(); err != nil {
		return err
	}
	s.mounts, err = openMounts()
	return err
}

func (s *sources) close() {
	if s.links != nil {
		s.links.Close()
	}
	if s.rules != nil {
		s.rules.Close()
	}
	if s.sysctls != nil {
		s.sysctls.close()
	}
	if s.mounts != nil {
		s.mounts.close()
	}
}

// listen waits for the sources, and hears what they have to tell. It returns nil at the end.
func (w *Watcher) listen(s *sources) error {
	fds := []unix.PollFd{
		{Fd: int32(w.end), Events: unix.POLLIN},
		{Fd: int32(s.links.FD), Events: unix.POLLIN},
		{Fd: int32(s.rules.FD), Events: unix.POLLIN},
		{Fd: int32(s.sysctls.fd), Events: unix.POLLIN},
		{Fd: int32(s.mounts.fd), Events: unix.POLLPRI},
	}
	hear := []func() error{
		func() error { return errEnd },
		func() error { return w.hearLinks(s.links) },
		func() error { return w.hearRules(s.rules) },
		func() error { return w.hearSysctls(s.sysctls) },
		func() error { w.names(s.mounts); return nil },
	}
	for {
		limit, waiting := -1, fds
		if pause := s.mounts.pause(); pause > 0 {
			limit, waiting = int(pause.Milliseconds())+1, fds[:len(fds)-1]
		}
		if _, err := unix.Poll(waiting, limit); err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for changes: %w", err)
		}
		for i := range waiting {
			if waiting[i].Revents == 0 {
				continue
			}
			waiting[i].Revents = 0
			if err := hear[i](); errors.Is(err, errEnd) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
}

var errEnd = errors.New("the end")
