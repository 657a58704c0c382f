package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/plumbnet/plumb/pkg/object"
)

// holdFile is the name of the file that an agent holds locked, and in which it says what it keeps.
const holdFile = "agent.lock"

// Held is what an agent keeps.
type Held struct {
	PID int `json:"pid"`
	// Cookie is that of the host's network namespace.
	Cookie     uint64   `json:"cookie"`
	Topologies []string `json:"topologies"`
}

// Hold is what makes an agent the only one.
type Hold struct {
	file   *os.File
	cookie uint64
}

// TakeHold makes this process the agent that is told of in a directory. The error names another one.
func TakeHold(dir string, cookie uint64) (*Hold, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := object.IsPrivate(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, holdFile), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	h := &Hold{f, cookie}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close() //nolint:errcheck // only read
		if other, known := readHeld(f); known && errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("an agent is running already: process %d", other.PID)
		}
		return nil, fmt.Errorf("lock %s, which another agent may have: %w", f.Name(), err)
	}
	return h, h.Tell(nil)
}

// Tell says what is kept.
func (h *Hold) Tell(topologies []string) error {
	data, err := json.Marshal(Held{os.Getpid(), h.cookie, topologies})
	if err != nil {
		return err
	}
	_, err = h.file.WriteAt(append(data, '\n'), 0)
	return errors.Join(err, h.file.Truncate(int64(len(data)+1)))
}

// Close ends the hold.
func (h *Hold) Close() error { return h.file.Close() }

// Holder says what the agent keeps that is told of in a directory, if there is one now.
func Holder(dir string) (held Held, running bool) {
	f, err := os.OpenFile(filepath.Join(dir, holdFile), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return held, false
	}
	defer f.Close() //nolint:errcheck // only read
	if !errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK) {
		return held, false
	}
	held, _ = readHeld(f)
	return held, true
}

func readHeld(f *os.File) (held Held, ok bool) {
	room := make([]byte, 1<<20)
	n, _ := f.ReadAt(room, 0) // short at the end of the file
	err := json.Unmarshal(room[:n], &held)
	return held, err == nil
}
