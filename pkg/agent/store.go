package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/topology"
)

// store keeps on disk what the agent must know after a boot, in a directory of root's alone: good/NAME, the last good
// document of each topology; bad.json, what has failed; suspend.json, what is suspended; and highwater.json, how far
// each git source has been followed.
type store struct {
	dir string
	// version is plumb's: another one may do what this one can't.
	version string

	mu        sync.Mutex
	highwater map[string]string
}

// Good is a document that the host has matched, and how it came here.
type Good struct {
	Document string `json:"document"`
	// File is its name in messages, and Keys the directory of its keys.
	File string `json:"file"`
	Keys string `json:"keys,omitempty"`
	// From is the entry of the config, and Revision the commit, or the digest of the files.
	From     string    `json:"from"`
	Revision string    `json:"revision"`
	When     time.Time `json:"when"`
}

// load reads the topology.
func (g Good) load() (*topology.Topology, error) {
	list, problems := topology.Load(topology.Input{Name: g.File, Data: []byte(g.Document), Keys: g.Keys})
	if err := asError(problems); err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("%s holds %d topologies", g.File, len(list))
	}
	return list[0], nil
}

// Bad is a document that could not be kept, and why.
type Bad struct {
	Topology string    `json:"topology"`
	Revision string    `json:"revision"`
	Reason   string    `json:"reason"`
	When     time.Time `json:"when"`
}

// Suspension says how long a topology is not kept, and why.
type Suspension struct {
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
}

// openStore makes the directory, unless it is there.
func openStore(dir, version string) (*store, error) {
	s := &store{dir: dir, version: version, highwater: make(map[string]string)}
	if err := os.MkdirAll(s.path("good"), 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of what the agent knows: %w", err)
	}
	if err := object.ArePrivate(s.path("good")); err != nil {
		return nil, err
	}
	// The user that fetches passes through it to a directory of its own.
	return s, os.Chmod(dir, 0o711)
}

// Newest implements [source.Highwater].
func (s *store) Newest(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.highwater[name]
}

// Take implements [source.Highwater].
func (s *store) Take(name, commit string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.highwater[name] == commit {
		return nil
	}
	s.highwater[name] = commit
	return s.write(s.highwater, "highwater.json")
}

func (s *store) path(name ...string) string {
	return filepath.Join(append([]string{s.dir}, name...)...)
}

// goods reads the last good documents. One that can't be read is as none, and is told of.
func (s *store) goods() (map[string]Good, error) {
	entries, err := os.ReadDir(s.path("good"))
	if err != nil {
		return nil, err
	}
	all := make(map[string]Good)
	var errs []error
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), beside) {
			continue // what a crash has left of a write
		}
		var g Good
		if err := s.read(&g, "good", e.Name()); err != nil {
			errs = append(errs, err)
			continue
		}
		all[e.Name()] = g
	}
	return all, errors.Join(errs...)
}

// prepare writes a document beside the last good one, so that the disk can't be full when it is good.
func (s *store) prepare(name string, g Good) error { return s.writeBeside(g, "good", name) }

// unprepare removes what prepare has written.
func (s *store) unprepare(name string) error { return gone(s.path("good", name+beside)) }

// keep makes a document the last good one.
func (s *store) keep(name string, g Good) error { return s.write(g, "good", name) }

// forget forgets the last good document of a topology.
func (s *store) forget(name string) error {
	return gone(s.path("good", name))
}

// gone removes a file, if it is there.
func gone(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// digest tells a document from others, and what this version does with it from what another one does.
func (s *store) digest(t *topology.Topology) string {
	sum := sha256.Sum256([]byte(s.version + "\n" + t.Name + "\n" + t.Document()))
	return hex.EncodeToString(sum[:])
}

// read reads a file; one that is not there leaves v alone.
func (s *store) read(v any, name ...string) error {
	data, err := os.ReadFile(s.path(name...))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.path(name...), err)
	}
	return nil
}

// beside is the end of the name of a file that is being written.
const beside = ".new"

// write replaces a file: after a crash it is the old one or the new, whole, and it survives a loss of power.
func (s *store) write(v any, name ...string) error {
	if err := s.writeBeside(v, name...); err != nil {
		return err
	}
	path := s.path(name...)
	if err := os.Rename(path+beside, path); err != nil {
		return err
	}
	return flush(filepath.Dir(path), os.O_RDONLY, nil)
}

func (s *store) writeBeside(v any, name ...string) error {
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	path := s.path(name...) + beside
	err = flush(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, append(data, '\n'))
	if err != nil {
		_ = os.Remove(path) // the first error says more
		return fmt.Errorf("keep what the agent knows: %w", err)
	}
	return nil
}

// flush writes to a file or a directory, and waits until that is on the disk.
func flush(path string, flags int, data []byte) error {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return err
	}
	if len(data) > 0 {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
