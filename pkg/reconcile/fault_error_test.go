package reconcile_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/battery/host"
	"github.com/plumbnet/plumb/pkg/battery/snapshot"
	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/reconcile"
)

// failure is a way for a write to fail.
type failure struct {
	err  unix.Errno
	made bool // it is reported as failed, and was made
}

func (f failure) String() string {
	name := unix.ErrnoName(f.err)
	if f.err == unix.EAGAIN {
		name = "a timeout"
	}
	if f.made {
		return name + ", though made"
	}
	return name
}

func (f failure) at(write func() error) error {
	if f.made {
		return errors.Join(write(), f.err)
	}
	return f.err
}

// failures are those that the kernel has for what plumb asks of it; the last one is a socket's that waited in vain.
func failures() []failure {
	var all []failure
	for _, err := range []unix.Errno{unix.ENOMEM, unix.EBUSY, unix.EEXIST, unix.EPERM, unix.ENOBUFS, unix.EAGAIN} {
		all = append(all, failure{err, false}, failure{err, true})
	}
	return all
}

// pickFailures takes two of the failures: one of a write that was not made, one of a write that was; or all.
func (f *faultRun) pickFailures(name string) []failure {
	all := failures()
	if os.Getenv("TEST_FAULTS") == "all" {
		return all
	}
	i := 2 * f.random(name).IntN(len(all)/2)
	j := 2 * f.random(name+" made").IntN(len(all)/2)
	return []failure{all[i], all[j+1]}
}

// errors lets each write fail once. An apply is rolled back, or succeeds all the same; a destroy goes on.
func (f *faultRun) errors(t *testing.T) {
	for _, j := range host.Share(t, journeys(t)) {
		t.Run(j.name, func(t *testing.T) {
			d := f.field(t, j)
			for _, k := range f.pick(t.Name(), len(d.writes), some(j.whole, 4)) {
				hows := f.pickFailures(fmt.Sprint(t.Name(), k))
				if j.from != nil && len(hows) == 2 {
					hows = hows[k%2 : k%2+1]
				}
				for _, how := range hows {
					d.disturb(fmt.Sprintf("a write of %s: %v", d.verb(), how), fmt.Sprintf("write %d: %v", k, how), func() {
						d.Logf("%q", d.writes[k-1])
						d.fail(k, how)
					})
				}
			}
			if j.to == nil {
				d.failAlways()
			}
		})
	}
}

// fail lets the k-th write of the journey fail.
func (d *field) fail(k int64, how failure) {
	d.Helper()
	record := recordOf(d)
	report, err := d.travel(at(k, func(_ kernel.Write, write func() error) error { return how.at(write) }))
	switch {
	case err == nil && d.to == nil:
		d.restored("after a destroy that overcame an error", d.empty)
		d.gone()
	case err == nil:
		d.arrived(d.to, d.after)
	case d.to != nil && errors.Is(err, reconcile.ErrRolledBack) && errors.Is(err, how.err):
		d.restored("after the rollback", d.before)
		d.results(report)
		if now := recordOf(d); now != record {
			d.Errorf("after the rollback the record is\n%s, and was\n%s", now, record)
		}
		if how.made == (k%2 == 0) { // for half of them: it is the same host, as was seen
			d.arrived(d.to, d.after)
		}
	case d.to == nil && errors.Is(err, reconcile.ErrPartial):
		d.exact(err, d.empty)
		d.gone()
	default:
		d.Errorf("%v\n%s", err, outcomes(report))
	}
}

// failAlways lets each write of a destroy fail as often as it is tried: the rest is done, and what is left is told.
func (d *field) failAlways() {
	done := make(map[string]bool)
	for _, k := range d.run.pick(d.Name()+" always", len(d.writes), some(d.whole, 4)) {
		what := d.writes[k-1]
		if done[what] {
			continue
		}
		done[what] = true
		d.disturb("a write of destroy, each time", "each time "+fmt.Sprint(k), func() {
			d.Logf("%q", what)
			report, err := d.travel(&kernel.Seam{Around: func(w kernel.Write, write func() error) error {
				if w.What == what {
					return unix.EBUSY
				}
				return write()
			}})
			if err != nil && !errors.Is(err, reconcile.ErrPartial) {
				d.Errorf("%v\n%s", err, outcomes(report))
			}
			if err != nil && what != "write host record" {
				d.exact(err, d.empty)
			}
			d.gone()
		})
	}
}

// renamed is how an error tells both names of a link.
var renamed = regexp.MustCompile(`^(\S+ link )(\S+/)?(\S+) \((\S+)\)$`)

// unrenamed is how an error tells that a link could not be given a name.
var unrenamed = regexp.MustCompile(`rename link \S+ to (\S+):`)

// exact says that an error names exactly what is not as it should be.
func (d *field) exact(err error, want string) {
	d.Helper()
	look := d.settle
	if ofLinkLocal(err.Error()) { // for which settle would wait
		look = d.rest
	}
	now := look()
	_, list, ok := strings.Cut(err.Error(), "; left: ")
	if now == want && strings.Contains(err.Error(), "host record") {
		return // the record itself is what is left
	}
	if !ok {
		d.Errorf("the error does not say what is left: %v", err)
		return
	}
	list, _, _ = strings.Cut(list, "; ")
	lines := strings.Split(strings.TrimSpace(snapshot.Difference(want, now)), "\n")
	covered := make(map[string]bool)
	for item := range strings.SplitSeq(list, ", ") {
		hit := false
		for _, line := range lines {
			if about(item, line, want+now) {
				hit, covered[line] = true, true
			}
		}
		// A cable whose other end was in a namespace that is gone now goes after it, when the kernel comes to it. What falls
		// with a link that is yet to be replaced is still there.
		falls := strings.HasPrefix(item, "create ") && strings.Contains(list, "replace link ")
		if !hit && !falls && !strings.HasPrefix(item, "delete link ") {
			d.Errorf("told to be left, and is not: %s\n%v\n%s", item, err, strings.Join(lines, "\n"))
		}
	}
	for _, rename := range unrenamed.FindAllStringSubmatch(err.Error(), -1) { // the cause tells the name that is missed
		for _, line := range lines {
			covered[line] = covered[line] || about("update link "+rename[1], line, want+now)
		}
	}
	for _, line := range lines {
		unplugged := carried(line) && strings.Contains(list, "create link ") // a bridge has lost its last port
		if !covered[line] && line != "" && !unplugged {
			d.Errorf("left, and not told: %s\n%v", line, err)
		}
	}
}

// carried says whether a line of a difference misses what the kernel makes when a link gets its carrier.
func carried(line string) bool {
	local := strings.Contains(line, " inet6 ") && strings.Contains(line, " scope 253 ") &&
		strings.HasSuffix(line, " proto 3")
	route := strings.Contains(line, " proto 2 ") &&
		(strings.Contains(line, ": route inet6 fe80::/64 ") || strings.Contains(line, ": route inet6 ff00::/8 "))
	return strings.HasPrefix(line, "- ") && (local || route)
}

// about says whether a line of a difference of snapshots can come from what an error says is left, as in "delete link
// ns1/eth0", or "update link br0.1 (br0.2)" with both its names. Both gives the peers of links.
func about(item, line, both string) bool {
	if named := renamed.FindStringSubmatch(item); named != nil {
		return about(named[1]+named[2]+named[3], line, both) || about(named[1]+named[2]+named[4], line, both)
	}
	word := strings.Fields(item)
	if len(word) < 3 {
		return false
	}
	name := strings.Join(word[2:], " ")
	switch word[1] {
	case "namespace":
		return line[2:] == "netns "+name || line[2:] == "netns "+name+" (a file)" || strings.HasPrefix(line[2:], name+": ")
	case "link":
		section, link := "host", name
		if ns, in, ok := strings.Cut(name, "/"); ok {
			section, link = ns, in
		}
		return ofLink(section, link, line) || ofNeighbour(section, link, line, both)
	case "sysctl":
		return ofSysctl(word[2:], line)
	case "nat":
		return strings.Contains(line, "plumb-")
	case "address":
		section, dev := "host", word[2]
		if ns, in, ok := strings.Cut(dev, "/"); ok {
			section, dev = ns, in
		}
		rest, ok := strings.CutPrefix(line[2:], section+": ")
		return ok && onLink(dev, rest)
	case "route":
		section, dst := inSection(word[2:])
		rest, ok := strings.CutPrefix(line[2:], section+": route ")
		family := "inet "
		if strings.Contains(dst, ":") {
			family = "inet6 "
		}
		if dst == "::/0" {
			dst = "default"
		}
		return ok && strings.HasPrefix(rest, family+dst+" ")
	}
	return false
}

// inSection splits the words of a label, of which the first may be a namespace, as in "ns1 default" and "default table
// 7".
func inSection(words []string) (section, name string) {
	if len(words) == 1 || words[1] == "table" || words[1] == "metric" {
		return "host", words[0]
	}
	return words[0], words[1]
}

// ofSysctl says whether a line is about a parameter, or about what it writes beside itself: a switch of forwarding
// those of all links, and what a router has; a default those of links.
func ofSysctl(words []string, line string) bool {
	section, key := inSection(words)
	rest, ok := strings.CutPrefix(line[2:], section+": ")
	path, _, _ := strings.Cut(rest, " = ")
	family, leaf := path[:min(4, len(path))], path[strings.LastIndexByte(path, '/')+1:]
	switch part := strings.Split(object.SysctlPath(key), "/"); {
	case !ok:
		return false
	case key == object.Forwarding4:
		return family == "ipv4" && (leaf == "ip_forward" || leaf == "forwarding" || path == "ipv4/conf/all/accept_redirects")
	case key == object.Forwarding6:
		return family == "ipv6" && leaf == "forwarding" || strings.Contains(rest, "anycast")
	case len(part) == 5 && part[3] == "default":
		return strings.HasPrefix(path, part[1]+"/"+part[2]+"/") && leaf == part[4]
	}
	return "net/"+path == object.SysctlPath(key)
}

// ofLink says whether a line of a section is about a link or what stands on it.
func ofLink(section, link, line string) bool {
	rest, ok := strings.CutPrefix(line[2:], section+": ")
	return ok && (strings.HasPrefix(rest, "link "+link+" ") || onLink(link, rest))
}

// onLink says whether a line of a section is about what stands on a link.
func onLink(link, rest string) bool {
	return strings.HasPrefix(rest, "address "+link+" ") || strings.Contains(rest+" ", " dev "+link+" ") ||
		strings.Contains(rest, " dev "+link+":") || strings.Contains(rest, "/"+link+"/")
}

// ofNeighbour says whether a line is about the other end of a link, or a port of it.
func ofNeighbour(section, link, line, both string) bool {
	place := link
	if section != "host" {
		place = section + "/" + link
	}
	for l := range strings.Lines(both) {
		s, rest, _ := strings.Cut(strings.TrimSpace(l), ": ")
		f := strings.Fields(rest)
		if len(f) != 4 || f[0] != "link" {
			continue
		}
		peer := f[2] == "peer" && (f[3] == place || f[3] == "/"+place)
		if port := s == section && f[2] == "master" && f[3] == link; (peer || port) && ofLink(s, f[1], line) {
			return true
		}
	}
	return false
}
