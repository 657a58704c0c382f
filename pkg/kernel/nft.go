package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// nftTimeout bounds every wait for nf_tables: a kernel that can't load it never answers.
const nftTimeout = 30 * time.Second

// NFT opens nf_tables of the namespace. Close it after use.
func (n *Namespace) NFT() (*nftables.Conn, error) {
	if err := n.wake(); err != nil {
		return nil, err
	}
	c, err := nftables.New(nftables.WithNetNSFd(n.fd), nftables.AsLasting(),
		nftables.WithSockOptions(func(c *netlink.Conn) error {
			return errors.Join(c.SetOption(netlink.ExtendedAcknowledge, true), c.SetDeadline(time.Now().Add(nftTimeout)))
		}))
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	return c, nil
}

// snapshotTries bounds how often a ruleset that keeps changing is read again.
const snapshotTries = 10

// ErrMoving is the error of [Snapshot] for a ruleset that changed each time that it was read.
var ErrMoving = errors.New("nftables: the ruleset keeps changing")

// Snapshot reads with f what belongs to one generation of the ruleset: dumps of nf_tables are no snapshots.
func Snapshot(c *nftables.Conn, f func() error) error {
	for range snapshotTries {
		before, err := c.GetGen()
		if err != nil {
			return fmt.Errorf("nftables: read the generation: %w", err)
		}
		if err := f(); err != nil {
			if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINTR) {
				continue // what was listed went before its rules were
			}
			return err
		}
		after, err := c.GetGen()
		if err != nil {
			return fmt.Errorf("nftables: read the generation: %w", err)
		}
		if before.ID == after.ID {
			return nil
		}
	}
	return ErrMoving
}

// Attributes and messages of linux/netfilter/nf_tables.h.
const (
	nftMsgGetGen = 16
	nftaGenID    = 1
	firstGen     = 1
)

// generation asks for that of a namespace's ruleset.
var generation = func() Query {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|nftMsgGetGen, 0)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC})
	return NewQuery(req, 0)
}()

// NFTUntouched says whether nobody has ever written a rule in the namespace: its ruleset is of the first generation.
// This asks far less of the kernel than [Namespace.NFT].
func (n *Namespace) NFTUntouched() (bool, error) {
	untouched := false
	err := n.readNFT(generation, func(msgs [][]byte) {
		for _, m := range msgs {
			for t, value := range Attributes(m[min(nl.SizeofNfgenmsg, len(m)):]) {
				untouched = untouched || t == nftaGenID && len(value) == 4 && binary.BigEndian.Uint32(value) == firstGen
			}
		}
	})
	if err != nil {
		return false, fmt.Errorf("nftables: read the generation: %w", err)
	}
	return untouched, nil
}

// readNFT is [Namespace.Read] for nf_tables.
func (n *Namespace) readNFT(q Query, use func(msgs [][]byte)) error {
	if n.nft == nil {
		err := n.Inside(func() (err error) {
			n.nft, err = openSocket(unix.NETLINK_NETFILTER)
			return err
		})
		if err != nil {
			return err
		}
	}
	return n.nft.read([]Query{q}, func(replies []Reply) error { return replies[0].hand(use) })
}

// NFTElement is an element of a set of nf_tables: the range of its keys, and in a verdict map what becomes of packets.
type NFTElement struct {
	Low, High []byte
	Verdict   int32
	Chain     string
}

// Attributes of linux/netfilter/nf_tables.h.
const (
	nftaSetElemListTable    = 1
	nftaSetElemListSet      = 2
	nftaSetElemListElements = 3
	nftaSetElemKey          = 1
	nftaSetElemData         = 2
	nftaSetElemFlags        = 3
	nftaSetElemKeyEnd       = 10
	nftaDataValue           = 1
	nftaDataVerdict         = 2
	nftaVerdictCode         = 1
	nftaVerdictChain        = 2
	nftIntervalEnd          = 1
)

// NFTElements lists the elements of a set; the library loses the verdicts of a map. Of a set of intervals the kernel
// keeps where each begins, and where it has ended.
func (n *Namespace) NFTElements(family byte, table, set string) (list []NFTElement, err error) {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETSETELEM, unix.NLM_F_DUMP)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: family})
	req.AddData(nl.NewRtAttr(nftaSetElemListTable, nl.ZeroTerminated(table)))
	req.AddData(nl.NewRtAttr(nftaSetElemListSet, nl.ZeroTerminated(set)))
	var ends [][]byte
	intervals := false
	err = n.readNFT(NewQuery(req, 0), func(msgs [][]byte) {
		for _, m := range msgs {
			for _, b := range Attributes(Attrs(m[min(nl.SizeofNfgenmsg, len(m)):]).Get(nftaSetElemListElements)) {
				el, end := parseElement(b)
				if intervals = intervals || end; end {
					ends = append(ends, el.Low)
				} else {
					list = append(list, el)
				}
			}
		}
	})
	if intervals {
		closeIntervals(list, ends)
	}
	return list, err
}

func parseElement(b Attrs) (el NFTElement, end bool) {
	el.Low = bytes.Clone(b.Nested(nftaSetElemKey).Get(nftaDataValue))
	el.High = el.Low
	if high := b.Nested(nftaSetElemKeyEnd).Get(nftaDataValue); high != nil {
		el.High = bytes.Clone(high)
	}
	if v := b.Nested(nftaSetElemData).Nested(nftaDataVerdict); v != nil {
		if code := v.Get(nftaVerdictCode); len(code) == 4 {
			el.Verdict = int32(binary.BigEndian.Uint32(code))
		}
		el.Chain = v.Text(nftaVerdictChain)
	}
	flags := b.Get(nftaSetElemFlags)
	return el, len(flags) == 4 && binary.BigEndian.Uint32(flags)&nftIntervalEnd != 0
}

// closeIntervals gives each interval its last key: the one before the next end, or the greatest there is.
func closeIntervals(list []NFTElement, ends [][]byte) {
	slices.SortFunc(ends, bytes.Compare)
	for i, el := range list {
		high := bytes.Repeat([]byte{0xff}, len(el.Low))
		at := slices.IndexFunc(ends, func(end []byte) bool { return bytes.Compare(end, el.Low) > 0 })
		if at >= 0 {
			high = before(ends[at])
		}
		list[i].High = high
	}
}

// before is the number before another one, of as many bytes.
func before(b []byte) []byte {
	b = bytes.Clone(b)
	for i := len(b) - 1; i >= 0; i-- {
		b[i]--
		if b[i] != 0xff {
			break
		}
	}
	return b
}
