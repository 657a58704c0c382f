package link

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// Put creates a link or the two ends of a cable, or changes one link in place.
func Put(e *object.Env, changes []plan.Change) error {
	links := make([]Link, len(changes))
	for i, c := range changes {
		l, ok := c.New.(Link)
		if !ok {
			return object.WrongType(object.KindLink, c.New)
		}
		links[i] = l
	}
	if old, ok := changes[0].Old.(Link); ok && len(changes) == 1 {
		return update(e, old, links[0])
	}
	for _, l := range links {
		if l.Given {
			return fmt.Errorf("%s is gone, and plumb does not make what is declared as existing", l.Key().Place())
		}
	}
	return create(e, links)
}

// create makes a link, or both ends of a cable. The end that is a port is the one that the message is sent for: only
// that one can be put on its bridge by it.
func create(e *object.Env, links []Link) error {
	l := links[len(links)-1]
	first := l
	if t := typeOf(l.Type); t.AsMade != nil {
		first = t.AsMade(e, l)
	}
	live, err := first.make(e, links[:len(links)-1])
	if err != nil {
		return err
	}
	if live.Index != 0 && !l.hasOwnMAC() {
		e.Record.Made(l.Key(), live.Index)
	}
	for _, far := range links[:len(links)-1] {
		if err := finish(e, far, far, otherEnd(e, far, live), false); err != nil {
			return err
		}
	}
	return finish(e, l, first, live, len(links) == 2)
}

// otherEnd predicts the other end of a new cable from what the kernel has told of this one. It has no index where the
// end must be asked for, because it may have something else of IPv6, or the kernel did not tell.
func otherEnd(e *object.Env, l Link, own object.LiveLink) object.LiveLink {
	if s, err := e.Section(l.NS); err != nil || !s.Plain {
		return object.LiveLink{}
	}
	return object.LiveLink{Index: own.Lower, Group: l.Group, IPv6: true}
}

// make sends the message that makes a link, and the other end of a cable. The link is returned as the kernel has made
// it, without an index if the kernel does not tell.
func (l Link) make(e *object.Env, others []Link) (live object.LiveLink, err error) {
	s, c, err := l.plan(e, others)
	if err != nil {
		return live, err
	}
	if t := typeOf(l.Type); t.Make != nil {
		stamp := func(index int) error { return s.NS.Write("stamp link "+l.Key().Place(), l.stampMessage(index)) }
		return t.Make(s, l, stamp)
	}
	what := "create link " + l.Key().Place()
	if c.peer != nil {
		what += " and " + c.peer.Key().Place()
	}
	req, err := l.createMessage(c)
	if err != nil {
		return live, err
	}
	if err := bringUpBelow(e, l); err != nil {
		return live, err
	}
	for _, end := range append([]Link{l}, others...) {
		if err := keepMTU(e, end); err != nil {
			return live, err
		}
	}
	if c.into >= 0 || c.from >= 0 {
		return live, explain(l, l.makeAcross(e, s, c, what, req))
	}
	err = outlast(func() error {
		return s.NS.WriteEcho(what, req, unix.RTM_NEWLINK, func(msgs [][]byte) {
			for _, m := range msgs {
				if made := object.ParseLink(m); made.Name == l.Name {
					live = made
				}
			}
		})
	})
	return live, explain(l, err)
}

// makeAcross sends the message that makes a link whose underlay is in another section. What the kernel tells of it may
// be of there, and [finish] asks for it. Before Linux 6.15 the kernel wants its name to be free there too
// (net/core/rtnetlink.c: rtnl_newlink).
func (l Link) makeAcross(e *object.Env, s *object.Section, c creation, what string, req *nl.NetlinkRequest) error {
	below, err := e.Section(l.Underlay())
	if err != nil {
		return err
	}
	err = outlast(func() error {
		err := s.NS.Write(what, req)
		if errors.Is(err, unix.EEXIST) {
			if _, missing := object.FindLink(below.NS, l.Name); missing == nil {
				return errNameBelow
			}
		}
		return err
	})
	if errors.Is(err, errNameBelow) {
		return l.makeAside(e, s, c, what)
	}
	return err
}

// errNameBelow is why a link can't be made by its name: another one in the section of its underlay has it.
var errNameBelow = errors.New("its name is taken where it is made on")

// makeAside makes a link by another name, and gives it its own where it is. A link that is up can't be renamed before
// Linux 6.2.
func (l Link) makeAside(e *object.Env, s *object.Section, c creation, what string) error {
	own, err := e.Section(l.NS)
	if err != nil {
		return err
	}
	aside := l
	aside.Name, aside.Up = object.AsideName(l.NS, l.Name), false
	req, err := aside.createMessage(c)
	if err != nil {
		return err
	}
	if err := outlast(func() error { return s.NS.Write(what, req) }); err != nil {
		return err
	}
	live, err := object.FindLink(own.NS, aside.Name)
	if err != nil {
		return err
	}
	flags, mask := l.createFlags()
	m := indexRequest(live.Index, flags, mask)
	m.Text(unix.IFLA_IFNAME, l.Name)
	return own.NS.Write("name link "+l.Key().Place(), m.NetlinkRequest)
}

// outlast tries to make a link until the links of a namespace that somebody has just deleted are gone. The kernel
// deletes them some time later, and nothing tells when; until then they hold their MAC, VXLAN id and peer's name.
func outlast(create func() error) error {
	const patience, pause = 2 * time.Second, 10 * time.Millisecond
	for deadline := time.Now().Add(patience); ; time.Sleep(pause) {
		err := create()
		held := errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EEXIST)
		if !held || time.Now().After(deadline) {
			return err
		}
	}
}

// plan finds the section that the message is sent from, and what the message must know.
func (l Link) plan(e *object.Env, others []Link) (s *object.Section, c creation, err error) {
	c.into, c.from = -1, -1
	own, err := e.Section(l.NS)
	if err != nil {
		return nil, c, err
	}
	if c.master, err = master(own, l); err != nil {
		return nil, c, err
	}
	below, err := e.Section(l.Underlay())
	if err != nil {
		return nil, c, err
	}
	s = below
	switch {
	case below == own:
	case typeOf(l.Type).Inside:
		s = own
		c.from, err = giveNumber(own, below)
	default:
		c.into, err = own.NS.FD()
	}
	if err != nil {
		return nil, c, err
	}
	c.index = func(r object.Ref) (int, error) { return indexOfRef(below, r) }
	if t := typeOf(l.Type); t.Lower != nil {
		if c.lower, err = c.index(t.Lower(l.Spec)); err != nil {
			return nil, c, err
		}
	}
	for i := range others {
		far, err := e.Section(others[i].NS)
		if err != nil {
			return nil, c, err
		}
		c.peer = &others[i]
		if c.peerNS, err = far.NS.FD(); err != nil {
			return nil, c, err
		}
	}
	return s, c, nil
}

// indexOfRef looks up a link of a section; none has index 0.
func indexOfRef(s *object.Section, r object.Ref) (int, error) {
	k, ok := r.Key()
	if !ok {
		return 0, nil
	}
	return s.Index(k.Name)
}

// explain adds to an error what the kernel's own words leave out.
func explain(l Link, err error) error {
	t := typeOf(l.Type)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EOPNOTSUPP) && strings.Contains(err.Error(), "Unknown device type"):
		return fmt.Errorf("%w: a %s needs %s", err, l.Type, t.Part) // it was there to be loaded, and was not
	case t.Explain != nil:
		return t.Explain(l, err)
	}
	return err
}

func master(s *object.Section, l Link) (int, error) {
	if l.Master == "" {
		return 0, nil
	}
	return s.Index(l.Master)
}

// finish sets what a link can't be created with. First is how it was made, and live what is known of it, without an
// index if nothing is.
func finish(e *object.Env, l, first Link, live object.LiveLink, hasMaster bool) error {
	s, err := e.Section(l.NS)
	if err != nil {
		return err
	}
	onMaster := 0
	if !hasMaster {
		if onMaster, err = master(s, l); err != nil {
			return err
		}
	}
	s.Knows(l.Name, 0)
	if live.Index == 0 {
		if live, err = object.FindLink(s.NS, l.Name); err != nil {
			return err
		}
	}
	if live.Group != l.Group { // which a link has from its creation on
		return fmt.Errorf("link %s is gone, and another of that name has come", l.Key().Place())
	}
	if err := writeAcceptRA(s, plan.Some(live.AcceptRA), l); err != nil {
		return err
	}
	err = s.NS.Write("set up link "+l.Key().Place(), l.finishMessage(first, live.Index, onMaster))
	if err != nil {
		return err
	}
	s.Made(l.Name, live.Index)
	if err := putPort(e, s, live.Index, Link{}, l); err != nil {
		return err
	}
	if t := typeOf(l.Type); t.Finish != nil {
		if err := t.Finish(s, live.Index, l); err != nil {
			return err
		}
	}
	if live.Forwarding6 != l.Forwarding6 {
		if err := writeForwarding6(s, l); err != nil {
			return err
		}
	}
	if err := enableIPv6(e, s, &live, l); err != nil {
		return err
	}
	if err := configure(e, s, live.Index, l, typeOf(l.Type).unset); err != nil {
		return err
	}
	if typeOf(l.Type).UpAfterPorts && (l.Up || first.Spec != l.Spec) {
		late := object.In[unfinished](s)
		*late = append(*late, made{link: l, first: first, live: live})
		return nil
	}
	return finishIPv6(e, s, live, l)
}

// finishIPv6 gives a new link its link-local address, and what a rollback wants of IPv6 on it.
func finishIPv6(e *object.Env, s *object.Section, live object.LiveLink, l Link) error {
	if err := restoreMode(s, Link{}, l); err != nil {
		return err
	}
	if err := addLinkLocal(e, s, live, l); err != nil {
		return err
	}
	return restoreDisabled6(s, Link{}, l)
}

func writeForwarding6(s *object.Section, l Link) error {
	return s.NS.WriteSysctl("net/ipv6/conf/"+l.Ifname+"/forwarding", fmt.Sprint(kernel.Bit(l.Forwarding6)))
}

func writeAcceptRA(s *object.Section, have plan.Opt[uint32], l Link) error {
	if !l.AcceptRA.Set || have == l.AcceptRA {
		return nil
	}
	return s.NS.WriteLinkSysctl(l.Ifname, "accept_ra", fmt.Sprint(l.AcceptRA.V))
}
