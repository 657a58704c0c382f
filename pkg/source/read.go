package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/plumbnet/plumb/pkg/topology"
)

// maxInput bounds what is read from one file. A topology of 100,000 objects has some 10 MB.
const maxInput = 64 << 20

// usualInput is room for most files: that of a hundred namespaces has 30 kB.
const usualInput = 64 << 10

// Read reads files, and directories in the order of their files' names; - is the standard input.
func Read(paths []string, stdin io.Reader) ([]topology.Input, error) {
	var inputs []topology.Input
	add := func(name string, r io.Reader) error {
		data := bytes.NewBuffer(make([]byte, 0, usualInput))
		_, err := data.ReadFrom(io.LimitReader(r, maxInput+1))
		if err == nil && data.Len() > maxInput {
			err = fmt.Errorf("%s: more than %d MiB", name, maxInput>>20)
		}
		inputs = append(inputs, topology.Input{Name: name, Data: data.Bytes()})
		return err
	}
	stdinRead := false
	for _, path := range paths {
		if path == "-" {
			if stdinRead {
				return nil, errors.New("stdin can be read only once: -f - is repeated")
			}
			stdinRead = true
			if err := add(topology.Stdin, stdin); err != nil {
				return nil, err
			}
			continue
		}
		names, err := expand(path)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			f, err := os.Open(name)
			if err != nil {
				return nil, err
			}
			err = add(name, f)
			_ = f.Close() // was only read
			if err != nil {
				return nil, err
			}
		}
	}
	return inputs, nil
}

// descriptor is a path by which a process names a file that it has open, as shells do in <(command).
var descriptor = regexp.MustCompile(`^(/dev/stdin|/dev/fd/[0-9]+|/proc/[^/]+/fd/[0-9]+)$`)

// readable says whether a file can be read to its end without waiting for somebody: a FIFO that nobody writes to has
// none, nor has a device.
func readable(path string, mode os.FileMode) error {
	if mode.IsRegular() || descriptor.MatchString(filepath.Clean(path)) {
		return nil
	}
	what := "no regular file"
	switch {
	case mode&os.ModeNamedPipe != 0:
		what = "a FIFO"
	case mode&os.ModeSocket != 0:
		what = "a socket"
	case mode&os.ModeDevice != 0:
		what = "a device"
	}
	return fmt.Errorf("%s is %s, and a topology is read from a regular file, or with -f - from stdin", path, what)
}

// expand lists the topology files of a directory. What isn't one stands for itself.
func expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, readable(path, info.Mode())
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		// A hidden file is most often an editor's.
		if ext := filepath.Ext(entry.Name()); ext != ".yaml" && ext != ".yml" || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		name := filepath.Join(path, entry.Name())
		if info, err := os.Stat(name); err != nil {
			return nil, err
		} else if info.Mode().IsRegular() {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no *.yaml or *.yml files in this directory", path)
	}
	return names, nil
}
