package object

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Lifelines are what connects the host: the default routes that plumb has not made, their interfaces, and that of the
// current SSH session. A default route that a router in a lab has advertised is none of them.
type Lifelines struct {
	Defaults []DefaultRoute
	Links    map[string]*Lifeline // by interface
	SSH      netip.Addr           // our end of the session
	// Addresses are those of the interfaces.
	Addresses []netip.Addr
}

// Lifeline is what an interface carries.
type Lifeline struct {
	Uplink, SSH bool
	V4, V6      bool // addresses that are more than link-local, the session's, or a default route
	Advertised  bool // a default route that routers advertise
}

// FindLifelines looks for them on the host. Named are links that somebody has said are uplinks too.
func FindLifelines(host *Section, named ...string) *Lifelines {
	lines := &Lifelines{Links: make(map[string]*Lifeline), SSH: sshAddress(os.Getenv, os.ReadFile, os.Getpid())}
	for _, d := range DefaultRoutes(host) {
		if ofPlumb(host, d) {
			continue
		}
		lines.Defaults = append(lines.Defaults, d)
		for _, dev := range d.Devs {
			l := lines.link(dev)
			l.Uplink, l.V4, l.V6 = true, l.V4 || d.V4, l.V6 || !d.V4
			l.Advertised = l.Advertised || d.Proto == unix.RTPROT_RA
		}
	}
	for _, dev := range named {
		if host.Known(dev) != 0 {
			lines.link(dev).Uplink = true
		}
	}
	for _, a := range host.Addresses() {
		if a.Prefix.Addr() == lines.SSH {
			lines.link(host.LinkName(a.Index)).SSH = true
		}
	}
	for _, a := range host.Addresses() {
		addr, l := a.Prefix.Addr(), lines.Links[host.LinkName(a.Index)]
		if l != nil && (!addr.IsLinkLocalUnicast() || addr == lines.SSH) {
			l.V4, l.V6 = l.V4 || addr.Is4(), l.V6 || addr.Is6()
			lines.Addresses = append(lines.Addresses, addr)
		}
	}
	return lines
}

// ofPlumb says whether a default route is plumb's, or came unasked from a router that plumb's own links lead to. A DHCP
// client's was asked for.
func ofPlumb(host *Section, d DefaultRoute) bool {
	outside := func(dev string) bool { return !leadsInside(host, dev) }
	return d.Proto == Protocol || d.Proto == unix.RTPROT_RA && !slices.ContainsFunc(d.Devs, outside)
}

// leadsInside says whether a link is plumb's, and none of its ports is another's, as the host's own interface.
func leadsInside(host *Section, dev string) bool {
	l := host.At(host.Known(dev))
	return l != nil && l.Plumbs() && !slices.ContainsFunc(host.Links, func(port LiveLink) bool {
		return port.Master == l.Index && !port.Plumbs()
	})
}

func (l *Lifelines) link(dev string) *Lifeline {
	if l.Links[dev] == nil {
		l.Links[dev] = new(Lifeline)
	}
	return l.Links[dev]
}

// Named names an interface by what it is.
func (l *Lifelines) Named(dev string) string {
	if l.Links[dev].SSH {
		return dev + ", which carries the current SSH session"
	}
	return dev + ", the host's uplink"
}

// sshAddress is the host's address of the SSH session that the process belongs to: SSH_CONNECTION of ssh(1), of the
// process or, as sudo takes it away, of one that it descends from.
func sshAddress(getenv func(string) string, readFile func(string) ([]byte, error), pid int) netip.Addr {
	const generations = 64
	connection := getenv("SSH_CONNECTION")
	for range generations {
		// client address, client port, server address, server port
		if field := strings.Fields(connection); len(field) == 4 {
			a, _ := netip.ParseAddr(field[2]) // whatever else it is, it is no address of ours
			return a.WithZone("").Unmap()
		}
		if pid = parent(readFile, pid); pid <= 1 {
			break
		}
		environ, err := readFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			break // another user's: no session of ours
		}
		for entry := range strings.SplitSeq(string(environ), "\x00") {
			if v, ok := strings.CutPrefix(entry, "SSH_CONNECTION="); ok {
				connection = v
			}
		}
	}
	return netip.Addr{}
}

// parent reads a process's parent from proc_pid_stat(5): the fourth field, after a name in parentheses.
func parent(readFile func(string) ([]byte, error), pid int) int {
	stat, err := readFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	text := string(stat)
	field := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(field) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(field[1]) // 0 is no process
	return ppid
}
