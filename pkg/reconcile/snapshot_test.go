package reconcile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// state is what the host and every namespace in /run/netns are like.
type state struct {
	// text has a line for each attribute, and is what snapshots are compared by.
	text string
	// sysctls are the host's, by path below /proc/sys/net.
	sysctls  map[string]string
	sections []*section
}

// section is one namespace as ip(8), nft(8) and /proc/sys tell of it.
type section struct {
	name      string
	links     []*link
	addresses []netlink.Addr
	routes    []map[string]any
	rest      []string
	sysctls   []string
	nsids     map[int]string // names by id, of the namespaces that its links' peers are in
}

type link struct {
	attrs    map[string]any
	name     string
	index    int
	flags    []string
	stp      bool // a bridge that runs STP
	portOf   *link
	hasLocal bool // the address that the kernel derives from the MAC
}

// snapshot tells all of the host and the namespaces that a topology may concern, by names and values: nothing of
// indexes, ids, handles, counters, timers, what is learned, and what the carrier of a link without one would bring.
func snapshot(t testing.TB) string { t.Helper(); return look(t, true).text }

// look reads the state, or all of it but most sysctls, which takes most of the time.
func look(t testing.TB, whole bool) *state {
	t.Helper()
	names := []string{""}
	entries, err := os.ReadDir(netnsDir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, e := range entries {
		var st unix.Statfs_t
		if err := unix.Statfs(filepath.Join(netnsDir, e.Name()), &st); err == nil && st.Type == unix.NSFS_MAGIC {
			names = append(names, e.Name())
			fmt.Fprintf(&text, "netns %s\n", e.Name())
		} else {
			fmt.Fprintf(&text, "netns %s (a file)\n", e.Name())
		}
	}
	s := &state{sections: make([]*section, len(names)), sysctls: make(map[string]string)}
	errs := make([]error, len(names))
	var wait sync.WaitGroup
	for i, name := range names {
		wait.Go(func() {
			errs[i] = inside(name, func() (err error) {
				s.sections[i], err = readSection(name, names, whole)
				return err
			})
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	for _, n := range s.sections {
		n.write(&text, s.sections)
	}
	for _, line := range s.sections[0].sysctls {
		path, value, _ := strings.Cut(line, " = ")
		s.sysctls[path] = value
	}
	s.text = text.String()
	return s
}

// readSection reads the namespace that the calling thread is in.
func readSection(name string, names []string, whole bool) (*section, error) {
	s := &section{name: name}
	docs, err := jsonOf("link show\nroute show table all\nrule show\nneighbor show nud permanent\n", "-d")
	if err != nil {
		return nil, err
	}
	six, err := jsonOf("rule show\n", "-6")
	if err != nil {
		return nil, err
	}
	if len(docs) < 3 || len(six) != 1 {
		return nil, fmt.Errorf("%d and %d documents from ip", len(docs), len(six))
	}
	for _, attrs := range docs[0] {
		s.links = append(s.links, newLink(attrs))
	}
	for _, l := range s.links {
		i := slices.IndexFunc(s.links, func(m *link) bool { return m.name == l.attrs["master"] })
		if i >= 0 {
			l.portOf = s.links[i]
		}
	}
	s.routes = docs[1]
	s.add("rule", docs[2])
	s.add("rule6", six[0])
	for _, d := range docs[3:] {
		s.add("neighbor", d)
	}
	if s.addresses, err = netlink.AddrList(nil, netlink.FAMILY_ALL); err != nil {
		return nil, err
	}
	if err := s.readRuleset(); err != nil {
		return nil, err
	}
	if s.sysctls, err = readSysctls(whole); err != nil {
		return nil, err
	}
	s.markLocals()
	return s, s.readNSIDs(names)
}

// jsonOf runs commands of ip(8), one a line, which print arrays of objects.
func jsonOf(commands string, options ...string) ([][]map[string]any, error) {
	cmd := exec.Command("ip", append(options, "-j", "-b", "-")...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(commands), &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ip: %w: %s", err, &stderr)
	}
	var docs [][]map[string]any
	d := json.NewDecoder(bytes.NewReader(out))
	for d.More() {
		var doc []map[string]any
		if err := d.Decode(&doc); err != nil {
			return nil, fmt.Errorf("ip: %w", err)
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

func newLink(attrs map[string]any) *link {
	l := &link{attrs: attrs, name: attrs["ifname"].(string), index: int(attrs["ifindex"].(float64))}
	for _, f := range attrs["flags"].([]any) {
		l.flags = append(l.flags, f.(string))
	}
	if info, ok := attrs["linkinfo"].(map[string]any); ok {
		data, _ := info["info_data"].(map[string]any)
		l.stp = data["stp_state"] == float64(1)
	}
	return l
}

func (l *link) has(flag string) bool { return slices.Contains(l.flags, flag) }

// waiting says that what the kernel makes when a link gets its carrier may be there or not: a port of a bridge that
// runs STP forwards after 30 s only, and a bridge has no carrier before that.
func (l *link) waiting() bool { return l.stp || !l.has("LOWER_UP") }

// linkLocal is the address that the kernel derives from the MAC.
func (l *link) linkLocal() net.IP {
	mac, err := net.ParseMAC(fmt.Sprint(l.attrs["address"]))
	if err != nil || len(mac) != 6 {
		return nil
	}
	return net.IP{0xfe, 0x80, 8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]}
}

func (s *section) markLocals() {
	for _, l := range s.links {
		l.hasLocal = slices.ContainsFunc(s.addresses, func(a netlink.Addr) bool {
			return a.LinkIndex == l.index && a.IP.Equal(l.linkLocal())
		})
	}
}

func (s *section) byIndex(index int) *link {
	for _, l := range s.links {
		if l.index == index {
			return l
		}
	}
	return nil
}

func (s *section) add(what string, list []map[string]any) {
	for _, o := range list {
		s.rest = append(s.rest, what+" "+compact(o))
	}
}

// readRuleset reads nftables without handles and counters.
func (s *section) readRuleset() error {
	out, err := exec.Command("nft", "-j", "list", "ruleset").Output()
	if err != nil {
		return fmt.Errorf("nft: %w", err)
	}
	var doc struct{ Nftables []map[string]any }
	if err := json.Unmarshal(out, &doc); err != nil {
		return fmt.Errorf("nft: %w", err)
	}
	for _, o := range doc.Nftables {
		if o["metainfo"] == nil {
			strip(o)
			s.rest = append(s.rest, "nft "+compact(o))
		}
	}
	return nil
}

func strip(v any) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "handle")
		if _, ok := v["counter"].(map[string]any); ok {
			v["counter"] = nil
		}
		for _, e := range v {
			strip(e)
		}
	case []any:
		for _, e := range v {
			strip(e)
		}
	}
}

// readNSIDs finds the names behind the ids that this namespace has for others.
func (s *section) readNSIDs(names []string) error {
	s.nsids = make(map[int]string)
	if !slices.ContainsFunc(s.links, func(l *link) bool { return l.attrs["link_netnsid"] != nil }) {
		return nil
	}
	for _, name := range names {
		f, err := openNS(name)
		if err != nil {
			return err
		}
		id, err := netlink.GetNetNsIdByFd(int(f.Fd()))
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("nsid of %q: %w", name, err)
		}
		if id >= 0 {
			s.nsids[id] = name
		}
	}
	return nil
}

// compact is JSON with sorted keys.
func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// aWhile is how long the kernel is left alone with what it has yet to do: up to some seconds, and a look keeps a
// processor busy.
const aWhile = 20 * time.Millisecond

// settle waits until what the kernel does by itself after a change is done, and returns the snapshot.
func (l *lab) settle() string { l.Helper(); return l.settled().text }

func (l *lab) settled() *state {
	l.Helper()
	const limit = 20 * time.Second
	deadline := time.Now().Add(limit)
	for last := ""; ; {
		s := look(l, false)
		why := s.unsettled()
		if why == "" && s.text == last {
			return look(l, true)
		}
		if why != "" {
			time.Sleep(aWhile)
		}
		if time.Now().After(deadline) {
			l.Fatalf("the host does not come to rest within %s: %s\n%s", limit, why, difference(last, s.text))
		}
		last = s.text
	}
}

// unsettled tells what the kernel has yet to do.
func (s *state) unsettled() string {
	for _, n := range s.sections {
		for _, l := range n.links {
			if why := n.unsettled(l); why != "" {
				return fmt.Sprintf("%s/%s %s", n.name, l.name, why)
			}
		}
	}
	return s.moving()
}

// unrouted tells of an IPv6 address that the kernel has yet to make a route for: a worker of its does that, even where
// no duplicate is looked for.
func (n *section) unrouted() string {
	for _, a := range n.addresses {
		i := slices.IndexFunc(n.links, func(l *link) bool { return l.index == a.LinkIndex })
		if i < 0 || a.IP.To4() != nil || a.Flags&unix.IFA_F_NODAD == 0 || !n.links[i].has("UP") || !n.links[i].has("LOWER_UP") {
			continue
		}
		if !slices.ContainsFunc(n.routes, func(r map[string]any) bool { return r["table"] == "local" && r["dst"] == a.IP.String() }) {
			return fmt.Sprintf("%s dev %s with flags %#x", a.IP, n.links[i].name, a.Flags)
		}
	}
	return ""
}

// probing says whether the kernel looks for duplicates of an IPv6 address; until that is done it has no local route.
func (s *state) probing() bool {
	return slices.ContainsFunc(s.sections, func(n *section) bool {
		return slices.ContainsFunc(n.addresses, func(a netlink.Addr) bool {
			l := n.byIndex(a.LinkIndex)
			return a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == unix.IFA_F_TENTATIVE && l != nil && l.has("UP") && l.has("LOWER_UP")
		})
	})
}

func (n *section) unsettled(l *link) string {
	if why := l.moving(); why != "" {
		return why
	}
	if !l.has("UP") || l.attrs["operstate"] == "UNKNOWN" || l.stp || !l.has("LOWER_UP") || l.hasLocal ||
		l.attrs["inet6_addr_gen_mode"] != "eui64" || l.attrs["mtu"].(float64) < 1280 {
		return ""
	}
	if slices.Contains(n.sysctls, "ipv6/conf/"+l.name+"/disable_ipv6 = 0") {
		return "has no link-local address"
	}
	return ""
}

// moving tells that a link has got or lost its carrier, and that not everybody has been told of it: the kernel does so
// after up to a second.
func (l *link) moving() string {
	oper := l.attrs["operstate"]
	switch {
	case !l.has("UP") || oper == "UNKNOWN":
		return ""
	case l.has("LOWER_UP") && oper != "UP":
		return fmt.Sprintf("has a carrier, and is %s", oper)
	case !l.has("LOWER_UP") && oper == "UP":
		return "has no carrier, and is UP"
	}
	return ""
}

// moving tells of what the kernel is about.
func (s *state) moving() string {
	for _, n := range s.sections {
		if addr := n.unrouted(); addr != "" {
			return fmt.Sprintf("%s: %s has no local route", n.name, addr)
		}
		for _, l := range n.links {
			if why := l.moving(); why != "" {
				return fmt.Sprintf("%s/%s %s", n.name, l.name, why)
			}
		}
	}
	return ""
}

// links lists the names of a namespace's links.
func (s *state) links(ns string) []string {
	var names []string
	for _, n := range s.sections {
		if n.name == ns {
			for _, l := range n.links {
				names = append(names, l.name)
			}
		}
	}
	return names
}
