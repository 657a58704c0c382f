package snapshot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

// State is what the host and every namespace in /run/netns are like.
type State struct {
	// Text has a line for each attribute, and is what snapshots are compared by: the namespace, or "host", and what
	// there is, by names and values. It has nothing of indexes, ids, handles, counters, timers, what is learned, and
	// what the carrier of a link without one would bring.
	Text string
	// Sections are the host's, and those of the namespaces in the order of their names.
	Sections []*Section

	quick string // the part of the text that changes by itself
}

// Take reads the state, or, unless whole, all of it but what only a hand changes: sysctls and the like.
func Take(whole bool) (*State, error) {
	names, text, err := namespaces()
	if err != nil {
		return nil, err
	}
	s := &State{Sections: make([]*Section, len(names))}
	files := make([]*os.File, len(names))
	defer func() {
		for _, f := range files {
			_ = f.Close() // only read
		}
	}()
	for i, name := range names {
		s.Sections[i] = &Section{Name: name}
		if files[i], err = host.Open(name); err != nil {
			return nil, fmt.Errorf("snapshot: %w", err)
		}
	}
	const few = 8 // each may keep some hundreds of files open
	err = s.eachSection(func(i int) error {
		n := s.Sections[i]
		err := host.InsideOpen(files[i], func() error { return n.read(whole, len(names) <= few, files, names) })
		if err != nil {
			return fmt.Errorf("snapshot of %q: %w", n.Name, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	closeOthers(s.Sections)
	quick, rest := make([]string, len(names)), make([]string, len(names))
	_ = s.eachSection(func(i int) error {
		q, r := s.Sections[i].lines(s.Sections)
		quick[i], rest[i] = s.Sections[i].text(q), s.Sections[i].text(r)
		return nil
	})
	s.quick = text + strings.Join(quick, "")
	s.Text = s.quick + strings.Join(rest, "")
	return s, nil
}

// namespaces lists the host and all in /run/netns, and tells what else is there.
func namespaces() (names []string, text string, err error) {
	names = []string{""}
	entries, err := os.ReadDir(host.NetnsDir)
	if err != nil && !os.IsNotExist(err) {
		return nil, "", fmt.Errorf("snapshot: %w", err)
	}
	for _, e := range entries {
		var st unix.Statfs_t
		if err := unix.Statfs(filepath.Join(host.NetnsDir, e.Name()), &st); err == nil && st.Type == unix.NSFS_MAGIC {
			names = append(names, e.Name())
			text += "netns " + e.Name() + "\n"
		} else {
			text += "netns " + e.Name() + " (a file)\n"
		}
	}
	return names, text, nil
}

// eachSection calls f with the number of each section, on as many threads as there are processors.
func (s *State) eachSection(f func(i int) error) error {
	errs := make([]error, len(s.Sections))
	next := make(chan int)
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(s.Sections)) {
		wait.Go(func() {
			for i := range next {
				errs[i] = f(i)
			}
		})
	}
	for i := range s.Sections {
		next <- i
	}
	close(next)
	wait.Wait()
	return errors.Join(errs...)
}

// text puts the section's name before each line.
func (n *Section) text(lines []string) string {
	place := "host: "
	if n.Name != "" {
		place = n.Name + ": "
	}
	size := 0
	for _, line := range lines {
		size += len(place) + len(line) + 1
	}
	var b strings.Builder
	b.Grow(size)
	for _, line := range lines {
		b.WriteString(place)
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}

// Section is a namespace by its name, nil when there is none; "" is the host.
func (s *State) Section(name string) *Section {
	i := slices.IndexFunc(s.Sections, func(n *Section) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return s.Sections[i]
}

// Indexes tells which link is which, one a line: a link that is re-created has another index.
func (s *State) Indexes() string {
	var b strings.Builder
	for _, n := range s.Sections {
		for _, l := range n.Links {
			fmt.Fprintf(&b, "%s/%s has index %d\n", n.Name, l.Name, l.Index)
		}
	}
	return b.String()
}

// Sysctls are the host's, by path below /proc/sys/net.
func (s *State) Sysctls() map[string]string {
	all := make(map[string]string)
	for _, line := range s.Sections[0].sysctls {
		path, value, _ := strings.Cut(line, " = ")
		all[path] = value
	}
	return all
}
