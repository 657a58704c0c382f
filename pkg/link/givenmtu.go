package link

import (
	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// leaves is the MTU that a link which plumb did not make leaves to those that are made on it: what is wanted, or what
// it was, or what it has. A bridge may get less when the topology's ports have come: see [bridgeMTU].
func leaves(e *object.Env, s *object.Section, k plan.Key, live *object.LiveLink) uint32 {
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
		return min(has, bridgeMTU(e, s, live))
	}
	return has
}

// bridgeMTU is the MTU of a bridge of others when the topology's ports have joined: the kernel keeps it at the least of
// its ports', unless somebody has set it, which shows where it is another (net/bridge/br_if.c: br_mtu_auto_adjust).
func bridgeMTU(e *object.Env, s *object.Section, live *object.LiveLink) uint32 {
	least := uint32(object.DefaultMTU)
	for i, first := 0, true; i < len(s.Links); i++ {
		if port := &s.Links[i]; port.Master == live.Index && (first || port.MTU < least) {
			least, first = port.MTU, false
		}
	}
	if least != live.MTU {
		return live.MTU
	}
	for _, o := range e.WantedHere(s.NS.Name, object.KindLink) {
		port, ok := o.(Link)
		if !ok || port.Master != live.Known {
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

// keepMTU has a bridge that is there already keep the MTU that is wanted of it, when it gets a port with a smaller one:
// where it had the wanted one before, nobody has set it, and the kernel would lower it with all that is made on it. It
// does not take what it has already for set.
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
	for _, mtu := range []uint32{bridge.MTU + 1, bridge.MTU} {
		m := indexRequest(index, 0, 0)
		m.U32(unix.IFLA_MTU, min(mtu, object.MaxMTU))
		if err := s.NS.Write("keep mtu of link "+bridge.Key().Place(), m.NetlinkRequest); err != nil {
			return err
		}
	}
	return nil
}
