package reconcile

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/plumbnet/plumb/pkg/kind"
	"github.com/plumbnet/plumb/pkg/plan"
)

// guard turns steps that would cut the host off into refusals, unless that was allowed.
func (r *run) guard(p plan.Plan) plan.Plan {
	if r.AllowDisconnect || len(p.Steps) == 0 {
		return p
	}
	lines := r.lifelines(os.Getenv, os.ReadFile)
	for i, s := range p.Steps {
		if s.Action == plan.Create || s.Action == plan.Refuse {
			continue
		}
		for _, c := range s.Changes {
			if why := lines.cutBy(s, c); why != "" {
				p.Steps[i].Action, p.Steps[i].Reason = plan.Refuse, why+": use --allow-disconnect if that is meant"
			}
		}
	}
	return p
}

// lifelines are what connects the host: the interfaces of the default routes that plumb has not made, and that of the
// current SSH session.
type lifelines struct {
	uplinks map[string]bool
	ssh     string     // interface
	sshAddr netip.Addr // our end of the session
}

// lifelines looks for them on the host.
func (r *run) lifelines(getenv func(string) string, readFile func(string) ([]byte, error)) lifelines {
	lines := lifelines{uplinks: make(map[string]bool), sshAddr: sshAddress(getenv, readFile, os.Getpid())}
	host := r.env.Sections[""]
	for _, dev := range kind.OwnUplinks(host) {
		lines.uplinks[dev] = true
	}
	for _, a := range host.Addresses() {
		if a.Prefix.Addr() == lines.sshAddr {
			lines.ssh = host.LinkName(a.Index)
		}
	}
	return lines
}

// cutBy says which lifeline a change cuts, empty for none.
func (l lifelines) cutBy(s plan.Step, c plan.Change) string {
	switch old := c.Old.(type) {
	case kind.Route:
		if l.cutsRoute(s.Action, old, c.New) {
			return "would take the host's default route"
		}
	case kind.Address:
		switch {
		case old.NS != "" || s.Action == plan.Update || s.Action == plan.Adopt:
		case old.Prefix.Addr() == l.sshAddr:
			return "would take the address of the current SSH session"
		case l.uplinks[old.Dev]:
			return fmt.Sprintf("would take an address of %s, the host's uplink", old.Dev)
		}
	case kind.Link:
		if old.NS != "" || !l.holds(old.Ifname) || !cuts(s, c) {
			return ""
		}
		if old.Ifname == l.ssh {
			return fmt.Sprintf("would cut %s, which carries the current SSH session", old.Ifname)
		}
		return fmt.Sprintf("would cut %s, the host's uplink", old.Ifname)
	}
	return ""
}

// cutsRoute says whether a default route that plumb has not made, or that the current SSH session may need, goes or
// leads elsewhere.
func (l lifelines) cutsRoute(action plan.Action, old kind.Route, next plan.Object) bool {
	// What a hand has changed is still ours; what a DHCP client or a routing daemon has made is not.
	ours := old.Proto == kind.Protocol || action == plan.Update && old.HandMade()
	if old.NS != "" || old.Dst.Bits() != 0 || old.Table != kind.MainTable || ours && old.Dev.V != l.ssh {
		return false
	}
	now, stays := next.(kind.Route)
	return !stays || now.Type != old.Type || now.Via != old.Via || now.Dev.Set && now.Dev != old.Dev
}

func (l lifelines) holds(dev string) bool { return dev != "" && (l.uplinks[dev] || dev == l.ssh) }

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
			return a
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
