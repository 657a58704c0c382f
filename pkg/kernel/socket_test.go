package kernel

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// private gives a test a namespace of its own, which ends with it.
func private(t *testing.T) *Namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	var n *Namespace
	err := OnThread(func(Thread) (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		n, err = Current(new(Seam))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func bridge(proto, flags int, name string) *nl.NetlinkRequest {
	req := Request(proto, flags|unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	req.AddData(info)
	return req
}

// flicker makes a link and deletes it.
func flicker(n *Namespace) error {
	return errors.Join(n.Write("create", bridge(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, "flicker")),
		n.Write("delete", bridge(unix.RTM_DELLINK, 0, "flicker")))
}

func dumpLinks() Query {
	req := Request(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	return NewQuery(req, unix.RTM_NEWLINK)
}

// linkNames counts the names in messages of RTM_NEWLINK.
func linkNames(msgs [][]byte) map[string]int {
	seen := make(map[string]int)
	for _, m := range msgs {
		for kind, value := range Attributes(m[unix.SizeofIfInfomsg:]) {
			if kind == unix.IFLA_IFNAME {
				seen[unix.ByteSliceToString(value)]++
			}
		}
	}
	return seen
}

// crowd makes more links than one answer to a dump holds.
func crowd(t *testing.T, n *Namespace) int {
	t.Helper()
	const links = 300
	for i := range links {
		if err := n.Write("create",
			bridge(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, fmt.Sprintf("br%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	return links + 1 // and lo
}

// A dump between whose parts something changed is not taken for a whole one.
func TestDumpInterrupted(t *testing.T) {
	n := private(t)
	crowd(t, n)
	other := again(t, n)
	var x exchange
	if err := n.route.send(&x, []Query{dumpLinks()}); err != nil {
		t.Fatal(err)
	}
	for parts := 0; x.open > 0; parts++ {
		if err := x.receive(); err != nil {
			t.Fatal(err)
		}
		if parts == 0 {
			if x.open == 0 {
				t.Fatal("all links fit into one answer")
			}
			if err := flicker(other); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := x.replies[0].Err; !errors.Is(err, errInterrupted) {
		t.Errorf("the error is %v, want %v", err, errInterrupted)
	}
}

// again opens a namespace once more, with sockets of its own.
func again(t *testing.T, n *Namespace) (other *Namespace) {
	t.Helper()
	err := n.Inside(func() (err error) {
		other, err = Current(n.seam)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	return other
}

// An interrupted dump is made again until it is whole.
func TestDumpMadeAgain(t *testing.T) {
	n := private(t)
	want := crowd(t, n)
	other := again(t, n)
	for range 4 {
		done := make(chan error, 1)
		go func() {
			var err error
			for range dumpTries / 5 {
				err = errors.Join(err, flicker(other))
				runtime.Gosched()
			}
			done <- err
		}()
		var seen map[string]int
		if err := n.Read(dumpLinks(), func(msgs [][]byte) { seen = linkNames(msgs) }); err != nil {
			t.Fatal(err)
		}
		delete(seen, "flicker")
		for name, times := range seen {
			if times != 1 {
				t.Errorf("link %s is listed %d times", name, times)
			}
		}
		if len(seen) != want {
			t.Errorf("%d links are listed, want %d", len(seen), want)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// A refusal has the kernel's number and its words.
func TestExtendedError(t *testing.T) {
	n := private(t)
	req := bridge(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, "br0")
	req.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, []byte{0, 1}))
	err := n.Write("create link br0", req)
	var number unix.Errno
	if !errors.As(err, &number) || !strings.HasPrefix(err.Error(), "create link br0: "+number.Error()) {
		t.Errorf("the error is %v", err)
	}
	req = Request(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	req.AddData(&nl.IfAddrmsg{IfAddrmsg: unix.IfAddrmsg{Family: unix.AF_INET, Prefixlen: 32, Index: 1}})
	req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, []byte{10}))
	if err = n.Write("add address", req); err == nil || !strings.Contains(err.Error(), "failed policy validation") {
		t.Errorf("the error is %v, want the kernel's words about the address", err)
	}
}

// A message that is larger than what is usually received is asked for again, with room for it.
func TestLargeMessage(t *testing.T) {
	n := private(t)
	if err := n.Write("create", bridge(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, "br0")); err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int]error{64: errCut, largeSize: nil} {
		x := exchange{large: newPost(size)}
		if err := n.route.do(&x, []Query{dumpLinks()}); !errors.Is(err, want) {
			t.Errorf("with room for %d bytes the error is %v, want %v", size, err, want)
		}
	}
	var seen map[string]int
	if err := n.Read(dumpLinks(), func(msgs [][]byte) { seen = linkNames(msgs) }); err != nil || len(seen) != 2 {
		t.Errorf("afterwards the links are %v, %v: want lo and br0", seen, err)
	}
}

// What is lent stays as it is until it is given back, whatever else is read meanwhile.
func TestLent(t *testing.T) {
	n, other := private(t), private(t)
	crowd(t, n)
	if err := other.Write("create", bridge(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, "other")); err != nil {
		t.Fatal(err)
	}
	err := n.Read(dumpLinks(), func(msgs [][]byte) {
		before := linkNames(msgs)
		for range 3 {
			if err := other.Read(dumpLinks(), func([][]byte) {}); err != nil {
				t.Error(err)
			}
		}
		if after := linkNames(msgs); !maps.Equal(after, before) {
			t.Errorf("lent were %v, and are %v now", before, after)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Several requests go out as one, and each gets its own answers.
func TestSeveralQueries(t *testing.T) {
	n := private(t)
	one := func(name string) Query {
		req := Request(unix.RTM_GETLINK, 0)
		req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
		req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
		return NewQuery(req, unix.RTM_NEWLINK)
	}
	err := n.ReadAll([]Query{one("lo"), one("none"), dumpLinks()}, func(replies []Reply) error {
		if replies[0].Err != nil || len(replies[0].Answers) != 1 {
			t.Errorf("lo: %d answers, %v", len(replies[0].Answers), replies[0].Err)
		}
		if !errors.Is(replies[1].Err, unix.ENODEV) {
			t.Errorf("a link that is not there: %v, want %v", replies[1].Err, unix.ENODEV)
		}
		if replies[2].Err != nil || len(replies[2].Answers) != 1 {
			t.Errorf("all links: %d answers, %v", len(replies[2].Answers), replies[2].Err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Of two requests in one go the first that is refused is told, unless its refusal says that it was not needed.
func TestWriteBoth(t *testing.T) {
	n := private(t)
	both := func(made string, unneeded ...error) error {
		return n.WriteBoth("replace link", bridge(unix.RTM_DELLINK, 0, "none"),
			bridge(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, made), unneeded...)
	}
	if err := both("br0"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("the first is refused: %v, want %v", err, unix.ENODEV)
	}
	if err := both("br1", unix.EADDRNOTAVAIL, unix.ENODEV); err != nil {
		t.Errorf("the first is not needed: %v", err)
	}
	if err := both("br1", unix.ENODEV); !errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENODEV) {
		t.Errorf("the second is refused: %v, want %v", err, unix.EEXIST)
	}
}

// A refusal of nf_tables has its words, too.
func TestExtendedErrorNFT(t *testing.T) {
	c, err := private(t).NFT()
	if err != nil {
		t.Skip(err)
	}
	defer c.CloseLasting() //nolint:errcheck // it has been answered
	c.AddTable(&nftables.Table{Name: strings.Repeat("x", 300), Family: nftables.TableFamilyINet})
	switch err := c.Flush(); {
	case !errors.Is(err, unix.ERANGE):
		t.Errorf("the error is %v, want %v", err, unix.ERANGE)
	case !Since(6, 18): // 6.12 does not say what is wrong with an attribute
	case !strings.Contains(err.Error(), "failed policy validation"):
		t.Errorf("the error is %v, want the kernel's words about the name", err)
	}
}
