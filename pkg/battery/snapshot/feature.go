package snapshot

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// readFeatures reads what the links tell of their features by generic netlink.
func (s *Section) readFeatures() error {
	c, family, err := dialFamily(unix.ETHTOOL_GENL_NAME)
	if err != nil {
		return err
	}
	defer c.close()
	// The header may be empty, but must be there.
	const empty = 4
	body := native.AppendUint16([]byte{unix.ETHTOOL_MSG_FEATURES_GET, 1, 0, 0}, empty)
	body = native.AppendUint16(body, unix.ETHTOOL_A_FEATURES_HEADER|unix.NLA_F_NESTED)
	if s.lists["features"], err = c.dump(family, body); err != nil {
		return fmt.Errorf("read the features: %w", err)
	}
	return nil
}

// featureLines tell, of each link, which of its features can be changed and are asked for.
func (p *printer) featureLines() {
	for _, m := range p.s.lists["features"] {
		b := m.body[genlHeader:]
		can, never := onNames(find(b, unix.ETHTOOL_A_FEATURES_HW)), onNames(find(b, unix.ETHTOOL_A_FEATURES_NOCHANGE))
		link := text(find(b, unix.ETHTOOL_A_FEATURES_HEADER, unix.ETHTOOL_A_HEADER_DEV_NAME))
		p.begin("link " + link + " features")
		for _, name := range onNames(find(b, unix.ETHTOOL_A_FEATURES_WANTED)) {
			history := slices.Contains(ofMode, name) && p.isBond(link)
			if slices.Contains(can, name) && !slices.Contains(never, name) && !history {
				p.add(name)
			}
		}
		p.end()
	}
}

// ofMode are features that a bond has in mode active-backup. Linux 6.1 gives them to a bond that changes to that mode,
// and not to one that is made in it: they tell of history.
var ofMode = []string{"esp-hw-offload", "esp-tx-csum-hw-offload", "tx-esp-segmentation"}

func (p *printer) isBond(name string) bool {
	return slices.ContainsFunc(p.s.Links, func(l *Link) bool { return l.Name == name && l.info == "bond" })
}

// onNames lists the names of the bits of a set that are on, sorted. One without a mask has no others.
func onNames(set []byte) (names []string) {
	all := find(set, unix.ETHTOOL_A_BITSET_NOMASK) != nil
	for _, bit := range each(find(set, unix.ETHTOOL_A_BITSET_BITS)) {
		name := text(find(bit, unix.ETHTOOL_A_BITSET_BIT_NAME))
		if name != "" && (all || find(bit, unix.ETHTOOL_A_BITSET_BIT_VALUE) != nil) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
