package kind

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/plan"
)

// putLinks creates a link or the two ends of a cable, or changes one link in place.
func putLinks(e *Env, changes []plan.Change) error {
	links := make([]Link, len(changes))
	for i, c := range changes {
		l, ok := c.New.(Link)
		if !ok {
			return wrongType(KindLink, c.New)
		}
		links[i] = l
	}
	if old, ok := changes[0].Old.(Link); ok && len(changes) == 1 {
		return e.updateLink(old, links[0])
	}
	own, err := e.createLinks(links)
	if err != nil {
		return err
	}
	if len(links) == 2 {
		if err := e.finishLink(links[0], e.otherEnd(links[0], own), false); err != nil {
			return err
		}
	}
	return e.finishLink(links[len(links)-1], own, len(links) == 2)
}

// otherEnd is a new cable's other end, as far as it follows from what the kernel has told of this one: with no index where it must be asked
// for, because it may have something else of IPv6, or the kernel did not tell.
func (e *Env) otherEnd(l Link, own LiveLink) LiveLink {
	if s := e.Section(l.NS); s == nil || !s.plain {
		return LiveLink{}
	}
	return LiveLink{Index: own.Peer, Group: l.Group}
}

// createLinks sends the message that makes a link, or both ends of a cable. The end that is a port is the one that the
// message is sent for: only that one can be put on its bridge by it. It is returned as the kernel has made it, without an
// index if the kernel does not tell.
func (e *Env) createLinks(links []Link) (live LiveLink, err error) {
	own := links[len(links)-1]
	s, err := e.section(own.NS)
	if err != nil {
		return live, err
	}
	master, err := s.master(own)
	if err != nil {
		return live, err
	}
	if own.Type == Bridge {
		// Only a change of the MTU makes it stay when ports of another MTU join: the next message makes it.
		own.MTU ^= 1
		if own.Up && e.crowded(own) {
			own.Snooping.V = false // until it is up
		}
	}
	what, peer, peerNS := "create link "+own.Key().Place(), (*Link)(nil), 0
	if len(links) == 2 {
		far, err := e.section(links[0].NS)
		if err != nil {
			return live, err
		}
		if peerNS, err = far.NS.FD(); err != nil {
			return live, err
		}
		what, peer = what+" and "+links[0].Key().Place(), &links[0]
	}
	err = s.NS.WriteEcho(what, own.createMessage(master, peer, peerNS), unix.RTM_NEWLINK, func(msgs [][]byte) {
		for _, l := range parseLinks(msgs) {
			if l.Name == own.Name {
				live = l
			}
		}
	})
	return live, explain(own, err)
}

// explain adds to an error what the kernel's own words leave out.
func explain(l Link, err error) error {
	if l.VLANFiltering.V && errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w: vlan-filtering needs a kernel with CONFIG_BRIDGE_VLAN_FILTERING", err)
	}
	return err
}

func (s *Section) master(l Link) (int, error) {
	if l.Master == "" {
		return 0, nil
	}
	return s.Index(l.Master)
}

// finishLink sets what a link can't be created with. Live is what is known of it, without an index if nothing is.
func (e *Env) finishLink(l Link, live LiveLink, hasMaster bool) error {
	s, err := e.section(l.NS)
	if err != nil {
		return err
	}
	master := 0
	if !hasMaster {
		if master, err = s.master(l); err != nil {
			return err
		}
	}
	delete(s.index, l.Name)
	if live.Index == 0 {
		if live, err = FindLink(s.NS, l.Name); err != nil {
			return err
		}
	}
	if live.Group != l.Group { // which a link has from its creation on
		return fmt.Errorf("link %s is gone, and another of that name has come", l.Key().Place())
	}
	if err := s.NS.Write("set up link "+l.Key().Place(), l.finishMessage(live.Index, master)); err != nil {
		return err
	}
	s.index[l.Name] = live.Index
	if live.Forwarding6 != l.Forwarding6 {
		if err := s.writeForwarding6(l); err != nil {
			return err
		}
	}
	if err := e.enableIPv6(s, &live, l); err != nil {
		return err
	}
	if l.Type == Bridge && l.Up {
		s.down = append(s.down, l)
		return nil
	}
	return e.addLinkLocal(s, l)
}

// finishLinks brings the new bridges of a section up, after their ports: each end of a cable that comes up sends packets,
// and a bridge that is up floods them to all ports that are there. With an error comes the key of the link.
func finishLinks(e *Env, ns string) (plan.Key, error) {
	s := e.Section(ns)
	for s != nil && len(s.down) > 0 {
		if err := e.bringUp(s.down[0]); err != nil {
			return s.down[0].Key(), err
		}
		s.down = s.down[1:]
	}
	return plan.Key{}, nil
}

func (e *Env) bringUp(l Link) error {
	s, index, err := e.linkOf(l.NS, l.Ifname)
	if err != nil {
		return err
	}
	if err := s.NS.Write("bring up link "+l.Key().Place(), indexRequest(index, unix.IFF_UP, unix.IFF_UP).req); err != nil {
		return err
	}
	if e.crowded(l) && l.Snooping.V {
		m := indexRequest(index, 0, 0)
		now := l
		now.Snooping.V = false
		l.bridgeData(m, now)
		if err := s.NS.Write("turn on multicast snooping of link "+l.Key().Place(), m.req); err != nil {
			return err
		}
	}
	return e.addLinkLocal(s, l)
}

// crowd is so many ports of a bridge that what the kernel does for all of them, whenever the state of one changes, takes longer than
// to avoid it. Most of that is multicast snooping (net/bridge/br_stp.c: br_port_state_selection).
const crowd = 128

// crowded says whether a bridge is to have a crowd of ports.
func (e *Env) crowded(l Link) bool {
	ports := 0
	for _, o := range e.wantIn[section{l.NS, KindLink}].objects {
		if port, ok := o.(Link); ok && port.Master == l.Name {
			ports++
		}
	}
	return ports >= crowd
}

func (s *Section) writeForwarding6(l Link) error {
	return s.NS.WriteSysctl("net/ipv6/conf/"+l.Ifname+"/forwarding", fmt.Sprint(bit(l.Forwarding6)))
}
