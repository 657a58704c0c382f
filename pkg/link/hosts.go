package link

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
)

// Hosts are IPv4 addresses as one comparable value, with "," between, as ip-link(8) has them. They are sorted.
type Hosts string

// Parse implements [file.Parser].
func (h *Hosts) Parse(what, text string) error {
	var list []netip.Addr
	for word := range strings.SplitSeq(text, ",") {
		a, err := file.ParseAddr(what, strings.TrimSpace(word))
		if err != nil {
			return err
		}
		if !a.Is4() || a.IsUnspecified() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
			return file.Flawf("%s %s is the IPv4 address of no host", what, file.Quote(word))
		}
		list = append(list, a)
	}
	const most = 16 // BOND_MAX_ARP_TARGETS of net/bonding.h
	if len(list) > most {
		return file.Flawf("%s has %d addresses, more than the %d that a bond takes", what, len(list), most)
	}
	*h = joinHosts(list)
	return nil
}

// Text implements [file.Described].
func (*Hosts) Text() file.Text { return file.Text{Words: "IPv4 addresses, with commas between"} }

func joinHosts(list []netip.Addr) Hosts {
	slices.SortFunc(list, netip.Addr.Compare)
	var words []string
	for _, a := range slices.Compact(list) {
		words = append(words, a.String())
	}
	return Hosts(strings.Join(words, ","))
}

// encode adds the hosts to a message, each under its number.
func (h Hosts) encode(data *nl.RtAttr, attribute int) {
	list := data.AddRtAttr(attribute, nil)
	for i, word := range strings.Split(string(h), ",") {
		if a, err := netip.ParseAddr(word); err == nil { // not so of none
			list.AddRtAttr(i, a.AsSlice())
		}
	}
}

// decodeHosts reads what encode has written.
func decodeHosts(b kernel.Attrs) Hosts {
	var list []netip.Addr
	for _, v := range kernel.Attributes(b) {
		if a, ok := netip.AddrFromSlice(v); ok {
			list = append(list, a)
		}
	}
	return joinHosts(list)
}
