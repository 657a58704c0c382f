package object

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/plan"
)

// recordFormat names the form of the host record.
const recordFormat = "plumb/host/v1"

// Record is the host record: what the kernel has no room for. It is one file per host, written before the change that
// it tells of, and dies at reboot as kernel state does.
type Record struct {
	Format string `json:"format"`
	// Pending lists, by topology, what a run is about to make or to remove.
	Pending map[string][]Pending `json:"pending,omitempty"`
	// Held lists, by topology, objects of the host which can't carry a stamp, and namespaces, which can lose theirs with
	// the mount that they are.
	Held map[string][]plan.Key `json:"held,omitempty"`
	// Claims tells of sysctls, and attributes of links that plumb did not make, that topologies want.
	Claims []ClaimEntry `json:"sysctls,omitempty"`
	// Told lists what links were told and the kernel does not tell again.
	Told []ToldEntry `json:"told,omitempty"`
	// Attached lists, by topology, the namespaces of others that its sections are attached to.
	Attached map[string][]Attachment `json:"attached,omitempty"`
	// Moved lists, by topology, what it has taken away from its ports.
	Moved map[string][]Moved `json:"moved,omitempty"`

	dir string
	// places are what the record calls attached sections: see [Record.SetPlaces].
	places map[string]string
	// mu guards Claims and disk while steps are taken in several sections at once.
	mu   sync.Mutex
	disk []byte // what the file holds
}

// ClaimEntry is what topologies want of the object at a key that is not plumb's.
type ClaimEntry struct {
	plan.Key
	Claim
}

// maxRecord bounds what is read: far above what 100,000 objects take.
const maxRecord = 256 << 20

// LoadRecord reads the record in dir; without a file it is empty.
func LoadRecord(dir string) (*Record, error) {
	r := &Record{Format: recordFormat, dir: dir}
	if err := ArePrivate(dir); errors.Is(err, fs.ErrNotExist) {
		return r, nil
	} else if err != nil {
		return nil, fmt.Errorf("host record: %w", err)
	}
	path := filepath.Join(dir, "host.json")
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("host record: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return nil, fmt.Errorf("host record: read %s: %w", path, err)
	}
	r.Format = ""
	err = json.Unmarshal(data, r)
	for _, c := range r.Claims {
		if err == nil && c.Wants == nil {
			err = fmt.Errorf("nobody wants %s", c.Key.Label())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("host record: %s is damaged (%w): without it sysctls can't be restored; remove it to go on",
			path, err)
	}
	if r.Format != recordFormat {
		return nil, fmt.Errorf("host record: %s is of the form %q, which this version does not know", path, r.Format)
	}
	r.disk = data
	return r, nil
}

// Same says whether two records are of the same file, unchanged.
func (r *Record) Same(other *Record) bool {
	return r.dir == other.dir && bytes.Equal(r.disk, other.disk)
}

// Save writes the record, if it has changed, in the place of the old one; an empty one is removed.
func (r *Record) Save(seam *kernel.Seam) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var data []byte
	var err error
	if !r.Empty() {
		if data, err = json.MarshalIndent(r, "", " "); err != nil {
			return fmt.Errorf("host record: %w", err)
		}
	}
	path := filepath.Join(r.dir, "host.json")
	if bytes.Equal(data, r.disk) {
		return nil
	}
	err = seam.Do(kernel.Write{What: "write host record"}, func() error {
		if data != nil {
			return writeFile(path, data)
		}
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	r.disk = data
	if err != nil { // a write that failed may have been made
		var unread error
		if r.disk, unread = os.ReadFile(path); unread != nil && !errors.Is(unread, fs.ErrNotExist) {
			r.disk = []byte("unknown") // so that the next one is made
		}
	}
	return err
}

// Empty says whether there is nothing to tell.
func (r *Record) Empty() bool {
	return len(r.Pending)+len(r.Held)+len(r.Claims)+len(r.Attached)+len(r.Moved)+len(r.Told) == 0
}

// writeFile writes the record, in place where there is no room: a rollback must tell what it has reached.
func writeFile(path string, data []byte) error {
	err := ReplaceFile(path, data)
	if (errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)) && overwrite(path, data) == nil {
		return nil
	}
	return err
}

// ReplaceFile writes a file, for this user alone, beside path and renames it: a reader sees the old or the new, whole.
func ReplaceFile(path string, data []byte) error {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC | unix.O_NOFOLLOW
	beside := path + ".new" // always the same: the next write takes what a crash has left
	f, err := os.OpenFile(beside, flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) { // somebody has cleared /run, and the record must not be lost with it
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			f, err = os.OpenFile(beside, flags, 0o600)
		}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(beside, path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(beside))
	}
	return err
}

// overwrite writes a file in place, if what it takes up already has room for that: no other is to be had. One who dies
// in the midst leaves a file that is whole, with spaces at its end.
func overwrite(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	err = unix.Fstat(int(f.Fd()), &st)
	const block = 512 // of st_blocks, stat(2)
	if err == nil && int64(len(data)) > st.Blocks*block {
		err = unix.ENOSPC
	}
	if err == nil {
		spaces := max(0, int(st.Size)-len(data))
		_, err = f.WriteAt(append(slices.Clone(data), bytes.Repeat([]byte(" "), spaces)...), 0)
	}
	if err == nil {
		err = f.Truncate(int64(len(data)))
	}
	return errors.Join(err, f.Close())
}

// Topologies lists those that the record tells of, some more than once.
func (r *Record) Topologies() []string {
	names := slices.Concat(slices.Collect(maps.Keys(r.Pending)), slices.Collect(maps.Keys(r.Held)),
		slices.Collect(maps.Keys(r.Attached)), slices.Collect(maps.Keys(r.Moved)))
	for _, c := range r.Claims {
		names = slices.AppendSeq(names, maps.Keys(c.Wants))
	}
	return names
}

// SetHeld says which objects of the host are a topology's, and can't carry a stamp.
func (r *Record) SetHeld(topology string, keys []plan.Key) {
	setList(&r.Held, topology, r.within(keys))
}

// SetAttached says whose namespaces a topology's sections are attached to.
func (r *Record) SetAttached(topology string, list []Attachment) {
	set(&r.Attached, topology, list)
}

// setList sets the list of a topology, sorted.
func setList(m *map[string][]plan.Key, topology string, keys []plan.Key) {
	slices.SortFunc(keys, plan.Key.Compare)
	set(m, topology, slices.Compact(keys))
}

// set sets the list of a topology in a map that has no empty lists.
func set[T any](m *map[string][]T, topology string, list []T) {
	if len(list) == 0 {
		delete(*m, topology)
		return
	}
	if *m == nil {
		*m = make(map[string][]T)
	}
	(*m)[topology] = list
}

// At finds the claims on an object, nil for none.
func (r *Record) At(k plan.Key) *ClaimEntry {
	k = r.in(k)
	i := slices.IndexFunc(r.Claims, func(c ClaimEntry) bool { return c.Key == k })
	if i < 0 {
		return nil
	}
	return &r.Claims[i]
}

// Want notes that a topology wants a value for an object that was something else before. Changed says that the record
// did not know.
func (r *Record) Want(k plan.Key, was Claim, topology, value string) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.At(k)
	if c == nil {
		r.Claims = append(r.Claims, ClaimEntry{r.in(k), was})
		c = &r.Claims[len(r.Claims)-1]
	}
	changed = c.Wants[topology] != value
	c.Wants[topology] = value
	return changed
}

// Leave takes the topology's wish out of all claims but those that keep says, and forgets claims that nobody has, and
// what its other links were told.
func (r *Record) Leave(topology string, keep func(plan.Key) bool) {
	r.Claims = slices.DeleteFunc(r.Claims, func(c ClaimEntry) bool {
		if !keep(r.out(c.Key)) {
			delete(c.Wants, topology)
		}
		return len(c.Wants) == 0
	})
	for i := range r.Claims {
		r.Claims[i].forgetUnwanted()
	}
	r.Told = slices.DeleteFunc(r.Told, func(t ToldEntry) bool { return t.Topology == topology && !keep(t.Key) })
}

// ForgetNamespace drops what is known about sysctls and links of a namespace that is new.
func (r *Record) ForgetNamespace(name string) {
	r.Told = slices.DeleteFunc(r.Told, func(t ToldEntry) bool { return t.NS == name })
	r.Claims = slices.DeleteFunc(r.Claims, func(c ClaimEntry) bool { return c.NS == name })
}

// Recall adds what an earlier record knew of the topology's, and this one forgot.
func (r *Record) Recall(before *Record, topology string) {
	setList(&r.Held, topology, slices.Concat(r.Held[topology], before.Held[topology]))
	set(&r.Attached, topology, Attachments(r.Attached[topology], before.Attached[topology]))
	for _, c := range before.Clone().Claims {
		was, mine := c.Wants[topology]
		switch now := r.At(c.Key); {
		case now == nil:
			r.Claims = append(r.Claims, c)
		case mine:
			now.Wants[topology] = was
		}
	}
}

// Clone is a copy that later changes don't reach.
func (r *Record) Clone() *Record {
	c := &Record{
		Format: r.Format, Pending: cloneLists(r.Pending), Held: cloneLists(r.Held), Claims: slices.Clone(r.Claims),
		Attached: cloneLists(r.Attached), Moved: cloneLists(r.Moved), Told: slices.Clone(r.Told),
		places: r.places, dir: r.dir, disk: r.disk,
	}
	for i, e := range c.Claims {
		c.Claims[i].Wants = maps.Clone(e.Wants)
	}
	return c
}

func cloneLists[T any](m map[string][]T) map[string][]T {
	c := make(map[string][]T, len(m))
	for t, keys := range m {
		c[t] = slices.Clone(keys)
	}
	return c
}

// View is the record as the kinds see it for one topology.
type View struct {
	*Record
	topology string
	pending  map[plan.Key][]Pending
	others   map[plan.Key]string // whose what other topologies hold is
}

// View is the record as a topology sees it.
func (r *Record) View(topology string) View {
	v := View{Record: r, topology: topology, pending: make(map[plan.Key][]Pending), others: make(map[plan.Key]string)}
	for other, keys := range r.Held {
		for _, k := range keys {
			if other != topology {
				v.others[k] = other
			}
		}
	}
	for _, p := range r.Pending[topology] {
		v.pending[p.Key] = append(v.pending[p.Key], p)
	}
	return v
}

// Mentions says that the record knows of objects of a kind in a section that are the topology's, or that a run was
// about to make.
func (v View) Mentions(ns, kind string) bool {
	match := func(k plan.Key) bool { return k.Kind == kind && v.out(k).NS == ns }
	return slices.ContainsFunc(v.Held[v.topology], match) ||
		slices.ContainsFunc(v.Record.Pending[v.topology], func(p Pending) bool { return match(p.Key) })
}

// Holds says that an object of the host which can't carry a stamp is the topology's.
func (v View) Holds(k plan.Key) bool { return slices.Contains(v.Held[v.topology], v.in(k)) }

// HeldByOther is the other topology whose it is, if any.
func (v View) HeldByOther(k plan.Key) (topology string, held bool) {
	topology, held = v.others[v.in(k)]
	return topology, held
}

// Claim tells what is known about an object that some topology claims.
func (v View) Claim(k plan.Key) (Claim, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.At(k); c != nil {
		return c.Claim, true
	}
	return Claim{}, false
}

// Claimed lists what the topology has claimed in a section.
func (v View) Claimed(ns string) []plan.Key {
	v.mu.Lock()
	defer v.mu.Unlock()
	var keys []plan.Key
	for _, c := range v.Claims {
		_, mine := c.Wants[v.topology]
		if k := v.out(c.Key); mine && k.NS == ns {
			keys = append(keys, k)
		}
	}
	return keys
}
