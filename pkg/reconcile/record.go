package reconcile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/kind"
	"github.com/plumbnet/plumb/pkg/plan"
)

// recordFormat names the form of the host record.
const recordFormat = "plumb/host/v1"

// record is the host record: what the kernel has no room for. It is one file per host, written before the change that
// it tells of, and dies at reboot as kernel state does.
type record struct {
	Format string `json:"format"`
	// Pending lists, by topology, what a run is about to make or to remove.
	Pending map[string][]plan.Key `json:"pending,omitempty"`
	// Held lists, by topology, objects of the host which can't carry a stamp.
	Held map[string][]plan.Key `json:"held,omitempty"`
	// Claims tells of sysctls that topologies want.
	Claims []claimEntry `json:"sysctls,omitempty"`

	dir string
	// mu guards Claims and disk while steps are taken in several sections at once.
	mu   sync.Mutex
	disk []byte // what the file holds
}

type claimEntry struct {
	plan.Key
	kind.Claim
}

// maxRecord bounds what is read: far above what 100,000 objects take.
const maxRecord = 256 << 20

// loadRecord reads the record in dir; without a file it is empty.
func loadRecord(dir string) (*record, error) {
	r := &record{Format: recordFormat, dir: dir}
	if err := arePrivate(dir); errors.Is(err, fs.ErrNotExist) {
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

// save writes the record, if it has changed, in the place of the old one; an empty one is removed.
func (r *record) save(seam *kernel.Seam) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var data []byte
	var err error
	if !r.empty() {
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
			return replaceFile(path, data)
		}
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	r.disk = data
	if err != nil {
		r.disk = []byte("unknown") // a write that failed may have been made: the next one must be
	}
	return err
}

func (r *record) empty() bool { return len(r.Pending) == 0 && len(r.Held) == 0 && len(r.Claims) == 0 }

// replaceFile writes a file beside path and renames it: a reader sees the old or the new, whole.
func replaceFile(path string, data []byte) error {
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
		return errors.Join(err, os.Remove(beside))
	}
	return nil
}

// setList sets the list of a topology in a map that has no empty lists.
func setList(m *map[string][]plan.Key, topology string, keys []plan.Key) {
	if len(keys) == 0 {
		delete(*m, topology)
		return
	}
	if *m == nil {
		*m = make(map[string][]plan.Key)
	}
	slices.SortFunc(keys, plan.Key.Compare)
	(*m)[topology] = slices.Compact(keys)
}

func (r *record) claim(k plan.Key) *claimEntry {
	i := slices.IndexFunc(r.Claims, func(c claimEntry) bool { return c.Key == k })
	if i < 0 {
		return nil
	}
	return &r.Claims[i]
}

// want notes that a topology wants a value for a sysctl that was something else before. Changed says that the record
// did not know.
func (r *record) want(k plan.Key, was kind.Claim, topology, value string) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.claim(k)
	if c == nil {
		r.Claims = append(r.Claims, claimEntry{k, was})
		c = &r.Claims[len(r.Claims)-1]
	}
	changed = c.Wants[topology] != value
	c.Wants[topology] = value
	return changed
}

// leave takes the topology's wish out of all claims but those that keep says, and forgets claims that nobody has.
func (r *record) leave(topology string, keep func(plan.Key) bool) {
	r.Claims = slices.DeleteFunc(r.Claims, func(c claimEntry) bool {
		if !keep(c.Key) {
			delete(c.Wants, topology)
		}
		return len(c.Wants) == 0
	})
}

// forgetNamespace drops what is known about sysctls of a namespace that is new.
func (r *record) forgetNamespace(name string) {
	r.Claims = slices.DeleteFunc(r.Claims, func(c claimEntry) bool { return c.NS == name })
}

// view is the record as one topology's kinds see it. It implements [kind.Record].
type view struct {
	*record
	topology string
	pending  map[plan.Key]bool
}

func (r *record) view(topology string) view {
	v := view{record: r, topology: topology, pending: make(map[plan.Key]bool)}
	for _, k := range r.Pending[topology] {
		v.pending[k] = true
	}
	return v
}

// Pending implements [kind.Record].
func (v view) Pending(k plan.Key) bool { return v.pending[k] }

// Holds implements [kind.Record].
func (v view) Holds(k plan.Key) bool { return slices.Contains(v.Held[v.topology], k) }

// HeldByOther implements [kind.Record].
func (v view) HeldByOther(k plan.Key) bool {
	for topology, keys := range v.Held {
		if topology != v.topology && slices.Contains(keys, k) {
			return true
		}
	}
	return false
}

// Sysctl implements [kind.Record].
func (v view) Sysctl(k plan.Key) (kind.Claim, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.claim(k); c != nil {
		return c.Claim, true
	}
	return kind.Claim{}, false
}

// Sysctls implements [kind.Record].
func (v view) Sysctls(ns string) []plan.Key {
	var keys []plan.Key
	for _, c := range v.Claims {
		if _, mine := c.Wants[v.topology]; mine && c.NS == ns {
			keys = append(keys, c.Key)
		}
	}
	return keys
}
