package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// floorRead reads the links, addresses and routes of the host and of each namespace that has a file in dir.
func floorRead(dir string) (census, error) {
	r := newRTNL()
	var c census
	if err := r.read(&c); err != nil {
		return c, fmt.Errorf("read the host: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return c, err
	}
	for _, f := range files {
		if err := enter(filepath.Join(dir, f.Name())); err != nil {
			return c, err
		}
		if err := r.read(&c); err != nil {
			return c, fmt.Errorf("read namespace %s: %w", f.Name(), err)
		}
		c.Namespaces++
	}
	return c, nil
}

// skipStats leaves the counters out of a dump of links (RTEXT_FILTER_SKIP_STATS, linux/rtnetlink.h).
const skipStats = 1 << 3

// read adds what the thread's namespace has.
func (r *rtnl) read(c *census) error {
	socket, err := dial()
	if err != nil {
		return err
	}
	defer unix.Close(socket) //nolint:errcheck // a socket has nothing to lose
	r.begin(unix.RTM_GETLINK, unix.NLM_F_DUMP, linkBody(0, 0))
	r.number(unix.IFLA_EXT_MASK, skipStats)
	links, err := r.dump(socket, isBuilt)
	if err != nil {
		return fmt.Errorf("links: %w", err)
	}
	r.begin(unix.RTM_GETADDR, unix.NLM_F_DUMP, make([]byte, unix.SizeofIfAddrmsg))
	addresses, err := r.dump(socket, func(b []byte) bool { return b[0] == unix.AF_INET && b[3] == unix.RT_SCOPE_UNIVERSE })
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	r.begin(unix.RTM_GETROUTE, unix.NLM_F_DUMP, make([]byte, unix.SizeofRtMsg))
	routes, err := r.dump(socket, func(b []byte) bool { return b[0] == unix.AF_INET && b[4] == unix.RT_TABLE_MAIN })
	if err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	c.Links += links
	c.Addresses += addresses
	c.Routes += routes
	return nil
}

// isBuilt says whether a link is a bridge or an end of a cable: there may be tunnels that the kernel puts into each
// namespace.
func isBuilt(b []byte) bool {
	for kind, value := range attributes(b[unix.SizeofIfInfomsg:]) {
		if kind != unix.IFLA_LINKINFO {
			continue
		}
		for kind, value := range attributes(value) {
			if kind == unix.IFLA_INFO_KIND {
				return bytes.HasPrefix(value, []byte("veth")) || bytes.HasPrefix(value, []byte("bridge"))
			}
		}
	}
	return false
}
