// Package source tells when what topologies come from says something else.
package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Editors write a file in several steps: it is read when these have been over for settled, and at the latest after
// patience.
const (
	settled  = 50 * time.Millisecond
	patience = 500 * time.Millisecond
)

// Files follows files and directories.
type Files struct {
	paths   []string
	watcher *fsnotify.Watcher
	changed chan struct{}
	// names are the files, and whole the directories of which every topology file counts. Beside a symbolic link anything
	// does: what it leads to may be changed by another link.
	names, whole, any map[string]bool
}

// Follow begins to follow files, and directories with all that is in them. A file is followed by its directory: editors
// put a new one in its place. One that a symbolic link leads to is followed where it is, too.
func Follow(paths []string) (*Files, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("follow files: %w", err)
	}
	f := &Files{
		paths: paths, watcher: w, changed: make(chan struct{}, 1),
		names: make(map[string]bool), whole: make(map[string]bool), any: make(map[string]bool),
	}
	for _, path := range paths {
		for _, dir := range f.add(filepath.Clean(path)) {
			if err := w.Add(dir); err != nil {
				_ = w.Close() // the first error says more
				return nil, fmt.Errorf("follow %s: %w", dir, err)
			}
		}
	}
	go f.run()
	return f, nil
}

// add adds a file or a directory, and lists the directories in which something can happen to it.
func (f *Files) add(path string) (dirs []string) {
	to := target(path)
	dirs = []string{filepath.Dir(path), filepath.Dir(to)}
	f.names[path], f.names[to] = true, true
	if to != path {
		f.any[dirs[0]] = true
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		dirs = append(dirs, path)
		f.whole[path] = true
	}
	return dirs
}

// concerns says whether what happened to a file may have changed what is read.
func (f *Files) concerns(path string) bool {
	dir, ext := filepath.Dir(path), filepath.Ext(path)
	return f.names[path] || f.any[dir] || f.whole[dir] && (ext == ".yaml" || ext == ".yml")
}

// target is what a path leads to; itself where nothing is there.
func target(path string) string {
	if to, err := filepath.EvalSymlinks(path); err == nil {
		return to
	}
	return path
}

// Read reads what the files say now. The revision is a digest of their names and texts.
func (f *Files) Read(context.Context) (r Revision, err error) {
	if r.Inputs, err = Read(f.paths, nil); err != nil {
		return r, err
	}
	sum := sha256.New()
	for _, in := range r.Inputs {
		sum.Write(fmt.Appendf(nil, "%d %q ", len(in.Data), in.Name))
		sum.Write(in.Data)
	}
	r.ID = hex.EncodeToString(sum.Sum(nil))
	return r, nil
}

// Changed holds one when there may be something else to read.
func (f *Files) Changed() <-chan struct{} { return f.changed }

// Close ends it.
func (f *Files) Close() error { return f.watcher.Close() }

func (f *Files) run() {
	var quiet, latest <-chan time.Time
	for {
		select {
		case e, ok := <-f.watcher.Events:
			if !ok {
				return
			}
			if !f.concerns(filepath.Clean(e.Name)) {
				continue
			}
		case _, ok := <-f.watcher.Errors: // some were lost: whatever they were, it is read again
			if !ok {
				return
			}
		case <-quiet:
			quiet, latest = nil, nil
			f.tell()
			continue
		case <-latest:
			quiet, latest = nil, nil
			f.tell()
			continue
		}
		quiet = time.After(settled)
		if latest == nil {
			latest = time.After(patience)
		}
	}
}

func (f *Files) tell() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}
