package link

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// WireGuard is the end of encrypted tunnels over UDP to its peers (wg(8)). The kernel tells of it by generic netlink.
type WireGuard struct {
	PrivateKey Secret     `file:"private-key-file,required" plan:"private key" doc:"file of the link's own key"`
	ListenPort uint16     `file:"listen-port" plan:"listen-port" doc:"UDP port; 0: the kernel's choice"`
	FWMark     PacketMark `file:"fwmark" plan:"fwmark" doc:"mark of the encrypted packets"`
	// Underlay is the section that has the UDP socket, empty for the link's own.
	Underlay object.SectionRef        `file:"underlay" plan:"underlay,fixed" doc:"section of the UDP socket"`
	Peers    plan.List[WireGuardPeer] `file:"peers,item=a peer" plan:"peers" doc:"whom it talks to"`
}

// WireGuardPeer is who has the other end of one of the tunnels.
type WireGuardPeer struct {
	PublicKey    PublicKey               `file:"public-key,required" doc:"by which the peer is known"`
	PresharedKey Secret                  `file:"preshared-key-file" plan:"preshared key" doc:"file of a key of both"`
	Endpoint     Endpoint                `file:"endpoint" plan:"endpoint" doc:"where it is reached first; it may move"`
	AllowedIPs   plan.List[netip.Prefix] `file:"allowed-ips,item=allowed IP" plan:"allowed-ips" doc:"networks behind it"`
	Keepalive    file.Duration           `file:"keepalive" plan:"keepalive" doc:"between signs of life; 0s: none"`
}

// Item implements [plan.Item].
func (p WireGuardPeer) Item() string { return "peer " + p.PublicKey.String() }

// String says what is peculiar to the peer.
func (p WireGuardPeer) String() string {
	var words []string
	add := func(is bool, format string, value any) {
		if is {
			words = append(words, fmt.Sprintf(format, value))
		}
	}
	add(p.Endpoint.IsValid(), "at %s", p.Endpoint)
	add(p.AllowedIPs.Len() > 0, "for %s", p.AllowedIPs)
	add(p.Keepalive != 0, "keepalive %s", p.Keepalive)
	add(p.PresharedKey != Secret{}, "preshared key %s", "(hidden)")
	return cmp.Or(strings.Join(words, ", "), "without addresses")
}

var wireguard = overUnderlay(func(w *WireGuard) *object.SectionRef { return &w.Underlay }, Type{
	Name: "wireguard", Doc: "the end of encrypted tunnels over UDP to peers that are known by their keys",
	Part:  kernel.Part{Module: "wireguard", Option: "WIREGUARD"},
	New:   func() Spec { return WireGuard{} },
	Check: checkWireGuard,
	Claims: func(s Spec) []plan.Key {
		if w := s.(WireGuard); w.ListenPort != 0 {
			return []plan.Key{{Kind: "listen-port", Name: fmt.Sprint(w.ListenPort)}}
		}
		return nil
	},
	Settle: func(s Spec) (Spec, error) { return s.(WireGuard).withKeys() },
	Explain: func(l Link, err error) error {
		w, ok := l.Spec.(WireGuard)
		if !ok || !errors.Is(err, unix.EADDRINUSE) {
			return err
		}
		where := "on the host"
		if ns := placeIn(l.NS, w.Underlay); ns != "" {
			where = "in namespace " + ns
		}
		return fmt.Errorf("%w: something else has UDP port %d %s, which ss -uln shows", err, w.ListenPort, where)
	},
	Stack: Stack{
		AliasTells: true,
		Orphan: func(s Spec) Spec {
			w := s.(WireGuard)
			w.Underlay = object.Unknown // it has no socket, and gets none any more
			return w
		},
	},
	Frames: Frames{
		IP:   true,
		Wire: func(Spec) string { return "wireguard" }, // who talks to whom, only their private keys tell
	},
	Traits: Traits{
		NoRedirects: true,
		MTU: func(Spec, uint32) uint32 {
			const overhead = 80 // IPv6, UDP, and WireGuard's own
			return object.DefaultMTU - overhead
		},
	},
	Unlisted: Unlisted{Ask: askWireGuard, Told: toldWireGuard, Recall: recallWireGuard, Configure: configureWireGuard},
})

// canonical puts into order what are sets.
func (w WireGuard) canonical() WireGuard {
	var peers []WireGuardPeer
	for p := range w.Peers.All() {
		networks := p.AllowedIPs.Slice().([]netip.Prefix)
		p.AllowedIPs = plan.NewList(netip.Prefix.Compare, networks...)
		peers = append(peers, p)
	}
	w.Peers = plan.NewList(func(a, b WireGuardPeer) int { return bytes.Compare(a.PublicKey[:], b.PublicKey[:]) }, peers...)
	return w
}

// checkWireGuard reports what does not go together, and settles where files are, and the underlay.
func checkWireGuard(l *object.Iface, at file.Spots) {
	w, s := l.Spec.(WireGuard), l.Section
	w.Underlay = laidOver(l, at, "", w.Underlay)
	if v := s.Conf(object.IPv4, "all", "send_redirects"); v != nil && !v.Off() && v.Value.Good() {
		s.Clash(file.Error, l.At, v.At, "%s is on, and the kernel turns it off when %s comes up", v.Name, l)
	}
	checkPeers(l, w, at.In("peers").Items())
	w.PrivateKey = w.PrivateKey.place(s, at.In("private-key-file"))
	var peers []WireGuardPeer
	for p := range w.Peers.All() {
		p.PresharedKey = p.PresharedKey.place(s, at.In("peers", len(peers), "preshared-key-file"))
		peers = append(peers, p)
	}
	w.Peers.SetSlice(peers)
	l.Spec = w.canonical()
}

// mostKeepalive is what the kernel has room for.
const mostKeepalive = (1<<16 - 1) * time.Second

// checkPeers reports peers that the kernel would take one for the other.
func checkPeers(l *object.Iface, w WireGuard, at []file.Spots) {
	byKey, byNetwork := make(map[PublicKey]file.Span), make(map[netip.Prefix]file.Span)
	i := 0
	for p := range w.Peers.All() {
		spots := at[i]
		i++
		if first, twice := byKey[p.PublicKey]; spots.Good("public-key") && twice {
			l.Section.Clash(file.Error, spots.At("public-key"), first, "%s has two peers of one public-key", l)
			continue
		}
		byKey[p.PublicKey] = spots.At("public-key")
		if every := time.Duration(p.Keepalive); every%time.Second != 0 || every > mostKeepalive {
			most := file.Duration(mostKeepalive)
			l.Section.Errorf(spots.At("keepalive"), "keepalive must be whole seconds, and %s at most", most)
		}
		networks, j := spots.In("allowed-ips").Items(), 0
		own := make(map[netip.Prefix]bool)
		for n := range p.AllowedIPs.All() {
			here := networks[j].At()
			if first, twice := byNetwork[n]; n.IsValid() && twice && !own[n] {
				l.Section.Clash(file.Error, here, first,
					"%s has two peers with the allowed IP %s: packets to it go to one alone", l, n)
			}
			byNetwork[n], own[n] = here, true
			j++
		}
	}
}

// withKeys reads the keys.
func (w WireGuard) withKeys() (WireGuard, error) {
	key, err := w.PrivateKey.read()
	if err != nil {
		return w, fmt.Errorf("private-key-file %w", err)
	}
	clamped := wgtypes.Key(key.reveal())
	const low, high, top = 0xf8, 0x7f, 0x40 // curve25519, as the kernel does: RFC 7748
	clamped[0], clamped[keySize-1] = clamped[0]&low, clamped[keySize-1]&high|top
	if w.PrivateKey.path == "" {
		return w, nil // it was read before
	}
	w.PrivateKey = newSecret(clamped)
	own := PublicKey(clamped.PublicKey())
	var peers []WireGuardPeer
	for p := range w.Peers.All() {
		if p.PublicKey == own {
			return w, fmt.Errorf("the public-key %s of a peer is the link's own: each end lists the other's", own)
		}
		if p.PresharedKey, err = p.PresharedKey.read(); err != nil {
			return w, fmt.Errorf("preshared-key-file %w", err)
		}
		peers = append(peers, p)
	}
	w.Peers.SetSlice(peers)
	return w, nil
}
