package snapshot

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// readWireGuard reads what wireguard links tell by generic netlink. Where there is none, nothing is asked.
func (s *Section) readWireGuard() error {
	var c *socket
	var family uint16
	for _, l := range s.Links {
		if l.info != "wireguard" {
			continue
		}
		if c == nil {
			var err error
			if c, family, err = dialFamily(unix.WG_GENL_NAME); err != nil {
				return err
			}
			defer c.close()
		}
		body := appendText([]byte{unix.WG_CMD_GET_DEVICE, 1, 0, 0}, unix.WGDEVICE_A_IFNAME, append([]byte(l.Name), 0))
		list, err := c.ask(family, unix.NLM_F_DUMP, body)
		switch {
		case errors.Is(err, unix.ENODEV): // it has gone meanwhile
		case err != nil:
			return fmt.Errorf("read wireguard link %s: %w", l.Name, err)
		}
		s.lists["wireguard"] = append(s.lists["wireguard"], list...)
	}
	return nil
}

// ephemeral is the least port that the kernel chooses: those differ from run to run.
const ephemeral = 32768

// wireguardLines tell of wireguard links, and of their peers: those in no order.
func (p *printer) wireguardLines() {
	for _, m := range p.s.lists["wireguard"] {
		b := m.body[genlHeader:]
		head := "wireguard " + text(find(b, unix.WGDEVICE_A_IFNAME))
		if key := find(b, unix.WGDEVICE_A_PRIVATE_KEY); key != nil {
			p.begin(fmt.Sprintf("%s private key %x mark %#x", head, key, number(find(b, unix.WGDEVICE_A_FWMARK))))
			if port := number(find(b, unix.WGDEVICE_A_LISTEN_PORT)); port < ephemeral {
				p.out = fmt.Appendf(p.out, " port %d", port)
			}
			p.end()
		}
		for _, peer := range each(find(b, unix.WGDEVICE_A_PEERS)) {
			at := fmt.Sprintf("%s peer %x", head, find(peer, unix.WGPEER_A_PUBLIC_KEY))
			p.begin(fmt.Sprintf("%s preshared key %x keepalive %d endpoint %s", at, find(peer, unix.WGPEER_A_PRESHARED_KEY),
				number(find(peer, unix.WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL)), sockaddr(find(peer, unix.WGPEER_A_ENDPOINT))))
			if number(find(peer, unix.WGPEER_A_RX_BYTES)) > 0 {
				p.add(heard)
			}
			p.end()
			for _, n := range each(find(peer, unix.WGPEER_A_ALLOWEDIPS)) {
				bits := number(find(n, unix.WGALLOWEDIP_A_CIDR_MASK))
				p.begin(at + " allowed " + prefix(find(n, unix.WGALLOWEDIP_A_IPADDR), byte(bits)))
				p.end()
			}
		}
	}
}

// heard ends the line of a peer that has sent something.
const heard = "heard"

// noEndpoint begins what a line tells of a peer that is nowhere.
const noEndpoint = " endpoint none"

// unheard leaves out of a text which peers were heard. A peer that was, and is nowhere in the other text, is nowhere
// here too: the kernel has learned its endpoint.
func unheard(text, other string) string {
	if !strings.Contains(text, " "+heard+"\n") {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line, ok := strings.CutSuffix(line, " "+heard+"\n"); ok {
			if at, _, _ := strings.Cut(line, " endpoint "); strings.Contains(other, at+noEndpoint) {
				line = at + noEndpoint
			}
			b.WriteString(line + "\n")
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}

// sockaddr is an address with a port: struct sockaddr_in, or sockaddr_in6.
func sockaddr(b []byte) string {
	if len(b) < unix.SizeofSockaddrInet4 {
		return "none"
	}
	ip, _ := netip.AddrFromSlice(b[4:8])
	if len(b) >= unix.SizeofSockaddrInet6 {
		ip, _ = netip.AddrFromSlice(b[8:24])
	}
	return netip.AddrPortFrom(ip, uint16(b[2])<<8|uint16(b[3])).String()
}
