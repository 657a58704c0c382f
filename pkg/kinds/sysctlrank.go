package kinds

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// joint are the IPv4 parameters of a link that the kernel never reads alone, but together with that of all links: true
// for the higher of the two, or either, and false for both (IN_DEV_MAXCONF, IN_DEV_ORCONF and IN_DEV_ANDCONF of
// linux/inetdevice.h).
var joint = map[string]bool{
	"rp_filter": true, "arp_ignore": true, "arp_announce": true, "arp_filter": true, "log_martians": true,
	"proxy_arp": true, "send_redirects": true, "secure_redirects": true, "shared_media": true, "accept_local": true,
	"route_localnet": true, "src_valid_mark": true, "ignore_routes_with_linkdown": true,
	"accept_source_route": false, "bootp_relay": false, "bc_forwarding": false,
}

// jointKey splits the name of such a parameter of a link, or of the default for new ones.
func jointKey(name string) (key string, ok bool) {
	part := strings.Split(object.SysctlPath(name), "/")
	if len(part) != 5 || part[1] != object.IPv4 || part[2] != "conf" || part[3] == "all" {
		return "", false
	}
	_, ok = joint[part[4]]
	return part[4], ok
}

// outranked says what is wrong with a parameter of a link, given that of all links, and what to do; nothing where both
// are numbers that go together.
func outranked(name, value, all string) (problem, remedy string) {
	key, ok := jointKey(name)
	own, err := strconv.ParseInt(value, 0, 64)
	of, err2 := strconv.ParseInt(all, 0, 64)
	if !ok || err != nil || err2 != nil {
		return "", ""
	}
	switch either := joint[key]; {
	case either && of > own:
		return fmt.Sprintf("%s: %s has no effect: net.ipv4.conf.all.%s is %s, and the higher of the two counts",
			name, value, key, all), fmt.Sprintf("set net.ipv4.conf.all.%s: %s", key, value)
	case !either && own != 0 && of == 0:
		return fmt.Sprintf("%s: %s has no effect: net.ipv4.conf.all.%s is 0, and both must be set", name, value, key),
			fmt.Sprintf("set net.ipv4.conf.all.%s: 1", key)
	}
	return "", ""
}

// checkOutranked warns of parameters of links that those of all links outrank, as far as the file alone tells: what it
// leaves out of a namespace is the kernel's default there.
func checkOutranked(at *object.At) {
	for _, v := range at.Sysctls {
		key, ok := jointKey(v.Name)
		if !ok || !v.Value.Good() {
			continue
		}
		all := defaultOfAll(key)
		declared := at.Conf(object.IPv4, "all", key)
		if declared != nil {
			all = declared.Value.V
		}
		if declared == nil && at.Foreign() || declared != nil && !declared.Value.Good() {
			continue // only the live host tells
		}
		if problem, remedy := outranked(v.Name, v.Value.V, all); problem != "" {
			at.Warnf(v.At, "%s", problem).Hint = remedy
		}
	}
}

// defaultOfAll is a parameter of all links in a new namespace.
func defaultOfAll(key string) string {
	for _, p := range conf4 {
		if p.name == key {
			return p.in("all").setting("all").value
		}
	}
	return ""
}

// warnOutranked warns of parameters of the host's links that one outranks which the file leaves as it is.
func warnOutranked(e *object.Env, o plan.Object) ([]string, error) {
	v, ok := o.(Sysctl)
	key, isJoint := jointKey(v.Name)
	all := "net.ipv4.conf.all." + key
	s := e.Sections[""]
	if !ok || !isJoint || v.NS != "" || s == nil || e.Wanted(object.SysctlKey("", all)) {
		return nil, nil
	}
	def, ok := e.Want(object.SysctlKey("", object.SysctlOn(v.Name, "default"))).(Sysctl)
	if ok && def != v && def.Value == v.Value {
		return nil, nil // it is said of the default
	}
	path := object.SysctlPath(all)
	values, err := s.NS.ReadSysctls([]string{path})
	if problem, remedy := outranked(v.Name, v.Value, values[path]); problem != "" {
		return []string{fmt.Sprintf("sysctl %s; %s in the sysctls of the host", problem, remedy)}, err
	}
	return nil, err
}
