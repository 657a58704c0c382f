package agent

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// Try says whether a probe works, at the host that the process is on.
func Try(ctx context.Context, p Probe) error {
	if p.Ping.IsValid() {
		return ping(ctx, p.From, p.Ping)
	}
	return connect(ctx, p.From, p.TCP)
}

// inside calls f on a thread that is in the namespace of that name: what it opens stays there.
func inside(name string, f func() error) error {
	return kernel.OnThread(func(t kernel.Thread) error {
		if name == "host" {
			return f()
		}
		file, err := kernel.OpenFile(name)
		if err != nil {
			return fmt.Errorf("namespace %s: %w", name, err)
		}
		defer file.Close()
		if err := file.Enter(t); err != nil {
			return fmt.Errorf("namespace %s: %w", name, err)
		}
		return f()
	})
}

// connect opens a TCP connection, and closes it.
func connect(ctx context.Context, from, to string) error {
	return inside(from, func() error {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", to)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// family is how echo requests are made in one of the two families (RFC 792, RFC 4443).
type family struct {
	network, any string
	request      icmp.Type
	reply        icmp.Type
	protocol     int
}

var (
	inet  = family{"ip4:icmp", "0.0.0.0", ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply, 1}
	inet6 = family{"ip6:ipv6-icmp", "::", ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply, 58}
)

// ping sends an echo request, and waits for the reply.
func ping(ctx context.Context, from string, to netip.Addr) error {
	f := inet6
	if to.Is4() {
		f = inet
	}
	var c *icmp.PacketConn
	err := inside(from, func() (err error) {
		c, err = icmp.ListenPacket(f.network, f.any)
		return err
	})
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // a socket has nothing to lose
	end, ok := ctx.Deadline()
	if !ok || time.Until(end) > time.Second { // it may have been lost: the next try sends another
		end = time.Now().Add(time.Second)
	}
	if err := c.SetDeadline(end); err != nil {
		return err
	}
	echo := icmp.Echo{ID: os.Getpid() & 0xffff, Seq: int(time.Now().UnixNano() & 0xffff), Data: []byte("plumb")}
	data, err := (&icmp.Message{Type: f.request, Body: &echo}).Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := c.WriteTo(data, &net.IPAddr{IP: to.AsSlice(), Zone: to.Zone()}); err != nil {
		return err
	}
	return f.answered(c, to, echo)
}

// answered waits for the reply to an echo request.
func (f family) answered(c *icmp.PacketConn, to netip.Addr, echo icmp.Echo) error {
	room := make([]byte, 1500)
	for {
		n, _, err := c.ReadFrom(room)
		if err != nil {
			return fmt.Errorf("no answer from %s: %w", to, err)
		}
		m, err := icmp.ParseMessage(f.protocol, room[:n])
		if err != nil {
			continue
		}
		if got, ok := m.Body.(*icmp.Echo); ok && m.Type == f.reply && got.ID == echo.ID && got.Seq == echo.Seq {
			return nil
		}
	}
}
