package kinds

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
)

// inheritance is what new namespaces get from the host: the same for all of them, until the host's own parameters
// change.
type inheritance struct {
	deviations []setting // what must be written to give a namespace the kernel's own defaults
	plain      bool      // a link that is made in one has of IPv6 what it would have on a host that nobody configured
}

// setting is a value for a path below /proc/sys.
type setting struct{ path, value string }

// parameter is an IPv4 parameter of a link, and its value.
type parameter struct {
	name  string
	value uint32
}

// conf4 are the IPv4 parameters in the order of linux/ip.h (IPV4_DEVCONF_* less one), with their values in a new
// namespace of a host that nobody configured (net/ipv4/devinet.c: ipv4_devconf). Parameters that are not here, of
// kernels to come, are left as they are.
var conf4 = []parameter{
	{"forwarding", 0}, {}, // mc_forwarding: the kernel's own
	{"proxy_arp", 0}, {"accept_redirects", 1}, {"secure_redirects", 1}, {"send_redirects", 1},
	{"shared_media", 1}, {"rp_filter", 0},
	{"accept_source_route", 0}, {"bootp_relay", 0}, {"log_martians", 0}, {"tag", 0},
	{"arp_filter", 0}, {"medium_id", 0}, {"disable_xfrm", 0},
	{"disable_policy", 0}, {"force_igmp_version", 0}, {"arp_announce", 0}, {"arp_ignore", 0},
	{promoteSecondaries, 0}, {"arp_accept", 0},
	{"arp_notify", 0}, {"accept_local", 0}, {"src_valid_mark", 0}, {"proxy_arp_pvlan", 0}, {"route_localnet", 0},
	{"igmpv2_unsolicited_report_interval", 10000}, {"igmpv3_unsolicited_report_interval", 1000},
	{"ignore_routes_with_linkdown", 0},
	{"drop_unicast_in_l2_multicast", 0}, {"drop_gratuitous_arp", 0}, {"bc_forwarding", 0}, {"arp_evict_nocarrier", 1},
}

// conf4In are those that are others in one directory (ipv4_devconf_dflt; inetdev_init).
var conf4In = map[string]map[string]uint32{
	"default": {"accept_source_route": 1},
	"lo":      {"accept_source_route": 1, "disable_policy": 1, "disable_xfrm": 1},
}

// in gives a parameter as it is in a directory: all, default or lo.
func (p parameter) in(dir string) parameter {
	if v, other := conf4In[dir][p.name]; other {
		p.value = v
	}
	return p
}

func (p parameter) setting(dir string) setting {
	return setting{"net/ipv4/conf/" + dir + "/" + p.name, strconv.FormatUint(uint64(p.value), 10)}
}

// resetConf gives a new namespace the kernel's own IPv4 defaults. The kernel gives it those of the initial namespace,
// so that on a host that routes every namespace would. What it has inherited is looked for in the first only. The
// calling thread is in the namespace.
func resetConf(e *object.Env, ns *kernel.Namespace) (inheritance, error) {
	all := object.In[namespaces](e)
	all.mu.Lock()
	if all.inherited == nil {
		all.inherited = sync.OnceValues(func() (inheritance, error) { return inherit(ns) })
	}
	inherited := all.inherited
	all.mu.Unlock()
	got, err := inherited()
	if err != nil {
		return got, err
	}
	for _, s := range got.deviations {
		if err := ns.WriteSysctlHere(s.path, s.value); err != nil {
			return got, err
		}
	}
	return got, nil
}

// forgetInherited is for when namespaces may inherit something else from now on.
func forgetInherited(e *object.Env) {
	all := object.In[namespaces](e)
	all.mu.Lock()
	defer all.mu.Unlock()
	all.inherited = nil
}

// inherit finds out what a namespace has inherited that is new, and that the calling thread is in. What lo has it took
// from the default, as other links will, but for what it always has. One message tells that, so that of the default's
// files only those are read of which lo has another value, or would have in any case.
func inherit(ns *kernel.Namespace) (inheritance, error) {
	var got inheritance
	var lo object.LiveLink
	var four []byte
	err := ns.Read(object.LinkNamed(object.Lo), func(msgs [][]byte) {
		for _, m := range msgs {
			lo = object.ParseLink(m)
			four = slices.Clone(object.LinkConf(m).Nested(unix.AF_INET).Get(object.IflaInetConf))
		}
	})
	if err != nil {
		return got, fmt.Errorf("read lo of a new namespace: %w", err)
	}
	// IPv6 is copied too with net.core.devconf_inherit_init_net set, and what plumb may have raised on the host.
	asked := []setting{
		{object.SysctlPath(object.Forwarding6), "0"},
		{object.SysctlPath(object.ConfName(object.IPv6, "default", acceptRA)), "1"},
	}
	for i, p := range conf4 {
		if p.name == "" {
			continue
		}
		asked = append(asked, p.setting("all"))
		want := p.in("lo")
		odd := len(four) > 4*i && kernel.U32At(four, i) != want.value
		if odd || want != p.in("default") {
			asked = append(asked, p.in("default").setting("default"))
		}
		if odd {
			asked = append(asked, want.setting("lo"))
		}
	}
	got.deviations, err = deviating(asked)
	got.plain = !lo.NoLinkLocal && !lo.Disabled6 && !lo.Forwarding6
	return got, err
}

// deviating leaves those settings that the calling thread's namespace has with another value.
func deviating(asked []setting) ([]setting, error) {
	paths := make([]string, len(asked))
	for i, s := range asked {
		paths[i] = s.path
	}
	values, err := kernel.ReadSysctlsHere(paths)
	return slices.DeleteFunc(asked, func(s setting) bool {
		have, there := values[s.path]
		return !there || have == s.value
	}), err
}
