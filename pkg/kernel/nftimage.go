package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// NFTImage is a table of nf_tables with all that is in it, as the messages that make it anew; empty is no table. A
// rollback gives back with it what somebody else has put there, whatever that is.
type NFTImage string

// part is a sort of member of a table: how it is listed, how it is made, and the attributes that tell of this one only
// and are left out (linux/netfilter/nf_tables.h).
type part struct {
	list, add uint8
	flags     netlink.HeaderFlags
	table     uint16 // the attribute that names the table
	without   []uint16
}

var (
	tablePart  = part{list: unix.NFT_MSG_GETTABLE, add: unix.NFT_MSG_NEWTABLE, table: 1, without: []uint16{3, 4, 7}}
	chainPart  = part{list: unix.NFT_MSG_GETCHAIN, add: unix.NFT_MSG_NEWCHAIN, table: 1, without: []uint16{2, 6, 8, 11}}
	objectPart = part{list: unix.NFT_MSG_GETOBJ, add: unix.NFT_MSG_NEWOBJ, table: 1, without: []uint16{5, 6}}
	setPart    = part{list: unix.NFT_MSG_GETSET, add: unix.NFT_MSG_NEWSET, table: 1, without: []uint16{16, 19, 20}}
	flowPart   = part{list: unix.NFT_MSG_GETFLOWTABLE, add: unix.NFT_MSG_NEWFLOWTABLE, table: 1, without: []uint16{4, 5}}
	elemPart   = part{list: unix.NFT_MSG_GETSETELEM, add: unix.NFT_MSG_NEWSETELEM, table: 1}
	rulePart   = part{
		list: unix.NFT_MSG_GETRULE, add: unix.NFT_MSG_NEWRULE, flags: netlink.Append, table: 1, without: []uint16{3, 6},
	}
)

// Attributes of linux/netfilter/nf_tables.h.
const (
	nftaSetName = 2
	nftaSetID   = 10
)

// NFTImageOf takes the image of a table of the inet family.
func (n *Namespace) NFTImageOf(table string) (image NFTImage, err error) {
	c, err := n.dialNFT()
	if err != nil {
		return "", err
	}
	defer c.Close() //nolint:errcheck // only read
	name := attribute(1, append([]byte(table), 0))
	// A chain or a set must be there before what leads to it.
	for _, p := range []part{tablePart, flowPart, chainPart, objectPart, setPart} {
		msgs, err := p.of(c, table, name)
		if err != nil {
			return "", fmt.Errorf("nftables: list table %s: %w", table, err)
		}
		for i, m := range msgs {
			if p.add != unix.NFT_MSG_NEWSET {
				image += kept(p, m)
				continue
			}
			image += kept(p, append(m, attribute(nftaSetID, binary.BigEndian.AppendUint32(nil, uint32(i+1)))...))
		}
		if p.add != unix.NFT_MSG_NEWSET {
			continue
		}
		for _, m := range msgs {
			set := attribute(nftaSetName, Attrs(m[nfgenSize:]).Get(nftaSetName))
			elems, err := elemPart.of(c, table, append(slices.Clone(name), set...))
			if err != nil {
				return "", fmt.Errorf("nftables: list a set of table %s: %w", table, err)
			}
			for _, e := range elems {
				image += kept(elemPart, e)
			}
		}
	}
	rules, err := rulePart.of(c, table, name)
	if err != nil {
		return "", fmt.Errorf("nftables: list the rules of table %s: %w", table, err)
	}
	for _, m := range rules {
		image += kept(rulePart, m)
	}
	return image, nil
}

// nfgenSize is that of struct nfgenmsg.
const nfgenSize = 4

// of lists the members of a table.
func (p part) of(c *netlink.Conn, table string, attrs []byte) (list [][]byte, err error) {
	m := nftMessage(p.list, netlink.Request|netlink.Dump, append([]byte{unix.NFPROTO_INET, 0, 0, 0}, attrs...))
	replies, err := c.Execute(m)
	if err != nil {
		return nil, err
	}
	for _, r := range replies {
		if len(r.Data) >= nfgenSize && unix.ByteSliceToString(Attrs(r.Data[nfgenSize:]).Get(p.table)) == table {
			list = append(list, r.Data)
		}
	}
	return list, nil
}

// kept is a message of a list as an image has it: its type, its flags and its length before it.
func kept(p part, m []byte) NFTImage {
	body := slices.Clone(m[:nfgenSize])
	for rest := m[nfgenSize:]; len(rest) >= unix.SizeofRtAttr; {
		size := int(binary.NativeEndian.Uint16(rest))
		next := min((size+3)&^3, len(rest))
		if size < unix.SizeofRtAttr || size > len(rest) {
			break
		}
		if !slices.Contains(p.without, binary.NativeEndian.Uint16(rest[2:])&typeMask) {
			body = append(body, rest[:next]...)
		}
		rest = rest[next:]
	}
	head := binary.NativeEndian.AppendUint16([]byte{p.add, 0}, uint16(p.flags))
	return NFTImage(binary.NativeEndian.AppendUint32(head, uint32(len(body)))) + NFTImage(body)
}

// WriteNFTImage makes a table of the inet family what its image says, in one transaction.
func (n *Namespace) WriteNFTImage(table string, image NFTImage) error {
	c, err := n.dialNFT()
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // the transaction has been answered
	name := append([]byte{unix.NFPROTO_INET, 0, 0, 0}, attribute(1, append([]byte(table), 0))...)
	batch := []netlink.Message{
		{Header: netlink.Header{Type: unix.NFNL_MSG_BATCH_BEGIN, Flags: netlink.Request}, Data: batchHead},
		nftMessage(unix.NFT_MSG_NEWTABLE, change|netlink.Create, name), // so that there is one to delete
		nftMessage(unix.NFT_MSG_DELTABLE, change, name),
	}
	for rest := []byte(image); len(rest) > 0; {
		const head = 8
		end := head + binary.NativeEndian.Uint32(rest[4:])
		flags := change | netlink.Create | netlink.HeaderFlags(binary.NativeEndian.Uint16(rest[2:]))
		batch = append(batch, nftMessage(rest[0], flags, rest[head:end]))
		rest = rest[end:]
	}
	batch = append(batch,
		netlink.Message{Header: netlink.Header{Type: unix.NFNL_MSG_BATCH_END, Flags: netlink.Request}, Data: batchHead})
	return n.Do("put back table inet "+table, func() error { return transact(c, batch) })
}

// change are the flags of each part of a transaction.
const change = netlink.Request | netlink.Acknowledge

var batchHead = []byte{0, 0, 0, unix.NFNL_SUBSYS_NFTABLES} // res_id in the network's order

// transact sends a transaction, and takes the answer to each of its parts.
func transact(c *netlink.Conn, batch []netlink.Message) error {
	if _, err := c.SendMessages(batch); err != nil {
		return err
	}
	for answers := 0; answers < len(batch)-2; {
		replies, err := c.Receive()
		if err != nil {
			return err
		}
		answers += len(replies)
	}
	return nil
}

// dialNFT opens nf_tables for messages that no library has words for.
func (n *Namespace) dialNFT() (*netlink.Conn, error) {
	if err := n.wake(); err != nil {
		return nil, err
	}
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: n.fd})
	if err == nil {
		err = errors.Join(c.SetOption(netlink.ExtendedAcknowledge, true), c.SetDeadline(time.Now().Add(nftTimeout)))
	}
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	return c, nil
}

func nftMessage(kind uint8, flags netlink.HeaderFlags, data []byte) netlink.Message {
	t := netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES)<<8 | netlink.HeaderType(kind)
	return netlink.Message{Header: netlink.Header{Type: t, Flags: flags}, Data: data}
}

// attribute is one as netlink(7) has it.
func attribute(t uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, t), value...)
	return append(b, bytes.Repeat([]byte{0}, -len(b)&3)...)
}
