package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// LegacyTable is a table of iptables-legacy as the kernel has it: entries (struct ipt_entry, struct ip6t_entry), and
// where among them the forward hook begins.
type LegacyTable struct {
	Entries []byte
	Forward int
}

// Options of linux/netfilter_ipv4/ip_tables.h and linux/netfilter_ipv6/ip6_tables.h, and parts of their structs.
const (
	iptInfo       = 64
	iptEntries    = 65
	legacyFilter  = "filter"
	legacyName    = 32
	legacyInfo    = legacyName + 4 + 5*4 + 5*4 + 4 + 4
	legacyHooks   = legacyName
	legacyForward = legacyName + 4 + 2*4 // NF_INET_FORWARD
	legacySize    = legacyInfo - 4
	legacyHead    = 40 // struct ipt_get_entries, aligned for the entries
	forwardHook   = 1 << 2
)

// LegacyTables lists the tables of iptables-legacy that there are.
func (n *Namespace) LegacyTables(v4 bool) (names []string, err error) {
	err = n.Inside(func() error {
		names, err = legacyTables(v4)
		return err
	})
	return names, err
}

func legacyTables(v4 bool) ([]string, error) {
	list := "/proc/thread-self/net/ip6_tables_names"
	if v4 {
		list = "/proc/thread-self/net/ip_tables_names"
	}
	names, err := os.ReadFile(list)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(names)), err
}

// LegacyFilter reads the filter table of iptables-legacy; nil where there is none. Asking for a table that is not there
// would make it, so the list of tables is looked at first.
func (n *Namespace) LegacyFilter(v4 bool) (t *LegacyTable, err error) {
	family, level := unix.AF_INET6, unix.IPPROTO_IPV6
	if v4 {
		family, level = unix.AF_INET, unix.IPPROTO_IP
	}
	err = n.Inside(func() error {
		names, err := legacyTables(v4)
		if err == nil && slices.Contains(names, legacyFilter) {
			t, err = readLegacy(family, level)
		}
		if err != nil {
			return fmt.Errorf("read the filter table of iptables-legacy: %w", err)
		}
		return nil
	})
	return t, err
}

func readLegacy(family, level int) (*LegacyTable, error) {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd) //nolint:errcheck // only read
	info := make([]byte, legacyInfo)
	copy(info, legacyFilter)
	if err := getsockopt(fd, level, iptInfo, info); err != nil {
		return nil, err
	}
	if binary.NativeEndian.Uint32(info[legacyHooks:])&forwardHook == 0 {
		return nil, nil
	}
	size := binary.NativeEndian.Uint32(info[legacySize:])
	b := make([]byte, legacyHead+int(size))
	copy(b, legacyFilter)
	binary.NativeEndian.PutUint32(b[legacyName:], size)
	if err := getsockopt(fd, level, iptEntries, b); err != nil {
		return nil, err
	}
	return &LegacyTable{b[legacyHead:], int(binary.NativeEndian.Uint32(info[legacyForward:]))}, nil
}

func getsockopt(fd, level, option int, b []byte) error {
	length := uint32(len(b))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&length)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
