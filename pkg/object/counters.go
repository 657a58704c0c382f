package object

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
)

// Counters are what has passed a link since it was made (struct rtnl_link_stats64, linux/if_link.h).
type Counters struct {
	RxPackets uint64 `json:"rx_packets"`
	TxPackets uint64 `json:"tx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	TxBytes   uint64 `json:"tx_bytes"`
	RxErrors  uint64 `json:"rx_errors"`
	TxErrors  uint64 `json:"tx_errors"`
	RxDropped uint64 `json:"rx_dropped"`
	TxDropped uint64 `json:"tx_dropped"`
}

// ifStatsMsg is struct if_stats_msg of linux/if_link.h, which package nl lacks.
type ifStatsMsg struct{ filter uint32 }

const sizeofIfStatsMsg = 12

// Len implements [nl.NetlinkRequestData].
func (ifStatsMsg) Len() int { return sizeofIfStatsMsg }

// Serialize implements [nl.NetlinkRequestData].
func (m ifStatsMsg) Serialize() []byte {
	return binary.NativeEndian.AppendUint32(make([]byte, sizeofIfStatsMsg-4, sizeofIfStatsMsg), m.filter)
}

var countersQuery = kernel.NewQuery(kernel.NewMessage(unix.RTM_GETSTATS, unix.NLM_F_DUMP,
	ifStatsMsg{1 << (unix.IFLA_STATS_LINK_64 - 1)}).NetlinkRequest, unix.RTM_NEWSTATS)

// ListCounters reads the counters of a namespace's links, by their index.
func ListCounters(n *kernel.Namespace) (map[int]Counters, error) {
	all := make(map[int]Counters)
	err := n.Read(countersQuery, func(msgs [][]byte) {
		for _, m := range msgs {
			if len(m) < sizeofIfStatsMsg {
				continue
			}
			index := int(binary.NativeEndian.Uint32(m[4:]))
			all[index] = parseCounters(kernel.Attrs(m[sizeofIfStatsMsg:]).Get(unix.IFLA_STATS_LINK_64))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read the counters of links: %w", err)
	}
	return all, nil
}

func parseCounters(b []byte) (c Counters) {
	for i, field := range []*uint64{
		&c.RxPackets, &c.TxPackets, &c.RxBytes, &c.TxBytes, &c.RxErrors, &c.TxErrors, &c.RxDropped, &c.TxDropped,
	} {
		if len(b) >= 8*(i+1) {
			*field = binary.NativeEndian.Uint64(b[8*i:])
		}
	}
	return c
}
