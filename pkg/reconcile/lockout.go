package reconcile

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kind"
	"github.com/plumbnet/plumb/pkg/plan"
)

// guard turns steps that would cut the host off into refusals, unless that was allowed. They come first, as all refusals
// do: should the plan be one of a later round, nothing of it is done.
func (r *run) guard(p plan.Plan) plan.Plan {
	if r.AllowDisconnect || !slices.ContainsFunc(p.Steps, touchesHost) {
		return p
	}
	lines := r.lifelines(os.Getenv, os.ReadFile)
	for i, s := range p.Steps {
		if s.Action == plan.Refuse {
			continue
		}
		for _, c := range s.Changes {
			if why := lines.cutBy(s, c); why != "" {
				p.Steps[i].Action, p.Steps[i].Reason = plan.Refuse, why+": use --allow-disconnect if that is meant"
			}
		}
	}
	slices.SortStableFunc(p.Steps, func(a, b plan.Step) int { return rankOfRefusal(a) - rankOfRefusal(b) })
	return p
}

// touchesHost says whether a step can cut a lifeline: it changes what is there on the host, or adds a route.
func touchesHost(s plan.Step) bool {
	return slices.ContainsFunc(s.Changes, func(c plan.Change) bool {
		k := c.Key()
		return k.NS == "" && k.Kind != kind.KindNamespace && (c.Old != nil || k.Kind == kind.KindRoute)
	})
}

func rankOfRefusal(s plan.Step) int {
	if s.Action == plan.Refuse {
		return 0
	}
	return 1
}

// lifelines are what connects the host: the default routes that plumb has not made, their interfaces, and that of the
// current SSH session.
type lifelines struct {
	defaults []kind.DefaultRoute
	links    map[string]*lifeline // by interface
	sshAddr  netip.Addr           // our end of the session
}

// lifeline is what an interface carries.
type lifeline struct {
	uplink, ssh bool
	v4, v6      bool // addresses that are more than link-local, the session's, or a default route
	advertised  bool // a default route that routers advertise
}

// lifelines looks for them on the host.
func (r *run) lifelines(getenv func(string) string, readFile func(string) ([]byte, error)) lifelines {
	lines := lifelines{links: make(map[string]*lifeline), sshAddr: sshAddress(getenv, readFile, os.Getpid())}
	host := r.env.Sections[""]
	for _, d := range kind.DefaultRoutes(host) {
		if d.Proto == kind.Protocol {
			continue
		}
		lines.defaults = append(lines.defaults, d)
		for _, dev := range d.Devs {
			l := lines.link(dev)
			l.uplink, l.v4, l.v6 = true, l.v4 || d.V4, l.v6 || !d.V4
			l.advertised = l.advertised || d.Proto == unix.RTPROT_RA
		}
	}
	for _, a := range host.Addresses() {
		if a.Prefix.Addr() == lines.sshAddr {
			lines.link(host.LinkName(a.Index)).ssh = true
		}
	}
	for _, a := range host.Addresses() {
		addr, l := a.Prefix.Addr(), lines.links[host.LinkName(a.Index)]
		if l != nil && (!addr.IsLinkLocalUnicast() || addr == lines.sshAddr) {
			l.v4, l.v6 = l.v4 || addr.Is4(), l.v6 || addr.Is6()
		}
	}
	return lines
}

func (l lifelines) link(dev string) *lifeline {
	if l.links[dev] == nil {
		l.links[dev] = new(lifeline)
	}
	return l.links[dev]
}

// named names an interface by what it is.
func (l lifelines) named(dev string) string {
	if l.links[dev].ssh {
		return dev + ", which carries the current SSH session"
	}
	return dev + ", the host's uplink"
}

// cutBy says which lifeline a change cuts, empty for none.
func (l lifelines) cutBy(s plan.Step, c plan.Change) string {
	switch old := c.Old.(type) {
	case nil:
		if r, ok := c.New.(kind.Route); ok {
			return l.outdoneBy(r)
		}
	case kind.Route:
		if l.cutsRoute(s.Action, old, c.New) {
			return "would take the host's default route"
		}
	case kind.Address:
		switch {
		case old.NS != "" || s.Action == plan.Update || s.Action == plan.Adopt:
		case old.Prefix.Addr() == l.sshAddr:
			return "would take the address of the current SSH session"
		case l.links[old.Dev] != nil && l.links[old.Dev].uplink:
			return fmt.Sprintf("would take an address of %s, the host's uplink", old.Dev)
		}
	case kind.Link:
		if old.NS == "" && l.links[old.Ifname] != nil && cuts(s, c) {
			return "would cut " + l.named(old.Ifname)
		}
	case kind.Sysctl:
		if now, ok := c.New.(kind.Sysctl); ok && now.NS == "" && now != old {
			return l.silencedBy(now)
		}
	}
	return ""
}

// outdoneBy says whether a new route wins over a default route of the host's own, and leads elsewhere. Two halves of all
// addresses are another way to write a default route, which wins whatever its metric.
func (l lifelines) outdoneBy(r kind.Route) string {
	if r.NS != "" || r.Table != kind.MainTable || r.Dst.Bits() > 1 {
		return ""
	}
	for _, d := range l.defaults {
		wins := d.V4 == r.Dst.Addr().Is4() && (r.Dst.Bits() == 1 || r.Metric <= d.Metric)
		same := r.Type == kind.Unicast && r.NextHops == "" && r.Via == d.Via && (!r.Dev.Set || slices.Equal(d.Devs, []string{r.Dev.V}))
		if wins && !same {
			return fmt.Sprintf("would lead what takes the host's default route over %s elsewhere", strings.Join(d.Devs, " and "))
		}
	}
	return ""
}

// silencedBy says whether a parameter of the host keeps an interface from what it is there for.
func (l lifelines) silencedBy(v kind.Sysctl) string {
	part := strings.Split(kind.SysctlPath(v.Name), "/") // net/ipv6/conf/eth0/disable_ipv6
	value, err := strconv.ParseInt(v.Value, 0, 64)
	if err != nil || len(part) != 5 || part[2] != "conf" {
		return ""
	}
	for _, dev := range slices.Sorted(maps.Keys(l.links)) {
		line, all := l.links[dev], part[3] == "all"
		if part[3] != dev && !all {
			continue
		}
		switch key := part[1] + " " + part[4]; {
		case line.v6 && key == "ipv6 disable_ipv6" && value != 0:
			return "would switch IPv6 off on " + l.named(dev)
		case line.v4 && key == "ipv4 arp_ignore" && value == 8: // all else answers for some address (net/ipv4/arp.c: arp_ignore)
			return fmt.Sprintf("would keep %s, from answering ARP", l.named(dev))
		case line.advertised && !all && (key == "ipv6 accept_ra" || key == "ipv6 accept_ra_defrtr") && value == 0:
			return fmt.Sprintf("would let the default route over %s, expire", l.named(dev))
		}
	}
	return ""
}

// cutsRoute says whether a default route that plumb has not made, or that the current SSH session may need, goes or
// leads elsewhere.
func (l lifelines) cutsRoute(action plan.Action, old kind.Route, next plan.Object) bool {
	// What a hand has changed is still ours; what a DHCP client or a routing daemon has made is not.
	ours := old.Proto == kind.Protocol || action == plan.Update && old.HandMade()
	line := l.links[old.Dev.V]
	if old.NS != "" || old.Dst.Bits() != 0 || old.Table != kind.MainTable || ours && (line == nil || !line.ssh) {
		return false
	}
	now, stays := next.(kind.Route)
	return !stays || now.Type != old.Type || now.Via != old.Via || now.Dev.Set && now.Dev != old.Dev
}

// cuts says whether a change of a link stops its traffic: it goes, or it gets another name, bridge or MAC.
func cuts(s plan.Step, c plan.Change) bool {
	old, okOld := c.Old.(kind.Link)
	now, okNow := c.New.(kind.Link)
	if s.Action == plan.Delete || s.Action == plan.Replace || !okOld || !okNow {
		return true
	}
	return old.Ifname != now.Ifname || old.Master != now.Master || old.MAC != now.MAC || old.Up && !now.Up
}

// sshAddress is the host's address of the SSH session that the process belongs to: SSH_CONNECTION of ssh(1), of the
// process or, as sudo takes it away, of one that it descends from.
func sshAddress(getenv func(string) string, readFile func(string) ([]byte, error), pid int) netip.Addr {
	const generations = 64
	connection := getenv("SSH_CONNECTION")
	for range generations {
		// client address, client port, server address, server port
		if field := strings.Fields(connection); len(field) == 4 {
			a, _ := netip.ParseAddr(field[2]) // whatever else it is, it is no address of ours
			return a.WithZone("").Unmap()
		}
		if pid = parent(readFile, pid); pid <= 1 {
			break
		}
		environ, err := readFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			break // another user's: no session of ours
		}
		for entry := range strings.SplitSeq(string(environ), "\x00") {
			if v, ok := strings.CutPrefix(entry, "SSH_CONNECTION="); ok {
				connection = v
			}
		}
	}
	return netip.Addr{}
}

// parent reads a process's parent from proc_pid_stat(5): the fourth field, after a name in parentheses.
func parent(readFile func(string) ([]byte, error), pid int) int {
	stat, err := readFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	text := string(stat)
	field := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(field) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(field[1]) // 0 is no process
	return ppid
}
