package reconcile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/plumbnet/plumb/pkg/kernel"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/topology"
)

// appliedFormat names the form of the copy of what was applied.
const appliedFormat = "plumb/applied/v1"

// applied is the copy that each verified apply leaves of a topology, for people and for commands that only look.
// Nothing that apply and destroy promise depends on it.
type applied struct {
	Format   string `json:"format"`
	Topology string `json:"topology"`
	// File is the whole path of the file that was given; empty for standard input.
	File string `json:"file"`
	// Document is the topology's document. Files with keys stand in it by their names.
	Document string `json:"document"`
	// Attached are the namespaces of others that its sections are attached to.
	Attached []object.Attachment `json:"attached,omitempty"`
}

func appliedPath(dir, topology string) string { return filepath.Join(dir, "applied", topology) }

// hasApplied says whether there is a copy of a topology.
func hasApplied(dir, topology string) bool {
	_, err := os.Lstat(appliedPath(dir, topology))
	return err == nil
}

// loadApplied reads the copy of a topology.
func loadApplied(dir, topology string) (a applied, err error) {
	if err := object.ArePrivate(dir); err != nil {
		return a, err
	}
	data, err := os.ReadFile(appliedPath(dir, topology))
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(data, &a); err != nil || a.Format != appliedFormat {
		return applied{}, fmt.Errorf("%s is no copy of a topology: %w", appliedPath(dir, topology), err)
	}
	return a, nil
}

// keepApplied leaves the copy of what was applied, if it is not there already. Without it all is as well.
func (r *run) keepApplied(t *topology.Topology) {
	a := applied{
		Format: appliedFormat, Topology: t.Name, File: absolute(t.File), Document: t.Document(),
		Attached: r.record.Attached[t.Name],
	}
	path := appliedPath(r.dir, t.Name)
	data, err := json.MarshalIndent(a, "", " ")
	if err == nil {
		if had, failed := os.ReadFile(path); failed == nil && bytes.Equal(had, data) {
			return
		}
		err = r.Seam.Do(kernel.Write{What: "write the copy of what was applied"}, func() error {
			return object.ReplaceFile(path, data)
		})
	}
	if err != nil {
		r.Warn(fmt.Sprintf("the copy of what was applied is not written: %v", err))
	}
}

// absolute is the whole path of a file, by which it can be found from any directory.
func absolute(file string) string {
	if file == topology.Stdin {
		return ""
	}
	if path, err := filepath.Abs(file); err == nil {
		return path
	}
	return file
}

// dropApplied removes the copy of a topology that is there no more.
func (r *run) dropApplied() {
	if !hasApplied(r.dir, r.topology) {
		return
	}
	path := appliedPath(r.dir, r.topology)
	err := r.Seam.Do(kernel.Write{What: "remove the copy of what was applied"}, func() error {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err != nil {
		r.Warn(fmt.Sprintf("the copy of what was applied stays: %v", err))
	}
}

// Applied is the copy of a topology that the last verified apply left, as a file to load. It is called as the file that
// was applied was, or as standard input. Errors wrap [fs.ErrNotExist] where there is none.
func (h *Host) Applied(name string) (topology.Input, error) {
	a, err := loadApplied(h.dir, name)
	if err != nil {
		return topology.Input{}, fmt.Errorf("topology %s: the copy of what was applied: %w", name, err)
	}
	return topology.Input{Name: cmp.Or(a.File, topology.Stdin), Data: []byte(a.Document)}, nil
}
