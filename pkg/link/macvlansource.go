package link

import (
	"bytes"

	"github.com/vishvananda/netlink/nl"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// source is the mode in which a macvlan has the frames of some stations alone.
const source = "source"

// IFLA_MACVLAN_* of linux/if_link.h, and what is done with a list of sources: MACVLAN_MACADDR_SET.
const (
	macvlanSourcesMode = 3
	macvlanSource      = 4
	setAllSources      = 3
)

// macSet is a set of MACs.
func macSet(list ...object.MAC) plan.List[object.MAC] {
	return plan.NewList(func(a, b object.MAC) int { return bytes.Compare(a[:], b[:]) }, list...)
}

// checkSources reports sources in a mode that has none, and puts them into order.
func checkSources(l *object.Iface, at file.Spots) {
	m := l.Spec.(Macvlan)
	if m.Sources.Len() > 0 && m.Mode != source {
		l.Section.Errorf(at.At("macaddr"), "macaddr is for mode source, and the mode of %s is %s", l, m.Mode)
	}
	m.Sources = macSet(m.Sources.Slice().([]object.MAC)...)
	l.Spec = m
}

// setSources says that those sources of a message are all; without any, that there are none.
func setSources(data *nl.RtAttr, want, have Spec) {
	if w, h := want.(Macvlan), have.(Macvlan); w.Mode == source && w.Sources != h.Sources {
		data.AddRtAttr(macvlanSourcesMode, nl.Uint32Attr(setAllSources))
	}
}

func encodeMACs(data *nl.RtAttr, kind int, list plan.List[object.MAC]) {
	if list.Len() == 0 {
		return
	}
	nest := nl.NewRtAttr(kind, nil)
	for m := range list.All() {
		nest.AddRtAttr(macvlanSource, m[:])
	}
	data.AddChild(nest)
}

func decodeMACs(value kernel.Attrs) plan.List[object.MAC] {
	var list []object.MAC
	for _, b := range kernel.Attributes(value) {
		var m object.MAC
		copy(m[:], b)
		list = append(list, m)
	}
	return macSet(list...)
}
