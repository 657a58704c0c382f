package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// The floor is what the kernel itself costs: the fewest messages, one after the other on one thread, with nothing
// marked, nothing compared and nothing verified. What a tool takes beyond it is the tool's own.

// floorGroup marks all links that the floor makes, so that one message removes those of a namespace.
const floorGroup = 7

// mtu is that of all cables.
const mtu = 1500

// veth's attribute of the other end (linux/veth.h).
const vethInfoPeer = 1

// floorCommand is the floor's own process: up SHAPE, down SHAPE or read DIR.
func floorCommand(args []string, stdout io.Writer) error {
	runtime.LockOSThread() // it goes from namespace to namespace, and never back
	if len(args) != 2 {
		return errors.New("usage: plumb-bench floor up|down SHAPE, or floor read DIR")
	}
	if args[0] == "read" {
		c, err := floorRead(args[1])
		if err == nil {
			_, err = fmt.Fprintln(stdout, c.Namespaces, c.Links, c.Addresses, c.Routes)
		}
		return err
	}
	s, err := parseShape(args[1])
	if err != nil {
		return err
	}
	if args[0] == "down" {
		return floorDown(s)
	}
	return floorUp(s)
}

// site is a network namespace in which the floor makes links.
type site struct {
	socket int
	file   int    // names it in messages of others
	last   uint32 // index that was given to a link; 1 is lo's
}

// index is that of the next link. It is chosen here, so that no message has to ask for it.
func (s *site) index() uint32 {
	s.last++
	return s.last
}

// builder is the floor on its way up.
type builder struct {
	*rtnl
	sites   map[string]*site  // by the namespace's name; empty: the host
	bridges map[string]uint32 // their indexes
}

// floorUp makes a shape.
func floorUp(s shape) error {
	host, err := dial()
	if err != nil {
		return err
	}
	b := builder{newRTNL(), map[string]*site{"": {socket: host, last: 1}}, map[string]uint32{}}
	for _, br := range s.bridges {
		if err := b.addBridge(br); err != nil {
			return fmt.Errorf("bridge %s: %w", br.name, err)
		}
	}
	if err := os.MkdirAll(namedDir, 0o755); err != nil {
		return err
	}
	for _, n := range s.namespaces {
		if err := b.addNamespace(n); err != nil {
			return fmt.Errorf("namespace %s: %w", n.name, err)
		}
	}
	for _, c := range owned(s) {
		if err := b.addCable(c); err != nil {
			return fmt.Errorf("cable %s/%s: %w", c[0].namespace, c[0].name, err)
		}
	}
	for _, n := range s.namespaces {
		for _, r := range n.routes {
			if err := b.addRoute(n, r); err != nil {
				return fmt.Errorf("route %s %s: %w", n.name, r.to, err)
			}
		}
	}
	for _, br := range s.bridges {
		if err := b.up("", b.bridges[br.name]); err != nil {
			return fmt.Errorf("bridge %s: up: %w", br.name, err)
		}
	}
	return nil
}

// owned gives the cables with the end first from whose side each is made and removed: that of a bridge; else one whose
// namespace makes cables already, so that few messages remove them all.
func owned(s shape) []cable {
	owners := map[string]bool{}
	cables := make([]cable, 0, len(s.cables))
	for _, c := range s.cables {
		if c[0].bridge == "" && !owners[c[0].namespace] {
			c[0], c[1] = c[1], c[0]
		}
		owners[c[0].namespace] = true
		cables = append(cables, c)
	}
	return cables
}

func (b *builder) addBridge(br bridge) error {
	index := b.sites[""].index()
	b.bridges[br.name] = index
	b.begin(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, linkBody(index, 0))
	b.text(unix.IFLA_IFNAME, br.name)
	b.number(unix.IFLA_GROUP, floorGroup)
	b.nest(unix.IFLA_LINKINFO, func() { b.text(unix.IFLA_INFO_KIND, "bridge") })
	if err := b.exec(b.sites[""].socket); err != nil {
		return err
	}
	return b.addAddress(end{address: br.address}, index)
}

// addNamespace makes a namespace with a name, and leaves the thread in it.
func (b *builder) addNamespace(n namespace) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	path := filepath.Join(namedDir, n.name)
	if err := os.WriteFile(path, nil, 0o444); err != nil {
		return err
	}
	if err := unix.Mount("/proc/thread-self/ns/net", path, "none", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	file, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	socket, err := dial()
	if err != nil {
		return err
	}
	b.sites[n.name] = &site{socket, file, 1}
	for _, ctl := range n.sysctls {
		if err := os.WriteFile("/proc/sys/"+strings.ReplaceAll(ctl.key, ".", "/"), []byte(ctl.value), 0); err != nil {
			return err
		}
	}
	return b.up(n.name, 1)
}

// addCable makes both ends where they belong, the first one up, and their addresses.
func (b *builder) addCable(c cable) error {
	own, peer := b.sites[c[0].namespace], b.sites[c[1].namespace]
	index, peerIndex := own.index(), peer.index()
	b.begin(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, linkBody(index, unix.IFF_UP))
	b.text(unix.IFLA_IFNAME, c[0].name)
	b.number(unix.IFLA_MTU, mtu)
	b.number(unix.IFLA_GROUP, floorGroup)
	if c[0].bridge != "" {
		b.number(unix.IFLA_MASTER, b.bridges[c[0].bridge])
	}
	b.nest(unix.IFLA_LINKINFO, func() {
		b.text(unix.IFLA_INFO_KIND, "veth")
		b.nest(unix.IFLA_INFO_DATA, func() {
			b.nest(vethInfoPeer, func() {
				b.out = append(b.out, linkBody(peerIndex, 0)...)
				b.text(unix.IFLA_IFNAME, c[1].name)
				b.number(unix.IFLA_MTU, mtu)
				b.number(unix.IFLA_NET_NS_FD, uint32(peer.file))
			})
		})
	})
	if err := b.exec(own.socket); err != nil {
		return err
	}
	if err := b.up(c[1].namespace, peerIndex); err != nil {
		return fmt.Errorf("peer: up: %w", err)
	}
	return errors.Join(b.addAddress(c[0], index), b.addAddress(c[1], peerIndex))
}

func (b *builder) up(namespace string, index uint32) error {
	b.begin(unix.RTM_NEWLINK, 0, linkBody(index, unix.IFF_UP))
	return b.exec(b.sites[namespace].socket)
}

// addAddress gives an end its address, if it has one (struct ifaddrmsg).
func (b *builder) addAddress(e end, index uint32) error {
	if !e.address.IsValid() {
		return nil
	}
	body := []byte{unix.AF_INET, byte(e.address.Bits()), 0, 0}
	b.begin(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, binary.NativeEndian.AppendUint32(body, index))
	b.attr(unix.IFA_LOCAL, e.address.Addr().AsSlice()...)
	if err := b.exec(b.sites[e.namespace].socket); err != nil {
		return fmt.Errorf("address %s: %w", e.address, err)
	}
	return nil
}

// addRoute adds a route of the main table (struct rtmsg).
func (b *builder) addRoute(n namespace, r route) error {
	body := []byte{
		unix.AF_INET, byte(r.to.Bits()), 0, 0,
		unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST, 0, 0, 0, 0,
	}
	b.begin(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, body)
	if r.to.Bits() > 0 {
		b.attr(unix.RTA_DST, r.to.Addr().AsSlice()...)
	}
	b.attr(unix.RTA_GATEWAY, r.via.AsSlice()...)
	return b.exec(b.sites[n.name].socket)
}

// floorDown removes a shape.
func floorDown(s shape) error {
	r := newRTNL()
	seen := map[string]bool{}
	for _, c := range owned(s) { // with bridges it is the host alone, where the thread is at first
		owner := c[0].namespace
		if seen[owner] {
			continue
		}
		seen[owner] = true
		if err := r.removeLinks(owner); err != nil {
			return fmt.Errorf("remove the links of namespace %q: %w", owner, err)
		}
	}
	for _, n := range s.namespaces {
		path := filepath.Join(namedDir, n.name)
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", path, err)
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// removeLinks removes the floor's links in a namespace, the other ends and bridges included.
func (r *rtnl) removeLinks(namespace string) error {
	if namespace != "" {
		if err := enter(filepath.Join(namedDir, namespace)); err != nil {
			return err
		}
	}
	socket, err := dial()
	if err != nil {
		return err
	}
	defer unix.Close(socket) //nolint:errcheck // a socket has nothing to lose
	r.begin(unix.RTM_DELLINK, 0, linkBody(0, 0))
	r.number(unix.IFLA_GROUP, floorGroup)
	return r.exec(socket)
}

// enter puts the calling thread into the namespace of a file.
func enter(path string) error {
	file, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(file) //nolint:errcheck // only read
	if err := unix.Setns(file, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter %s: %w", path, err)
	}
	return nil
}
