package snapshot

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
)

const (
	// limit bounds the wait for the kernel to come to rest.
	limit = 30 * time.Second
	// patience is how long an event is waited for at most: what the kernel has yet to do may be done without one.
	patience = time.Second
)

// Settle waits until what the kernel does by itself after a change is done, and takes the snapshot.
func Settle() (*State, error) { return wait((*State).Unsettled, true) }

// Quiet waits as [Settle] does.
func Quiet() error {
	_, err := wait((*State).Unsettled, false)
	return err
}

// Rest waits until the host stays as it is, be it as it should be or not, and takes the snapshot.
func Rest() (*State, error) {
	return wait(func(s *State) string {
		if s.probing() {
			return "looks for duplicates of an address"
		}
		return s.moving()
	}, true)
}

// wait looks until nothing is under way, and two looks that follow one another are the same. It returns the last one,
// which is whole if that is asked for.
func wait(underWay func(*State) string, whole bool) (*State, error) {
	var watch *host.Watch
	deadline, last, quiet := time.Now().Add(limit), "", false
	for {
		s, err := Take(whole && quiet)
		if err != nil {
			return nil, err
		}
		why := underWay(s)
		switch {
		case why == "" && s.quick == last && (quiet || !whole):
			return s, nil
		case time.Now().After(deadline):
			diff := Difference(last, s.quick)
			return nil, fmt.Errorf("the host does not come to rest within %s: %s\n%s", limit, why, diff)
		case why != "" && watch == nil: // what was told before it began is found by the next look
			if watch, err = host.NewWatch(); err != nil {
				return nil, err
			}
			defer watch.Close()
			s.hasten()
		case why != "":
			s.hasten()
			if err := watch.Wait(patience); err != nil {
				return nil, err
			}
		}
		last, quiet = s.quick, why == ""
	}
}

// hasten asks for each link of which not everybody has been told that it has got or lost its carrier. The kernel
// tells within a second, or, since Linux 6.8, before it answers such a question.
func (s *State) hasten() {
	untold := make(map[*Link]bool)
	for _, n := range s.Sections {
		for _, l := range n.Links {
			if l.moving() != "" {
				untold[l] = true
			}
			if s.lags(n, l) {
				untold[s.lower(n, l)] = true
			}
		}
	}
	for _, n := range s.Sections {
		if !slices.ContainsFunc(n.Links, func(l *Link) bool { return untold[l] }) {
			continue
		}
		_ = host.Inside(n.Name, func() error { // it may be gone
			c, err := dial(unix.NETLINK_ROUTE)
			if err != nil {
				return err
			}
			defer c.close()
			for _, l := range n.Links {
				if untold[l] {
					_, _ = c.ask(unix.RTM_GETLINK, 0, linkRequest(l.Index))
				}
			}
			return nil
		})
	}
}

// Unsettled tells what the kernel has yet to do; nothing when it is done.
func (s *State) Unsettled() string {
	for _, n := range s.Sections {
		for _, l := range n.Links {
			if why := l.unsettled(); why != "" {
				return fmt.Sprintf("%s/%s %s", n.Name, l.Name, why)
			}
		}
	}
	return s.moving()
}

func (l *Link) unsettled() string {
	if why := l.moving(); why != "" {
		return why
	}
	if !l.has(unix.IFF_UP) || l.toldNothing() && !l.isBridge() || l.stp || !l.has(unix.IFF_LOWER_UP) || l.hasLocal ||
		l.genMode != genModeEUI64 || l.mtu < minMTUForIPv6 || !l.ipv6 || l.derivesNone() {
		return ""
	}
	return "has no link-local address"
}

// toldNothing says that a link has no operational state. Most types have none for long; cables only when they are
// new, and bridges as long as they have no port.
func (l *Link) toldNothing() bool { return l.oper == operUnknown && l.info != "veth" }

// moving tells that a link has got or lost its carrier, and that not everybody has been told of it: the kernel does so
// after up to a second.
func (l *Link) moving() string {
	switch {
	case !l.has(unix.IFF_UP) || l.toldNothing():
		return ""
	case l.has(unix.IFF_LOWER_UP) && l.oper != operUp:
		return fmt.Sprintf("has a carrier, and its operational state is %d", l.oper)
	case !l.has(unix.IFF_LOWER_UP) && l.oper == operUp:
		return "has no carrier, and is UP"
	}
	return ""
}

// moving tells of what the kernel is about.
func (s *State) moving() string {
	for _, n := range s.Sections {
		if addr := n.unrouted(); addr != "" {
			return fmt.Sprintf("%s: %s has no local route", n.Name, addr)
		}
		for _, l := range n.Links {
			if why := l.moving(); why != "" {
				return fmt.Sprintf("%s/%s %s", n.Name, l.Name, why)
			}
			if s.lags(n, l) {
				return fmt.Sprintf("%s/%s has yet to follow the carrier of its parent", n.Name, l.Name)
			}
		}
	}
	return ""
}

// lags says that a macvlan has yet to hear that its parent has got or lost its carrier.
func (s *State) lags(n *Section, l *Link) bool {
	if l.info != "macvlan" && l.info != "macvtap" || !l.has(unix.IFF_UP) {
		return false
	}
	lower := s.lower(n, l)
	return lower != nil && lower.has(unix.IFF_UP) && lower.has(unix.IFF_LOWER_UP) != l.has(unix.IFF_LOWER_UP)
}

// lower is the link that a link of a section is made on, nil when none of the snapshot is.
func (s *State) lower(n *Section, l *Link) *Link {
	if l.nsid < 0 {
		return n.byIndex(l.peer)
	}
	name, known := n.nsids[l.nsid]
	if section := s.Section(name); known && section != nil {
		return section.byIndex(l.peer)
	}
	return nil
}

// unrouted tells of an IPv6 address that the kernel has yet to make a route for: a worker of its does that, even
// where no duplicate is looked for. The routes of link-local ones are not in the snapshot.
func (n *Section) unrouted() string {
	for _, a := range n.locals {
		l := a.link
		if a.addr.Is4() || a.addr.IsLinkLocalUnicast() || a.flags&unix.IFA_F_NODAD == 0 || !l.has(unix.IFF_UP) {
			continue
		}
		if !n.hasLocalRoute(a) {
			return fmt.Sprintf("%s dev %s with flags %#x", a.addr, l.Name, a.flags)
		}
	}
	return ""
}

// rtmType is the place of rtm_type in struct rtmsg (rtnetlink(7)).
const rtmType = 7

func (n *Section) hasLocalRoute(a local) bool {
	return slices.ContainsFunc(n.lists["routes"], func(m message) bool {
		if len(m.body) < unix.SizeofRtMsg || m.body[0] != unix.AF_INET6 || m.body[1] != 128 {
			return false
		}
		b := m.body[unix.SizeofRtMsg:]
		if m.body[rtmType] != unix.RTN_LOCAL || string(find(b, unix.RTA_DST)) != string(a.addr.AsSlice()) {
			return false
		}
		if a.link.portKind() == "vrf" { // it is in the VRF's table
			return int(number(find(b, unix.RTA_OIF))) == a.link.Index
		}
		return number(find(b, unix.RTA_TABLE)) == tableLocal
	})
}

// probing says whether the kernel looks for duplicates of an IPv6 address; until that is done it has no local route.
func (s *State) probing() bool {
	return slices.ContainsFunc(s.Sections, func(n *Section) bool {
		return slices.ContainsFunc(n.locals, func(a local) bool {
			return a.flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == unix.IFA_F_TENTATIVE &&
				a.link.has(unix.IFF_UP) && a.link.has(unix.IFF_LOWER_UP)
		})
	})
}
