package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
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
	if n.nft == nil {
		err := n.Inside(func() (err error) {
			n.nft, err = openSocket(unix.NETLINK_NETFILTER)
			return err
		})
		if err != nil {
			return false, err
		}
	}
	untouched := false
	err := n.nft.ask(generation, func(msgs [][]byte) {
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
