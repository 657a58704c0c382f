package link

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/object"
)

// askWireGuard reads links of the calling thread's namespace.
func askWireGuard(names []string) (map[string]Spec, error) {
	c, err := wgctrl.New()
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // nothing was written through it
	found := make(map[string]Spec)
	for _, name := range names {
		d, err := c.Device(name)
		switch {
		case err == nil:
			found[name] = newWireGuard(d)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return found, nil
}

// newWireGuard is a link as the kernel tells of it.
func newWireGuard(d *wgtypes.Device) WireGuard {
	w := WireGuard{
		PrivateKey: newSecret(d.PrivateKey), ListenPort: uint16(d.ListenPort), FWMark: PacketMark(d.FirewallMark),
	}
	var peers []WireGuardPeer
	for _, of := range d.Peers {
		p := WireGuardPeer{
			PublicKey: PublicKey(of.PublicKey), PresharedKey: newSecret(of.PresharedKey),
			Keepalive: file.Duration(of.PersistentKeepaliveInterval),
		}
		if of.Endpoint != nil {
			a := of.Endpoint.AddrPort()
			p.Endpoint = Endpoint{netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())}
		}
		var networks []netip.Prefix
		for _, n := range of.AllowedIPs {
			a, _ := netip.AddrFromSlice(n.IP)
			bits, _ := n.Mask.Size()
			networks = append(networks, netip.PrefixFrom(a.Unmap(), bits))
		}
		p.AllowedIPs.SetSlice(networks)
		peers = append(peers, p)
	}
	w.Peers.SetSlice(peers)
	return w.canonical()
}

// What the host record knows of a link by these names: which namespace has its UDP socket, where that is not its own;
// the port that it was told to have; and, after this and a peer's key, where that was said to be.
const (
	toldCookie   = "underlay-cookie"
	toldPort     = "listen-port"
	toldEndpoint = "endpoint "
)

// toldWireGuard is what the link does not tell: the namespace of its socket, of which the alias has the name; whether
// its port is the kernel's choice; and where a peer was at first, for the kernel follows it when it moves.
func toldWireGuard(e *object.Env, l Link) map[string]string {
	w := l.Spec.(WireGuard)
	told := make(map[string]string)
	if w.Underlay != "" {
		told[toldCookie] = cookieOf(e, placeIn(l.NS, w.Underlay))
	}
	if w.ListenPort != 0 {
		told[toldPort] = strconv.Itoa(int(w.ListenPort))
	}
	for p := range w.Peers.All() {
		if p.Endpoint.IsValid() {
			told[toldEndpoint+p.PublicKey.String()] = p.Endpoint.String()
		}
	}
	return told
}

// cookieOf tells a namespace from others that had its name, empty where there is none.
func cookieOf(e *object.Env, ns string) string {
	s, err := e.Section(ns)
	if err != nil {
		return ""
	}
	return strconv.FormatUint(s.NS.Cookie(), 10)
}

// recallWireGuard makes of what the kernel has what it was told. Where nobody knows what that was, because the host
// record was lost, it is as is wanted, if that can be; where a run has not come to its end, it is what the kernel has.
func recallWireGuard(e *object.Env, live *object.LiveLink, s Spec, want Link, told object.Told) Spec {
	w := s.(WireGuard)
	wanted, declared := want.Spec.(WireGuard)
	broken := told.Unsure || !told.Known() && e.Record.Pending(want.Key())
	if orphaned(e, live, w, want, told) {
		w.Underlay = object.Unknown
	}
	if declared && wanted.ListenPort == 0 && !broken && told.Values[toldPort] == "" {
		w.ListenPort = 0 // the kernel's choice
	}
	listed := make(map[PublicKey]WireGuardPeer)
	for p := range wanted.Peers.All() {
		listed[p.PublicKey] = p
	}
	var peers []WireGuardPeer
	for p := range w.Peers.All() {
		if first, ok := listed[p.PublicKey]; p.Endpoint.IsValid() && !broken {
			p.Endpoint = recallEndpoint(p, first, ok, told)
		}
		peers = append(peers, p)
	}
	w.Peers.SetSlice(peers)
	return w
}

// recallEndpoint is where a live peer was said to be, wherever it is now. Listed says that it is wanted, as want.
func recallEndpoint(live, want WireGuardPeer, listed bool, told object.Told) Endpoint {
	at := told.Values[toldEndpoint+live.PublicKey.String()]
	switch {
	case told.Known() && (listed || at != ""):
		a, _ := netip.ParseAddrPort(at) // none where it was told none
		return Endpoint{a}
	case listed && !want.Endpoint.IsValid():
		return Endpoint{} // it has called from there
	}
	return live.Endpoint
}

// orphaned says that the namespace that had the link's socket is gone: the link has no carrier then, and never gets a
// socket again. A rollback to such a link takes it with a socket too.
func orphaned(e *object.Env, live *object.LiveLink, w WireGuard, want Link, told object.Told) bool {
	wanted, _ := want.Spec.(WireGuard)
	of := told.Values[toldCookie]
	return !live.Carrier || e.Undoing && wanted.Underlay == object.Unknown ||
		w.Underlay != "" && of != "" && of != cookieOf(e, placeIn(want.NS, w.Underlay))
}

// configureWireGuard tells a link how it differs from have.
func configureWireGuard(s *object.Section, l Link, have Spec) error {
	want, was := l.Spec.(WireGuard), have.(WireGuard)
	leave, config := want.differences(was)
	return s.NS.Inside(func() error {
		c, err := wgctrl.New()
		if err != nil {
			return err
		}
		defer c.Close() //nolint:errcheck // what was written through it was acknowledged
		return s.NS.Do("configure link "+l.Key().Place(), func() error {
			if len(leave.Peers) > 0 {
				if err := c.ConfigureDevice(l.Ifname, leave); err != nil {
					return err
				}
			}
			return c.ConfigureDevice(l.Ifname, config)
		})
	})
}

// differences are what makes a link of another one: the peers that go first, and then what differs.
func (w WireGuard) differences(have WireGuard) (leave, config wgtypes.Config) {
	if key := wgtypes.Key(w.PrivateKey.reveal()); w.PrivateKey != have.PrivateKey {
		config.PrivateKey = &key
	}
	if port := int(w.ListenPort); w.ListenPort != have.ListenPort {
		config.ListenPort = &port
	}
	if mark := int(w.FWMark); w.FWMark != have.FWMark {
		config.FirewallMark = &mark
	}
	old, stays := make(map[PublicKey]WireGuardPeer), make(map[PublicKey]bool)
	for p := range have.Peers.All() {
		old[p.PublicKey] = p
	}
	for p := range w.Peers.All() {
		was, there := old[p.PublicKey]
		if there && was.Endpoint.IsValid() && !p.Endpoint.IsValid() {
			there = false // where a peer is can only be forgotten with all of it
		}
		if stays[p.PublicKey] = there; !there {
			was = WireGuardPeer{PublicKey: p.PublicKey}
		}
		if was != p || !there {
			config.Peers = append(config.Peers, p.differences(was))
		}
	}
	for p := range have.Peers.All() {
		if !stays[p.PublicKey] {
			gone := wgtypes.PeerConfig{PublicKey: wgtypes.Key(p.PublicKey), Remove: true, UpdateOnly: true}
			leave.Peers = append(leave.Peers, gone)
		}
	}
	return leave, config
}

// differences are what makes a peer of what it was.
func (p WireGuardPeer) differences(was WireGuardPeer) wgtypes.PeerConfig {
	c := wgtypes.PeerConfig{PublicKey: wgtypes.Key(p.PublicKey)}
	if key := wgtypes.Key(p.PresharedKey.reveal()); p.PresharedKey != was.PresharedKey {
		c.PresharedKey = &key
	}
	if p.Endpoint != was.Endpoint {
		c.Endpoint = net.UDPAddrFromAddrPort(p.Endpoint.AddrPort)
	}
	if keepalive := time.Duration(p.Keepalive); p.Keepalive != was.Keepalive {
		c.PersistentKeepaliveInterval = &keepalive
	}
	if p.AllowedIPs != was.AllowedIPs {
		c.ReplaceAllowedIPs = true
		for n := range p.AllowedIPs.All() {
			mask := net.CIDRMask(n.Bits(), n.Addr().BitLen())
			c.AllowedIPs = append(c.AllowedIPs, net.IPNet{IP: n.Addr().AsSlice(), Mask: mask})
		}
	}
	return c
}
