package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Part is a part of the kernel that not every kernel has, and how it comes there.
type Part struct {
	// Module is the module that it is in, and Option what the kernel is configured with to have it, without "CONFIG_".
	Module, Option string
	// Since is the first version of Linux that has it; empty for one that none is older than on which plumb works.
	Since string
	// Device is the file that it is used by, empty for a type of link that is made by RTM_NEWLINK.
	Device string
}

// String says what a kernel needs that lacks the part.
func (p Part) String() string {
	s := fmt.Sprintf("the kernel module %s (CONFIG_%s)", p.Module, p.Option)
	if p.Since != "" {
		s += ", which Linux has since " + p.Since
	}
	return s
}

// HasLinks says whether the kernel can make links of a type (IFLA_INFO_KIND), which are in a part of it. What it could
// load for that is not loaded: a module may make links when it comes.
func (n *Namespace) HasLinks(kind string, in Part) (bool, error) {
	alias := "rtnl-link-" + kind
	if in.Device != "" {
		alias = "devname:" + strings.TrimPrefix(in.Device, "/dev/")
	}
	switch {
	case Loaded(in.Module) && in.Device == "", loadable(alias):
		return true, nil
	case in.Device != "":
		return opens(in.Device)
	}
	err := n.Read(linkProbe(kind), func([][]byte) {})
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		return false, nil
	case err == nil:
		return false, fmt.Errorf("a link of type %s was made where none should have been", kind)
	case errors.Is(err, unix.EINVAL):
		return true, nil
	}
	return false, fmt.Errorf("ask for links of type %s: %w", kind, err)
}

// linkProbe asks for a link that can't be: one without queues. The kernel looks for the type first, and has made
// nothing yet when it refuses the number (net/core/rtnetlink.c: rtnl_create_link).
func linkProbe(kind string) Query {
	m := NewMessage(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK, nl.NewIfInfomsg(unix.AF_UNSPEC))
	m.U32(unix.IFLA_NUM_TX_QUEUES, 0)
	m.Nest(unix.IFLA_LINKINFO).AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(kind))
	return NewQuery(m.NetlinkRequest, 0)
}

// Loaded says whether a module is in the kernel. Of one that is built in there may be no sign.
func Loaded(module string) bool {
	_, err := os.Stat("/sys/module/" + strings.ReplaceAll(module, "-", "_"))
	return err == nil
}

// loadable says whether the kernel would load a module for an alias (modprobe(8)), as far as can be seen from here.
func loadable(alias string) bool {
	var uts unix.Utsname
	off, err := os.ReadFile("/proc/sys/kernel/modules_disabled")
	if err != nil || off[0] != '0' || unix.Uname(&uts) != nil {
		return false
	}
	list, err := os.ReadFile(filepath.Join("/lib/modules", unix.ByteSliceToString(uts.Release[:]), "modules.alias"))
	return err == nil && bytes.Contains(list, []byte("alias "+alias+" "))
}

// opens says whether a device is there.
func opens(device string) (bool, error) {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("open %s: %w", device, err)
	}
	return true, unix.Close(fd)
}
