package kernel

import (
	"errors"
	"fmt"
	"iter"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Feature is the state of a feature of a link, as an offload (ethtool(8): -k). Requested is what is asked for: whether
// it works may depend on other features, and on the links below.
type Feature struct {
	Requested bool
	// Fixed says that it cannot be changed: the kernel takes a request, and does nothing.
	Fixed bool
}

// Features are those of a link, by the kernel's names.
type Features map[string]Feature

// FeaturesHere lists the features of links of the namespace that the calling thread is in, by the link.
func FeaturesHere(links ...string) (map[string]Features, error) {
	e, err := openEthtool()
	if err != nil {
		return nil, err
	}
	defer e.close()
	found := make(map[string]Features, len(links))
	for _, link := range links {
		if found[link], err = e.features(link); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// features lists those of a link.
func (e *ethtool) features(link string) (features Features, err error) {
	get := e.request(unix.ETHTOOL_MSG_FEATURES_GET, link, 0)
	err = e.ask(NewQuery(get.NetlinkRequest, e.family), func(msgs [][]byte) {
		for _, m := range msgs {
			features = parseFeatures(m[nl.SizeofGenlmsg:])
		}
	})
	if errors.Is(err, unix.ENODEV) {
		return Features{}, nil // it has gone
	}
	if err != nil {
		return nil, fmt.Errorf("read the features of link %s: %w", link, err)
	}
	return features, nil
}

// SetFeature asks for a feature of a link to be on or off.
func (n *Namespace) SetFeature(link, name string, on bool) error {
	return n.Inside(func() error {
		e, err := openEthtool()
		if err != nil {
			return err
		}
		defer e.close()
		set := e.request(unix.ETHTOOL_MSG_FEATURES_SET, link, unix.ETHTOOL_FLAG_OMIT_REPLY)
		set.Flags |= unix.NLM_F_ACK
		bit := set.Nest(unix.ETHTOOL_A_FEATURES_WANTED).
			AddRtAttr(unix.ETHTOOL_A_BITSET_BITS|unix.NLA_F_NESTED, nil).
			AddRtAttr(unix.ETHTOOL_A_BITSET_BITS_BIT|unix.NLA_F_NESTED, nil)
		bit.AddRtAttr(unix.ETHTOOL_A_BITSET_BIT_NAME, nl.ZeroTerminated(name))
		if on {
			bit.AddRtAttr(unix.ETHTOOL_A_BITSET_BIT_VALUE, nil)
		}
		word := map[bool]string{true: "on", false: "off"}[on]
		return n.Do("set "+name+" of link "+link+" "+word, func() error {
			return e.ask(NewQuery(set.NetlinkRequest, 0), func([][]byte) {})
		})
	})
}

// ethtool talks to the kernel's ethtool by generic netlink. By ioctl(2) the kernel is given the address of what it is
// to fill, which must not move meanwhile, and says how much it will fill only in another call.
type ethtool struct {
	*socket
	family uint16
}

// openEthtool opens a socket in the calling thread's namespace.
func openEthtool() (*ethtool, error) {
	s, err := openSocket(unix.NETLINK_GENERIC)
	if err != nil {
		return nil, err
	}
	e := &ethtool{socket: s}
	get := NewMessage(unix.GENL_ID_CTRL, 0, &nl.Genlmsg{Command: unix.CTRL_CMD_GETFAMILY, Version: 1})
	get.Text(unix.CTRL_ATTR_FAMILY_NAME, unix.ETHTOOL_GENL_NAME)
	err = e.ask(NewQuery(get.NetlinkRequest, unix.GENL_ID_CTRL), func(msgs [][]byte) {
		for _, m := range msgs {
			e.family = U16(Attrs(m[nl.SizeofGenlmsg:]).Get(unix.CTRL_ATTR_FAMILY_ID))
		}
	})
	if errors.Is(err, unix.ENOENT) {
		err = fmt.Errorf("%w: the kernel is built without CONFIG_ETHTOOL_NETLINK", err)
	}
	if err != nil {
		e.close()
		return nil, fmt.Errorf("look for ethtool in the kernel: %w", err)
	}
	return e, nil
}

// request makes one about a link. Its header is the first attribute in each of them.
func (e *ethtool) request(command uint8, link string, flags uint32) Message {
	m := NewMessage(int(e.family), 0, &nl.Genlmsg{Command: command, Version: unix.ETHTOOL_GENL_VERSION})
	header := m.Nest(unix.ETHTOOL_A_FEATURES_HEADER)
	header.AddRtAttr(unix.ETHTOOL_A_HEADER_DEV_NAME, nl.ZeroTerminated(link))
	header.AddRtAttr(unix.ETHTOOL_A_HEADER_FLAGS, nl.Uint32Attr(flags))
	return m
}

func parseFeatures(m Attrs) Features {
	all := make(Features)
	for name, can := range bits(m.Nested(unix.ETHTOOL_A_FEATURES_HW)) {
		all[name] = Feature{Fixed: !can}
	}
	for name, never := range bits(m.Nested(unix.ETHTOOL_A_FEATURES_NOCHANGE)) {
		all[name] = Feature{Fixed: all[name].Fixed || never}
	}
	for name, on := range bits(m.Nested(unix.ETHTOOL_A_FEATURES_WANTED)) {
		all[name] = Feature{Requested: on, Fixed: all[name].Fixed}
	}
	return all
}

// bits yields the names and values of those of a set of bits that have a name. Without a mask it lists what is on.
func bits(set Attrs) iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		list := set.Has(unix.ETHTOOL_A_BITSET_NOMASK)
		for _, value := range Attributes(set.Nested(unix.ETHTOOL_A_BITSET_BITS)) {
			bit := Attrs(value)
			name, on := bit.Text(unix.ETHTOOL_A_BITSET_BIT_NAME), list || bit.Has(unix.ETHTOOL_A_BITSET_BIT_VALUE)
			if name != "" && !yield(name, on) {
				return
			}
		}
	}
}
