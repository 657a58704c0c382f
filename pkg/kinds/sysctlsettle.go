package kinds

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// settleSysctl finds out, before anything is changed, whether a parameter can be set where the file wants it.
func settleSysctl(e *object.Env, o plan.Object) (plan.Object, error) {
	v, ok := o.(Sysctl)
	if !ok {
		return nil, object.WrongType(object.KindSysctl, o)
	}
	s := e.Sections[v.NS]
	var value *string
	if s != nil {
		value = (*object.In[values](s))[sysctlPath(s, v.Name)]
	}
	if value != nil && *value == v.Value {
		return v, nil // nothing is to be written
	}
	if err := settable(e, s, v); err != nil {
		return nil, err
	}
	link, ok := object.SysctlOfLink(v.Name)
	if ok && link != object.Lo && !e.Wanted(object.LinkKey(v.NS, link)) {
		if err := onLink(e, s, v, link); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// settable says why no parameter of that name can be set in a section; nil is a namespace that is not there yet.
func settable(e *object.Env, s *object.Section, v Sysctl) error {
	path := anyLinkPath(v.Name)
	known, at := object.In[map[string]error](e), path
	if s != nil {
		at = v.NS + " " + path
	}
	err, asked := (*known)[at]
	if !asked {
		err = insideLike(e, s, v)(func() error { return usable(v.NS, path) })
		if *known == nil {
			*known = make(map[string]error)
		}
		(*known)[at] = err
	}
	switch {
	case !errors.Is(err, errNoParameter):
		return err
	case v.NS != "" && e.Sections[""].NS.Inside(func() error { return usable("", path) }) == nil:
		return errHostOnly
	}
	return insideLike(e, s, v)(func() error { return hinted(err, nearParameter(v.Name), moduleOf(path)) })
}

// insideLike runs a function in a section, or where the same parameters are as in one that is not there yet.
func insideLike(e *object.Env, s *object.Section, v Sysctl) func(func() error) error {
	host := e.Sections[""]
	switch {
	case s != nil:
		return s.NS.Inside
	case !everywhere(v.Name) && initial(host):
		return kernel.InEmpty
	}
	return host.NS.Inside
}

var (
	errNoParameter = errors.New("no such parameter")
	errHostOnly    = errors.New("exists only on the host, not in a namespace: set it in the host's sysctls")
	errFirst       = errors.New("is read-only here: it can only be set in the machine's first network namespace")
	errFixed       = errors.New("is read-only: the kernel lets nobody set it here")
	errCommand     = errors.New("can only be written, never read, so that plumb can't keep it: use `sysctl -w`")
	errGroup       = errors.New("is a group of parameters, and no parameter")
)

// usable says why a parameter can't be set in the namespace that the calling thread is in.
func usable(ns, path string) error {
	switch mode, err := kernel.SysctlModeHere(path); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return errNoParameter
	case err != nil:
		return err
	case mode.IsDir():
		return errGroup
	case mode&0o400 == 0:
		return errCommand
	case mode&0o200 != 0:
		return nil
	case !strings.HasPrefix(path, "net/core/"): // net/core/sysctl_net_core.c: the machine's own network sets these
		return errFixed
	case ns != "":
		return errHostOnly
	}
	return errFirst
}

// hinted adds to an error the first way out that is known.
func hinted(err error, hints ...string) error {
	for _, h := range hints {
		if h != "" {
			return fmt.Errorf("%w: %s", err, h)
		}
	}
	return err
}

// everywhere says whether each namespace has a parameter that the host has.
func everywhere(name string) bool {
	return name == object.Forwarding4 || strings.HasPrefix(name, "net.ipv4.conf.") ||
		strings.HasPrefix(name, "net.ipv6.conf.")
}

// initial says whether the host's own namespace is the kernel's first, which has parameters that no other has.
func initial(host *object.Section) bool {
	err := host.NS.Inside(func() error {
		_, err := kernel.SysctlModeHere("net/core/netdev_max_backlog")
		return err
	})
	return err == nil
}

// anyLinkPath is the path of a parameter, for one of a link that of lo: it is there whatever links are.
func anyLinkPath(name string) string {
	part := strings.Split(object.SysctlPath(name), "/")
	if _, ok := object.SysctlOfLink(name); ok {
		part[3] = object.Lo
	}
	return strings.Join(part, "/")
}

// nearParameter suggests the parameter whose name is spelled almost like this one.
func nearParameter(name string) string {
	part, near := strings.Split(object.SysctlPath(name), "/"), strings.Split(anyLinkPath(name), "/")
	for i, word := range near {
		if i == 0 || word == object.Lo {
			continue
		}
		names := kernel.SysctlNamesHere(strings.Join(near[:i], "/"))
		if !slices.Contains(names, word) {
			word = file.Nearest(word, names)
		}
		part[i], near[i] = word, word
	}
	if mode, err := kernel.SysctlModeHere(strings.Join(near, "/")); err != nil || mode.IsDir() {
		return ""
	}
	return file.DidYouMean(object.SysctlPath(strings.Join(part, "/")))
}

// moduleOf tells which module brings parameters that are not there.
func moduleOf(path string) string {
	for _, m := range []struct{ prefix, module string }{
		{"net/netfilter/nf_conntrack_", "nf_conntrack"}, {"net/bridge/", "br_netfilter"}, {"net/mpls/", "mpls_router"},
		{"net/ipv4/vs/", "ip_vs"},
	} {
		if strings.HasPrefix(path, m.prefix) {
			return "its module may be missing: modprobe " + m.module
		}
	}
	return ""
}

// onLink says why a link that the file does not declare has no such parameter.
func onLink(e *object.Env, s *object.Section, v Sysctl, name string) error {
	if s == nil {
		return nil // the check of the file has told
	}
	l := s.At(s.Known(name))
	switch {
	case l == nil:
		return hinted(fmt.Errorf("no such interface: %s is not there", name), (*object.In[renames](s))[name],
			file.Suggest(name, linkNames(e, s)))
	case l.Class == plan.Ours:
		return fmt.Errorf("interface %s goes: the file no longer declares it", name)
	}
	if (*object.In[values](s))[sysctlPath(s, v.Name)] != nil {
		return nil
	}
	if l.MTU < object.MinIPv6MTU && strings.HasPrefix(v.Name, "net.ipv6.") {
		return fmt.Errorf("%s has no IPv6: that needs an MTU of at least %d, and its MTU is %d",
			name, object.MinIPv6MTU, l.MTU)
	}
	return fmt.Errorf("%s has no such parameter", name)
}

// linkNames lists the links that a section has or will have.
func linkNames(e *object.Env, s *object.Section) []string {
	names := make(map[string]bool)
	for _, l := range s.Links {
		names[l.Name] = true
	}
	for _, o := range e.WantedHere(s.NS.Name, object.KindLink) {
		names[o.Key().Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
