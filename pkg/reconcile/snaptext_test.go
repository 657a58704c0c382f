package reconcile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// linkAttrs are the attributes of a link, as ip(8) names them, that belong to its state.
var linkAttrs = []string{"mtu", "master", "group", "address", "ifalias", "txqlen", "inet6_addr_gen_mode", "altnames"}

// ownFlags are those that somebody sets; the others follow the carrier.
var ownFlags = []string{"UP", "NOARP", "MULTICAST", "PROMISC", "ALLMULTI", "DYNAMIC"}

// passing are details of a link that come and go by themselves, or tell of its history.
var passing = []string{
	"bridge_id", "root_id", "root_port", "root_path_cost", "topology_change", "topology_change_detected",
	"topology_change_ack", "config_pending", "hello_timer", "tcn_timer", "topology_change_timer", "gc_timer",
	"id", "no", "designated_port", "designated_cost", "hold_timer", "message_age_timer", "forward_delay_timer",
}

func (s *section) write(b *strings.Builder, all []*section) {
	place := "host"
	if s.name != "" {
		place = s.name
	}
	var lines []string
	for _, l := range s.links {
		lines = append(lines, s.linkLines(l, all)...)
	}
	lines = append(lines, s.addressLines()...)
	for _, r := range s.routes {
		if line, ok := s.routeLine(r); ok {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	for _, list := range [][]string{lines, s.rest, s.sysctls} { // the order of rules is theirs
		for _, line := range list {
			fmt.Fprintf(b, "%s: %s\n", place, line)
		}
	}
}

// passes says whether a detail of the link is one of the passing: also what STP changes by itself.
func (l *link) passes(detail string) bool {
	switch detail {
	case "ageing_time":
		return l.stp
	case "state":
		return l.portOf != nil && (l.portOf.stp || !l.has("LOWER_UP"))
	}
	return slices.Contains(passing, detail)
}

func (s *section) linkLines(l *link, all []*section) []string {
	head := "link " + l.name + " "
	lines := []string{head + "flags " + fmt.Sprint(slices.DeleteFunc(slices.Clone(l.flags), func(f string) bool { return !slices.Contains(ownFlags, f) }))}
	for _, a := range linkAttrs {
		if v, ok := l.attrs[a]; ok {
			lines = append(lines, head+a+" "+fmt.Sprint(v))
		}
	}
	if peer := s.peer(l, all); peer != "" {
		lines = append(lines, head+"peer "+peer)
	}
	info, _ := l.attrs["linkinfo"].(map[string]any)
	for group, data := range info {
		details, ok := data.(map[string]any)
		if !ok {
			lines = append(lines, head+group+" "+fmt.Sprint(data))
			continue
		}
		for k, v := range details {
			if l.passes(k) {
				continue
			}
			lines = append(lines, fmt.Sprintf("%s%s %s %v", head, group, k, v))
		}
	}
	return lines
}

// peer names the other end of a cable by its namespace and name.
func (s *section) peer(l *link, all []*section) string {
	if name, ok := l.attrs["link"].(string); ok {
		return name
	}
	index, ok := l.attrs["link_index"].(float64)
	if !ok {
		return ""
	}
	id, ok := l.attrs["link_netnsid"].(float64)
	name, known := s.nsids[int(id)]
	if !ok || !known {
		return "in a namespace without a name"
	}
	for _, n := range all {
		if n.name == name {
			if p := n.byIndex(int(index)); p != nil {
				return name + "/" + p.name
			}
		}
	}
	return name + "/?"
}

// addressLines number the addresses of each link: their order matters.
func (s *section) addressLines() []string {
	var lines []string
	count := make(map[string]int)
	for _, a := range s.addresses {
		l := s.byIndex(a.LinkIndex)
		if l == nil || l.waiting() && a.IP.Equal(l.linkLocal()) {
			continue
		}
		family := "inet6"
		if a.IP.To4() != nil {
			family = "inet"
		}
		head := "address " + l.name + " " + family
		count[head]++
		lines = append(lines, fmt.Sprintf("%s %d: %s", head, count[head], addressText(a)))
	}
	return lines
}

// protoLinkLocal is IFAPROT_KERNEL_LL of linux/if_addr.h.
const protoLinkLocal = 3

func addressText(a netlink.Addr) string {
	flags := uint32(a.Flags) &^ (unix.IFA_F_TENTATIVE | unix.IFA_F_OPTIMISTIC)
	if a.Protocol == protoLinkLocal {
		flags &^= unix.IFA_F_NODAD // the kernel's own looks for duplicates
	}
	forever := a.ValidLft == 0 || uint32(a.ValidLft) == 0xffffffff
	text := fmt.Sprintf("%s scope %d proto %d flags %#x forever %v label %q", a.IPNet, a.Scope, a.Protocol, flags, forever, a.Label)
	if a.Peer != nil && !a.Peer.IP.Equal(a.IP) {
		text += " peer " + a.Peer.String()
	}
	if a.Broadcast != nil {
		text += " broadcast " + a.Broadcast.String()
	}
	return text
}

// routeLine tells a route; ok is false for what comes by itself some time after the address or the carrier of its link.
func (s *section) routeLine(r map[string]any) (line string, ok bool) {
	for _, l := range s.links {
		if l.name != r["dev"] {
			continue
		}
		async := []any{"fe80::", l.linkLocal().String()} // these wait for the detection of duplicates
		if l.waiting() {
			async = append(async, "fe80::/64", "ff00::/8")
		}
		if r["protocol"] == "kernel" && slices.Contains(async, r["dst"]) {
			return "", false
		}
	}
	noCarrier(r)
	if ways, ok := r["nexthops"].([]any); ok {
		for _, way := range ways {
			noCarrier(way.(map[string]any))
		}
	}
	delete(r, "expires")
	return "route " + compact(r), true
}

// noCarrier leaves out that a route's link has no carrier: the kernel notes that up to a second later, and the flags
// of both ends tell it too.
func noCarrier(way map[string]any) {
	if flags, ok := way["flags"].([]any); ok {
		way["flags"] = slices.DeleteFunc(flags, func(f any) bool { return f == "linkdown" })
	}
}

// sysctlDirs are where each link has parameters of its own, below /proc/sys/net.
var sysctlDirs = []string{"ipv4/conf", "ipv4/neigh", "ipv6/conf", "ipv6/neigh"}

// sysctlNames lists the parameters in a directory. They are the same in all namespaces.
var sysctlNames = sync.OnceValues(func() (map[string][]string, error) {
	names := make(map[string][]string)
	for _, dir := range append([]string{"ipv4", "ipv6"}, sysctlDirs...) {
		from := "/proc/sys/net/" + dir
		if strings.Contains(dir, "/") {
			from += "/lo"
		}
		entries, err := os.ReadDir(from)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !e.IsDir() && e.Type().IsRegular() && !unsteady(e.Name()) {
				names[dir] = append(names[dir], e.Name())
			}
		}
	}
	return names, nil
})

// unsteady are parameters that are random, counted, or dependent on the modules loaded.
func unsteady(name string) bool {
	return name == "stable_secret" || name == "tcp_fastopen_key" || strings.HasPrefix(name, "tcp_available_") ||
		strings.HasPrefix(name, "tcp_allowed_") || strings.HasPrefix(name, "tcp_ehash") || strings.HasPrefix(name, "udp_hash")
}

// readSysctls reads the parameters of the calling thread's namespace, as "ipv4/conf/lo/forwarding = 0", or those only
// that [section.unsettled] asks for.
func readSysctls(whole bool) ([]string, error) {
	names, err := sysctlNames()
	if err != nil {
		return nil, err
	}
	if !whole {
		names = map[string][]string{"ipv6/conf": {"disable_ipv6"}}
	}
	var lines []string
	for _, dir := range []string{"ipv4", "ipv6"} {
		if lines, err = readSysctlDir(lines, dir, names[dir]); err != nil {
			return nil, err
		}
	}
	for _, dir := range sysctlDirs {
		if len(names[dir]) == 0 {
			continue
		}
		entries, err := os.ReadDir("/proc/sys/net/" + dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if lines, err = readSysctlDir(lines, dir+"/"+e.Name(), names[dir]); err != nil {
				return nil, err
			}
		}
	}
	return lines, nil
}

func readSysctlDir(lines []string, dir string, names []string) ([]string, error) {
	fd, err := unix.Open("/proc/sys/net/"+dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return lines, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	defer unix.Close(fd) //nolint:errcheck // O_PATH
	var buf [512]byte
	for _, name := range names {
		file, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue // not every link has all of them, and some can be written only
		}
		n, err := unix.Read(file, buf[:])
		_ = unix.Close(file)
		if err == nil {
			lines = append(lines, dir+"/"+name+" = "+strings.TrimSpace(string(buf[:n])))
		}
	}
	return lines, nil
}

// difference lists what only one of two snapshots has.
func difference(before, after string) string {
	if before == after {
		return ""
	}
	count := make(map[string]int)
	for line := range strings.Lines(after) {
		count[line]++
	}
	var b strings.Builder
	for line := range strings.Lines(before) {
		if count[line]--; count[line] < 0 {
			b.WriteString("- " + line)
		}
	}
	for line := range strings.Lines(after) {
		if count[line] > 0 {
			count[line]--
			b.WriteString("+ " + line)
		}
	}
	if b.Len() == 0 {
		return "the same lines in another order\n"
	}
	return b.String()
}
