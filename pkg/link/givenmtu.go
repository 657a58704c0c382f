package link

import (
	"cmp"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// parentMTU is the MTU that a parent which plumb did not make will have for the links that are made on it: the wanted
// one, or the one that it gets back, or the one that it has. A bridge may get less: see [mtuWithWanted].
func parentMTU(e *object.Env, s *object.Section, k plan.Key, live *object.LiveLink) uint32 {
	if l, ok := e.Want(k).(Link); ok && l.Given && l.Managed.Has(mtuName) {
		return l.MTU
	}
	has := live.MTU
	claim, known := e.Record.Claim(object.AttributeKey(k.NS, k.Name, mtuName))
	if _, mine := claim.Wants[e.Topology]; known && mine && len(claim.Wants) == 1 {
		if o, err := plan.Restore(Link{}, mtuName, claim.Original); err == nil {
			has = o.(Link).MTU
		}
	}
	if live.Type == TypeBridge {
		return min(has, mtuWithWanted(e, s, live))
	}
	return has
}

// parentUp says whether a link that others are made on is up, or shall be.
func parentUp(e *object.Env, k plan.Key, live *object.LiveLink) bool {
	if l, ok := e.Want(k).(Link); ok && l.Given && l.Managed.Has(upName) {
		return l.Up
	}
	return live.Up()
}

// leastMTU is the least MTU of those ports of a bridge that of picks, and the kernel's default where it picks none. The
// kernel gives a bridge the least of all, unless somebody has set the bridge's MTU, which shows where that is another
// (net/bridge/br_if.c: br_mtu_auto_adjust).
func leastMTU(s *object.Section, bridge *object.LiveLink, of func(port *object.LiveLink) bool) uint32 {
	var least uint32
	for i := range s.Links {
		port := &s.Links[i]
		if port.Master == bridge.Index && of(port) && (least == 0 || port.MTU < least) {
			least = port.MTU
		}
	}
	return cmp.Or(least, object.DefaultMTU)
}

// anyPort picks every port of a bridge or a bond, and othersPort those that plumb did not make.
func anyPort(*object.LiveLink) bool         { return true }
func othersPort(port *object.LiveLink) bool { return port.Class != plan.Ours }

// mtuWithoutOurs is the MTU that a bridge of others would have without the ports that plumb made.
func mtuWithoutOurs(s *object.Section, bridge *object.LiveLink) uint32 {
	if bridge.MTU != leastMTU(s, bridge, anyPort) {
		return bridge.MTU
	}
	return leastMTU(s, bridge, othersPort)
}

// mtuWithWanted is the MTU of a bridge of others when the ports that the topology wants have joined.
func mtuWithWanted(e *object.Env, s *object.Section, bridge *object.LiveLink) uint32 {
	least := leastMTU(s, bridge, anyPort)
	if bridge.MTU != least {
		return bridge.MTU
	}
	for _, o := range e.WantedHere(s.NS.Name, object.KindLink) {
		port, ok := o.(Link)
		if !ok || port.Master != bridge.Known {
			continue
		}
		mtu := port.MTU
		if own := s.At(s.Known(port.Name)); own != nil && port.Given && !port.Managed.Has(mtuName) {
			mtu = own.MTU
		}
		if mtu != 0 {
			least = min(least, mtu)
		}
	}
	return least
}

// keepMTU sets the MTU that is wanted of an existing bridge before the bridge gets a port with a smaller one. If nobody
// has set it before, the kernel would lower it, and that of all links on the bridge. Setting the MTU that the bridge
// has already does not count for the kernel, so it is set to one more first.
func keepMTU(e *object.Env, port Link) error {
	bridge, ok := e.Want(object.LinkKey(port.NS, port.Master)).(Link)
	if _, isPort := port.Port.(BridgePort); !ok || !isPort || !bridge.Given || !bridge.Managed.Has(mtuName) ||
		port.MTU >= bridge.MTU {
		return nil
	}
	s, err := e.Section(port.NS)
	if err != nil {
		return err
	}
	index, err := s.Index(bridge.Ifname)
	if err != nil {
		return err
	}
	more, wanted := indexRequest(index, 0, 0), indexRequest(index, 0, 0)
	more.U32(unix.IFLA_MTU, min(bridge.MTU+1, object.MaxMTU))
	wanted.U32(unix.IFLA_MTU, bridge.MTU)
	return s.NS.WriteBoth("keep mtu of link "+bridge.Key().Place(), more.NetlinkRequest, wanted.NetlinkRequest)
}
