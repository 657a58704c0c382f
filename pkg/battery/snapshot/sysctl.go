package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Most parameters of links come by netlink, all of a link in one message: a file for each would be thousands. They
// are the same numbers; TestSysctlsAsFiles holds that they are shown as the files show them.

// conf4 and conf6 are the parameters that IFLA_INET_CONF and IFLA_INET6_CONF hold, in their order: IPV4_DEVCONF_* of
// linux/ip.h and DEVCONF_* of linux/ipv6.h, with what they are divided by for the unit of the file. What a kernel has
// beside these is read from files.
var (
	conf4 = params(`
		forwarding mc_forwarding proxy_arp accept_redirects secure_redirects send_redirects shared_media rp_filter
		accept_source_route bootp_relay log_martians tag arp_filter medium_id disable_xfrm disable_policy
		force_igmp_version arp_announce arp_ignore promote_secondaries arp_accept arp_notify accept_local src_valid_mark
		proxy_arp_pvlan route_localnet igmpv2_unsolicited_report_interval igmpv3_unsolicited_report_interval
		ignore_routes_with_linkdown drop_unicast_in_l2_multicast drop_gratuitous_arp bc_forwarding arp_evict_nocarrier`)
	conf6 = params(`
		forwarding hop_limit mtu accept_ra accept_redirects autoconf dad_transmits router_solicitations
		router_solicitation_interval:1000 router_solicitation_delay:1000 use_tempaddr temp_valid_lft temp_prefered_lft
		regen_max_retry max_desync_factor max_addresses force_mld_version accept_ra_defrtr accept_ra_pinfo
		accept_ra_rtr_pref router_probe_interval:1000 accept_ra_rt_info_max_plen proxy_ndp optimistic_dad
		accept_source_route mc_forwarding disable_ipv6 accept_dad force_tllao ndisc_notify
		mldv1_unsolicited_report_interval mldv2_unsolicited_report_interval suppress_frag_ndisc accept_ra_from_local
		use_optimistic accept_ra_mtu stable_secret use_oif_addrs_only accept_ra_min_hop_limit
		ignore_routes_with_linkdown drop_unicast_in_l2_multicast drop_unsolicited_na keep_addr_on_down
		router_solicitation_max_interval:1000 seg6_enabled seg6_require_hmac enhanced_dad addr_gen_mode disable_policy
		accept_ra_rt_info_min_plen ndisc_tclass rpl_seg_enabled ra_defrtr_metric ioam6_enabled ioam6_id
		ioam6_id_wide:unsigned ndisc_evict_nocarrier accept_untracked_na accept_ra_min_lft`)
)

// param is a parameter that comes by netlink.
type param struct {
	name     string
	unit     int // by which it is divided
	unsigned bool
}

func params(list string) (all []param) {
	for _, word := range strings.Fields(list) {
		name, note, _ := strings.Cut(word, ":")
		p := param{name: name, unit: 1, unsigned: note == "unsigned"}
		if n, err := strconv.Atoi(note); err == nil {
			p.unit = n
		}
		all = append(all, p)
	}
	return all
}

func (p param) show(value uint32) string {
	if p.unsigned {
		return strconv.FormatUint(uint64(value), 10)
	}
	return strconv.Itoa(int(int32(value)) / p.unit)
}

// neighbourParams are those of a table of neighbours, NDTPA_* of linux/neighbour.h, with what their milliseconds are
// divided by for the unit of the file.
var neighbourParams = map[uint16]struct {
	name string
	unit uint64
}{
	4: {"base_reachable_time_ms", 1}, 5: {"retrans_time_ms", 1}, 6: {"gc_stale_time", 1000},
	7: {"delay_first_probe_time", 1000}, 9: {"app_solicit", 1}, 10: {"ucast_solicit", 1}, 11: {"mcast_solicit", 1},
	12: {"anycast_delay", 10}, 13: {"proxy_delay", 10}, 14: {"proxy_qlen", 1}, 15: {"locktime", 10},
	16: {"unres_qlen_bytes", 1}, 17: {"mcast_resolicit", 1}, 19: {"interval_probe_time_ms", 1},
}

// sysctlDir is where parameters are, below /proc/sys/net.
type sysctlDir struct {
	path  string
	names []string
}

// fileNames lists the parameters that are read from files: those that stand alone, those of all links and of new
// ones, and those of each link that netlink does not tell. They are the same in all namespaces.
var fileNames = sync.OnceValues(func() (names struct{ once, each []sysctlDir }, err error) {
	for _, path := range strings.Fields("ipv4 ipv6 ipv4/conf/all ipv4/conf/default ipv6/conf/all ipv6/conf/default") {
		d, err := listSysctls(path, nil)
		if err != nil {
			return names, err
		}
		names.once = append(names.once, d)
	}
	for path, told := range map[string][]param{"ipv4/conf": conf4, "ipv6/conf": conf6} {
		d, err := listSysctls(path+"/lo", told)
		if err != nil {
			return names, err
		}
		d.path = path
		names.each = append(names.each, d)
	}
	return names, nil
})

func listSysctls(path string, but []param) (d sysctlDir, err error) {
	d.path = path
	entries, err := os.ReadDir("/proc/sys/net/" + path)
	for _, e := range entries {
		told := slices.ContainsFunc(but, func(p param) bool { return p.name == e.Name() })
		if e.Type().IsRegular() && !unsteady(e.Name()) && !told {
			d.names = append(d.names, e.Name())
		}
	}
	return d, err
}

// unsteady are parameters that are random, counted, or dependent on the modules loaded.
func unsteady(name string) bool {
	return name == "stable_secret" || name == "tcp_fastopen_key" || strings.HasPrefix(name, "tcp_available_") ||
		strings.HasPrefix(name, "tcp_allowed_") || strings.HasPrefix(name, "tcp_ehash") || strings.HasPrefix(name, "udp_hash")
}

// readSysctls lists the parameters of the calling thread's namespace, as "ipv4/conf/lo/forwarding = 0".
func readSysctls(s *Section, keep bool) (lines []string, err error) {
	names, err := fileNames()
	if err != nil {
		return nil, err
	}
	net, err := unix.Open("/proc/sys/net", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /proc/sys/net: %w", err)
	}
	defer unix.Close(net) //nolint:errcheck // O_PATH
	if lines, err = readOnce(s.Cookie, keep, net, names.once); err != nil {
		return nil, err
	}
	for _, l := range s.Links {
		lines = l.confLines(lines, "ipv4/conf/"+l.Name+"/", conf4, familyIPv4, inetConf)
		lines = l.confLines(lines, "ipv6/conf/"+l.Name+"/", conf6, familyIPv6, inet6Conf)
		for _, d := range names.each {
			err := d.open(net, d.path+"/"+l.Name, func(f sysctlFile) { lines = f.read(lines, true) })
			if err != nil {
				return nil, err
			}
		}
	}
	return s.neighbourLines(lines), nil
}

// sysctlFile is an open parameter.
type sysctlFile struct {
	path string
	fd   int
}

// read reads a parameter, if that can be read.
func (f sysctlFile) read(lines []string, last bool) []string {
	var buf [512]byte
	n, err := unix.Pread(f.fd, buf[:], 0)
	if last {
		_ = unix.Close(f.fd)
	}
	if err != nil {
		return lines
	}
	return append(lines, f.path+" = "+string(bytes.TrimSpace(buf[:n])))
}

// opened are the parameters that stay open from one snapshot to the next, by the cookie of their namespace: to open
// one takes much longer than to read it.
var opened = struct {
	sync.Mutex
	files map[uint64][]sysctlFile
}{files: make(map[uint64][]sysctlFile)}

// firstKept is the least descriptor of what stays open: programs that use select(2) can't have one above 1023.
const firstKept = 1 << 12

// keep moves an open parameter out of the way. It fails where a process may not have as many open.
func (f sysctlFile) keep() (sysctlFile, error) {
	fd, err := unix.FcntlInt(uintptr(f.fd), unix.F_DUPFD_CLOEXEC, firstKept)
	if err != nil {
		return f, err
	}
	_ = unix.Close(f.fd)
	return sysctlFile{f.path, fd}, nil
}

// readOnce reads the parameters of a namespace that are not of one link. Keep says that they may stay open.
func readOnce(cookie uint64, keep bool, net int, dirs []sysctlDir) (lines []string, err error) {
	opened.Lock()
	files, ok := opened.files[cookie]
	opened.Unlock()
	if ok {
		for _, f := range files {
			lines = f.read(lines, false)
		}
		return lines, nil
	}
	for _, d := range dirs {
		err := d.open(net, d.path, func(f sysctlFile) {
			var err error
			if keep {
				f, err = f.keep()
				keep = err == nil
			}
			if keep {
				files = append(files, f)
			}
			lines = f.read(lines, !keep)
		})
		if err != nil {
			return nil, err
		}
	}
	opened.Lock()
	defer opened.Unlock()
	if opened.files[cookie] = files; !keep {
		closeKept(cookie)
	}
	return lines, nil
}

func closeKept(cookie uint64) {
	for _, f := range opened.files[cookie] {
		_ = unix.Close(f.fd)
	}
	delete(opened.files, cookie)
}

// closeOthers closes the parameters of namespaces that are gone.
func closeOthers(sections []*Section) {
	opened.Lock()
	defer opened.Unlock()
	for cookie := range opened.files {
		if !slices.ContainsFunc(sections, func(s *Section) bool { return s.Cookie == cookie }) {
			closeKept(cookie)
		}
	}
}

// Close closes what stays open from one snapshot to the next, for tests that count descriptors.
func Close() { closeOthers(nil) }

// confLines lists the parameters of a link that came by netlink.
func (l *Link) confLines(lines []string, path string, names []param, family, conf uint16) []string {
	values := find(l.body, unix.IFLA_AF_SPEC, family, conf)
	for i, p := range names {
		passes := p.name == "addr_gen_mode" && l.nameless() // see leftOutAtTimes
		if len(values) >= 4*(i+1) && !unsteady(p.name) && !passes {
			lines = append(lines, path+p.name+" = "+p.show(native.Uint32(values[4*i:])))
		}
	}
	return lines
}

// neighbourLines lists the parameters of the tables of neighbours, of each link. Those of new links are the whole
// machine's.
func (s *Section) neighbourLines(lines []string) []string {
	const header, params, indexAttr = 4, 6, 1 // struct ndtmsg, NDTA_PARMS, NDTPA_IFINDEX
	for _, m := range s.lists["neighbour tables"] {
		if len(m.body) < header {
			continue
		}
		family, ok := map[byte]string{unix.AF_INET: "ipv4", unix.AF_INET6: "ipv6"}[m.body[0]]
		if !ok {
			continue
		}
		list := find(m.body[header:], params)
		l := s.byIndex(int(number(find(list, indexAttr))))
		if l == nil {
			continue
		}
		for kind, value := range each(list) {
			if p, ok := neighbourParams[kind]; ok {
				lines = append(lines, family+"/neigh/"+l.Name+"/"+p.name+" = "+strconv.FormatUint(number(value)/p.unit, 10))
			}
		}
	}
	return lines
}

// open opens the files of a directory. Not every link has all of them, and some can be written only.
func (d sysctlDir) open(net int, path string, f func(sysctlFile)) error {
	if len(d.names) == 0 {
		return nil
	}
	dir, err := unix.Openat(net, path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(dir) //nolint:errcheck // O_PATH
	for _, name := range d.names {
		fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			f(sysctlFile{path + "/" + name, fd})
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("open %s/%s: %w", path, name, err)
		}
	}
	return nil
}
