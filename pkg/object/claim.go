package object

import (
	"slices"
	"strings"

	"github.com/plumbnet/plumb/pkg/plan"
)

// Wish is a value that an object wants for something that is not plumb's.
type Wish struct {
	// Key is what the record knows it by.
	Key   plan.Key
	Value string
	// Original reads what the record must remember before the first write.
	Original func() (Claim, error)
}

// Claim is who wants what of something that is not plumb's, and what it was.
type Claim struct {
	// Original is the value before the first topology wrote it; empty when it stands on a link of ours, which takes its
	// value from the section's default.
	Original string `json:"original"`
	// Index is the ifindex of the interface whose parameter it is: the value belongs to that, whatever its name. 0 is
	// for what is of no interface, or of a link of ours.
	Index int `json:"ifindex,omitempty"`
	// Master is the ifindex of the master that Original names, if it does.
	Master int `json:"master,omitempty"`
	// Wants maps topologies to the values that they want.
	Wants map[string]string `json:"wants"`
	// Read has values that the kernel writes otherwise: by what was written what is read. The map is never changed.
	Read map[string]string `json:"read,omitempty"`
	// Beside holds, by path, what a parameter of all links writes beside itself, and Indexes of which interface that is.
	// The maps are never changed.
	Beside  map[string]string `json:"beside,omitempty"`
	Indexes map[string]int    `json:"ifindexes,omitempty"`
}

// Reads is what the kernel makes of a value.
func (c Claim) Reads(value string) string {
	if read, ok := c.Read[value]; ok {
		return read
	}
	return value
}

// forgetUnwanted forgets what the kernel made of values that nobody wants any more.
func (c *Claim) forgetUnwanted() {
	read := make(map[string]string)
	for _, v := range c.Wants {
		if as, ok := c.Read[v]; ok {
			read[v] = as
		}
	}
	if c.Read = read; len(read) == 0 {
		c.Read = nil
	}
}

// Learn notes what the kernel has made of a value that was written for a claim.
func (r *Record) Learn(k plan.Key, written, read string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.At(k)
	if c == nil || c.Reads(written) == read {
		return
	}
	more := map[string]string{written: read}
	for w, r := range c.Read {
		if w != written {
			more[w] = r
		}
	}
	c.Read = more
}

// Note notes what the original of a claim is, once that is known.
func (r *Record) Note(k plan.Key, original string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.At(k); c != nil {
		c.Original = original
	}
}

// Follow gives claims on interfaces the names that these have now, by section and ifindex; name gives none for one that
// is gone, and known is false for a section that was not read. Claims on interfaces that are gone are forgotten. It
// returns those, and the new keys of the others by the old.
func (r *Record) Follow(name func(ns string, index int) (name string, known bool)) (
	gone []ClaimEntry, renamed map[plan.Key]plan.Key,
) {
	r.mu.Lock()
	defer r.mu.Unlock()
	renamed = make(map[plan.Key]plan.Key)
	r.Claims = slices.DeleteFunc(r.Claims, func(c ClaimEntry) bool {
		if c.Index == 0 {
			return false
		}
		now, known := name(r.out(c.Key).NS, c.Index)
		if known && now == "" {
			gone = append(gone, ClaimEntry{r.out(c.Key), c.Claim})
		}
		return known && now == ""
	})
	for i := range r.Claims {
		c := &r.Claims[i]
		ns := r.out(c.Key).NS
		c.follow(func(index int) (string, bool) { return name(ns, index) })
		if now, known := name(ns, c.Index); known && c.Index != 0 {
			k := SysctlKey(c.NS, SysctlOn(c.Name, now))
			if _, rest, named := strings.Cut(c.Name, " "); named && c.Kind != KindSysctl {
				k = plan.Key{NS: c.NS, Kind: c.Kind, Name: now + " " + rest}
			}
			if k != c.Key {
				renamed[c.Key], c.Key = k, k
			}
		}
	}
	for _, list := range r.Pending {
		for i, p := range list {
			if now, ok := renamed[p.Key]; ok {
				list[i].Key = now
			}
		}
	}
	shown := make(map[plan.Key]plan.Key, len(renamed))
	for was, now := range renamed {
		shown[r.out(was)] = r.out(now)
	}
	return gone, shown
}

// follow gives what was written beside a switch the paths that it has now, and leaves out what is gone.
func (c *Claim) follow(name func(index int) (name string, known bool)) {
	if len(c.Indexes) == 0 {
		return
	}
	beside, indexes := make(map[string]string), make(map[string]int)
	for path, value := range c.Beside {
		index := c.Indexes[path]
		now, known := name(index)
		switch {
		case !known:
			return
		case index != 0 && now == "":
			continue
		case index != 0:
			path = SysctlPath(SysctlOn(SysctlPath(path), now))
			indexes[path] = index
		}
		beside[path] = value
	}
	c.Beside, c.Indexes = beside, indexes
}

// SysctlOn is the parameter of another interface, or of all or default.
func SysctlOn(name, link string) string {
	part := strings.Split(name, ".")
	if len(part) > 3 {
		part[3] = strings.ReplaceAll(link, ".", "/")
	}
	return strings.Join(part, ".")
}
