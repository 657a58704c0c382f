// Package source tells when what topologies come from says something else.
package source

import (
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
	watcher *fsnotify.Watcher
	changed chan struct{}
}

// Follow begins to follow files, and directories with all that is in them. A file is followed by its directory: editors
// put a new one in its place. One that a symbolic link leads to is followed where it is, too.
func Follow(paths []string) (*Files, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("follow files: %w", err)
	}
	for _, path := range paths {
		dirs := []string{filepath.Dir(path), filepath.Dir(target(path))}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			dirs = append(dirs, path)
		}
		for _, dir := range dirs {
			if err := w.Add(dir); err != nil {
				_ = w.Close() // the first error says more
				return nil, fmt.Errorf("follow %s: %w", dir, err)
			}
		}
	}
	f := &Files{watcher: w, changed: make(chan struct{}, 1)}
	go f.run()
	return f, nil
}

// target is what a path leads to; itself where nothing is there.
func target(path string) string {
	if to, err := filepath.EvalSymlinks(path); err == nil {
		return to
	}
	return path
}

// Changed holds one when there may be something else to read.
func (f *Files) Changed() <-chan struct{} { return f.changed }

// Close ends it.
func (f *Files) Close() error { return f.watcher.Close() }

func (f *Files) run() {
	var quiet, latest <-chan time.Time
	for {
		select {
		case _, ok := <-f.watcher.Events:
			if !ok {
				return
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
