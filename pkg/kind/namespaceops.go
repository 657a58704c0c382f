package kind

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// NamespaceStamp tells by the stamp on its lo whose a namespace is.
type NamespaceStamp struct {
	Class plan.Class
	Why   string
	Final bool
}

// StampOf reads a namespace's stamp, as seen by a topology on the host with the given cookie.
func StampOf(topology string, cookie uint64, links []LiveLink) NamespaceStamp {
	i := slices.IndexFunc(links, func(l LiveLink) bool { return l.Type == loopback })
	if i < 0 {
		return NamespaceStamp{Class: plan.Foreign, Why: notOurs, Final: true}
	}
	owner, home, marked := ParseNamespaceAlias(links[i].Alias)
	switch {
	case marked && owner != topology:
		return NamespaceStamp{Class: plan.Foreign, Why: belongsTo(owner), Final: true}
	case marked && home != cookie:
		return NamespaceStamp{Class: plan.Foreign, Why: "belongs to topology " + owner + " of another host", Final: true}
	case marked && links[i].Group == Group(topology):
		return NamespaceStamp{Class: plan.Ours}
	}
	return NamespaceStamp{Class: plan.Foreign, Why: notOurs}
}

// listNamespaces lists, in the host's section, the namespaces that are ours and those of a wanted name.
func listNamespaces(e *Env, s *Section) ([]plan.Have, error) {
	if s.NS.Name != "" {
		return nil, nil
	}
	names, err := kernel.Names()
	if err != nil {
		return nil, err
	}
	var have []plan.Have
	for _, name := range names {
		key := NamespaceKey(name)
		open := e.Sections[name]
		switch {
		case open != nil:
			h, err := e.namespace(open)
			if err != nil {
				return nil, err
			}
			if h.Class == plan.Ours || e.Wanted(key) {
				have = append(have, h)
			}
		case e.Record.Pending(key) && isPlainFile(name):
			have = append(have, plan.Have{Object: Namespace{Name: name, Leftover: true}, Why: "left over from a crash"})
		case e.Foreign[name].Class == plan.Foreign:
			stamp := e.Foreign[name]
			have = append(have, plan.Have{Object: Namespace{Name: name}, Class: plan.Foreign, Final: stamp.Final, Why: stamp.Why})
		case e.Wanted(key):
			have = append(have, plan.Have{Object: Namespace{Name: name}, Class: plan.Foreign, Final: true,
				Why: kernel.NetnsDir + "/" + name + " is there, and is no network namespace: remove it"})
		}
	}
	return have, nil
}

// isPlainFile says whether the name is that of an empty file, as the mount point of a namespace is.
func isPlainFile(name string) bool {
	st, err := os.Lstat(filepath.Join(kernel.NetnsDir, name))
	return err == nil && st.Mode().IsRegular() && st.Size() == 0 && !kernel.IsMounted(name)
}

func (e *Env) namespace(s *Section) (plan.Have, error) {
	stamp := StampOf(e.Topology, e.Cookie, s.Links)
	n := Namespace{Name: s.NS.Name}
	for _, l := range s.Links {
		if l.Type == loopback {
			n.LoUp = l.Up()
			if _, _, marked := ParseNamespaceAlias(l.Alias); marked && l.Group == Group(e.Topology) {
				n.Stamp = l.Alias
			}
		}
	}
	four, six, err := forwarding(s)
	if err != nil {
		return plan.Have{}, err
	}
	n.Forwarding4, n.Forwarding6 = plan.Some(four), plan.Some(six)
	h := plan.Have{Object: n, Class: stamp.Class, Why: stamp.Why, Final: stamp.Final}
	if !e.Wanted(n.Key()) && stamp.Class == plan.Ours {
		h.Note, err = e.goesWith(s)
	}
	return h, err
}

// goesWith tells what ends with a namespace that is not plumb's: links and processes.
func (e *Env) goesWith(s *Section) (string, error) {
	var words []string
	for i := range s.Links {
		l := &s.Links[i]
		if e.stamp(s, l).class != plan.Ours && l.Type != loopback && !fallback(l) {
			words = append(words, "link "+l.Name)
		}
	}
	id, err := s.NS.ID()
	if err != nil {
		return "", err
	}
	processes, err := kernel.Processes(id)
	if err != nil {
		return "", err
	}
	for _, p := range processes {
		words = append(words, "process "+p)
	}
	if len(words) == 0 {
		return "", nil
	}
	return "takes with it: " + strings.Join(words, ", "), nil
}

// fallback says whether a link is one that tunnel modules put into every namespace: tunl0, gre0, sit0 and their like.
func fallback(l *LiveLink) bool {
	switch l.Name {
	case "tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0":
		return true
	}
	return false
}

// putNamespace makes a namespace, or puts right what a namespace that is there should be.
func putNamespace(e *Env, changes []plan.Change) error {
	for _, c := range changes {
		n, ok := c.New.(Namespace)
		if !ok {
			return wrongType(KindNamespace, c.New)
		}
		err := error(nil)
		if c.Old == nil {
			err = e.createNamespace(n)
		} else {
			err = e.updateNamespace(c.Old, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// loPromote is set as on every link of ours: a primary address of lo must not take the others of its subnet with it.
const loPromote = "net/ipv4/conf/lo/promote_secondaries"

func (e *Env) createNamespace(n Namespace) error {
	if err := kernel.PrepareNetnsDir(e.Seam); err != nil {
		return err
	}
	opened, err := kernel.Create(n.Name, e.Seam, func(ns *kernel.Namespace) error {
		if err := e.stampNamespace(ns, n); err != nil {
			return err
		}
		if err := e.resetConf(ns); err != nil {
			return err
		}
		return ns.WriteSysctlHere(loPromote, "1")
	})
	if err != nil {
		return err
	}
	if e.Sections[n.Name], err = NewSection(opened, true); err != nil {
		opened.Close()
		delete(e.Sections, n.Name)
	}
	return err
}

// stampNamespace stamps lo and brings it up, in one message. Without a stamp it takes one away.
func (e *Env) stampNamespace(ns *kernel.Namespace, n Namespace) error {
	m := linkRequest(unix.RTM_NEWLINK, 0, n.LoUp)
	m.name("lo")
	group := uint32(0)
	if n.Stamp != "" {
		group = Group(e.Topology)
	}
	m.u32(unix.IFLA_GROUP, group)
	m.raw(unix.IFLA_IFALIAS, []byte(n.Stamp))
	return ns.Write("stamp namespace "+n.Name, m.req)
}

func (e *Env) updateNamespace(old plan.Object, n Namespace) error {
	s, err := e.section(n.Name)
	if err != nil {
		return err
	}
	was, ok := old.(Namespace)
	if !ok {
		return wrongType(KindNamespace, old)
	}
	if was.Stamp != n.Stamp || was.LoUp != n.LoUp {
		if err := e.stampNamespace(s.NS, n); err != nil {
			return err
		}
	}
	if (was.Stamp == "") != (n.Stamp == "") {
		err = s.NS.WriteSysctl(loPromote, fmt.Sprint(bit(n.Stamp != "")))
	}
	if n.Forwarding4.Set && n.Forwarding4 != was.Forwarding4 {
		err = errors.Join(err, s.NS.WriteSysctl(SysctlPath(Forwarding4), fmt.Sprint(bit(n.Forwarding4.V))))
	}
	if n.Forwarding6.Set && n.Forwarding6 != was.Forwarding6 {
		err = errors.Join(err, s.NS.WriteSysctl(SysctlPath(Forwarding6), fmt.Sprint(bit(n.Forwarding6.V))))
	}
	return err
}

func delNamespaces(e *Env, objects []plan.Object) error {
	for _, o := range objects {
		n, ok := o.(Namespace)
		if !ok {
			return wrongType(KindNamespace, o)
		}
		if err := e.delNamespace(n); err != nil {
			return err
		}
	}
	return nil
}

// delNamespace takes the name away from the namespace that was found to have it, and from no other.
func (e *Env) delNamespace(n Namespace) error {
	if n.Leftover {
		return kernel.Remove(n.Name, e.Seam)
	}
	s, err := e.section(n.Name)
	if err != nil {
		return nil // it is gone already
	}
	id, err := s.NS.ID()
	s.NS.Close()
	delete(e.Sections, n.Name)
	if err != nil {
		return err
	}
	return kernel.Delete(n.Name, id, e.Seam)
}

// conf4Defaults are the values of the IPv4 parameters in a new namespace of a host that nobody configured
// (net/ipv4/devinet.c: ipv4_devconf and ipv4_devconf_dflt), by the directory that they are in, "" for all.
// Parameters that are not here, of kernels to come, are left as they are.
var conf4Defaults = map[string]map[string]string{
	"": {
		"accept_local": "0", "accept_redirects": "1", "accept_source_route": "0", "arp_accept": "0", "arp_announce": "0",
		"arp_evict_nocarrier": "1", "arp_filter": "0", "arp_ignore": "0", "arp_notify": "0", "bc_forwarding": "0",
		"bootp_relay": "0", "disable_policy": "0", "disable_xfrm": "0", "drop_gratuitous_arp": "0",
		"drop_unicast_in_l2_multicast": "0", "force_igmp_version": "0", "forwarding": "0",
		"igmpv2_unsolicited_report_interval": "10000", "igmpv3_unsolicited_report_interval": "1000",
		"ignore_routes_with_linkdown": "0", "log_martians": "0", "medium_id": "0", "promote_secondaries": "0",
		"proxy_arp": "0", "proxy_arp_pvlan": "0", "route_localnet": "0", "rp_filter": "0", "secure_redirects": "1",
		"send_redirects": "1", "shared_media": "1", "src_valid_mark": "0", "tag": "0",
	},
	"default": {"accept_source_route": "1"},
	"lo":      {"accept_source_route": "1", "disable_policy": "1", "disable_xfrm": "1"},
}

// setting is a value for a path below /proc/sys.
type setting struct{ path, value string }

// resetConf gives a new namespace the kernel's own IPv4 defaults. The kernel gives it those of the initial namespace,
// so that on a host that routes every namespace would. What deviates is the same for all namespaces of a run, so it is
// looked for in the first only. The calling thread is in the namespace.
func (e *Env) resetConf(ns *kernel.Namespace) error {
	if e.inherited == nil {
		found, err := deviations()
		if err != nil {
			return err
		}
		e.inherited = found
	}
	for _, s := range e.inherited {
		if err := ns.WriteSysctlHere(s.path, s.value); err != nil {
			return err
		}
	}
	return nil
}

// deviations lists what must be written in the calling thread's namespace to give it the kernel's defaults.
func deviations() (list []setting, err error) {
	list = []setting{}
	for _, where := range []string{"all", "default", "lo"} {
		for _, leaf := range slices.Sorted(maps.Keys(conf4Defaults[""])) {
			want := cmp.Or(conf4Defaults[where][leaf], conf4Defaults[""][leaf])
			if list, err = deviation(list, "net/ipv4/conf/"+where+"/"+leaf, want); err != nil {
				return nil, err
			}
		}
	}
	// With net.core.devconf_inherit_init_net set, IPv6 is copied too.
	return deviation(list, SysctlPath(Forwarding6), "0")
}

func deviation(list []setting, path, want string) ([]setting, error) {
	have, err := kernel.ReadSysctlHere(path)
	switch {
	case errors.Is(err, fs.ErrNotExist): // this kernel has no such parameter
		return list, nil
	case err != nil || have == want:
		return list, err
	}
	return append(list, setting{path, want}), nil
}
